"""Write schemes: when a cell is programmed while a network learns in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

from torch import nn

import mho
from mho.config import Config, Range
from mho.errors import unknown
from mho.experiments.own_code import own_rule
from mho.files.code import is_code
from mho.learning.layers.layer import ArrayLayer, memristive_layers
from mho.quantities import Steps


class Distances(Config):
    """How far a weight may be from its level before it is written, in large layers and in small
    ones, in steps between levels; it falls with the learning rate."""

    first: tuple[Steps, Steps]
    """At the start [1]."""
    last: tuple[Steps, Steps]
    """At the end [1]."""

    def at(self, rate: float) -> tuple[float, float]:
        """In large layers and in small ones, at a learning rate given as a share of the first."""
        pairs = zip(self.first, self.last, strict=True)
        large, small = (last + (first - last) * rate for first, last in pairs)
        return large, small


class Writes(Config):
    """What the write schemes decide by; all distances are chosen on held-out images."""

    hysteresis: Steps = 0.65
    """Distance at which "hysteresis" writes a weight, in steps between levels [1]."""
    frugal: Distances = Distances(first=(1.8, 0.8), last=(0.5, 0.8))
    """Distances of "frugal" and its variants in the perceptron."""
    cnn_frugal: Distances = Distances(first=(1.0, 0.65), last=(0.5, 0.65))
    """The same in the CNN."""
    sparse: tuple[Steps, Steps] = (3.0, 0.8)
    """Distances of "sparse", from start to end, in large layers and in small ones [1]."""
    small: Annotated[int, Range(least=0, most=1_000_000_000)] = 5000
    """Weights below which a layer is small [1]."""
    every: Annotated[int, Range(least=2, most=1000)] = 4
    """Batches between two write phases, or in one gradient, of the schemes that have them [1]."""
    budget: Annotated[float, Range(least=1e-9, most=1e6)] = 0.2
    """Writes in an epoch that "budget" allows, as a share of the weights [1]."""
    gathered: Annotated[float, Range(above=0.5, most=1e4)] = 2.0
    """Distance at which "accumulated" writes, in steps between levels [1]."""
    rounded: Annotated[int, Range(least=1, most=10_000)] = 3
    """Size of a write of "coarse probabilistic", in steps between levels [1]."""
    sign_share: Annotated[float, Range(least=1e-9, most=1.0)] = 5e-4
    """Share of the weights that "sign" moves in a step, falling with the learning rate [1]."""
    random_share: Annotated[float, Range(least=1e-9, most=1.0)] = 2e-3
    """Share of the weights that "stochastic sparse" moves in a step, falling likewise [1]."""


@dataclass(frozen=True)
class Setting:
    """What a scheme may ask for when it is set up."""

    writes: Writes
    net: nn.Module
    """The network on its arrays."""
    levels: int
    """Levels of a weight that distances count in."""
    cnn: bool
    """Whether it is the CNN."""
    steps: int
    """Training steps in an epoch."""
    seed: int
    """Seed of what the scheme draws."""

    def by_size(self, pair: tuple[float, float]) -> dict[str, float]:
        """Threshold of each layer, from those of large and of small ones.

        They are distances in steps of the run's own number of levels; on other chips the same
        distance counts in their steps, and is at least half of one.
        """
        large, small = pair
        out = {}
        for name, layer in self._layers.items():
            steps = small if layer.weight.numel() < self.writes.small else large
            out[name] = max(0.5, steps * (layer.hardware.levels - 1) / (self.levels - 1))
        return out

    def frugal(self, rate: float) -> dict[str, float]:
        """Thresholds of the scheme that most others are variants of.

        Args:
            rate: present learning rate, as a share of the first one.
        """
        distances = self.writes.cnn_frugal if self.cnn else self.writes.frugal
        return self.by_size(distances.at(rate))

    @property
    def sparse(self) -> dict[str, float]:
        """The same of the scheme that writes least."""
        return self.by_size(self.writes.sparse)

    @cached_property
    def _layers(self) -> dict[str, ArrayLayer]:
        return memristive_layers(self.net)

    @property
    def weights(self) -> int:
        """Weights of the network."""
        return sum(layer.weight.numel() for layer in self._layers.values())


@dataclass(frozen=True)
class Scheme:
    """One way to decide about writes."""

    what: str
    step: Callable[[Setting], mho.WriteStep] | None
    """Its write step; None: the network stays in float."""
    verify: bool = False
    """Program-and-verify, whatever the hardware of the run."""
    momentum: bool = True
    """Whether it takes the momentum of the run."""
    summed: bool = False
    """Whether it takes one gradient step for every few batches."""
    reads: bool = False
    """Whether it goes by what is read of cells that were written."""
    rival: bool = False
    """Whether it stands for somebody else's way of training in place."""
    threshold: Callable[[Setting, float], dict[str, float]] | None = None
    """Thresholds at a learning rate, given as a share of the first; None: those of the step."""
    scheduled: str = ""
    """Parameter of its rule that falls with the learning rate, if its movement does not."""
    decides_by: tuple[str, ...] = ()
    """Settings of `Writes` that play a part in it."""

    def together(self, writes: Writes) -> int:
        """Batches in one gradient step."""
        return writes.every if self.summed else 1


def _budget(s: Setting) -> mho.WriteStep:
    allowed = mho.rules.Budget(round(s.writes.budget * s.weights), s.steps)
    return mho.WriteStep(s.net, policies=[allowed])


