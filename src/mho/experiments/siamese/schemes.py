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
from mho.experiments.earlier import meant_now
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

    fixed_threshold: Steps = 0.65
    """Distance at which "fixed threshold" writes a weight, in steps between levels [1]."""
    falling_threshold: Distances = Distances(first=(1.8, 0.8), last=(0.5, 0.8))
    """Distances of "falling threshold" and its variants in the perceptron."""
    cnn_falling_threshold: Distances = Distances(first=(1.0, 0.65), last=(0.5, 0.65))
    """The same in the CNN."""
    large_threshold: tuple[Steps, Steps] = (3.0, 0.8)
    """Distances of "large threshold", from start to end, in large layers and in small ones [1]."""
    small: Annotated[int, Range(least=0, most=1_000_000_000)] = 5000
    """Weights below which a layer is small [1]."""
    every: Annotated[int, Range(least=2, most=1000)] = 4
    """Batches between two write phases, or in one gradient, of the schemes that have them [1]."""
    budget: Annotated[float, Range(least=1e-9, most=1e6)] = 0.2
    """Writes in an epoch that "write budget" allows, as a share of the weights [1]."""
    gathered: Annotated[float, Range(above=0.5, most=1e4)] = 2.0
    """Distance at which "mixed precision in larger steps" writes, in steps between levels [1]."""
    rounded: Annotated[int, Range(least=1, most=10_000)] = 3
    """Size of a write of "stochastic rounding to larger steps", in steps between levels [1]."""
    sign_share: Annotated[float, Range(least=1e-9, most=1.0)] = 5e-4
    """Share of the weights that "sign of the gradient" moves in a step; it falls with the learning
    rate [1]."""
    random_share: Annotated[float, Range(least=1e-9, most=1.0)] = 2e-3
    """Share of the weights that "random sparse updates" moves in a step; it falls likewise [1]."""


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

    def falling_threshold(self, rate: float) -> dict[str, float]:
        """Thresholds of "falling threshold" and its variants.

        Args:
            rate: present learning rate, as a share of the first one.
        """
        distances = self.writes.cnn_falling_threshold if self.cnn else self.writes.falling_threshold
        return self.by_size(distances.at(rate))

    @property
    def large_threshold(self) -> dict[str, float]:
        """Thresholds of "large threshold" and its variant."""
        return self.by_size(self.writes.large_threshold)

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
        "every cell is read at every step, and pulsed until it is verified or given up: the base "
        "of the paper's 98 %",
        lambda s: mho.WriteStep(s.net, threshold=0),
        verify=True,
        rival=True,
    ),
    "on level change": Scheme(
        "a weight is written when its nearest level has changed: the paper's own policy",
        lambda s: mho.WriteStep(s.net),
    ),
    "fixed threshold": Scheme(
        "a weight is written when it is farther from its level than a distance, the same in all "
        "layers",
        lambda s: mho.WriteStep(s.net, threshold=s.writes.fixed_threshold),
        decides_by=("fixed_threshold",),
    ),
    "falling threshold": Scheme(
        "the same with a distance that falls with the learning rate and is smaller in small layers",
        lambda s: mho.WriteStep(s.net),
        threshold=Setting.falling_threshold,
        decides_by=("falling_threshold", "cnn_falling_threshold", "small"),
    ),
    "falling threshold with verify": Scheme(
        "as falling threshold; a cell to be written is read first and pulsed until verified, as in "
        "the closed loop",
        lambda s: mho.WriteStep(s.net),
        verify=True,
        threshold=Setting.falling_threshold,
        decides_by=("falling_threshold", "cnn_falling_threshold", "small"),
    ),
    "large threshold": Scheme(
        "the same with a larger distance, which does not fall",
        lambda s: mho.WriteStep(s.net, threshold=s.large_threshold),
        decides_by=("large_threshold", "small"),
    ),
    "large threshold with read-back": Scheme(
        "as large threshold; a written weight is read, and the shadow weight is set to it",
        lambda s: mho.WriteStep(s.net, threshold=s.large_threshold, feedback=mho.rules.ReadBack()),
        reads=True,
        decides_by=("large_threshold", "small"),
    ),
    "falling threshold with rewrites": Scheme(
        "as falling threshold; a weight that ended too far from the shadow weight is written "
        "again, at most 3 times",
        lambda s: mho.WriteStep(s.net, feedback=mho.rules.ReadBack(pull=0.0)),
        reads=True,
        threshold=Setting.falling_threshold,
        decides_by=("falling_threshold", "cnn_falling_threshold", "small"),
    ),
    "falling threshold every few batches": Scheme(
        "as falling threshold, written only after every few batches",
        lambda s: mho.WriteStep(s.net, policies=[mho.rules.Every(s.writes.every)]),
        threshold=Setting.falling_threshold,
        decides_by=("falling_threshold", "cnn_falling_threshold", "small", "every"),
    ),
    "falling threshold on summed gradients": Scheme(
        "as falling threshold, one gradient step for several batches",
        lambda s: mho.WriteStep(s.net),
        threshold=Setting.falling_threshold,
        summed=True,
        decides_by=("falling_threshold", "cnn_falling_threshold", "small", "every"),
    ),
    "write budget": Scheme(
        "a fixed number of writes in an epoch; weights farthest from their level come first",
        _budget,
        decides_by=("budget",),
    ),
    "mixed precision": Scheme(
        "movements are summed digitally and written when they reach a whole step",
        lambda s: mho.WriteStep(s.net, rules=[mho.rules.Accumulate()]),
        rival=True,
    ),
    "mixed precision in larger steps": Scheme(
        "the same, written when they reach several steps",
        lambda s: mho.WriteStep(s.net, rules=[mho.rules.Accumulate(s.writes.gathered)]),
        rival=True,
        decides_by=("gathered",),
    ),
    "stochastic rounding": Scheme(
        "movements are rounded at random to whole steps; what is not written is forgotten",
        lambda s: mho.WriteStep(s.net, rules=[mho.rules.StochasticRounding(s.seed)]),
        rival=True,
    ),
    "stochastic rounding to larger steps": Scheme(
        "the same, rounded to several steps, which are nearer to the write error of the cells",
        lambda s: mho.WriteStep(
            s.net, rules=[mho.rules.StochasticRounding(s.seed, s.writes.rounded)]
        ),
        rival=True,
        decides_by=("rounded",),
    ),
    "random sparse updates": Scheme(
        "a few weights, drawn at random by their velocity, move by one step",
        lambda s: mho.WriteStep(
            s.net, rules=[mho.rules.StochasticSparse(s.writes.random_share, seed=s.seed)]
        ),
        momentum=False,
        rival=True,
        scheduled="share",
        decides_by=("random_share",),
    ),
    "sign of the gradient": Scheme(
        "the weights with the largest gradients move by one step against its sign",
        lambda s: mho.WriteStep(s.net, rules=[mho.rules.SignUpdate(s.writes.sign_share)]),
        rival=True,
        scheduled="share",
        decides_by=("sign_share",),
    ),
    "Tiki-Taka": Scheme(
        "gradients are summed in a fast array of asymmetric cells, then moved to the slow one",
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
        raise unknown("scheme", name, SCHEMES, meant_now(name, "siamese"))
    return SCHEMES[name]
