"""The walk of a cell whose steps stand in tables, as `mho.physics.PulseTable` takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

_EVEN = 1e-9


@dataclass(frozen=True)
class TableWalk:
    """Steps at evenly spaced conductances of the window, in units of it; beyond as at its ends."""

    ends: tuple[float, float]
    """The window, in units of that of reference."""
    set_logs: np.ndarray
    """(batch, knots) ln of a SET step over that at the lowest knot, from the low end."""
    reset_logs: np.ndarray
    """(batch, knots) ln of a RESET step over the same, from the high end."""
    log_pulses: np.ndarray
    """(batch, devices) -ln of a SET step at the lowest knot."""
    set_noise: np.ndarray
    """(batch, devices) ln of the standard deviation of one SET pulse."""
    reset_noise: np.ndarray
    log_read: np.ndarray
    """(batch, devices) ln of the standard deviation of one read."""

    @property
    def low(self) -> np.ndarray:
        """The lower end."""
        return np.full_like(self.log_pulses, self.ends[0])

    @property
    def high(self) -> np.ndarray:
        """The upper end."""
        return np.full_like(self.log_pulses, self.ends[1])

    def of(self, device: np.ndarray) -> TableWalk:
        """That of the devices (n,)."""
        own = (self.log_pulses, self.set_noise, self.reset_noise, self.log_read)
        return TableWalk(self.ends, self.set_logs, self.reset_logs, *(v[:, device] for v in own))

    def step(
        self, g: np.ndarray, pulses: np.ndarray, up: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean after a burst, what is left of a deviation before it, variance that it adds.

        The variance is the mean of (step after / step)^2 over the burst, by Simpson's rule.
        """
        (low, high), shape = self.ends, np.broadcast_shapes(g.shape, self.log_pulses.shape)
        g, pulses, up = (np.broadcast_to(v, shape) for v in ((g - low) / (high - low), pulses, up))
        factor = np.exp(-self.log_pulses)
        rise, kept, added = _moved(_table(self.set_logs), g, pulses, factor)
        fall, left, more = _moved(_table(self.reset_logs), 1 - g, pulses, factor)
        noise = np.exp(2 * np.where(up, self.set_noise, self.reset_noise))
        mean = low + (high - low) * np.where(up, rise, 1 - fall)
        return mean, np.where(up, kept, left), noise * np.where(up, added, more)


class _Table(NamedTuple):
    """Course of one direction, t counted in steps of a device of factor 1; all (batch, knots)."""

    logs: np.ndarray
    ratio: np.ndarray
    """ln of the next step over this one, never 0; (batch, knots - 1)."""
    span: np.ndarray
    """t from a knot to the next; (batch, knots - 1)."""
    t: np.ndarray


def _table(logs: np.ndarray) -> _Table:
    ratio = np.diff(logs)
    ratio = np.where(np.abs(ratio) < _EVEN, _EVEN, ratio)
    span = np.exp(-logs[:, :-1]) * ratio / np.expm1(ratio) / ratio.shape[1]
    t = np.concatenate([np.zeros((len(logs), 1)), np.cumsum(span, axis=1)], axis=1)
    return _Table(logs, ratio, span, t)


def _moved(
    table: _Table, d: np.ndarray, pulses: np.ndarray, factor: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance after a burst from d (batch, n), step there over step before, and the sum of
    (step there / step)^2 after each pulse."""
    n = np.maximum(pulses, 0)
    begin = _time(table, d)
    last = _log_step(table, end := _place(table, begin + factor * n))
    sizes = [np.exp(2 * (last - _log_step(table, _place(table, begin + factor * k))))
             for k in (np.minimum(n, 1), (n + 1) / 2)]  # fmt: skip
    mean = np.where(n > 1, (sizes[0] + 4 * sizes[1] + 1) / 6, 1.0)
    return end, np.exp(last - _log_step(table, d)), n * mean


def _time(table: _Table, d: np.ndarray) -> np.ndarray:
    """t at the distance d; beyond the window steps stay as at its ends."""
    inside = np.clip(d, 0.0, 1.0)
    k, share = _segment(table, inside)
    ratio = _pick(table.ratio, k)
    t = _pick(table.t, k) + _pick(table.span, k) * np.log1p(share * np.expm1(ratio)) / ratio
    return t + (d - inside) * np.exp(-np.where(d > 0.5, table.logs[:, -1:], table.logs[:, :1]))


def _place(table: _Table, t: np.ndarray) -> np.ndarray:
    """Distance at t."""
    ends = table.t[:, -1:]
    inside = np.clip(t, 0.0, ends)
    k = np.zeros(t.shape, dtype=int)
    for knot in range(1, table.ratio.shape[1]):
        k += inside >= table.t[:, knot : knot + 1]
    ratio = _pick(table.ratio, k)
    share = np.expm1(ratio * (inside - _pick(table.t, k)) / _pick(table.span, k)) / np.expm1(ratio)
    d = (k + share) / table.ratio.shape[1]
    return d + (t - inside) * np.exp(np.where(t > 0, table.logs[:, -1:], table.logs[:, :1]))


def _log_step(table: _Table, d: np.ndarray) -> np.ndarray:
    """ln of the step at the distance d."""
    k, share = _segment(table, np.clip(d, 0.0, 1.0))
    return _pick(table.logs, k) + np.log1p(share * np.expm1(_pick(table.ratio, k)))


def _segment(table: _Table, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Segment of a distance inside the window, and how far in it."""
    count = table.ratio.shape[1]
    k = np.minimum((d * count).astype(int), count - 1)
    return k, d * count - k


def _pick(values: np.ndarray, k: np.ndarray) -> np.ndarray:
    return np.take_along_axis(values, k, axis=1)
