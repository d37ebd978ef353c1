"""Schemes of lifelong learning: what protects old tasks while a network learns new ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import mho
from mho.config import Config, Range
from mho.errors import unknown
from mho.experiments.earlier import meant_now
from mho.experiments.own_code import own_rule
from mho.files.code import is_code
from mho.learning.rules.rule import UpdateRule
from mho.quantities import Count, LearningRate, Strength


class Bayesian(Config):
    """The Bayesian rule."""

    uncertainty: Annotated[float, Range(least=1e-6, most=1e3)] = 0.3
    """Uncertainty of a synapse that knows nothing, in units of the full scale [1]."""
    rate: LearningRate = 0.5
    """Learning rate of SGD for such a synapse [1]."""
    digital_rate: LearningRate = 0.1
    """Learning rate of SGD for batch normalization; other schemes have Adam's [1]."""
    memory: Count = 100_000
    """Steps that the rule remembers [1]."""


class HiddenOnly(Config):
    """Schemes whose synapses store their hidden weight alone: the interval rule, and SGD with
    momentum in place of Adam, which makes every synapse step alike, so that all are consolidated.
    """

    m: Strength = 5.0
    """Strength of the interval rule where all units are open [1]."""
    gated_m: Strength = 3.5
    """The same where units are gated [1]."""
    share: Annotated[float, Range(least=1e-6, most=1.0)] = 0.5
    """Hidden units that are open in a task, where units are gated [1]."""
    rate: LearningRate = 0.3
    """Learning rate at the start of a task, of weights whose full scale is 1 [1]."""
    momentum: Annotated[float, Range(least=0.0, below=1.0)] = 0.9
    """Share of the last step that the next one keeps; 0: no value beside the hidden weight while a
    task is learnt, as well [1]."""
    spread: Annotated[float, Range(least=1e-6, most=1.0)] = 1.0
    """Initial weights are uniform between -spread and spread of the full scale [1]."""
    gated_spread: Annotated[float, Range(least=1e-6, most=1.0)] = 0.3
    """The same where units are gated [1]."""
    levels: Annotated[int, Range(least=2, most=1 << 24)] | None = 5
    """Values of a weight; None: all that its cells can hold [1]."""


class Rules(Config):
    """What the rules of the schemes are made with."""

    damping: Strength = 30.0
    """Damping by path importance [1]."""
    pull: Strength = 2e-3
    """Pull to the anchor, for a synapse of mean importance, in each step [1]."""
    m: Strength = 3.0
    """Strength of the interval rule; the paper finds 2 to 4 useful [1]."""
    mode: Literal["interval", "global"] = "interval"
    """Whether the interval rule counts from the nearest level, or, as the ancestor, from 0."""
    direction: Literal["toward-threshold", "both"] = "toward-threshold"
    """Movement that the interval rule slows down."""
    binary_m: Strength = 1.5
    """Strength of the binarized ancestor's rule; the source's value [1]."""
    elastic: Strength = 10_000.0
    """Strength of elastic weight consolidation [1]."""
    fisher: Annotated[int, Range(least=1, most=550_000)] = 1000
    """Images that its Fisher information is measured on [1]."""
    intelligence: Strength = 5.0
    """Strength of synaptic intelligence [1]."""
    gated_intelligence: Strength = 1.0
    """The same with gates, for permuted MNIST as well [1]."""
    bayesian: Bayesian = Bayesian()
    """The Bayesian rule."""
    hidden_only: HiddenOnly = HiddenOnly()
    """Schemes whose synapses store their hidden weight alone."""
    hidden_bits: Annotated[int, Range(least=2, most=16)] | None = None
    """Bits of the hidden weight, and of what path importance stores; None: float32 [1]."""


class Setting(NamedTuple):
    """What a scheme makes its rules from."""

    rules: Rules
    batch: int
    """Images in a training step."""
    seed: int
    """Seed of what the rules draw."""


class Descent(NamedTuple):
    """SGD, its rates falling along a cosine."""

    setting: str
    """Table of the settings that it is of."""
    rate: float
    """Of the arrays."""
    digital_rate: float | None = None
    """Of batch normalization; None: it learns by Adam, at the rate of the run."""
    momentum: float = 0.0


class Weights(NamedTuple):
    """Initial weights, as shares of the full scale, and the values that they can take."""

    spread: float
    """Standard deviation."""
    uniform: bool = False
    """Whether they are drawn from a uniform distribution; else from a normal one."""
    levels: int | None = None
    """Values of a weight; None: all that its cells can hold."""


BINARY = Weights(0.03, levels=2)
"""Under the binarized ancestor's rule."""


def _uniform(own: HiddenOnly, spread: float) -> Weights:
    return Weights(spread / math.sqrt(3), uniform=True, levels=own.levels)


def _momentum(rules: Rules) -> Descent:
    own = rules.hidden_only
    return Descent("rules.hidden_only", own.rate, momentum=own.momentum)


def _bayesian(rules: Rules) -> Descent:
    return Descent("rules.bayesian", rules.bayesian.rate, rules.bayesian.digital_rate)


_HIDDEN = tuple(f"hidden_only.{name}" for name in ("rate", "momentum", "levels"))


def _importance(s: Setting) -> mho.rules.PathImportance:
    return mho.rules.PathImportance(
        s.rules.damping, s.rules.pull, bits=s.rules.hidden_bits, seed=s.seed
    )


def _elastic(s: Setting) -> mho.rules.ElasticWeights:
    return mho.rules.ElasticWeights(s.rules.elastic)


