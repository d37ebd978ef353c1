"""Which trainings a run consists of: the claimed ones, all schemes, and the further studies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mho
from mho.data import Task
from mho.errors import invalid
from mho.experiments.experiment import imperfect
from mho.experiments.metaplastic.config import MetaplasticConfig, Study
from mho.experiments.metaplastic.training import Job

Points = dict[str, Job]
"""Trainings of a study by name."""

CLAIMED = ("gated importance", "software")
"""Schemes trained in full and tested, in both orders."""
PERMUTED = ("gated importance", "EWC", "SI", "gated SI", "joint")
"""Schemes trained on permuted MNIST and tested."""
STRENGTHS: dict[str, tuple[str, tuple[float, ...]]] = {
    "gated importance": ("pull", (2e-4, 2e-3, 2e-2)),
    "importance": ("pull", (2e-4, 2e-3, 2e-2)),
    "EWC": ("elastic", (1e3, 1e4, 1e5)),
    "SI": ("intelligence", (1.0, 5.0, 25.0)),
}
"""Schemes on the frontier, and the strength that moves each of them along it."""
M = (0.0, 1.0, 2.0, 3.0, 4.0)
DIRECTIONS = ("toward-threshold", "both")
MODES = ("interval", "global")
SHARES = (0.3, 0.5, 0.7)
PERIODS = (1, 3, 10, 30)
BITS = (16, 12, 10, 8)
LEVELS = (3, 5, 9, 17)
IMPERFECTIONS: dict[str, tuple[float, ...]] = {
    "write spread": (0.05, 0.2),
    "read noise": (0.05, 0.2),
    "stuck cells": (0.02, 0.1),
}
"""Values that each imperfection takes, the others at their default; shares."""
SPLIT = ("gated importance", "importance", "one state", "EWC", "none", "joint")
STREAM = ("importance", "interval", "Bayesian", "none")


def in_turn(config: MetaplasticConfig) -> tuple[Task, ...]:
    """The tasks of the run."""
    return mho.data.sequential(config.tasks)


def claimed(config: MetaplasticConfig, chip: int) -> Points:
    """The trainings in the run's order."""
    return {s: Job(s, in_turn(config), config, chip, tested=True) for s in CLAIMED}


def reverse(config: MetaplasticConfig, chip: int) -> Points:
    """The same in the reverse order."""
    return {s: job._replace(tasks=job.tasks[::-1]) for s, job in claimed(config, chip).items()}


def permuted(config: MetaplasticConfig, chip: int) -> Points:
    """Permuted MNIST."""
    own = config.permuted
    if not own.tasks:
        return {}
    tasks = mho.data.permuted("mnist", own.tasks, config.seed)
    rules = config.rules.replace(
        pull=own.pull, damping=own.damping, elastic=own.elastic, intelligence=own.intelligence
    )
    config = config.replace(epochs=own.epochs, share=own.share, rules=rules)
    return {scheme: Job(scheme, tasks, config, chip, tested=True) for scheme in PERMUTED}


def schemes(config: MetaplasticConfig) -> Points:
    """Every scheme for the same epochs, on the first chip."""
    tasks, config = in_turn(config), config.replace(epochs=config.scheme_epochs)
    return {s: Job(s, tasks, config) for s in config.schemes}


def _small(config: MetaplasticConfig, scheme: str = "gated importance", **changes: Any) -> Job:
    """A training of the further studies: fewer images, some settings changed."""
    fewer = min(config.study.per_class, config.per_class or config.study.per_class)
    small = config.replace(per_class=fewer, epochs=config.study.epochs, **changes)
    return Job(scheme, in_turn(config), small)


def _ruled(config: MetaplasticConfig, scheme: str = "gated importance", **changes: Any) -> Job:
    """The same, settings of the rules changed."""
    return _small(config, scheme, rules=config.rules.replace(**changes))


def strength(config: MetaplasticConfig) -> Points:
    """How firmly the past is held, scheme by scheme."""
    return {
        f"{scheme}, {value:g}": _ruled(config, scheme, **{setting: value})
        for scheme, (setting, values) in STRENGTHS.items()
        for value in values
    }


