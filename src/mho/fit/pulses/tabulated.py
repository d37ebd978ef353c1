"""Tables of steps as a model of pulse trains: as free as the data allow, by AIC."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mho.fit.maximum import Maximum, deviation
from mho.fit.outcome import Parameter, on_log
from mho.fit.pulses.exponential import Exponential
from mho.fit.pulses.model import PulseModel
from mho.fit.pulses.parameters import DEFAULT_LEVELS, device_parameters
from mho.fit.pulses.table_walk import TableWalk
from mho.fit.pulses.trains import Trains
from mho.fit.within import Value, within
from mho.physics import PulseTable
from mho.physics.of_conductance import mean

KNOTS = (3, 5, 8)
"""Numbers of conductances that are tried."""
LOG_EXACT = math.log(1e-5)
"""ln of what stands for a read without error."""


@dataclass(frozen=True)
class Tabulated(PulseModel):
    """Steps at evenly spaced conductances, linear in between, and one spread each way."""

    knots: int
    ends: tuple[float, float]
    """The window, in units of that of reference."""
    window: tuple[Parameter, Parameter]
    """The same with intervals [S]."""
    near: tuple[tuple[float, ...], tuple[float, ...]]
    """Where to start: shared parameters, and those of devices."""

    def walk(self, x: np.ndarray) -> TableWalk:
        """The walk of parameters (batch, devices, q)."""
        k, shared = self.knots, x[:, 0]  # the same for all devices
        zero = np.zeros((len(x), 1))
        noise = 2 * k - 1
        read = x[..., noise + 2] if self.noisy else np.full(x.shape[:-1], LOG_EXACT)
        return TableWalk(
            self.ends,
            np.concatenate([zero, shared[:, : k - 1]], axis=1),
            shared[:, k - 1 : noise][:, ::-1],
            log_pulses=x[..., -1],
            set_noise=x[..., noise],
            reset_noise=x[..., noise + 1],
            log_read=read,
        )

    def start(self, chains: Trains, low: float, width: float) -> tuple[np.ndarray, np.ndarray]:
        """What the exponential response says."""
        shared, own = self.near
        return np.array(shared), np.array(own)[:, None]

    def parameters(
        self, best: Maximum, chains: Trains, low: float, width: float, digit: float
    ) -> tuple[list[Parameter], list[str]]:
        """Window, steps and spreads [S], SET then RESET, from the low end up."""
        n, k = len(best.shared), self.knots
        _, spread, (log, drawn, z) = device_parameters(best, n)
        covariance = best.covariance
        mean = np.zeros(len(covariance))  # d(mean ln of the first step) / d parameters
        mean[n:] = -1 / len(best.own)
        out, span = list(self.window), self.ends[1] - self.ends[0]
        names = [f"{d}_step[{i}]" for d in ("set", "reset") for i in range(k)]
        for j, name in enumerate(names):
            into, shape = mean.copy(), 0.0
            if j > 0:
                into[j - 1], shape = 1.0, float(best.shared[j - 1])
            error = deviation(float(into @ covariance @ into) + drawn)
            out.append(on_log(name, shape - log + math.log(span * width), error, "S", z))
        for j, name in enumerate(("set_spread", "reset_spread"), 2 * k - 1):
            out.append(on_log(name, best.shared[j] + math.log(width), best.error(j), "S"))
        out += spread
        if self.noisy:
            log = float(best.shared[-1]) - math.log(span)
            out.append(on_log("read_noise", log, best.error(n - 1)))
        remarks = []
        if not self.bounded:
            remarks.append("window: the mean ends of the trains")
        return out, remarks

    def record(self, parameters: list[Parameter]) -> tuple[PulseTable, list[str]]:
        """The record, and what it could not take as it was found."""
        value = {p.name: p.value for p in parameters}
        found: dict[str, Value] = {
            f"{d}_step": tuple(value[f"{d}_step[{i}]"] for i in range(self.knots))
            for d in ("set", "reset")
        }
        for name in ("set_spread", "reset_spread"):
            found[name] = (value[name],)
        for name in ("device_spread", "read_noise"):
            found[name] = value.get(name, 0.0)
        found["g"] = tuple(np.linspace(value["g_min"], value["g_max"], self.knots).tolist())
        held, remarks = within(PulseTable, found)
        record = PulseTable(levels=2, **held)  # type: ignore[arg-type]
        most = max(2, min(DEFAULT_LEVELS, int(record.crossing[0]) + 1))
        return record.replace(levels=most), remarks

    def shared_by(self, record: PulseTable, best: Maximum, low: float, width: float) -> np.ndarray:
        """Logarithms of its steps over the first, and of its spreads over the window."""
        steps = np.log([*record.set_step, *record.reset_step])
        spreads = np.log(np.maximum([record.set_spread[0], record.reset_spread[0]], 1e-12 * width))
        read = math.log(
            max(mean(record.read_noise, record.window), 1e-12) * (self.ends[1] - self.ends[0])
        )
        shared = [*(steps[1:] - steps[0]), *(spreads - math.log(width)), read]
        return np.array(shared[: len(best.shared)])

    def typical(self, record: PulseTable) -> float:
        """-ln of its first SET step, in units of the window."""
        return math.log((record.g[-1] - record.g[0]) / record.set_step[0])

    def typical_found(self, value: Mapping[str, float]) -> float:
        """-ln of its first SET step, in units of the window."""
        return math.log((value["g_max"] - value["g_min"]) / value["set_step[0]"])


def tables(
    model: Exponential,
    best: Maximum,
    window: list[Parameter],
    low: float,
    width: float,
    reads: int,
) -> list[Tabulated]:
    """Tables that start from the exponential response, in its window, which they keep; of as many
    conductances as give each parameter three reads, or of the fewest.

    Args:
        window: g_min and g_max as found with it; no cell conducts less than 0 S.
        low, width: the window of reference [S].
        reads: how many there are.
    """
    ends = model.window
    if ends is None:
        ends = max(-low / width, float(best.shared[0])), float(best.shared[1])
        window = [replace(window[0], value=max(0.0, window[0].value)), window[1]]
    x = np.concatenate([np.tile(best.shared, (len(best.own), 1)), best.own], 1)[None]
    walk, out = model.walk(x), []
    read = "noisy reads" if model.noisy else "exact reads"
    for knots in KNOTS:
        if knots > KNOTS[0] and reads < 3 * (2 * knots + 2 + len(best.own)):
            continue
        g = np.linspace(*ends, knots)
        steps = []
        for up in (True, False):
            weak, way = np.full(knots, 0.01), np.full(knots, up)
            after, _, _ = walk.of(np.zeros(knots, dtype=int)).step(g[None], weak, way)
            moved = np.abs(after[0] - g) / 0.01 / (ends[1] - ends[0])
            steps.append(np.log(np.maximum(moved, 1e-6)))
        rise, fall = steps
        noise = float(np.mean(walk.log_noise))
        error = (float(np.mean(walk.log_read)),) if model.noisy else ()
        shared = (*(rise[1:] - rise[0]), *(fall - rise[0]), noise, noise, *error)
        own = best.own[:, 0] - best.own[0, 0] - rise[0]
        near = tuple(float(v) for v in shared), tuple(float(v) for v in own)
        name = f"table of {knots}, {read}, {'ends met' if model.bounded else 'no ends met'}"
        pair = window[0], window[1]
        out.append(Tabulated(name, model.noisy, model.bounded, knots, ends, pair, near))
    return out
