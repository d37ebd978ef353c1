"""Refusals: one sentence with the field, the value and what is allowed, or the nearest name."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from mho.errors import NotConverged, invalid, shown, unknown


def test_a_value_outside_its_range_names_all_three() -> None:
    error = invalid("A.b", -1.0, "[0, inf)")
    assert isinstance(error, ValueError)
    assert str(error) == "A.b = -1.0: allowed is [0, inf)"


def test_the_nearest_name_is_suggested_where_one_is_near() -> None:
    assert str(unknown("task", "mnits", ["mnist", "cifar"])) == (
        "unknown task 'mnits': did you mean 'mnist'? known are cifar, mnist"
    )
    assert str(unknown("task", "zzz", ["mnist"])) == "unknown task 'zzz': known are mnist"


def test_what_did_not_converge_says_how_far_it_came() -> None:
    error = NotConverged(residual=1e-3, tolerance=1e-9, failed=2, samples=5, iterations=30)
    assert (error.residual, error.tolerance) == (1e-3, 1e-9)
    assert (error.failed, error.samples, error.iterations) == (2, 5, 30)
    assert "residual 0.001, tolerance 1e-09, in 2 of 5 samples after 30 iterations" in str(error)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-1.0, "-1.0"),
        ("two\nlines", r"'two\nlines'"),
        ("m" * 5000, f"'{'m' * 200}'... (5000 characters)"),
        (10**5000, "a whole number of 16610 bits"),
        (-(10**30), "-a whole number of 100 bits"),
        (np.float64(0.5), "0.5"),
        (np.float32(0.5), "0.5"),
        ((1, 2), "(1, 2)"),
        ([], "[]"),
        ([torch.ones(3)], "a list of 1"),
        ({"a": [1]}, "{'a': [1]}"),
        (list(range(500)), "a list of 500"),
        (Path("a.csv"), "'a.csv'"),
        (int, "the class int"),
        (math, "the module math"),
        (object(), "an object"),
        (torch.ones(3, 2), "a float32 tensor (3, 2)"),
        (np.ones(3), "a float64 array (3,)"),
        (print, "a builtin_function_or_method"),
    ],
    ids=itertools.count(),
)
def test_a_value_is_shown_in_one_line(value: object, text: str) -> None:
    assert shown(value) == text


def test_a_value_that_holds_itself_is_shown() -> None:
    value: list[object] = [1]
    value.append(value)
    assert shown(value) == "a list of 2"
