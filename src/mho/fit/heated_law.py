"""The law of several temperatures as it is written: its numbers, and what it says of each read."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import stats

from mho.errors import invalid
from mho.fit.activation import Found, interval
from mho.fit.arrhenius import Likelihood
from mho.fit.bakes import SHOWN, Bakes, kelvins
from mho.fit.devices import rows_of
from mho.fit.outcome import (
    CONFIDENCE,
    Goodness,
    Parameter,
    Picture,
    Series,
    given,
    judge,
    on_line,
    on_log,
)
from mho.fit.traces import ROOM, SAME
from mho.physics import LogTime, PowerLaw
from mho.physics.retention import BOLTZMANN

LAWS = {"power-law": PowerLaw, "log-time": LogTime}
SURE = 8.0
"""Standard errors in an activation energy from which on these give its interval."""
HIGHEST = 5.0
"""Largest activation energy of a law [eV]."""
SHORTEST, LONGEST = 1e-15, 1e12
"""Least and most t0 of a law [s]."""
_RATIOS = np.linspace(-6, 4, 101)
"""Decimal logarithms of ratios of variances that are tried for the upper end of one."""


class HeatedLaw:
    """The law that is written, and what it says of each read."""

    def __init__(self, bakes: Bakes, family: str, likelihood: Likelihood, found: Found) -> None:
        self.bakes, self.family, self.found = bakes, family, found
        self.likelihood = likelihood
        self.wide = float(stats.t.isf((1 - CONFIDENCE) / 2, max(1, bakes.free_shifts)))
        self.sign, self.unit, self.name = (
            (-1.0, "1", "nu") if family == "power-law" else (1.0, "S", "rate")
        )
        self.energy = self._interval("energy", "activation", found.energy, "eV")
        self._check(self.energy)
        rate = self._interval("rate", self.name, found.rate, self.unit)
        if self.sign < 0:
            assert rate.low is not None
            assert rate.high is not None
            rate = Parameter(rate.name, -rate.value, -rate.high, -rate.low, rate.unit)
        self.kelvin = ROOM
        start = self._start(ROOM)
        if not SHORTEST <= start.value <= LONGEST:
            self.kelvin = round(found.kelvin)
            start = self._start(self.kelvin)
        spread = self._spread()
        noise = found.error("noise")
        name = "error of a read, share" if family == "power-law" else "error of a read"
        error = Parameter(name, 0.0, -math.inf, math.inf, self.unit)
        if "noise" in found.names:
            error = on_log(name, math.log(found.noise), noise, self.unit, self.wide)
        self.parameters = [
            given("temperature", self.kelvin, "K"), self.energy, start, rate, spread, error
        ]  # fmt: skip
        self.record = LAWS[family].from_dict({
            "t0": start.value, self.name: rate.value, f"{self.name}_spread": spread.value,
            "activation": self.energy.value, "temperature": self.kelvin,
        })  # fmt: skip

    def _interval(self, what: str, name: str, value: float, unit: str) -> Parameter:
        """By the standard error, or by the likelihood itself where little is known."""
        found = self.found
        error = found.error(what)
        if found.settled and abs(found.energy) > SURE * found.error("energy"):
            return on_line(name, value, error, unit, self.wide)
        low, high = interval(self.likelihood, found, what, 0.5 * self.wide**2)
        return Parameter(name, value, low, high, unit)

    def _check(self, energy: Parameter) -> None:
        """Refuse what is no activation energy, or may be none."""
        assert energy.low is not None
        assert energy.high is not None
        path, t = self.bakes.traces.table.path, self.bakes.traces
        known = math.isfinite(energy.low) and math.isfinite(energy.high)
        ends = f"{energy.low:.2g} to {energy.high:.2g} eV" if known else "not known"
        if energy.low > 0 and energy.value <= HIGHEST and known:
            return
        found = f"{energy.value:.2g} eV, 95 % interval {ends}"
        if energy.high < 0:
            allowed = "above 0: here heat slows the relaxation down, and no law does"
        elif energy.low > 0:
            allowed = f"up to {HIGHEST:g} eV: the curves shift by more between {kelvins(t)}"
        else:
            allowed = (
                f"an interval above 0: the {len(self.bakes.device)} traces at {kelvins(t)} do not "
                "tell the shift by heat from the spread of cells; take more cells or times, or "
                "fit each temperature alone"
            )
        raise invalid(f"{path}, E_a", found, "; ".join([allowed, *self._slopes()]))

    def _shift(self, kelvin: float) -> float:
        """ln of the seconds at a temperature that are as long as one at the reference."""
        return self.found.energy / BOLTZMANN * (1 / kelvin - 1 / self.found.kelvin)

    def _start(self, kelvin: float) -> Parameter:
        """t0 at a temperature."""
        found = self.found
        if not self.bakes.free:
            log = self.likelihood.begin(found.energy) + self._shift(kelvin)
            return given("t0", math.exp(min(log, 700.0)), "s")
        by = (1 / kelvin - 1 / found.kelvin) / BOLTZMANN
        i, k = found.names.index("energy"), found.names.index("start")
        c = found.covariance
        variance = c[k, k] + 2 * by * c[i, k] + by**2 * c[i, i]
        error = math.sqrt(variance) if variance > 0 else math.inf
        return on_log("t0", found.start + self._shift(kelvin), error, "s", self.wide)

    def _spread(self) -> Parameter:
        """Of rates between cells."""
        found, name = self.found, f"{self.name}_spread"
        devices = int(self.bakes.device.max()) + 1
        if "spread" in found.names:
            wide = float(stats.t.isf((1 - CONFIDENCE) / 2, max(1, devices - 1)))
            return on_log(name, math.log(found.spread), found.error("spread"), self.unit, wide)
        start = found.start if found.free else None
        offset = (found.offset / found.noise) ** 2
        at = [self.likelihood.profile(found.energy, start, r, offset) for r in 10.0**_RATIOS]
        none = self.likelihood.profile(found.energy, start, 0.0, offset)
        past = np.flatnonzero(none - np.array(at) > 1.92)
        top = found.noise * 10 ** (_RATIOS[past[0]] / 2) if len(past) else math.inf
        return Parameter(name, 0.0, 0.0, float(top), self.unit)

    def judged(self) -> tuple[Goodness, Picture]:
        """Goodness and picture of the reads after time 0.

        Drawn are changes since the start, a share of the conductance or in siemens, whichever the
        law is in, and those of a cell of the mean rate. Residuals are about each cell's own line,
        where cells were read often enough; else of the change about the law, spread included.
        """
        t, found = self.bakes.traces, self.found
        log = self._log()
        y = np.log(t.g) if self.family == "power-law" else t.g
        size = np.bincount(t.trace)
        start = np.bincount(t.trace, y - found.rate * log) / size
        if self.bakes.levels == "own":
            reference = t.time == 0
            if reference.any():
                n = np.maximum(np.bincount(t.trace, reference), 1)
                start = np.bincount(t.trace, np.where(reference, y, 0.0)) / n
        level = np.exp(start) if self.family == "power-law" else start
        hot = t.time > 0
        tau = torch.from_numpy(np.exp(log + math.log(self.record.t0)))
        g = torch.from_numpy(level[t.trace])
        rate = torch.tensor(self.record.to_dict()[self.name], dtype=torch.float64)
        law = self.record.at(tau, g, rate).numpy()
        if self.family == "power-law":
            measured, fitted = t.g / level[t.trace], law / level[t.trace]
        else:
            measured, fitted = t.g - level[t.trace], law - level[t.trace]
        left = self._left(y, log)
        if left is not None:
            residual, of_g = left / found.noise, y - left
        else:
            first = np.flatnonzero(np.diff(t.trace, prepend=-1))
            change = y - y[first][t.trace] - found.rate * (log - log[first][t.trace])
            size = np.sqrt(found.spread**2 * log**2 + 2 * found.noise**2)
            residual, of_g = change / np.maximum(size, 1e-300), start[t.trace] + found.rate * log
        of_g = np.exp(of_g) if self.family == "power-law" else of_g
        goodness = judge(t.g[hot], of_g[hot], residual[hot])
        return goodness, self._picture(measured[hot], fitted[hot], residual[hot])

    def _log(self) -> np.ndarray:
        """ln(tau / t0) of each read."""
        log = self.likelihood.log_time(self.found.energy)
        start = self.found.start if self.bakes.free else self.likelihood.begin(self.found.energy)
        return np.maximum(log - start, 0.0)

    def _left(self, y: np.ndarray, log: np.ndarray) -> np.ndarray | None:
        """What is left of each read about its cell's own line, as large as errors of reads are;
        None: too few reads a cell."""
        t = self.bakes.traces
        size = np.bincount(t.trace)
        devices = int(self.bakes.device.max()) + 1
        free = len(y) - len(size) - devices
        if free < len(y) / 3 or self.found.noise == 0:
            return None
        device = self.bakes.device[t.trace]
        u = log - (np.bincount(t.trace, log) / size)[t.trace]
        w = y - (np.bincount(t.trace, y) / size)[t.trace]
        slope = np.bincount(device, u * w) / np.maximum(np.bincount(device, u * u), 1e-300)
        return (w - slope[device] * u) / math.sqrt(free / len(y))

    def _picture(self, measured: np.ndarray, fitted: np.ndarray, residual: np.ndarray) -> Picture:
        """Changes over time, a series a temperature."""
        t = self.bakes.traces
        hot = t.time > 0
        time, kelvin = t.time[hot], np.round(t.kelvin[hot])
        seen = np.unique(kelvin)
        shown = seen[np.unique(np.linspace(0, len(seen) - 1, SHOWN).round().astype(int))]
        series = []
        for each in shown:
            rows = np.flatnonzero(kelvin == each)
            rows = rows[np.argsort(time[rows], kind="stable")]
            series.append(Series(f"{each:g} K", time[rows], measured[rows], fitted[rows]))
        label = "G over G at the start" if self.family == "power-law" else "change of G [S]"
        of = np.full(len(kelvin), -1)
        for k, each in enumerate(shown):
            of[kelvin == each] = k
        return Picture("time [s]", label, series, time, residual, "log", series_of=of,
                       device=t.table.devices(hot))  # fmt: skip

    def remarks(self) -> list[str]:
        """What the shift is, what was assumed, and what speaks against one activation energy."""
        t, found = self.bakes.traces, self.found
        hottest = float(t.kelvin[t.time > 0].max())
        faster = self.record.acceleration(hottest)
        out = [
            f"E_a is the shift of ln t between {kelvins(t)}: an hour at {hottest:g} K is as long "
            f"as {_long(3600 * faster)} at {self.kelvin:g} K"
        ]
        if self.kelvin != ROOM:
            out.append(f"t0 at {ROOM:g} K is outside {SHORTEST:g} to {LONGEST:g} s: the law is "
                       f"written for {self.kelvin:g} K")  # fmt: skip
        if self.bakes.levels != "own":
            alike = "of one cell" if self.bakes.levels == "shared" else "of all cells"
            out.append(f"there are no reads before the bake: traces {alike} are taken to have "
                       "started alike at each temperature, but for an error")  # fmt: skip
            out.append(f"the law begins with the first reads, {_long(self.record.t0)} at "
                       f"{self.kelvin:g} K")  # fmt: skip
        if "noise" not in found.names:
            out.append("cells were read too seldom to tell the error of a read from the spread "
                       "of rates: all of it is written as spread")  # fmt: skip
        if not found.settled:
            out.append("the likelihood has no clear maximum: intervals are wide for it")
        return out + self._slopes()

    def _slopes(self) -> list[str]:
        """A remark where slopes in ln t change with temperature, which no shift explains."""
        t = self.bakes.traces
        y, on = (np.log(t.g) if self.family == "power-law" else t.g), self._log() > 0
        slopes, heat = [], []
        for rows in rows_of(t.trace):
            rows = rows[on[rows]]
            if len(np.unique(t.time[rows])) >= 3 and np.ptp(t.kelvin[rows]) < SAME:
                slopes.append(self.sign * np.polyfit(np.log(t.time[rows]), y[rows], 1)[0])
                heat.append(-1 / t.kelvin[rows[0]])
        if len(slopes) < 6 or np.ptp(heat) == 0:
            return []
        line = np.asarray(stats.linregress(heat, slopes), dtype=float)
        slope, intercept, _, p, _ = line.tolist()
        if p > 1e-3:
            return []
        low, high = (intercept + slope * h for h in (min(heat), max(heat)))
        return [
            f"curves do not only shift: their {self.name} goes from {low:.3g} at "
            f"{-1 / min(heat):.0f} K to {high:.3g} at {-1 / max(heat):.0f} K "
            f"(p {p:.1g}); one activation energy describes that badly"
        ]


def _long(seconds: float) -> str:
    """A time in the unit that suits it."""
    for unit, name in ((31_557_600.0, "years"), (86_400.0, "days"), (3_600.0, "h"), (60.0, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds:.3g} s"
