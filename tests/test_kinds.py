"""Values are taken as their annotations ask for them, or refused by name."""

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

import mho
from mho.kinds import Range, taken

HARDWARE = mho.Hardware(device=mho.devices.get("hfo2-1t1r"))


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (2.0, int, 2),
        (np.int32(2), int, 2),
        (np.float32(0.5), float, 0.5),
        (3, float, 3.0),
        (Fraction(1, 4), float, 0.25),
        (np.str_("a"), str, "a"),
        (2, tuple[int, int], (2, 2)),
        (iter([1, 2]), Sequence[int], (1, 2)),
        (math.inf, float, math.inf),
        (np.bool_(True), bool, True),
        ("a.csv", Path, Path("a.csv")),
        (None, int | None, None),
        ("b", Literal["a", "b"] | int, "b"),
        ([1, 2.0], tuple[int, int] | int, (1, 2)),
        (np.array([1, 2]), Sequence[int], (1, 2)),
        (2, Annotated[int, Range(least=1)], 2),
        (HARDWARE, mho.Hardware, HARDWARE),
        (len, Callable[..., int], len),
        ("anything", Any, "anything"),
    ],
)
def test_what_plainly_means_it_is_taken(value: Any, hint: Any, expected: Any) -> None:
    found = taken("x", value, hint)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "hint", "message"),
    [
        (True, int, "x = True: expected a whole number"),
        (2.5, int | None, "x = 2.5: expected a whole number or None"),
        (math.nan, int, "x = nan: expected a whole number"),
        ("2", float, "x = '2': expected a number"),
        (1, bool, "x = 1: expected True or False"),
        (0, Annotated[int, Range(least=1)], r"x = 0: expected a whole number in \[1, inf\)"),
        ("c", Literal["a", "b"], "x = 'c': expected 'a' or 'b'"),
        (
            [1, 2, 3],
            tuple[int, int],
            r"x = \[1, 2, 3\]: expected one number for both, or a list of",
        ),
        ([1, "2"], Sequence[int], r"x\[1\] = '2': expected a whole number"),
        ("12", Sequence[int], "x = '12': expected a list, each a whole number"),
        (mho.Hardware, mho.Hardware, "x = the class Hardware: expected a mho.Hardware, such"),
        (HARDWARE.device, mho.Hardware, "x = a MultiLevel: expected a mho.Hardware, such as"),
        (len, nn.Module, "x = a builtin_function_or_method: expected a torch network"),
        (
            torch.ones(3),
            Float[Tensor, "a b"],
            r"x = a float32 tensor \(3,\): expected a tensor \(a, b\)",
        ),
        (3, Callable[..., int], "x = 3: expected a function"),
    ],
)
def test_what_is_of_another_kind_is_refused(value: Any, hint: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        taken("x", value, hint)


def test_a_tensor_that_learns_stays_itself() -> None:
    x = torch.ones((), requires_grad=True)
    assert taken("x", x, float | Tensor) is x
    array = np.ones((2, 3), np.float32)
    assert torch.equal(taken("x", array, Tensor), torch.ones(2, 3))


def test_whole_numbers_are_taken_for_those_of_another_width() -> None:
    found = taken("x", torch.arange(3, dtype=torch.int32), Int64[Tensor, " n"])
    assert found.dtype == torch.int64
    with pytest.raises(ValueError, match=r"expected a tensor \(n,\) of whole numbers"):
        taken("x", torch.ones(3), Int64[Tensor, " n"])


@pytest.mark.parametrize(
    "value",
    [
        torch.ones(2, dtype=torch.complex64),
        torch.eye(2).to_sparse(),
        np.array(["a"]),
        np.array([None]),
        [1.0, 2.0],
    ],
)
def test_a_tensor_is_one_of_numbers(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^x = .*: expected a tensor$"):
        taken("x", value, Tensor)


def test_arrays_of_other_machines_and_read_only_ones_are_taken() -> None:
    array = np.arange(3, dtype=">f4")
    array.flags.writeable = False
    assert torch.equal(taken("x", array, Tensor), torch.arange(3.0))


def test_a_function_has_as_many_arguments_as_it_will_be_given() -> None:
    select = Callable[[str, nn.Module], bool]
    assert taken("x", lambda name, layer: True, select)
    for wrong in (lambda: True, nn.Linear, nn.ReLU(), "f"):
        with pytest.raises(ValueError, match=r"^x = .*: expected a function"):
            taken("x", wrong, select)


def test_batches_are_no_text() -> None:
    for wrong in ("mnist", b"mnist", {"x": 1}, torch.ones(2), nn.Sequential(), 3):
        with pytest.raises(ValueError, match=r"^x = .*: expected batches: a data loader"):
            taken("x", wrong, Iterable[Any])
    batches = [torch.ones(2)]
    assert taken("x", batches, Iterable[Any]) is batches
