"""One model fitted to pulse trains, the record that it becomes, and how well that tells the reads.

A record cannot hold all that a model finds: pulses are whole numbers, fields have bounds. What is
compared, shown and judged is the model as the record holds it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from mho.fit.free_run import Course
from mho.fit.maximum import Maximum
from mho.fit.outcome import Goodness, Parameter, judge
from mho.fit.pulses.course import course
from mho.fit.pulses.model import PulseModel, log_likelihood, maximum, predicted
from mho.fit.pulses.trains import Trains
from mho.physics import PulsedCell


@dataclass(frozen=True)
class Reads:
    """What models are fitted to."""

    chains: Trains
    low: float
    """Low end of the window of reference [S]."""
    width: float
    digit: float
    """Last digit that the file gives [S]."""


@dataclass(frozen=True)
class Candidate:
    """A model with its maximum, and the record with the parameters that it holds."""

    model: PulseModel
    best: Maximum
    parameters: list[Parameter]
    record: PulsedCell
    remarks: list[str]
    written: Maximum
    """The same with shared and own parameters and log-likelihood as the record holds them."""
    reads: Reads

    def told(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Prediction [S] and standardized residual of each read, and which of them say
        something."""
        low, width, chains = self.reads.low, self.reads.width, self.reads.chains
        mean, sd = predicted(self.model, self.written.rows, chains, low, width)
        told = np.isfinite(chains.g) & np.isfinite(mean)
        if self.model.bounded and not self.model.noisy:  # an end tells only that it was reached
            told &= (chains.g > low) & (chains.g < low + width)
        return mean, (chains.g - mean) / sd, told

    def goodness(self) -> Goodness:
        """How well the record tells each read from the one before."""
        mean, residual, told = self.told()
        return judge(self.reads.chains.g[told], mean[told], residual[told])

    def course(self) -> Course:
        """The record run over all pulses from the first reads, with each device's step factor."""
        typical = self.model.typical(self.record)
        return course(self.record, self.reads.chains, np.exp(typical - self.written.own[:, 0]))


def candidate(
    model: PulseModel, reads: Reads, levels: int | None, near: Maximum | None = None
) -> Candidate | None:
    """A model fitted and written; None: the reads have no such model, or no record holds it."""
    low, width = reads.low, reads.width
    best = maximum(model, reads.chains, low, width, near)
    if not math.isfinite(best.value):
        return None
    try:  # a window upside down, or numbers beyond any field
        parameters, remarks = model.parameters(best, reads.chains, low, width, reads.digit)
        record, more = model.record(parameters)
        shared = model.shared_by(record, best, low, width)
        found = model.typical_found({p.name: p.value for p in parameters})
    except (ArithmeticError, ValueError):
        return None
    if not all(math.isfinite(p.value) for p in parameters):
        return None
    if levels is not None:
        record = record.replace(levels=levels)
    own = best.own + (model.typical(record) - found)
    written = replace(best, shared=shared, own=own)
    value = float(log_likelihood(model, reads.chains, low, width)(written.rows[None]).sum())
    written = replace(written, value=value if math.isfinite(value) else -math.inf)
    return Candidate(model, best, parameters, record, [*remarks, *more], written, reads)
