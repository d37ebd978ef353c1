"""How the window closes over the cycles: the law of `mho.physics.Cell.limits`, or none."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.optimize import OptimizeResult, least_squares

from mho.fit.outcome import CONFIDENCE, Parameter, Rival, on_line, on_log

PARTS = 40
"""Most stretches of cycles whose means are fitted."""
LEAST = 8
"""Reads of a stretch, at least."""
BETTER = 6.0
"""What a law of wear must take off Akaike's criterion: a slow drift is easily taken for wear."""
LAWS = {
    "no wear": (),
    "R_ON rises": ("on",),
    "R_OFF falls": ("off",),
    "both close": ("off", "on"),
}


@dataclass(frozen=True)
class Wear:
    """What was found: shares of the window that were lost at the last cycle, and how late."""

    law: str
    off: float
    """Share of the window lost at its lower end [1]."""
    on: float
    """Share lost at its upper end [1]."""
    power: float
    last: float
    """The last cycle [1]."""
    ends: tuple[float, float]
    """Conductance of the two states before any wear, lower one first [S]."""
    parameters: list[Parameter]
    rivals: list[Rival]
    opens: bool
    """Whether the window opens instead."""

    @property
    def closes(self) -> bool:
        """Whether a law of wear was found."""
        return self.off > 0 or self.on > 0

    def moved(self, cycle: np.ndarray, on: np.ndarray) -> np.ndarray:
        """Change of ln(conductance) since the first cycle, (n,) for reads of either state."""
        if not self.closes:
            return np.zeros(len(cycle))
        low, high = self.ends
        lost = (np.clip(cycle / self.last, 0.0, 1.0)) ** self.power * (high - low)
        return np.where(on, np.log1p(-self.on * lost / high), np.log1p(self.off * lost / low))


def fit_wear(cycle: np.ndarray, y: np.ndarray, on: np.ndarray) -> Wear:
    """The law of wear by Akaike's criterion, on means over stretches of cycles.

    The scatter of these means about the law gives the errors, so that reads of neighbouring cycles
    that are alike make no interval too narrow.

    Args:
        cycle: (n,) cycles a cell has seen [1].
        y: (n,) ln(conductance), devices' own levels taken out.
        on: (n,) whether it is a read of the state of low resistance.
    """
    last = float(cycle.max())
    means = {state: _means(cycle[on == state] / last, y[on == state]) for state in (False, True)}
    found = {name: _law(parts, means) for name, parts in LAWS.items()}
    aic = {name: each[1] for name, each in found.items()}
    closes = [n for n in aic if min(_values(LAWS[n], found[n][0].x)[2:4]) >= 0]
    near = min(closes, key=lambda name: aic[name])
    name = near if aic[near] < aic["no wear"] - BETTER else "no wear"
    best = found[name][0]
    off, on_, power = _values(LAWS[name], best.x)[2:]
    opens = name == "no wear" and min(aic.values()) < aic[name] - BETTER
    parameters = [] if name == "no wear" else _parameters(name, best, sum(map(len, means.values())))
    low, high = np.exp(best.x[:2]).tolist()
    rivals = [Rival(f"wear {each}", value, found[each][2]) for each, value in aic.items()]
    return Wear(name, off, on_, power, last, (low, high), parameters, rivals, opens)


def _means(u: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean share of the cycles and mean y of each stretch, (parts, 2)."""
    order = np.argsort(u, kind="stable")
    parts = max(4, min(PARTS, len(u) // LEAST))
    return np.array([(u[rows].mean(), y[rows].mean()) for rows in np.array_split(order, parts)])


def _values(parts: tuple[str, ...], x: np.ndarray) -> tuple[float, float, float, float, float]:
    """ln(g) of both states, shares lost at the lower and the upper end, power."""
    lost = dict(zip(parts, x[2:], strict=False))
    power = math.exp(x[-1]) if parts else 1.0
    return float(x[0]), float(x[1]), lost.get("off", 0.0), lost.get("on", 0.0), power


def _law(
    parts: tuple[str, ...], means: dict[bool, np.ndarray]
) -> tuple[OptimizeResult, float, int]:
    """Least squares in units of each state's scatter; Akaike's criterion, corrected for few."""
    start = [float(np.median(means[False][:, 1])), float(np.median(means[True][:, 1]))]
    scale = {s: max(_scatter(m[:, 1]), 1e-9) for s, m in means.items()}

    # before the first cycle nothing was seen: levels stay within what was

    def off(x: np.ndarray) -> dict[bool, np.ndarray]:
        low, high, lower, upper, power = _values(parts, x)
        width = math.exp(high) - math.exp(low)
        at = {
            False: math.exp(low) + lower * width * means[False][:, 0] ** power,
            True: math.exp(high) - upper * width * means[True][:, 0] ** power,
        }
        return {s: means[s][:, 1] - np.log(np.maximum(at[s], 1e-3 * math.exp(low))) for s in at}

    def residual(x: np.ndarray) -> np.ndarray:
        return np.concatenate([each / scale[s] for s, each in off(x).items()])

    powers = [[math.log(p)] for p in (0.5, 1.0, 3.0)] if parts else [[]]
    room = [0.1 * math.expm1(min(1.0, start[1] - start[0])) if p == "off" else 0.1 for p in parts]
    seen = [(float(m[:, 1].min()), float(m[:, 1].max()), scale[s]) for s, m in means.items()]
    low = [a - e for a, _, e in seen] + [-1.0] * len(parts) + [math.log(0.1)] * bool(parts)
    high = [b + e for _, b, e in seen] + [1.0] * len(parts) + [math.log(10.0)] * bool(parts)
    tried = []
    for power in powers:
        try_ = least_squares(residual, [*start, *room, *power], bounds=(low, high))
        for _ in range(2):  # scatters of the states follow from the fit
            rest = off(try_.x)
            for s in rest:
                free = max(1, len(rest[s]) - 1 - len(parts))
                scale[s] = max(math.sqrt(float(rest[s] @ rest[s]) / free), 1e-9)
            try_ = least_squares(residual, try_.x, bounds=(low, high))
        tried.append((_density(off(try_.x)), try_))
    value, best = max(tried, key=lambda each: each[0])
    count = len(best.x) + 2
    n = sum(map(len, means.values()))
    return best, -2 * value + 2 * count * n / max(1, n - count - 1), count


def _scatter(y: np.ndarray) -> float:
    """Standard deviation of neighbours about each other: of the noise, whatever the trend."""
    return float(np.sqrt(np.mean(np.diff(y) ** 2) / 2))


def _density(rest: dict[bool, np.ndarray]) -> float:
    """Log-likelihood of normal errors at its maximum."""
    return sum(
        -0.5 * len(r) * (math.log(2 * math.pi * max(float(r @ r) / len(r), 1e-18)) + 1)
        for r in rest.values()
    )


def _parameters(name: str, best: OptimizeResult, n: int) -> list[Parameter]:
    """Shares lost at the last cycle and the power, with intervals."""
    covariance = np.linalg.pinv(best.jac.T @ best.jac)
    wide = float(stats.t.isf((1 - CONFIDENCE) / 2, max(1, n - len(best.x))))
    error = np.sqrt(np.diag(covariance))
    words = {"off": "lost at the lower end by the last cycle",
             "on": "lost at the upper end by the last cycle"}  # fmt: skip
    out = [
        on_line(words[part], float(best.x[2 + k]), float(error[2 + k]), width=wide)
        for k, part in enumerate(LAWS[name])
    ]
    return [*out, on_log("closing_power", float(best.x[-1]), float(error[-1]), width=wide)]
