"""Write schemes: when a cell is programmed while a network learns in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from torch import nn

import mho
from mho.learning.layers.layer import ArrayLayer, memristive_layers

if TYPE_CHECKING:
    from mho.experiments.siamese.config import SiameseConfig


@dataclass(frozen=True)
class Setting:
    """What a scheme may ask for when it is set up."""

    config: SiameseConfig
    net: nn.Module
    """The network on its arrays."""
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
        finer, (large, small) = self.config.hardware.levels - 1, pair
        out = {}
        for name, layer in self._layers.items():
            steps = small if layer.weight.numel() < self.config.small else large
            out[name] = max(0.5, steps * (layer.hardware.levels - 1) / finer)
        return out

    def frugal(self, rate: float) -> dict[str, float]:
        """Thresholds of the scheme that most others are variants of.

        Args:
            rate: present learning rate, as a share of the first one.
        """
        config = self.config
        if self.cnn:
            return self.by_size(_between(config.cnn_frugal, config.cnn_frugal_last, rate))
        return self.by_size(_between(config.frugal, config.frugal_last, rate))

    @property
    def sparse(self) -> dict[str, float]:
        """The same of the scheme that writes least."""
        return self.by_size(self.config.sparse)

    @cached_property
    def _layers(self) -> dict[str, ArrayLayer]:
        return memristive_layers(self.net)

    @property
    def weights(self) -> int:
        """Weights of the network."""
        return sum(layer.weight.numel() for layer in self._layers.values())


def _between(
    first: tuple[float, float], last: tuple[float, float], rate: float
) -> tuple[float, float]:
    """Distances in large and in small layers on the way from the first to the last."""
    large, small = (b + (a - b) * rate for a, b in zip(first, last, strict=True))
    return large, small


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
    rival: bool = False
    """Whether it stands for somebody else's way of training in place."""
    threshold: Callable[[Setting, float], dict[str, float]] | None = None
    """Thresholds at a learning rate, given as a share of the first; None: those of the step."""
    scheduled: str = ""
    """Parameter of its rule that falls with the learning rate, if its movement does not."""

    def together(self, config: SiameseConfig) -> int:
        """Batches in one gradient step."""
        return config.every if self.summed else 1


def _budget(s: Setting) -> mho.WriteStep:
    allowed = mho.Budget(round(s.config.budget * s.weights), s.steps)
    return mho.WriteStep(s.net, policies=[allowed])


SCHEMES: dict[str, Scheme] = {
    "float": Scheme("no array: the same network in plain torch", None),
    "closed loop": Scheme(
        "every weight read at every step and pulsed until verified: the base of the paper's 98 %",
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
        lambda s: mho.WriteStep(s.net, threshold=s.config.hysteresis),
    ),
    "frugal": Scheme(
        "beyond a distance that falls with the learning rate, a smaller one in small layers",
        lambda s: mho.WriteStep(s.net),
        threshold=Setting.frugal,
    ),
    "sparse": Scheme(
        "beyond larger distances, which stay",
        lambda s: mho.WriteStep(s.net, threshold=s.sparse),
    ),
    "read-back": Scheme(
        "sparse; what was written is read and the shadow set to it",
        lambda s: mho.WriteStep(s.net, threshold=s.sparse, feedback=mho.ReadBack()),
    ),
    "compensated": Scheme(
        "frugal; what landed too far from the shadow is written again, 3 times at most",
        lambda s: mho.WriteStep(s.net, feedback=mho.ReadBack(pull=0.0)),
        threshold=Setting.frugal,
    ),
    "every few batches": Scheme(
        "frugal, write phases only every few batches",
        lambda s: mho.WriteStep(s.net, policies=[mho.Every(s.config.every)]),
        threshold=Setting.frugal,
    ),
    "summed gradients": Scheme(
        "frugal, one gradient step for several batches",
        lambda s: mho.WriteStep(s.net),
        threshold=Setting.frugal,
        summed=True,
    ),
    "budget": Scheme("the farthest from their level first, so many an epoch", _budget),
    "mixed precision": Scheme(
        "movements gathered digitally, whole steps written",
        lambda s: mho.WriteStep(s.net, rules=[mho.Accumulate()]),
        rival=True,
    ),
    "accumulated": Scheme(
        "the same, written when several steps have gathered",
        lambda s: mho.WriteStep(s.net, rules=[mho.Accumulate(s.config.gathered)]),
        rival=True,
    ),
    "probabilistic": Scheme(
        "movements rounded at random to whole steps",
        lambda s: mho.WriteStep(s.net, rules=[mho.StochasticRounding(s.seed)]),
        rival=True,
    ),
    "coarse probabilistic": Scheme(
        "movements rounded at random to several steps, nearer to the cells' write error",
        lambda s: mho.WriteStep(s.net, rules=[mho.StochasticRounding(s.seed, s.config.rounded)]),
        rival=True,
    ),
    "stochastic sparse": Scheme(
        "one step for a random few, those with large velocity first",
        lambda s: mho.WriteStep(
            s.net, rules=[mho.StochasticSparse(s.config.random_share, seed=s.seed)]
        ),
        momentum=False,
        rival=True,
        scheduled="share",
    ),
    "sign": Scheme(
        "one step against the gradient's sign where it is largest",
        lambda s: mho.WriteStep(s.net, rules=[mho.SignUpdate(s.config.sign_share)]),
        rival=True,
        scheduled="share",
    ),
    "Tiki-Taka": Scheme(
        "gradients gathered in a fast array of asymmetric cells, then moved to the slow one",
        lambda s: mho.WriteStep(s.net, rules=[mho.TikiTaka(seed=s.seed)]),
        momentum=False,
        rival=True,
        scheduled="gain",
    ),
}
"""By name; the rules and policies themselves are the library's."""
