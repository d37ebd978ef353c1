"""What is measured of a training, and what is read off its outcome."""

from __future__ import annotations

import copy
import math
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

import mho
from mho.experiments.experiment import plain_accuracy
from mho.hardware import price_lists
from mho.learning.layers.layer import memristive_layers
from mho.learning.rules.tiki_taka import FastPulses

Outcome = dict[str, Any]


def snapshot(
    net: nn.Module, write: mho.WriteStep, prices: str | mho.prices.Prices
) -> dict[str, float]:
    """Counts and costs so far; the fast arrays of Tiki-Taka are pulsed and wear as all others."""
    counts, price_list = mho.ledger(net), price_lists.get(prices)
    cost, total = mho.price(counts, price_list), counts.totals()
    account = mho.prices.training_account(counts, price_list)
    fast = mho.rules.fast_pulses(write.state_dict())
    pulse = price_list.pulse("set", counts.layers[0].conductance) or 0.0
    return {
        "max_writes": int(counts.writes_per_cell().max()),
        "max_pulses": max(*(layer.most_pulses for layer in counts.layers), fast.most),
        "endurance_used": max(*(layer.endurance_used for layer in counts.layers), _used(net, fast)),
        "fast_pulses": fast.total,
        "pulses": total["set_pulses"] + total["reset_pulses"] + fast.total,
        "reads": total["verify_reads"],
        "worn": total["worn"],
        "given_up": total["given_up"],
        "arrays": account.array_energy + fast.total * pulse,
        "energy": cost.programming_energy + fast.total * pulse,
        "serial": cost.programming_time_serial + fast.total * price_list.pulse_time,
        "rows": cost.programming_time_rows,
        **{f"writes of {layer.name}": int(layer.writes.sum()) for layer in counts.layers},
    }


def _used(net: nn.Module, fast: FastPulses) -> float:
    """Largest share of its endurance that a cell of the fast arrays has spent [1]; none has an
    endurance of its own."""
    cells = [layer.hardware.device for layer in memristive_layers(net).values()]
    return max(fast.most / (cell.endurance or math.inf) for cell in cells)


def often(writes: Tensor) -> list[list[int]]:
    """Pairs of a number of writes and of how many cells had so many."""
    values, cells = writes.unique(return_counts=True)
    return [[int(v), int(n)] for v, n in zip(values, cells, strict=True)]


def aged(
    net: nn.Module, times: tuple[float, ...], calibration: Tensor, held_out: mho.data.Samples
) -> dict[str, list[float]]:
    """Held-out accuracies [%] as time passes on a network: left alone, and its read-out tuned each
    time to what it gave before."""
    found: dict[str, list[float]] = {"left alone": [], "tuned": []}
    device, now, before = calibration.device, 0.0, copy.deepcopy(net)
    for time in times:
        mho.age(net, time - now)
        now = time
        tuned = copy.deepcopy(net)
        mho.calibrate(tuned, calibration)
        mho.tune(tuned, calibration, reference=before)
        for name, each in (("left alone", net), ("tuned", tuned)):
            found[name].append(100 * plain_accuracy(each, held_out, device, flat=False))
    return found


def accuracy(outcome: Outcome) -> float:
    """Held-out accuracy at the end [%]."""
    return outcome["history"]["validation"][-1]


def worn(outcome: Outcome) -> float:
    """Cells dead at the end [%]."""
    return 100 * outcome["history"]["worn"][-1] / outcome["cells"]


def gone(outcome: Outcome, epochs: int | None = None) -> float:
    """Percent of weight-steps without a write, in the first epochs or in all."""
    written = outcome["history"]["written"][:epochs]
    base = outcome["weights"] * outcome["steps_per_epoch"] * len(written)
    return 100 * (1 - sum(written) / base)


def base(outcome: Outcome, *, whole: bool = False) -> str:
    """What the share of an epoch, or of the whole training, that was not written is a share of."""
    epoch = f"{outcome['weights']:,} weights x {outcome['steps_per_epoch']:,} steps"
    return f"{epoch} x {len(outcome['history']['written'])} epochs" if whole else epoch


def per_weight(outcome: Outcome) -> float:
    """Writes per weight in the whole training, after the first programming."""
    return sum(outcome["history"]["written"]) / outcome["weights"]


def by_epoch(outcome: Outcome, name: str) -> list[float]:
    """Increase of a count or cost in each epoch."""
    steps = [outcome["start"][name], *outcome["history"][name]]
    return [after - before for before, after in pairwise(steps)]


def spent(outcome: Outcome, name: str) -> float:
    """Increase of a count or cost in the whole training, after the first programming."""
    return outcome["history"][name][-1] - outcome["start"][name]


def array_energy(outcome: Outcome) -> float:
    """Energy of the arrays in the whole training after the first programming, evaluations left out:
    forward and backward reads, their conversions, writes, verify reads [J]."""
    return sum(outcome["history"]["arrays_spent"])


def epochs_to_first_death(outcome: Outcome) -> float | None:
    """Epochs until a cell has spent its own endurance, at the average pace of the one that is
    nearest to it; None: cells live for ever, or it was not measured."""
    start, name = outcome["start"], "endurance_used"
    if name not in start or spent(outcome, name) <= 0:
        return None
    return max(0.0, 1 - start[name]) * outcome["epochs"] / spent(outcome, name)


def quantile(outcome: Outcome, share: float) -> int:
    """Writes that a share of the cells does not exceed, the first programming included."""
    pairs = outcome["writes"]
    wanted, seen = math.ceil(share * sum(n for _, n in pairs)), 0
    for writes, n in pairs:
        seen += n
        if seen >= wanted:
            return writes
    return pairs[-1][0]
