"""Several processes do one run: the run of one process, but for the rounding of sums."""

import json
import signal
import socket
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch.multiprocessing.spawn import spawn

from builders.one_run_of_two import RUNS, broken_off, done, gradients, work
from builders.resuming import kept, leaves, stages
from builders.under_torchrun import Break, torchrun
from mho.experiments.processes import (
    ALONE,
    Processes,
    any_of,
    by_first,
    here,
    joined,
    of_first,
    started,
)
from mho.experiments.siamese import SiameseConfig


class Found(NamedTuple):
    """What was found in one process, and in each of two."""

    folder: Path
    one: dict[str, Any]
    two: list[dict[str, Any]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    folder = tmp_path_factory.mktemp("processes")
    one = folder / "one"
    outcomes = {name: done(one, name, run) for name, run in RUNS.items()}
    assert (
        broken_off(one, "left to two", RUNS["path importance with gates"], 9) == "KeyboardInterrupt"
    )
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    spawn(work, (folder, port), nprocs=2)
    two = [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]
    return Found(folder, outcomes, two)


# ------------------------------------------------------------------ one run

ROUNDED = 1e-4
"""Largest difference of a number of a state from that of one process, as a share of the largest
number beside it."""
AMPLIFIED = {"binarized at random": 1e-2}
"""The same where Adam divides gradients by their size and a step is as long for the smallest."""


@pytest.mark.parametrize("name", RUNS)
def test_all_that_is_kept_is_that_of_one_process(found: Found, name: str) -> None:
    one, two = (dict(leaves(stages(found.folder / side / name))) for side in ("one", "two"))
    check_close(one, two, AMPLIFIED.get(name, ROUNDED))


@pytest.mark.parametrize("name", RUNS)
def test_outcomes_are_those_of_one_process(found: Found, name: str) -> None:
    for each in found.two:
        check_close(dict(leaves(found.one[name])), dict(leaves(each["outcomes"][name])), ROUNDED)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_statistics_ranges_and_counts(found: Found, dtype: torch.dtype) -> None:
    one, bound = dict(leaves(gradients(dtype))), 1e-12 if dtype == torch.float64 else 2e-6
    for each in found.two:
        check_close(one, dict(leaves(each["gradients"][str(dtype)])), bound)


def test_one_process_writes_and_logs(found: Found) -> None:
    for name in ("falling threshold", "path importance with gates"):
        one, two = (found.folder / side / name for side in ("one", "two"))
        assert sorted(p.name for p in one.iterdir()) == sorted(p.name for p in two.iterdir())
        lines = [(f / "metrics.jsonl").read_text().count("\n") for f in (one, two)]
        assert lines[0] == lines[1] > 0


# ------------------------------------------------------------------ broken off


def test_all_stop_where_one_is_told_to_and_go_on_to_the_same_end(found: Found) -> None:
    for each in found.two:
        assert each["ended"] == ["KeyboardInterrupt"] * 2
        assert each["went on"][0] == each["outcomes"]["falling threshold"]
    assert kept(found.folder / "two" / "stopped") == kept(
        found.folder / "two" / "falling threshold"
    )


def test_two_go_on_from_one_and_one_from_two(found: Found) -> None:
    work = RUNS["path importance with gates"]
    one, two = found.folder / "one", found.folder / "two"
    done(two, "left to one", work, resume=True)
    whole = dict(leaves(stages(one / "path importance with gates")))
    for folder in (one / "left to two", two / "left to one"):
        check_close(whole, dict(leaves(stages(folder))), ROUNDED)


def test_a_failure_ends_all(found: Found) -> None:
    first, second = found.two
    assert first["refused"] == "InvalidInput: this cannot work"
    assert "a new folder, or --resume" in first["begun"]
    assert second["refused"] == second["begun"] == "SystemExit: 2"  # the first one has said why
    assert "another process of this run has ended" in first["left alone"]
    for each in found.two:
        assert "process 1 has other numbers than process 0" in each["apart"]


# ------------------------------------------------------------------ the command


def test_the_command_does_one_run(found: Found) -> None:
    for each in found.two:
        assert each["command"] == {"wrong": 2, "right": 0}
    assert "SiameseConfig.hidden" in found.two[0]["said"]
    assert not found.two[1]["said"]
    result, environment = (
        json.loads((found.folder / "command" / name).read_text())
        for name in ("result.json", "env.json")
    )
    assert result["processes"] == environment["processes"] == 2


def test_torchrun_starts_all_again_to_the_result_of_an_unbroken_run(found: Found) -> None:
    folder = found.folder / "broken"
    breaks = [Break(1, 3, "SIGKILL", "itself"), Break(0, 5, "SIGKILL", "torchrun")]
    assert torchrun(folder, breaks, restarts=1) == -signal.SIGKILL
    assert (folder / "broken 1").exists()
    assert torchrun(folder, breaks) == 0, (folder / "said").read_text()
    whole = found.folder / "command"
    for name in ("metrics.jsonl", "config.toml"):
        assert (folder / "run" / name).read_text() == (whole / name).read_text()
    results = [json.loads((f / "result.json").read_text()) for f in (folder / "run", whole)]
    assert results[0] | {"wall_s": 0} == results[1] | {"wall_s": 0}


def test_a_chip_on_an_instrument_is_asked_by_one_process() -> None:
    config = SiameseConfig().on_instrument("localhost:6047")
    config.check_processes(1)
    with pytest.raises(ValueError, match="processes = 2: expected 1 where the chip"):
        config.check_processes(2)


# ------------------------------------------------------------------ which process


def test_alone_nothing_is_shared() -> None:
    with joined() as this:
        assert this is here() is started() is ALONE
    assert by_first(lambda: 3) == of_first(3) == 3
    assert any_of(True, False) == [True, False]


@pytest.mark.parametrize("count", [2, 3, 7])
def test_parts_are_even_and_cover_a_batch(count: int) -> None:
    for total in (count, count + 1, 64, 65):
        parts = [Processes(rank, count).part(total) for rank in range(count)]
        assert [p.first for p in parts] == [sum(q.count for q in parts[:k]) for k in range(count)]
        assert sum(p.count for p in parts) == total == parts[0].total
        sizes = {p.count for p in parts}
        assert max(sizes) - min(sizes) <= 1
        assert max(sizes) == Processes(0, count).most(total)


def test_each_process_has_a_cuda_device_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    this = Processes(rank=3, count=4, local=1, on_machine=2)
    assert this.device(torch.device("cuda")) == torch.device("cuda", 1)
    assert this.device(torch.device("cpu")) == torch.device("cpu")
    assert ALONE.device(torch.device("cuda", 1)) == torch.device("cuda", 1)
    with pytest.raises(ValueError, match="'cuda', 'auto' or 'cpu' with 2 processes"):
        this.device(torch.device("cuda", 1))
    with pytest.raises(ValueError, match="at most 2, the CUDA devices"):
        Processes(0, 3, 0, 3).device(torch.device("cuda"))


def check_close(one: dict[str, Any], two: dict[str, Any], bound: float) -> None:
    """Hold leaves against each other: what is no float is the same."""
    assert one.keys() == two.keys()
    for path, a in one.items():
        b = two[path]
        if isinstance(a, torch.Tensor) and a.is_floating_point():
            size = a.abs().max().item() if a.numel() else 0.0
            torch.testing.assert_close(b, a, rtol=0, atol=bound * size, equal_nan=True, msg=path)
        elif isinstance(a, torch.Tensor):
            assert torch.equal(a, b), path
        else:
            assert a == (pytest.approx(b, rel=bound) if isinstance(a, float) else b), path
