"""mho: learning on memristors, from write-once to lifelong.

hw  = mho.Hardware(device="hfo2-1t1r", dac_bits=8, adc_bits=8)
net = mho.convert(model, hw, chips=32)
acc = mho.evaluate(net, loader)             # (chips,)
mho.tune(net, batch, per="column")          # no cell is written
rep = mho.ledger(net)                       # integers
cost = mho.price(rep, mho.prices.get("hfo2-130nm"))

What most programs need stands here; the rest has a module:

cells       families of cells, programming, laws of time    devices      published devices
rules       update rules, write policies, feedback          tasks        learning task after task
nn          layers, parametrizations                        prices       price lists, costs
circuits    wires, operating points, SPICE decks            instruments  chips on the bench
hardware    arrays, mappings, counters                      dynamics     cells in motion
data        MNIST and its like, tasks                       kernels      compiled loops, `off()`
fit         fits to measured files (import mho.fit)

Names of these modules are also found as `mho.NAME`, for short sessions; type checkers know them in
their modules only.
"""

import importlib
from typing import Any

from mho import (
    cells,
    circuits,
    data,
    devices,
    dynamics,
    hardware,
    instruments,
    kernels,
    nn,
    prices,
    rules,
    tasks,
)
from mho.hardware import (
    Cost,
    Hardware,
    Ledger,
    Placement,
    ledger,
    price,
)
from mho.learning.age import age
from mho.learning.attach import attach
from mho.learning.convert import convert, to_digital
from mho.learning.evaluate import calibrate, confusion, evaluate
from mho.learning.repair.batchnorm import refresh_batchnorm
from mho.learning.repair.expected_batchnorm import expect_batchnorm
from mho.learning.repair.fixed_point import fixed_point, formats
from mho.learning.repair.refit import refit
from mho.learning.repair.saturation import saturation
from mho.learning.repair.tune import correct, tune, untune
from mho.learning.rewire import rewire
from mho.learning.writing.window import outside_window, rescale, restart
from mho.learning.writing.write_step import WriteStep, write
from mho.physics import Preset

__version__ = "0.1.0"
"""The only place of the version: pyproject.toml reads it, as text, so it stays a literal."""

__all__ = [
    "Cost",
    "Hardware",
    "Ledger",
    "Placement",
    "Preset",
    "WriteStep",
    "age",
    "attach",
    "calibrate",
    "cells",
    "circuits",
    "confusion",
    "convert",
    "correct",
    "data",
    "devices",
    "dynamics",
    "evaluate",
    "expect_batchnorm",
    "fixed_point",
    "formats",
    "hardware",
    "instruments",
    "kernels",
    "ledger",
    "nn",
    "outside_window",
    "price",
    "prices",
    "refit",
    "refresh_batchnorm",
    "rescale",
    "restart",
    "rewire",
    "rules",
    "saturation",
    "tasks",
    "to_digital",
    "tune",
    "untune",
    "write",
]


def __getattr__(name: str) -> Any:
    """A name of one of the modules, or the module `fit` or `card`, which are imported when asked
    for."""
    if name in ("card", "fit"):
        return importlib.import_module(f"mho.{name}")
    for module in (cells, rules, tasks, circuits, nn, hardware):
        if name in module.__all__:
            return getattr(module, name)
    raise AttributeError(f"module 'mho' has no attribute {name!r}")
