"""What a result was made with, as `env.json` holds it: command, code, computer, versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mho.errors import invalid
from mho.results.record import refused

_TEXT, _COUNT, _RUNS = "a text", "a whole number, or null", "a list of tables, as of env.json"
_KINDS: dict[str, tuple[str, tuple[type, ...]]] = {
    "command": (f"{_TEXT}, or a list of texts", (str, list)),
    "date": (_TEXT, (str,)),
    "commit": (f"{_TEXT}, or null", (str, type(None))),
    "device": (_TEXT, (str,)),
    "host": (_TEXT, (str,)),
    "engine": (_TEXT, (str,)),
    "cores": (_COUNT, (int, type(None))),
    "threads": (_COUNT, (int, type(None))),
    "seed": ("a whole number", (int,)),
    "processes": ("a whole number", (int,)),
    "versions": ("a table of texts", (dict,)),
    "data": ("a table of texts", (dict,)),
    "runs": (_RUNS, (list,)),
    "earlier": (_RUNS, (list,)),
}
"""Fields, and what they hold; any of them may be missing."""

MOST_DEEP = 8
"""Tables and lists within each other."""


def checked(value: Any, place: str, deep: int = 0) -> dict[str, Any]:
    """The table of an environment.

    Args:
        place: where it stands, for refusals.

    Raises:
        ValueError: a field holds something else; the message names it.
    """
    if not isinstance(value, dict):
        raise refused(place, value, "a table of named fields")
    table: dict[str, Any] = value
    for name, held in table.items():
        where = f"{place}{'.' if ': ' in place else ': '}{name}"
        words, kinds = _KINDS.get(name, ("", (object,)))
        if not _is_one(held, kinds):
            raise refused(where, held, words)
        if name in ("runs", "earlier"):
            for number, inner in enumerate(held):
                checked(inner, f"{where}[{number}]", deep + 1)
        elif isinstance(held, Mapping | list) and name in _KINDS:
            for inner in held.values() if isinstance(held, Mapping) else held:
                if not isinstance(inner, str):
                    raise refused(where, held, words)
        _check_depth(held, where, deep)
    return table


def _is_one(value: Any, kinds: tuple[type, ...]) -> bool:
    return isinstance(value, kinds) and (object in kinds or not isinstance(value, bool))


def _check_depth(value: Any, where: str, deep: int) -> None:
    if deep > MOST_DEEP:
        raise invalid(where, "tables within tables", f"at most {MOST_DEEP} within each other")
    if isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            _check_depth(inner, where, deep + 1)
