"""Columns side by side -> rows below one another: devices, cycles, states, times, repeats."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from mho.errors import InvalidInput
from mho.fit.reading.cells import Cells
from mho.fit.reading.columns import Column
from mho.fit.reading.vocabulary import MEASURED, WORDS

SWEPT = 5
"""Values from which on a voltage is swept."""
_VOLT = re.compile(r"voltage|volt|potential|v")
_AMP = re.compile(r"current|i|\ba\b")
_OWN = re.compile(r"we|meas|sens", re.IGNORECASE)


@dataclass
class Long:
    """Rows of the long form, before what can be told from them alone."""

    rows: np.ndarray
    """Row of the sheet that each one comes from, from 0."""
    numbers: dict[str, np.ndarray]
    words: dict[str, np.ndarray]
    resolution: dict[str, float]
    layout: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def long_form(columns: list[Column], cells: Cells) -> Long:
    """The long form of a sheet; columns that cannot be used are marked so."""
    cells.look(c.index for c in columns if c.quantity and c.quantity not in WORDS)
    values: dict[int, tuple[np.ndarray, float]] = {}
    for column in columns:
        if not column.quantity or column.quantity in WORDS:
            continue
        assert column.heading is not None
        try:
            found, digit = cells.numbers(column.index, column.heading)
        except InvalidInput as error:
            column.unused("cannot be read", error)
            continue
        unit = column.heading.unit
        if column.quantity.startswith("target") and unit and unit.si == "ohm":
            found = np.divide(1, found, out=np.full(len(found), np.nan), where=found != 0)
        values[column.index] = found, digit
    _choose(columns, values)
    by: dict[str, list[Column]] = {}
    for column in columns:
        if column.quantity:
            by.setdefault(column.quantity, []).append(column)
    groups = _groups(by)
    return _stacked(by, groups, values, cells)


def _choose(columns: list[Column], values: dict[int, tuple[np.ndarray, float]]) -> None:
    """Of several columns of one quantity, those that say no more than another are left out."""
    by: dict[str, list[Column]] = {}
    for column in columns:
        if column.quantity and column.quantity not in WORDS:
            by.setdefault(column.quantity, []).append(column)
    for quantity, several in by.items():
        if len(several) > 1:
            _sure(several)
            _copies(quantity, [c for c in several if not c.why], values)
    volts = [c for c in by.get("voltage", []) if not c.why]
    amps = [c for c in by.get("current", []) if not c.why]
    if len(volts) > 1:
        volts = _swept(volts, amps, values)
    if volts and len(amps) > 1:
        _channels(volts, amps)


def _sure(several: list[Column]) -> None:
    """Those that are only half understood go where another is understood."""
    sure = [c for c in several if c.heading and c.heading.sure]
    if sure and len(sure) < len(several):
        for column in several:
            if column not in sure:
                column.unused(f"{sure[0].title!r} is taken for the {sure[0].quantity}")


def _copies(
    quantity: str, several: list[Column], values: dict[int, tuple[np.ndarray, float]]
) -> None:
    """Absolute or logarithmic copies, and the same current the other way round."""
    plain = [c for c in several if c.heading and not c.heading.absolute
             and not (c.heading.unit and c.heading.unit.log)]  # fmt: skip
    if plain and len(plain) < len(several):
        for column in several:
            if column not in plain:
                column.unused(f"{plain[0].title!r} says it with its sign")
    if quantity != "current" or len(plain) > 50:
        return
    for k, column in enumerate(plain):
        one = values[column.index][0]
        for other in plain[k + 1 :]:
            two = values[other.index][0]
            both = np.isfinite(one) & np.isfinite(two)
            size = float(np.abs(one[both]).sum())
            if other.why or not size:
                continue
            if np.abs(np.abs(one) - two)[both].sum() < 1e-3 * size and (one[both] < 0).any():
                other.unused(f"the size of {column.title!r}")
            elif np.abs(one + two)[both].sum() < 0.05 * size:
                other.unused(f"{column.title!r} the other way round")


def _swept(
    volts: list[Column], amps: list[Column], values: dict[int, tuple[np.ndarray, float]]
) -> list[Column]:
    """Of several voltages those that are swept; of applied and measured the measured one."""
    counts = [len(np.unique(values[c.index][0])) for c in volts]
    if max(counts) >= SWEPT > min(counts):
        for column, count in zip(volts, counts, strict=True):
            if count < SWEPT:
                column.unused("it is not swept")
                tag = column.heading.tag if column.heading else ""
                for other in amps:
                    if tag and other.heading and other.heading.tag == tag and len(amps) > 1:
                        other.unused(f"it goes with {column.title!r}, which is not swept")
        volts = [c for c in volts if not c.why]
        amps = [c for c in amps if not c.why]
    if len(volts) > 1 and len(amps) <= 1:
        own = next((c for c in volts if _OWN.search(c.title)), volts[0])
        for column in volts:
            if column is not own:
                column.unused(f"{own.title!r} is taken for the voltage")
        return [own]
    return volts


def _channels(volts: list[Column], amps: list[Column]) -> None:
    """Currents of other channels than the swept one: of gates, or of another cell."""
    amps = [c for c in amps if not c.why]
    tags = {c.heading.tag for c in volts if c.heading and c.heading.tag}
    channel = any(c.heading and c.heading.numbered == "channel" for c in amps)
    if len(volts) == 1 and (tags or channel):
        own = [c for c in amps if c.heading and c.heading.tag in tags] or amps[:1]
        for column in amps:
            if column not in own:
                column.unused(f"the current of another channel than {volts[0].title!r}")
        amps = own
    plain = [
        c for c in amps if c.heading and not (c.heading.tag or c.heading.words or c.heading.at)
    ]
    if len(volts) == 1 and len({c.title for c in plain}) > 1:
        like = _VOLT.sub("i", volts[0].title.lower())
        own = next((c for c in plain if _AMP.sub("i", c.title.lower()) == like), plain[0])
        for column in plain:
            if column is not own:
                column.unused(f"{own.title!r} is taken for the current")


def _groups(by: dict[str, list[Column]]) -> list[dict[str, Column]]:
    """Columns that make up one part of the long form, by quantity; none: all stand alone."""
    counts = {q: len(by[q]) for q in MEASURED if q in by}
    if not counts or max(counts.values()) < 2:
        for quantity, several in by.items():
            _first(quantity, several)
        return []
    size = max(counts.values())
    groups: list[dict[str, Column]] = [{} for _ in range(size)]
    chief = next(q for q in counts if counts[q] == size)
    for quantity, several in by.items():
        if quantity in WORDS or len(several) == 1:
            _first(quantity, several)
        elif len(several) == size:
            order = several if quantity == chief else _matched(by[chief], several)
            for group, column in zip(groups, order, strict=True):
                group[quantity] = column
        else:
            parts = _by_words(by[chief], several)
            if parts:
                for group, column in zip(groups, parts, strict=True):
                    group[quantity] = column
            else:
                _first(quantity, several)
    return groups


def _first(quantity: str, several: list[Column]) -> None:
    """The first of several columns; names of devices are put together."""
    if quantity == "device":
        return
    chosen = next((c for c in several if not c.assumed.startswith("no")), several[0])
    for column in several:
        if column is not chosen:
            column.unused(f"{chosen.title!r} is taken for the {quantity}")


def _matched(chief: list[Column], several: list[Column]) -> list[Column]:
    """Companions in the order of the chief columns: by their headings, else as they stand."""
    keys = [_key(c) for c in several]
    if len(set(keys)) == len(keys) and {_key(c) for c in chief} == set(keys):
        by = dict(zip(keys, several, strict=True))
        return [by[_key(c)] for c in chief]
    return several


def _by_words(chief: list[Column], several: list[Column]) -> list[Column] | None:
    """A companion for each chief column by the words that both have; None: they have none."""
    out = []
    for column in chief:
        same = [c for c in several if c.heading and column.heading and c.heading.words
                and c.heading.words == column.heading.words]  # fmt: skip
        if len(same) != 1:
            return None
        out.append(same[0])
    return out


def _key(column: Column) -> tuple[object, ...]:
    heading = column.heading
    assert heading is not None
    return (*sorted(heading.words.items()), *sorted(heading.at.items()), heading.tag)


def _stacked(
    by: dict[str, list[Column]],
    groups: list[dict[str, Column]],
    values: dict[int, tuple[np.ndarray, float]],
    cells: Cells,
) -> Long:
    """All as one table."""
    copies, n = max(1, len(groups)), len(cells)
    grouped = {id(c) for group in groups for c in group.values()}
    out = Long(np.tile(np.arange(n), copies), {}, {}, {}, [], cells.remarks)
    for quantity, several in by.items():
        shared = [c for c in several if id(c) not in grouped and not c.why]
        if not shared:
            continue
        if quantity in WORDS:
            texts = zip(*(cells.texts(c.index) for c in shared), strict=True)
            out.words[quantity] = np.array([", ".join(t) for t in texts] * copies)
        else:
            found, digit = values[shared[0].index]
            out.numbers[quantity], out.resolution[quantity] = np.tile(found, copies), digit
    constant = [c for several in by.values() for c in several if not c.why] if not groups else []
    parts = groups or [{c.quantity: c for c in constant if c.quantity not in WORDS}]
    for quantity in {q: None for group in groups for q in group}:
        found = [values[group[quantity].index] for group in groups]
        out.numbers[quantity] = np.concatenate([each for each, _ in found])
        out.resolution[quantity] = min(digit for _, digit in found)
    _tell_apart(out, parts, n)
    return out


def _tell_apart(out: Long, parts: list[dict[str, Column]], n: int) -> None:
    """Words and numbers that hold for whole columns, and what numbers the parts."""
    words: list[dict[str, str]] = []
    at: list[dict[str, float]] = []
    for part in parts:
        headings = [c.heading for c in part.values() if c.heading]
        words.append({k: v for h in headings for k, v in h.words.items()})
        at.append({k: v for h in headings for k, v in h.at.items()})
    if "cycle" in out.words and not {"pulse", "time"} & set(out.numbers):
        words = _as_states(words, parts)
    for name in {k: None for each in words for k in each}:
        if name not in out.words:
            out.words[name] = np.repeat([each.get(name, "") for each in words], n)
    for name in {k: None for each in at for k in each}:
        each_at = np.repeat([each.get(name, np.nan) for each in at], n)
        if name not in out.numbers:
            out.numbers[name] = each_at
            out.resolution[name] = 0.0
        elif name == "time":  # "before" stands beside a column of times after
            out.numbers[name] = np.where(each_at == 0, 0.0, out.numbers[name])
    if len(parts) < 2:
        return
    same: list[tuple[object, ...]] = [
        (*sorted(w.items()), *sorted(a.items())) for w, a in zip(words, at, strict=True)
    ]
    name = ""
    if max(Counter(same).values()) > 1:
        name = _counted(out, parts, words, n)
        out.words[name] = np.repeat(_labels(parts, same, name), n)
    told = [k for k in ("polarity", "state", "branch", "time", "temperature") if any(
        k in w or k in a for w, a in zip(words, at, strict=True))]  # fmt: skip
    what = " and ".join([*told, *([name] if name else [])]) or "part"
    out.layout.append(f"{len(parts)} columns side by side: each its own {what}")
    if any("state" in w for w in words) or name == "repeat":
        order = np.arange(len(parts) * n).reshape(len(parts), n).T.ravel()
        out.rows = out.rows[order]
        out.numbers = {k: v[order] for k, v in out.numbers.items()}
        out.words = {k: v[order] for k, v in out.words.items()}


def _as_states(words: list[dict[str, str]], parts: list[dict[str, Column]]) -> list[dict[str, str]]:
    """SET and RESET beside a cycle, and no pulse, are the states after them."""
    if {w.get("polarity") for w in words} != {"SET", "RESET"}:
        return words
    if any("ltp" in c.title.lower() or "pot" in c.title.lower() for p in parts for c in p.values()):
        return words
    of = {"SET": "LRS", "RESET": "HRS"}
    return [{**{k: v for k, v in w.items() if k != "polarity"}, "state": of[w["polarity"]]}
            for w in words]  # fmt: skip


def _counted(out: Long, parts: list[dict[str, Column]], words: list[dict[str, str]], n: int) -> str:
    """What the parts are: cycles, repeats, devices."""
    said = {c.heading.numbered for part in parts for c in part.values() if c.heading} - {""}
    said.discard("channel")
    if len(said) == 1:
        name = said.pop()
    elif "voltage" in out.numbers or any("state" in w for w in words):
        name = "cycle"
    else:
        name = "repeat" if _are_repeats(out, len(parts), n, parts) else "device"
        if name == "repeat":
            out.remarks.append(
                "columns side by side differ by no more than their reads scatter: taken for "
                "repeated reads of one state; --columns 'G of device=G*' takes them for devices"
            )
    return (
        name
        if name not in out.words
        else next(k for k in ("cycle", "device", "repeat", "branch") if k not in out.words)
    )


def _are_repeats(out: Long, count: int, n: int, parts: list[dict[str, Column]]) -> bool:
    """Whether the columns have one mean, row by row, within their scatter (two-way layout)."""
    tags = [c.heading.tag for part in parts for c in list(part.values())[:1] if c.heading]
    if not all(tags) or n < 6 or count < 3:
        return False
    name = next(q for q in MEASURED if q in out.numbers)
    y = out.numbers[name].reshape(count, n)
    y = y[:, np.isfinite(y).all(0)]
    if y.shape[1] < 6 or not np.ptp(y.mean(0)):
        return False
    rest = y - y.mean(0) - y.mean(1, keepdims=True) + y.mean()
    free = (count - 1) * (y.shape[1] - 1)
    error = float((rest**2).sum()) / free
    between = y.shape[1] * float(((y.mean(1) - y.mean()) ** 2).sum()) / (count - 1)
    if error == 0:
        return False
    moves = float(np.var(y.mean(0))) > 4 * error
    return moves and float(stats.f.sf(between / error, count - 1, free)) > 1e-3


def _labels(parts: list[dict[str, Column]], same: list[tuple[object, ...]], name: str) -> list[str]:
    """Label of each part: its number, its title, or its place among those alike."""
    chief = [next((part[q] for q in MEASURED if q in part), None) for part in parts]
    tags = [c.heading.tag if c and c.heading else "" for c in chief]
    for labels in (tags, [c.title if c and name == "device" else "" for c in chief]):
        pairs = list(zip(same, labels, strict=True))
        if all(labels) and len(set(pairs)) == len(pairs):
            return labels
    seen: Counter[tuple[object, ...]] = Counter()
    out = []
    for each in same:
        seen[each] += 1
        out.append(str(seen[each]))
    return out