SCHEMES: dict[str, Scheme] = {
    "float": Scheme("no array: the same network in plain torch", None),
    "closed loop": Scheme(
        "every weight read at every step and pulsed until verified, but for cells given up: the "
        "base of the paper's 98 %",
        lambda s: mho.WriteStep(s.net, threshold=0),
        verify=True,
        rival=True,
    ),
    "level change": Scheme(
        "where the nearest level changed: the paper's own policy",
        lambda s: mho.WriteStep(s.net),
    ),
    "hysteresis": Scheme(
        "beyond one distance for all layers",
        lambda s: mho.WriteStep(s.net, threshold=s.writes.hysteresis),
        decides_by=("hysteresis",),
    ),
    "frugal": Scheme(
        "beyond a distance that falls with the learning rate, a smaller one in small layers",
        lambda s: mho.WriteStep(s.net),
        threshold=Setting.frugal,
        decides_by=("frugal", "cnn_frugal", "small"),
    ),
    "frugal, verified": Scheme(
        "frugal, what is written is read first and pulsed until verified, as in the closed loop",
        lambda s: mho.WriteStep(s.net),
        verify=True,
        threshold=Setting.frugal,
        decides_by=("frugal", "cnn_frugal", "small"),
    ),
    "sparse": Scheme(
        "beyond larger distances, which stay",
        lambda s: mho.WriteStep(s.net, threshold=s.sparse),
        decides_by=("sparse", "small"),
    ),
    "read-back": Scheme(
        "sparse; what was written is read and the shadow set to it",
        lambda s: mho.WriteStep(s.net, threshold=s.sparse, feedback=mho.rules.ReadBack()),
        reads=True,
        decides_by=("sparse", "small"),
    ),
    "compensated": Scheme(
        "frugal; what landed too far from the shadow is written again, 3 times at most",
        lambda s: mho.WriteStep(s.net, feedback=mho.rules.ReadBack(pull=0.0)),
        reads=True,
        threshold=Setting.frugal,
        decides_by=("frugal", "cnn_frugal", "small"),
    ),
    "every few batches": Scheme(
        "frugal, write phases only every few batches",
        lambda s: mho.WriteStep(s.net, policies=[mho.rules.Every(s.writes.every)]),
        threshold=Setting.frugal,
        decides_by=("frugal", "cnn_frugal", "small", "every"),
    ),
    "summed gradients": Scheme(
        "frugal, one gradient step for several batches",
        lambda s: mho.WriteStep(s.net),
        threshold=Setting.frugal,
        summed=True,
        decides_by=("frugal", "cnn_frugal", "small", "every"),
    ),
    "budget": Scheme(
        "the farthest from their level first, so many an epoch",
        _budget,
        decides_by=("budget",),
    ),
    "mixed precision": Scheme(
        "movements gathered digitally, whole steps written",
        lambda s: mho.WriteStep(s.net, rules=[mho.rules.Accumulate()]),
        rival=True,
    ),
    "accumulated": Scheme(
        "the same, written when several steps have gathered",
        lambda s: mho.WriteStep(s.net, rules=[mho.rules.Accumulate(s.writes.gathered)]),
        rival=True,
        decides_by=("gathered",),
    ),
    "probabilistic": Scheme(
        "movements rounded at random to whole steps",
        lambda s: mho.WriteStep(s.net, rules=[mho.rules.StochasticRounding(s.seed)]),
        rival=True,
    ),
    "coarse probabilistic": Scheme(
        "movements rounded at random to several steps, nearer to the cells' write error",
        lambda s: mho.WriteStep(
            s.net, rules=[mho.rules.StochasticRounding(s.seed, s.writes.rounded)]
        ),
        rival=True,
        decides_by=("rounded",),
    ),
    "stochastic sparse": Scheme(
        "one step for a random few, those with large velocity first",
        lambda s: mho.WriteStep(
            s.net, rules=[mho.rules.StochasticSparse(s.writes.random_share, seed=s.seed)]
        ),
        momentum=False,
        rival=True,
        scheduled="share",
        decides_by=("random_share",),
    ),
    "sign": Scheme(
        "one step against the gradient's sign where it is largest",
        lambda s: mho.WriteStep(s.net, rules=[mho.rules.SignUpdate(s.writes.sign_share)]),
        rival=True,
        scheduled="share",
        decides_by=("sign_share",),
    ),
    "Tiki-Taka": Scheme(
        "gradients gathered in a fast array of asymmetric cells, then moved to the slow one",
        lambda s: mho.WriteStep(s.net, rules=[mho.rules.TikiTaka(seed=s.seed)]),
        momentum=False,
        rival=True,
        scheduled="gain",
    ),
}
"""By name; the rules and policies themselves are the library's."""


def scheme_of(name: str) -> Scheme:
    """The scheme of a name, or that of a user's own rule, `FILE.py:NAME`: written where the nearest
    level changed.

    Raises:
        ValueError: there is none.
    """
    if is_code(name):
        own_rule(name)  # refused now, if it is none
        return Scheme(
            "where the nearest level changed, under a rule of the user's",
            lambda s: mho.WriteStep(s.net, rules=[own_rule(name)]),
        )
    if name not in SCHEMES:
        raise unknown("scheme", name, SCHEMES)
    return SCHEMES[name]
