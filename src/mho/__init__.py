"""mho: learning on memristors, from write-once to lifelong.

hw  = mho.Hardware(device=mho.devices.get("hfo2-1t1r"), dac_bits=8, adc_bits=8)
net = mho.convert(model, hw, chips=32)
acc = mho.evaluate(net, loader)             # (chips,)
mho.tune(net, batch, per="column")          # no cell is written
rep = mho.ledger(net)                       # integers
cost = mho.price(rep, mho.prices.get("hfo2-130nm"))
"""

from mho import data, instruments, nn
from mho.circuits import (
    NotConverged,
    OperatingPoint,
    SpiceError,
    Wires,
    effective_conductance,
    netlist,
    operating_point,
    simulate,
)
from mho.hardware import Hardware, Placement, ledger, price, prices
from mho.learning.age import age
from mho.learning.attach import attach
from mho.learning.convert import convert, to_digital
from mho.learning.evaluate import calibrate, confusion, evaluate
from mho.learning.layer_netlist import netlist_of
from mho.learning.layers.quantizer import quantize
from mho.learning.repair.batchnorm import refresh_batchnorm
from mho.learning.repair.expected_batchnorm import expect_batchnorm
from mho.learning.repair.fixed_point import fixed_point, formats
from mho.learning.repair.refit import refit
from mho.learning.repair.saturation import saturation
from mho.learning.repair.tune import correct, tune, untune
from mho.learning.rewire import rewire
from mho.learning.rules.bayesian import BayesianSteps
from mho.learning.rules.consolidation import ElasticWeights, PathImportance, SynapticIntelligence
from mho.learning.rules.hidden_precision import HiddenPrecision
from mho.learning.rules.quantized_updates import (
    Accumulate,
    SignUpdate,
    StochasticRounding,
    StochasticSparse,
)
from mho.learning.rules.rule import IntervalRule
from mho.learning.rules.tiki_taka import TikiTaka, fast_pulses
from mho.learning.tasks.accuracy_matrix import AccuracyMatrix
from mho.learning.tasks.recognizer import TaskRecognizer
from mho.learning.tasks.task_states import TaskStates
from mho.learning.writing.feedback import ReadBack
from mho.learning.writing.fisher import measure_fisher
from mho.learning.writing.policy import Budget, Every
from mho.learning.writing.write_step import WriteStep, write
from mho.physics import (
    Conduction,
    Disturb,
    Flicker,
    LogTime,
    MultiLevel,
    Ohmic,
    OpenLoop,
    PowerLaw,
    Preset,
    PulseResponse,
    PulseTable,
    Resistance,
    Sinh,
    Spread,
    Telegraph,
    Transistor,
    TwoState,
    Verify,
    devices,
    dynamics,
)

__version__ = "0.1.0"

__all__ = [
    "Accumulate",
    "AccuracyMatrix",
    "BayesianSteps",
    "Budget",
    "Conduction",
    "Disturb",
    "ElasticWeights",
    "Every",
    "Flicker",
    "Hardware",
    "HiddenPrecision",
    "IntervalRule",
    "LogTime",
    "MultiLevel",
    "NotConverged",
    "Ohmic",
    "OpenLoop",
    "OperatingPoint",
    "PathImportance",
    "Placement",
    "PowerLaw",
    "Preset",
    "PulseResponse",
    "PulseTable",
    "ReadBack",
    "Resistance",
    "SignUpdate",
    "Sinh",
    "SpiceError",
    "Spread",
    "StochasticRounding",
    "StochasticSparse",
    "SynapticIntelligence",
    "TaskRecognizer",
    "TaskStates",
    "Telegraph",
    "TikiTaka",
    "Transistor",
    "TwoState",
    "Verify",
    "Wires",
    "WriteStep",
    "age",
    "attach",
    "calibrate",
    "confusion",
    "convert",
    "correct",
    "data",
    "devices",
    "dynamics",
    "effective_conductance",
    "evaluate",
    "expect_batchnorm",
    "fast_pulses",
    "fixed_point",
    "formats",
    "instruments",
    "ledger",
    "measure_fisher",
    "netlist",
    "netlist_of",
    "nn",
    "operating_point",
    "price",
    "prices",
    "quantize",
    "refit",
    "refresh_batchnorm",
    "rewire",
    "saturation",
    "simulate",
    "to_digital",
    "tune",
    "untune",
    "write",
]
