"""What a network on chips costs, in words: writes, energy, time, area and lifetime."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

import mho
from mho.results.units import count, number, quantity


def costs(
    chips: nn.Module, loader: list[tuple[Tensor, Tensor]], prices: str
) -> list[tuple[str, str]]:
    """Writes, energy, time and lifetime of a chip that was written and not yet read, as names and
    texts with units; its first batch is read."""
    writing = mho.price(mho.ledger(chips), prices)
    mho.evaluate(chips, loader[:1])
    ledger = mho.ledger(chips)
    each = {name: total / ledger.chips for name, total in ledger.totals().items()}
    cells = each["cells"]
    reading, repeats = mho.price(ledger, prices), writing.lifetime_repeats
    lifetime = "its endurance is not given"
    if np.isfinite(repeats):
        lifetime = f"{number(repeats, 3)} times, until the first cell dies"
    inputs = ledger.layers[0].inputs
    return [
        ("cells", count(cells)),
        ("pulses to write a cell", number((each["set_pulses"] + each["reset_pulses"]) / cells, 3)),
        ("verify reads to write a cell", number(each["verify_reads"] / cells, 3)),
        ("energy to write the network", _known(writing.programming_energy, "J")),
        ("time to write it, row by row", _known(writing.programming_time_rows, "s")),
        ("energy of an input", _known(reading.energy_per_input, "J")),
        ("time of an input", _known(reading.read_time / inputs, "s")),
        (
            "area of a chip",
            f"{1e6 * reading.area:.3g} mm²" if np.isfinite(reading.area) else "not priced",
        ),
        ("can be written", lifetime),
        ("prices", prices),
    ]


def _known(value: float, unit: str) -> str:
    """A cost in words."""
    return quantity(value, unit) if np.isfinite(value) else "not priced"
