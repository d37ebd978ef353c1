"""Bakes at several temperatures: how cells started, and whether the law can be told from them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mho.errors import invalid
from mho.fit.arrhenius import Courses, Levels
from mho.fit.devices import apart, medians, rows_of
from mho.fit.traces import ROOM, SAME, Traces
from mho.physics.retention import BOLTZMANN

SHOWN = 6
"""Temperatures that are named."""


@dataclass(frozen=True)
class Bakes:
    """Traces that can be fitted, and how levels are known."""

    traces: Traces
    levels: Levels
    free: bool
    """Whether the time at which relaxation begins is to be found."""
    device: np.ndarray
    """(traces,)"""

    def courses(self, family: str) -> Courses:
        """Reads as one law takes them."""
        t = self.traces
        y = np.log(t.g) if family == "power-law" else t.g
        return Courses(
            y, t.time, t.kelvin, t.trace, t.labels("device", "state", "level"), self.device,
            t.labels("state", "level"), self.levels,
        )  # fmt: skip

    @property
    def free_shifts(self) -> int:
        """Degrees of freedom that tell the shift between temperatures."""
        n, traces, devices = len(self.traces.g), len(self.device), int(self.device.max()) + 1
        if self.levels == "own":
            return max(devices - 3, n - traces - devices - 3)
        groups = {"shared": ("device", "state", "level"), "common": ("state", "level")}
        return traces - 1 - int(self.traces.labels(*groups[self.levels]).max()) - 2


def all_told(traces: Traces) -> tuple[Traces, list[str]]:
    """Temperatures that are not told are those of the room."""
    unknown = ~np.isfinite(traces.kelvin)
    remarks = list(traces.remarks)
    if (unknown & (traces.time > 0)).any():
        remarks.append(f"reads whose temperature is not told are taken at {ROOM:g} K")
    kelvin = np.where(unknown, ROOM, traces.kelvin)
    return Traces(traces.table, traces.g, traces.time, kelvin, traces.trace, []), remarks


def bakes_of(traces: Traces) -> Bakes:
    """What is known of the level that each trace started from."""
    n = int(traces.trace.max()) + 1
    before = np.bincount(traces.trace, traces.time == 0, n) > 0
    changed = np.zeros(n, dtype=bool)
    temperatures = []
    for k, rows in enumerate(rows_of(traces.trace)):
        hot = traces.kelvin[rows[traces.time[rows] > 0]]
        changed[k] = len(hot) > 1 and np.ptp(hot) >= SAME
        temperatures.append(round(float(np.median(hot)) / SAME) if len(hot) else None)
    unit = traces.labels("device", "state", "level")
    device = traces.labels("device")
    if (before | changed).all():
        return Bakes(traces, "own", bool(before.any()), device)
    met = [len({temperatures[k] for k in rows} - {None}) > 1 for rows in rows_of(unit)]
    levels: Levels = "shared" if np.mean(met) > 0.5 else "common"
    return Bakes(traces, levels, False, device)


def check_design(bakes: Bakes) -> None:
    """Refuse temperatures and times that cannot tell rate and activation energy apart."""
    t = bakes.traces
    where = f"{t.table.path}, temperature and time"
    hot = t.time > 0
    columns = [np.log(t.time[hot]), 1 / t.kelvin[hot] / BOLTZMANN]
    columns = [c - c.mean() for c in columns]
    spread = [max(float(np.abs(c).max()), 1e-12) for c in columns]
    scaled = np.stack([c / s for c, s in zip(columns, spread, strict=True)], 1)
    if spread[0] < 0.05 and bakes.levels == "own" and bakes.free:
        raise invalid(
            where,
            f"{kelvins(t)}, all after {t.time[hot].mean():.3g} s",
            "bakes of at least two times at one temperature, or the time of the reads before the "
            "bake, as in 'R at 60 s [kOhm]'; one time alone cannot separate a slow relaxation "
            "from a late one, as E_a requires",
        )
    if np.linalg.svd(scaled, compute_uv=False)[-1] < 1e-3 * math.sqrt(len(scaled)):
        allowed = "reads after several times at each temperature"
        raise invalid(where, f"{kelvins(t)}, each after times of its own", allowed)
    if bakes.levels != "own" and bakes.free_shifts < 1:
        raise invalid(
            where,
            f"{kelvins(t)}, {len(bakes.device)} traces without a read before the bake",
            "a read at time 0 of each trace, or several cells at each temperature; otherwise an "
            "unknown starting conductance would be taken for a shift by heat",
        )
    if bakes.free_shifts < 1:
        raise invalid(where, f"{kelvins(t)}, {len(t.g)} reads", "more cells, or more times")


def kelvins(traces: Traces) -> str:
    """Temperatures as words."""
    seen = np.unique(np.round(traces.kelvin[traces.time > 0]))
    if len(seen) > SHOWN:
        return f"{len(seen)} temperatures from {seen[0]:g} to {seen[-1]:g} K"
    return " and ".join(filter(None, [", ".join(f"{k:g}" for k in seen[:-1]), f"{seen[-1]:g} K"]))


def lost_of(bakes: Bakes) -> np.ndarray:
    """Devices (devices,) whose change lies apart from a plane in ln t and 1 / T, under the law that
    describes those which lie apart under none."""
    t = bakes.traces
    hot = t.time > 0
    device = bakes.device[t.trace[hot]]
    log = np.log(t.g)
    rest = {"power-law": _off_plane(bakes, log), "log-time": _off_plane(bakes, t.g)}
    away = {family: apart(medians(each, device)) for family, each in rest.items()}
    good = ~(away["power-law"] | away["log-time"])[device]
    score = {f: -0.5 * good.sum() * math.log(float(np.mean(each[good] ** 2)) + 1e-300)
             for f, each in rest.items()} if good.any() else {}  # fmt: skip
    if not score:
        return away["power-law"] & away["log-time"]
    score["power-law"] -= float(log[hot][good].sum())
    return away[max(score, key=lambda family: score[family])]


def _off_plane(bakes: Bakes, y: np.ndarray) -> np.ndarray:
    """Changes of the reads after time 0 about the plane of least absolute deviations, which lost
    devices do not move."""
    t = bakes.traces
    hot = t.time > 0
    if bakes.levels == "own":
        first = np.flatnonzero(np.diff(t.trace, prepend=-1))
        change = (y - y[first][t.trace])[hot]
    else:
        level = bakes.courses("power-law").level
        change = (y - medians(y, level)[level])[hot]
    x = np.stack([np.ones(hot.sum()), np.log(t.time[hot]), 1 / t.kelvin[hot] / BOLTZMANN], 1)
    x[:, 1:] -= x[:, 1:].mean(0)
    weight, rest = np.ones(len(x)), change
    for _ in range(30):
        plane = np.linalg.lstsq(x * weight[:, None], change * weight, rcond=None)[0]
        rest = change - x @ plane
        weight = np.abs(rest).clip(1e-6 * max(float(np.abs(rest).max()), 1e-300)) ** -0.5
    return rest
