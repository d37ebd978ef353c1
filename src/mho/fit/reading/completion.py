"""What rows of the long form tell that no column says: the device, the pulse, the polarity."""

from __future__ import annotations

import re
from pathlib import PurePath

import numpy as np

from mho.fit.reading.clock import EPOCH
from mho.fit.reading.heading import temperature_of
from mho.fit.reading.layout import SWEPT, Long
from mho.fit.reading.vocabulary import MEASURED, POLARITIES

PLACES = ("die", "x", "y", "row", "column")
"""What says together which cell it is."""


def complete(long: Long, parts: np.ndarray, path: str) -> None:
    """Fill in what follows; all of it is said in the remarks.

    Args:
        parts: of each row of the sheet, which part of the file it stands in.
        path: of the file; its name may say SET or RESET.
    """
    _ragged(long)
    _devices(long)
    _parts(long, parts)
    _clock(long)
    _targets(long)
    _cycles(long)
    _polarity_of_name(long, path)
    _temperature_of_name(long, path)
    _reversed(long)
    _pulses(long)
    _signs(long)


def kept(long: Long, rows: np.ndarray) -> None:
    """Leave rows out, or put them in another order."""
    long.rows = long.rows[rows]
    long.numbers = {k: v[rows] for k, v in long.numbers.items()}
    long.words = {k: v[rows] for k, v in long.words.items()}


def _ragged(long: Long) -> None:
    """Columns side by side may be of several lengths: their empty ends are no rows."""
    if not long.layout:
        return
    read = np.zeros(len(long.rows), dtype=bool)
    for name in MEASURED:
        if name in long.numbers:
            read |= np.isfinite(long.numbers[name])
    keep = read.copy()
    for rows in _chains(long):
        seen = np.flatnonzero(read[rows])
        if len(seen):
            keep[rows[: seen[-1] + 1]] = True
    if not keep.all() and keep.any():
        kept(long, keep)


def _labels(long: Long, *without: str) -> np.ndarray:
    """Number of each row's chain: rows alike in all words."""
    names = [n for n in long.words if n not in without]
    if not names:
        return np.zeros(len(long.rows), dtype=int)
    keys = list(zip(*(long.words[n].tolist() for n in names), strict=True))
    order = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    return np.array([order[key] for key in keys], dtype=int)


def _chains(long: Long, *without: str) -> list[np.ndarray]:
    """Rows of each chain, in their order."""
    labels = _labels(long, *without)
    if not len(labels):
        return []
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def _devices(long: Long) -> None:
    """One name of the cell from its row, column, die and place."""
    names = [name for name in PLACES if name in long.words]
    if not names:
        return
    columns = [long.words.pop(name) for name in names]
    if "device" in long.words:
        names, columns = ["device", *names], [long.words["device"], *columns]
    rows = zip(*(c.tolist() for c in columns), strict=True)
    pairs = (" ".join(f"{n} {_short(v)}" for n, v in zip(names, row, strict=True)) for row in rows)
    long.words["device"] = np.array(list(pairs))
    long.layout.append(f"a device is told by {', '.join(names)}")


def _short(text: str) -> str:
    return text.removesuffix(".0")


def _parts(long: Long, parts: np.ndarray) -> None:
    """Parts of a file that a preamble stands between are sweeps or cycles."""
    of = parts[long.rows]
    if not len(of) or of.max() == of.min():
        return
    name = "cycle" if "cycle" not in long.words else "device"
    if name in long.words:
        return
    long.words[name] = np.array([str(k + 1) for k in of])
    long.layout.append(f"{of.max() - of.min() + 1} tables below one another: each its own {name}")


def _clock(long: Long) -> None:
    """Seconds since 1970 become seconds since the first read."""
    time = long.numbers.get("time")
    if time is not None and len(time) and np.nanmin(np.append(time, np.inf)) > EPOCH:
        long.numbers["time"] = time - np.nanmin(time)
        long.remarks.append("times count from the first read of the file")


def _targets(long: Long) -> None:
    """A range that was aimed at counts as its middle."""
    ends = [long.numbers.pop(n, None) for n in ("target_low", "target_high")]
    known = [end for end in ends if end is not None]
    if known and "target" not in long.numbers:
        long.numbers["target"] = np.mean(known, axis=0)
        long.resolution["target"] = 0.0
        long.remarks.append("the middle of each range is taken for its target")


def _cycles(long: Long) -> None:
    """States side by side without a cycle: the line is its number."""
    if "state" not in long.words or "cycle" in long.words or not long.layout:
        return
    devices = long.words.get("device")
    if devices is not None and len(np.unique(devices)) * 2 >= len(devices):
        return
    if not any("state" in line for line in long.layout):
        return
    long.words["cycle"] = np.array([str(k + 1) for k in long.rows])
    long.layout.append("a line is a cycle")


def _polarity_of_name(long: Long, path: str) -> None:
    """A train without polarity in a file that is called after one."""
    names = {"polarity", "v_pulse", "time", "voltage", "target", "state"}
    if names & {*long.numbers, *long.words} or not set(MEASURED) & set(long.numbers):
        return
    if "pulse" not in long.numbers and "burst" not in long.numbers and not long.layout:
        return
    if found := polarity_of(path):
        long.words["polarity"] = np.full(len(long.rows), found)
        long.remarks.append(f"the name of the file says that its pulses are {found}")


def polarity_of(path: str) -> str:
    """SET or RESET by the name of a file; "": it says neither, or both."""
    words = re.findall(r"[a-z]+", PurePath(path).stem.lower())
    found = {POLARITIES[word] for word in words if word in POLARITIES}
    return found.pop() if len(found) == 1 else ""


