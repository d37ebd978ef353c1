"""The histogram of pulses: whole numbers of them in every bin, and every cell in one."""

from itertools import pairwise

import pytest
import torch
from torch import nn

import mho
from mho.experiments.result import account, whole_edges
from mho.hardware import Crossbar


@pytest.mark.parametrize(
    ("top", "width"), [(1, 1), (59, 1), (60, 2), (119, 2), (120, 3), (1_000_000, 16_667)]
)
def test_bins_hold_equally_many_whole_numbers(top: int, width: int) -> None:
    edges = whole_edges(top).tolist()
    assert len(edges) - 1 <= 60
    assert edges[0] == -0.5
    assert {high - low for low, high in pairwise(edges)} == {width}
    assert edges[-2] < top < edges[-1]


def test_every_cell_is_counted_once(generator: torch.Generator) -> None:
    device = mho.MultiLevel(g_min=10e-6, g_max=90e-6, levels=4)
    net = mho.convert(nn.Linear(9, 4), mho.Hardware(device=device), 2, generator=generator)
    (crossbar,) = (m for m in net.modules() if isinstance(m, Crossbar))
    crossbar.pulses.random_(0, 500, generator=generator)
    wear = account(net, "hfo2-130nm")["wear"]
    (group,) = wear["groups"]
    pulses = mho.ledger(net).pulses_per_cell()
    assert sum(group["counts"]) == pulses.numel()
    low, high = group["edges"][:2]
    assert group["counts"][0] == int(((pulses > low) & (pulses < high)).sum())
    assert {each % 1 for each in group["edges"]} == {0.5}
