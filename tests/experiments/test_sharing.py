"""A training that runs share is made once, whatever happens, and each run ends as one alone."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mho.experiments import run as run_module
from mho.experiments.checkpoint import METRICS
from mho.experiments.progress import Progress
from mho.experiments.run import Run
from mho.experiments.sharing import SharingRun, finished, share
from mho.experiments.trainings import Training
from mho.files import check_sums, only_writer
from mho.files.archive import read_archive

OF = Training({"seed": 3, "rate": 0.1})
STEPS = 12


class Stop(Exception):
    """Stands for whatever ends a process."""


class Told(Progress):
    """Progress that remembers what is said."""

    def __init__(self) -> None:
        super().__init__("test", shown=False)
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


class Work:
    """A run of two pieces, the second with a training that is shared, and what it did of that."""

    def __init__(self, folder: Path, trainings: Path | None, factor: float) -> None:
        self.folder, self.factor = folder, factor
        self.trainings = trainings
        self.progress, self.made = Told(), 0

    def do(self, die_at: int | None = None, die_after: bool = False) -> list[float]:
        options: dict[str, Any] = {"resume": True, "title": "test", "progress": self.progress}
        toml = f"factor = {self.factor}\n"
        run = (
            Run(self.folder, toml, **options)
            if self.trainings is None
            else SharingRun(self.folder, toml, trainings=self.trainings, **options)
        )
        try:
            with run.interruptible():
                run.once("first", lambda: 1)
                found = run.once("second", lambda: self._train(run, die_at, die_after))
                run.save()
                return found
        finally:
            run.close()

    def _train(self, run: Run, die_at: int | None, die_after: bool) -> list[float]:
        torch.manual_seed(3)
        net = nn.Linear(3, 1)
        optimizer = torch.optim.Adam(net.parameters(), 0.1)
        state = {"net": net, "optimizer": optimizer}
        for step in run.steps("train", STEPS, state, keep=("net",), of=OF):
            if step == die_at:
                raise Stop
            self.made += 1
            x = torch.randn(4, 3, generator=torch.Generator().manual_seed(step))
            optimizer.zero_grad()
            net(x).square().mean().backward()
            optimizer.step()
            run.log(step=step, weight=net.weight[0, 0].item(), nothing=float("nan"))
        if die_after:
            raise Stop
        run.log(after=self.factor)
        return [self.factor * weight for weight in net.weight.flatten().tolist()]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    share(tmp_path / "trained", [OF])
    return tmp_path / "trained"


def left(folder: Path) -> tuple[bytes, Any]:
    """Metrics of a run, and what its checkpoint holds but for times."""
    held = read_archive(folder / "checkpoint.pt")
    return (folder / METRICS).read_bytes(), {**held, "elapsed": 0.0}


def alone(tmp_path: Path, factor: float) -> tuple[list[float], Any]:
    work = Work(tmp_path / f"alone {factor}", None, factor)
    return work.do(), left(work.folder)


def test_each_run_ends_as_one_alone_and_only_one_trains(tmp_path: Path, store: Path) -> None:
    works = [Work(tmp_path / f"{factor}", store, factor) for factor in (1.0, 2.0, 3.0)]
    for work in works:
        assert (work.do(), left(work.folder)) == alone(tmp_path, work.factor)
    assert [work.made for work in works] == [STEPS, 0, 0]
    own = store / OF.id
    assert finished(own)
    check_sums(own, "config.toml", "checkpoint.pt", METRICS)
    state = torch.load(own / "checkpoint.pt", weights_only=True)["stages"]["training"]["state"]
    assert list(state) == ["net"]


def test_what_is_not_to_be_shared_is_trained_by_each_and_kept_nowhere(tmp_path: Path) -> None:
    work = Work(tmp_path / "1", tmp_path / "trained", 1.0)
    assert (work.do(), left(work.folder)) == alone(tmp_path, 1.0)
    assert not (tmp_path / "trained").exists()


def test_another_run_goes_on_where_the_first_one_died(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "SAVE_EVERY", 0.0)
    first, second = (Work(tmp_path / f"{factor}", store, factor) for factor in (1.0, 2.0))
    with pytest.raises(Stop):
        first.do(die_at=7)
    assert not finished(store / OF.id)
    for work, made in ((second, STEPS - 7), (first, 7)):
        assert (work.do(), left(work.folder)) == alone(tmp_path, work.factor)
        assert work.made == made


def test_a_run_that_dies_after_the_training_needs_it_no_more_and_logs_it_once(
    tmp_path: Path, store: Path
) -> None:
    work = Work(tmp_path / "1", store, 1.0)
    with pytest.raises(Stop):
        work.do(die_after=True)
    for file in (store / OF.id).iterdir():
        file.write_bytes(b"")
    assert (work.do(), left(work.folder)) == alone(tmp_path, 1.0)
    assert work.made == STEPS


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("name", ["checkpoint.pt", METRICS])
@pytest.mark.parametrize(
    "damage", [_flip, lambda file: file.write_bytes(b""), Path.unlink], ids=["bit", "empty", "gone"]
)
def test_what_is_damaged_is_trained_anew_and_said(
    tmp_path: Path, store: Path, name: str, damage: Callable[[Path], object]
) -> None:
    Work(tmp_path / "1", store, 1.0).do()
    damage(store / OF.id / name)
    second, third = (Work(tmp_path / f"{factor}", store, factor) for factor in (2.0, 3.0))
    for work, made in ((second, STEPS), (third, 0)):
        assert (work.do(), left(work.folder)) == alone(tmp_path, work.factor)
        assert work.made == made
    assert any("anew" in note for note in second.progress.notes)
    assert finished(store / OF.id)


def test_a_run_waits_for_the_one_that_trains(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = only_writer(store / OF.id / ".lock", "training", OF.id)
    other.__enter__()
    waited = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            other.__exit__(None, None, None)

    monkeypatch.setattr("mho.experiments.sharing.time.sleep", sleep)
    work = Work(tmp_path / "1", store, 1.0)
    assert (work.do(), left(work.folder)) == alone(tmp_path, 1.0)
    assert len(waited) == 3
    assert len([note for note in work.progress.notes if "waiting" in note]) == 1


def test_who_waits_can_be_interrupted_and_loses_nothing(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import signal

    def sleep(_seconds: float) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("mho.experiments.sharing.time.sleep", sleep)
    work = Work(tmp_path / "1", store, 1.0)
    with only_writer(store / OF.id / ".lock", "training", OF.id), suppress(KeyboardInterrupt):
        work.do()
    assert list(json.loads(read_archive(work.folder / "checkpoint.pt")["outcomes"])) == ["first"]
    assert (work.do(), left(work.folder)) == alone(tmp_path, 1.0)


def test_whoever_fails_in_a_training_leaves_it_to_others(tmp_path: Path, store: Path) -> None:
    first = Work(tmp_path / "1", store, 1.0)
    with pytest.raises(Stop) as held:  # with its traceback, which holds the frames
        first.do(die_at=5)
    second = Work(tmp_path / "2", store, 2.0)
    assert (second.do(), left(second.folder)) == alone(tmp_path, 2.0)
    assert held
