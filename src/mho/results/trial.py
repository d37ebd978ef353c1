"""What a small network does on a device, as data."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Limit:
    """An imperfection, and what is won without it."""

    name: str
    won: np.ndarray
    """Accuracy won on each chip by mending it alone, all else as on the device (chips,) [1]."""

    @property
    def mean(self) -> float:
        """Over the chips [1]."""
        return float(self.won.mean())

    @property
    def error(self) -> float:
        """Standard error of the mean [1]; nan of one chip."""
        chips = len(self.won)
        return float(self.won.std(ddof=1) / chips**0.5) if chips > 1 else float("nan")

    @property
    def certain(self) -> bool:
        """Whether it is above chance, by two standard errors, and above a thousandth."""
        return self.mean > max(2 * self.error, 1e-3)


@dataclass(frozen=True)
class Trial:
    """A device."""

    name: str
    network: str
    """Which network, in words."""
    chips: str
    """Which chips, in words."""
    in_float: float
    """Accuracy of the network without any chip [1]."""
    times: list[tuple[str, float]]
    """When chips were measured: in words, and seconds after they were written."""
    accuracy: dict[str, np.ndarray]
    """Accuracy (times, chips) [1], "as written" and "after repair"."""
    limits: dict[str, list[Limit]]
    """Imperfections of the device at the last of the times, the one that costs most first; "as
    written" and "after repair"."""
    costs: list[tuple[str, str]]
    """Writes, energy, time and lifetime, as text with units."""
    remarks: list[str] = field(default_factory=list)
    """What is not known of the device, and what that means here."""

    def verdicts(self) -> list[str]:
        """What limits the device at the last of the times, a sentence for each of `accuracy`."""
        return [self._verdict(what) for what in self.accuracy]

    def _verdict(self, what: str) -> str:
        when = self.times[-1][0]
        lost = 100 * (self.in_float - float(self.accuracy[what][-1].mean()))
        told = f"{when}, {what}: {lost:.1f} points below the network in float"
        if lost < 0.1:
            told = f"{when}, {what}: as good as the network in float"
        first = self.limits[what][0]
        if not first.certain:
            return f"{told}; no single cause is larger than its error bar"
        return f"{told}; most by {first.name}, {100 * first.mean:.1f} points"
