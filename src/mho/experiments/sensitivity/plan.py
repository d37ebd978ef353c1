"""Which chips each system is run on: one imperfection at a time, and all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mho.experiments.run import Run
from mho.experiments.sensitivity.config import SensitivityConfig
from mho.experiments.sensitivity.indices import Index, Indices, design, indices
from mho.hardware.streams import derived_seed

Times = tuple[float, ...]
"""How much of each imperfection, in units of the device's own, in their order."""


class Point(NamedTuple):
    """A kind of chip, and a draw of all that is random."""

    times: Times
    repeat: int


Accuracy = Callable[[Point], float]
"""Held-out accuracy [%] at a point."""


class Found(NamedTuple):
    """What is known of a system; accuracies are lists over repeats [%]."""

    ideal: list[float]
    """Without imperfections."""
    device: list[float]
    """With all of them as the device has them."""
    alone: dict[str, dict[float, list[float]]]
    """With one alone, by imperfection and its size in units of the device's."""
    mended: dict[str, list[float]]
    """With all but one."""
    indices: Indices
    floor: float
    """Variance between repeats over that of the Sobol' samples."""

    def lost(self, name: str, times: float) -> list[float]:
        """Points of accuracy that an imperfection alone costs, repeat by repeat."""
        return _difference(self.ideal, self.alone[name][times])

    def won(self, name: str) -> list[float]:
        """Points of accuracy that it gives to mend it alone."""
        return _difference(self.mended[name], self.device)

    @property
    def ranking(self) -> list[tuple[str, Index]]:
        """Imperfections by total-order index, the largest first."""
        pairs = zip(self.alone, self.indices.total, strict=True)
        return sorted(pairs, key=lambda pair: -pair[1].value)


def analyse(
    config: SensitivityConfig, run: Run, system: str, names: Sequence[str], accuracy: Accuracy
) -> Found:
    """Run a system at all points; each is kept, so that a broken run goes on where it stood."""
    single, sampled = one_at_a_time(config, names), sobol(config, len(names))
    points = {
        f"{what}, repeat {r}": Point(times, r)
        for what, times in single.items()
        for r in range(config.repeats)
    } | {what: Point(times, 0) for what, times in sampled.items()}
    found = run.each(system, points, accuracy)

    def repeats(what: str) -> list[float]:
        return [found[f"{what}, repeat {r}"] for r in range(config.repeats)]

    def sample(what: str) -> list[float]:
        return [found[f"{what} {k}"] for k in range(config.samples)]

    device = repeats("as the device")
    crossed = np.array([sample(f"AB{i}") for i in range(len(names))])
    of = indices(sample("A"), sample("B"), crossed, derived_seed(config.seed, "bootstrap"))
    return Found(
        ideal=repeats("ideal"),
        device=device,
        alone={name: {t: repeats(f"{name} {t:g}") for t in config.steps} for name in names},
        mended={name: repeats(f"as the device but {name}") for name in names},
        indices=of,
        floor=float(np.var(device, ddof=1)) / of.variance if of.variance else 0.0,
    )


def one_at_a_time(config: SensitivityConfig, names: Sequence[str]) -> Mapping[str, Times]:
    """Ideal chips, those of the device, chips with one imperfection and with all but one."""

    def times(size: float, at: int | None = None, others: float = 0.0) -> Times:
        return tuple(size if i == at else others for i in range(len(names)))

    points = {"ideal": times(0.0), "as the device": times(1.0, others=1.0)}
    for i, name in enumerate(names):
        points |= {f"{name} {t:g}": times(t, i) for t in config.steps}
        points[f"as the device but {name}"] = times(0.0, i, others=1.0)
    return points


def sobol(config: SensitivityConfig, d: int) -> Mapping[str, Times]:
    """The samples A and B, and A with one input of B, over ranges from none to the largest step."""
    of = design(config.samples, d, derived_seed(config.seed, "sobol"))
    rows = {"A": of.a, "B": of.b} | {f"AB{i}": of.crossed(i) for i in range(d)}
    return {
        f"{what} {k}": tuple((config.steps[-1] * row).tolist())
        for what, sample in rows.items()
        for k, row in enumerate(sample)
    }


def _difference(a: Sequence[float], b: Sequence[float]) -> list[float]:
    """To 1e-4 points, finer than single images count, so that equal accuracies differ by 0."""
    return [round(x - y, 4) for x, y in zip(a, b, strict=True)]
