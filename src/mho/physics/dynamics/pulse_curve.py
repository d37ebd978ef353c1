"""Pulse response of a dynamic model: the conductance after each of a number of pulses."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from mho.arguments import checked
from mho.errors import invalid
from mho.physics.cell import Traits
from mho.physics.dynamics.model import DynamicModel
from mho.physics.dynamics.source import Source
from mho.physics.dynamics.stepper import Method
from mho.physics.dynamics.transient import transient
from mho.physics.dynamics.waveform import PulseTrain
from mho.physics.noise import Noise


class PulseCurve(NamedTuple):
    """What a lab records of devices (...) under n pulses."""

    v: Float[Tensor, " n"]
    """Amplitude of each pulse [V]."""
    width: Float[Tensor, " n"]
    """Length of its flat top [s]."""
    g: Float[Tensor, "*d n+1"]
    """Conductance before the first and after each pulse, at the read voltage [S]."""
    state: Float[Tensor, "*d"]
    """State after the last pulse, from which a further call goes on."""


@checked
def pulse_train(
    model: DynamicModel,
    *trains: PulseTrain,
    state: Float[Tensor, "*#d"] | None = None,
    traits: Traits | None = None,
    method: Method | None = None,
    source: Source | None = None,
    noise: Noise | None = None,
) -> PulseCurve:
    """Conductance of devices (...) after each pulse of the trains, one train after the other.

    Each is read after the rest that follows the pulse; reading moves nothing.

    Args:
        state: (...) where the devices start; None: at `model.start`.
        traits: (...) each, parameters by name that differ from device to device.
        method: how to step; None: `Adaptive()`.
        source: resistance in series and compliance; None: none of both.
        noise: (...) as in `transient`; its numbers go on from train to train.

    Raises:
        ValueError: no train is given.
    """
    if not trains:
        raise invalid("trains", trains, "at least one train of pulses")
    curve: list[Tensor] = []
    for train in trains:
        ends = train.ends()
        times = ends if curve else torch.cat([ends.new_zeros(1), ends])
        trace = transient(
            model, train, samples=times, state=state, traits=traits, method=method,
            source=source, noise=noise,
        )  # fmt: skip
        curve.append(trace.g)
        state = trace.state[..., -1]
    g = torch.cat(curve, -1)
    each = [(train.amplitude, train.width) for train in trains for _ in range(train.count)]
    v, width = g.new_tensor(each).unbind(-1)
    assert state is not None
    return PulseCurve(v, width, g, state)
