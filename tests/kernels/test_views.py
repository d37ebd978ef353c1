"""Views follow their tensors wherever their memory goes."""

import copy
import pickle

import pytest
import torch

from mho.kernels.views import Views


def test_views_share_the_memory_and_are_made_once() -> None:
    table = {"a": torch.zeros(3), "b": torch.ones(2, 2)}
    views = Views(["b", "a"])
    first = views(table)
    first[1][0] = 5.0
    assert table["a"].tolist() == [5.0, 0.0, 0.0]
    assert all(one is two for one, two in zip(first, views(table), strict=True))


def test_a_tensor_that_moves_gets_another_view() -> None:
    table = {"a": torch.zeros(3)}
    views = Views(["a"])
    views(table)
    table["a"].share_memory_()  # the same tensor elsewhere
    views(table)[0][1] = 7.0
    assert table["a"].tolist() == [0.0, 7.0, 0.0]
    table["a"] = torch.ones(3)
    assert views(table)[0].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "other", [torch.zeros(3).double(), torch.zeros(3, 2).T, torch.zeros(3, device="meta")]
)
def test_there_are_none_where_kernels_cannot_work(other: torch.Tensor) -> None:
    table = {"a": torch.zeros(3), "count": torch.zeros(3, dtype=torch.int16)}
    views = Views(["a", "count"])
    assert views(table) is not None
    table["a"] = other
    assert views(table) is None
    table["a"] = torch.zeros(3)
    assert views(table) is not None
    seen = []
    torch.func.vmap(lambda x: (seen.append(views(table)), x)[1])(torch.zeros(2))
    assert seen == [None]


def test_a_copy_looks_at_its_own_tensors() -> None:
    table = {"a": torch.zeros(3)}
    views = Views(["a"])
    views(table)
    for twin in (copy.deepcopy(views), pickle.loads(pickle.dumps(views))):
        other = {"a": torch.ones(3)}
        twin(other)[0][:] = 2.0
        assert other["a"].tolist() == [2.0, 2.0, 2.0]
    assert table["a"].tolist() == [0.0, 0.0, 0.0]
