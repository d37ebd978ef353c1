"""Every public function, class and method, each with arguments that it takes.

A call is made anew by each function of the table: what is called, and its arguments by name.
"""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Callable
from dataclasses import fields
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

import mho
import mho.fit
import mho.sweep
from builders.wrong_values import CELL, HARDWARE, X, Y, chip, model
from mho.config import Config

Call = tuple[Callable[..., Any], dict[str, Any]]

IMAGES = torch.linspace(0, 1, 50).view(2, 1, 5, 5)
G, V = torch.full((3, 2), 1e-5), torch.ones(3)
ON = torch.tensor([True, False, True])
AGEING = mho.Hardware(device="pcm-gst")
CONVERTING = HARDWARE.replace(dac_bits=6, adc_bits=6)
CSV = "time [s],conductance [uS]\n" + "\n".join(f"{10.0**k:g},{50 - k:g}" for k in range(6))
PULSES = {"cells": torch.tensor([[0, 0, 0]], dtype=torch.int32)}


def normed() -> nn.Sequential:
    """A network with a batch normalization and a gate."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        return nn.Sequential(
            nn.Linear(12, 6), nn.BatchNorm1d(6), mho.nn.Gate(6), nn.ReLU(), nn.Linear(6, 4)
        )


def normed_chip(chips: int | None = 2) -> nn.Module:
    return mho.convert(normed(), HARDWARE, chips, generator=torch.Generator().manual_seed(6))


def with_head(chips: int | None = 2) -> nn.Module:
    """A network whose last layer is digital."""
    generator = torch.Generator().manual_seed(6)
    net = mho.convert(normed(), {"0": HARDWARE, "*": None}, chips, generator=generator)
    return mho.calibrate(net, X)


def _convolution(kind: str) -> Call:
    """A convolution of three channels, and every argument that makes it."""
    given = {
        "in_channels": 3, "out_channels": 2, "kernel_size": 3, "stride": 1, "padding": 0,
        "dilation": 1, "groups": 1, "bias": True, "padding_mode": "zeros",
        "hardware": HARDWARE, "chips": 2, "generator": torch.Generator(),
    }  # fmt: skip
    if "Transpose" in kind:
        given["output_padding"] = 0
    return getattr(mho.nn, kind), given


def _convolved(kind: str) -> Call:
    """Its forward pass."""
    module = getattr(mho.nn, kind)(1, 2, 3, hardware=HARDWARE)
    size = {1: (2, 1, 25), 2: (2, 1, 5, 5), 3: (2, 1, 1, 5, 5)}[int(kind[-2])]
    if "Transpose" in kind:
        return _forward(module, "input", "output_size"), {
            "input": IMAGES.view(size), "output_size": [n + 2 for n in size[2:]],
        }  # fmt: skip
    if kind.endswith("3d"):
        module = mho.nn.MemristiveConv3d(1, 2, (1, 3, 3), hardware=HARDWARE)
    return _forward(module, "input"), {"input": IMAGES.view(size)}


CONVOLUTIONS = [f"MemristiveConv{kind}{n}d" for kind in ("", "Transpose") for n in (1, 2, 3)]


def stepping(*rules: Any) -> mho.WriteStep:
    return mho.WriteStep(chip(), rules=rules or [mho.rules.ElasticWeights(1.0)])


def layer(net: nn.Module | None = None) -> mho.nn.MemristiveLinear:
    return next(iter(mho.nn.memristive_layers(net or chip()).values()))  # type: ignore[return-value]


def instrument() -> mho.instruments.SimulatedInstrument:
    return mho.instruments.SimulatedInstrument(HARDWARE.replace(tile=(16, 12)), arrays=1)


def pulsed_instrument() -> mho.instruments.SimulatedInstrument:
    cell = mho.cells.PulseResponse(g_min=1e-5, g_max=9e-5, levels=5, pulses=20)
    return mho.instruments.SimulatedInstrument(mho.Hardware(device=cell, tile=(16, 12)))


def on_instrument() -> dict[str, Any]:
    hardware = HARDWARE.replace(transposed=False, tile=(16, 12))
    return {"net": chip(hardware=hardware), "instrument": instrument()}


def states() -> mho.tasks.TaskStates:
    found = mho.tasks.TaskStates(normed())
    found.keep("a")
    return found


def recognizer() -> mho.tasks.TaskRecognizer:
    found = mho.tasks.TaskRecognizer(12)
    found.observe("a", X)
    found.observe("b", -X * 2)
    return found


def motion() -> dict[str, Any]:
    return {
        "model": mho.dynamics.get("tio2-hp"), "waveform": _sine(), "samples": 20, "state": None,
        "traits": None, "method": None, "source": None, "noise": None,
    }  # fmt: skip


def _sine() -> mho.dynamics.Sine:
    return mho.dynamics.Sine(amplitude=1.0, frequency=1e3)


def _train() -> mho.dynamics.PulseTrain:
    return mho.dynamics.PulseTrain(amplitude=1.0, width=1e-6, rise=1e-7, rest=1e-6)


@cache
def table() -> mho.fit.Table:
    return mho.fit.parse(CSV, "relaxation.csv")


def optimizer(step: mho.WriteStep) -> torch.optim.Optimizer:
    return torch.optim.SGD(step._net.parameters(), lr=0.1)


def _attach() -> Call:
    step = stepping()
    return step.attach, {"optimizer": optimizer(step)}


def _load_step() -> Call:
    step = stepping()
    return step.load_state_dict, {"state": step.state_dict()}


def _load_instrument() -> Call:
    found = instrument()
    return found.load_state_dict, {"state": found.state_dict()}


def _load_recognizer() -> Call:
    found = recognizer()
    return found.load_state_dict, {"state": found.state_dict()}


def _load_states() -> Call:
    found = states()
    return found.load_state_dict, {"state": found.state_dict()}


def _load_net() -> Call:
    net = chip(2)
    return net.load_state_dict, {"state_dict": copy.deepcopy(net.state_dict())}


def _measure_fisher() -> Call:
    net = chip()
    step = mho.WriteStep(net, rules=[mho.rules.ElasticWeights(1.0)])
    return mho.rules.measure_fisher, {"net": net, "write": step, "inputs": X, "labels": Y}


def _using() -> Call:
    return _entered(states().using), {"task": "a"}


def _entered(manager: Callable[..., Any]) -> Callable[..., None]:
    def enter(*given: Any, **named: Any) -> None:
        with manager(*given, **named):
            pass

    return enter


def _saved_at(name: str) -> Path:
    folder = Path(tempfile.gettempdir(), f"mho-calls-{os.getpid()}")
    folder.mkdir(exist_ok=True)
    return folder / name


@cache
def _onnx() -> Path:
    """A layer in an .onnx file."""
    import onnx

    helper, path = onnx.helper, _saved_at("net.onnx")
    x, y = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 2]) for name in ("x", "y")
    )
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    onnx.save(made, str(path))
    return path


@cache
def _saved() -> Path:
    """A network in a file."""
    path = _saved_at("net.safetensors")
    mho.interchange.save_network(chip(), path)
    return path


@cache
def _measured() -> Path:
    """A folder with what a run measured."""
    line = '{"stage": "a", "step": 1, "validation": 96.5}\n'
    _saved_at("metrics.jsonl").write_text(line, encoding="utf-8")
    return _saved_at("metrics.jsonl").parent


@cache
def _plain_state() -> Path:
    """The state of a plain network in a file."""
    torch.save(model().state_dict(), _saved_at("plain.pt"))
    return _saved_at("plain.pt")


@cache
def _look_up() -> Path:
    """Look-up tables of CrossSim in a folder."""
    for name, step in (("increasing", "1e-5"), ("decreasing", "-1e-5")):
        rows = ("words", "1e-5,9e-5", "0,1", f"{step},{step}", f"{step},{step}")
        _saved_at(f"dG_{name}.txt").write_text("\n".join(rows))
    return _saved_at("")


def _ledger() -> mho.Ledger:
    return mho.ledger(chip())


CALLS: dict[str, Callable[[], Call]] = {
    # mho
    "convert": lambda: (
        mho.convert,
        {
            "model": model(), "hardware": HARDWARE, "chips": 2,
            "generator": torch.Generator(), "first_chip": 0, "strict": True,
        },
    ),
    "in_chunks": lambda: (
        mho.in_chunks,
        {
            "model": model(), "hardware": HARDWARE, "chips": 3, "memory": 1, "most": 2,
            "generator": torch.Generator(), "first_chip": 0, "strict": True,
        },
    ),
    "coverage": lambda: (mho.coverage, {"net": chip(), "inputs": X}),
    "to_digital": lambda: (mho.to_digital, {"net": chip(), "chip": 0}),
    "evaluate": lambda: (mho.evaluate, {"net": chip(), "loader": [(X, Y)]}),
    "confusion": lambda: (mho.confusion, {"net": chip(), "loader": [(X, Y)]}),
    "calibrate": lambda: (mho.calibrate, {"net": chip(hardware=CONVERTING), "inputs": X}),
    "tune": lambda: (
        mho.tune,
        {
            "net": chip(2), "inputs": X, "per": "column", "trained_on": None,
            "method": "moments", "reference": None,
        },
    ),
    "correct": lambda: (mho.correct, {"net": chip(2), "trained_on": HARDWARE}),
    "untune": lambda: (mho.untune, {"net": chip(2)}),
    "refit": lambda: (
        mho.refit, {"net": with_head(), "inputs": X, "targets": Y, "pull": 0.1, "steps": 2},
    ),
    "refresh_batchnorm": lambda: (mho.refresh_batchnorm, {"net": normed_chip(), "inputs": X}),
    "expect_batchnorm": lambda: (
        mho.expect_batchnorm,
        {
            "model": normed(), "hardware": HARDWARE, "inputs": X, "chips": 2,
            "generator": torch.Generator(),
        },
    ),
    "fixed_point": lambda: (mho.fixed_point, {"net": normed(), "bits": 8, "inputs": X}),
    "formats": lambda: (mho.formats, {"net": mho.fixed_point(normed(), 8, X)}),
    "saturation": lambda: (
        mho.saturation, {"net": mho.calibrate(chip(hardware=CONVERTING), X), "inputs": X},
    ),
    "noise_aware": lambda: (
        mho.noise_aware,
        {
            "model": model(), "hardware": CONVERTING, "generator": torch.Generator(),
            "weight_noise": 1.0, "output_noise": 0.1, "ranges": "learnt",
            "clip": 2.5, "clip_per": "layer",
        },
    ),
    "distillation_loss": lambda: (
        mho.distillation_loss,
        {
            "student_logits": model()(X).detach(), "teacher_logits": model()(X).detach(),
            "labels": Y, "temperature": 4.0, "weight": 0.9,
        },
    ),
    "evaluate_over_time": lambda: (
        mho.evaluate_over_time,
        {
            "net": chip(hardware=AGEING), "loader": [(X, Y)], "times": [0.0, 60.0],
            "repair": None, "temperature": None,
        },
    ),
    "age": lambda: (
        mho.age, {"net": chip(hardware=AGEING), "seconds": 1.0, "temperature": None},
    ),
    "attach": lambda: (mho.attach, on_instrument() | {"retries": 1, "program": True}),
    "rewire": lambda: (mho.rewire, {"net": chip(), "wire_resistance": 1.0}),
    "conductances": lambda: (mho.conductances, {"net": chip()}),
    "save_conductances": lambda: (
        mho.save_conductances, {"net": chip(), "path": Path(tempfile.gettempdir(), "mho.npz")},
    ),
    "load_conductances": lambda: (
        mho.load_conductances, {"net": chip(), "source": mho.conductances(chip())},
    ),
    "ledger": lambda: (mho.ledger, {"net": chip()}),
    "outside_window": lambda: (mho.outside_window, {"net": chip()}),
    "rescale": lambda: (mho.rescale, {"net": chip(), "factor": 2.0}),
    "restart": lambda: (mho.restart, {"net": chip()}),
    "price": lambda: (mho.price, {"ledger": _ledger(), "prices": "hfo2-130nm"}),
    "write": lambda: (mho.write, {"net": chip(), "threshold": 0.5, "widen": 0.05}),
    "WriteStep": lambda: (
        mho.WriteStep,
        {
            "net": chip(), "rules": [mho.rules.IntervalRule(1.0)], "threshold": 0.5,
            "policies": [mho.rules.Every(2)], "feedback": mho.rules.ReadBack(), "widen": 0.05,
        },
    ),
    "WriteStep.attach": _attach,
    "WriteStep.load_state_dict": _load_step,
    "Hardware.replace": lambda: (HARDWARE.replace, {"copies": 2}),
    "Hardware.from_dict": lambda: (mho.Hardware.from_dict, {"data": HARDWARE.to_dict()}),
    "Hardware.from_toml": lambda: (mho.Hardware.from_toml, {"text": HARDWARE.to_toml()}),
    "Hardware.merged": lambda: (HARDWARE.merged, {"changes": {"copies": 2}}),
    "Hardware.settings": lambda: (HARDWARE.settings, {"prefix": "hardware."}),
    "Hardware.over_time": lambda: (HARDWARE.over_time, {"preset": mho.devices.preset("pcm-gst")}),
    "Preset.read": lambda: (mho.Preset.read, {"path": Path("nowhere.toml")}),
    # mho.hardware, mho.prices, mho.devices
    "fault_map": lambda: (mho.hardware.fault_map, {"net": chip()}),
    "hardware.mapping": lambda: (mho.hardware.mapping, {"name": "offset"}),
    "training_account": lambda: (
        mho.prices.training_account, {"ledger": _ledger(), "prices": "hfo2-130nm"},
    ),
    "devices.get": lambda: (mho.devices.get, {"name": "hfo2-1t1r"}),
    "devices.preset": lambda: (mho.devices.preset, {"name": "pcm-gst"}),
    "devices.read": lambda: (mho.devices.read, {"path": Path("nowhere.toml")}),
    "Prices.read": lambda: (mho.prices.Prices.read, {"path": Path("nowhere.toml")}),
    "prices.get": lambda: (mho.prices.get, {"name": "hfo2-130nm"}),
    # mho.sweep
    "sweep.make": lambda: (
        mho.sweep.make,
        {
            "experiment": "siamese", "preset": "quick", "config": None, "device_file": None,
            "single": [("epochs", 2)], "grid": {"hardware.adc_bits": [4, 6]},
            "zips": [{"batch": [50, 100], "rate": [1e-3, 2e-3]}], "seeds": 2, "told": print,
        },
    ),
    "sweep.read": lambda: (mho.sweep.read, {"path": Path("nowhere.toml"), "told": print}),
    "sweep.load": lambda: (mho.sweep.load, {"path": Path("nowhere")}),
    "sweep.run": lambda: (
        mho.sweep.run,
        {
            "plan": mho.sweep.make("siamese"), "out": Path("nowhere"), "engine": "nowhere",
            "settings": ["processes=1"],
        },
    ),
    # mho.interchange
    "save_network": lambda: (
        mho.interchange.save_network, {"net": chip(), "path": _saved_at("out.safetensors")},
    ),
    "from_onnx": lambda: (mho.interchange.from_onnx, {"path": _onnx()}),
    "from_aihwkit": lambda: (
        mho.interchange.from_aihwkit,
        {
            "device": {"class": "ConstantStepDevice"}, "g_min": 1e-6, "g_max": 1e-5,
            "leave_out": ["w_max_dtod", "w_min_dtod", "up_down_dtod"],
        },
    ),
    "load_aihwkit": lambda: (
        mho.interchange.load_aihwkit, {"model": model(), "path": _plain_state()},
    ),
    "from_crosssim": lambda: (
        mho.interchange.from_crosssim,
        {"path": _look_up(), "decreasing": None, "window": (1e-5, 9e-5), "levels": 3},
    ),
    "describe": lambda: (mho.interchange.describe, {"path": _saved()}),
    "load_network": lambda: (
        mho.interchange.load_network, {"model": model(), "path": _saved()},
    ),
    "load_state": lambda: (
        mho.interchange.load_state, {"net": chip(), "path": _saved(), "strict": True},
    ),
    "JsonLines": lambda: (mho.interchange.JsonLines, {"path": _saved_at("log.jsonl")}),
    "TensorBoard": lambda: (
        mho.interchange.TensorBoard, {"folder": _saved_at("events"), "first": 3},
    ),
    "replay": lambda: (
        mho.interchange.replay,
        {"folder": _measured(), "logger": mho.interchange.JsonLines(_saved_at("log.jsonl"))},
    ),
    # mho.nn
    "Levels": lambda: (mho.nn.Levels, {"n": 3, "full_scale": 1.0}),
    "StochasticSign": lambda: (mho.nn.StochasticSign, {"width": 1.0, "seed": 0}),
    "Variation": lambda: (mho.nn.Variation, {"hardware": HARDWARE, "seed": 1}),
    "MemristiveLinear": lambda: (
        mho.nn.MemristiveLinear,
        {
            "in_features": 3, "out_features": 2, "bias": True, "hardware": HARDWARE, "chips": 2,
            "generator": torch.Generator(),
        },
    ),
    **{kind: partial(_convolution, kind) for kind in CONVOLUTIONS},
    "MemristiveBilinear": lambda: (
        mho.nn.MemristiveBilinear,
        {
            "in1_features": 3, "in2_features": 2, "out_features": 2, "bias": True,
            "hardware": HARDWARE, "chips": 2, "generator": torch.Generator(),
        },
    ),
    "MemristiveTransposedLinear": lambda: (
        mho.nn.MemristiveTransposedLinear,
        {
            "layer": nn.Linear(3, 2, bias=False), "hardware": HARDWARE, "chips": 2,
            "generator": torch.Generator(),
        },
    ),
    "MemristiveMultiheadAttention": lambda: (
        mho.nn.MemristiveMultiheadAttention,
        {
            "embed_dim": 4, "num_heads": 2, "dropout": 0.0, "bias": True, "add_bias_kv": False,
            "add_zero_attn": False, "kdim": None, "vdim": None, "batch_first": True,
            "hardware": HARDWARE, "chips": 2, "generator": torch.Generator(),
        },
    ),
    "MemristiveRNN": lambda: (
        mho.nn.MemristiveRNN,
        {
            "input_size": 3, "hidden_size": 2, "num_layers": 2, "nonlinearity": "relu",
            "bias": True, "batch_first": True, "dropout": 0.1, "bidirectional": True,
            "hardware": HARDWARE, "chips": 2, "generator": torch.Generator(),
        },
    ),
    "MemristiveLSTM": lambda: (
        mho.nn.MemristiveLSTM,
        {
            "input_size": 3, "hidden_size": 2, "num_layers": 2, "bias": True,
            "batch_first": True, "dropout": 0.1, "bidirectional": True, "proj_size": 1,
            "hardware": HARDWARE, "chips": 2, "generator": torch.Generator(),
        },
    ),
    "MemristiveGRU": lambda: (
        mho.nn.MemristiveGRU,
        {
            "input_size": 3, "hidden_size": 2, "num_layers": 2, "bias": True,
            "batch_first": True, "dropout": 0.1, "bidirectional": True,
            "hardware": HARDWARE, "chips": 2, "generator": torch.Generator(),
        },
    ),
    "MemristiveRNNCell": lambda: (
        mho.nn.MemristiveRNNCell,
        {
            "input_size": 3, "hidden_size": 2, "bias": True, "nonlinearity": "relu",
            "hardware": HARDWARE, "chips": 2, "generator": torch.Generator(),
        },
    ),
    "MemristiveLSTMCell": lambda: (
        mho.nn.MemristiveLSTMCell,
        {
            "input_size": 3, "hidden_size": 2, "bias": True,
            "hardware": HARDWARE, "chips": 2, "generator": torch.Generator(),
        },
    ),
    "MemristiveGRUCell": lambda: (
        mho.nn.MemristiveGRUCell,
        {
            "input_size": 3, "hidden_size": 2, "bias": True,
            "hardware": HARDWARE, "chips": 2, "generator": torch.Generator(),
        },
    ),
    "ChipLinear": lambda: (mho.nn.ChipLinear, {"linear": nn.Linear(3, 2), "chips": 2}),
    "ChipBatchNorm": lambda: (mho.nn.ChipBatchNorm, {"norm": nn.BatchNorm1d(3), "chips": 2}),
    "Chips": lambda: (mho.nn.Chips, {"net": nn.Linear(3, 2), "chips": 2}),
    "FixedPoint": lambda: (mho.nn.FixedPoint, {"bits": 8, "integer_bits": 2}),
    "Gate": lambda: (mho.nn.Gate, {"features": 3}),
    "Gate.draw": lambda: (
        mho.nn.Gate(3).draw, {"share": 0.5, "generator": torch.Generator()},
    ),
    "each_chip": lambda: (mho.nn.each_chip, {"values": torch.ones(2, 3)}),
    "memristive_layers": lambda: (mho.nn.memristive_layers, {"net": chip()}),
    "netlist_of": lambda: (
        mho.nn.netlist_of,
        {
            "layer": layer(), "x": X[0], "volts_per_unit": 0.2, "chip": 0, "tile": 0,
            "wires": None, "conduction": None,
        },
    ),
    "quantize": lambda: (mho.nn.quantize, {"layer": nn.Linear(3, 2)}),
    "MemristiveLinear.age": lambda: (
        layer(chip(hardware=AGEING)).age, {"seconds": 1.0, "temperature": None},
    ),
    "MemristiveLinear.rescale": lambda: (layer().rescale, {"full_scale": 2.0}),
    "MemristiveLinear.rewire": lambda: (
        layer().rewire, {"hardware": HARDWARE.replace(wire_resistance=1.0)},
    ),
    "MemristiveLinear.expected": lambda: (layer().expected, {"hardware": HARDWARE}),
    "MemristiveLinear.rename": lambda: (layer().rename, {"name": "first"}),
    # mho.rules
    "IntervalRule": lambda: (
        mho.rules.IntervalRule,
        {"m": 1.0, "direction": "both", "depth": 2.0, "mode": "global"},
    ),
    "Accumulate": lambda: (mho.rules.Accumulate, {"threshold": 1.0}),
    "SignUpdate": lambda: (mho.rules.SignUpdate, {"share": 0.1}),
    "StochasticRounding": lambda: (mho.rules.StochasticRounding, {"seed": 1, "granularity": 1}),
    "StochasticSparse": lambda: (
        mho.rules.StochasticSparse, {"share": 0.1, "momentum": 0.5, "seed": 1},
    ),
    "TikiTaka": lambda: (
        mho.rules.TikiTaka,
        {
            "granularity": 0.01, "window": 0.1, "transfer_every": 2, "gain": 0.3,
            "cycle_noise": 0.3, "read_noise": 0.1, "seed": 1,
        },
    ),
    "HiddenPrecision": lambda: (mho.rules.HiddenPrecision, {"bits": 4, "seed": 1, "reach": 2.0}),
    "ElasticWeights": lambda: (mho.rules.ElasticWeights, {"strength": 1.0}),
    "PathImportance": lambda: (
        mho.rules.PathImportance,
        {"damping": 0.1, "pull": 0.1, "floor": 0.1, "shuffled": 1, "bits": 4, "seed": 1},
    ),
    "SynapticIntelligence": lambda: (
        mho.rules.SynapticIntelligence, {"strength": 1.0, "damping": 0.1},
    ),
    "BayesianSteps": lambda: (
        mho.rules.BayesianSteps, {"sigma": 0.1, "memory": 100.0, "batch": 1},
    ),
    "ReadBack": lambda: (mho.rules.ReadBack, {"pull": 0.5, "retries": 2}),
    "Every": lambda: (mho.rules.Every, {"steps": 2}),
    "Budget": lambda: (mho.rules.Budget, {"weights": 5, "steps": 2}),
    "measure_fisher": _measure_fisher,
    "fast_pulses": lambda: (
        mho.rules.fast_pulses, {"state": stepping(mho.rules.TikiTaka()).state_dict()},
    ),
    # mho.tasks
    "AccuracyMatrix": lambda: (
        mho.tasks.AccuracyMatrix, {"rows": [[0.5, 0.1], [0.5, 0.6]], "before": [0.1, 0.1]},
    ),
    "TaskRecognizer": lambda: (mho.tasks.TaskRecognizer, {"features": 3, "floor": 0.1}),
    "TaskRecognizer.observe": lambda: (recognizer().observe, {"task": "a", "x": X}),
    "TaskRecognizer.recognize": lambda: (recognizer().recognize, {"x": X}),
    "TaskRecognizer.load_state_dict": _load_recognizer,
    "TaskStates": lambda: (mho.tasks.TaskStates, {"net": normed()}),
    "TaskStates.begin": lambda: (
        states().begin, {"generator": torch.Generator(), "share": 0.5},
    ),
    "TaskStates.keep": lambda: (states().keep, {"task": "b"}),
    "TaskStates.using": _using,
    "TaskStates.load_state_dict": _load_states,
    # mho.circuits
    "effective_conductance": lambda: (
        mho.circuits.effective_conductance,
        {"g": G, "r_row": 1.0, "r_col": 1.0, "r_source": 1.0, "r_sense": 1.0, "both_ends": False},
    ),
    "operating_point": lambda: (
        mho.circuits.operating_point,
        {
            "g": G, "v": V, "r_row": 1.0, "r_col": 1.0, "r_source": 1.0, "r_sense": 1.0,
            "v_sense": 0.0, "conduction": mho.circuits.Ohmic(), "both_ends": False,
            "tolerance": 1e-9,
        },
    ),
    "netlist": lambda: (
        mho.circuits.netlist,
        {"g": G, "v": V, "wires": None, "conduction": None, "title": "an array"},
    ),
    "simulate": lambda: (mho.circuits.simulate, {"deck": "not a deck", "limit": 5.0}),
    "gated_current": lambda: (
        mho.circuits.gated_current, {"g": G, "on": ON, "r_line": 1.0, "r_col": 1.0},
    ),
    "gated_conductance": lambda: (
        mho.circuits.gated_conductance, {"g": G, "on": ON, "r_line": 1.0, "r_col": 1.0},
    ),
    "Wires.below": lambda: (mho.circuits.Wires(col=1.0, paired=True).below, {"rows": 3}),
    "Wires.arguments": lambda: (mho.circuits.Wires(row=1.0).arguments, {"rows": 3}),
    "Hardware.with_converters": lambda: (HARDWARE.with_converters, {"bits": 6}),
    "Hardware.behind": lambda: (HARDWARE.behind, {"wires": mho.circuits.Wires(row=1.0)}),
    "Wires.seen": lambda: (mho.circuits.Wires(row=1.0, col=1.0).seen, {"g": G}),
    # mho.instruments
    "SimulatedInstrument": lambda: (
        mho.instruments.SimulatedInstrument,
        {"hardware": HARDWARE.replace(tile=(4, 4)), "arrays": 1, "seed": 0, "volts": 0.2},
    ),
    "SimulatedInstrument.read": lambda: (
        instrument().read, {"first": 0, "volts": torch.full((1, 1, 16), 0.1)},
    ),
    "SimulatedInstrument.program": lambda: (
        instrument().program, PULSES | {"targets": torch.tensor([CELL.window[0]])},
    ),
    "SimulatedInstrument.pulse": lambda: (
        pulsed_instrument().pulse, PULSES | {"counts": torch.tensor([1], dtype=torch.int32)},
    ),
    "SimulatedInstrument.load_state_dict": _load_instrument,
    "RemoteInstrument": lambda: (
        mho.instruments.RemoteInstrument,
        {"host": "localhost", "port": 1, "limits": None, "plain": False, "told": None},
    ),
    "read_token": lambda: (mho.instruments.read_token, {"path": None}),
    "InstrumentServer": lambda: (
        _served, {"instrument": instrument(), "host": "127.0.0.1", "port": 0, "state": None},
    ),
    # mho.fit
    "fit.read": lambda: (mho.fit.read, {"path": Path("nowhere.csv")}),
    "fit.parse": lambda: (mho.fit.parse, {"text": CSV, "path": "relaxation.csv"}),
    "fit.recognise": lambda: (mho.fit.recognise, {"table": table(), "kind": "retention"}),
    "fit.fit": lambda: (
        mho.fit.fit,
        {"table": table(), "kind": "retention", "v_read": None, "levels": None, "family": None},
    ),
    "Table.where": lambda: (table().where, {"row": 1}),
    # mho.data
    "data.load": lambda: (
        mho.data.load,
        {"data": "mnist", "split": "test", "per_class": 1, "dtype": torch.float32},
    ),
    "data.locate": lambda: (
        mho.data.locate, {"dataset": "mnist", "file": "t10k-labels-idx1-ubyte"},
    ),
    "data.sequential": lambda: (mho.data.sequential, {"datasets": ["mnist"]}),
    "data.split": lambda: (
        mho.data.split, {"data": "mnist", "groups": [[0, 1], [2, 3]], "relabel": True},
    ),
    "data.permuted": lambda: (mho.data.permuted, {"data": "mnist", "tasks": 2, "seed": 1}),
    "data.stream": lambda: (mho.data.stream, {"data": "mnist", "parts": 2}),
    "data.batches": lambda: (
        mho.data.batches,
        {"data": (X, Y), "batch_size": 2, "seed": 1, "epoch": 0, "drop_last": False},
    ),
    "Batches.at": lambda: (mho.data.batches((X, Y), 2, seed=1).at, {"step": 1}),
    "data.shifted": lambda: (
        mho.data.shifted, {"images": IMAGES, "pixels": 1, "generator": torch.Generator()},
    ),
    "data.augmented": lambda: (
        mho.data.augmented,
        {"images": IMAGES, "generator": torch.Generator(), "padding": 1, "mirror": True},
    ),
    "data.dataset": lambda: (mho.data.dataset, {"data": "mnist"}),
    "Dataset.of": lambda: (
        mho.data.Dataset.of,
        {
            "train_x": torch.rand(8, 3), "train_y": torch.arange(8) % 2,
            "test_x": torch.rand(4, 3), "test_y": torch.arange(4) % 2,
            "name": "own", "classes": ["a", "b"], "held_out": 1,
        },
    ),
    "data.read_idx": lambda: (
        mho.data.read_idx, {"data": b"\0\0\x08\x01\0\0\0\x01\x07", "name": "labels"},
    ),
    "Task": lambda: (
        mho.data.Task,
        {
            "name": "a", "dataset": "mnist", "permutation": None, "classes": (0, 1),
            "relabel": True, "part": None,
        },
    ),
    "Task.load": lambda: (mho.data.split("mnist")[0].load, {"split": "test", "per_class": 1}),
    "Task.count": lambda: (mho.data.split("mnist")[0].count, {"split": "test", "per_class": 1}),
    # mho.dynamics
    "transient": lambda: (mho.dynamics.transient, motion()),
    "pulse_train": lambda: (
        _pulse_train, {"train": _train()} | {k: v for k, v in motion().items() if k in _MOVED},
    ),
    "dynamics.get": lambda: (mho.dynamics.get, {"name": "tio2-hp"}),
    # forward passes
    "Sequential.forward": lambda: (_forward(chip(), "input"), {"input": X}),
    "Chips.forward": lambda: (_forward(chip(2), "x"), {"x": X}),
    "MemristiveLinear.forward": lambda: (_forward(layer(), "input"), {"input": X}),
    **{f"{kind}.forward": partial(_convolved, kind) for kind in CONVOLUTIONS},
    "MemristiveGRU.forward": lambda: (
        _forward(mho.nn.MemristiveGRU(12, 2, hardware=HARDWARE), "input"), {"input": X},
    ),
    "MemristiveGRUCell.forward": lambda: (
        _forward(mho.nn.MemristiveGRUCell(12, 2, hardware=HARDWARE), "input"), {"input": X},
    ),
    "ChipLinear.forward": lambda: (
        _forward(mho.nn.ChipLinear(nn.Linear(12, 2), 2), "input"), {"input": X},
    ),
    "ChipBatchNorm.forward": lambda: (
        _forward(mho.nn.ChipBatchNorm(nn.BatchNorm1d(12), 2), "x"), {"x": X},
    ),
    "Gate.forward": lambda: (_forward(mho.nn.Gate(12), "x"), {"x": X}),
    "Sign.forward": lambda: (_forward(mho.nn.Sign(), "x"), {"x": X}),
    "FixedPoint.forward": lambda: (_forward(mho.nn.FixedPoint(8), "x"), {"x": X}),
    "Levels.forward": lambda: (_forward(mho.nn.Levels(3), "w"), {"w": X}),
    "StochasticSign.forward": lambda: (_forward(mho.nn.StochasticSign(), "w"), {"w": X}),
    "Variation.forward": lambda: (
        _forward(mho.nn.Variation(HARDWARE), "w"), {"w": X},
    ),
    "load_state_dict of a network": _load_net,
}  # fmt: skip
"""Calls by name."""

_MOVED = ("model", "state", "traits", "method", "source", "noise")


def _pulse_train(model: Any, train: Any, **others: Any) -> Any:
    return mho.dynamics.pulse_train(model, train, **others)


def _served(**given: Any) -> None:
    mho.instruments.InstrumentServer(**given).close()


def _forward(module: nn.Module, *_arguments: str) -> Callable[..., Any]:
    def forward(**given: Any) -> Any:
        return module(*given.values())

    forward.module = module  # type: ignore[attr-defined]
    return forward


RECORDS: tuple[Config, ...] = (
    HARDWARE,
    mho.Placement(),
    mho.devices.preset("pcm-gst"),
    mho.prices.get("hfo2-130nm"),
    instrument().describe(),
    mho.instruments.Limits(),
    mho.instruments.Access(),
    mho.cells.AsMeasured(),
    mho.cells.Disturb(),
    mho.cells.Flicker(amplitude=0.01),
    mho.cells.LogTime(),
    mho.cells.MultiLevel(g_min=1e-5, g_max=9e-5, levels=5),
    mho.cells.OpenLoop(),
    mho.cells.PolynomialOfG(coefficients=(0.1, 0.2)),
    mho.cells.PowerLaw(),
    mho.cells.PowerOfG(factor=0.1, exponent=0.5),
    mho.cells.PulseResponse(g_min=1e-5, g_max=9e-5, pulses=20),
    mho.cells.PulseTable(
        g=(1e-5, 5e-5, 9e-5), set_step=(4e-5,) * 3, reset_step=(4e-5,) * 3, levels=2
    ),
    mho.cells.Resistance(mean=1e4),
    mho.cells.SourceWrite(),
    mho.cells.Spread(),
    mho.cells.TableOfG(g=(1e-5, 9e-5), values=(0.1, 0.2)),
    mho.cells.Telegraph(depth=0.1, full=1.0, empty=1.0),
    mho.cells.TwoState(r_on=mho.cells.Resistance(mean=1e4), r_off=mho.cells.Resistance(mean=1e5)),
    mho.cells.Verify(),
    mho.circuits.Ohmic(),
    mho.circuits.Sinh(),
    mho.circuits.Transistor(),
    mho.circuits.Wires(),
    mho.hardware.FlashADC(comparators=0.1),
    mho.hardware.BinaryDAC(mismatch=0.01),
    mho.hardware.IdealADC(offset=0.5),
    mho.hardware.IdealDAC(offset=0.5),
    mho.hardware.RampADC(bow=0.5),
    mho.hardware.SarADC(mismatch=0.01),
    mho.hardware.StringDAC(mismatch=0.01),
    mho.dynamics.Adaptive(),
    mho.dynamics.Biolek(),
    mho.dynamics.Fixed(),
    mho.dynamics.get("tio2-hp"),
    *mho.dynamics.MODELS.values(),
    mho.dynamics.Joglekar(),
    _train(),
    mho.dynamics.Samples(times=(0.0, 1.0), volts=(0.0, 1.0)),
    mho.dynamics.Source(),
    _sine(),
    mho.dynamics.Variation(parameter="r_on", spread=mho.cells.Spread()),
    mho.dynamics.Triangle(amplitude=1.0, frequency=1e3),
)
"""One record of every kind."""


def _of_record(record: Config, field: str) -> Callable[[], Call]:
    """The record made with one field given."""
    others = {f.name: getattr(record, f.name) for f in fields(record) if f.name != field}

    def make(**given: Any) -> Config:
        return type(record)(**others, **given)

    return lambda: (make, {field: getattr(record, field)})


FIELDS: dict[str, Callable[[], Call]] = {
    f"{type(record).__name__}.{each.name}": _of_record(record, each.name)
    for record in RECORDS
    for each in fields(record)
}
"""Fields of records."""
