"""Look-up tables of CrossSim (up to version 2): how far a pulse moves a cell, as its distribution.

Source: the files `dG_increasing.txt` and `dG_decreasing.txt` that CrossSim 2.0 writes and reads: a
line of words, a line of conductances [S], a line of cumulative probabilities [1], and a matrix of
changes of conductance [S], a row for each probability, a column for each conductance.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np

from mho.arguments import checked
from mho.config import Range
from mho.errors import InvalidInput, invalid
from mho.files import read_text
from mho.files.numbers import plain_number
from mho.physics import Preset, PulseTable
from mho.physics.multi_level import MAX_LEVELS

NAMES = ("dG_increasing.txt", "dG_decreasing.txt")
"""What CrossSim calls the two files."""

LEVELS = 9
"""Levels of the cell where nothing else is said, as far as there are pulses for them."""


class LookUpTable(NamedTuple):
    """One file."""

    g: np.ndarray
    """(n,) conductances [S], rising."""
    step: np.ndarray
    """(n,) mean change by a pulse [S]."""
    spread: np.ndarray
    """(n,) its standard deviation [S]."""


@checked
def from_crosssim(
    path: Path | str,
    decreasing: Path | str | None = None,
    *,
    window: tuple[float, float] | None = None,
    levels: Annotated[int, Range(least=2, most=MAX_LEVELS)] | None = None,
) -> Preset:
    """The cell of two look-up tables of CrossSim: a `PulseTable` of their conductances, with mean
    and standard deviation of a SET and of a RESET pulse at each.

    Steps are drawn as normal; skew and tails of the tables are not kept. Between the conductances
    steps run linearly, where CrossSim takes those of the nearest one.

    Args:
        path: a folder with dG_increasing.txt and dG_decreasing.txt; or the file of increases.
        decreasing: the file of decreases, if `path` is no folder.
        window: lowest and highest conductance to be used [S], as Gmin_relative and Gmax_relative
            of CrossSim say as shares; None: all.
        levels: of the cell [1]; None: 9, or as many as there are SET pulses for.

    Returns:
        A preset; `preset.to_toml()` is what `--device-file` takes.

    Raises:
        ValueError: a file cannot be read or is no such table; the two are of other conductances;
            or, within the window, SET pulses lower the conductance on average, RESET pulses raise
            it, or some steps have a spread and others none.
    """
    first = Path(path)
    if os.path.isdir(first):  # False of what cannot be a name, too
        files = (first / NAMES[0], first / NAMES[1])
        if decreasing is not None:
            raise invalid(
                "decreasing", str(decreasing), "None where path is a folder of both files"
            )
    elif decreasing is not None:
        files = (first, Path(decreasing))
    else:
        allowed = f"the file of decreases, or for path a folder with {NAMES[0]} and {NAMES[1]}"
        raise invalid("decreasing", None, allowed)
    up, down = (
        _read(file, field) for file, field in zip(files, ("path", "decreasing"), strict=True)
    )
    if len(up.g) != len(down.g) or not np.allclose(up.g, down.g, rtol=1e-9, atol=0):
        raise invalid("decreasing", str(files[1]), f"a table of the conductances of {files[0]}")
    if up.step.mean() < 0 < down.step.mean():
        raise invalid("path", str(files[0]), "the table of increases: these two are swapped")
    used = _used(up.g, window)
    up, down = (LookUpTable(*(each[used] for each in table)) for table in (up, down))
    _check_signs(up, down)
    tables = {"set": (up.step, up.spread), "reset": (-down.step, down.spread)}
    numbers = {"g": tuple(up.g.tolist())}
    for way, (step, spread) in tables.items():
        numbers[f"{way}_step"] = tuple(step.tolist())
        numbers[f"{way}_spread"] = _whole(way, up.g, step, spread)
    try:
        cell = PulseTable(levels=2, **numbers)  # type: ignore[arg-type]
        most = int(cell.crossing[0]) + 1
        cell = cell.replace(levels=max(2, min(LEVELS, most)) if levels is None else levels)
    except InvalidInput as error:
        raise invalid("path", str(path), f"tables of a cell ({error})") from error
    return Preset(
        device=cell, note=f"Look-up tables of CrossSim: {', '.join(f.name for f in files)}."
    )


def _read(path: Path, field: str) -> LookUpTable:
    lines = [
        (number, line)
        for number, line in enumerate(read_text(path, field).splitlines(), 1)
        if line.strip()
    ]
    if len(lines) < 5:
        allowed = "a look-up table: words, conductances, probabilities, then changes, line by line"
        raise invalid(field, str(path), allowed)
    g, share, *rows = (
        np.array([
            plain_number(f"{path}, line {number}, column {column}", text)
            for column, text in enumerate(line.split(","), 1)
        ])
        for number, line in lines[1:]
    )  # fmt: skip
    for name, values, most in (("conductances", g, math.inf), ("probabilities", share, 1.0)):
        if len(values) < 2 or (np.diff(values) <= 0).any() or values[0] < 0 or values[-1] > most:
            wanted = (
                "two or more, rising from 0 S up" if name == "conductances" else "0 to 1, rising"
            )
            raise invalid(f"{path}: {name}", f"{values[0]:g} to {values[-1]:g}", wanted)
    if len(rows) != len(share):
        allowed = f"{len(share)}, one for each probability"
        raise invalid(f"{path}: rows of changes", len(rows), allowed)
    for (number, _), row in zip(lines[3:], rows, strict=True):
        if len(row) != len(g):
            raise invalid(f"{path}, line {number}: changes", len(row), f"{len(g)}, as conductances")
    return LookUpTable(g, *_moments(share, np.stack(rows)))


def _moments(share: np.ndarray, change: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (n,) of distributions whose quantiles `change` (m, n) at the
    probabilities `share` (m,) are joined by straight lines; beyond the outermost they stay."""
    share = np.concatenate([[0.0], share, [1.0]])
    change = np.concatenate([change[:1], change, change[-1:]])
    part, low, high = np.diff(share)[:, None], change[:-1], change[1:]
    mean = (part * (low + high) / 2).sum(0)
    low, high = low - mean, high - mean
    variance = (part * (low**2 + low * high + high**2) / 3).sum(0)
    return mean, np.sqrt(variance)


