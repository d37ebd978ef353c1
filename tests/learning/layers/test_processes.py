"""Several processes train one network on arrays: all have the same chips, and write the same."""

from typing import Any

import pytest
import torch
from torch.multiprocessing.spawn import spawn

from builders.two_processes import SETTINGS, STEPS, work


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What each of two processes found."""
    folder = tmp_path_factory.mktemp("processes")
    spawn(work, (folder,), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


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
