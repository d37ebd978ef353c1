"""What users hand in by mistake: taken where the meaning is plain, else refused in one sentence.

Every argument of every public function is given something of every other kind.
"""

import inspect
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import mho
from mho.errors import InvalidInput

CELL = mho.devices.get("hfo2-1t1r")
HARDWARE = mho.Hardware(device=CELL)
X, Y = torch.linspace(-1, 1, 96).view(8, 12), torch.arange(8) % 4


def model() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Sequential(nn.Linear(12, 4))


def chip(chips: int | None = None) -> nn.Module:
    return mho.convert(model(), HARDWARE, chips)


def drifting() -> nn.Module:
    return mho.convert(model(), mho.Hardware(device="pcm-gst"))


def on_instrument() -> dict[str, Any]:
    hardware = HARDWARE.replace(transposed=False, tile=(16, 12))
    instrument = mho.instruments.SimulatedInstrument(HARDWARE.replace(tile=(16, 12)), arrays=1)
    return {"net": mho.convert(model(), hardware), "instrument": instrument}


def waves() -> dict[str, Any]:
    wave = mho.dynamics.Sine(amplitude=1.0, frequency=1e3)
    return {"model": mho.dynamics.get("tio2-hp"), "waveform": wave, "samples": 20}


Made = Callable[[], dict[str, Any]]
CALLS: dict[str, tuple[Callable[..., Any], Made]] = {
    "convert": (mho.convert, lambda: {"model": model(), "hardware": HARDWARE, "chips": 2}),
    "to_digital": (mho.to_digital, lambda: {"net": chip(), "chip": 0}),
    "evaluate": (mho.evaluate, lambda: {"net": chip(), "loader": [(X, Y)]}),
    "confusion": (mho.confusion, lambda: {"net": chip(), "loader": [(X, Y)]}),
    "age": (mho.age, lambda: {"net": drifting(), "seconds": 1.0, "temperature": 300.0}),
    "attach": (mho.attach, on_instrument),
    "rewire": (mho.rewire, lambda: {"net": chip(), "wire_resistance": 1.0}),
    "ledger": (mho.ledger, lambda: {"net": chip()}),
    "outside_window": (mho.outside_window, lambda: {"net": chip()}),
    "rescale": (mho.rescale, lambda: {"net": chip(), "factor": 2.0}),
    "restart": (mho.restart, lambda: {"net": chip()}),
    "fault_map": (mho.hardware.fault_map, lambda: {"net": chip()}),
    "price": (mho.price, lambda: {"ledger": mho.ledger(chip()), "prices": "hfo2-130nm"}),
    "training_account": (
        mho.prices.training_account,
        lambda: {"ledger": mho.ledger(chip()), "prices": "hfo2-130nm"},
    ),
    "write": (mho.write, lambda: {"net": chip(), "threshold": 0.5}),
    "WriteStep": (
        mho.WriteStep,
        lambda: {
            "net": chip(),
            "rules": [mho.rules.IntervalRule(1.0)],
            "threshold": 0.5,
            "policies": [mho.rules.Every(2)],
            "feedback": mho.rules.ReadBack(),
        },
    ),
    "devices.get": (mho.devices.get, lambda: {"name": "hfo2-1t1r"}),
    "devices.preset": (mho.devices.preset, lambda: {"name": "pcm-gst"}),
    "devices.read": (mho.devices.read, lambda: {"path": Path("nowhere.toml")}),
    "prices.get": (mho.prices.get, lambda: {"name": "hfo2-130nm"}),
    "hardware.mapping": (mho.hardware.mapping, lambda: {"name": "offset"}),
    "Levels": (mho.nn.Levels, lambda: {"n": 3, "full_scale": 1.0}),
    "StochasticSign": (mho.nn.StochasticSign, lambda: {"width": 1.0, "seed": 0}),
    "Variation": (mho.nn.Variation, lambda: {"hardware": HARDWARE, "seed": 1}),
    "MemristiveLinear": (
        mho.nn.MemristiveLinear,
        lambda: {"in_features": 3, "out_features": 2, "hardware": HARDWARE, "chips": 2},
    ),
    "MemristiveConv2d": (
        mho.nn.MemristiveConv2d,
        lambda: {
            "in_channels": 3, "out_channels": 2, "kernel_size": 3, "hardware": HARDWARE, "chips": 2,
        },
    ),
    "ChipLinear": (mho.nn.ChipLinear, lambda: {"linear": nn.Linear(3, 2), "chips": 2}),
    "memristive_layers": (mho.nn.memristive_layers, lambda: {"net": chip()}),
    "netlist_of": (
        mho.nn.netlist_of,
        lambda: {"layer": chip()[0], "x": X[0], "volts_per_unit": 0.2, "chip": 0},
    ),
    "Gate": (mho.nn.Gate, lambda: {"features": 3}),
    "IntervalRule": (mho.rules.IntervalRule, lambda: {"m": 1.0, "depth": 2.0, "mode": "global"}),
    "Accumulate": (mho.rules.Accumulate, lambda: {"threshold": 1.0}),
    "SignUpdate": (mho.rules.SignUpdate, lambda: {"share": 0.1}),
    "StochasticRounding": (mho.rules.StochasticRounding, lambda: {"seed": 1, "granularity": 1}),
    "StochasticSparse": (mho.rules.StochasticSparse, lambda: {"share": 0.1, "momentum": 0.5}),
    "TikiTaka": (mho.rules.TikiTaka, lambda: {"granularity": 0.01, "transfer_every": 2}),
    "HiddenPrecision": (mho.rules.HiddenPrecision, lambda: {"bits": 4, "reach": 2.0}),
    "ElasticWeights": (mho.rules.ElasticWeights, lambda: {"strength": 1.0}),
    "PathImportance": (mho.rules.PathImportance, lambda: {"damping": 0.1, "pull": 0.1, "bits": 4}),
    "SynapticIntelligence": (
        mho.rules.SynapticIntelligence, lambda: {"strength": 1.0, "damping": 0.1},
    ),
    "BayesianSteps": (
        mho.rules.BayesianSteps, lambda: {"sigma": 0.1, "memory": 100.0, "batch": 1},
    ),
    "ReadBack": (mho.rules.ReadBack, lambda: {"pull": 0.5, "retries": 2}),
    "Every": (mho.rules.Every, lambda: {"steps": 2}),
    "Budget": (mho.rules.Budget, lambda: {"weights": 5, "steps": 2}),
    "TaskStates": (mho.tasks.TaskStates, lambda: {"net": nn.Sequential(nn.BatchNorm1d(3))}),
    "TaskRecognizer": (mho.tasks.TaskRecognizer, lambda: {"features": 3, "floor": 0.1}),
    "AccuracyMatrix": (mho.tasks.AccuracyMatrix, lambda: {"rows": [[0.5, 0.1], [0.5, 0.6]]}),
    "effective_conductance": (
        mho.circuits.effective_conductance,
        lambda: {"g": torch.full((3, 2), 1e-5), "r_row": 1.0, "r_col": 1.0, "both_ends": False},
    ),
    "operating_point": (
        mho.circuits.operating_point,
        lambda: {"g": torch.full((3, 2), 1e-5), "v": torch.ones(3), "r_row": 1.0, "r_col": 1.0},
    ),
    "netlist": (
        mho.circuits.netlist, lambda: {"g": torch.full((3, 2), 1e-5), "v": torch.ones(3)},
    ),
    "SimulatedInstrument": (
        mho.instruments.SimulatedInstrument, lambda: {"hardware": HARDWARE, "arrays": 1},
    ),
    "fit.read": (__import__("mho.fit").fit.read, lambda: {"path": Path("nowhere.csv")}),
    "data.split": (mho.data.split, lambda: {"dataset": "mnist"}),
    "data.permuted": (mho.data.permuted, lambda: {"dataset": "mnist", "tasks": 2, "seed": 1}),
    "data.batches": (mho.data.batches, lambda: {"data": (X, Y), "batch_size": 2, "seed": 1}),
    "data.shifted": (
        mho.data.shifted,
        lambda: {"images": torch.ones(2, 1, 5, 5), "pixels": 1, "generator": torch.Generator()},
    ),
    "transient": (mho.dynamics.transient, waves),
    "dynamics.get": (mho.dynamics.get, lambda: {"name": "tio2-hp"}),
}  # fmt: skip
"""Public functions and classes, each with arguments that it takes."""

