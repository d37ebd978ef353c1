"""A run survives what can happen to it, and ends with the numbers of an unbroken run."""

import json
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from mho.experiments import run as run_module
from mho.experiments.run import CHECKPOINT_KEYS, Run
from mho.results import Result, load

RESULT = Result(experiment="x", seed=0, title="t", claims=[])


class Stop(Exception):
    """Stands for whatever ends a process."""


def training(run: Run, die_at: int | None = None) -> list[float]:
    """A small training that logs, with two pieces of work."""

    def work(seed: int) -> list[float]:
        torch.manual_seed(seed)
        net = nn.Linear(3, 1)
        optimizer = torch.optim.Adam(net.parameters(), 0.1)
        for step in run.steps("train", 20, {"net": net, "optimizer": optimizer}):
            if step == die_at and seed == 1:
                raise Stop
            x = torch.randn(4, 3, generator=torch.Generator().manual_seed(step))
            optimizer.zero_grad()
            net(x).square().mean().backward()
            optimizer.step()
            run.log(step=step, weight=net.weight[0, 0].item())
        return net.weight.flatten().tolist()

    first = run.once("first", lambda: work(0))
    return first + run.once("second", lambda: work(1))


def make(path: Path, resume: bool = False, config: str = 'a = "b"\n') -> Run:
    """A run without a terminal."""
    return Run(path, config, resume=resume, title="test")


def test_a_broken_run_resumes_to_the_result_of_an_unbroken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make(tmp_path / "whole")
    expected = training(whole)
    whole.close()

    monkeypatch.setattr(run_module, "SAVE_EVERY", 0.0)
    broken = make(tmp_path / "broken")
    with pytest.raises(Stop):
        training(broken, die_at=7)
    broken.log(never="seen after the checkpoint")
    broken.close()
    again = make(tmp_path / "broken", resume=True)
    assert training(again) == expected
    again.finish(RESULT)
    again.close()

    lines = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "broken")]
    assert lines[0] == lines[1]
    read = load(Result, tmp_path / "broken/result.json")
    assert read.wall_s is not None
    assert replace(read, wall_s=None) == RESULT


def test_without_a_save_in_between_only_the_step_since_the_last_one_is_lost(tmp_path: Path) -> None:
    broken = make(tmp_path / "r")
    with pytest.raises(Stop):
        training(broken, die_at=7)
    broken.close()
    state = torch.load(tmp_path / "r/checkpoint.pt", weights_only=True)
    assert list(json.loads(state["outcomes"])) == ["first"]
    assert state["stages"] == {}


def test_the_checkpoint_is_public_and_loads_without_pickle(tmp_path: Path) -> None:
    run = make(tmp_path / "r")
    training(run)
    run.close()
    state = torch.load(tmp_path / "r/checkpoint.pt", weights_only=True)
    assert tuple(state) == CHECKPOINT_KEYS
    assert CHECKPOINT_KEYS == (
        "format",
        "config",
        "outcomes",
        "stages",
        "metrics_bytes",
        "elapsed",
    )
    assert state["stages"] == {}, "stages of finished work are dropped"


def test_ctrl_c_stops_at_the_next_step_with_a_checkpoint(tmp_path: Path) -> None:
    run = make(tmp_path / "r")
    seen = []

    def work() -> None:
        for step in run.steps("train", 100, {"net": nn.Linear(2, 2)}):
            seen.append(step)
            if step == 3:
                signal.raise_signal(signal.SIGINT)

    with run.interruptible(), pytest.raises(KeyboardInterrupt):
        work()
    run.close()
    assert seen == [0, 1, 2, 3]
    state = torch.load(tmp_path / "r/checkpoint.pt", weights_only=True)
    assert state["stages"]["train"]["step"] == 4


def test_a_second_ctrl_c_stops_at_once(tmp_path: Path) -> None:
    run = make(tmp_path / "r")
    reached = []

    def work() -> None:
        signal.raise_signal(signal.SIGINT)
        reached.append("first")
        signal.raise_signal(signal.SIGINT)
        time.sleep(5)
        reached.append("second")

    with run.interruptible(), pytest.raises(KeyboardInterrupt):
        work()
    run.close()
    assert reached == ["first"]


def test_a_folder_in_use_is_refused_unless_resumed(tmp_path: Path) -> None:
    make(tmp_path / "r").close()
    with pytest.raises(ValueError, match=r"out = .*--resume"):
        make(tmp_path / "r")
    with pytest.raises(ValueError, match="configuration that the run began with"):
        make(tmp_path / "r", resume=True, config='a = "c"\n')
    make(tmp_path / "r", resume=True).close()


def test_many_pieces_are_done_once_each_under_one_bar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mho.experiments.progress.LINE_EVERY", 0.0)
    pieces = {f"piece {k}": k for k in range(4)}
    seen: list[int] = []

    def work(k: int) -> float:
        if k == 2 and len(seen) == 2:
            raise Stop
        seen.append(k)
        return k + sum(run.steps("inner", 3, {}))

    run = make(tmp_path / "r")
    with pytest.raises(Stop):
        run.each("many", pieces, work)
    run.close()
    seen += [-1]
    run = make(tmp_path / "r", resume=True)
    capsys.readouterr()
    assert run.each("many", pieces, work) == {f"piece {k}": k + 3 for k in range(4)}
    run.close()
    assert seen == [0, 1, -1, 2, 3]
    said = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in said] == ["[test] many 3/4", "[test] many 4/4"]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("truncate", "its end is missing"),
        ("flip", "it was not written by torch.save"),
        ("pickle", "it is damaged, or holds more than tensors and plain values"),
        ("list", "its layout is not version 1"),
        ("format", "its layout is not version 1"),
    ],
)
def test_a_damaged_checkpoint_is_refused_and_left_alone(
    tmp_path: Path, damage: str, said: str
) -> None:
    run = make(tmp_path / "r")
    training(run)
    run.close()
    path = tmp_path / "r/checkpoint.pt"
    if damage == "truncate":
        path.write_bytes(path.read_bytes()[:-50])
    elif damage == "flip":
        path.write_bytes(b"\0" * 100 + path.read_bytes()[100:])
    elif damage == "pickle":
        torch.save({"run": nn.Linear(1, 1)}, path)
    elif damage == "list":
        torch.save(list(CHECKPOINT_KEYS), path)
    else:
        torch.save(torch.load(path, weights_only=True) | {"format": 0}, path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="checkpoint = ") as refusal:
        make(tmp_path / "r", resume=True)
    allowed = f"a checkpoint of this version ({said}); delete the folder to start anew"
    assert str(refusal.value) == f"checkpoint = {str(path)!r}: allowed is {allowed}"
    assert path.read_bytes() == before


def test_replacing_leaves_the_old_file_if_writing_fails(tmp_path: Path) -> None:
    target = tmp_path / "x"
    run_module.write_text(target, "old")

    def work() -> None:
        with run_module.replacing(target) as temporary:
            temporary.write_text("half")
            raise Stop

    with pytest.raises(Stop):
        work()
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