def m(config: MetaplasticConfig) -> Points:
    """Strength of the interval rule."""
    return {f"{value:g}": _ruled(config, "interval", m=value) for value in M}


def forms(config: MetaplasticConfig) -> Points:
    """The rule between levels and the ancestor's, on the same levels, one-sided and two-sided."""
    return {
        f"{mode}, {direction}": _ruled(config, "interval", mode=mode, direction=direction)
        for mode in MODES
        for direction in DIRECTIONS
    }


def gates(config: MetaplasticConfig) -> Points:
    """Share of the hidden units that is open in a task."""
    return {f"{value:g}": _small(config, share=value) for value in SHARES}


def period(config: MetaplasticConfig) -> Points:
    """Images between two write phases."""
    return {str(k * config.batch): _small(config, transfer=k * config.batch) for k in PERIODS}


def precision(config: MetaplasticConfig) -> Points:
    """Bits of the hidden weight, and of each value that the rule stores for it."""
    return {"32": _ruled(config, hidden_bits=None)} | {
        str(n): _ruled(config, hidden_bits=n) for n in BITS
    }


def levels(config: MetaplasticConfig) -> Points:
    """Levels of a cell."""
    return {
        str(n): _small(
            config,
            hardware=config.hardware.replace(device=config.hardware.device.replace(levels=n)),
        )
        for n in LEVELS
    }


def imperfections(config: MetaplasticConfig) -> Points:
    """None at all, all at their default, and one at a time grown."""
    grown = {
        f"{what}, {value:g}": _small(config, hardware=_imperfect(config.hardware, what, value))
        for what, values in IMPERFECTIONS.items()
        for value in values
    }
    return {"none": _small(config, "software"), "default": _small(config)} | grown


def split(config: MetaplasticConfig) -> Points:
    """Two digits at a time, labelled 0 to 9 (class-incremental) or 0 and 1 (domain-incremental)."""
    return {
        f"{name}, {scheme}": _small(config, scheme)._replace(
            tasks=mho.data.split("mnist", relabel=relabel)
        )
        for name, relabel in (("class-incremental", False), ("domain-incremental", True))
        for scheme in SPLIT
    }


def stream(config: MetaplasticConfig) -> Points:
    """One data set cut in many parts, each seen alone and never again; one state for all."""
    whole, own = config.tasks[-1], config.study
    config = config.replace(epochs=own.epochs)
    at_once = Job("none", mho.data.sequential((whole,)), config, one_state=True)
    if config.per_class is not None:
        config = config.replace(per_class=max(1, config.per_class // own.parts))
    job = at_once._replace(tasks=mho.data.stream(whole, own.parts), config=config)
    return {scheme: job._replace(scheme=scheme) for scheme in STREAM} | {"at once": at_once}


def convolution(config: MetaplasticConfig) -> Points:
    """The small convolutional network."""
    config = config.replace(epochs=config.scheme_epochs)
    return {
        scheme: Job(scheme, in_turn(config), config, network="cnn")
        for scheme in ("gated importance", "none")
    }


STUDY: dict[Study, Callable[[MetaplasticConfig], Points]] = {
    "strength": strength,
    "m": m,
    "forms": forms,
    "gates": gates,
    "period": period,
    "precision": precision,
    "levels": levels,
    "imperfections": imperfections,
    "split": split,
    "stream": stream,
    "convolution": convolution,
}


def check(config: MetaplasticConfig) -> None:
    """Refuse cells that have no levels to be without imperfection, before any long work.

    Raises:
        ValueError: another kind of cell, or a study that the settings do not allow.
    """
    if config.hardware.device.landing is None:
        allowed = "a multi-level cell, whose levels without imperfection are the software baseline"
        raise invalid("MetaplasticConfig.hardware.device", config.hardware.device.family, allowed)
    for study in config.studies:
        STUDY[study](config)


def _imperfect(hardware: mho.Hardware, what: str, value: float) -> mho.Hardware:
    """The same chips with one imperfection; written unverified where verifying would cut it off."""
    if what == "write spread":
        hardware = hardware.replace(programming=mho.OpenLoop())
    return imperfect(hardware, what, value)
