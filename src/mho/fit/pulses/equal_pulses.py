"""Whether the pulses of a file are alike: the records are of cells that equal pulses move."""

from __future__ import annotations

import numpy as np

from mho.errors import invalid
from mho.fit.pulses.trains import polarity
from mho.fit.reading.table import Table

SHAPE = {"v_pulse": ("amplitude", "V"), "pulse_width": ("width", "s"),
         "compliance": ("compliance", "A")}  # fmt: skip
"""Columns that say what a pulse is like: in words, and the unit."""
ALIKE = 0.01
"""Relative difference of pulses that count as equal."""
FEWEST = 5
"""Reads after equal pulses that a fit needs, each way."""


def equal_pulses(
    table: Table, amplitude: tuple[float, float] | None = None
) -> tuple[np.ndarray, list[str]]:
    """Rows (n,) whose pulses are not those to be fitted, and what is to be known of it.

    Args:
        amplitude: of the SET and the RESET pulses to fit [V]; None: the file has one each way.

    Raises:
        ValueError: pulses of one direction differ.
    """
    up = polarity(table)
    foreign, remarks = np.zeros(len(table), dtype=bool), []
    if amplitude is not None:
        foreign = _chosen(table, up, amplitude)
        remarks = [f"{int(foreign.sum())} of {len(table)} reads follow pulses of another amplitude "
                   "than asked for: they are where a train begins"]  # fmt: skip
    for name, (word, unit) in SHAPE.items():
        if name not in table.numbers:
            continue
        size = np.abs(table.numbers[name])
        for sign, direction in ((True, "SET"), (False, "RESET")):
            groups = _groups(size[(up == sign) & ~foreign])
            if len(groups) < 2:
                continue
            values = [value for value, _ in groups]
            found = f"{len(groups)} from {min(values):.4g} to {max(values):.4g} {unit}"
            allowed = (
                f"one {word} of all {direction} pulses, for the step of a pulse is fitted as that "
                f"of equal pulses; {_advice(name, unit, size, up)}"
            )
            raise invalid(f"{table.path}, {word}s of {direction} pulses", found, allowed)
    return foreign, remarks


def _chosen(table: Table, up: np.ndarray, amplitude: tuple[float, float]) -> np.ndarray:
    """Rows of other amplitudes."""
    if "v_pulse" not in table.numbers:
        raise invalid("amplitude", amplitude, "none: the file has no column V_pulse [V]")
    size = np.abs(table.numbers["v_pulse"])
    foreign = np.zeros(len(table), dtype=bool)
    for sign, value in zip((True, False), amplitude, strict=True):
        near = np.abs(size - abs(value)) <= ALIKE * abs(value)
        if int((near & (up == sign)).sum()) < FEWEST:
            word = "SET" if sign else "RESET"
            known = ", ".join(f"{v:.4g} V ({n})" for v, n in _groups(size[up == sign])[:8])
            allowed = f"one of {FEWEST} or more {word} reads; there are {known or 'none'}"
            raise invalid("amplitude", value, allowed)
        foreign |= (up == sign) & ~near
    return foreign


def _advice(name: str, unit: str, size: np.ndarray, up: np.ndarray) -> str:
    """What would work with this file."""
    most = [max(_groups(size[up == sign]), key=lambda g: g[1], default=(0.0, 0))
            for sign in (True, False)]  # fmt: skip
    if min(count for _, count in most) < FEWEST:
        return "measure trains of equal pulses"
    (on, ons), (off, offs) = most
    where = f"{on:.4g} {unit} (SET, {ons} reads) and {off:.4g} {unit} (RESET, {offs} reads)"
    if name == "v_pulse":
        return f"--amplitude {on:.4g} -{off:.4g} fits those of {where} alone"
    return f"keep the lines of {where}"


def _groups(size: np.ndarray) -> list[tuple[float, int]]:
    """Values that are alike, and how many there are, from the least up; 0 and nan are no pulse."""
    rest = np.sort(size[np.isfinite(size) & (size > 0)])
    out = []
    while len(rest):
        alike = rest <= rest[0] * (1 + ALIKE)
        out.append((float(rest[0]), int(alike.sum())))
        rest = rest[~alike]
    return out
