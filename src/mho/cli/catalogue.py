"""`mho list`: what there is to choose from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import tyro
from rich.table import Table
from rich.text import Text

from mho.cli.terminal import say
from mho.errors import unknown


@dataclass(frozen=True)
class List:
    """Show experiments, devices, datasets and the like, or the settings of an experiment."""

    what: Annotated[str, tyro.conf.Positional]
    """One of experiments, devices, dynamics, datasets, prices, mitigations, schemes, rules, or the
    name of an experiment, whose settings are shown."""

    def run(self) -> None:
        """Print a table."""
        from mho.experiments import EXPERIMENTS

        tables: dict[str, Callable[[], Table]] = {
            "experiments": _experiments,
            "devices": _devices,
            "dynamics": _dynamics,
            "datasets": _datasets,
            "prices": _prices,
            "mitigations": _mitigations,
            "schemes": _schemes,
            "rules": _rules,
            **{name: partial(_settings, name) for name in EXPERIMENTS},
        }
        if self.what not in tables:
            raise unknown("list", self.what, tables)
        say(tables[self.what]())


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _experiments() -> Table:
    from mho.experiments import EXPERIMENTS

    table = _table("name", "what", "presets")
    for name, experiment in EXPERIMENTS.items():
        table.add_row(name, experiment.what, ", ".join(experiment.presets))
    return table


def _mitigations() -> Table:
    from mho.experiments.bmcnn.mitigation import PARTS

    table = _table("part", "when", "calibration images", "labels", "what")
    for name, part in PARTS.items():
        when = "before mapping" if part.act is None else "on mapped chips"
        uses = ("yes" if each else "no" for each in (part.measures, part.labels))
        table.add_row(name, when, *uses, part.what)
    return table


def _schemes() -> Table:
    from mho.experiments.siamese.schemes import SCHEMES

    table = _table("scheme", "what is written")
    for name, scheme in SCHEMES.items():
        table.add_row(name, scheme.what)
    return table


def _rules() -> Table:
    from mho.experiments.metaplastic.schemes import SCHEMES

    table = _table("scheme", "what protects old tasks")
    for name, scheme in SCHEMES.items():
        table.add_row(name, scheme.what)
    return table


def _settings(name: str) -> Table:
    from mho import experiments

    table = _table("setting", "quick", "what")
    for key, value, what in experiments.get(name).preset("quick").settings():
        table.add_row(key, Text(value), Text(what))
    return table


def _devices() -> Table:
    from mho.card.numbers import known, numbers
    from mho.physics.devices import PRESETS

    table = _table("name", "window", "levels", "spread", "endurance", "known besides", "DOI")
    for name, preset in PRESETS.items():
        cell = preset.device
        assert cell is not None
        told = dict(numbers(preset))
        cells = (told["window"], str(cell.states), told.get("spread", "-"), told["endurance"])
        table.add_row(name, *map(Text, cells), ", ".join(known(preset)) or "-", Text(cell.doi))
    return table


def _dynamics() -> Table:
    from mho.physics.dynamics import MODELS

    table = _table("name", "model", "read at [V]", "noise of cycles", "DOI")
    for name, model in MODELS.items():
        noise = "not given" if model.interval is None else "given"
        table.add_row(name, model.family, f"{model.read_voltage:g}", noise, Text(model.doi))
    return table


def _datasets() -> Table:
    from mho.data import SOURCES

    table = _table("name", "what", "licence", "DOI or home")
    for name, source in SOURCES.items():
        table.add_row(name, source.title, source.licence, source.doi or source.home)
    return table


def _prices() -> Table:
    from mho.hardware.price_lists import PRICES

    lists = [prices.settings() for prices in PRICES.values()]
    table = _table("number", *PRICES, "what")
    for rows in zip(*lists, strict=True):
        key, _, what = rows[0]
        if key not in ("note", "assumptions"):
            table.add_row(key, *(Text(value) for _, value, _ in rows), Text(what))
    return table
