"""Codes by compiled search are those of torch."""

import math

import numpy as np
import pytest
import torch

import mho
from mho.hardware import FlashADC, IdealADC, RampADC, SarADC
from mho.hardware.converter_errors import ConverterErrors, Converters
from mho.kernels.thresholds import find_codes


def test_codes_count_thresholds_and_tell_what_is_beyond() -> None:
    v = np.array([-3.1, -2.4, -1.0, 0.2, 0.9, 1.6, 2.4, 2.6, math.nan, math.inf], np.float32)
    tables = np.array([[[-1.5, 0.1, 0.5, 1.5]]], np.float32)
    shaped = v.reshape(1, 1, 1, -1, 1, 1).copy()
    one = np.ones((1, 1, 1), np.float32)
    find_codes(shaped, one, 0 * one, tables, np.zeros((1, 1), np.int64), 2)
    expected = [-3, -2, -1, 0, 1, 2, 2, 3, math.nan, math.inf]
    np.testing.assert_array_equal(shaped.reshape(-1), expected)


@pytest.mark.parametrize(
    "adc",
    [
        IdealADC(offset=2.0, gain=0.1),
        SarADC(mismatch=0.3, offset=1.0),
        RampADC(mismatch=0.2, bow=4.0, gain=0.1),
        FlashADC(comparators=3.0, share=2),
    ],
)
@pytest.mark.parametrize("shape", [(6, 5, 4), (6, 4, 3, 7), (2, 3, 5, 4)])
def test_both_ways_find_the_same_codes(
    adc: SarADC | RampADC | FlashADC | IdealADC, shape: tuple[int, ...]
) -> None:
    by_tile, maps = shape[0] == 2, len(shape) == 4 and shape[0] == 6
    groups, columns = (3 if by_tile else 1), 4
    array = torch.arange(groups).unsqueeze(1).expand(-1, columns)
    each = array * columns + torch.arange(columns)
    dims = (-3, -1) if by_tile else (-3,) if maps else (-1,)
    errors = ConverterErrors(adc, 6, Converters(array, each, groups, groups * columns), dims)
    errors.belong_to(3, range(2))
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 20
    x.view(-1)[:3] = torch.tensor([math.nan, math.inf, -math.inf])
    codes = errors.codes(x.clone(), slice(None))
    with mho.kernels.off():
        assert torch.equal(
            errors.codes(x.clone(), slice(None)).nan_to_num(99), codes.nan_to_num(99)
        )
    half = shape[0] // 2
    some = errors.codes(x[half:].clone(), slice(1, 2))
    assert torch.equal(some.nan_to_num(99), codes[half:].nan_to_num(99))
    wide = errors.codes(x.double(), slice(None))
    assert (wide != codes).double().mean() < 0.03  # nan, and what rounding moves over a threshold
