"""What users hand in where something else is asked for: one pool for every argument."""

from __future__ import annotations

import decimal
import fractions
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import mho

CELL = mho.devices.get("hfo2-1t1r")
HARDWARE = mho.Hardware(device=CELL)
X, Y = torch.linspace(-1, 1, 96).view(8, 12), torch.arange(8) % 4


def model() -> nn.Sequential:
    """A network of one layer, of 12 inputs and 4 classes."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Sequential(nn.Linear(12, 4))


def chip(chips: int | None = None, hardware: mho.Hardware = HARDWARE) -> nn.Module:
    """The network on simulated chips."""
    return mho.convert(model(), hardware, chips, generator=torch.Generator().manual_seed(5))


def loader(*parts: Any) -> DataLoader:
    """A data loader of batches of these tensors."""
    return DataLoader(TensorDataset(*parts), batch_size=4)


def _dict_batches() -> list[dict[str, Any]]:
    return [{"images": X, "labels": Y}]


VALUES: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "Ellipsis": lambda: ...,
    # texts
    "a word": lambda: "some words",
    "no text": lambda: "",
    "a long text": lambda: "m" * 5000,
    "two lines": lambda: "one\ntwo",
    "a number as text": lambda: "3",
    "bytes": lambda: b"mnist",
    "a path": lambda: Path("nowhere.toml"),
    "a list of texts": lambda: ["a", "b"],
    # numbers
    "0": lambda: 0,
    "0.5": lambda: 0.5,
    "-3": lambda: -3,
    "-0.25": lambda: -0.25,
    "nan": lambda: math.nan,
    "inf": lambda: math.inf,
    "-inf": lambda: -math.inf,
    "1e300": lambda: 1e300,
    "5e-324": lambda: 5e-324,
    "True": lambda: True,
    "False": lambda: False,
    "2**63": lambda: 2**63,
    "10**400": lambda: 10**400,
    "-10**30": lambda: -(10**30),
    "a complex number": lambda: 1 + 2j,
    "Decimal": lambda: decimal.Decimal("0.5"),
    "Decimal nan": lambda: decimal.Decimal("nan"),
    "Fraction": lambda: fractions.Fraction(1, 3),
    "np.float32": lambda: np.float32(0.5),
    "np.int8": lambda: np.int8(-3),
    "np.bool_": lambda: np.bool_(True),
    "np.str_": lambda: np.str_("word"),
    "np.datetime64": lambda: np.datetime64("2020-01-01"),
    # containers
    "a list": lambda: [1, 2, 3],
    "no list": list,
    "a list of lists": lambda: [[1.0, 2.0], [3.0, 4.0]],
    "an uneven list": lambda: [[1.0], [2.0, 3.0]],
    "a list of None": lambda: [None],
    "a pair": lambda: (1, 2),
    "a set": lambda: {1, 2},
    "a dict": lambda: {"a": 1},
    "no dict": dict,
    "a dict with numbers as keys": lambda: {1: 2},
    "a range": lambda: range(3),
    "an iterator": lambda: iter([1, 2]),
    "a list in itself": lambda: _in_itself(),
    # arrays
    "an array": lambda: np.ones((2, 3)),
    "an array of whole numbers": lambda: np.arange(4),
    "an array of texts": lambda: np.array(["a", "b"]),
    "an array of objects": lambda: np.array([None, 1], dtype=object),
    "an array of complex numbers": lambda: np.ones(3, np.complex64),
    "an array of one number": lambda: np.array(0.5),
    "an empty array": lambda: np.ones((0, 12), np.float32),
    "an array of float16": lambda: np.ones((2, 12), np.float16),
    # tensors
    "a tensor": lambda: torch.ones(2, 3, 1),
    "a tensor of one number": lambda: torch.tensor(0.5),
    "a tensor of whole numbers": lambda: torch.arange(12),
    "a tensor of 4 dimensions": lambda: torch.ones(2, 1, 5, 5),
    "a tensor of 6 dimensions": lambda: torch.ones(1, 1, 1, 1, 1, 1),
    "a matrix": lambda: torch.ones(8, 12),
    "a vector": lambda: torch.ones(12),
    "an empty tensor": lambda: torch.ones(0, 12),
    "an empty vector": lambda: torch.ones(0),
    "a tensor of bool": lambda: torch.ones(8, 12, dtype=torch.bool),
    "a tensor of float64": lambda: torch.ones(8, 12, dtype=torch.float64),
    "a tensor of float16": lambda: torch.ones(8, 12, dtype=torch.float16),
    "a tensor of bfloat16": lambda: torch.ones(8, 12, dtype=torch.bfloat16),
    "a tensor of complex numbers": lambda: torch.ones(8, 12, dtype=torch.complex64),
    "a tensor without numbers": lambda: torch.ones(8, 12, device="meta"),
    "a tensor with nan": lambda: torch.full((8, 12), math.nan),
    "a tensor with inf": lambda: torch.full((8, 12), math.inf),
    "a tensor below 0": lambda: -torch.ones(8, 12),
    "a sparse tensor": lambda: torch.eye(12).to_sparse(),
    "a tensor that learns": lambda: torch.ones(8, 12, requires_grad=True),
    "a parameter": lambda: nn.Parameter(torch.ones(4, 12)),
    # loaders
    "a loader of nothing": lambda: loader(X[:0], Y[:0]),
    "a loader of inputs alone": lambda: loader(X),
    "a loader of three": lambda: loader(X, Y, Y),
    "a loader": lambda: loader(X, Y),
    "dict batches": _dict_batches,
    "no batch": lambda: [()],
    "labels beyond": lambda: [(X, Y + 40)],
    "labels below 0": lambda: [(X, Y - 40)],
    "labels that are no whole numbers": lambda: [(X, Y + 0.5)],
    "too few labels": lambda: [(X, Y[:3])],
    "wide inputs": lambda: [(torch.ones(8, 13), Y)],
    "inputs of whole numbers": lambda: [(torch.ones(8, 12, dtype=torch.int64), Y)],
    "inputs of text": lambda: [(["a"] * 8, Y)],
    # objects of mho and of torch, and their classes
    "Hardware": lambda: HARDWARE,
    "a cell": lambda: CELL,
    "a preset": lambda: mho.devices.preset("pcm-gst"),
    "a price list": lambda: mho.prices.get("hfo2-130nm"),
    "a ledger": lambda: mho.ledger(_CHIP),
    "a model in motion": lambda: mho.dynamics.get("tio2-hp"),
    "wires": lambda: mho.circuits.Wires(row=1.0),
    "a conduction": lambda: mho.circuits.Ohmic(),
    "a rule": lambda: mho.rules.Accumulate(),
    "a policy": lambda: mho.rules.Every(2),
    "a write step": lambda: mho.WriteStep(chip()),
    "a network": model,
    "a network on chips": chip,
    "a network on two chips": lambda: chip(2),
    "a memristive layer": lambda: chip()[0],  # type: ignore[index]
    "its crossbar": lambda: chip()[0].crossbar,  # type: ignore[index]
    "a linear layer": lambda: nn.Linear(3, 2),
    "a layer without weights": nn.ReLU,
    "an optimizer": lambda: torch.optim.SGD(model().parameters(), lr=0.1),
    "an instrument": lambda: mho.instruments.SimulatedInstrument(HARDWARE.replace(tile=(16, 12))),
    "a task": lambda: mho.data.split("mnist")[0],
    "a generator": lambda: torch.Generator().manual_seed(1),
    "a device": lambda: torch.device("cpu"),
    "a type of numbers": lambda: torch.float32,
    "the class Hardware": lambda: mho.Hardware,
    "the class Linear": lambda: nn.Linear,
    "the class Sequential": lambda: nn.Sequential,
    "the class Every": lambda: mho.rules.Every,
    "the class SGD": lambda: torch.optim.SGD,
    "the class MultiLevel": lambda: mho.cells.MultiLevel,
    "the class float": lambda: float,
    "the module mho": lambda: mho,
    "a function": lambda: print,
    "a function of nothing": lambda: lambda: None,
    "an object": object,
    "an error": lambda: ValueError("wrong"),
}
"""By what they are called: functions that make them anew."""


def _in_itself() -> list[Any]:
    found: list[Any] = [1]
    found.append(found)
    return found


_CHIP = chip()
