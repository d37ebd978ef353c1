"""Time passes on the chips of a network."""

from __future__ import annotations

import math
import re

import torch

from mho.arguments import checked
from mho.errors import invalid, warn
from mho.learning.evaluate import Net
from mho.learning.layers.layer import memristive_layers

UNITS: dict[str, float] = {
    "s": 1.0,
    "second": 1.0,
    "min": 60.0,
    "minute": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
    "week": 7 * 86400.0,
    "month": 365.25 / 12 * 86400.0,
    "year": 365.25 * 86400.0,
}
"""Units of time in words [s]; those of more than three letters may end in s."""


@torch.no_grad()
@checked
def age(net: Net, seconds: float | str, temperature: float | None = None) -> Net:
    """Let time pass on all chips of a network, in place: cells relax, noise wanders, disturb takes
    effect.

    What happens is what `Hardware.retention`, `flicker`, `telegraph` and `disturb` say; between two
    calls the chips stand still, so `age(net, 0)` brings disturb up to date and leaves the rest.
    One long time and the same time in parts end alike: relaxation to rounding, noise in
    distribution. Stuck cells stay as they are. No cell is written and levels stay; `mho.tune` can
    correct the read-out afterwards, and writing a cell starts its relaxation anew.

    Args:
        net: a converted network.
        seconds: how long [s], at least 0; or a number and a unit, "3 h", "1 day", "10 years". A
            month is a twelfth of a year, a year 365.25 days.
        temperature: of the chips meanwhile [K]; None: that at which retention was measured. Noise
            and disturb do not depend on it.

    Returns:
        The network.

    Warns, once a network: no layer has anything that time or use changes.

    Raises:
        ValueError: a time or temperature that cannot be, or a temperature other than that of a
            retention law without activation energy; then nothing has changed.
    """
    if isinstance(seconds, str):
        seconds = seconds_of(seconds)
    if not 0 <= seconds < math.inf:
        raise invalid("seconds", seconds, "a finite number in [0, inf)")
    layers = [*memristive_layers(net).values()]
    stand_still = seconds > 0 and not any(layer.hardware.ages for layer in layers)
    if stand_still and layers[0].said.first("time"):
        warn(
            "mho.age: time changes nothing on these chips, because Hardware.retention, flicker, "
            "telegraph and disturb are None. A preset given as the device brings its own laws, as "
            "in mho.Hardware(device='pcm-gst')"
        )
    for layer in layers:
        law = layer.hardware.retention
        if law is not None:
            law.acceleration(temperature)
        elif temperature is not None and not 0 < temperature < math.inf:
            raise invalid("temperature", temperature, "a finite number in (0, inf) K, or None")
    for layer in layers:
        layer.age(seconds, temperature)
    return net


def seconds_of(time: str, what: str = "seconds") -> float:
    """A time in words, such as "3 h" or "10 years" [s].

    Args:
        time: a number and a unit.
        what: name of the argument, for errors.

    Raises:
        ValueError: it is no number with a unit.
    """
    found = re.fullmatch(r"\s*([-+.\d][-+.\deE]*?)\s*([a-z]+)\s*", time)
    try:
        number, unit = float(found[1]), found[2]  # type: ignore[index]
    except (TypeError, ValueError):
        number, unit = 0.0, ""
    if unit not in UNITS and len(unit) > 3:
        unit = unit.removesuffix("s")
    if unit not in UNITS:
        allowed = f"seconds, or a number and one of {', '.join(UNITS)}, such as '3 h' or '10 years'"
        raise invalid(what, time, allowed)
    return number * UNITS[unit]
