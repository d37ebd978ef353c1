"""Rules that find at the end of a task which synapses mattered, and keep those near their anchor.

Each stores per synapse an importance and an anchor, the weight at the end of the last task. One
anchor serves all tasks before: the quadratic penalties of several tasks, each around its own end,
are taken as one around the last end, with the sum of their importances.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from mho.arguments import checked
from mho.errors import NotReady, invalid
from mho.hardware.philox import words
from mho.hardware.streams import key
from mho.learning.rules.hidden_precision import uniform
from mho.learning.rules.rule import State, Synapses, Update


class PathImportance:
    """Consolidation by the importance that each synapse gathered along its own path.

    Over a task each synapse accumulates `-gradient x movement`, what it contributed to lowering the
    loss (Zenke et al. 2017, arXiv 1703.04200); at the end of the task this, over the squared
    distance travelled and normalized to mean 1 in each layer, is added to its importance I, and its
    weight becomes the anchor. Later steps are damped and pulled back,

        delta <- delta / (1 + damping I),   W <- W + (anchor - W) pull I / (1 + pull I),

    which is local to the synapse and stable for any importance.

    With `bits`, what a synapse stores is rounded to so many: path integrals at random, their mean
    kept, to whole multiples of a grain, a power of 2 that doubles when one of them outgrows the
    bits; importances to the squares of equal steps from 0 to the largest. The anchor is a hidden
    weight, as exact as `HiddenPrecision`, last in the chain, makes that. A layer has one grain and
    one largest value.

    Args:
        damping: at least 0.
        pull: share of the way back to the anchor in each step, for a synapse of mean importance.
        floor: squared distance below which importance stops growing, as a share of the layer's
            mean squared distance.
        shuffled: seed; what a task adds to the importances is dealt out to the synapses of the
            layer at random. The baseline that knows how much to consolidate, not what.
        bits: of a path integral and of an importance, 2 to 16; None: floating point.
        seed: of the rounding, which depends on it, the layer and the number of steps alone.
    """

    needs_gradient = True
    stored = ("path", "importance", "anchor")

    @checked
    def __init__(
        self,
        damping: float,
        pull: float,
        floor: float = 0.1,
        shuffled: int | None = None,
        bits: int | None = None,
        seed: int = 0,
    ) -> None:
        for name, value in (("damping", damping), ("pull", pull)):
            if not value >= 0:
                raise invalid(f"PathImportance.{name}", value, "at least 0")
        if not floor > 0:
            raise invalid("PathImportance.floor", floor, "above 0")
        if bits is not None and not 2 <= bits <= 16:
            raise invalid("PathImportance.bits", bits, "2 to 16, or None")
        self.damping, self.pull, self.floor, self.shuffled = damping, pull, floor, shuffled
        self.bits, self.seed = bits, seed
        self._made = WeakTensorKeyDictionary()

    def __getstate__(self) -> dict[str, object]:
        """Copies and pickles make factors of their own."""
        return {name: value for name, value in self.__dict__.items() if name != "_made"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state, _made=WeakTensorKeyDictionary())

    def init(self, weight: Tensor) -> State:
        """Path integral, importance, anchor, tasks so far; grain of the path and steps so far."""
        few = {
            "grain": torch.zeros((), device=weight.device),
            "step": torch.zeros((), dtype=torch.int64),
        }
        return ({} if self.bits is None else few) | {
            "path": torch.zeros_like(weight),
            "importance": torch.zeros_like(weight),
            "anchor": weight.clone(),
            "tasks": torch.zeros((), dtype=torch.int64),
        }

    def apply(self, update: Update, state: State) -> None:
        """Damp and pull back; account for the path that remains."""
        delta, factors = update.delta, self._factors(state["importance"])
        if factors.damp is not None:
            delta.mul_(factors.damp)
        if update.gradient is not None:
            if self.bits is None:
                state["path"].addcmul_(update.gradient, delta, value=-1)
            else:
                self._gather(update.gradient * -delta, update.layer, state)
        if factors.share is not None:
            home = torch.sub(state["anchor"], update.before, out=factors.room)
            delta.lerp_(home, factors.share)

    def consolidate(self, synapses: Synapses, state: State) -> None:
        """Turn the path into importance; anchor here; start anew."""
        state["tasks"] += 1
        travelled = (synapses.weight - state["anchor"]).square_()
        distance = (travelled + self.floor * travelled.mean()).clamp_(min=1e-30)
        gathered = state["path"].clamp(min=0).div_(distance)
        gathered.div_(gathered.mean().clamp(min=1e-30))
        if self.shuffled is not None:
            gathered = _dealt(gathered, self.shuffled, synapses.layer, int(state["tasks"]))
        state["importance"].add_(gathered)
        if self.bits is not None:
            _round_squares(state["importance"], self.bits)
            state["grain"].zero_()
        state["anchor"].copy_(synapses.weight)
        state["path"].zero_()

    def _gather(self, gained: Tensor, layer: str, state: State) -> None:
        """Add to the path in whole grains."""
        assert self.bits is not None
        state["step"] += 1
        path, grain, most = state["path"], state["grain"], 2 ** (self.bits - 1) - 1
        least = (gained.abs().max() / most).clamp(min=1e-30).log2().ceil().exp2()
        grain.copy_(torch.where(grain > 0, grain, least))
        stream = key(self.seed, layer, "path", int(state["step"]), gained.numel())
        gained.div_(grain).add_(uniform(gained, stream)).floor_()
        path.add_(gained.mul_(grain))
        outgrown = (path.abs().max() / (grain * most)).clamp(min=1).log2().ceil()
        grain.mul_(outgrown.exp2())
        path.div_(grain).round_().mul_(grain)

    def _factors(self, importance: Tensor) -> _Factors:
        """What follows from the importances, made anew when they or the strengths changed."""
        of = (importance._version, self.damping, self.pull)
        made: _Factors | None = self._made.get(importance)
        if made is None or made.of != of:
            made = self._made[importance] = _factors(importance, *of)
        return made


class _Factors(NamedTuple):
    """What a step needs of the importances; None: leaves the movement as it is."""

    of: tuple[int, float, float]
    """Version of the importances, damping, pull."""
    damp: Tensor | None
    """1 / (1 + damping I)."""
    share: Tensor | None
    """pull I / (1 + pull I)."""
    room: Tensor | None
    """Room for one tensor of the step, so that none is allocated."""


def _factors(importance: Tensor, version: int, damping: float, pull: float) -> _Factors:
    damp = share = room = None
    if importance.any():
        if damping:
            damp = importance.mul(damping).add_(1).reciprocal_()
        if pull:
            share = importance.mul(pull)
            share.div_(share + 1)
            room = torch.empty_like(share)
    return _Factors((version, damping, pull), damp, share, room)


class ElasticWeights:
    """Elastic weight consolidation (Kirkpatrick et al. 2017, 10.1073/pnas.1611835114).

    Before a task ends its Fisher information is measured, F = mean of the squared gradients of
    single samples (`measure_fisher`), and from then on `strength / 2 sum F (W - anchor)^2` is part
    of the loss:

        gradient <- gradient + strength F (W - anchor)

    This is the variant with one running anchor, the end of the last task, and the sum of all
    tasks' F (online EWC without forgetting, Schwarz et al. 2018, arXiv 1805.06370); the original
    keeps an anchor and an F a task. The sum of the squares while F is measured is not counted
    under `stored`.

    Args:
        strength: the paper's lambda, at least 0.
    """

    needs_gradient = False
    stored = ("fisher", "anchor")

    @checked
    def __init__(self, strength: float) -> None:
        if not strength >= 0:
            raise invalid("ElasticWeights.strength", strength, "at least 0")
        self.strength = strength

    def init(self, weight: Tensor) -> State:
        """Fisher information, anchor; squared gradients and number of the passes observed."""
        return {
            "fisher": torch.zeros_like(weight),
            "anchor": weight.clone(),
            "squares": torch.zeros_like(weight),
            "passes": torch.zeros((), dtype=torch.int64),
            "tasks": torch.zeros((), dtype=torch.int64),
        }

    def observe(self, gradient: Tensor, state: State) -> None:
        """Add the squared gradient of one sample."""
        state["squares"].addcmul_(gradient, gradient)
        state["passes"] += 1

    def steer(self, weight: Tensor, gradient: Tensor, state: State) -> None:
        """Add the gradient of the penalty."""
        if int(state["tasks"]):
            gradient.addcmul_(state["fisher"], weight - state["anchor"], value=self.strength)

    def apply(self, update: Update, state: State) -> None:
        """Nothing: the movement follows from the penalty."""

    def consolidate(self, synapses: Synapses, state: State) -> None:
        """Add the task's Fisher information; anchor here.

        Raises:
            RuntimeError: none was measured.
        """
        passes = int(state["passes"])
        if not passes:
            raise NotReady(
                f"ElasticWeights: {synapses.layer!r} has no Fisher information of this task; call "
                "mho.rules.measure_fisher(...) before consolidate()"
            )
        state["fisher"].add_(state["squares"], alpha=1 / passes)
        state["anchor"].copy_(synapses.weight)
        state["squares"].zero_()
        state["passes"].zero_()
        state["tasks"] += 1


class SynapticIntelligence:
    """Synaptic intelligence (Zenke et al. 2017, arXiv 1703.04200).

    Over a task, path <- path - gradient x movement, with the gradient of the loss without penalty
    and the movement as it happened, all rules before this one in the chain included; at its end

        omega <- omega + max(0, path / ((W - anchor)^2 + damping full_scale^2)),   anchor <- W

    and `strength sum omega (W - anchor)^2` is part of the loss.

    Args:
        strength: the paper's c, at least 0.
        damping: the paper's xi, above 0, in units of the squared full scale: the paper's own 0.1
            if the outermost level stands for a weight of 1.
    """

    needs_gradient = True
    stored = ("path", "omega", "anchor")

    @checked
    def __init__(self, strength: float, damping: float = 0.1) -> None:
        if not strength >= 0:
            raise invalid("SynapticIntelligence.strength", strength, "at least 0")
        if not damping > 0:
            raise invalid("SynapticIntelligence.damping", damping, "above 0")
        self.strength, self.damping = strength, damping

    def init(self, weight: Tensor) -> State:
        """Path integral, importance, anchor, tasks so far."""
        return {
            "path": torch.zeros_like(weight),
            "omega": torch.zeros_like(weight),
            "anchor": weight.clone(),
            "tasks": torch.zeros((), dtype=torch.int64),
        }

    def steer(self, weight: Tensor, gradient: Tensor, state: State) -> None:
        """Add the gradient of the penalty."""
        if int(state["tasks"]):
            gradient.addcmul_(state["omega"], weight - state["anchor"], value=2 * self.strength)

    def apply(self, update: Update, state: State) -> None:
        """Account for the path."""
        if update.gradient is not None:
            state["path"].addcmul_(update.gradient, update.delta, value=-1)

    def consolidate(self, synapses: Synapses, state: State) -> None:
        """Turn the path into importance; anchor here; start anew."""
        distance = (synapses.weight - state["anchor"]).square_()
        distance.add_(self.damping * synapses.full_scale**2)
        state["omega"].add_(distance.reciprocal_().mul_(state["path"]).clamp_(min=0))
        state["anchor"].copy_(synapses.weight)
        state["path"].zero_()
        state["tasks"] += 1


def _round_squares(values: Tensor, bits: int) -> None:
    """Round values of at least 0 to the squares of 2^bits equal steps from 0 to the largest."""
    top, most = values.max().clamp(min=1e-30), 2**bits - 1
    values.div_(top).sqrt_().mul_(most).round_().div_(most).square_().mul_(top)


def _dealt(values: Tensor, seed: int, layer: str, task: int) -> Tensor:
    """The values in an order drawn for a layer and a task."""
    n = values.numel()
    order = words([key(seed, layer, "shuffled", task, n)], n, values.device)[0].argsort(stable=True)
    return values.flatten()[order].view_as(values)
