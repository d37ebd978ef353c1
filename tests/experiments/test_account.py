"""The account of a run's chips: kept as JSON, shown with every cell in one bin of its wear."""

import json

import torch
from torch import nn

import mho
from mho.experiments.account import Account, account
from mho.hardware import Crossbar


def test_every_cell_is_counted_once(generator: torch.Generator) -> None:
    device = mho.cells.MultiLevel(g_min=10e-6, g_max=90e-6, levels=4)
    net = mho.convert(nn.Linear(9, 4), mho.Hardware(device=device), 2, generator=generator)
    (crossbar,) = (m for m in net.modules() if isinstance(m, Crossbar))
    crossbar.pulses.random_(0, 500, generator=generator)
    kept = json.loads(json.dumps(account(net, "hfo2-130nm")))
    (group,) = Account.of(kept).wear.groups
    pulses = mho.ledger(net).pulses_per_cell()
    assert sum(group.counts) == pulses.numel()
    low, high = group.edges[:2]
    assert group.counts[0] == int(((pulses > low) & (pulses < high)).sum())
    assert {each % 1 for each in group.edges} == {0.5}
