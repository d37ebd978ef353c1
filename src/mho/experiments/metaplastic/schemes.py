"""Schemes of lifelong learning: what protects old tasks while a network learns new ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import mho
from mho.learning.rules.rule import UpdateRule

if TYPE_CHECKING:
    from mho.experiments.metaplastic.config import MetaplasticConfig

Rules = Callable[["MetaplasticConfig", int], Sequence[UpdateRule]]
"""Update rules under a configuration; the seed is for what they draw."""


def _none(config: MetaplasticConfig, seed: int) -> list[UpdateRule]:
    return []


def _importance(config: MetaplasticConfig, seed: int) -> list[UpdateRule]:
    return [mho.PathImportance(config.damping, config.pull, bits=config.hidden_bits, seed=seed)]


def _shuffled(config: MetaplasticConfig, seed: int) -> list[UpdateRule]:
    return [mho.PathImportance(config.damping, config.pull, shuffled=seed)]


def _interval(config: MetaplasticConfig, seed: int) -> list[UpdateRule]:
    return [mho.IntervalRule(config.m, config.direction, mode=config.mode)]


def _ancestor(config: MetaplasticConfig, seed: int) -> list[UpdateRule]:
    return [mho.IntervalRule(config.binary_m, mode="global")]


def _elastic(config: MetaplasticConfig, seed: int) -> list[UpdateRule]:
    return [mho.ElasticWeights(config.elastic)]


def _intelligence(config: MetaplasticConfig, seed: int) -> list[UpdateRule]:
    return [mho.SynapticIntelligence(config.intelligence)]


def _gated_intelligence(config: MetaplasticConfig, seed: int) -> list[UpdateRule]:
    return [mho.SynapticIntelligence(config.gated_intelligence)]


def _bayesian(config: MetaplasticConfig, seed: int) -> list[UpdateRule]:
    return [mho.BayesianSteps(config.uncertainty, config.memory_steps, config.batch)]


@dataclass(frozen=True)
class Scheme:
    """One way to learn task after task, or an upper bound that does not."""

    what: str
    rules: Rules = _none
    gated: bool = False
    """Whether a random share of the hidden units is open in each task."""
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
    plain: bool = False
    """Whether the optimizer is SGD, since the rule scales the steps itself."""
    binary: bool = False
    """Whether weights have two levels."""


SCHEMES: dict[str, Scheme] = {
    "gated importance": Scheme(
        "path importance, and a random share of the hidden units open in each task",
        _importance,
        gated=True,
    ),
    "software": Scheme(
        "the same, cells and converters without imperfections",
        _importance,
        gated=True,
        perfect=True,
    ),
    "importance": Scheme("path importance, all units open", _importance),
    "one state": Scheme(
        "path importance, and one batch normalization for all tasks", _importance, one_state=True
    ),
    "interval": Scheme("the paper's rule between levels, as we read it", _interval),
    "binarized": Scheme(
        "two levels and the binarized ancestor's rule; activation, schedule and size ours",
        _ancestor,
        binary=True,
    ),
    "none": Scheme("no protection"),
    "gates": Scheme("gates alone", gated=True),
    "EWC": Scheme("elastic weight consolidation", _elastic, fisher=True),
    "gated EWC": Scheme("the same with gates", _elastic, gated=True, fisher=True),
    "SI": Scheme("synaptic intelligence", _intelligence),
    "gated SI": Scheme("the same with gates", _gated_intelligence, gated=True),
    "random": Scheme("path importance, shuffled among the synapses of a layer", _shuffled),
    "Bayesian": Scheme("steps by each synapse's uncertainty", _bayesian, plain=True),
    "joint": Scheme(
        "all tasks at once, not told which: an upper bound for that", one_state=True, joint=True
    ),
    "apart": Scheme("a network for each task: an upper bound", apart=True),
}
"""By name; the rules themselves are the library's."""
