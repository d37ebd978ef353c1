"""A run survives what can happen to it, and ends with the numbers of an unbroken run."""

import contextlib
import itertools
import json
import re
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from mho.experiments import checkpoint
from mho.experiments import run as run_module
from mho.experiments.run import Run
from mho.files import Taken, check_sums, lock
from mho.files.archive import read_archive, write_archive
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
    assert tuple(state) == checkpoint.KEYS
    assert checkpoint.KEYS == (
        "format", "config", "outcomes", "stages", "metrics_bytes", "metrics_digest", "elapsed",
    )  # fmt: skip
    assert state["stages"] == {}, "stages of finished work are dropped"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_at_the_next_step_with_a_checkpoint(tmp_path: Path, how: int) -> None:
    run = make(tmp_path / "r")
    seen = []

    def work() -> None:
        for step in run.steps("train", 100, {"net": nn.Linear(2, 2)}):
            seen.append(step)
            if step == 3:
                signal.raise_signal(how)

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
    with pytest.raises(ValueError, match="other settings: a is 'c', was 'b'"):
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
    assert [line.split(",")[0] for line in said] == ["[test] many", "[test] many"]
    assert [line.split(", ")[1] for line in said] == ["3 of 4", "4 of 4"]


def trained(folder: Path, monkeypatch: pytest.MonkeyPatch, die_at: int = 7) -> None:
    """A run that was broken off, saved after each step."""
    monkeypatch.setattr(run_module, "SAVE_EVERY", 0.0)
    run = make(folder)
    with pytest.raises(Stop):
        training(run, die_at=die_at)
    run.close()


def change(folder: Path, **changes: object) -> None:
    """Write the checkpoint, and the one before it, with other content."""
    for name in (checkpoint.NAME, checkpoint.PREVIOUS):
        write_archive(folder / name, read_archive(folder / name) | changes)


