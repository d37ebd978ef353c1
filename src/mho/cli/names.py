"""Names that a shell completes values with.

What the shell waits for has to come at once: experiments stand here, so that none is imported; of
all else the catalogue is asked, and its answer remembered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from mho.cli.remembered import remembered

EXPERIMENTS = {
    "bmcnn": "write once: binarized convolutions under device spread",
    "siamese": "write rarely: in-situ training that writes only what must change",
    "metaplastic": "write for life: two tasks in turn without forgetting",
    "wires": "what resistance of the lines costs each system, and what wins it back",
    "sensitivity": "which imperfection costs each of the three systems most",
}
"""What `mho run` runs, and what each is."""
SIZES = ("quick", "standard", "paper")
SUBJECTS = {
    "experiments": "systems that mho run runs",
    "studies": "parts of experiments, for mho run NAME --only STUDY",
    "schemes": "when siamese writes a cell, for mho run siamese --scheme NAME",
    "rules": "what protects old tasks, for mho run metaplastic --scheme NAME",
    "mitigations": "what bmcnn does about spread, for --set mitigations",
    "devices": "published memristors: window, levels, endurance, known laws",
    "dynamics": "dynamic models of memristors, of mho.dynamics",
    "prices": "price lists of energy, time and area, for --prices",
    "datasets": "data sets, for --set data",
    "layers": "layers of torch that can be on arrays, for mho.convert",
}
"""What `mho list` shows, and what it is for."""


def experiments(_context: click.Context) -> Iterable[str]:
    """Names of experiments."""
    return EXPERIMENTS


def experiments_and_all(_context: click.Context) -> Iterable[str]:
    """What `mho run` takes."""
    return (*EXPERIMENTS, "all")


def sizes(_context: click.Context) -> Iterable[str]:
    """Names of presets of experiments."""
    return SIZES


def processors(_context: click.Context) -> Iterable[str]:
    """Where to compute."""
    return ("auto", "cpu", "cuda")


@remembered(lambda _context: "")
def engines(_context: click.Context) -> Iterable[str]:
    """Engines of sweeps."""
    from mho.sweep.engines import ENGINES

    return ENGINES


@remembered(lambda _context: "")
def devices(_context: click.Context) -> Iterable[str]:
    """Names of published devices."""
    from mho.physics.devices import PRESETS

    return PRESETS


@remembered(lambda _context: "")
def prices(_context: click.Context) -> Iterable[str]:
    """Names of price lists."""
    from mho.hardware.price_lists import PRICES

    return PRICES


def loggers(_context: click.Context) -> Iterable[str]:
    """What takes the numbers of a run."""
    return ("tensorboard",)


@remembered(lambda _context: "")
def datasets(_context: click.Context) -> Iterable[str]:
    """Names of public data sets."""
    from mho.data import SOURCES

    return SOURCES


@remembered(lambda _context: "")
def shown(context: click.Context) -> Iterable[str]:
    """What `mho show` takes."""
    from mho.physics.dynamics import MODELS

    return (*devices(context), *MODELS, *prices(context), "all")


def _named(context: click.Context) -> str | None:
    """The experiment that a command line names; None: none of those there are."""
    given = (context.params.get("name"), context.params.get("what"), *context.args)
    return next((word for word in given if word in EXPERIMENTS), None)


def _experiment(context: click.Context) -> Any:
    if (name := _named(context)) is None:
        return None
    from mho.experiments import EXPERIMENTS as FOUND

    return FOUND[name]


@remembered(lambda context: _named(context) or "")
def parts(context: click.Context) -> Iterable[str]:
    """Parts of the experiment that can be run alone."""
    experiment = _experiment(context)
    return () if experiment is None else experiment.preset("quick").parts_there()


@remembered(lambda context: _named(context) or "")
def schemes(context: click.Context) -> Iterable[str]:
    """Schemes of the experiment."""
    experiment = _experiment(context)
    return () if experiment is None else experiment.schemes


@remembered(lambda context: _named(context) or "")
def settings(context: click.Context) -> Iterable[str]:
    """Keys of the experiment that the command line names, each with its equals sign."""
    experiment = _experiment(context)
    keys = [] if experiment is None else experiment.preset("quick").settings()
    return (f"{key}=" for key, _, _ in keys)


def laws(_context: click.Context) -> Iterable[str]:
    """Laws of conduction."""
    return ("ohmic", "sinh", "1t1r")


def ways_to_program(_context: click.Context) -> Iterable[str]:
    """Families of ways to program."""
    return ("verify", "open-loop", "as-measured")


def listed(_context: click.Context) -> Iterable[str]:
    """What `mho list` takes, but for single devices and price lists."""
    return (*SUBJECTS, *EXPERIMENTS)
