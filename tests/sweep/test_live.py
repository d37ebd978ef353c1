"""How a sweep stands, as the terminal shows it."""

import io
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from rich.console import Console

from builders.sweeps import made_up
from mho.cli import main
from mho.files import write_json
from mho.sweep.folder import Beat, SweepFolder
from mho.sweep.live import Watch
from mho.sweep.record import Measured
from mho.sweep.records import load
from mho.sweep.standing import best, measured_text, running, settings_text, time_left


@pytest.fixture
def sweep(tmp_path: Path) -> SweepFolder:
    """Five points done, one running, one that failed, one waiting."""
    sweep = made_up(tmp_path / "s", unfinished=3)
    at_work, bad, _ = sweep.points()[5:]
    now = time.time()
    beat = Beat(
        "node7", 42, now, "mlp 0: falling threshold", done=30, total=50, since=now - 10, start=10
    )
    write_json(at_work.path / "progress.json", asdict(beat))
    bad.failed("Traceback\nKeyError: 3")
    return sweep


def test_rates_and_times_follow_from_the_signs_of_life(sweep: SweepFolder) -> None:
    records = load(sweep.path)
    (found,) = running(records)
    assert found.rate == pytest.approx(2.0, rel=1e-3)
    assert found.left == pytest.approx(10.0, rel=1e-3)
    assert time_left(records) == pytest.approx(2.5 * 2.5)  # two to go and half of one
    first = best(records)[0]
    assert first.claim.what == "test accuracy"
    assert first.value.ours == max(
        place for place in (each.value.ours for each in best(records)[:1]) if place is not None
    )


@pytest.mark.parametrize("terminal", [False, True])
def test_the_table_names_what_runs_and_what_went_wrong(sweep: SweepFolder, terminal: bool) -> None:
    file, said = io.StringIO(), []
    console = Console(file=file, force_terminal=terminal, width=200, height=60)
    with Watch(sweep, console, said.append) as watch:
        assert watch.show() is not None
        assert watch.show() is None  # a moment ago
    shown = file.getvalue() if terminal else "".join(said)
    assert "8 points: 5 done, 1 running, 1 waiting, 1 failed" in shown
    if terminal:
        for words in ("node7", "mlp 0: falling threshold", "30/50", "KeyError: 3", "test accuracy"):
            assert words in shown
    assert (sweep.path / "index.sqlite").exists()


def test_the_command_shows_it_once_where_there_is_no_terminal(
    sweep: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", str(sweep.path)]) == 0
    out = capsys.readouterr().out
    assert "5 done" in out
    assert "KeyError: 3" in out


def test_the_report_writes_page_and_table(
    sweep: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(sweep.path), "--claim", "accuracy"]) == 0
    assert capsys.readouterr().out.strip() == str(sweep.path / "report.html")
    assert (sweep.path / "table.csv").read_text().startswith("id,status,writes.fixed_threshold")


def test_settings_are_named_by_their_last_part_where_that_will_do() -> None:
    assert settings_text({"hardware.adc_bits": 4, "seed": 1}) == "adc_bits 4, seed 1"
    found = Measured(43.7412, 8.626, 4, "%", "w", "higher", "mean")
    assert measured_text(found) == "43.7 ± 8.6\N{NO-BREAK SPACE}%"
    assert measured_text(found._replace(std=None, unit="")) == "43.74"
    assert settings_text({"a.x": 4, "b.x": 1}) == "a.x 4, b.x 1"
