"""The exponential response as a model of pulse trains: which parts of the walk are estimated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mho.fit.maximum import Likelihood, Maximum, deviation
from mho.fit.outcome import Parameter, on_line, on_log
from mho.fit.pulses.model import PulseModel
from mho.fit.pulses.parameters import DEFAULT_LEVELS, device_parameters, window_parameters
from mho.fit.pulses.trains import Trains
from mho.fit.pulses.walk import Walk
from mho.fit.within import within
from mho.physics import PulseResponse
from mho.physics.of_conductance import mean

ENDS = ("low", "high")
CURVES = ("set_curve", "reset_curve")


@dataclass(frozen=True)
class Exponential(PulseModel):
    """Exponential steps, SET and RESET apart: `PulseResponse`."""

    curved: bool = True
    window: tuple[float, float] | None = (0.0, 1.0)
    """The window, in units of that of reference; None: estimated too."""

    @property
    def names(self) -> list[str]:
        """Parameters that devices share."""
        ends = ENDS if self.window is None else ()
        read = ("log_read",) if self.noisy else ()
        return [*ends, *(CURVES if self.curved else ()), "log_ratio", "log_noise", *read]

    def walk(self, x: np.ndarray) -> Walk:
        """The walk of parameters (batch, devices, q)."""
        fixed = dict(zip(ENDS, self.window or (0.0, 1.0), strict=True))
        fixed |= {"set_curve": 0.0, "reset_curve": 0.0, "log_read": math.log(1e-5)}
        values = {k: np.full(x.shape[:-1], v) for k, v in fixed.items()}
        values |= {name: x[..., i] for i, name in enumerate(self.names)}
        return Walk(**values, log_pulses=x[..., -1])

    def start(self, chains: Trains, low: float, width: float) -> tuple[np.ndarray, np.ndarray]:
        """First guesses, from mean steps."""
        before, after, pulses, up, device, _, _ = chains.transitions()
        step = (after - before) / width / pulses
        u = (before - low) / width
        steps, curves = {}, {}
        for sign in (True, False):
            some, at = step[up == sign], u[up == sign]
            slope, offset = np.polyfit(at, some, 1) if np.ptp(at) > 0 else (0.0, some.mean())
            ends = np.maximum(np.abs([offset, offset + slope]), 1e-6)
            first, last = ends if sign else ends[::-1]
            curves[sign] = float(np.clip(np.log(first / last), -2.0, 4.0)) or 0.1
            steps[sign] = max(abs(float(some.mean())), 1e-6)
        error = 1.4826 * float(np.median(np.abs(step - np.where(up, steps[True], -steps[False]))))
        guess = {
            "low": 0.0,
            "high": 1.0,
            "set_curve": curves[True],
            "reset_curve": curves[False],
            "log_ratio": math.log(steps[False] / steps[True]),
            "log_noise": math.log(max(error, 1e-5)),
            "log_read": math.log(max(error / 2, 1e-5)),
        }
        own = [
            -math.log(max(float(step[up & (device == d)].mean()), 0.2 * steps[True]))
            for d in range(chains.devices)
        ]
        return np.array([guess[name] for name in self.names]), np.array(own)[:, None]

    def searched(
        self, likelihood: Likelihood, shared: np.ndarray, own: np.ndarray, g: np.ndarray
    ) -> np.ndarray:
        """Ends of the window from a look along each; the likelihood is rough far from them."""
        if self.window is not None:
            return shared
        shared = shared.copy()
        quantiles = [np.nanquantile(g, q) for q in (0.0, 0.01, 0.03, 0.06, 0.1, 0.15)]
        tops = [np.nanquantile(g, 1 - q) for q in (0.0, 0.01, 0.03, 0.06, 0.1, 0.15)]
        shared[0], shared[1] = quantiles[1], tops[1]
        for i, grid in ((1, tops), (0, quantiles), (1, tops)):
            rows = np.repeat(np.concatenate([np.tile(shared, (len(own), 1)), own], 1)[None], 6, 0)
            rows[:, :, i] = np.array(grid)[:, None]
            shared[i] = grid[int(np.argmax(likelihood(rows).sum(1)))]
        return shared

    def parameters(
        self, best: Maximum, chains: Trains, low: float, width: float, digit: float
    ) -> tuple[list[Parameter], list[str]]:
        """Parameters of the record, with intervals."""
        names, cov, n = self.names, best.covariance, len(best.shared)
        at = {name: i for i, name in enumerate(names)}
        value = {name: float(best.shared[i]) for name, i in at.items()}
        remarks = []
        if self.window is None:
            ends = [low + width * value[e] for e in ENDS]
            window = [
                on_line(f"g_{e}", g, width * best.error(at[w]), "S")
                for e, w, g in zip(("min", "max"), ENDS, ends, strict=True)
            ]
            span = value["high"] - value["low"]
        else:
            window, span = window_parameters(self.bounded, chains, low, width, digit), 1.0
            if not self.bounded:
                remarks.append("window: the mean ends of the trains; the rest is relative to it")
        into = np.zeros(len(cov))  # d ln(cycle_spread) / d parameters
        into[at["log_noise"]] = 1.0
        if self.window is None:
            into[at["low"]], into[at["high"]] = 1 / span, -1 / span
        pulses, spread, steps = device_parameters(best, n)
        log_n, drawn, z = steps
        into[n:] = 1 / len(best.own)
        noise_error = deviation(float(into @ cov @ into) + drawn)
        log_cycle = value["log_noise"] + log_n - math.log(span)
        out = [*window, pulses]
        for name, label in zip(CURVES, ("SET", "RESET"), strict=True):
            if name in at:
                out.append(on_line(f"nonlinearity {label}", value[name], best.error(at[name])))
        out.append(on_log("reset_ratio", value["log_ratio"], best.error(at["log_ratio"])))
        out.append(on_log("cycle_spread", log_cycle, noise_error, width=z))
        out += spread
        if self.noisy:
            into = np.zeros(len(cov))
            into[at["log_read"]] = 1.0
            if self.window is None:
                into[at["low"]], into[at["high"]] = 1 / span, -1 / span
            error = deviation(float(into @ cov @ into))
            out.append(on_log("read_noise", value["log_read"] - math.log(span), error))
        return out, remarks

    def record(self, parameters: list[Parameter]) -> tuple[PulseResponse, list[str]]:
        """The record, and what it could not take as it was found."""
        value = {p.name: p.value for p in parameters}
        curves = tuple(value.get(f"nonlinearity {s}", 0.0) for s in ("SET", "RESET"))
        names = ("g_min", "g_max", "pulses", "reset_ratio", "cycle_spread", "device_spread",
                 "read_noise")  # fmt: skip
        found = {name: value[name] for name in names if name in value}
        held, remarks = within(PulseResponse, {**found, "nonlinearity": curves})
        least = min(DEFAULT_LEVELS, int(held["pulses"]) + 1)  # type: ignore[arg-type]
        return PulseResponse(levels=max(2, least), **held), remarks  # type: ignore[arg-type]

    def shared_by(
        self, record: PulseResponse, best: Maximum, low: float, width: float
    ) -> np.ndarray:
        """Its numbers in units of the window of reference."""
        ends = [(g - low) / width for g in record.window]
        span = math.log(ends[1] - ends[0])
        first = zip((*ENDS, *CURVES), (*ends, *record.nonlinearity), strict=True)
        held: dict[str, float] = dict(first)
        held["log_ratio"] = math.log(record.reset_ratio)
        held["log_noise"] = _log(record.cycle_spread / record.pulses) + span
        held["log_read"] = _log(mean(record.read_noise, record.window)) + span
        return np.array([held[name] for name in self.names])

    def typical(self, record: PulseResponse) -> float:
        """ln of its pulses."""
        return math.log(record.pulses)

    def typical_found(self, value: Mapping[str, float]) -> float:
        """ln of its pulses."""
        return math.log(value["pulses"])


def _log(share: float) -> float:
    return math.log(max(share, 1e-12))


def variants(at_ends: bool) -> list[Exponential]:
    """Those that reads may ask for: without error and with ends, or not."""
    if at_ends:
        return [Exponential("exact reads, ends met", noisy=False, bounded=True)]
    return [
        Exponential("exact reads, no ends met", noisy=False, bounded=False),
        Exponential("noisy reads, no ends met", noisy=True, bounded=False),
        Exponential("noisy reads, ends met", noisy=True, bounded=True, window=None),
    ]
