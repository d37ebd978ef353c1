"""Price lists by name, and those of files."""

from __future__ import annotations

from mho.arguments import checked
from mho.errors import unknown
from mho.hardware.prices import Prices

_CONVERTERS = Prices(
    pulse_time=0.0,
    dac_bits=1, dac_energy=4.1667e-13, step_time=0.0,
    adc_energy=1.667e-12, adc_capacitors=0.064, adc_time=7.8125e-10, adc_share=128,
    sum_energy=2.1e-14, buffer_energy=8.1e-14,
    dac_area=1.66e-13, adc_area=1.2e-9, adc_area_capacitors=0.4545, sum_area=6e-11,
    buffer_area=1.58e-13,
    doi="10.1109/ISCA.2016.12",
    assumptions=(
        "dac_energy: row driver of ISAAC (32 nm), for 1 bit; an input of b bits takes b of them",
        "step_time: the read of a vector overlaps the conversions of the one before (ISAAC)",
        "adc_energy: 8-bit SAR of ISAAC, 2 mW at 1.2 GS/s (32 nm)",
        "adc_capacitors: fitted to the 4 to 10 bits that ISAAC's ADC is scaled to in CiMLoop's "
        "component library by Saberi et al. 2011: 0.79, 0.99, 1.20, 1.42, 1.67, 1.97, 2.38 pJ",
        "adc_time: ISAAC converts 128 columns in the 100 ns of a read",
        "adc_share: as ISAAC, one ADC an array of 128 columns",
        "sum_energy: shift-and-add of ISAAC, 0.2 mW for 8 x 1.2 GS/s",
        "buffer_energy: eDRAM of ISAAC, 20.74 pJ for 256 bits",
        "dac_area: 1024 row drivers of ISAAC are 170 um^2",
        "adc_area: ISAAC's, 1200 um^2",
        "adc_area_capacitors: fitted to the same scaling, 361 um^2 at 4 bits, 3002 um^2 at 10",
        "sum_area: 4 shift-and-adds of ISAAC are 240 um^2",
        "buffer_area: 64 KB of ISAAC's eDRAM are 0.083 mm^2",
    ),
)  # fmt: skip
"""Converters and digital logic that lists take which are of cells alone."""

_NEUROSIM = _CONVERTERS.replace(
    set_voltage=4.0, reset_voltage=4.0, pulse_time=5e-8,
    verify_time=1e-8, read_voltage=0.5, read_pulse=1e-8, adc_share=8,
    feature_size=40e-9, cell_squares=16.0,
    doi="10.1109/TCAD.2020.3043731",
    note="Defaults of DNN+NeuroSim V2.0 (branch 2DTrainingV2.0, 28a1670) and V2.1 (18289cb), a "
    "simulator, no measurements: write 4 V, 50 ns, read 0.5 V, 10 ns. Its cells, 100 kohm in V2.0 "
    "and 240 kohm in V2.1, are replaced by the conductance of yours. It computes its converters "
    "from transistors; those here are ISAAC's.",
    assumptions=(
        *_CONVERTERS.assumptions,
        "set_voltage: Param.cpp, writeVoltage",
        "reset_voltage: Param.cpp, writeVoltage",
        "pulse_time: Param.cpp, writePulseWidth",
        "verify_time: one read pulse",
        "read_voltage: Param.cpp, readVoltage",
        "read_pulse: Param.cpp, readPulseWidth",
        "feature_size: Param.cpp, featuresize, the wire width at 32 nm",
        "cell_squares: Param.cpp, 1T1R of 4 F x 4 F",
    ),
)  # fmt: skip

