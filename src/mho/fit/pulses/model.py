"""What a model of pulse trains answers: how a cell walks, and what of it is estimated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from mho.config import Config
from mho.fit.maximum import Likelihood, Maximum, maximise
from mho.fit.outcome import Parameter
from mho.fit.pulses.trains import Trains
from mho.fit.pulses.walk import Course, exact_reads, noisy_reads


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
    def record(self, parameters: list[Parameter], levels: int | None) -> tuple[Config, list[str]]:
        """The record, and what it could not take as it was found."""


def maximum(
    model: PulseModel, chains: Trains, low: float, width: float, near: Maximum | None = None
) -> Maximum:
    """The likelihood of a model, maximised, from what was found for nearly the same reads."""
    shared, own = model.start(chains, low, width) if near is None else (near.shared, near.own)
    member = np.eye(chains.devices)[chains.device]
    g = (chains.g - low) / width
    if model.noisy:

        def likelihood(x: np.ndarray) -> np.ndarray:
            walk = model.walk(x).of(chains.device)
            return noisy_reads(walk, g, chains.pulses, chains.up, model.bounded)[0] @ member

        return maximise(likelihood, model.searched(likelihood, shared, own, g), own)
    before, after, pulses, up, device, _, _ = chains.transitions()
    before, after = (before - low) / width, (after - low) / width
    sums = np.eye(chains.devices)[device]

    def exact(x: np.ndarray) -> np.ndarray:
        walk = model.walk(x).of(device)
        return exact_reads(walk, before, after, pulses, up, model.bounded)[0] @ sums

    return maximise(exact, shared, own)


def predicted(
    model: PulseModel, best: Maximum, chains: Trains, low: float, width: float
) -> tuple[np.ndarray, np.ndarray]:
    """Prediction of each read [S] and its deviation [S], both (chains, reads)."""
    x = np.concatenate([np.tile(best.shared, (len(best.own), 1)), best.own], 1)[None]
    g = (chains.g - low) / width
    if model.noisy:
        walk = model.walk(x).of(chains.device)
        _, mean, sd = noisy_reads(walk, g, chains.pulses, chains.up, model.bounded)
        return low + width * mean[0], width * sd[0]
    before, after, pulses, up, device, c, k = chains.transitions()
    walk = model.walk(x).of(device)
    pair = ((before - low) / width, (after - low) / width)
    _, mean, sd = exact_reads(walk, *pair, pulses, up, model.bounded)
    means, sds = np.full(g.shape, np.nan), np.full(g.shape, np.nan)
    means[c, k] = mean[0].clip(walk.low[0], walk.high[0]) if model.bounded else mean[0]
    sds[c, k] = sd[0]
    return low + width * means, width * sds
