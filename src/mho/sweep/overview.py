"""What the page on a sweep shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mho.errors import unknown
from mho.experiments.provenance import differences
from mho.results import Column, Figure, Table
from mho.results.overview import Chapter, Overview
from mho.results.units import count, quantity
from mho.sweep.figures import figures
from mho.sweep.front import (
    Aim,
    aims,
    cell,
    costs,
    front_table,
    fronts,
    gain,
    table_of_fronts,
    trade_off,
)
from mho.sweep.objectives import Direction
from mho.sweep.places import Place, Places, places_of, text_of
from mho.sweep.record import Measured
from mho.sweep.records import Records
from mho.sweep.standing import Best, best, counted, measured_text

MOST_ROWS = 1000
"""Places in the table of the page."""

MOST_FIGURES = 60
"""Figures of the page; claims beyond have rows in the table alone."""


def overview(
    records: Records,
    claims: Sequence[str] = (),
    objectives: Mapping[str, Direction] | None = None,
) -> Overview:
    """What is shown of a sweep.

    Args:
        records: of its points.
        claims: ids of those to draw, in this order; none: all that are not the same everywhere.
        objectives: claims by id, each with its direction, whose front is drawn.

    Raises:
        ValueError: there is no such claim.
    """
    wanted = objectives or {}
    for key in (*claims, *wanted):
        if key not in records.claims:
            raise unknown("claim of the sweep", key, records.claims)
    places = places_of(records)
    chosen = {key: records.claims[key] for key in claims or records.claims}
    differing = {key: each for key, each in chosen.items() if claims or _differs(places, key)}
    best_of = [each for each in best(records) if each.claim in chosen.values()]
    constant = {key: each for key, each in chosen.items() if key not in differing}
    name = _namer()
    chapters, left = _chapters(places, differing, name)
    searched = _searched(places, aims(records.claims, wanted), name)
    opening = [_bad(records), _table(places, differing, records)]
    closing = [_best(places, best_of), _constant(places, constant)]
    return Overview(
        title=_title(records),
        lead=list(_lead(records, places, differing)),
        notices=list(_notices(records, left)),
        tables=[table for table in opening if table is not None],
        chapters=[*searched, *chapters],
        closing=[table for table in closing if table is not None],
        made=_made(records),
        command=f"mho report {records.path}",
        settings=_common(records),
    )


def _title(records: Records) -> str:
    names = sorted({point.experiment for point in records if point.experiment})
    return f"Sweep of {', '.join(names) or 'no points'}"


def _lead(records: Records, places: Places, claims: dict[str, Measured]) -> list[str]:
    said = [f"{count(len(records))} points: {counted(records)}."]
    if places.axes:
        parts = [f"{axis.name}: {_values(axis.values)}" for axis in places.axes]
        seeds = sorted({point.seed for point in records if point.seed is not None})
        if len(seeds) > 1:
            parts.append(f"seeds: {_values(seeds)}")
        said.append(f"What varies: {'; '.join(parts)}.")
    if claims:
        said.append(
            "Numbers are means over all chips and seeds of a setting, ± one standard deviation "
            "between these; lowest and highest values are those of all."
        )
    return said


def _values(values: Sequence[object]) -> str:
    texts = [text_of(value) for value in values]
    return ", ".join(
        texts if len(texts) <= 12 else [*texts[:3], "…", f"{texts[-1]} ({len(texts)})"]
    )


def _notices(records: Records, left: int) -> list[str]:
    said = []
    open_ = len(records) - records.counts["done"]
    if open_:
        said.append(f"{count(open_)} points have no result yet and are not in the numbers.")
    places = places_of(records)
    if len(places.axes) > 1 and not places.is_whole:
        said.append("Some combinations of settings have no result: means over one setting may be "
                    "taken over different values of the others.")  # fmt: skip
    made = [point.environment for point in records if point.environment]
    if apart := differences(made):
        said.append(f"The points differ in how they were made: {'; '.join(apart)}.")
    if left:
        said.append(f"{left} more claims are in the table and not drawn; draw them with "
                    "mho report --claim ID.")  # fmt: skip
    return said


def _table(places: Places, claims: dict[str, Measured], records: Records) -> Table | None:
    """A row of each place."""
    shown = [place for place in places.every if place.done]
    note = f"Every point by itself, with all claims: {count(len(records))} rows in table.csv."
    if len(shown) > MOST_ROWS and claims:
        key, claim = next(iter(claims.items()))
        shown.sort(key=lambda place: _gain(claim, place.claim(key)))
        shown = shown[:MOST_ROWS]
        note = f"The best {MOST_ROWS} by the first claim. {note}"
    if not shown:
        return None
    columns = [Column(axis.name) for axis in places.axes]
    columns += [Column("seeds")]
    columns += [Column(claim.what, claim.unit) for claim in claims.values()]
    columns += [Column("time a point", "s")]
    return Table("settings", "All settings", columns, [
        (*_at(places, place.settings), len(place.done), *(cell(place.claim(key)) for key in claims),
         _seconds(place))
        for place in shown
    ], note)  # fmt: skip


def _at(places: Places, settings: Mapping[str, Any]) -> list[str | float]:
    """The values on the axes; numbers stay numbers where all are."""
    values = [(axis, settings.get(axis.key)) for axis in places.axes]
    return [value if axis.numeric else text_of(value) for axis, value in values]  # type: ignore[misc]


def _seconds(place: Place) -> float | None:
    known = [point.seconds for point in place.done if point.seconds is not None]
    return sum(known) / len(known) if known else None


def _gain(claim: Measured, value: Measured | None) -> float:
    """How far from best a value is; what is missing comes last."""
    if value is None or value.ours is None:
        return float("inf")
    return value.ours if claim.better == "lower" else -value.ours


def _best(places: Places, found: Sequence[Best]) -> Table | None:
    """The best place of each claim."""
    if not found or not places.axes:
        return None
    columns = [Column("claim"), Column("ours"), *(Column(axis.name) for axis in places.axes)]
    return Table("best", "Best of each claim", columns, [
        (f"{each.claim.what} ({'least' if each.claim.better == 'lower' else 'most'})",
         measured_text(each.value), *_at(places, each.settings))
        for each in found
    ])  # fmt: skip


def _constant(places: Places, claims: dict[str, Measured]) -> Table | None:
    """Claims that no setting changes."""
    rows = []
    for claim_key, claim in claims.items():
        value = next((v for p in places.every if (v := p.claim(claim_key)) is not None), None)
        if value is not None and value.ours is not None:
            rows.append((claim.what, measured_text(value)))
    if not rows:
        return None
    columns = [Column("claim"), Column("ours")]
    return Table("same", "The same at all settings", columns, rows)


def _bad(records: Records) -> Table | None:
    """Points that failed, or cannot be read."""
    rows = []
    for point in records:
        if point.problem or point.failures:
            last = point.failures[-1].said.strip().splitlines() if point.failures else []
            said = "; ".join(filter(None, [point.problem, *last[-1:]]))
            at = ", ".join(f"{key} = {text_of(point.settings.get(key))}" for key in records.varied)
            rows.append((point.id, at, point.status, len(point.failures), point.host, said))
    if not rows:
        return None
    names = ("point", "settings", "status", "failures", "on", "what went wrong")
    return Table("failed", "Points that went wrong", [Column(name) for name in names], rows,
                 "The whole traceback: failures.json in the folder of the point.")  # fmt: skip


def _differs(places: Places, key: str) -> bool:
    """Whether a claim is not the same at all places."""
    values = [value.ours for place in places.every if (value := place.claim(key)) is not None]
    return len(set(values)) > 1


def _searched(places: Places, wanted: Sequence[Aim], name: Callable[[str], str]) -> list[Chapter]:
    """That of the objectives of a search, if there are several."""
    if len(wanted) < 2:
        return []
    shown = fronts(places, wanted, lambda what: name(f"front.{what}"))
    best = front_table(places, wanted, name("front"))
    tables = [best] if best is not None else []
    title = f"Pareto front of {', '.join(aim.what for aim in wanted)}"
    return [Chapter(title=title, figures=shown, tables=tables)] if shown or tables else []


def _chapters(
    places: Places, claims: dict[str, Measured], name: Callable[[str], str]
) -> tuple[list[Chapter], int]:
    """One of each claim; and how many claims more there would be."""
    found: list[Chapter] = []
    against, drawn = costs(places), 0
    for at, (key, claim) in enumerate(claims.items()):
        shown: list[Figure] = figures(places, key, claim, lambda what, k=key: name(f"{k}.{what}"))
        tables = []
        if claim.unit == "%" and claim.better == "higher":
            for cost in against:
                curve = trade_off(places, cost, gain(key, claim), name(f"{key}.{cost.what}"))
                shown += [curve] if curve is not None else []
            best = table_of_fronts(places, gain(key, claim), against, name(f"{key}.front"))
            tables = [best] if best is not None else []
        drawn += len(shown)
        if drawn > MOST_FIGURES:
            return found, len(claims) - at
        if shown:
            found.append(Chapter(title=claim.what, figures=shown, tables=tables))
    return found, 0


def _namer() -> Callable[[str], str]:
    """Makes ids of what figures show, each once."""
    taken: set[str] = set()

    def name(what: str) -> str:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "_", what).strip("_")[:72] or "figure"
        number = next(n for n in range(1, 10_000) if _numbered(plain, n).lower() not in taken)
        taken.add(_numbered(plain, number).lower())
        return _numbered(plain, number)

    return name


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


def _made(records: Records) -> list[tuple[str, str]]:
    """Where the points came from."""
    made = [point.environment for point in records if point.environment]
    seconds = [point.seconds for point in records if point.seconds is not None]
    said = [("folder", str(records.path)), ("points", count(len(records)))]
    if seconds:
        said.append(("time of all", quantity(float(sum(seconds)), "s")))
    dates = sorted(str(each["date"]) for each in made if "date" in each)
    if dates:
        said.append(("dates", dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"))
    said += [("done on", text)] if (text := _hosts(records)) else []
    for key in ("commit", "device"):
        values = sorted({str(each[key]) for each in made if each.get(key)})
        said += [(key, ", ".join(values))] if values else []
    libraries = dict.fromkeys(name for each in made for name in each.get("versions", {}))
    if libraries:
        found = {name: sorted({str(each["versions"].get(name)) for each in made
                               if "versions" in each}) for name in libraries}  # fmt: skip
        said.append(("versions", ", ".join(f"{name} {' / '.join(v)}" for name, v in found.items())))
    return said


def _hosts(records: Records) -> str:
    """On which machines points were done, how many, and the time that they took there."""
    found: dict[str, list[float]] = {}
    for point in records:
        if point.done and point.host:
            name = f"{point.host} ({point.engine})" if point.engine else point.host
            found.setdefault(name, []).append(point.seconds or 0.0)
    return ", ".join(f"{name}: {count(len(took))} points, {quantity(sum(took), 's')}"
                     for name, took in sorted(found.items()))  # fmt: skip


def _common(records: Records) -> str:
    """The settings that are the same at all points, one a line."""
    known = [point.settings for point in records if point.settings]
    if not known:
        return ""
    apart = set(records.varied)
    lines = [f"{key} = {json.dumps(value)}" for key, value in known[0].items() if key not in apart]
    return "\n".join(lines)
