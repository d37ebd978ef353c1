"""Records made of repeated measurements: their mean, their standard deviation, their counts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from mho.results.figures import BarGroup, Group, Series
from mho.results.result import Better, Claim, Pooled
from mho.results.tables import MeanStd


def mean_std(values: Sequence[float]) -> MeanStd:
    """Mean and sample standard deviation; no deviation for a single value."""
    x = torch.tensor(list(values), dtype=torch.float64)
    return MeanStd(x.mean().item(), x.std().item() if len(x) > 1 else None)


def over_all(
    ours: Sequence[float | None],
    std: Sequence[float | None],
    n: Sequence[int],
    pooled: Pooled = "mean",
) -> tuple[float | None, float | None]:
    """Mean and sample standard deviation of all values of several groups, of which these are the
    means, deviations and numbers; or their lowest or highest. None where a group has no value."""
    known = [value for value in ours if value is not None]
    if len(known) < len(ours) or not known:
        return None, None
    if pooled != "mean":
        return (min if pooled == "lowest" else max)(known), None
    total = sum(n)
    mean = sum(k * value for k, value in zip(n, known, strict=True)) / total
    if total < 2:
        return mean, None
    spread = [each or 0.0 for each in std]
    try:
        within = sum((k - 1) * each**2 for k, each in zip(n, spread, strict=True))
        between = sum(k * (value - mean) ** 2 for k, value in zip(n, known, strict=True))
        return mean, math.sqrt((within + between) / (total - 1))
    except OverflowError:  # of squares
        parts = [math.sqrt(k - 1) * each for k, each in zip(n, spread, strict=True)]
        parts += [math.sqrt(k) * (value - mean) for k, value in zip(n, known, strict=True)]
        return mean, math.hypot(*parts) / math.sqrt(total - 1)


def claim(
    id: str,
    what: str,
    values: Sequence[float],
    unit: str,
    *,
    paper: float | None = None,
    better: Better = "higher",
    note: str = "",
    pooled: Pooled = "mean",
) -> Claim:
    """Mean and standard deviation of `values`, the paper's number beside.

    `pooled` may ask for their lowest or highest value instead.
    """
    ours = mean_std(values)
    if pooled != "mean":
        ours = MeanStd((min if pooled == "lowest" else max)(values))
    return Claim(id, what, paper, ours.mean, ours.std, len(values), unit, better, note, pooled)


def series(name: str, x: Sequence[float], rows: Sequence[Sequence[float]]) -> Series:
    """A line with its spread: `rows` holds the repeats at each x."""
    stats = [mean_std(row) for row in rows]
    spread = [each.std for each in stats]
    return Series(name, x, [each.mean for each in stats], None if None in spread else spread)


def bar_group(name: str, rows: Sequence[Sequence[float]]) -> BarGroup:
    """Bars of one colour with their spread: `rows` holds each category's repeats, or none."""
    stats = [mean_std(row) if row else None for row in rows]
    spread = any(stats) and all(each.std is not None for each in stats if each)
    means = [None if each is None else each.mean for each in stats]
    stds = [None if each is None else each.std for each in stats]
    return BarGroup(name, means, stds if spread else None)


def histogram(values: Tensor, edges: Sequence[float] | Tensor, name: str) -> Group:
    """Counts of values between edges."""
    bins = torch.as_tensor(edges, dtype=torch.float64)
    counts, _ = torch.histogram(values.detach().double().cpu().flatten(), bins)
    return Group(name, bins.tolist(), counts.long().tolist())


def whole_edges(top: int, most: int = 60) -> Tensor:
    """Edges of at most `most` bins of equally many whole numbers, which hold 0 to `top`."""
    width = -(-(top + 1) // most)
    bins = -(-(top + 1) // width)
    return torch.arange(bins + 1, dtype=torch.float64) * width - 0.5
