import numpy as np

import mho
from mho.trial.limits import ideal, limits, mended


def test_each_imperfection_is_mended_alone() -> None:
    cell = mho.devices.get("hfo2-soft-bounds").replace(read_noise=0.01)
    hardware = mho.Hardware(
        device=cell, retention=mho.cells.PowerLaw(nu=0.1, t0=1.0), dac_bits=8, adc_bits=8
    )
    found = mended(hardware)
    assert {"write spread", "read noise", "relaxation and drift", "8-bit converters"} <= set(found)
    assert found["relaxation and drift"].retention is None
    assert found["relaxation and drift"].device == cell
    assert found["read noise"].device == cell.replace(read_noise=0.0)
    assert found["8-bit converters"].adc_bits is None


def test_the_largest_comes_first_and_levels_are_what_ideal_chips_lack() -> None:
    hardware = mho.Hardware(device="cmo-hfox", dac_bits=8, adc_bits=8)
    accuracy = {hardware: 0.5, ideal(hardware): 0.8}
    without = mended(hardware)

    def measure(chips: mho.Hardware) -> dict[str, np.ndarray]:
        value = 0.7 if chips == without["write spread"] else accuracy.get(chips, 0.5)
        return {"as written": np.array([value, value])}

    found = limits(hardware, 0.9, measure)["as written"]
    assert [limit.name for limit in found[:2]] == ["write spread", "the limit to 16 levels"] or [
        limit.name.startswith("the limit") for limit in found[:2]
    ] == [False, True]
    assert np.isclose(found[0].mean, 0.2)
    assert np.isclose(found[1].mean, 0.1)
