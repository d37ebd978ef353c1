"""Time passes on the chips of a network."""

from __future__ import annotations

import math
import warnings

import torch

from mho.errors import invalid
from mho.learning.evaluate import Net
from mho.learning.layers.layer import memristive_layers


@torch.no_grad()
def age(net: Net, seconds: float, temperature: float | None = None) -> Net:
    """Let time pass on all chips of a network, in place: cells relax, noise wanders, disturb takes
    effect.

    What happens is what `Hardware.retention`, `flicker`, `telegraph` and `disturb` say; between two
    calls the chips stand still, so `age(net, 0)` brings disturb up to date and leaves the rest.
    One long time and the same time in parts end alike: relaxation to rounding, noise in
    distribution. Stuck cells stay as they are. No cell is written and levels stay; `mho.tune` can
    correct the read-out afterwards, and writing a cell starts its relaxation anew.

    Args:
        net: a converted network.
        seconds: how long [s], at least 0.
        temperature: of the chips meanwhile [K]; None: that at which retention was measured. Noise
            and disturb do not depend on it.

    Returns:
        The network.

    Warns: no layer has anything that time or use changes.

    Raises:
        ValueError: a time or temperature that cannot be, or a temperature other than that of a
            retention law without activation energy; then nothing has changed.
    """
    if not 0 <= seconds < math.inf:
        raise invalid("seconds", seconds, "a finite number in [0, inf)")
    layers = memristive_layers(net).values()
    if seconds > 0 and not any(layer.hardware.ages for layer in layers):
        warnings.warn(
            "mho.age: time changes nothing on these chips, Hardware.retention, flicker, telegraph "
            "and disturb are None; a preset as the device brings its own, as in "
            "mho.Hardware(device='pcm-gst')",
            stacklevel=3,  # past no_grad
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
