"""What a search is for: claims of which much, or little, is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

from mho.errors import InvalidInput, invalid
from mho.files import naming, read_json, write_json

NAME = "search.json"
"""Of the file in the folder of a sweep that says what it was last searched for."""

Direction = Literal["maximize", "minimize"]


def objective(text: str) -> tuple[str, Direction]:
    """Claim and direction of "claim:max" or "claim:min"."""
    name, _, how = text.rpartition(":")
    directions: dict[str, Direction] = {"max": "maximize", "min": "minimize"}
    if not name or how not in directions:
        raise invalid("objective", text, "claim:max or claim:min")
    return name, directions[how]


def write_objectives(folder: Path, objectives: Mapping[str, Direction]) -> None:
    """Keep the objectives of a search for its page; makes the folder.

    Raises:
        OSError: the file cannot be written.
    """
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / NAME, {"objectives": dict(objectives)})


def objectives_of(folder: Path) -> dict[str, Direction]:
    """The objectives of the last search in a folder; none if there was none, or the file is
    damaged: the page then lacks a figure, and no number is another one."""
    try:
        found = read_json(folder / NAME)["objectives"]
        return {key: how for key, how in found.items() if how in get_args(Direction)}
    except (InvalidInput, OSError, KeyError, TypeError, AttributeError):
        return {}