@dataclass(frozen=True)
class Scheme:
    """One way to learn task after task, or an upper bound that does not."""

    what: str
    rule: Callable[[Setting], UpdateRule] | None = None
    """Its update rule; None: no protection."""
    gates: str | None = None
    """Setting of the random share of the hidden units that is open in each task; None: all are."""
    one_state: bool = False
    """Whether all tasks share one batch normalization."""
    perfect: bool = False
    """Whether cells and converters are without imperfections: the software baseline."""
    joint: bool = False
    """Whether all tasks are learnt at the same time."""
    apart: bool = False
    """Whether each task has a network of its own."""
    fisher: bool = False
    """Whether its rule needs Fisher information at the end of a task."""
    descent: Callable[[Rules], Descent] | None = None
    """SGD of the arrays in place of Adam."""
    weights: Callable[[Rules], Weights] | None = None
    """Initial weights and levels of its own; None: normal ones, and levels as the chips have."""
    decides_by: tuple[str, ...] = ()
    """Settings of `Rules` that play a part in it, beside `hidden_bits`."""

    def rules(self, setting: Setting) -> list[UpdateRule]:
        """Update rules, with that of hidden weights of few bits as the last."""
        bits, found = setting.rules.hidden_bits, [] if self.rule is None else [self.rule(setting)]
        return found if bits is None else [*found, mho.rules.HiddenPrecision(bits, setting.seed)]


SCHEMES: dict[str, Scheme] = {
    "path importance with gates": Scheme(
        "path importance, and a random share of the hidden units open in each task",
        _importance,
        gates="share",
        decides_by=("damping", "pull"),
    ),
    "path importance with gates on ideal chip": Scheme(
        "the same on cells and converters without imperfections: the software baseline",
        _importance,
        gates="share",
        perfect=True,
        decides_by=("damping", "pull"),
    ),
    "path importance": Scheme(
        "path importance, all units open", _importance, decides_by=("damping", "pull")
    ),
    "path importance with one batch norm": Scheme(
        "path importance, and one batch normalization for all tasks",
        _importance,
        one_state=True,
        decides_by=("damping", "pull"),
    ),
    "interval rule": Scheme(
        "the paper's rule between levels, as we read it",
        lambda s: mho.rules.IntervalRule(s.rules.m, s.rules.direction, mode=s.rules.mode),
        decides_by=("m", "mode", "direction"),
    ),
    "interval rule with SGD": Scheme(
        "the same rule, momentum SGD and few levels: a synapse stores only its hidden weight",
        lambda s: mho.rules.IntervalRule(s.rules.hidden_only.m),
        descent=_momentum,
        weights=lambda rules: _uniform(rules.hidden_only, rules.hidden_only.spread),
        decides_by=("hidden_only.m", "hidden_only.spread", *_HIDDEN),
    ),
    "interval rule with SGD and gates": Scheme(
        "the same, and a random share of the hidden units open in each task",
        lambda s: mho.rules.IntervalRule(s.rules.hidden_only.gated_m),
        gates="rules.hidden_only.share",
        descent=_momentum,
        weights=lambda rules: _uniform(rules.hidden_only, rules.hidden_only.gated_spread),
        decides_by=("hidden_only.gated_m", "hidden_only.gated_spread", *_HIDDEN),
    ),
    "binarized network": Scheme(
        "two levels and the rule of Laborieux et al.; activation, schedule and size are ours",
        lambda s: mho.rules.IntervalRule(s.rules.binary_m, mode="global"),
        weights=lambda _rules: BINARY,
        decides_by=("binary_m",),
    ),
    "no protection": Scheme("old tasks are not protected"),
    "gates alone": Scheme(
        "a random share of the hidden units open in each task, and no other protection",
        gates="share",
    ),
    "EWC": Scheme(
        "elastic weight consolidation", _elastic, fisher=True, decides_by=("elastic", "fisher")
    ),
    "EWC with gates": Scheme(
        "elastic weight consolidation, and a random share of the hidden units open in each task",
        _elastic,
        gates="share",
        fisher=True,
        decides_by=("elastic", "fisher"),
    ),
    "SI": Scheme(
        "synaptic intelligence",
        lambda s: mho.rules.SynapticIntelligence(s.rules.intelligence),
        decides_by=("intelligence",),
    ),
    "SI with gates": Scheme(
        "synaptic intelligence, and a random share of the hidden units open in each task",
        lambda s: mho.rules.SynapticIntelligence(s.rules.gated_intelligence),
        gates="share",
        decides_by=("gated_intelligence",),
    ),
    "shuffled path importance": Scheme(
        "path importance, shuffled among the synapses of a layer",
        lambda s: mho.rules.PathImportance(s.rules.damping, s.rules.pull, shuffled=s.seed),
        decides_by=("damping", "pull"),
    ),
    "Bayesian steps": Scheme(
        "the size of a step follows the uncertainty of each synapse",
        lambda s: mho.rules.BayesianSteps(
            s.rules.bayesian.uncertainty, s.rules.bayesian.memory, s.batch
        ),
        descent=_bayesian,
        decides_by=("bayesian",),
    ),
    "joint training": Scheme(
        "all tasks at once, without being told the task: an upper bound", one_state=True, joint=True
    ),
    "separate networks": Scheme("a network for each task: an upper bound", apart=True),
}
"""By name; the rules themselves are the library's."""


def scheme_of(name: str) -> Scheme:
    """The scheme of a name, or that of a user's own rule, `FILE.py:NAME`, all units open.

    Raises:
        ValueError: there is none.
    """
    if is_code(name):
        own_rule(name)  # refused now, if it is none
        return Scheme("a rule of the user's", lambda _setting: own_rule(name))
    if name not in SCHEMES:
        raise unknown("scheme", name, SCHEMES, meant_now(name, "metaplastic"))
    return SCHEMES[name]
