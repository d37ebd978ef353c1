"""Repeats become means with deviations, and counts in bins of whole numbers."""

from itertools import pairwise

import pytest
import torch

from mho.results import (
    BarGroup,
    MeanStd,
    bar_group,
    claim,
    histogram,
    mean_std,
    series,
    whole_edges,
)


def test_mean_and_sample_deviation() -> None:
    assert mean_std([1.0, 3.0]) == MeanStd(2.0, pytest.approx(2**0.5))
    assert mean_std([5.0]) == MeanStd(5.0, None)


def test_a_claim_is_their_mean_or_an_extreme() -> None:
    mean = claim("a", "what", [97.0, 99.0], "%", paper=98.0)
    assert (mean.ours, mean.std, mean.n) == (98.0, pytest.approx(2**0.5), 2)
    assert (mean.better, mean.pooled) == ("higher", "mean")
    worst = claim("a", "what", [97.0, 99.0], "%", pooled="lowest")
    assert (worst.ours, worst.std, worst.n) == (97.0, None, 2)


def test_a_line_has_a_spread_if_every_point_has_one() -> None:
    line = series("a", [1, 2], [[1.0, 3.0], [2.0, 2.0]])
    assert (line.y, line.std) == ((2.0, 2.0), (pytest.approx(2**0.5), 0.0))
    assert series("a", [1, 2], [[1.0, 3.0], [2.0]]).std is None


def test_bars_without_a_value_have_none() -> None:
    group = bar_group("SET", [[1.0, 3.0], [], [2.0, 2.0]])
    assert group == BarGroup("SET", [2.0, None, 2.0], [pytest.approx(2**0.5), None, 0.0])
    assert bar_group("RESET", [[1], [2], [3]]).std is None
    assert bar_group("none", [[], []]) == BarGroup("none", [None, None])


def test_values_are_counted_between_edges() -> None:
    group = histogram(torch.tensor([[0.5, 1.5], [1.7, 2.0]]), [0, 1, 2], "a")
    assert (group.edges, group.counts) == ((0.0, 1.0, 2.0), (1, 3))


@pytest.mark.parametrize(
    ("top", "width"), [(1, 1), (59, 1), (60, 2), (119, 2), (120, 3), (1_000_000, 16_667)]
)
def test_bins_hold_equally_many_whole_numbers(top: int, width: int) -> None:
    edges = whole_edges(top).tolist()
    assert len(edges) - 1 <= 60
    assert edges[0] == -0.5
    assert {high - low for low, high in pairwise(edges)} == {width}
    assert edges[-2] < top < edges[-1]
