"""What limits a device: chips with one imperfection mended, beside chips that have them all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mho.hardware import Hardware
from mho.results.trial import Limit

OF_LAWS = {
    "relaxation and drift": "retention",
    "1/f noise": "flicker",
    "telegraph noise": "telegraph",
    "disturb": "disturb",
}
"""Fields of `Hardware` that are laws of the device, by what they bring."""


def mended(hardware: Hardware) -> dict[str, Hardware]:
    """The same chips without one of what their cells and converters have, by its name."""
    cell = hardware.device
    found = {
        name: hardware.replace(device=cell.with_imperfection(name, 0.0))
        for name, imperfection in cell.imperfections().items()
        if imperfection.value > 0
    }
    for name, law in OF_LAWS.items():
        if getattr(hardware, law) is not None:
            found[name] = hardware.replace(**{law: None})
    found[f"{hardware.adc_bits}-bit converters"] = hardware.with_converters(None)
    return found


def ideal(hardware: Hardware) -> Hardware:
    """Chips of ideal cells with exact converters: what is left is the number of levels."""
    laws = dict.fromkeys(OF_LAWS.values())
    return hardware.with_converters(None).replace(device=hardware.device.ideal(), **laws)


def limits(
    hardware: Hardware, in_float: float, measure: Callable[[Hardware], dict[str, np.ndarray]]
) -> dict[str, list[Limit]]:
    """Every imperfection with what is won without it, the largest first.

    Args:
        hardware: chips that have them all.
        in_float: accuracy of the network without chips.
        measure: accuracies (chips,) on chips of a kind, of the same random numbers each time, by
            what was done to them.
    """
    whole, perfect = measure(hardware), measure(ideal(hardware))
    without = {name: measure(other) for name, other in mended(hardware).items()}
    levels = f"the limit to {hardware.device.states} levels"
    found = {}
    for what, accuracy in whole.items():
        each = [Limit(name, other[what] - accuracy) for name, other in without.items()]
        each.append(Limit(levels, in_float - perfect[what]))
        found[what] = sorted(each, key=lambda limit: -limit.mean)
    return found
