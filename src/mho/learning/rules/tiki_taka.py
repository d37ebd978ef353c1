"""Tiki-Taka: a fast array of imperfect cells gathers the gradient, a slow one holds the weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mho.arguments import checked
from mho.errors import invalid
from mho.hardware.philox import normals, uniforms
from mho.learning.rules.quantized_updates import draw, move
from mho.learning.rules.rule import State, Synapses, Update


class FastPulses(NamedTuple):
    """Wear of the fast arrays of a network."""

    total: int
    """Pulses on all cells."""
    most: int
    """Most pulses on any cell."""


class TikiTaka:
    """Training with asymmetric cells (Gokmen & Haensch 2020, 10.3389/fnins.2020.00103).

    The movement goes, in whole pulses, to a fast array whose cells, A in [-1, 1], saturate softly:

        n = floor(|delta| / (granularity step) + u),   u uniform in (0, 1)
        A <- A + (1 - A) g  by each pulse up,   A <- A - (1 + A) g  down,   g = granularity / window

    in closed form `s A <- 1 - (1 - s A) (1 - g)^n` for n pulses of sign s; the n changes together
    are off by `cycle_noise / sqrt(n)` of themselves. Pulses of both signs draw a cell to 0, where
    they cancel: A is a leaky mean of the movement. At every `transfer_every`-th step A is read and
    gathered in a digital buffer H, as in the scheme's second version (10.3389/frai.2021.699148),

        H <- H + gain window (A + read_noise z),   k = trunc(H),   H <- H - k

    and the weight moves by k levels. Our choices: the pulses are those of a batch's movement, so
    that what cancels within a batch wears nothing; the whole fast array is read at once, not one
    column in turn; its cells are all alike, their symmetry points exactly known.

    Args:
        granularity: movement of one pulse at A = 0, in steps between weight levels.
        window: movement that A = 1 stands for, in steps; at least the granularity.
        transfer_every: training steps from one transfer to the next.
        gain: share of the fast array's value that a transfer adds to the buffer. What the array
            holds has passed the learning rate: to let the transfers follow a schedule too, change
            the attribute between steps.
        cycle_noise: spread of the change by one pulse, relative to it.
        read_noise: spread of one reading of A.
        seed: of the draws, which depend on it and on the number of steps alone.
    """

    lands_on_levels = True
    needs_gradient = False
    stored = ("fast", "buffer")

    @checked
    def __init__(
        self,
        granularity: float = 0.003,
        window: float = 0.03,
        transfer_every: int = 1,
        gain: float = 0.3,
        cycle_noise: float = 0.3,
        read_noise: float = 0.0,
        seed: int = 0,
    ) -> None:
        if not granularity > 0:
            raise invalid("TikiTaka.granularity", granularity, "above 0 steps")
        if not window >= granularity:
            raise invalid("TikiTaka.window", window, f"at least the granularity, {granularity:g}")
        if transfer_every < 1:
            raise invalid("TikiTaka.transfer_every", transfer_every, "at least 1")
        if not gain > 0:
            raise invalid("TikiTaka.gain", gain, "above 0")
        for name, value in (("cycle_noise", cycle_noise), ("read_noise", read_noise)):
            if not value >= 0:
                raise invalid(f"TikiTaka.{name}", value, "at least 0")
        self.granularity, self.window = granularity, window
        self.transfer_every, self.gain = transfer_every, gain
        self.cycle_noise, self.read_noise, self.seed = cycle_noise, read_noise, seed

    def init(self, weight: Tensor) -> State:
        """Steps so far, fast array in [-1, 1], buffer in steps, pulses on each fast cell."""
        return {
            "step": torch.zeros((), dtype=torch.int64),
            "fast": torch.zeros_like(weight),
            "buffer": torch.zeros_like(weight),
            "pulses": torch.zeros_like(weight, dtype=torch.int32),
        }

    def apply(self, update: Update, state: State) -> None:
        """Pulse the fast array; at a transfer move by whole steps, else stay."""
        state["step"] += 1
        step = int(state["step"])
        self._pulse(update, state, step)
        steps = torch.zeros_like(update.delta)
        if step % self.transfer_every == 0:
            read, buffer = state["fast"], state["buffer"]
            if self.read_noise:
                read = read + self.read_noise * draw(
                    normals, read, self.seed, update.layer, "read", step
                )
            buffer.add_(read, alpha=self.gain * self.window)
            torch.trunc(buffer, out=steps)
            buffer.sub_(steps)
        move(update, steps)

    def consolidate(self, synapses: Synapses, state: State) -> None:
        """Nothing."""

    def _pulse(self, update: Update, state: State, step: int) -> None:
        """The movement, as pulses of random number on the fast array."""
        fast, sign = state["fast"], update.delta.sign()
        u = draw(uniforms, fast, self.seed, update.layer, "pulses", step)
        n = update.delta.abs().div_(self.granularity * update.step).add_(u).floor_()
        state["pulses"].add_(n.to(torch.int32))
        change = (1 - self.granularity / self.window) ** n
        change = change.neg_().add_(1).mul_(1 - sign * fast).mul_(sign)
        if self.cycle_noise:
            z = draw(normals, fast, self.seed, update.layer, "cycle", step)
            change.mul_(z.mul_(self.cycle_noise).div_(n.clamp_(min=1).sqrt_()).add_(1))
        fast.add_(change).clamp_(-1.0, 1.0)


@checked
def fast_pulses(state: Mapping[str, Any]) -> FastPulses:
    """Pulses that the fast arrays of `TikiTaka` took, of a `WriteStep.state_dict()`; 0 without any.

    The ledger does not see them: the fast arrays are no part of the network.
    """
    if not isinstance(state.get("rules"), Mapping):
        raise invalid("state", state, "a WriteStep.state_dict()")
    chains = state["rules"].values()
    pulses = [entry["pulses"] for chain in chains for entry in chain if "pulses" in entry]
    most = max((int(p.max()) for p in pulses), default=0)
    return FastPulses(sum(int(p.sum()) for p in pulses), most)