WRONG: dict[str, Any] = {
    "None": None,
    "a word": "some words",
    "0.5": 0.5,
    "-3": -3,
    "nan": math.nan,
    "True": True,
    "a list": [1, 2, 3],
    "no list": [],
    "a dict": {"a": 1},
    "an array": np.ones((2, 3)),
    "a tensor": torch.ones(2, 3, 1),
    "Hardware": HARDWARE,
    "a cell": CELL,
    "the class Hardware": mho.Hardware,
    "the class Linear": nn.Linear,
    "a preset": mho.devices.preset("pcm-gst"),
    "a price list": mho.prices.get("hfo2-130nm"),
    "a layer": nn.ReLU(),
    "a path": Path("nowhere.toml"),
    "a function": print,
    "an object": object(),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_arguments_of_this_table_are_taken(name: str) -> None:
    function, arguments = CALLS[name]
    if "nowhere" not in str(arguments()):
        function(**arguments())


@pytest.mark.parametrize(
    ("name", "argument"), [(name, argument) for name in CALLS for argument in CALLS[name][1]()]
)
def test_another_kind_is_taken_or_refused_in_one_sentence(name: str, argument: str) -> None:
    function, arguments = CALLS[name]
    refusals = []
    for what, wrong in WRONG.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                function(**(arguments() | {argument: wrong}))
            except InvalidInput as error:
                refusals.append(str(error))
            except Exception as error:
                raise AssertionError(f"{argument} = {what}: {error!r}") from error
    assert all("\n" not in text and len(text) < 700 for text in refusals), refusals
    assert len(refusals) > len(WRONG) // 2, "what is wrong is taken"


@pytest.mark.parametrize("name", CALLS)
def test_arguments_in_reverse_are_refused(name: str) -> None:
    function, arguments = CALLS[name]
    first, given = list(arguments())[:2], list(arguments().values())[:2]
    rest = {key: value for key, value in arguments().items() if key not in first}
    parameters = list(inspect.signature(function).parameters.values())[:2]
    if len(given) < 2 or any(p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters):
        pytest.skip("one argument, or named ones")
    if type(given[0]) is type(given[1]) or {type(g) for g in given} <= {int, float}:
        pytest.skip("arguments of one kind")
    with pytest.raises(InvalidInput):
        function(*given[::-1], **rest)
