"""Errors of converters are those of their circuits, and what a code density test finds."""

from math import erf, sqrt
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import mho
from mho.hardware import ADC, FlashADC, IdealADC, RampADC, SarADC
from mho.hardware.converter_errors import ConverterErrors, Converters
from mho.hardware.converters import Converter

BITS, MOST = 7, 63
KINDS: dict[str, ADC] = {
    "ideal": IdealADC(offset=1.5, gain=0.03),
    "sar": SarADC(mismatch=0.05, offset=0.7, gain=0.01),
    "ramp": RampADC(mismatch=0.04, bow=1.5, offset=0.5, gain=0.02),
    "flash": FlashADC(mismatch=0.05, comparators=0.2),
}


def z_of(adc: ADC, bits: int, count: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, adc.numbers(bits), generator=generator, dtype=torch.float64)


def even(bits: int) -> Tensor:
    most = 2 ** (bits - 1) - 1
    return torch.arange(-most, most, dtype=torch.float64) + 0.5


def converter(adc: ADC, columns: int = 3, *, seed: int = 5, chips: range = range(2)) -> Converter:
    """ADCs of rows of columns, with ranges of their largest codes: a step is 1."""
    one = torch.arange(columns).unsqueeze(0)
    errors = ConverterErrors(adc, BITS, Converters(0 * one, one, 1, columns), (-1,))
    errors.belong_to(seed, chips)
    made = Converter("ADC", BITS, 1.0, len(chips), errors=errors)
    made.ranges = [MOST] * len(chips)
    return made


def code_density(adc: Converter, columns: int) -> tuple[Tensor, Tensor]:
    """DNL and INL (chips, columns, codes within) [LSB] of a ramp, as IEEE Std 1241 defines them by
    histogram: widths of the codes between the outmost two over their mean, and their sums."""
    ramp = torch.linspace(-MOST - 12, MOST + 12, 40_001)
    x = ramp.unsqueeze(-1).expand(-1, columns).repeat(adc.chips, 1)
    codes = adc(x).unflatten(0, (adc.chips, -1)).round().long()
    each = torch.stack([(codes == c).sum(1) for c in range(-MOST + 1, MOST)], -1).double()
    dnl = each / each.mean(-1, keepdim=True) - 1
    return dnl, dnl.cumsum(-1)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("compiled", [True, False])
def test_code_density_finds_the_errors_that_were_drawn(name: str, compiled: bool) -> None:
    adc = converter(KINDS[name])
    if compiled:
        dnl, inl = code_density(adc, 3)
    else:
        with mho.kernels.off():
            dnl, inl = code_density(adc, 3)
    assert adc.errors is not None
    errors = adc.errors.on(torch.device("cpu"))
    t = even(BITS).expand(2, 3, -1)
    if errors.tables.shape[1]:
        t = errors.tables[:, errors.which[0]].double()
    widths = t.diff(dim=-1)
    expected = widths / widths.mean(-1, keepdim=True) - 1  # offset and gain are not in it
    assert (dnl - expected).abs().max() < 0.01
    assert (inl - expected.cumsum(-1)).abs().max() < 0.02
    assert (dnl.abs().max() > 0.05) == (name != "ideal")


@pytest.mark.parametrize("name", KINDS)
def test_offset_and_gain_are_what_was_drawn(name: str) -> None:
    """Terminal based: from the first and the last threshold."""
    adc, given = converter(KINDS[name], 200, chips=range(5)), KINDS[name]
    assert adc.errors is not None
    errors = adc.errors.on(torch.device("cpu"))
    gains = errors.gain[:, 0] - 1
    assert torch.equal(gains, gains[:, :1].expand(-1, 200)) == (given.whole_array or not given.gain)
    assert errors.offset.std().item() == pytest.approx(given.offset, rel=0.1, abs=1e-9)
    if not given.whole_array:
        assert gains.std().item() == pytest.approx(given.gain, rel=0.1, abs=1e-9)
    x = torch.linspace(-MOST - 12, MOST + 12, 20_001)
    codes = adc(x.unsqueeze(-1).expand(-1, 200).repeat(5, 1)).unflatten(0, (5, -1))
    first = x[(codes < -MOST + 0.5).sum(1) - 1].double()  # (chips, columns): end of the lowest code
    last = x[(codes < MOST - 0.5).sum(1) - 1].double()
    tables = errors.tables[:, errors.which[0]] if errors.tables.shape[1] else even(BITS)
    for found, threshold in ((first, tables[..., 0]), (last, tables[..., -1])):
        expected = (threshold - errors.offset[:, 0]) / errors.gain[:, 0]
        assert (found - expected).abs().max() < 0.02


