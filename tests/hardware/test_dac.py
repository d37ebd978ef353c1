"""Architectures of DACs: how far their levels are off."""

import pytest
import torch

import mho
from mho.hardware import DAC, BinaryDAC, IdealADC, IdealDAC, StringDAC

CELL = mho.cells.MultiLevel(g_min=1e-6, g_max=1e-4, levels=9)


def off(dac: DAC, bits: int, drivers: int = 4000) -> torch.Tensor:
    """Nonlinearity (drivers, words) of many drivers [LSB]."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(drivers, dac.numbers(bits), generator=generator, dtype=torch.float64)
    return dac.nonlinearity(z, bits)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("kind", [StringDAC, BinaryDAC])
def test_the_middle_is_off_as_the_mismatch_says(
    kind: type[StringDAC | BinaryDAC], bits: int
) -> None:
    sigma = 0.05
    inl = off(kind(mismatch=sigma), bits)
    assert inl.shape == (4000, 2**bits)
    assert inl[:, [0, -1]].abs().max() < 1e-9
    middle = inl[:, 2 ** (bits - 1)].std().item()
    assert middle == pytest.approx(sigma * 2 ** (bits / 2 - 1), rel=0.06)
    step = (inl[:, 2 ** (bits - 1)] - inl[:, 2 ** (bits - 1) - 1]).std().item()
    expected = sigma * 2 ** (bits / 2) if kind is BinaryDAC else sigma
    assert step == pytest.approx(expected, rel=0.1)


def test_a_string_keeps_its_order_and_binary_sources_do_not() -> None:
    words = torch.arange(256)
    string, binary = (off(kind(mismatch=0.2), 8, 50) for kind in (StringDAC, BinaryDAC))
    assert ((string + words).diff(dim=-1) > 0).all()
    assert ((binary + words).diff(dim=-1) < 0).any()


def test_what_an_ideal_one_is_off_is_nothing() -> None:
    assert IdealDAC().exact
    assert not IdealDAC(offset=1.0).exact
    assert StringDAC().exact
    assert torch.equal(off(IdealDAC(), 3, 5), torch.zeros(5, 8, dtype=torch.float64))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dac_bits": None}, r"Hardware\.dac = .* where dac_bits is None"),
        ({"serial_inputs": True}, r"Hardware\.dac = .* with serial_inputs"),
        ({"dac_bits": 12}, r"dac_bits = 12: expected at most 10 with Hardware\.dac of family "),
        (
            {"wire_resistance": mho.circuits.Wires(col=1.0, source_line=1.0),
             "dac_bits": 1, "signed_inputs": False},
            "where inputs drive gates",
        ),
    ],
)  # fmt: skip
def test_hardware_refuses_errors_that_mean_nothing(changes: dict, said: str) -> None:
    given = {"device": CELL, "dac_bits": 6, "dac": StringDAC(mismatch=0.1)} | changes
    with pytest.raises(ValueError, match=said):
        mho.Hardware(**given)


def test_exact_converters_have_no_errors() -> None:
    kind = mho.Hardware(
        device=CELL, dac_bits=6, adc_bits=6, dac=BinaryDAC(mismatch=0.1), adc=IdealADC(offset=1.0)
    )
    assert kind.with_converters(None).dac == IdealDAC()
    assert kind.with_converters(8).dac == kind.dac
    assert mho.Hardware.from_toml(kind.to_toml()) == kind
