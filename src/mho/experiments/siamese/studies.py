"""Which trainings a run consists of: the claimed ones, all schemes, and one imperfection a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import mho
from mho.errors import invalid
from mho.experiments.experiment import imperfect
from mho.experiments.siamese.config import SiameseConfig, Study
from mho.experiments.siamese.training import Job
from mho.physics import Retention

Points = dict[str, Job]
"""Trainings of a study by name; the name holds what the figures group by."""

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


def claimed(config: SiameseConfig, network: str, chip: int) -> Points:
    """The trainings whose test accuracy is claimed."""
    epochs = config.epochs if network == "mlp" else config.cnn.epochs
    schemes = config.claimed if network == "mlp" else ("float", "frugal")
    return {
        scheme: Job(scheme, epochs, config.hardware, network, chip, tested=True)  # type: ignore[arg-type]
        for scheme in schemes
    }


def schemes(config: SiameseConfig) -> Points:
    """Every scheme, on the first chip, for the same epochs."""
    return {name: Job(name, config.scheme_epochs, config.hardware) for name in config.schemes}


def imperfections(config: SiameseConfig) -> Points:
    """One imperfection at a time."""
    return {
        f"{what}, {value:g}": _frugal(config, imperfect(config.hardware, what, value))
        for what, values in IMPERFECTIONS.items()
        for value in values
    }


def levels(config: SiameseConfig) -> Points:
    """Cells and weights of fewer and more levels."""
    return {
        str(n): _frugal(
            config,
            config.hardware.replace(
                device=config.hardware.device.replace(levels=n), weight_levels=n
            ),
        )
        for n in LEVELS
    }


def programming(config: SiameseConfig) -> Points:
    """One attempt at a level, program-and-verify, and pulses from where the cell stands."""
    hardware = config.hardware
    pulsed = hardware.replace(device=pulse_cell(config))
    blind, verify = mho.OpenLoop(), mho.Verify()
    return {
        "one attempt": _frugal(config, hardware.replace(programming=blind)),
        "program-and-verify": _frugal(config, hardware.replace(programming=verify)),
        "pulses, taken as even": _frugal(config, pulsed.replace(programming=blind)),
        "pulses, by the nominal curve": _frugal(
            config, pulsed.replace(programming=mho.OpenLoop(assumes="curve"))
        ),
        "pulses, verified": _frugal(config, pulsed.replace(programming=verify)),
    }


def pulses(config: SiameseConfig) -> Points:
    """Open-loop pulses on cells of growing non-linearity and asymmetry."""
    hardware = config.hardware.replace(programming=mho.OpenLoop())
    curved = {f"non-linearity, {nu:g}": pulse_cell(config, nonlinearity=nu) for nu in NONLINEARITY}
    uneven = {
        f"RESET step over SET step, {ratio:g}": pulse_cell(config, reset_ratio=ratio)
        for ratio in ASYMMETRY
    }
    return {
        name: _frugal(config, hardware.replace(device=cell))
        for name, cell in (curved | uneven).items()
    }


def endurance(config: SiameseConfig) -> Points:
    """Cells that die after a few pulses, under two schemes."""
    return {
        f"{scheme}, {most:g}": _frugal(
            config,
            config.hardware.replace(
                device=config.hardware.device.replace(endurance=most, endurance_spread=0.3)
            ),
        )._replace(scheme=scheme)
        for scheme in ("level change", "frugal")
        for most in ENDURANCE
    }


def retention(config: SiameseConfig) -> Points:
    """Networks left to themselves after the training, on cells that relax.

    The chips' own laws of time if they have any; else those of published cells, rates in siemens
    scaled to the window.
    """
    own = config.hardware
    chips = {"the chips' own": own} if own.ages else {
        name: own.replace(retention=_scaled(mho.devices.preset(name), own)) for name in RELAXING
    }  # fmt: skip
    return {name: _frugal(config, kind)._replace(aged=AGES) for name, kind in chips.items()}


def _scaled(preset: mho.Preset, hardware: mho.Hardware) -> Retention:
    """The law of retention of a preset, for cells of another window."""
    law = preset.retention
    assert law is not None
    assert preset.device is not None
    (low, high), (from_, to) = hardware.device.window, preset.device.window
    return law.for_conductances((high - low) / (to - from_))


STUDY: dict[Study, Callable[[SiameseConfig], Points]] = {
    "imperfections": imperfections,
    "levels": levels,
    "programming": programming,
    "pulses": pulses,
    "endurance": endurance,
    "retention": retention,
}


def pulse_cell(
    config: SiameseConfig, nonlinearity: float = 2.0, reset_ratio: float = 0.7
) -> mho.PulseResponse:
    """A cell of the same window and levels that pulses move up and down in uneven steps.

    All but those is chosen here: RESET steps of 0.7 SET steps, the first step 7 times the last; 64
    SET pulses across the window, each off by a third of itself, 4 % of the window in all.
    """
    device = config.hardware.device
    low, high = device.window
    return mho.PulseResponse(
        g_min=low, g_max=high, levels=device.states, pulses=64,
        nonlinearity=(nonlinearity, nonlinearity), reset_ratio=reset_ratio,
        cycle_spread=0.33, device_spread=0.05, read_noise=device.read_noise,
        stuck_off=device.stuck_off, stuck_on=device.stuck_on, endurance=device.endurance,
        note="Chosen for this experiment.",
    )  # fmt: skip


def _frugal(config: SiameseConfig, hardware: mho.Hardware) -> Job:
    return Job("frugal", config.study.epochs, hardware)


def check(config: SiameseConfig) -> None:
    """Refuse hardware that the studies cannot vary, before any long work.

    Raises:
        ValueError: the studies ask for a multi-level cell on which any number of levels fits.
    """
    if config.studies and config.hardware.device.landing is None:
        allowed = "a multi-level cell where there are studies; or --studies with none"
        raise invalid("SiameseConfig.hardware.device", config.hardware.device.family, allowed)
    for _ in _all(config):
        pass


def _all(config: SiameseConfig) -> Iterator[Job]:
    for study in config.studies:
        yield from STUDY[study](config).values()
