"""Times of day and dates as instruments write them, in seconds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

_TIME = r"([0-9]{1,3}):([0-9]{2})(?::([0-9]{2}(?:[.,][0-9]{1,9})?))?\s*([AaPp][Mm])?"
_ISO = r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})"
_LOCAL = r"([0-9]{1,2})([-/.])([0-9]{1,2})[-/.]([0-9]{4}|[0-9]{2})"
_STAMP = re.compile(
    rf"(?:(?:{_ISO}|{_LOCAL})[T\s]+)?{_TIME}\s*(?:Z|UTC|[+-][0-9]{{2}}:?[0-9]{{2}})?"
)
DAY = 86400.0
EPOCH = 1e8
"""Seconds from which on a time is one since 1970 [s]."""


def is_clock(text: str) -> bool:
    """Whether a text is a time of day, with or without its date."""
    return len(text) <= 40 and bool(_STAMP.fullmatch(text))


def seconds(texts: Sequence[str]) -> np.ndarray:
    """Seconds since the first of them [s]; nan where there is none.

    Times without a date go past midnight where they fall. Days before months where one of the
    dates has no other reading, or points between them; else months before days.
    """
    found = [_STAMP.fullmatch(text) if len(text) <= 40 else None for text in texts]
    local = [f for f in found if f and f[4]]
    days_first = any(int(f[4]) > 12 or f[5] == "." for f in local)
    out = np.full(len(texts), np.nan)
    day, last = 0.0, -np.inf
    for i, each in enumerate(found):
        if each is None:
            continue
        hour = int(each[8])
        if each[11]:
            hour = hour % 12 + 12 * (each[11].lower() == "pm")
        value = 3600 * hour + 60 * int(each[9]) + float((each[10] or "0").replace(",", "."))
        date = _date(each, days_first)
        if date is not None:
            out[i] = date + value
            continue
        if value + day < last - DAY / 2:
            day += DAY
        out[i] = last = value + day
    seen = out[np.isfinite(out)]
    return out - seen[0] if len(seen) else out


def _date(each: re.Match[str], days_first: bool) -> float | None:
    """Midnight of its date, in seconds since 1970; None: it has none."""
    if each[1]:
        year, month, day = int(each[1]), int(each[2]), int(each[3])
    elif each[4]:
        day, month = (int(each[4]), int(each[6])) if days_first else (int(each[6]), int(each[4]))
        year = int(each[7]) + 2000 * (len(each[7]) == 2)
    else:
        return None
    try:
        return datetime(year, month, day, tzinfo=UTC).timestamp()
    except ValueError:
        return None
