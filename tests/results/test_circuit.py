"""The state of an array: what is refused, read from JSON or made of tensors."""

import math
import re

import pytest
import torch

from builders.wired_array import wired_array
from mho.results import Circuit
from mho.results import read as read_record
from mho.results.circuit import MATRICES


def read(fields: dict) -> Circuit:
    return read_record(Circuit, fields, "result.json: circuits[0]")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("rows", 3, "word_voltage = 'shape (2, 3)': expected shape (3, 3)"),
        ("rows", 0, "rows = 0"),
        ("rows", 257, "rows = 257: expected 1 to 256 word lines"),
        ("rows", 2.0, "rows = 2.0"),
        ("pooled", "mean", "pooled = 'mean'"),
        ("wire_resistance", -1.0, "wire_resistance = -1.0"),
        ("wire_resistance", None, "wire_resistance = None"),
        ("word_voltage", [], "word_voltage = '0 columns'"),
        ("word_voltage", [[1.0] * 257] * 2, "word_voltage = '257 columns'"),
        ("word_voltage", 1.0, "word_voltage = 1.0"),
        ("bit_voltage", [[1.0, 2.0]] * 2, "bit_voltage = 'shape (2, 2)'"),
        ("bit_voltage", [[1.0] * 3, [1.0]], "bit_voltage[1] = '1 values'"),
        ("word_current", [[1.0] * 3], "word_current = 'shape (1, 3)'"),
        ("bit_current", [[1.0] * 3, [1.0, math.nan, 1.0]], "bit_current[1][1] = nan"),
        ("cell_current", [[1.0] * 3, [1.0, None, 1.0]], "cell_current[1][1] = None"),
        ("input", [1.0], "input = 'shape (1,)'"),
        ("input", [1.0, "2"], "input[1] = '2'"),
        ("output", [1.0, math.inf, 1.0], "output[1] = inf"),
        ("ideal", [1.0, 1.0], "ideal = 'shape (2,)'"),
        ("id", "a b", "id = 'a b'"),
    ],
)
def test_a_wrong_field_is_named(field: str, value: object, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"result.json: circuits[0].{words}")):
        read(wired_array(2, 3) | {field: value})


@pytest.mark.parametrize(
    "field", ["id", "title", "rows", *MATRICES, "input", "output", "ideal", "wire_resistance"]
)
def test_a_missing_field_is_named(field: str) -> None:
    fields = wired_array(2, 3)
    del fields[field]
    with pytest.raises(ValueError, match=rf"circuits\[0\]\.{field} = 'missing'"):
        read(fields)


def test_tensors_become_arrays_and_are_refused_by_name() -> None:
    fields = wired_array(3, 4)
    tensors = {k: torch.tensor(v) if isinstance(v, list) else v for k, v in fields.items()}
    assert Circuit(**tensors).worst == read(fields).worst
    with pytest.raises(ValueError, match=r"^input = 'shape \(\)'"):
        Circuit(**fields | {"input": 1.0})
    with pytest.raises(ValueError, match=r"^ideal = .* no gaps"):
        Circuit(**fields | {"ideal": [1.0, math.nan, 1.0, 1.0]})
