"""What a sweep does: which settings take which values, together or in all combinations.

A plan as a TOML file:

    experiment = "siamese"
    preset = "quick"
    seeds = 5                      # or a list, [0, 1, 2]

    [set]                          # of all points
    epochs = 3

    [grid]                         # all combinations
    "hardware.adc_bits" = [4, 6, 8]

    [[zip]]                        # side by side: first with first, second with second
    "hardware.weight_levels" = [9, 17]
    "batch" = [50, 100]

Files of devices and of prices vary too, `device_file = ["a.toml", "b.toml"]`; their content is
taken when the plan is read, and is part of a point. Of the user's own data and code, `data =
"mine.npz"`, `network = "net.py:Net"`, the path is part of a point, from the root.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from mho import experiments
from mho.arguments import checked
from mho.errors import InvalidInput, invalid, unknown
from mho.experiments.device import DEVICE
from mho.experiments.settings import Settings, nested, settings_of, value_of
from mho.files import flat, read_toml
from mho.files.code import is_code
from mho.sweep.points import WHERE, Point

Axis = Mapping[str, Sequence[Any]]
"""Settings that change together, each with as many values as the others."""

MOST = 100_000
"""Points of a plan."""

FIELDS = ("experiment", "preset", "config", "device_file", "seeds", "set", "grid", "zip")


@dataclass(frozen=True)
class Plan:
    """The points of a sweep.

    Args:
        experiment: name of the experiment.
        base: settings of all points.
        axes: settings that vary; points are all combinations of the axes' values.
        seeds: each of them with every point.
    """

    experiment: str
    base: Settings
    axes: tuple[Axis, ...] = ()
    seeds: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        for axis in self.axes:
            lengths = {key: len(values) for key, values in axis.items()}
            if not lengths or 0 in lengths.values():
                raise invalid("axis", dict(axis), "at least one setting, each with a value")
            if len(set(lengths.values())) > 1:
                raise invalid("zip", lengths, "as many values of each setting as of the others")
        check_varied(key for axis in self.axes for key in axis)
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise invalid("seeds", list(self.seeds), "at least one, none of them twice")
        if self.size > MOST:
            raise invalid("points", self.size, f"at most {MOST}")

    @property
    def size(self) -> int:
        """Number of points, the same settings counted each time."""
        lengths = [len(next(iter(axis.values()))) for axis in self.axes]
        return math.prod(lengths) * len(self.seeds)

    @property
    def varied(self) -> list[str]:
        """Settings that take more than one value."""
        keys = [key for axis in self.axes for key, values in axis.items() if len(values) > 1]
        return [*keys, "seed"] if len(self.seeds) > 1 else keys

    def points(self) -> list[Point]:
        """All points, the seeds of one place side by side; equal ones once.

        Raises:
            ValueError: a setting is unknown or a value not allowed, the message names the point; or
                the values of an axis make no difference anywhere.
        """
        found: dict[str, Point] = {}
        first: dict[tuple[int, ...], str] = {}
        steps = [range(len(next(iter(axis.values())))) for axis in self.axes]
        for place in product(*steps):
            chosen = {
                key: values[at]
                for axis, at in zip(self.axes, place, strict=True)
                for key, values in axis.items()
            }
            points = self.at(chosen)
            first[place] = points[0].id
            found |= {point.id: point for point in points if point.id not in found}
        for number, axis in enumerate(self.axes):
            start = {at: (*at[:number], 0, *at[number + 1 :]) for at in first}
            if len(steps[number]) > 1 and all(first[at] == first[start[at]] for at in first):
                (values, *_) = axis.values()
                allowed = "values that give different settings, which these do not at any point"
                raise invalid(", ".join(axis), values if len(axis) == 1 else dict(axis), allowed)
        return list(found.values())

    def at(self, chosen: Mapping[str, Any]) -> list[Point]:
        """The points with some settings, one a seed; a device file comes before the others.

        Raises:
            ValueError: a setting is unknown or a value not allowed; the message names all of them.
        """
        device = [(DEVICE, chosen[DEVICE])] if DEVICE in chosen else []
        others = [(key, value) for key, value in chosen.items() if key != DEVICE]
        try:
            config = self.base.over([*device, *others]).config()
            for key, value in flat(config.to_dict()).items():
                if (there := from_folder(Path.cwd(), key, value)) != value:
                    config = config.merged(nested(key, there))
            return [Point(self.experiment, config.replace(seed=seed)) for seed in self.seeds]
        except ValueError as error:
            where = ", ".join(f"{key} = {value}" for key, value in chosen.items())
            named = f"point {where}" if where else "all points"
            raise InvalidInput(f"{named}: {error}") from error


@checked
def make(
    experiment: str,
    *,
    preset: str = "quick",
    config: Path | None = None,
    device_file: Path | None = None,
    single: Sequence[tuple[str, Any]] = (),
    grid: Axis | None = None,
    zips: Sequence[Axis] = (),
    seeds: int | Sequence[int] | None = None,
    told: Callable[[str], None] = lambda _note: None,
) -> Plan:
    """A plan from its parts.

    Args:
        experiment: name of the experiment.
        preset: of its settings.
        config: TOML file of settings that replace the preset's.
        device_file: preset of `mho fit` whose cell replaces that of the chips.
        single: settings of all points by key, with dots between tables.
        grid: values by setting, in all combinations.
        zips: settings that change together.
        seeds: seeds, or how many, from that of the preset on; None: that one alone.
        told: takes notes on what a device changes.

    Raises:
        ValueError: as said in `Plan` and `settings_of`.
    """
    base = settings_of(
        experiment, experiments.get(experiment).preset(preset), file=config,
        device_file=device_file, single=single,
    )  # fmt: skip
    axes = (*({key: values} for key, values in (grid or {}).items()), *zips)
    with suppress(InvalidInput) if axes else nullcontext():  # may be right with what varies only
        base.config(told)
    if isinstance(seeds, int):
        if not 1 <= seeds <= MOST:
            raise invalid("seeds", seeds, f"1 to {MOST}, or a list of seeds")
        seeds = range(base.seed, base.seed + seeds)
    return Plan(experiment, base, axes, (base.seed,) if seeds is None else tuple(seeds))


@checked
def read(path: Path, told: Callable[[str], None] = lambda _note: None) -> Plan:
    """A plan from a TOML file; paths in it start at its folder.

    Raises:
        ValueError: the file is no plan; the message names the field.
    """
    given = read_toml(path, "plan")
    for name in given:
        if name not in FIELDS:
            raise unknown(f"field of the plan {path}", name, FIELDS)
    if not isinstance(name := given.get("experiment"), str):
        raise invalid(f"experiment in {path}", name, "the name of an experiment")
    folder = path.absolute().parent
    files = {k: folder / _text(given, k) for k in ("config", "device_file") if k in given}
    common = given.get("set", {})
    if not isinstance(common, Mapping):
        raise invalid("set", common, "a table of settings")
    flat(common)  # refuses what is there twice
    axes = [_axis(given.get("grid", {}), "grid"),
            *(_axis(each, "zip") for each in _list(given.get("zip", []), "zip"))]  # fmt: skip
    grid, *zips = (
        {key: [from_folder(folder, key, value) for value in values] for key, values in axis.items()}
        for axis in axes
    )
    return make(
        name, preset=_text(given, "preset") if "preset" in given else "quick", **files,
        single=[(key, from_folder(folder, key, value)) for key, value in common.items()],
        grid=grid, zips=zips,
        seeds=_seeds(given.get("seeds")), told=told,
    )  # fmt: skip


def check_varied(keys: Iterable[str]) -> None:
    """Refuse settings that a plan or a search cannot vary, or one that is there twice.

    Raises:
        ValueError: as said.
    """
    found: set[str] = set()
    for key in keys:
        if key in found or key == "seed":
            raise invalid("axes", key, "each setting once, seeds by their own option")
        if key in WHERE:
            raise invalid("axes", key, "settings that change what is computed, not where")
        found.add(key)


def from_folder(folder: Path, key: str, value: Any) -> Any:
    """A value of a setting; where it names a file, or a folder that is there, the path from the
    root.

    Args:
        folder: from the root, where the value is given.
        key: the setting, dots between tables.
        value: one value, or several in a list or a table.
    """
    if isinstance(value, Mapping):
        return {name: from_folder(folder, f"{key}.{name}", each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(from_folder(folder, key, each) for each in value)
    if not isinstance(value, str):
        return value
    is_file = is_code(value) or value.endswith((".toml", ".npz")) or key.endswith("token_file")
    is_folder = "/" in value and os.path.isdir(folder / value)
    return str(folder / value) if is_file or is_folder else value


def values_of(text: str) -> tuple[str, list[Any]]:
    """Setting and values of "key=a,b,c": each value as TOML writes it, else as text."""
    key, equals, values = text.partition("=")
    if not equals or not key or not values:
        raise invalid("values", text, "key=a,b,c, dots between tables")
    whole = value_of(f"[{values}]")
    if isinstance(whole, list):
        return key, whole
    return key, [value_of(each.strip()) for each in values.split(",")]


def _text(given: Mapping[str, Any], key: str) -> str:
    if not isinstance(given[key], str):
        raise invalid(key, given[key], "a text")
    return given[key]


def _list(value: Any, field: str) -> list[Any]:
    if not isinstance(value, list):
        raise invalid(field, value, "a list")
    return value


def _axis(value: Any, field: str) -> Axis:
    if not isinstance(value, Mapping):
        raise invalid(field, value, "a table: values by setting")
    return {key: _list(values, f"{field}.{key}") for key, values in flat(value).items()}


def _seeds(value: Any) -> int | list[int] | None:
    whole = isinstance(value, list) and all(type(each) is int for each in value)
    if value is None or type(value) is int or whole:
        return value
    raise invalid("seeds", value, "a number of seeds, or a list of them")
