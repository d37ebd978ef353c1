"""Several runs of one configuration, other seeds, as one result."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from mho.errors import invalid

Entry = dict[str, Any]
"""A claim, curve, bars, map or table of a result."""

MORE = ("schemes", "studies", "resistances", "tiles", "refreshes")
"""Settings of what a run does beside its claims: the first runs may do more than the others."""
BESIDE = "all that the others did not do beside their claims"
EXTREMES = {"lowest": min, "highest": max}
"""How a claim that says so is pooled; all others are means."""


def pool(folders: Sequence[Path]) -> dict[str, Any]:
    """Pool finished runs into one result.

    Claims: mean and standard deviation over all that the runs counted, which is exact; a claim of
    a lowest or highest value keeps it. Curves: mean, and the deviation within and between runs at
    equal numbers; a line of a curve with `"pooled": "points"` has the points of all. Bars: as
    curves. Maps: mean. Tables of text and plain numbers: mean and deviation
    of each number. A map or bars that say `"pooled": "first"` are the first's, as are circuits,
    rankings and all else.

    Runs may differ in the schemes and studies that they do beside their claims, none doing more
    than the first. What not all have, or not of one shape (x of a line, categories of bars, axes of
    a map, texts of a table), is pooled over those that do as much as the first; the first's alone
    where these differ too.

    Raises:
        ValueError: fewer than two runs, one that is not finished, one of another configuration, or
            the same seed twice; the message names the folder.
    """
    if len(folders) < 2:
        raise invalid("runs", [str(f) for f in folders], "at least two run folders")
    results = [read(folder, "result.json") for folder in folders]
    settings = [_settings(folder) for folder in folders]
    for folder, given in zip(folders, settings, strict=True):
        if given != settings[0]:
            differing = sorted(k for k in given | settings[0] if given.get(k) != settings[0].get(k))
            same = f"the configuration of {folders[0]} but for the seed; {differing} differ"
            raise invalid("run", str(folder), same)
    peers = _peers(folders)
    seeds = [r["seed"] for r in results]
    if len(set(seeds)) < len(seeds):
        raise invalid("seeds", seeds, "each seed once")
    first = results[0]
    equal = [results[k] for k in peers]
    maps = _pooled(results, equal, "maps", _map)
    bars = _pooled(results, equal, "bars", _bars)
    tables = _pooled(results, equal, "tables", _table)
    kept = [block for block in ("histograms", "ledger", "cost") if first.get(block)]
    kept += [f"bars '{b['title']}'" for b in bars if b.get("pooled") == "first"]
    kept += [f"map '{m['title']}'" for m in maps if m.get("pooled") == "first"]
    kept += [f"table '{t['title']}'" for t in tables if t.get("pooled") == "first"]
    kept += [f"array '{c['title']}'" for c in first.get("circuits", [])]
    kept += [f"ranking '{r['title']}'" for r in first.get("rankings", [])]
    curves = _matched(results, equal, "curves")
    kept += [kept_of for same in curves if (kept_of := _own_lines(*same))]
    few = len(peers) < len(results)
    if few and len(peers) == 1:
        kept.append(BESIDE)
    summary = f"{first.get('summary', '')} Pooled over the seeds {_listed(seeds)}."
    if kept:
        summary += _listed(kept, f" Of seed {seeds[0]} alone are ") + "."
    if few and len(peers) > 1:
        summary += f" Of the seeds {_listed([seeds[k] for k in peers])} alone is {BESIDE}."
    return first | {
        "summary": summary,
        "seeds": seeds,
        "wall_s": round(sum(r["wall_s"] for r in results), 1),
        "claims": _pooled(results, equal, "claims", _claim),
        "curves": _pooled(results, equal, "curves", _curve),
        "bars": bars,
        "maps": maps,
        "tables": tables,
    }


def read(folder: Path, name: str) -> dict[str, Any]:
    """A JSON file of a run folder.

    Raises:
        ValueError: it is missing or cannot be read; the message names the folder.
    """
    try:
        return json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise invalid("run", str(folder), f"a finished run, with {name}") from None
    except ValueError as error:
        raise invalid("run", str(folder), f"a readable {name} ({error})") from error


def _settings(folder: Path, more: Sequence[str] = MORE) -> dict[str, Any]:
    """The configuration without the seed, what changes no number, and what is done beside."""
    try:
        given = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise invalid("run", str(folder), f"a readable config.toml ({error})") from error
    return {k: v for k, v in given.items() if k not in ("seed", "threads", "device", *more)}


def _peers(folders: Sequence[Path]) -> list[int]:
    """Which runs did as much beside their claims as the first, itself among them.

    Raises:
        ValueError: another did what the first did not.
    """
    most, *others = ({k: v for k, v in _settings(f, ()).items() if k in MORE} for f in folders)
    for folder, given in zip(folders[1:], others, strict=True):
        for name, values in given.items():
            if beyond := [v for v in values if v not in most.get(name, values)]:
                allowed = f"among those of the first run, {folders[0]}"
                raise invalid(f"{name} of {folder}", beyond, allowed)
    return [k for k, given in enumerate([most, *others]) if given == most]


def _matched(
    results: Sequence[Entry], equal: Sequence[Entry], block: str
) -> list[tuple[list[Entry], list[Entry]]]:
    """Entries of a block of the first result with their namesakes: of all results, or of equal
    runs where not all have one; and of equal runs."""
    out = []
    for first in results[0].get(block, []):
        every, some = (
            [entry for r in rs for entry in r.get(block, []) if entry["id"] == first["id"]]
            for rs in (results, equal)
        )
        out.append((every if len(every) == len(results) else some, some))
    return out


def _pooled(
    results: Sequence[Entry],
    equal: Sequence[Entry],
    block: str,
    pooled: Callable[[Sequence[Entry], Sequence[Entry]], Entry],
) -> list[Entry]:
    """A block of the first result, pooled with the others' as far as they have it.

    Args:
        equal: the results of runs that did as much as the first.
        pooled: pools entries of all runs; or, if these are of several shapes, of equal ones.
    """
    matched = _matched(results, equal, block)
    return [pooled(same, some) if len(same) > 1 else same[0] for same, some in matched]


def _claim(same: Sequence[Entry], _equal: Sequence[Entry]) -> Entry:
    first = same[0]
    notes = "; ".join(dict.fromkeys(c["note"] for c in same if c.get("note")))
    n = sum(c["n"] for c in same)
    if first.get("pooled", "mean") in EXTREMES:
        ours = EXTREMES[first["pooled"]](c["ours"] for c in same)
        return first | {"ours": ours, "std": None, "n": n, "note": notes}
    mean = sum(c["n"] * c["ours"] for c in same) / n
    within = sum((c["n"] - 1) * (c["std"] or 0.0) ** 2 for c in same)
    between = sum(c["n"] * (c["ours"] - mean) ** 2 for c in same)
    return first | {
        "ours": mean, "std": math.sqrt((within + between) / (n - 1)), "n": n, "note": notes,
    }  # fmt: skip


def _curve(same: Sequence[Entry], equal: Sequence[Entry]) -> Entry:
    lines = []
    for first in same[0]["series"]:
        if same[0].get("pooled") == "points":
            rows = [s for c in same for s in c["series"] if s["name"] == first["name"]]
            points = {axis: [v for r in rows for v in r[axis]] for axis in ("x", "y")}
            lines.append(first | points | {"std": None})
            continue
        rows = _twins(first, same, equal)
        if len(rows) == 1:
            lines.append(first)
            continue
        y, std = _spread([r["y"] for r in rows], [r["std"] for r in rows])
        lines.append(first | {"y": y, "std": std})
    return same[0] | {"series": lines}


def _bars(same: Sequence[Entry], equal: Sequence[Entry]) -> Entry:
    def kind(bars: Entry) -> tuple[Any, list[str]]:
        return bars["categories"], [group["name"] for group in bars["groups"]]

    same = _alike(same, equal, kind)
    if same[0].get("pooled") == "first" or len(same) == 1:
        return same[0] | {"pooled": "first"}
    groups = []
    for rows in zip(*(b["groups"] for b in same), strict=True):
        values, std = _spread([r["values"] for r in rows], [r.get("std") for r in rows])
        groups.append(rows[0] | {"values": values, "std": std})
    return same[0] | {"groups": groups}


def _alike(
    same: Sequence[Entry], equal: Sequence[Entry], kind: Callable[[Entry], object]
) -> Sequence[Entry]:
    """All entries if they are of one kind, else those of equal runs, else the first."""
    for entries in (same, equal):
        if all(kind(entry) == kind(same[0]) for entry in entries):
            return entries
    return same[:1]


def _spread(
    rows: Sequence[Sequence[float | None]], stds: Sequence[Sequence[float | None] | None]
) -> tuple[list[float | None], list[float | None] | None]:
    """Mean of each column, and the deviation within and between rows at equal numbers.

    Rows without a deviation are single values: theirs is the sample's. None where a row has none.
    """
    columns = list(zip(*rows, strict=True))
    means = [_mean(values) for values in columns]
    given = [std for std in stds if std is not None]
    if not given:
        return means, [
            stdev([v for v in values if v is not None]) if mean is not None else None
            for mean, values in zip(means, columns, strict=True)
        ]
    if len(given) < len(rows):
        return means, None
    within = [
        _mean([None if s is None else s**2 for s in column]) for column in zip(*given, strict=True)
    ]
    return means, [
        None if mean is None or inside is None else math.sqrt(
            inside + fmean((value - mean) ** 2 for value in values if value is not None)
        )
        for mean, inside, values in zip(means, within, columns, strict=True)
    ]  # fmt: skip


def _own_lines(same: Sequence[Entry], equal: Sequence[Entry]) -> str:
    """Which lines of a curve are the first's alone, in words; empty if none."""
    if len(same) == 1 or same[0].get("pooled") == "points":
        return ""
    lines = [line for line in same[0]["series"] if len(_twins(line, same, equal)) == 1]
    if len(lines) == len(same[0]["series"]):
        return f"curve '{same[0]['title']}'"
    names = ", ".join(f"'{line['name']}'" for line in lines)
    return names and f"line{'s' * (len(lines) > 1)} {names} of '{same[0]['title']}'"