def _temperature_of_name(long: Long, path: str) -> None:
    """Reads over time in a file that is called after their temperature: "bake_125C.csv"."""
    names = {*long.numbers, *long.words}
    if "temperature" in names or "time" not in names or not set(MEASURED) & names:
        return
    kelvin = temperature_of(re.sub(r"[^0-9A-Za-z]+", " ", PurePath(path).stem))
    if kelvin is not None:
        long.numbers["temperature"] = np.full(len(long.rows), kelvin)
        long.resolution["temperature"] = 0.0
        long.remarks.append(f"the name of the file says that it is of {kelvin:g} K")


def _moves(long: Long, rows: np.ndarray) -> float:
    """Rank correlation of the conductance with the order of the rows."""
    name = next((q for q in MEASURED if q in long.numbers), None)
    if name is None:
        return 0.0
    y = np.abs(long.numbers[name][rows])
    y = y[np.isfinite(y)]
    if len(y) < 6:
        return 0.0
    ranks = np.argsort(np.argsort(y, kind="stable"), kind="stable")
    found = float(np.corrcoef(np.arange(len(y)), ranks)[0, 1])
    return -found if name == "resistance" else found


def _reversed(long: Long) -> None:
    """Depression that rises with the line is stored from its end, as NeuroSim's data are."""
    if not any("polarity" in line for line in long.layout) or "polarity" not in long.words:
        return
    polarity = long.words["polarity"]
    groups = _chains(long)
    up = [_moves(long, rows) for rows in groups if polarity[rows[0]] == "SET"]
    down = [rows for rows in groups if polarity[rows[0]] == "RESET"]
    if not up or not down or min(up) < 0.8 or min(_moves(long, rows) for rows in down) < 0.8:
        return
    for rows in down:
        for name in MEASURED:
            if name in long.numbers:
                long.numbers[name][rows] = long.numbers[name][rows][::-1]
    long.remarks.append(
        "the conductance under RESET rises from line to line as it does under SET: it is taken "
        "from the last line to the first"
    )


def _pulses(long: Long) -> None:
    """The pulse number: of bursts, or the order of the rows."""
    numbers, words = long.numbers, long.words
    chains = _chains(long, "polarity", "repeat")
    if "v_pulse" in numbers and "polarity" not in words and (numbers["v_pulse"] == 0).any():
        _reads_between(long, chains)
    pulse, burst = numbers.get("pulse"), numbers.pop("burst", None)
    steps = "polarity" in words or ("v_pulse" in numbers and "voltage" not in _swept(long))
    if pulse is not None and steps and _is_constant(pulse, long.rows) and pulse[0] > 0:
        pulse, burst = None, pulse
    if pulse is not None or not steps or not set(MEASURED) & set(numbers):
        if burst is not None and pulse is None and not steps:
            numbers["pulse"] = burst
        return
    if "target" in numbers and burst is None:
        return
    each = np.ones(len(long.rows)) if burst is None else np.nan_to_num(burst)
    each = np.where(words.get("reading", np.full(len(each), "")) == "only", 0.0, each)
    words.pop("reading", None)
    out = np.zeros(len(each))
    for rows in chains:
        new = np.ones(len(rows), dtype=bool)
        if "repeat" in words:
            new[1:] = long.rows[rows][1:] != long.rows[rows][:-1]
        if "polarity" in words and any("polarity" in line for line in long.layout):
            for sign in np.unique(words["polarity"][rows]):
                some = words["polarity"][rows] == sign
                out[rows[some]] = np.cumsum(np.where(new, each[rows], 0.0)[some])
            continue
        out[rows] = np.cumsum(np.where(new, each[rows], 0.0))
    numbers["pulse"] = out
    long.resolution["pulse"] = 1.0
    order = "the order of the lines is the number of the pulse"
    added = "pulses of one read are added up to the number of the pulse"
    long.layout.append(order if burst is None else added)


def _swept(long: Long) -> set[str]:
    """Voltages that are swept."""
    return {
        n for n in ("voltage",) if n in long.numbers and len(np.unique(long.numbers[n])) >= SWEPT
    }


def _is_constant(pulse: np.ndarray, rows: np.ndarray) -> bool:
    seen = pulse[np.isfinite(pulse)]
    return len(seen) > 2 and len(np.unique(rows)) > 2 and float(np.ptp(seen)) == 0


def _reads_between(long: Long, chains: list[np.ndarray]) -> None:
    """Reads at amplitude 0 show the state that the pulse before left."""
    volts = long.numbers["v_pulse"].copy()
    only = volts == 0
    width = long.numbers.get("pulse_width")
    for rows in chains:
        given = np.flatnonzero(~only[rows] & np.isfinite(volts[rows]))
        if not len(given):
            return
        last = np.searchsorted(given, np.arange(len(rows)), side="right") - 1
        volts[rows] = volts[rows][given[np.maximum(last, 0)]]
        if width is not None:
            width[rows] = width[rows][given[np.maximum(last, 0)]]
    long.numbers["v_pulse"] = volts
    long.words["reading"] = np.where(only, "only", "")
    long.remarks.append("lines of amplitude 0 are reads: the pulse before them is theirs")


def _signs(long: Long) -> None:
    """Absolute currents of a sweep through 0 V take the sign of the voltage."""
    if "voltage" not in _swept(long) or "current" not in long.numbers:
        return
    v, i = long.numbers["voltage"], long.numbers["current"]
    told = np.isfinite(v) & np.isfinite(i) & (v != 0)
    if told.sum() < SWEPT or (i[told] < 0).any():
        return
    if min((v[told] < 0).mean(), (v[told] > 0).mean()) > 0.1:
        long.numbers["current"] = np.where(v < 0, -i, i)
        long.remarks.append("the current has no sign: it is given that of the voltage")
