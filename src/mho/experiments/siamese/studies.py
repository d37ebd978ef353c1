"""The further studies: which trainings each consists of, and what is shown of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import mho
from mho.errors import invalid
from mho.experiments.experiment import imperfect
from mho.experiments.siamese.comparison import ACCURACY, Studies, costs, rows
from mho.experiments.siamese.config import SiameseConfig, StudyName
from mho.experiments.siamese.measures import Outcome, accuracy, worn
from mho.experiments.siamese.training import Job
from mho.experiments.study import Axis, Chart, Point, Reading, Study, Value, each, over
from mho.physics import Retention

Points = dict[str, Point[Job]]

SHARES = Axis("spread or noise of the window, or share of the cells [%]")
IMPERFECTIONS: dict[str, tuple[float, ...]] = {
    "write spread": (0.0, 0.05, 0.2),
    "device spread": (0.0, 0.05, 0.2),
    "read noise": (0.0, 0.01, 0.1),
    "stuck cells": (0.0, 0.005, 0.1),
}
"""Values that each imperfection takes, the others at their default; shares."""
LEVELS = (4, 16, 64)
NONLINEARITY = (0.0, 2.0, 4.0)
ASYMMETRY = (0.5, 0.7, 1.0)
ENDURANCE = (2.0, 5.0, 20.0)
RELAXING = ("cmo-hfox", "rram-neurram-1s", "pcm-gst")
"""Presets whose relaxation is studied on cells that have none of their own."""
AGES = (1.0, 60.0, 3600.0, 86_400.0, 2.6e6, 3.2e7, 3.2e8)
"""A second, a minute, an hour, a day, a month, a year, ten years [s]."""


def imperfections(config: SiameseConfig) -> Studies:
    """One imperfection at a time."""

    def job(value: float, what: str) -> Job:
        return _frugal(config, imperfect(config.hardware, what, value))

    points: Points = {}
    for what, values in IMPERFECTIONS.items():
        points |= over(values, partial(job, what=what), what, scale=100)
    title = "One imperfection at a time"
    return [Study(points, SHARES, [Value("imperfections", title, ACCURACY, each(accuracy))])]


def levels(config: SiameseConfig) -> Studies:
    """Cells and weights of fewer and more levels."""

    def job(n: int) -> Job:
        cell = config.hardware.device.replace(levels=n)
        return _frugal(config, config.hardware.replace(device=cell, weight_levels=n))

    title = "Levels of a weight, same distances"
    value = Value("weight_levels", title, ACCURACY, _as_frugal)
    return [Study(over(LEVELS, job), Axis("levels", "log"), [value])]


def programming(config: SiameseConfig) -> Studies:
    """One attempt at a level, program-and-verify, and pulses from where the cell stands."""
    hardware = config.hardware
    pulsed = hardware.replace(device=pulse_cell(config))
    blind, verify = mho.cells.OpenLoop(), mho.cells.Verify()
    kinds = {
        "one attempt": hardware.replace(programming=blind),
        "program-and-verify": hardware.replace(programming=verify),
        "pulses, taken as even": pulsed.replace(programming=blind),
        "pulses, by the nominal curve": pulsed.replace(
            programming=mho.cells.OpenLoop(assumes="curve")
        ),
        "pulses, verified": pulsed.replace(programming=verify),
    }
    points = {name: Point(_frugal(config, kind)) for name, kind in kinds.items()}
    epochs = f"{config.study.epochs} epoch(s)"
    charts = [
        Chart("programming_accuracy", "Ways of programming: accuracy", ACCURACY.label,
              {"frugal": accuracy}),
        *costs("programming", f"frugal, {epochs}"),
    ]  # fmt: skip
    note = f"Frugal writes, {epochs}, one chip, MLP."
    table = rows(config, "programming", "Ways of programming", "programming", note)
    return [Study(points, charts=charts, rows=table)]


def pulses(config: SiameseConfig) -> Studies:
    """Open-loop pulses on cells of growing non-linearity, and of growing asymmetry."""

    def job(value: float, varied: str) -> Job:
        cell = pulse_cell(config, **{varied: value})
        return _frugal(
            config, config.hardware.replace(programming=mho.cells.OpenLoop(), device=cell)
        )

    return [
        Study(over(values, partial(job, varied=varied), what), Axis(what), [
            Value(slug, f"Open-loop pulses: {what}", ACCURACY, _as_frugal)
        ])
        for slug, what, varied, values in (
            ("nonlinearity", "non-linearity", "nonlinearity", NONLINEARITY),
            ("asymmetry", "RESET step over SET step", "reset_ratio", ASYMMETRY),
        )
    ]  # fmt: skip


def retention(config: SiameseConfig) -> Studies:
    """Networks left to themselves after the training, on cells that relax.

    The chips' own laws of time if they have any; else those of published cells, rates in siemens
    scaled to the window.
    """
    own = config.hardware
    chips = {"the chips' own": own} if own.ages else {
        name: own.replace(retention=_scaled(mho.devices.preset(name), own)) for name in RELAXING
    }  # fmt: skip
    points = {
        name: Point(_frugal(config, kind)._replace(aged=AGES), line=name)
        for name, kind in chips.items()
    }

    def aged(point: Point[Job], outcome: Outcome) -> list[Reading]:
        return [
            (f"{point.line}, {how}", age, value)
            for how, values in outcome["aged"].items()
            for age, value in zip(AGES, values, strict=True)
        ]

    value = Value("retention", "Left to itself after the training", ACCURACY, aged)
    return [Study(points, Axis("time since [s]", "log"), [value])]


def endurance(config: SiameseConfig) -> Studies:
    """Cells that die after a few pulses, under two schemes."""

    def job(most: float, scheme: str) -> Job:
        cell = config.hardware.device.replace(endurance=most, endurance_spread=0.3)
        return Job(scheme, config.study.epochs, config.hardware.replace(device=cell))

    points: Points = {}
    for scheme in ("level change", "frugal"):
        points |= over(ENDURANCE, partial(job, scheme=scheme), scheme)
    epochs = f"{config.study.epochs} epoch(s)"
    values = [
        Value("endurance", f"Accuracy as cells die, {epochs}", ACCURACY, each(accuracy)),
        Value("worn", f"Cells dead at the end, {epochs}", Axis("cells [%]"), each(worn)),
    ]
    return [Study(points, Axis("pulses that a cell stands", "log"), values)]


STUDY: dict[StudyName, Callable[[SiameseConfig], Studies]] = {
    "imperfections": imperfections,
    "levels": levels,
    "programming": programming,
    "pulses": pulses,
    "retention": retention,
    "endurance": endurance,
}
"""In the order of the page."""


def check(config: SiameseConfig) -> None:
    """Refuse hardware that the studies cannot vary, before any long work.

    Raises:
        ValueError: the studies ask for a multi-level cell on which any number of levels fits.
    """
    if config.studies and config.hardware.device.landing is None:
        allowed = "a multi-level cell where there are studies; or --studies with none"
        raise invalid("SiameseConfig.hardware.device", config.hardware.device.family, allowed)
    for name in config.studies:
        STUDY[name](config)


def pulse_cell(
    config: SiameseConfig, nonlinearity: float = 2.0, reset_ratio: float = 0.7
) -> mho.cells.PulseResponse:
    """A cell of the same window and levels that pulses move up and down in uneven steps.

    All but those is chosen here: RESET steps of 0.7 SET steps, the first step 7 times the last; 64
    SET pulses across the window, each off by a third of itself, 4 % of the window in all.
    """
    device = config.hardware.device
    low, high = device.window
    return mho.cells.PulseResponse(
        g_min=low, g_max=high, levels=device.states, pulses=64,
        nonlinearity=(nonlinearity, nonlinearity), reset_ratio=reset_ratio,
        cycle_spread=0.33, device_spread=0.05, read_noise=device.read_noise,
        stuck_off=device.stuck_off, stuck_on=device.stuck_on, endurance=device.endurance,
        note="Chosen for this experiment.",
    )  # fmt: skip


def _scaled(preset: mho.Preset, hardware: mho.Hardware) -> Retention:
    """The law of retention of a preset, for cells of another window."""
    law = preset.retention
    assert law is not None
    assert preset.device is not None
    (low, high), (from_, to) = hardware.device.window, preset.device.window
    return law.for_conductances((high - low) / (to - from_))


def _as_frugal(point: Point[Job], outcome: Outcome) -> list[Reading]:
    """Accuracy on a line of the scheme's name."""
    return [("frugal", point.x, accuracy(outcome))]


def _frugal(config: SiameseConfig, hardware: mho.Hardware) -> Job:
    return Job("frugal", config.study.epochs, hardware)
