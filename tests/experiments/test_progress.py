"""What a run says of how far it is: on a terminal one line, in a log a line now and then."""

import io
import time
from typing import Any

import pytest
from rich.console import Console

from mho.experiments import EXPERIMENTS, progress
from mho.experiments.progress import Progress, spoken
from mho.experiments.trainings import Training


class Clock:
    """Time that passes when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


TRAININGS = [Training({"scheme": f"s{k}", "epochs": 3}) for k in range(12)]


def run_through(shown: Progress, clock: Clock, trainings: int, seconds: float = 20.0) -> None:
    """Trainings of 100 steps and so many seconds each."""
    for k in range(trainings):
        with shown.bar(f"mlp 0: s{k}/train", 100, 0, trains=True, of=TRAININGS[k]) as advance:
            for step in range(100):
                clock.now += seconds / 100
                if step == 50:
                    shown.logged({"validation": 90.0 + k})
                advance(1)


def test_a_log_says_which_training_how_good_and_the_time_left_in_all(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = Progress("siamese")
    shown.plan(TRAININGS, in_all=True)
    run_through(shown, clock, 3)
    said = capsys.readouterr().err.splitlines()
    assert "[siamese] training 3 of 12, mlp 0: s2, 100%, accuracy 92.0 %, 3 min left in all" in said
    assert len(said) <= 3 * 20 / progress.LINE_EVERY


def test_lines_of_a_log_become_rare(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    shown = Progress("siamese")
    shown.plan(TRAININGS, in_all=True)
    run_through(shown, clock, 12, seconds=3600.0)
    assert len(capsys.readouterr().err.splitlines()) < 80, "twelve hours"


def test_where_more_is_to_be_done_than_training_it_does_not_say_in_all(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = Progress("bmcnn")
    shown.plan(TRAININGS, in_all=False)
    run_through(shown, clock, 2)
    assert "left for training" in capsys.readouterr().err
    with shown.bar("held out", 40, 0) as advance:
        for _ in range(20):
            clock.now += 1.0
            advance(1)
    assert "[bmcnn] held out, 20 of 40, 20 s left here" in capsys.readouterr().err


def test_a_resumed_run_counts_what_was_trained_before(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = Progress("siamese")
    shown.plan(TRAININGS, in_all=True)
    with shown.bar("s10/train", 100, 50, of=TRAININGS[10]) as advance:
        for _ in range(50):
            clock.now += 1.0
            advance(1)
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == "[siamese] training 11 of 12, s10, 100%, 100 s left in all".replace(
        "100 s", "2 min"
    )


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [80, 40, 20])
def test_a_terminal_has_one_line_that_is_rewritten(
    columns: int, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown, screen = Progress("siamese"), Screen()
    shown._console = Console(file=screen, width=columns, force_terminal=True, color_system=None,
                             force_interactive=True, _environ={"TERM": "xterm"})  # fmt: skip
    shown.plan(TRAININGS, in_all=True)
    run_through(shown, clock, 3)
    text = screen.getvalue()
    for line in text.replace("\r", "\n").replace("\x1b[2K", "").split("\n"):
        visible = line.replace("\x1b[?25l", "").replace("\x1b[?25h", "").replace("\x1b[1A", "")
        assert len(visible) <= columns
    if columns == 80:
        assert "training 3 of 12, mlp 0: s2" in text


@pytest.mark.parametrize("terminal", [{"TERM": "dumb"}, {"TERM": "unknown"}])
def test_a_dumb_terminal_is_a_log(
    terminal: dict[str, str], clock: Clock, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    shown, screen = Progress("siamese"), Screen()
    shown._console = Console(file=screen, width=80, _environ=terminal)
    shown.plan(TRAININGS, in_all=True)
    run_through(shown, clock, 2)
    assert screen.getvalue() == ""
    assert "training 2 of 12" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "1 s"), (3, "3 s"), (17, "15 s"), (84, "85 s"), (100, "2 min"), (3600, "60 min"),
     (7800, "2 h 10 min"), (7201, "2 h"), (90_000, "25 h")],
)  # fmt: skip
def test_times_are_said_in_words(seconds: float, said: str) -> None:
    assert spoken(seconds) == said


def test_accuracies_of_several_tasks_are_averaged(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = Progress("metaplastic")
    found: list[Any] = [90.0, None, 80.0]
    with shown.bar("tasks/train", 1, 0) as advance:
        shown.logged({"validation": found})
        shown.logged({"validation": [None, None]})
        advance(1)
    assert "accuracy 85.0 %" in capsys.readouterr().err


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_trainings_of_each_experiment_are_known_beforehand(name: str) -> None:
    config = EXPERIMENTS[name].preset("quick")
    shown = Progress(name)
    shown.plan(EXPERIMENTS[name].trainings(config), in_all=True)
    assert shown._whole > 0
