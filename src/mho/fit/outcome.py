"""What a fit gives back: a record, its parameters with intervals, and what speaks against it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from mho.config import Config
from mho.fit.array_map import ArrayMap, map_of
from mho.fit.free_run import FreeRun

CONFIDENCE = 0.95
Z = float(stats.norm.ppf(0.5 + CONFIDENCE / 2))
NOT_KNOWN = 6 * math.log(10)
"""Half an interval of a logarithm from which on it says nothing."""


@dataclass(frozen=True)
class Parameter:
    """One number of the record, in SI units."""

    name: str
    value: float
    low: float | None
    """Lower end of the 95 % interval; None: given by the experiment, not estimated."""
    high: float | None
    unit: str = "1"

    def covers(self, truth: float) -> bool:
        """Whether a value lies in the interval."""
        return self.low is not None and self.high is not None and self.low <= truth <= self.high


@dataclass(frozen=True)
class Rival:
    """One family or variant that was fitted to the same data."""

    name: str
    aic: float
    """Akaike's criterion, 2 k - 2 ln L; the least is best."""
    parameters: int


@dataclass(frozen=True)
class Goodness:
    """How well the record describes the data."""

    n: int
    r_squared: float
    """Share of the variance that the fit explains [1]; nan: there is nothing to explain."""
    normal_p: float
    """p of D'Agostino and Pearson's test that the residuals are normal; nan: too few."""
    runs_p: float
    """p of Wald and Wolfowitz's test that their signs do not stay for long; nan: too few."""
    free_run: FreeRun | None = None
    """The record simulated over the whole measurement from its start; None: it has no course."""


@dataclass(frozen=True)
class Series:
    """One line of the picture: what was measured and what the fit says, at each x."""

    name: str
    x: np.ndarray
    measured: np.ndarray
    fitted: np.ndarray
    free: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    """Mean, lower and upper end of the band of a free run, nan where there is none."""


@dataclass(frozen=True)
class Picture:
    """The residual plot, as data."""

    x_label: str
    y_label: str
    series: list[Series]
    x: np.ndarray
    residual: np.ndarray
    """In standard deviations that the fit gives them [1]."""
    x_scale: str = "linear"
    left_out: tuple[np.ndarray, np.ndarray] = (np.empty(0), np.empty(0))
    """What was set aside as an outlier: x, measured."""
    series_of: np.ndarray | None = None
    """Series of each residual, below 0: of none that is drawn; None: they are not told apart."""
    device: np.ndarray | None = None
    """Name of the device of each residual; None: the file names none."""

    @property
    def array(self) -> ArrayMap | None:
        """The mean residual of each cell, where devices are told by row and column."""
        return None if self.device is None else map_of(self.device, self.residual)


@dataclass(frozen=True)
class Fit:
    """A record fitted to a file."""

    kind: str
    """One of `mho.fit.KINDS`."""
    table: str
    """Table of the preset that the record belongs in: device, conduction or retention."""
    record: Config
    """What is written; goodness and picture are of this one."""
    parameters: list[Parameter]
    goodness: Goodness
    rivals: list[Rival]
    picture: Picture
    outliers: list[int] = field(default_factory=list)
    """Lines of the file that were set aside."""
    remarks: list[str] = field(default_factory=list)
    further: dict[str, Config] = field(default_factory=dict)
    """Records of other tables of the preset that the same file gives."""

    @property
    def records(self) -> dict[str, Config]:
        """All records, by the table of the preset that each belongs in."""
        return {self.table: self.record, **self.further}

    def __getitem__(self, name: str) -> Parameter:
        return next(p for p in self.parameters if p.name == name)


def on_log(name: str, log: float, error: float, unit: str = "1", width: float = Z) -> Parameter:
    """A positive parameter from the estimate and standard error of its logarithm; an interval that
    is wider than six decades each way is not known: 0 to inf."""
    low, high = 0.0, math.inf
    if width * error < NOT_KNOWN:
        low, high = (math.exp(min(700.0, log + side * width * error)) for side in (-1, 1))
    return Parameter(name, math.exp(min(700.0, log)), low, high, unit)


def on_line(name: str, value: float, error: float, unit: str = "1", width: float = Z) -> Parameter:
    """A parameter from its estimate and standard error."""
    return Parameter(name, value, value - width * error, value + width * error, unit)


def given(name: str, value: float, unit: str = "1") -> Parameter:
    """A number that the experiment set."""
    return Parameter(name, value, None, None, unit)


def share(name: str, k: int, n: int) -> Parameter:
    """k of n, with the exact interval of Clopper and Pearson 1934."""
    tail = (1 - CONFIDENCE) / 2
    low = float(stats.beta.ppf(tail, k, n - k + 1)) if k else 0.0
    high = float(stats.beta.isf(tail, k + 1, n - k)) if k < n else 1.0
    return Parameter(name, k / n, low, high)


def judge(measured: np.ndarray, fitted: np.ndarray, residual: np.ndarray) -> Goodness:
    """Goodness of a fit.

    Args:
        measured: (n,) what was measured.
        fitted: (n,) what the fit says.
        residual: (n,) standardized, in the order of measurement.
    """
    spread = float(np.sum((measured - measured.mean()) ** 2))
    left = float(np.sum((measured - fitted) ** 2))
    varied = len(residual) >= 20 and np.ptp(residual) > 1e-6 * np.abs(residual).max()
    normal = float(stats.normaltest(residual).pvalue) if varied else math.nan
    return Goodness(
        n=len(measured),
        r_squared=1 - left / spread if spread > 0 else math.nan,
        normal_p=normal,
        runs_p=runs_test(residual),
    )


def runs_test(residual: np.ndarray) -> float:
    """One-sided p that signs come in random order, against too few runs: a curve that was missed.

    Wald and Wolfowitz 1940, normal limit; a line fitted to few points makes it cautious.
    """
    signs = residual[residual != 0] > 0
    n, up = len(signs), int(signs.sum())
    down = n - up
    if up < 5 or down < 5:
        return math.nan
    runs = 1 + int(np.sum(signs[1:] != signs[:-1]))
    mean = 1 + 2 * up * down / n
    variance = (mean - 1) * (mean - 2) / (n - 1)
    return float(stats.norm.cdf((runs - mean) / math.sqrt(variance)))


def far_out(residual: np.ndarray, least: float = 0.0, times: float = 1.5) -> np.ndarray:
    """Which residuals are no part of the rest: beyond what samples hold.

    The scale is 1.4826 times the median of their size, so that outliers do not hide themselves.

    Args:
        residual: (n,), nan where there is none.
        least: least scale.
        times: limit, over what the largest of n normal residuals passes once in 100 samples.
    """
    n = int(np.isfinite(residual).sum())
    if n < 8:
        return np.zeros(len(residual), dtype=bool)
    scale = max(least, 1.4826 * float(np.nanmedian(np.abs(residual))))
    limit = times * float(stats.norm.isf(0.01 / (2 * n))) * scale
    return np.abs(np.nan_to_num(residual)) > max(limit, 1e-300)
