"""Price lists, and what a ledger costs under one: energy, time, lifetime, memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from mho.arguments import checked
from mho.config import Config, Range
from mho.errors import unknown
from mho.hardware.ledger import Ledger
from mho.hardware.share import WHOLE, Share
from mho.quantities import Joules, Seconds


class Prices(Config):
    """What one event costs. What is added or multiplied digitally behind the converters costs
    nothing here: tiles, slices, bits, and the sum of a vector's inputs with mapping "single"."""

    set_energy: Joules
    """Energy of a SET pulse [J]."""
    reset_energy: Joules
    """Energy of a RESET pulse [J]."""
    verify_energy: Joules
    """Energy of a verify read of one cell, conversion included [J]."""
    read_energy: Joules
    """Energy of one cell in one vector read [J]."""
    dac_energy: Joules = 0.0
    """Energy of driving one row for one vector [J]."""
    adc_energy: Joules = 0.0
    """Energy of one ADC conversion [J]."""
    pulse_time: Seconds
    """Duration of a programming pulse [s]."""
    verify_time: Seconds
    """Duration of a verify read [s]."""
    read_time: Seconds
    """Duration of one vector read, conversion included [s]; the tiles of a layer work together."""
    mac_energy: Joules | None = None
    """Energy of a digital multiplication and addition for the gradient of a weight [J]; None: not
    priced."""
    update_energy: Joules | None = None
    """Energy of the optimizer's digital update of one weight [J]; None: not priced."""
    sum_energy: Joules | None = None
    """Energy of a digital addition of a converted number [J]; None: not priced."""
    hidden_bits: Annotated[int, Range(least=0, most=64)] = 32
    """Digital bits kept for each weight while it still learns [1]."""
    doi: str = ""
    """Where the numbers come from."""
    note: str = ""
    """What the source gives and what is chosen here."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cost of what a ledger counted; averages over its chips."""

    programming_energy: float
    """SET, RESET and verify [J]."""
    read_energy: float
    """Vector reads of forward passes with their converters [J]."""
    backward_energy: float
    """Vector reads of backward passes with their converters [J]."""
    energy_per_input: float
    """Read energy of one input through all layers [J]; nan if nothing was read."""
    programming_time_serial: float
    """All pulses and verify reads one after another [s]."""
    programming_time_rows: float
    """The same with the cells of a row programmed at once, one row after another [s]."""
    read_time: float
    """All vector reads of forward passes, layer after layer [s]."""
    backward_time: float
    """All vector reads of backward passes, layer after layer [s]."""
    lifetime_repeats: float
    """How often the ledger's programming can be repeated until the first cell of its chips dies,
    each of its own endurance; below 1 where one is dead already, inf if none can die."""
    array_bytes: float
    """Information in the cells: log2(levels) bits each [B]."""
    hidden_bytes: float
    """Digital weights kept while learning [B]."""
    float32_bytes: float
    """The same weights as float32 [B]."""
    share: Share = WHOLE
    """How much of the network this is of; the rest is digital and not priced."""

    def __str__(self) -> str:
        """A line a number, and what of the network they are of."""
        rows = self.items()
        wide = max(len(str(row["what"])) for row in rows)
        lines = [
            f"{row['what']:{wide}}  "
            + ("-" if row["value"] is None else f"{row['value']:.4g} {row['unit']}".rstrip())
            for row in rows
        ]
        return "\n".join([*lines, *self.share.of_what("energy", "priced")])

    def items(self) -> list[dict[str, object]]:
        """Rows for a result file."""
        rows = (
            ("programming energy (per chip)", self.programming_energy, "J"),
            ("read energy (per chip)", self.read_energy, "J"),
            ("backward read energy (per chip)", self.backward_energy, "J"),
            ("energy per input", self.energy_per_input, "J"),
            ("programming time, cell by cell", self.programming_time_serial, "s"),
            ("programming time, row by row", self.programming_time_rows, "s"),
            ("read time", self.read_time, "s"),
            ("backward read time", self.backward_time, "s"),
            ("repeats until the first cell dies", self.lifetime_repeats, ""),
            ("memory in cells", self.array_bytes, "B"),
            ("memory of hidden weights", self.hidden_bytes, "B"),
            ("memory as float32", self.float32_bytes, "B"),
        )
        return [
            {"what": what, "value": value if math.isfinite(value) else None, "unit": unit}
            for what, value, unit in rows
        ]


