"""What is read off the outcome of one training."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

Outcome = dict[str, Any]


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


def epochs_to_first_death(outcome: Outcome, endurance: float | None) -> float | None:
    """Epochs until the busiest cell has spent its endurance, at its average pace."""
    most = spent(outcome, "max_pulses")
    if endurance is None or most <= 0:
        return None
    return max(0.0, endurance - outcome["start"]["max_pulses"]) * outcome["epochs"] / most


def quantile(outcome: Outcome, share: float) -> int:
    """Writes that a share of the cells does not exceed, the first programming included."""
    pairs = outcome["writes"]
    wanted, seen = math.ceil(share * sum(n for _, n in pairs)), 0
    for writes, n in pairs:
        seen += n
        if seen >= wanted:
            return writes
    return pairs[-1][0]