def _used(g: np.ndarray, window: tuple[float, float] | None) -> np.ndarray:
    if window is None:
        return np.arange(len(g))
    used = np.flatnonzero((g >= window[0] * (1 - 1e-9)) & (g <= window[1] * (1 + 1e-9)))
    if len(used) < 2:
        allowed = f"two or more of the table's conductances, {g[0]:g} to {g[-1]:g} S"
        raise invalid("window", window, allowed)
    return used


def _check_signs(up: LookUpTable, down: LookUpTable) -> None:
    """Refuse steps that lead the wrong way on average."""
    right = (up.step > 0) & (down.step < 0)
    if right.all():
        return
    at = int(np.flatnonzero(~right)[0])
    allowed = "above 0 for SET and below 0 for RESET at all conductances"
    edges = np.flatnonzero(np.diff(np.concatenate([[False], right, [False]]).astype(int)))
    runs = edges.reshape(-1, 2)
    if len(runs) and (best := max(runs, key=lambda run: run[1] - run[0]))[1] - best[0] > 1:
        low, high = up.g[best[0]], up.g[best[1] - 1]
        allowed += f", as with window=({low:.6g}, {high:.6g})"
    which = f"mean step by a SET, by a RESET pulse at {up.g[at]:.4g} S [S]"
    raise invalid(which, (float(f"{up.step[at]:.3g}"), float(f"{down.step[at]:.3g}")), allowed)


def _whole(way: str, g: np.ndarray, step: np.ndarray, spread: np.ndarray) -> tuple[float, ...]:
    """Spreads of all steps; rounding of steps that have none is none."""
    some = spread > 1e-9 * step
    if some.any() and not some.all():
        at = g[np.flatnonzero(~some)[0]]
        allowed = "above 0 at all conductances or 0 at all; choose a window without that one"
        raise invalid(f"spread of a {way.upper()} pulse at {at:.4g} S [S]", 0.0, allowed)
    return tuple(spread.tolist()) if some.any() else (0.0,)
