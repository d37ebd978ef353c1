"""The answer to a question of the lab, in a second or two.

Fewer chips and images than `mho try` takes: some 0.3 points of uncertainty in an accuracy, in
exchange for an answer while a slider is being moved.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, replace
from functools import lru_cache
from threading import Lock
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

import mho
from mho.lab.question import BINARY, Question
from mho.learning.conductances import conductances
from mho.trial.chips import repaired, unlabelled, written
from mho.trial.costs import costs
from mho.trial.network import DATA, network
from mho.trial.trial import remarks

IMAGES = 1000
"""Held-out images that an accuracy is of."""
BATCH = 250
LAYERS = ("first layer, 784 x 100", "second layer, 100 x 10")
"""Layers on arrays, in words, in order."""
_ONE = Lock()
"""Answers are found one after the other: each takes all cores, and warnings are of a process."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What was found of a question."""

    question: Question
    in_float: float
    """Accuracy of the network without any chip [1]."""
    accuracy: dict[str, np.ndarray]
    """Of each chip at the age asked for (chips,) [1], "as written" and "after repair"."""
    costs: list[tuple[str, str]]
    """Writes, energy, time, area and lifetime of a chip, as text with units."""
    remarks: list[str]
    """What is not known of the device, and what may surprise in the numbers."""
    seconds: float
    """That it took [s]."""
    cells: dict[str, Tensor]
    """Conductances of all cells at that age (chips, tiles, rows, width) [S], nan where no weight
    is; by layer, in words."""


class _Samples(NamedTuple):
    """Images that every answer is found with."""

    loader: list[tuple[Tensor, Tensor]]
    unlabelled: Tensor


@lru_cache(maxsize=1)
def _samples() -> _Samples:
    held_out = mho.data.load(DATA, "validation")
    pairs = zip(
        held_out.inputs[:IMAGES].split(BATCH), held_out.labels[:IMAGES].split(BATCH), strict=True
    )
    return _Samples(list(pairs), unlabelled())


@lru_cache(maxsize=2)
def _network(binary: bool) -> tuple[nn.Module, float]:
    """The network and its accuracy without any chip."""
    net = network(binary)
    return net, mho.evaluate(net, _samples().loader).item()


@lru_cache(maxsize=32)
def answer(question: Question) -> Answer:
    """Accuracy over chips, costs and cells of one question; the same each time."""
    with _ONE, warnings.catch_warnings(record=True) as doubts:
        warnings.simplefilter("always")
        found = _answered(question)
    said = dict.fromkeys([*found.remarks, *(str(doubt.message) for doubt in doubts)])
    return replace(found, remarks=[*said])


@torch.no_grad()
def _answered(question: Question) -> Answer:
    began = time.perf_counter()
    samples = _samples()
    net, in_float = _network(BINARY[question.network])
    hardware = question.hardware
    chips = written(net, hardware, question.chips, 0, samples.unlabelled)
    priced = costs(chips, samples.loader, question.prices)
    if hardware.ages and question.seconds:
        mho.age(chips, question.seconds)
    accuracy = {"as written": mho.evaluate(chips, samples.loader).numpy()}
    held = conductances(chips)
    repaired(chips, samples.unlabelled)
    accuracy["after repair"] = mho.evaluate(chips, samples.loader).numpy()
    return Answer(
        question=question,
        in_float=in_float,
        accuracy=accuracy,
        costs=priced,
        remarks=remarks(question.device, hardware),
        seconds=time.perf_counter() - began,
        cells=dict(zip(LAYERS, held.values(), strict=True)),
    )
