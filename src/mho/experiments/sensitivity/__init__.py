"""Sensitivity: which imperfection costs each of the three systems most accuracy.

Our own experiment, after no single paper. Every imperfection of a chip gets a range around what the
device has of it; each system is run with one at a time, and with all of them at once, from which
Sobol' indices are found. All on held-out images: nothing is tuned, so the test images stay unused.

config: settings. imperfections: what can be wrong, and chips that have it. plan: which chips.
systems: what is run on them. indices: shares of the variance. result: what is made of it all.
"""

from __future__ import annotations

from mho.errors import InvalidInput, invalid, silent
from mho.experiments.cells import in_words
from mho.experiments.run import Run
from mho.experiments.sensitivity.config import PRESETS, SensitivityConfig, System
from mho.experiments.sensitivity.imperfections import chips, imperfections
from mho.experiments.sensitivity.plan import Found, Point, analyse
from mho.experiments.sensitivity.result import result
from mho.experiments.sensitivity.systems import MEASURES, check_start, trainings
from mho.experiments.systems import memory
from mho.results import Result

_FINE = 1e-3
"""How finely the largest step is found that cells can have, as a share of it."""

__all__ = ["PRESETS", "SensitivityConfig", "check", "memory", "run", "trainings", "trial"]


def check(config: SensitivityConfig) -> None:
    """Refuse cells that a system cannot use, and ranges that end where a cell cannot be.

    Raises:
        ValueError: a system would learn nothing on the cells; an imperfection out of bounds.
    """
    for system in config.systems:
        check_start(config, system)
        for name in imperfections(config, system):
            _check_range(config, system, name)


def _check_range(config: SensitivityConfig, system: System, name: str) -> None:
    """Refuse steps of an imperfection that cells cannot have, and say how far they could go."""
    every = imperfections(config, system)

    def why_not(times: float) -> str:
        try:
            with silent():
                chips(config, system, {each: times * (each == name) for each in every})
        except InvalidInput as error:
            return str(error)
        return ""

    if not (why := why_not(config.steps[-1])):
        return
    can, cannot = 0.0, config.steps[-1]
    while cannot - can > _FINE * cannot:
        middle = (can + cannot) / 2
        can, cannot = (can, middle) if why_not(middle) else (middle, cannot)
    cell = in_words(config.known.cell)
    allowed = f"at most {can:.3g} times the {name} of {config.cell_name}, {cell} ({why})"
    raise invalid("SensitivityConfig.steps", config.steps, allowed)


def run(config: SensitivityConfig, run: Run) -> Result:
    """Run all systems on all chips; returns the result."""
    check(config)
    return result(config, {system: _analysed(config, run, system) for system in config.systems})


def trial(config: SensitivityConfig, run: Run) -> None:
    """Run each system without imperfections, with each at the end of its range, and with all."""
    for system in config.systems:
        names = [*imperfections(config, system)]
        measure = MEASURES[system](config, run)
        for some in ((), *((name,) for name in names), names):
            times = {name: config.steps[-1] * (name in some) for name in names}
            measure(chips(config, system, times), 0)


def _analysed(config: SensitivityConfig, run: Run, system: System) -> Found:
    names = [*imperfections(config, system)]
    measure = MEASURES[system](config, run)

    def accuracy(point: Point) -> float:
        times = dict(zip(names, point.times, strict=True))
        value = measure(chips(config, system, times), point.repeat)
        run.log(system=system, repeat=point.repeat, accuracy=value, **times)
        return value

    return analyse(config, run, system, names, accuracy)
