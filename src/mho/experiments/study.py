"""Studies: one thing is varied, the same is done at each point, and what comes of it is compared.

An experiment says what its studies are, as records. `Jobs` does what is to be done at their points,
each job once; `Done` draws what came of it:

    points = over((4, 16, 64), lambda n: Job(levels=n))
    study = Study(points, Axis("levels", "log"), [Value("levels", "Levels", ACCURACY, each(last))])
    curves = jobs.done(study, "levels").curves
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from mho.experiments.run import Run
from mho.results import (
    Bars,
    Cell,
    Column,
    Curve,
    Map,
    Mark,
    Series,
    Table,
    bar_group,
    mean_std,
    series,
)
from mho.results.figures import Scale

J = TypeVar("J")
"""What is done at a point."""
O = TypeVar("O")  # noqa: E741
"""What it comes to, as plain JSON values."""

Reading = tuple[str, float | None, float | Sequence[float]]
"""A line of a figure, a place on its x axis, and the value there or repeats of it."""


class Axis(NamedTuple):
    """An axis of a figure."""

    label: str
    scale: Scale = "linear"


NO_AXIS = Axis("")
"""Of a study without curves."""


class Point(NamedTuple, Generic[J]):
    """What is done at one point, and where that stands in the figures."""

    job: J
    x: float | None = None
    """On the axis of the study; None: in no figure that asks for it."""
    line: str = ""


@dataclass(frozen=True)
class Value(Generic[J, O]):
    """Something read off every outcome: a curve over the axis of a study."""

    id: str
    title: str
    axis: Axis
    read: Callable[[Point[J], O], Iterable[Reading]]
    """What a point and its outcome give to the figure."""
    marks: Sequence[Mark] = ()
    pooled: Literal["points"] | None = None
    """"points": values at one place stand side by side, and those of several seeds too."""


@dataclass(frozen=True)
class Chart(Generic[O]):
    """Bars: a row for each outcome, in it a bar for each number read off."""

    id: str
    title: str
    label: str
    groups: Mapping[str, Callable[[O], float | None]]
    scale: Scale = "linear"

    def of(self, outcomes: Mapping[str, O]) -> Bars:
        """The bars of outcomes by name."""
        groups = []
        for name, value in self.groups.items():
            found = map(value, outcomes.values())
            groups.append(bar_group(name, [[] if x is None else [x] for x in found]))
        return Bars(self.id, self.title, self.label, list(outcomes), groups, scale=self.scale)


@dataclass(frozen=True)
class Grid(Generic[J, O]):
    """A map: the mean of an outcome's values at every pair of two numbers of its job."""

    id: str
    title: str
    x: tuple[str, Callable[[J], float]]
    """Label of the x axis, and a job's place on it."""
    y: tuple[str, Callable[[J], float]]
    label: str
    """Of the values."""
    read: Callable[[O], Sequence[float]]

    def of(self, found: Iterable[tuple[J, O]]) -> Map:
        """The map of jobs and their outcomes."""
        (x_label, x), (y_label, y) = self.x, self.y
        at = {(x(job), y(job)): mean_std(self.read(outcome)).mean for job, outcome in found}
        columns, rows = (sorted(set(places)) for places in zip(*at, strict=True))
        values = [[at.get((column, row)) for column in columns] for row in rows]
        return Map(self.id, self.title, x_label, y_label, self.label, columns, rows, values)


@dataclass(frozen=True)
class Rows(Generic[O]):
    """A table: a row for each outcome."""

    id: str
    title: str
    head: str
    """Of the column of names."""
    columns: Sequence[Column]
    cells: Callable[[str, O], Sequence[Cell]]
    """The cells beside a name."""
    note: str = ""

    def of(self, outcomes: Mapping[str, O]) -> Table:
        """The table of outcomes by name."""
        rows = [[name, *self.cells(name, outcome)] for name, outcome in outcomes.items()]
        return Table(self.id, self.title, [Column(self.head), *self.columns], rows, self.note)


