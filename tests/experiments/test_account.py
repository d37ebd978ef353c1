"""The account of a run's chips: kept as JSON, shown with every cell in one bin of its wear."""

import json
import math

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


def test_every_kind_of_event_stands_in_one_table(generator: torch.Generator) -> None:
    device = mho.cells.MultiLevel(g_min=10e-6, g_max=90e-6, levels=4)
    net = mho.convert(nn.Linear(9, 4), mho.Hardware(device=device), 2, generator=generator)
    net(torch.randn(5, 9, generator=generator)).sum().backward()
    kept = json.loads(json.dumps(account(net, "hfo2-130nm")))
    (table,) = Account.of(kept).events
    paid = mho.prices.training_account(mho.ledger(net), mho.prices.get("hfo2-130nm"))
    assert [row[0] for row in table.rows] == [*(entry.what for entry in paid.entries), "total"]
    energies = [row[4] for row in table.rows if row[4] is not None]
    assert math.fsum(energies[:-1]) == energies[-1] == paid.energy
    assert (
        "Without a price and not in the total: DAC conversions, ADC conversions, weight gradients"
        in table.note
    )
    del kept["events"]  # an outcome of before
    assert Account.of(kept).events == ()
