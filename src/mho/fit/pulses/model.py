"""What a model of pulse trains answers: how a cell walks, and what of it is estimated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mho.fit.maximum import Likelihood, Maximum, Sum, maximise
from mho.fit.outcome import Parameter
from mho.fit.pulses.pieces import COUNTED, LONGEST, pieces
from mho.fit.pulses.trains import Trains
from mho.fit.pulses.walk import Course, exact_reads, noisy_reads
from mho.physics import PulsedCell


@dataclass(frozen=True)
class PulseModel(ABC):
    """One family with what is estimated of it; conductances are in units of a window of reference.

    Devices share some parameters and have one of their own: ln of their SET pulses, or the like.
    """

    name: str
    noisy: bool
    """Whether reads err."""
    bounded: bool
    """Whether the window stops the cell."""

    @abstractmethod
    def walk(self, x: np.ndarray) -> Course:
        """The walk of parameters (batch, devices, q)."""

    @abstractmethod
    def start(self, chains: Trains, low: float, width: float) -> tuple[np.ndarray, np.ndarray]:
        """First guesses of the shared parameters (s,) and of those of devices (devices, 1)."""

    def searched(
        self, likelihood: Likelihood, shared: np.ndarray, own: np.ndarray, g: np.ndarray
    ) -> np.ndarray:
        """A better start (s,), where the likelihood is rough."""
        return shared

    @abstractmethod
    def parameters(
        self, best: Maximum, chains: Trains, low: float, width: float, digit: float
    ) -> tuple[list[Parameter], list[str]]:
        """Parameters of the record, with intervals, and remarks."""

    @abstractmethod
    def record(self, parameters: list[Parameter]) -> tuple[PulsedCell, list[str]]:
        """The record, and what it could not take as it was found."""

    @abstractmethod
    def shared_by(self, record: Any, best: Maximum, low: float, width: float) -> np.ndarray:
        """Shared parameters (s,) of a record, as it holds them."""

    @abstractmethod
    def typical(self, record: Any) -> float:
        """Own parameter of a device of step factor 1, as a record holds it."""

    @abstractmethod
    def typical_found(self, value: Mapping[str, float]) -> float:
        """The same of parameters."""


WARM_UP = 64
"""Reads before those of a piece that count, at first."""
FORGOTTEN = 0.02
"""Change of the log-likelihood by a warm-up twice as long that does not matter."""


def maximum(
    model: PulseModel, chains: Trains, low: float, width: float, near: Maximum | None = None
) -> Maximum:
    """The likelihood of a model, maximised, from what was found for nearly the same reads."""
    shared, own = model.start(chains, low, width) if near is None else (near.shared, near.own)
    warm_up, longest = WARM_UP, chains.g.shape[1]
    likelihood = log_likelihood(model, chains, low, width, warm_up)
    if near is None:
        shared = model.searched(likelihood, shared, own, (chains.g - low) / width)
    best = maximise(likelihood, shared, own)
    while model.noisy and longest > max(LONGEST, warm_up + COUNTED) and best.settled:
        warm_up *= 2
        likelihood = log_likelihood(model, chains, low, width, warm_up)
        value = float(likelihood(best.rows[None]).sum())
        if abs(value - best.value) < FORGOTTEN:
            break
        best = maximise(likelihood, best.shared, best.own)
    return best


def log_likelihood(
    model: PulseModel, chains: Trains, low: float, width: float, warm_up: int = WARM_UP
) -> Sum:
    """The log-likelihood as a function of the parameters of a model, a term a read."""
    if model.noisy:
        cut = pieces(chains, warm_up)
        each, g = cut.trains, (cut.trains.g - low) / width
        counted = cut.counted & np.isfinite(g)
        counted[:, 0] = False

        def noisy(x: np.ndarray) -> np.ndarray:
            walk = model.walk(x).of(each.device)
            return noisy_reads(walk, g, each.pulses, each.up, model.bounded)[0][:, counted]

        return Sum(noisy, chains.device[cut.chain[counted]], chains.devices)
    before, after, pulses, up, device, _, _ = chains.transitions()
    before, after = (before - low) / width, (after - low) / width

    def exact(x: np.ndarray) -> np.ndarray:
        walk = model.walk(x).of(device)
        return exact_reads(walk, before, after, pulses, up, model.bounded)[0]

    return Sum(exact, device, chains.devices)


def predicted(
    model: PulseModel, rows: np.ndarray, chains: Trains, low: float, width: float
) -> tuple[np.ndarray, np.ndarray]:
    """Prediction of each read [S] and its deviation [S], both (chains, reads).

    Args:
        rows: (devices, q) parameters.
    """
    if model.noisy:
        cut = pieces(chains, 4 * WARM_UP)
        each, g = cut.trains, (cut.trains.g - low) / width
        walk = model.walk(rows[None]).of(each.device)
        _, mean, sd = noisy_reads(walk, g, each.pulses, each.up, model.bounded)
        mean, sd = (cut.joined(part[0], chains.g.shape) for part in (mean, sd))
        return low + width * mean, width * sd
    shape = chains.g.shape
    before, after, pulses, up, device, c, k = chains.transitions()
    walk = model.walk(rows[None]).of(device)
    pair = ((before - low) / width, (after - low) / width)
    _, mean, sd = exact_reads(walk, *pair, pulses, up, model.bounded)
    means, sds = np.full(shape, np.nan), np.full(shape, np.nan)
    means[c, k] = mean[0].clip(walk.low[0], walk.high[0]) if model.bounded else mean[0]
    sds[c, k] = sd[0]
    return low + width * means, width * sds
