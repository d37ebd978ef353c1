"""How a sweep stands, in numbers: what is done, what runs, how long it takes, what is best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from mho.results.units import NBSP, decimals_for, fixed, prefixed, quantity
from mho.sweep.places import places_of, text_of
from mho.sweep.record import Measured, PointRecord
from mho.sweep.records import Records

STATUSES = ("done", "running", "waiting", "stopped", "failed", "parked")
"""In the order in which they are counted."""


@dataclass(frozen=True)
class Best:
    """The best that a claim came to, over the seeds of a setting."""

    claim: Measured
    value: Measured
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Running:
    """A point that is worked on."""

    point: PointRecord
    rate: float | None
    """Steps a second of its stage [1/s]; None: not known yet."""
    left: float | None
    """Time that its stage still takes [s]."""


def running(records: Records) -> list[Running]:
    """The points that are worked on."""
    found = []
    for point in records:
        beat = point.beat
        if point.status == "running" and beat is not None:
            took, made = beat.at - beat.since, beat.done - beat.start
            rate = made / took if beat.since and took > 0 and made > 0 else None
            left = None if rate is None else max(0, beat.total - beat.done) / rate
            found.append(Running(point, rate, left))
    return found


def time_left(records: Records) -> float | None:
    """About how long until all points are done that are not parked [s], at as many at once as now
    and as long each as the mean of those that are done; None: nothing runs, or none is done yet."""
    took = [point.seconds for point in records if point.seconds is not None]
    at_once = records.counts["running"]
    if not took or not at_once:
        return None
    ahead = sum(records.counts[each] for each in ("waiting", "stopped", "failed"))
    return fmean(took) * (ahead + at_once / 2) / at_once  # those that run are half done


def best(records: Records) -> list[Best]:
    """The best of each claim that is not the same at all settings, in the order of the claims."""
    places, found = places_of(records), []
    for key, claim in records.claims.items():
        known = [(value, place) for place in places.every
                 if (value := place.claim(key)) is not None and value.ours is not None]  # fmt: skip
        several = len({value.ours for value, _ in known}) > 1 or len(known) == 1
        if claim.better != "neither" and several:
            sign = -1.0 if claim.better == "lower" else 1.0
            value, place = max(known, key=lambda pair: sign * (pair[0].ours or 0.0))
            axes = [axis.key for axis in places.axes]
            found.append(Best(claim, value, {key: place.settings[key] for key in axes}))
    return found


def counted(records: Records) -> str:
    """How many points stand how, in words."""
    parts = [f"{records.counts[each]} {each}" for each in STATUSES if records.counts[each]]
    return ", ".join(parts) or "no points"


def settings_text(settings: Mapping[str, Any]) -> str:
    """Settings as text, by the last parts of their keys where these tell them apart."""
    ends = [key.rpartition(".")[2] for key in settings]
    names = ends if len(set(ends)) == len(ends) else list(settings)
    values = zip(names, settings.values(), strict=True)
    return ", ".join(f"{name} {text_of(value)}" for name, value in values)


def measured_text(value: Measured) -> str:
    """A mean with its spread, in the digits that the spread leaves: 43.7 ± 8.6 %."""
    ours, std = value.ours or 0.0, value.std
    if not std:
        return quantity(ours, value.unit)
    factor, unit = prefixed(max(abs(ours), std), value.unit)
    if not 1e-4 <= std / factor < 1e9:
        return f"{quantity(ours, value.unit)} ± {quantity(std, value.unit)}"
    decimals = decimals_for(std / factor, 2)
    text = f"{fixed(ours / factor, decimals)} ± {fixed(std / factor, decimals)}"
    return f"{text}{NBSP}{unit}" if unit else text
