"""When and how a weight moves and is written while a network learns in place.

A `WriteStep` takes update rules, which change how shadow weights move; policies, which thin out
what is written; and feedback, which reads what was written. Each is a small protocol, of which
users write their own: see docs/extending.md in the source distribution.
"""

from mho.learning.rules.bayesian import BayesianSteps
from mho.learning.rules.consolidation import ElasticWeights, PathImportance, SynapticIntelligence
from mho.learning.rules.hidden_precision import HiddenPrecision
from mho.learning.rules.quantized_updates import (
    Accumulate,
    SignUpdate,
    StochasticRounding,
    StochasticSparse,
)
from mho.learning.rules.rule import (
    IntervalRule,
    Observes,
    State,
    Steers,
    Synapses,
    Update,
    UpdateRule,
)
from mho.learning.rules.tiki_taka import TikiTaka, fast_pulses
from mho.learning.writing.feedback import ReadBack
from mho.learning.writing.fisher import measure_fisher
from mho.learning.writing.policy import Budget, Candidates, Every, WritePolicy
from mho.learning.writing.write_step import WriteStep, Written, write

__all__ = [
    "Accumulate",
    "BayesianSteps",
    "Budget",
    "Candidates",
    "ElasticWeights",
    "Every",
    "HiddenPrecision",
    "IntervalRule",
    "Observes",
    "PathImportance",
    "ReadBack",
    "SignUpdate",
    "State",
    "Steers",
    "StochasticRounding",
    "StochasticSparse",
    "Synapses",
    "SynapticIntelligence",
    "TikiTaka",
    "Update",
    "UpdateRule",
    "WritePolicy",
    "WriteStep",
    "Written",
    "fast_pulses",
    "measure_fisher",
    "write",
]
