"""Laws that unit prices follow."""

import itertools

import pytest

from mho.hardware.prices import Prices
from mho.physics.conduction import Sinh, Transistor

BASE = Prices(
    set_voltage=2.0, reset_voltage=1.5, pulse_time=1e-7, read_voltage=0.3, read_pulse=1e-8,
    dac_energy=1e-13, adc_energy=1e-12, adc_time=1e-9, adc_area=1e-9, sum_energy=1e-14,
)  # fmt: skip


@pytest.mark.parametrize("adc", ["sar", "flash", "ramp"])
@pytest.mark.parametrize("driver", ["dac", "bits", "width"])
def test_more_bits_never_cost_less(adc: str, driver: str) -> None:
    p = BASE.replace(adc=adc, driver=driver, adc_capacitors=0.2)
    for less, more in itertools.pairwise(range(1, 17)):
        for price in (p.conversion, p.converter_area, p.addition):
            assert price(more) > price(less)
        assert p.conversion_time(more) >= p.conversion_time(less)
        assert p.drive(more) >= p.drive(less)
        assert p.steps(more) >= p.steps(less)
        assert p.vector_time(more, 8, 4) >= p.vector_time(less, 8, 4)
        assert p.cell_read(1e-5, more) >= p.cell_read(1e-5, less)


@pytest.mark.parametrize(
    ("adc", "energy", "time"), [("sar", 1.5, 1.5), ("flash", 16, 1), ("ramp", 16, 16)]
)
def test_an_architecture_sets_how_numbers_follow_bits(adc: str, energy: float, time: float) -> None:
    p = BASE.replace(adc=adc)
    assert p.conversion(12) == pytest.approx(energy * p.conversion(8))
    assert p.conversion_time(12) == pytest.approx(time * p.conversion_time(8))


def test_capacitors_double_with_each_bit() -> None:
    p = BASE.replace(adc_capacitors=1.0)
    assert p.conversion(11) == pytest.approx(8 * p.conversion(8))


def test_cells_take_v_squared_g_t() -> None:
    assert BASE.pulse("set", 1e-5) == pytest.approx(4 * 1e-5 * 1e-7)
    assert BASE.pulse("reset", 1e-5) == pytest.approx(2.25 * 1e-5 * 1e-7)
    assert BASE.cell_step(1e-5) == pytest.approx(0.09 * 1e-5 * 1e-8)
    assert BASE.replace(activity=0.5).cell_step(1e-5) == pytest.approx(0.045 * 1e-5 * 1e-8)
    assert BASE.replace(driver="width").cell_read(1e-5, 4) == pytest.approx(
        7 * BASE.cell_step(1e-5)
    )


def test_a_law_of_conduction_counts_when_a_cell_is_read() -> None:
    ohmic = BASE.cell_step(1e-5)
    assert BASE.replace(conduction=Sinh(v0=0.1)).cell_step(1e-5) > ohmic
    assert BASE.replace(conduction=Transistor(beta=1e-5)).cell_step(1e-5) < ohmic


def test_one_number_counts_whatever_the_cell() -> None:
    fixed = BASE.replace(set_energy=5e-12, read_energy=3e-15, verify_energy=7e-13)
    assert {fixed.pulse("set", g) for g in (None, 1e-6, 1e-4)} == {5e-12}
    assert {fixed.cell_step(g) for g in (None, 1e-6, 1e-4)} == {3e-15}
    assert {fixed.verify(g, b) for g, b in ((None, None), (1e-5, 4))} == {7e-13}


def test_what_a_list_does_not_give_is_none() -> None:
    bare = Prices(pulse_time=0.0)
    assert bare.pulse("set", 1e-5) is bare.cell_step(1e-5) is bare.verify(1e-5, 8) is None
    assert bare.drive(4) is bare.conversion(8) is bare.addition(8) is bare.cell_area is None
    assert bare.vector_time(4, 8, 1) is bare.verify_duration(8) is bare.converter_area(8) is None


def test_assumptions_are_of_fields() -> None:
    told = BASE.replace(assumptions=("adc_energy: measured at 0.9 V",))
    assert told.source("adc_energy") == "measured at 0.9 V"
    assert told.source("adc_time") == ""
    for wrong in ("measured", "volume: 3", "adc_energy: "):
        with pytest.raises(ValueError, match=r"Prices\.assumptions = .*: expected lines such"):
            BASE.replace(assumptions=(wrong,))
