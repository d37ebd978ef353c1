"""Several processes train one network on arrays: all have the same chips, and write the same."""

from typing import Any

import pytest
import torch
from torch import nn

import mho
from builders.in_two import in_two
from builders.two_processes import SETTINGS, STEPS, converted, everything, work


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What each of two processes found."""
    return in_two(work, tmp_path_factory.mktemp("processes"))


TRAININGS = ["plain, alike", *(f"{s}, each its own" for s in SETTINGS), "two chips"]


@pytest.mark.parametrize("training", TRAININGS)
def test_all_processes_have_the_arrays_of_the_first(found: list[Any], training: str) -> None:
    for each in found:
        assert each[training]["same"] == [True] * STEPS
        assert each[training]["outputs"]
        assert each[training]["written"] == found[0][training]["written"] > 0


def test_one_process_trains_alone(found: list[Any]) -> None:
    assert all(each["alone"]["written"] > 0 for each in found)
    assert found[0]["alone"]["same"] == [False] * STEPS  # each on batches of its own


def test_the_gradient_is_that_of_all_batches(found: list[Any]) -> None:
    assert found[0]["plain, alike"]["off"] < 1e-6


def test_other_hardware_in_another_process_is_refused_by_all(found: list[Any]) -> None:
    for each in found:
        assert "hardware, shape or number of chips of" in each["other hardware"]
        assert "in process 1 = 'others than in process 0'" in each["other hardware"]


def test_weights_in_parts_are_refused(found: list[Any]) -> None:
    for each in found:
        for said in each["sharded"].split("\n"):
            assert "fully_shard" in said
            assert "torch.nn.parallel.DistributedDataParallel(net)" in said


KNOWN = {
    *(torch.float32, torch.float64, torch.int8, torch.uint8, torch.int32, torch.int64, torch.bool),
}
"""Types of numbers that gloo and nccl both send."""


@pytest.mark.parametrize("setting", SETTINGS)
def test_all_buffers_are_of_types_that_collectives_know(setting: str) -> None:
    net = mho.convert(
        nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), mho.nn.Gate(5), nn.Linear(5, 3)),
        {"0": mho.Hardware(**SETTINGS[setting]), "*": None},
        chips=2,
    )
    mho.calibrate(net, torch.randn(40, 6))
    mho.refit(net, torch.randn(40, 6), torch.randint(3, (40,)))
    mho.refresh_batchnorm(net, torch.randn(40, 6))
    kinds = {name: each.dtype for name, each in net.named_buffers() if each.dtype not in KNOWN}
    assert not kinds


def test_states_of_short_levels_load() -> None:
    net, twin = converted("giving up", 1), converted("giving up", 2)
    short = {
        name: each.to(torch.int16) if name.endswith((".level", ".misses")) else each
        for name, each in net.state_dict().items()
    }
    assert sum(each.dtype == torch.int16 for each in short.values()) == 6
    for assign in (False, True):
        twin.load_state_dict(short, assign=assign)
        assert {each.dtype for each in twin.buffers()} <= KNOWN
        assert everything(twin) == everything(net)
