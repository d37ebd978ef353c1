"""A device tried out: accuracy as time passes, what limits it, writes, energy and lifetime."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

import mho
from mho.arguments import checked
from mho.errors import invalid
from mho.hardware import Hardware
from mho.hardware.hardware import OVER_TIME
from mho.physics import Preset
from mho.results.trial import Trial
from mho.results.units import count, number, quantity
from mho.trial.limits import OF_LAWS, limits, mended
from mho.trial.network import DATA, UNITS, network

TIMES = {"fresh": 0.0, "a day": 86_400.0, "a month": 30 * 86_400.0}
"""When chips are measured, in seconds after they were written."""
UNLABELLED = 512
"""Training images that converters' ranges and the repair are given."""
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
        raise invalid("chips", chips, "at least 2, to tell the device from one sample of it")
    hardware = _hardware(preset)
    binary = hardware.device.states == 2
    net, held_out = network(binary), mho.data.load(DATA, "validation")
    images = mho.data.load(DATA, "train", per_class=-(-UNLABELLED // 10)).inputs[:UNLABELLED]
    loader = list(zip(held_out.inputs.split(500), held_out.labels.split(500), strict=True))
    times = dict(TIMES)
    if not _ages(hardware):
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
        seconds = [*times.values()][-1] if _ages(other) else 0.0
        found = measure(_chips(net, other, chips, seed, images), [seconds])
        return {what: accuracy[0] for what, accuracy in found.items()}

    in_float = mho.evaluate(net, loader).item()
    written = _chips(net, hardware, chips, seed, images)
    weights = f"{'binary' if binary else 'float'} weights"
    return Trial(
        name=name,
        network=f"{'-'.join(map(str, UNITS))}, {weights}, handwritten digits ({DATA.upper()})",
        chips=f"{chips}, {BITS}-bit converters, tiles {hardware.tile[0]} x {hardware.tile[1]}, "
        "wires without resistance",
        in_float=in_float,
        times=list(times.items()),
        accuracy=measure(written, list(times.values())),
        limits=limits(hardware, in_float, at_last),
        costs=_costs(written, loader, prices),
        remarks=_remarks(preset, hardware),
    )


def steps(preset: Preset) -> int:
    """How often `of_preset` reports progress."""
    return 3 + len(mended(_hardware(preset)))


def _hardware(preset: Preset) -> Hardware:
    """Chips of a device."""
    preset = preset.replace(conduction=None)  # takes no part: `_remarks` says so
    return Hardware(device=preset, dac_bits=BITS, adc_bits=BITS)


def _ages(hardware: Hardware) -> bool:
    """Whether time changes anything."""
    return any(getattr(hardware, law) is not None for law in OVER_TIME)


def repaired(chips: nn.Module, images: Tensor) -> nn.Module:
    """Read-outs tuned and batch normalizations refreshed: no label, no write."""
    mho.tune(chips, images[:128], per="column")
    mho.refresh_batchnorm(chips, images.split(64))
    return chips


def _chips(net: nn.Module, hardware: Hardware, chips: int, seed: int, images: Tensor) -> nn.Module:
    """The network on chips, converters calibrated; the same random numbers for all hardware."""
    generator = torch.Generator().manual_seed(seed)
    converted = mho.convert(net, hardware, chips, generator=generator)
    mho.calibrate(converted, images.split(128))
    return converted


def _costs(
    chips: nn.Module, loader: list[tuple[Tensor, Tensor]], prices: str
) -> list[tuple[str, str]]:
    """Writes, energy, time and lifetime of a chip, in words."""
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


def _remarks(preset: Preset, hardware: Hardware) -> list[str]:
    """What the device does not say."""
    shown = ("retention", "flicker")
    silent = [what for what, law in OF_LAWS.items()
              if law in shown and getattr(hardware, law) is None]  # fmt: skip
    found = []
    if silent:
        found.append(f"not given, and taken as none: {' and '.join(silent)}")
    if preset.conduction is not None:
        found.append("cells are read as ohmic: their law of conduction takes no part")
    return found
