"""Where a run came from: what `env.json` recorded, as lines a reader can follow."""

import shlex
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from mho.report.folder import RunFolder
from mho.results.record import clean
from mho.results.units import quantity

_FIRST = ("commit", "device", "threads", "versions")
_ELSEWHERE = ("command", "date", "seed")


def command(run: RunFolder) -> str:
    """The command line that made the run, or an empty string."""
    found = run.env.get("command", "")
    return clean(shlex.join(map(str, found)) if isinstance(found, list) else str(found or ""))


def date(run: RunFolder) -> str:
    """The date of the run, to the minute where it is ISO 8601, else as recorded."""
    found = clean(str(run.env.get("date") or ""))
    try:
        when = datetime.fromisoformat(found)
    except ValueError:
        return found
    return f"{when:%Y-%m-%d %H:%M} {when.tzname() or ''}".strip()


def lines(run: RunFolder) -> Iterator[tuple[str, str]]:
    """Name and value: preset, seed and duration, then all that `env.json` holds."""
    result = run.result
    yield "preset", result.preset or "not recorded"
    yield "seed", str(result.seed)
    wall_s = result.wall_s
    yield "duration", "not recorded" if wall_s is None else quantity(wall_s, "s")
    rest = (key for key in run.env if key not in (*_FIRST, *_ELSEWHERE))
    for key in (*_FIRST, *rest):
        yield clean(key.replace("_", " ")), clean(_shown(run.env.get(key, "not recorded")))


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(each)}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    if value is None:
        return "not recorded"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