@dataclass(frozen=True)
class Study(Generic[J, O]):
    """One thing varied: what is done, by name, over which axis, and what is shown of it."""

    points: Mapping[str, Point[J]]
    axis: Axis = NO_AXIS
    values: Sequence[Value[J, O]] = ()
    charts: Sequence[Chart[O]] = ()
    rows: Rows[O] | None = None
    grids: Sequence[Grid[J, O]] = ()


@dataclass(frozen=True)
class Done(Generic[J, O]):
    """A study and what came of it."""

    study: Study[J, O]
    outcomes: Mapping[str, O]
    """By point."""

    @property
    def curves(self) -> list[Curve]:
        """A curve for each value."""
        study, out = self.study, []
        for value in study.values:
            read = (value.read(at, self.outcomes[name]) for name, at in study.points.items())
            drawn = lines(
                (each for found in read for each in found), apart=value.pooled == "points"
            )
            out.append(
                Curve(value.id, value.title, study.axis.label, value.axis.label, drawn,
                      x_scale=study.axis.scale, y_scale=value.axis.scale, marks=value.marks,
                      pooled=value.pooled)
            )  # fmt: skip
        return out

    @property
    def bars(self) -> list[Bars]:
        """The bars of each chart."""
        return [chart.of(self.outcomes) for chart in self.study.charts]

    @property
    def maps(self) -> list[Map]:
        """The map of each grid."""
        found = [(point.job, self.outcomes[name]) for name, point in self.study.points.items()]
        return [grid.of(found) for grid in self.study.grids]

    @property
    def tables(self) -> list[Table]:
        """The table, if there is one."""
        return [self.study.rows.of(self.outcomes)] if self.study.rows else []


class Jobs(Generic[J, O]):
    """Jobs of a run, each done once, however many studies and names ask for it.

    Args:
        run: keeps the outcomes.
        work: what a job comes to (plain JSON values).
    """

    def __init__(self, run: Run, work: Callable[[J], O]) -> None:
        self._run, self._work = run, work
        self._known: dict[J, O] = {}

    def outcomes(self, jobs: Mapping[str, J], group: str) -> dict[str, O]:
        """Outcomes by name; what is not known yet is done, as "group: name"."""
        for name, job in jobs.items():
            if job not in self._known:
                self._known[job] = self._run.once(f"{group}: {name}", lambda j=job: self._work(j))
        return {name: self._known[job] for name, job in jobs.items()}

    def done(self, study: Study[J, O], group: str) -> Done[J, O]:
        """A study with the outcomes of its points."""
        jobs = {name: point.job for name, point in study.points.items()}
        return Done(study, self.outcomes(jobs, group))


def over(
    values: Iterable[float], job: Callable[[Any], J], line: str = "", scale: float = 1
) -> dict[str, Point[J]]:
    """Points at values of what is varied, named by them; on the axis they are scaled."""
    before = f"{line}, " if line else ""
    return {f"{before}{x:g}": Point(job(x), scale * x, line) for x in values}


def each(value: Callable[[O], float | Sequence[float]]) -> Callable[[Point[Any], O], list[Reading]]:
    """The plain reading: one value of the outcome, at the place of its point."""
    return lambda point, outcome: [(point.line, point.x, value(outcome))]


def entry(name: str) -> Callable[[dict[str, Any]], float]:
    """The value that an outcome has under a name."""
    return itemgetter(name)


def in_turn(line: str, values: Iterable[float], first: int = 1) -> list[Reading]:
    """Values of a line one after another, as those of epochs, from x = first on."""
    return [(line, x, value) for x, value in enumerate(values, first)]


def lines(readings: Iterable[Reading], *, apart: bool = False) -> list[Series]:
    """A line for each name, in the order of appearance, over what has a place.

    Repeats at one place become their mean and deviation; `apart`: values stay side by side.
    """
    found: dict[str, dict[float, tuple[float, list[float]]]] = {}
    for name, x, value in readings:
        if x is not None:
            line = found.setdefault(name, {})
            _, values = line.setdefault(len(line) if apart else x, (x, []))
            values.extend([value] if isinstance(value, int | float) else value)
    return [
        series(name, [x for x, _ in line.values()], [values for _, values in line.values()])
        for name, line in found.items()
    ]
