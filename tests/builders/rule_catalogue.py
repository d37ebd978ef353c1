"""Every rule, as tests of all of them make it."""

from collections.abc import Callable

import mho
from mho.learning.rules.rule import UpdateRule

RULES: dict[str, Callable[[], UpdateRule]] = {
    "interval": lambda: mho.rules.IntervalRule(1.0),
    "global": lambda: mho.rules.IntervalRule(1.0, mode="global"),
    "path importance": lambda: mho.rules.PathImportance(1.0, 0.01),
    "shuffled importance": lambda: mho.rules.PathImportance(1.0, 0.01, shuffled=4),
    "importance of few bits": lambda: mho.rules.PathImportance(1.0, 0.01, bits=6),
    "elastic weights": lambda: mho.rules.ElasticWeights(0.3),
    "synaptic intelligence": lambda: mho.rules.SynapticIntelligence(0.3),
    "bayesian steps": lambda: mho.rules.BayesianSteps(0.3, 100.0, 8),
    "hidden precision": lambda: mho.rules.HiddenPrecision(8, 3),
    "accumulate": lambda: mho.rules.Accumulate(),
    "stochastic rounding": lambda: mho.rules.StochasticRounding(3),
    "stochastic sparse": lambda: mho.rules.StochasticSparse(0.1),
    "sign update": lambda: mho.rules.SignUpdate(0.1),
    "tiki-taka": lambda: mho.rules.TikiTaka(0.01, 1.0, gain=0.5),
}