def _twins(line: Entry, same: Sequence[Entry], equal: Sequence[Entry]) -> list[Entry]:
    """The lines of the same name and x, one of each curve; of equal runs if not all have one, and
    the line alone if these have not."""
    key = (line["name"], line["x"])
    for curves in (same, equal):
        found = [[s for s in c["series"] if (s["name"], s["x"]) == key] for c in curves]
        if all(found):
            return [lines[0] for lines in found]
    return [line]


def _map(same: Sequence[Entry], equal: Sequence[Entry]) -> Entry:
    same = _alike(same, equal, lambda m: (m["x"], m["y"]))
    if same[0].get("pooled") == "first" or len(same) == 1:
        return same[0] | {"pooled": "first"}
    rows = zip(*(m["values"] for m in same), strict=True)
    values = [[_mean(cells) for cells in zip(*row, strict=True)] for row in rows]
    return same[0] | {"values": values}


def _table(same: Sequence[Entry], equal: Sequence[Entry]) -> Entry:
    """Mean and deviation of each number; the first's where rows differ or cells have a spread."""

    def frame(table: Entry) -> list[list[str | None]]:
        return [[c if isinstance(c, str) else None for c in row] for row in table["rows"]]

    same = _alike(same, equal, frame)
    bodies = [t["rows"] for t in same]
    spread = any(isinstance(c, dict) for body in bodies for row in body for c in row)
    if spread or len(same) == 1:
        return same[0] | {"pooled": "first"}
    rows = [
        [_cell(cells) for cells in zip(*lines, strict=True)] for lines in zip(*bodies, strict=True)
    ]
    return same[0] | {"rows": rows}


def _cell(values: Sequence[Any]) -> Any:
    """Mean and deviation of numbers that differ; nothing where one is missing; the first text."""
    if None in values:
        return None
    if isinstance(values[0], str) or len(set(values)) == 1:
        return values[0]
    return {"mean": fmean(values), "std": stdev(values)}


def _mean(values: Sequence[float | None]) -> float | None:
    found = [v for v in values if v is not None]
    return fmean(found) if len(found) == len(values) else None


def _listed(values: Sequence[object], before: str = "") -> str:
    return before * bool(values) + ", ".join(map(str, values))
