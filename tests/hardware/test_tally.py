"""A tally counts what converters convert, and changes nothing of it."""

import pytest
import torch

from mho import kernels
from mho.hardware.converters import Converter
from mho.hardware.tally import Tally

X = torch.tensor([[0.2, -1.04, 1.2], [0.0, 3.0, torch.nan]])


@pytest.mark.parametrize("squares", [False, True])
def test_what_saturates_is_counted_chip_by_chip(squares: bool) -> None:
    converter = Converter("ADC", 3, 1.0, chips=2)
    converter.ranges = (1.0, 1.0)
    before = converter(X)
    converter.tally = tally = Tally(converter.shape, squares=squares)
    torch.testing.assert_close(converter(X), before, rtol=0, atol=0, equal_nan=True)
    assert tally.conversions == 6
    assert tally.saturated is not None
    assert tally.saturated.tolist() == [1, 2]  # 1.04 is nearest to 1; nan has no code
    assert tally.share() == pytest.approx(2 / 3)
    assert tally.squares is None or tally.squares.tolist() == [1 + 9 + 9, 0 + 9]


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("keep", [True, False])
def test_it_counts_by_range_and_in_parts(keep: bool, compiled: bool) -> None:
    """Of a converter for each column, chip after chip."""
    converter = Converter("ADC", 3, 1.0, chips=2, own={-1: 3})
    converter.ranges = [1.0, 1.0, 1.0, 4.0, 4.0, 4.0]
    converter.tally = tally = Tally(converter.shape)
    if compiled:
        for chip in range(2):
            converter.keeping(X[chip : chip + 1], chips=slice(chip, chip + 1), keep=keep)
    else:
        with kernels.off():
            converter.keeping(X, keep=keep)
    assert tally.saturated is not None
    assert tally.saturated.tolist() == [[0, 0, 1], [0, 0, 1]]
    assert tally.conversions == 6


def test_nothing_that_saturates_is_nothing() -> None:
    converter = Converter("DAC", 8, 1.0, chips=1)
    converter.ranges = (4.0,)
    converter.tally = tally = Tally(converter.shape)
    converter(X[0])
    assert tally.saturated is None
    assert tally.share() == 0.0
    assert Tally((1,)).share() == 0.0
