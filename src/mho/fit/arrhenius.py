"""A law that is straight in ln t, sped up by heat: one activation energy for all temperatures.

A cell's value is `y = level + rate ln(tau / t0)` from the time t0 on, and `level` before, where

    tau = sum over what the cell has gone through of exp(E_a / k (1 / T_0 - 1 / T)) dt

is the time that would do the same at T_0: heat shifts the curve along ln t. Levels are the cells'
own, rates are normal about one mean, reads have one error; the likelihood is in closed form but for
E_a, t0 and the ratios of the variances.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mho.physics.retention import BOLTZMANN

Levels = Literal["own", "shared", "common"]
"""What is known of levels: nothing, a trace has its own; the traces of a unit (one cell, brought to
one level) start alike but for an error; all units of a group do."""


@dataclass(frozen=True)
class Courses:
    """Reads in the order of traces, and of times in each."""

    y: np.ndarray
    """(n,) g or ln g."""
    time: np.ndarray
    """(n,) time since the start of the trace [s]; 0: before anything happened."""
    kelvin: np.ndarray
    """(n,) temperature since the read before [K]."""
    trace: np.ndarray
    """(n,) from 0, in order."""
    unit: np.ndarray
    """(traces,) cell and level of each."""
    device: np.ndarray
    """(traces,) cell, whose rate is one."""
    group: np.ndarray
    """(traces,) units that were brought to one level."""
    levels: Levels

    @property
    def level(self) -> np.ndarray:
        """(n,) which of the levels that are estimated each read belongs to."""
        one = {"own": np.arange(len(self.unit)), "shared": self.unit, "common": self.group}
        return one[self.levels][self.trace]


class Likelihood:
    """Of courses; times are brought to the temperature `kelvin` [K], in the middle of theirs."""

    def __init__(self, courses: Courses) -> None:
        self.courses = courses
        c = courses
        warm = c.time > 0
        self.kelvin = 1 / float(np.mean(1 / c.kelvin[warm]))
        self.heat = (1 / self.kelvin - 1 / c.kelvin) / BOLTZMANN
        first = np.flatnonzero(np.diff(c.trace, prepend=-1))
        self.size = np.bincount(c.trace)
        step = np.diff(c.time, prepend=0.0)
        step[first] = c.time[first]
        place = np.arange(len(c.y)) - first[c.trace]
        changes = np.zeros(len(self.size), dtype=bool)
        later = np.flatnonzero(warm & (place > 0))
        later = later[c.time[later - 1] > 0]
        np.logical_or.at(changes, c.trace[later], c.kelvin[later] != c.kelvin[later - 1])
        self.mixed = changes[c.trace]
        self.place = place[self.mixed]
        self.row = np.unique(c.trace[self.mixed], return_inverse=True)[1]
        self.step = step[self.mixed]
        with np.errstate(divide="ignore"):
            self.log = np.log(c.time)
        middle = np.bincount(c.level, c.y) / np.bincount(c.level)
        self.y = c.y - middle[c.level]
        self.scale = float(np.sqrt(np.mean(self.y**2))) or 1.0
        self.y /= self.scale
        self.sums = np.bincount(c.trace, self.y), np.bincount(c.trace, self.y**2)
        unit_first = np.unique(c.unit, return_index=True)[1]
        self.device_of_unit, self.group_of_unit = c.device[unit_first], c.group[unit_first]
        self.free_reads = len(c.y) - int(c.level.max()) - 1

    def log_time(self, energy: float) -> np.ndarray:
        """ln(tau) of each read at the reference temperature."""
        out = self.log + energy * self.heat
        if self.mixed.any():
            steps = np.zeros((self.row.max() + 1, self.place.max() + 1))
            steps[self.row, self.place] = self.step * np.exp(energy * self.heat[self.mixed])
            with np.errstate(divide="ignore"):
                out[self.mixed] = np.log(np.cumsum(steps, axis=1))[self.row, self.place]
        return out

    def begin(self, energy: float) -> float:
        """ln(tau) of the first read after time 0."""
        found = self.log_time(energy)
        return float(found[self.courses.time > 0].min())

    def parts(
        self, energy: float, start: float | None, spread: float, offset: float
    ) -> tuple[float, float, float, float]:
        """<L, L>, <L, y>, <y, y>, L = ln(tau / t0), and the log of the covariance's determinant.

        Products are with the inverse of the covariance: reads of one error, in whose variance
        `spread` (of rates) and `offset` (of levels) are given; levels and what is common to them
        are integrated out, one after the other, each a correction of rank one.

        Args:
            start: ln(t0); None: the first read after time 0.
        """
        c = self.courses
        log = self.log_time(energy)
        log = np.maximum(log - (self.begin(energy) if start is None else start), 0.0)
        n, (one_y, y_y) = self.size, self.sums
        one_l, l_l = np.bincount(c.trace, log), np.bincount(c.trace, log * log)
        l_y = np.bincount(c.trace, log * self.y)
        shrink = 1 / n if c.levels == "own" else offset / (1 + n * offset)
        l_l, l_y, y_y = (
            l_l - shrink * one_l**2,
            l_y - shrink * one_l * one_y,
            y_y - shrink * one_y**2,
        )
        one_one = n - shrink * n**2
        one_l, one_y = (1 - shrink * n) * one_l, (1 - shrink * n) * one_y
        logs = 0.0 if c.levels == "own" else float(np.log1p(n * offset).sum())
        l_l, l_y, y_y, one_one, one_l, one_y = (
            np.bincount(c.unit, part) for part in (l_l, l_y, y_y, one_one, one_l, one_y)
        )
        if c.levels == "shared":
            l_l, l_y, y_y = (
                l_l - one_l**2 / one_one, l_y - one_l * one_y / one_one, y_y - one_y**2 / one_one
            )  # fmt: skip
            logs += float(np.log(one_one).sum())
        device, group = self.device_of_unit, self.group_of_unit
        l_l, l_y, y_y = (np.bincount(device, part) for part in (l_l, l_y, y_y))
        grown = 1 + spread * l_l
        logs += float(np.log(grown).sum())
        ll, ly = float((l_l / grown).sum()), float((l_y / grown).sum())
        yy = float((y_y - spread * l_y**2 / grown).sum())
        if c.levels == "common":
            by = np.zeros((len(l_l), int(group.max()) + 1))
            np.add.at(by, (device, group), one_l)
            a = np.diag(np.bincount(group, one_one)) - by.T @ (by * (spread / grown)[:, None])
            to_l = by.T @ (1 / grown)
            to_y = np.bincount(group, one_y) - by.T @ (spread * l_y / grown)
            solved = np.linalg.solve(a, np.stack([to_l, to_y], 1))
            ll, ly, yy = (
                ll - to_l @ solved[:, 0],
                ly - to_l @ solved[:, 1],
                yy - to_y @ solved[:, 1],
            )
            logs += float(np.linalg.slogdet(a)[1])
        return float(ll), float(ly), float(yy), logs

    def profile(
        self,
        energy: float,
        start: float | None,
        spread: float,
        offset: float,
        rate: float | None = None,
    ) -> float:
        """Log-likelihood at the best error of a read, and at the best rate if none is given."""
        ll, ly, yy, logs = self.parts(energy, start, spread, offset)
        free = self.free_reads
        rate = (ly / ll if ll > 0 else 0.0) if rate is None else rate
        left = max(yy - 2 * rate * ly + rate**2 * ll, 1e-300)
        return -0.5 * (free * (math.log(2 * math.pi * left / free) + 1) + logs)