PRICES: dict[str, Prices] = {
    "hfo2-130nm": _CONVERTERS.replace(
        set_energy=1e-12, reset_energy=1e-12, pulse_time=1e-6, verify_time=1e-7,
        read_voltage=0.2, read_pulse=1e-8,
        feature_size=130e-9, cell_squares=126.0,
        doi="10.1038/s41928-025-01454-7",
        note="1 pJ per memristor programming from the source. Converters and digital logic from "
        "ISAAC (10.1109/ISCA.2016.12, 32 nm). Chosen here: read at 0.2 V for 10 ns, times.",
        assumptions=(
            *_CONVERTERS.assumptions,
            "set_energy: from the source, whatever the cell; set_voltage with no set_energy "
            "follows the cell",
            "reset_energy: as set_energy",
            "pulse_time: chosen",
            "verify_time: chosen",
            "read_voltage: chosen",
            "read_pulse: chosen",
            "feature_size: 130 nm, as the source",
            "cell_squares: chosen, as the cells of NeuRRAM",
        ),
    ),
    "neurosim-rram": _NEUROSIM,
    "neurosim-rram-1.5": _NEUROSIM.replace(
        set_voltage=2.0, reset_voltage=2.0, read_voltage=0.55, cell_squares=48.0,
        doi="10.48550/arXiv.2505.02314",
        note="Defaults of NeuroSim V1.5 for inference (branch 2DInferenceV1.5-dev, cddb7d3) at its "
        "22 nm, no measurements: write 2 V, read 0.55 V, 10 ns. Its cells of 6 kohm are replaced "
        "by the conductance of yours. It gives no width of write pulses: that of V2.0. It "
        "computes its converters from transistors; those here are ISAAC's.",
        assumptions=(
            *(line for line in _NEUROSIM.assumptions
              if not line.startswith(("pulse_time", "cell_squares", "feature_size"))),
            "pulse_time: that of V2.0, as V1.5 gives none",
            "feature_size: Param.cpp, featuresize, the wire width at 22 nm",
            "cell_squares: Param.cpp, 1T1R of 4 F x 12 F",
        ),
    ),
    "neurram-130nm": Prices(
        set_voltage=1.5, reset_voltage=1.8, pulse_time=1e-6,
        read_voltage=0.5, read_pulse=1.4683e-9,
        driver="bits", dac_energy=1.9205e-12, integration_energy=4.6629e-12, step_time=1.4087e-6,
        adc_energy=3.0464e-12, adc_time=5.8732e-7,
        feature_size=130e-9, cell_squares=126.0, dac_area=9.53e-10, adc_area=2.54e-9,
        control_area=4.53e-7,
        doi="10.1038/s41586-022-04992-8",
        note="Fitted to energy and time of a macro of 256 x 256 cells at 2/4, 4/6, 6/8 and 8/10 "
        "bits of inputs and outputs by benchmarks/neurram_prices.py, with the published points as "
        "CiMLoop gives them; 1/3, 3/5, 5/7 and 7/9 bits are predicted. Inputs are pulses with a "
        "sign, bit after bit, whose charges are added before one conversion.",
        assumptions=(
            "set_voltage: chosen, within the published ramps of write-verify",
            "reset_voltage: chosen, likewise",
            "pulse_time: chosen",
            "read_voltage: published",
            "read_pulse: fitted, at a mean conductance of 10.6 uS; effective, at the full input",
            "dac_energy: fitted; switching of word lines, for each pulse of an input",
            "integration_energy: fitted; what neurons take for each pulse of an input",
            "step_time: fitted",
            "adc_energy: fitted; what neurons take with the bits of their outputs, at 8 bits",
            "adc_time: fitted, at 8 bits",
            "feature_size: 130 nm, published",
            "cell_squares: 12 % of a macro of 1.16 mm^2 for its cells (Extended Data Fig. 11f)",
            "dac_area: 21 % for its drivers, all counted to the rows",
            "adc_area: 28 % for its neurons, two a column of pairs",
            "control_area: the other 39 %",
        ),
    ),
}  # fmt: skip
"""All lists of mho, by name; an entry that is added is known wherever a name is taken."""


@checked
def get(name: str | Prices) -> Prices:
    """The price list of a name, or of a TOML file; a list itself is given back.

    Args:
        name: one of `PRICES`, or the path of a file that ends in .toml.

    Raises:
        ValueError: there is no list of that name; the file cannot be read, or is none.
    """
    if isinstance(name, Prices):
        return name
    if name in PRICES:
        return PRICES[name]
    if name.endswith(".toml"):
        return Prices.read(name)
    raise unknown("price list", name, PRICES)


def name_of(prices: str | Prices) -> str:
    """How a list is called in a result: by its name, if it has one."""
    if isinstance(prices, str):
        return prices
    known = (name for name, each in PRICES.items() if each == prices)
    return next(known, "of the settings")
