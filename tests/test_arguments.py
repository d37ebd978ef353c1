"""Arguments are taken by their annotations, or refused by name."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

import mho
from mho.arguments import checked, taken
from mho.config import Range

HARDWARE = mho.Hardware(device=mho.devices.get("hfo2-1t1r"))


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (2.0, int, 2),
        (np.int32(2), int, 2),
        (np.float32(0.5), float, 0.5),
        (3, float, 3),
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
        (True, int, "x = True: allowed is a whole number"),
        (2.5, int | None, "x = 2.5: allowed is a whole number or None"),
        (math.nan, int, "x = nan: allowed is a whole number"),
        ("2", float, "x = '2': allowed is a number"),
        (1, bool, "x = 1: allowed is True or False"),
        (0, Annotated[int, Range(least=1)], r"x = 0: allowed is a finite number in \[1, inf\)"),
        ("c", Literal["a", "b"], "x = 'c': allowed is 'a' or 'b'"),
        ([1, 2, 3], tuple[int, int], r"x = \[1, 2, 3\]: allowed is a list"),
        ([1, "2"], Sequence[int], r"x\[1\] = '2': allowed is a whole number"),
        ("12", Sequence[int], "x = '12': allowed is a list, each a whole number"),
        (mho.Hardware, mho.Hardware, "x = 'the class Hardware': allowed is a mho.Hardware, such"),
        (HARDWARE.device, mho.Hardware, "x = 'MultiLevel': allowed is a mho.Hardware, such as"),
        (len, nn.Module, "x = 'builtin_function_or_method': allowed is a torch network"),
        (torch.ones(3), Float[Tensor, "a b"], r"x = 'Tensor \(3,\)': allowed is a tensor \(a, b\)"),
        (3, Callable[..., int], "x = 3: allowed is a function"),
    ],
)
def test_what_is_of_another_kind_is_refused(value: Any, hint: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        taken("x", value, hint)


def test_a_function_is_called_with_what_was_taken() -> None:
    @checked
    def add(a: int, *others: int, b: float = 1.0) -> tuple:
        return a, others, b

    assert add(2.0, 3.0, 4, b=np.float64(2)) == (2, (3, 4), 2.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="others = 'x': allowed is a whole number"):
        add(1, 2, "x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="missing a required argument: 'a'"):
        add()  # type: ignore[call-arg]


def test_a_tensor_that_learns_stays_itself() -> None:
    x = torch.ones((), requires_grad=True)
    assert taken("x", x, float | Tensor) is x
    array = np.ones((2, 3), np.float32)
    assert torch.equal(taken("x", array, Tensor), torch.ones(2, 3))


def test_an_argument_of_a_class_is_named_with_it() -> None:
    with pytest.raises(ValueError, match=r"^Every\.steps = 'often': allowed is a whole number$"):
        mho.rules.Every("often")  # type: ignore[arg-type]
