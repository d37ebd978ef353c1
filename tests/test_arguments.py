"""Arguments are taken by their annotations, or refused by name."""

import numpy as np
import pytest

import mho
from mho.arguments import checked


def test_a_function_is_called_with_what_was_taken() -> None:
    @checked
    def add(a: int, *others: int, b: float = 1.0) -> tuple:
        return a, others, b

    assert add(2.0, 3.0, 4, b=np.float64(2)) == (2, (3, 4), 2.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="others = 'x': expected a whole number"):
        add(1, 2, "x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"add\(\) missing 1 required positional argument: 'a'"):
        add()  # type: ignore[call-arg]


def test_an_argument_of_a_class_is_named_with_it() -> None:
    with pytest.raises(ValueError, match=r"^Every\.steps = 'often': expected a whole number$"):
        mho.rules.Every("often")  # type: ignore[arg-type]
