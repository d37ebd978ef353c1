"""The text of the protocol: exact numbers both ways, and no sense made of nonsense."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mho.instruments.protocol import Garbled, block, fields, numbers, parse

FLOATS = st.lists(st.floats(width=32, allow_nan=False), max_size=20)
INTS = st.lists(st.integers(-(2**31), 2**31 - 1), max_size=20)


@given(FLOATS, st.booleans())
def test_floats_come_back_to_the_last_bit(values: list[float], plain: bool) -> None:
    given = torch.tensor(values, dtype=torch.float32)
    back = numbers(block(given, plain=plain), "f", (-1,))
    assert back.dtype == torch.float32
    assert torch.equal(back.view(torch.int32), given.view(torch.int32))


@given(INTS, st.booleans())
def test_whole_numbers_come_back(values: list[int], plain: bool) -> None:
    given = torch.tensor(values, dtype=torch.int32)
    assert torch.equal(numbers(block(given, plain=plain), "i", (-1,)), given)


@pytest.mark.parametrize("word", ["f:", "f:1", "f:1,2,x", "i:1,2,3", "F:AAA", "F:====", "1,2,3"])
def test_a_block_that_is_none_is_refused(word: str) -> None:
    with pytest.raises(Garbled):
        numbers(word, "f", (3,))


def test_whole_numbers_are_no_larger_than_int32() -> None:
    with pytest.raises(Garbled):
        numbers("i:2147483648", "i", (1,))


@pytest.mark.parametrize("text", ["", "7", "x describe", "-1 describe", "7  describe", "٣ report"])
def test_a_line_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Garbled):
        parse(text)


def test_a_table_has_names() -> None:
    assert fields(["rows=3", "note="]) == {"rows": "3", "note": ""}
    with pytest.raises(Garbled):
        fields(["rows"])