@pytest.mark.parametrize("bits", [5, 8, 10])
def test_nonlinearity_of_mismatch_is_the_textbooks(bits: int) -> None:
    """INL at the middle sigma 2^(N/2 - 1), DNL of the SAR's largest step sigma 2^(N/2)."""
    sigma, middle = 1e-3, 2 ** (bits - 1) - 2  # threshold where all capacitors change places
    sar = SarADC(mismatch=sigma)
    t = sar.thresholds(z_of(sar, bits, 4000), bits)
    inl, dnl = t - even(bits), t.diff(dim=-1) - 1
    assert inl[:, middle].std().item() == pytest.approx(sigma * 2 ** (bits / 2 - 1), rel=0.05)
    assert dnl[:, middle - 1].std().item() == pytest.approx(sigma * 2 ** (bits / 2), rel=0.05)
    assert int(dnl.std(0).argmax()) == middle - 1
    jumps, quarter = dnl.std(0), 2 ** (bits - 2)
    major = [middle - 1 - quarter, middle - 1, middle - 1 + quarter]
    assert {*jumps.topk(3).indices.tolist()} == {*major}
    for adc in (RampADC(mismatch=sigma), FlashADC(mismatch=sigma)):
        off = adc.thresholds(z_of(adc, bits, 10_000), bits) - even(bits)
        assert off[:, middle].std().item() == pytest.approx(sigma * 2 ** (bits / 2 - 1), rel=0.05)
        assert off[:, 0].std() < 0.6 * off[:, middle].std()  # held at its two ends


def test_a_bow_is_a_parabola_and_comparators_are_independent() -> None:
    ramp, flash = RampADC(bow=0.3), FlashADC(comparators=0.1)
    bow = ramp.thresholds(z_of(ramp, 8, 2000), 8) - even(8)
    assert bow[:, 127].std().item() == pytest.approx(0.3, rel=0.05)
    shape = 1 - (even(8) / 128) ** 2
    assert torch.allclose(bow, bow[:, 126:127] / shape[126] * shape, atol=1e-12)
    own = flash.thresholds(z_of(flash, 8, 2000), 8) - even(8)
    assert own.std().item() == pytest.approx(0.1, rel=0.01)
    assert abs(torch.corrcoef(own[:, 50:52].T)[0, 1].item()) < 0.06


@pytest.mark.parametrize("bits", [2, 3, 6])
def test_a_search_of_bits_gives_the_codes_of_the_thresholds(bits: int) -> None:
    """With capacitors so unequal that codes are missed, found as the circuit does it."""
    adc = SarADC(mismatch=0.3)
    z = z_of(adc, bits, 40)
    t = adc.thresholds(z, bits)
    assert (t.diff(dim=-1) >= 0).all()
    units = np.array([1.0, *(2.0**b for b in range(bits))])
    x = np.linspace(-(2 ** (bits - 1)) - 1, 2 ** (bits - 1) + 1, 997) + 1e-7
    for numbers, thresholds in zip(z.numpy(), t.numpy(), strict=True):
        capacitors = np.maximum(units + 0.3 * np.sqrt(units) * numbers, 0)
        weights = 2**bits * capacitors[1:] / capacitors.sum()
        for v in x:
            code, kept = 0, 0.0
            for bit in reversed(range(bits)):
                if kept + weights[bit] <= v + 2 ** (bits - 1) + 0.5:
                    code, kept = code + 2**bit, kept + weights[bit]
            most = 2 ** (bits - 1) - 1
            searched = max(code - 2 ** (bits - 1), -most)
            assert searched == (thresholds <= v).sum() - most


@pytest.mark.parametrize("adc", [SarADC(), RampADC(), FlashADC(), IdealADC()])
def test_without_errors_every_architecture_is_exact(adc: ADC) -> None:
    assert adc.exact
    assert torch.equal(adc.thresholds(torch.empty(3, 0), 6), even(6).expand(3, -1))


def test_noise_at_the_input_blurs_a_threshold() -> None:
    """A quarter of a step below it, the code above comes as often as a normal number says."""
    cell = mho.cells.MultiLevel(g_min=1e-6, g_max=1e-4, levels=2)
    hardware = mho.Hardware(device=cell, adc_bits=6, adc=SarADC(noise=0.4))
    net: Any = mho.convert(torch.nn.Linear(1, 1, bias=False), hardware).eval()
    mho.calibrate(net, torch.ones(1, 1))
    edge = net.adc.ranges.item()
    per_input = net.store.effective.item()
    lsb = edge / 31
    x = torch.full((20_000, 1), (4.25 * lsb) / per_input)
    with torch.no_grad():
        codes = (net(x) / lsb).round()
    share = (codes > 4.5).double().mean().item()
    assert share == pytest.approx(0.5 * (1 - erf(0.25 / 0.4 / sqrt(2))), abs=0.015)
