"""A device tried out: accuracy as time passes, what limits it, writes, energy and lifetime."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from torch import nn

import mho
from mho.arguments import checked
from mho.errors import invalid
from mho.hardware import Hardware
from mho.physics import Preset
from mho.results.trial import Trial
from mho.trial.chips import repaired, unlabelled, written
from mho.trial.costs import costs
from mho.trial.limits import OF_LAWS, limits, mended
from mho.trial.network import DATA, UNITS, network

TIMES = {"fresh": 0.0, "a day": 86_400.0, "a month": 30 * 86_400.0}
"""When chips are measured, in seconds after they were written."""
BITS = 8
"""Of all converters."""


@checked
def of_preset(
    name: str,
    preset: Preset,
    chips: int = 8,
    seed: int = 0,
    prices: str = "hfo2-130nm",
    progress: Callable[[int], None] = lambda done: None,
) -> Trial:
    """What a small network does on a device.

    Args:
        name: of the device.
        preset: the device; it needs a cell.
        chips: of which each is drawn anew.
        seed: of the draws.
        prices: name of a price list.
        progress: called with 1 for each of `steps`.

    Raises:
        ValueError: the preset has no cell, or none that arrays take.
    """
    if chips < 2:
        raise invalid(
            "chips", chips, "at least 2, because one chip does not show the spread of the device"
        )
    hardware = _hardware(preset)
    binary = hardware.device.states == 2
    net, held_out = network(binary), mho.data.load(DATA, "validation")
    images = unlabelled()
    loader = list(zip(held_out.inputs.split(500), held_out.labels.split(500), strict=True))
    times = dict(TIMES)
    if not hardware.ages:
        times = {"fresh": 0.0}

    def measure(chips: nn.Module, seconds: list[float]) -> dict[str, np.ndarray]:
        repair = partial(repaired, images=images)
        found = {
            "as written": mho.evaluate_over_time(chips, loader, seconds).numpy(),
            "after repair": mho.evaluate_over_time(chips, loader, seconds, repair).numpy(),
        }
        progress(1)
        return found

    def at_last(other: Hardware) -> dict[str, np.ndarray]:
        seconds = [*times.values()][-1] if other.ages else 0.0
        found = measure(written(net, other, chips, seed, images), [seconds])
        return {what: accuracy[0] for what, accuracy in found.items()}

    in_float = mho.evaluate(net, loader).item()
    on_chips = written(net, hardware, chips, seed, images)
    weights = f"{'binary' if binary else 'float'} weights"
    return Trial(
        name=name,
        network=f"{'-'.join(map(str, UNITS))}, {weights}, handwritten digits ({DATA.upper()})",
        chips=f"{chips}, {BITS}-bit converters, tiles {hardware.tile[0]} x {hardware.tile[1]}, "
        "wires without resistance",
        in_float=in_float,
        times=list(times.items()),
        accuracy=measure(on_chips, list(times.values())),
        limits=limits(hardware, in_float, at_last),
        costs=costs(on_chips, loader, prices),
        remarks=remarks(preset, hardware),
    )


def steps(preset: Preset) -> int:
    """How often `of_preset` reports progress."""
    return 3 + len(mended(_hardware(preset)))


def _hardware(preset: Preset) -> Hardware:
    """Chips of a device."""
    preset = preset.replace(conduction=None)  # takes no part: `remarks` says so
    return Hardware(device=preset, dac_bits=BITS, adc_bits=BITS)


def remarks(preset: Preset, hardware: Hardware) -> list[str]:
    """What the device does not say."""
    shown = ("retention", "flicker")
    silent = [what for what, law in OF_LAWS.items()
              if law in shown and getattr(hardware, law) is None]  # fmt: skip
    found = []
    if silent:
        found.append(f"not given, and taken as none: {' and '.join(silent)}")
    if preset.conduction is not None:
        found.append("cells are read as ohmic: their law of conduction is not used")
    return found
