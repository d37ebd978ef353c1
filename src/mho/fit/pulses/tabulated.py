"""Tables of steps as a model of pulse trains: as free as the data allow, by AIC."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mho.fit.maximum import Maximum
from mho.fit.outcome import Parameter, on_log
from mho.fit.pulses.exponential import Exponential
from mho.fit.pulses.model import PulseModel
from mho.fit.pulses.parameters import DEFAULT_LEVELS, device_parameters
from mho.fit.pulses.table_walk import TableWalk
from mho.fit.pulses.trains import Trains
from mho.physics import PulseTable

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
            error = math.sqrt(max(0.0, into @ covariance @ into) + drawn)
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

    def record(
        self, parameters: list[Parameter], levels: int | None
    ) -> tuple[PulseTable, list[str]]:
        """The record, and what it could not take as it was found."""
        value = {p.name: p.value for p in parameters}
        remarks = []
        spread = value.get("device_spread", 0.0)
        if spread > 1:
            most = "written as 1, the most that the family takes"
            remarks.append(f"device_spread {spread:.3g}: {most}")
        steps = [tuple(value[f"{d}_step[{i}]"] for i in range(self.knots))
                 for d in ("set", "reset")]  # fmt: skip
        record = PulseTable(
            g=tuple(np.linspace(max(0.0, value["g_min"]), value["g_max"], self.knots).tolist()),
            set_step=steps[0],
            reset_step=steps[1],
            set_spread=(value["set_spread"],),
            reset_spread=(value["reset_spread"],),
            levels=2,
            device_spread=min(1.0, spread),
            read_noise=min(1.0, value.get("read_noise", 0.0)),
        )
        most = max(2, min(DEFAULT_LEVELS, int(record.crossing[0]) + 1))
        return record.replace(levels=levels or most), remarks


def tables(model: Exponential, best: Maximum, window: list[Parameter]) -> list[Tabulated]:
    """Tables that start from the exponential response, in its window, which they keep.

    Args:
        window: g_min and g_max as found with it.
    """
    ends = model.window
    if ends is None:
        ends = float(best.shared[0]), float(best.shared[1])
    x = np.concatenate([np.tile(best.shared, (len(best.own), 1)), best.own], 1)[None]
    walk, out = model.walk(x), []
    read = "noisy reads" if model.noisy else "exact reads"
    for knots in KNOTS:
        g = np.linspace(*ends, knots)
        steps = []
        for up in (True, False):
            weak, way = np.full(knots, 0.01), np.full(knots, up)
            after, _, _ = walk.of(np.zeros(knots, dtype=int)).step(g[None], weak, way)
            moved = np.abs(after[0] - g) / 0.01 / (ends[1] - ends[0])
            steps.append(np.log(np.maximum(moved, 1e-6)))
        rise, fall = steps
        noise = float(np.mean(walk.log_noise))
        reads = (float(np.mean(walk.log_read)),) if model.noisy else ()
        shared = (*(rise[1:] - rise[0]), *(fall - rise[0]), noise, noise, *reads)
        own = best.own[:, 0] - best.own[0, 0] - rise[0]
        near = tuple(float(v) for v in shared), tuple(float(v) for v in own)
        name = f"table of {knots}, {read}, {'ends met' if model.bounded else 'no ends met'}"
        pair = window[0], window[1]
        out.append(Tabulated(name, model.noisy, model.bounded, knots, ends, pair, near))
    return out