DAMAGE = {
    "truncate": (lambda whole: whole[:-50], "it is damaged|its end is missing"),
    "start": (lambda whole: b"\0" * 100 + whole[100:], r"it was not written by torch\.save"),
    "flip": (lambda whole: whole[:500] + bytes([whole[500] ^ 1]) + whole[501:], "damaged: its dig"),
    "empty": (lambda _whole: b"", "it is empty"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_of_a_damaged_checkpoint_the_one_before_goes_on(
    tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = make(tmp_path / "whole")
    expected = training(whole)
    whole.close()
    trained(tmp_path / "r", monkeypatch)
    path = tmp_path / "r" / checkpoint.NAME
    harm, said = DAMAGE[damage]
    path.write_bytes(harm(path.read_bytes()))
    run = make(tmp_path / "r", resume=True)
    assert re.search(f"{said}.*going on from checkpoint.previous.pt", capsys.readouterr().err)
    assert training(run) == expected
    run.close()
    lines = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("whole", "r")]
    assert lines[0] == lines[1]


@pytest.mark.parametrize("damage", DAMAGE)
def test_where_none_is_whole_that_is_said_and_all_left_alone(
    tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(tmp_path / "r", monkeypatch)
    harm, said = DAMAGE[damage]
    paths = [tmp_path / "r" / name for name in (checkpoint.NAME, checkpoint.PREVIOUS)]
    for path in paths:
        path.write_bytes(harm(path.read_bytes()))
    before = [path.read_bytes() for path in paths]
    with pytest.raises(ValueError, match=said) as refusal:
        make(tmp_path / "r", resume=True)
    assert str(refusal.value).startswith(f"checkpoint = {str(paths[0])!r}: expected a checkpoint")
    assert str(refusal.value).endswith("delete the folder to start anew")
    assert [path.read_bytes() for path in paths] == before


NET = {"weight": torch.zeros(1, 3), "bias": torch.zeros(1)}
STAGE = "second/train"
WRONG: dict[str, tuple[dict[str, object], str]] = {
    "no key": ({"more": 1}, "its layout is not version 2"),
    "another version": ({"format": 7}, "its layout is not version 2"),
    "a list": ({"format": [1]}, "its layout is not version 2"),
    "a number for settings": ({"config": 3}, "its 'config' is a int"),
    "outcomes that are no JSON": ({"outcomes": "{"}, "its 'outcomes' are no table in JSON"),
    "outcomes too deep": ({"outcomes": "[" * 9000}, "its 'outcomes' are no table in JSON"),
    "a list of outcomes": ({"outcomes": "[1]"}, "its 'outcomes' are no table in JSON"),
    "a stage that is none": ({"stages": {"x": 3}}, "its stage 'x' is not"),
    "a stage without state": ({"stages": {"x": {"step": 3}}}, "its stage 'x' is not"),
    "part of a step": ({"stages": {"x": {"step": 0.5, "state": {}}}}, "its stage 'x' is not"),
    "steps below none": ({"stages": {"x": {"step": -1, "state": {}}}}, "its stage 'x' is not"),
    "time that is none": ({"elapsed": float("nan")}, "negative or not finite"),
    "bytes below none": ({"metrics_bytes": -1}, "negative or not finite"),
    "more metrics than there are": ({"metrics_bytes": 1 << 50}, "bytes of the"),
    "other metrics": ({"metrics_digest": "0" * 64}, "metrics.jsonl was changed since"),
    "an empty state": ({"stages": {STAGE: {"step": 3, "state": {}}}}, "lacks the state of 'net'"),
    "part of the state": (
        {"stages": {STAGE: {"step": 3, "state": {"net": NET}}}}, "lacks the state of 'optimizer'"
    ),
    "too many steps": ({"stages": {STAGE: {"step": 30, "state": {}}}}, "step = 30: .* at most 20"),
    "another state": (
        {"stages": {STAGE: {"step": 3, "state": {"net": {"w": 1}, "optimizer": {}}}}},
        "'net' does not take the state",
    ),
    "a state of another kind": (
        {"stages": {STAGE: {"step": 3, "state": {"net": NET, "optimizer": 3}}}},
        "'optimizer' does not take the state",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_whole_checkpoint_of_wrong_content_is_refused(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(tmp_path / "r", monkeypatch)
    changes, said = WRONG[what]
    change(tmp_path / "r", **changes)

    def work() -> None:
        run = make(tmp_path / "r", resume=True)
        with contextlib.closing(run):
            training(run)

    with pytest.raises(ValueError, match=said):
        work()


def test_metrics_that_are_gone_are_not_filled_with_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(tmp_path / "r", monkeypatch)
    metrics = tmp_path / "r" / "metrics.jsonl"
    whole = metrics.read_bytes()
    for content in (whole[:40], b"", None):
        if content is None:
            metrics.unlink()
        else:
            metrics.write_bytes(content)
        with pytest.raises(ValueError, match=r"metrics\.jsonl"):
            make(tmp_path / "r", resume=True)
    metrics.write_bytes(whole)
    make(tmp_path / "r", resume=True).close()


def test_a_checkpoint_of_before_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = make(tmp_path / "whole")
    expected = training(whole)
    whole.close()
    trained(tmp_path / "r", monkeypatch)
    path = tmp_path / "r" / checkpoint.NAME
    state = torch.load(path, weights_only=True) | {"format": 1}
    del state["metrics_digest"]
    torch.save(state, path)
    (tmp_path / "r" / checkpoint.PREVIOUS).unlink()
    run = make(tmp_path / "r", resume=True)
    assert training(run) == expected
    run.close()


def test_a_checkpoint_of_today_without_its_digest_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(tmp_path / "r", monkeypatch)
    for name in (checkpoint.NAME, checkpoint.PREVIOUS):
        path = tmp_path / "r" / name
        torch.save(torch.load(path, weights_only=True), path)
    with pytest.raises(ValueError, match="it carries no digest"):
        make(tmp_path / "r", resume=True)


def test_one_writes_a_folder_and_clears_what_killed_ones_left(tmp_path: Path) -> None:
    first = make(tmp_path / "r")
    with pytest.raises(ValueError, match="no other process is writing to"):
        make(tmp_path / "r", resume=True)
    first.close()
    (tmp_path / "r" / ".0123.tmp").touch()
    make(tmp_path / "r", resume=True).close()
    assert not (tmp_path / "r" / ".0123.tmp").exists()


def test_a_run_that_was_replaced_writes_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on two machines whose locks do not reach the other, one of which had slept."""
    names = (f"node {number}" for number in itertools.count())
    monkeypatch.setattr(lock, "machine", lambda: next(names))
    monkeypatch.setattr(lock, "_is_written", lambda *_: False)
    monkeypatch.setattr("filelock.FileLock.acquire", lambda _lock: None)
    monkeypatch.setattr("filelock.FileLock.release", lambda _lock: None)
    whole = make(tmp_path / "whole")
    expected = training(whole)
    whole.finish(RESULT)
    whole.close()
    slept = make(tmp_path / "r")
    for step in range(1000):
        slept.log(step=step, text="of no use to the other")
    last = make(tmp_path / "r", resume=True)
    found = training(last)
    with pytest.raises(Taken):
        slept.save()
    slept.close()
    last.finish(RESULT)
    with pytest.raises(Taken):
        slept.finish(RESULT)
    last.close()
    assert found == expected
    check_sums(tmp_path / "r", "result.json", "config.toml", "metrics.jsonl")
    for name in ("metrics.jsonl", "config.toml"):
        assert (tmp_path / "r" / name).read_text() == (tmp_path / "whole" / name).read_text()


def test_a_finished_run_carries_the_sums_of_its_files(tmp_path: Path) -> None:
    run = make(tmp_path / "r")
    training(run)
    run.finish(RESULT)
    run.close()
    check_sums(tmp_path / "r", "result.json", "config.toml", "metrics.jsonl")
    (tmp_path / "r" / "metrics.jsonl").write_text("{}")
    with pytest.raises(ValueError, match=r"metrics\.jsonl: its SHA-256"):
        check_sums(tmp_path / "r", "metrics.jsonl")


def test_a_folder_that_is_deleted_in_mid_run_is_named(tmp_path: Path) -> None:
    run = make(tmp_path / "r")

    def work() -> None:
        shutil.rmtree(tmp_path / "r")

    with pytest.raises(FileNotFoundError) as refusal:
        run.once("work", work)
    assert str(tmp_path / "r") in str(refusal.value.filename)
    run.close()
