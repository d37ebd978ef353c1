"""What `mho.NAME` is: the names that most programs need, and those of the modules beside them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mho.hardware import (
    Cost,
    Hardware,
    Ledger,
    Placement,
    price,
)
from mho.learning.age import age
from mho.learning.attach import attach
from mho.learning.conductances import conductances, load_conductances, save_conductances
from mho.learning.convert import convert, to_digital
from mho.learning.coverage import coverage
from mho.learning.distillation import distillation_loss
from mho.learning.evaluate import calibrate, confusion, evaluate
from mho.learning.in_chunks import in_chunks
from mho.learning.ledger import ledger
from mho.learning.noise_aware.noise_aware import noise_aware
from mho.learning.over_time import evaluate_over_time
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

if TYPE_CHECKING:
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
    "conductances",
    "confusion",
    "convert",
    "correct",
    "coverage",
    "data",
    "devices",
    "distillation_loss",
    "dynamics",
    "evaluate",
    "evaluate_over_time",
    "expect_batchnorm",
    "fixed_point",
    "formats",
    "hardware",
    "in_chunks",
    "instruments",
    "kernels",
    "ledger",
    "load_conductances",
    "nn",
    "noise_aware",
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
    "save_conductances",
    "tasks",
    "to_digital",
    "tune",
    "untune",
    "write",
]


MODULES = (
    *("card", "cells", "circuits", "data", "devices", "dynamics", "fit", "hardware"),
    *("instruments", "interchange", "kernels", "nn", "prices", "rules", "sweep", "tasks"),
)
"""Modules that are imported when they are asked for."""

NAMED_FROM_THE_TOP = ("cells", "rules", "tasks", "circuits", "nn", "hardware")
"""Modules whose names are those of mho too."""


def __getattr__(name: str) -> Any:
    """A module, or a name of one."""
    if name in MODULES:
        return importlib.import_module(f"mho.{name}")
    for module in map(importlib.import_module, (f"mho.{each}" for each in NAMED_FROM_THE_TOP)):
        if name in module.__all__:
            return getattr(module, name)
    raise AttributeError(f"module 'mho' has no attribute {name!r}")