@checked
def price(ledger: Ledger, prices: Prices | str) -> Cost:
    """Price a ledger: a pure function, so a changed price never needs a new run.

    Args:
        ledger: counts, as `mho.ledger(net)` reads them.
        prices: a price list, or the name of one of `PRICES`.

    Raises:
        ValueError: there is no list of that name.
    """
    if isinstance(prices, str):
        prices = get(prices)
    chips, total = ledger.chips, ledger.totals()
    each = {name: count / chips for name, count in total.items()}
    inputs = ledger.layers[0].inputs
    pulses = each["set_pulses"] + each["reset_pulses"]
    used = max(layer.endurance_used for layer in ledger.layers)
    programming = (
        each["set_pulses"] * prices.set_energy
        + each["reset_pulses"] * prices.reset_energy
        + each["verify_reads"] * prices.verify_energy
    )
    reading, backward = (
        each[f"{side}cell_reads"] * prices.read_energy
        + each[f"{side}dac_conversions"] * prices.dac_energy
        + each[f"{side}adc_conversions"] * prices.adc_energy
        for side in ("", "backward_")
    )
    return Cost(
        programming_energy=programming,
        read_energy=reading,
        backward_energy=backward,
        energy_per_input=reading / inputs if inputs else math.nan,
        programming_time_serial=pulses * prices.pulse_time
        + each["verify_reads"] * prices.verify_time,
        programming_time_rows=each["row_pulses"] * prices.pulse_time
        + each["row_reads"] * prices.verify_time,
        read_time=each["vectors"] * prices.read_time,
        backward_time=each["backward_vectors"] * prices.read_time,
        lifetime_repeats=1 / used if used > 0 else math.inf,
        array_bytes=sum(layer.cells * math.log2(layer.states) for layer in ledger.layers) / 8,
        hidden_bytes=total["weights"] * prices.hidden_bits / 8,
        float32_bytes=total["weights"] * 4.0,
        share=ledger.share,
    )


PRICES: dict[str, Prices] = {
    "hfo2-130nm": Prices(
        set_energy=1e-12,
        reset_energy=1e-12,
        verify_energy=1.72e-12,
        read_energy=5.5e-14,
        dac_energy=4.1667e-13,
        adc_energy=1.667e-12,
        pulse_time=1e-6,
        verify_time=1e-7,
        read_time=1e-7,
        doi="10.1038/s41928-025-01454-7",
        note="1 pJ per memristor programming from the source. Converters from ISAAC "
        "(10.1109/ISCA.2016.12, 32 nm: 8-bit ADC 1.667 pJ, row driver 0.417 pJ). Chosen here: read "
        "at 0.2 V for 10 ns at 137 uS (55 fJ), verify = one such read and one conversion, times.",
    ),
    "neurosim-rram": Prices(
        set_energy=8.0e-12,
        reset_energy=8.0e-12,
        verify_energy=1.69e-12,
        read_energy=2.5e-14,
        dac_energy=4.1667e-13,
        adc_energy=1.667e-12,
        pulse_time=5e-8,
        verify_time=1e-8,
        read_time=1e-8,
        doi="10.1109/TCAD.2020.3043731",
        note="Defaults of a simulator, not measurements: write 4 V, 50 ns into R_ON = 100 kohm "
        "(V^2 t / R = 8 pJ), read 0.5 V, 10 ns into 100 kohm (25 fJ). Converters as in hfo2-130nm.",
    ),
}


@checked
def get(name: str) -> Prices:
    """The price list of a name."""
    if name not in PRICES:
        raise unknown("price list", name, PRICES)
    return PRICES[name]
