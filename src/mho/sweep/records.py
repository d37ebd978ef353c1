"""The records of a sweep: for a notebook, for a table, and with the seeds of a place as one."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, overload

from mho.arguments import checked
from mho.files import encoded, write_bytes
from mho.sweep.folder import SweepFolder
from mho.sweep.index import Index
from mho.sweep.points import id_of
from mho.sweep.record import Measured, PointRecord

TABLE = "table.csv"
"""Name of the table in the folder of a sweep."""


@dataclass(frozen=True)
class Records(Sequence[PointRecord]):
    """All points of a sweep, as they were at one moment.

    Args:
        path: folder of the sweep.
        points: sorted by the settings that vary.
    """

    path: Path
    points: tuple[PointRecord, ...]

    @overload
    def __getitem__(self, at: int) -> PointRecord: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[PointRecord]: ...
    def __getitem__(self, at: int | slice) -> PointRecord | Sequence[PointRecord]:
        return self.points[at]

    def __len__(self) -> int:
        return len(self.points)

    @cached_property
    def varied(self) -> list[str]:
        """Settings that are not the same at all points, the seed last."""
        return varied(point.settings for point in self.points if point.settings)

    @cached_property
    def counts(self) -> Counter[str]:
        """How many points stand how."""
        return Counter(point.status for point in self.points)

    @cached_property
    def claims(self) -> dict[str, Measured]:
        """Claims of any point by id, those in percent first; as the first point that has one words
        it, and where points word it in several ways, as far as they agree."""
        return _worded(point.claims for point in self.points)

    def rows(self) -> list[dict[str, Any]]:
        """One table row a point: `pandas.DataFrame(load(S).rows())`.

        Columns: id, status, the settings that vary, of each claim its mean and, with `_std` behind
        its id, its standard deviation, seconds, and the host and engine where it was done; if it
        took several sessions, those of the last one. A claim that is named as another column has
        `claim.` before its id. None where there is no value.
        """
        rows = []
        own = {"id", "status", "seconds", "host", "engine", *self.varied}
        names = {key: f"claim.{key}" if key in own else key for key in self.claims}
        for point in self.points:
            row: dict[str, Any] = {"id": point.id, "status": point.status}
            row |= {key: point.settings.get(key) for key in self.varied}
            for key, name in names.items():
                found = point.claims.get(key)
                row[name] = None if found is None else found.ours
                row[f"{name}_std"] = None if found is None else found.std
            place = {"host": point.host or None, "engine": point.engine or None}
            rows.append(row | {"seconds": point.seconds} | place)
        return rows

    def csv(self) -> bytes:
        """The rows as comma-separated values with a head, lists as JSON, nothing for None."""
        text, rows = io.StringIO(newline=""), self.rows()
        if rows:
            writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows({key: _plain(each) for key, each in row.items()} for row in rows)
        return encoded(text.getvalue())


@checked
def load(path: Path) -> Records:
    """The records of a sweep, of all points whether done or not.

    Args:
        path: folder of the sweep.

    Raises:
        ValueError: it is none.
    """
    index = Index(SweepFolder(path))
    found = records_of(index.sweep.path, index.look())
    index.keep()
    return found


def write_table(records: Records) -> Path:
    """Write `table.csv` into the folder of the sweep; returns its path.

    Raises:
        OSError: it cannot be written.
    """
    write_bytes(records.path / TABLE, records.csv())
    return records.path / TABLE


def records_of(path: Path, points: Iterable[PointRecord]) -> Records:
    """Points in the order of what varies between them, a result of the same settings once."""
    every = tuple(points)
    keys = varied(point.settings for point in every if point.settings)
    order = sorted(every, key=lambda point: [rank(point.settings.get(key)) for key in keys])
    return Records(path, tuple(_once(order, keys)))


def _once(points: Iterable[PointRecord], keys: Sequence[str]) -> Iterator[PointRecord]:
    """Points, in an order in which the same settings are side by side; of several with a result,
    one keeps it: that which is named by its settings, else the first."""

    def place(point: PointRecord) -> list[Any]:
        values = [point.settings.get(key) for key in keys] if point.settings else [point.id]
        return [(type(value), value) for value in values]

    for _, group in groupby(points, place):
        several = list(group)
        done = [point for point in several if point.claims or point.costs]
        if len(done) > 1:
            named = [p for p in done if id_of(p.experiment, p.settings) == p.id]
            kept = (named or done)[0]
            several = [_beside(each, kept) if each in done and each is not kept else each
                       for each in several]  # fmt: skip
        yield from several


def _beside(point: PointRecord, kept: PointRecord) -> PointRecord:
    """A point without its result, as another one has the same settings."""
    said = f"it has the settings of {kept.id}, whose result counts"
    problem = "; ".join(filter(None, [point.problem, said]))
    return replace(point, claims={}, costs={}, problem=problem)


def varied(settings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Settings that are not the same in all of several, the seed last."""
    every = list(settings)
    if not every:
        return []
    first, found = every[0], dict.fromkeys((key for each in every for key in each), False)
    for each in every:
        if each != first:
            for key in found:
                if not found[key]:
                    found[key] = not _same(each.get(key), first.get(key))
    keys = [key for key, several in found.items() if several]
    return sorted(keys, key=lambda key: key == "seed")


def rank(value: Any) -> tuple[int, Any]:
    """Where a value stands among others: numbers by size, then texts, then all else."""
    if isinstance(value, bool):
        return 1, str(value)
    if isinstance(value, int | float):
        return 0, value
    if isinstance(value, str):
        return 1, value
    return (3, "") if value is None else (2, json.dumps(value))


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, bool | list | dict) else value


def _worded(several: Iterable[Mapping[str, Measured]]) -> dict[str, Measured]:
    first: dict[str, Measured] = {}
    words: dict[str, list[str]] = {}
    for claims in several:
        for key, each in claims.items():
            if key not in first:
                first[key], words[key] = each, [each.what]
            elif each.what not in words[key]:
                words[key].append(each.what)
    for key, texts in words.items():
        if len(texts) > 1:
            first[key] = first[key]._replace(what=common(texts))
    order = sorted(first, key=lambda key: first[key].unit != "%")
    return {key: first[key] for key in order}


def common(texts: Sequence[str]) -> str:
    """The words that several texts begin and end with, with an ellipsis for what lies between."""
    split = [text.split() for text in texts]
    head = _agreeing(split)
    tail = _agreeing([words[len(head) :][::-1] for words in split])[::-1]
    return " ".join([*head, "…", *tail])


def _agreeing(texts: Sequence[Sequence[str]]) -> list[str]:
    found = []
    for words in zip(*texts, strict=False):
        if len(set(words)) > 1:
            break
        found.append(words[0])
    return found
