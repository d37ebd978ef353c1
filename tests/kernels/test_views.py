"""Views follow their tensors wherever their memory goes."""

import copy
import pickle
import sys
from types import FrameType

import numpy as np
import pytest
import torch

from mho.kernels.compiled import exclusive
from mho.kernels.views import Views


def test_views_share_the_memory_and_are_made_once() -> None:
    a, b = torch.zeros(3), torch.ones(2, 2, requires_grad=True)
    views = Views()
    first = views.of([b, a], list)
    first[1][0] = 5.0
    assert a.tolist() == [5.0, 0.0, 0.0]
    assert views.of([b, a], list) is first


def test_a_tensor_that_moves_gets_another_view() -> None:
    a, views = torch.zeros(3), Views()
    first = views.of([a], list)
    a.share_memory_()  # the same tensor elsewhere
    assert views.of([a], list) is not first
    views.of([a], list)[0][1] = 7.0
    assert a.tolist() == [0.0, 7.0, 0.0]
    assert views.of([torch.ones(3)], list)[0].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "other", [torch.zeros(3).double(), torch.zeros(3, 2).T, torch.zeros(3, device="meta")]
)
def test_there_are_none_where_kernels_cannot_work(other: torch.Tensor) -> None:
    a, count = torch.zeros(3), torch.zeros(3, dtype=torch.int16)
    views = Views()
    assert views.of([a, count], list) is not None
    assert views.of([other, count], list) is None
    assert views.of([a, count], list) is not None
    seen = []
    torch.func.vmap(lambda x: (seen.append(views.of([a, count], list)), x)[1])(torch.zeros(2))
    assert seen == [None]


def test_a_copy_looks_at_its_own_tensors() -> None:
    a, views = torch.zeros(3), Views()
    views.of([a], list)
    for twin in (copy.deepcopy(views), pickle.loads(pickle.dumps(views))):
        other = torch.ones(3)
        twin.of([other], list)[0][:] = 2.0
        assert other.tolist() == [2.0, 2.0, 2.0]
    assert a.tolist() == [0.0, 0.0, 0.0]


@exclusive
def fill(out: np.ndarray) -> int:
    out[:] = 1.0
    return out.size


def test_a_kernel_runs_where_the_tensors_are_at_last() -> None:
    a, views, looks = torch.zeros(3), Views(), []

    def arguments(record: list) -> tuple[object, ...]:
        if not looks:
            a.share_memory_()  # as another thread may, after the first look
        looks.append(record)
        return (record[0],)

    assert views.of([a], list) is not None
    assert views.run([a], list, fill, arguments) == 3
    assert a.tolist() == [1.0, 1.0, 1.0]
    assert len(looks) == 2


def test_nothing_runs_between_the_last_look_and_a_kernel() -> None:
    a, views, seen = torch.zeros(3), Views(), []
    for _ in range(2):
        views.run([a], list, fill, tuple)

    def profile(frame: FrameType, event: str, _function: object) -> None:
        seen.append((event, frame.f_code.co_name))

    sys.setprofile(profile)
    views.run([a], list, fill, tuple)
    sys.setprofile(None)
    # nothing of Python's own; before Python 3.13 numba reports the kernel itself
    made_ready = seen.index(("return", "ready"))
    after = [each for each in seen[made_ready + 1 :] if each[1] != "fill"]
    assert after[0] == ("return", "run")


def test_no_kernel_runs_on_tensors_that_it_cannot_work_on() -> None:
    with pytest.raises(RuntimeError, match="where kernels cannot work"):
        Views().run([torch.zeros(3).double()], list, fill, tuple)
