"""Sensitivity: which imperfection costs each of the three systems most accuracy.

Our own experiment, after no single paper. Every imperfection of a chip gets a range around what the
device has of it; each system is run with one at a time, and with all of them at once, from which
Sobol' indices are found. All on held-out images: nothing is tuned, so the test images stay unused.

config: settings. imperfections: what can be wrong, and chips that have it. plan: which chips.
systems: what is run on them. indices: shares of the variance. result: what is made of it all.
"""

from __future__ import annotations

from mho.errors import invalid
from mho.experiments.run import Run
from mho.experiments.sensitivity.config import PRESETS, SensitivityConfig, System
from mho.experiments.sensitivity.imperfections import chips, imperfections
from mho.experiments.sensitivity.plan import Found, Point, analyse
from mho.experiments.sensitivity.result import result
from mho.experiments.sensitivity.systems import MEASURES, trainings
from mho.experiments.systems import memory
from mho.results import Result

__all__ = ["PRESETS", "SensitivityConfig", "check", "memory", "run", "trainings", "trial"]


def check(config: SensitivityConfig) -> None:
    """Refuse cells that a system cannot use, and ranges that end where a cell cannot be.

    Raises:
        ValueError: two states where a system learns in place; an imperfection out of bounds.
    """
    cell = config.known.device
    if cell is not None and cell.states == 2 and set(config.systems) != {"bmcnn"}:
        allowed = "('bmcnn',) on cells of two states: the others learn between levels"
        raise invalid("SensitivityConfig.systems", config.systems, allowed)
    for system in config.systems:
        for name in (each := imperfections(config, system)):
            try:
                chips(config, system, {n: config.steps[-1] * (n == name) for n in each})
            except ValueError as error:
                allowed = f"a range of {name} that ends where cells can be ({error})"
                raise invalid("SensitivityConfig.steps", config.steps, allowed) from error


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
