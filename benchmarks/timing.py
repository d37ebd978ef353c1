"""Fair timing of two pieces of work in one process: in turn, processor time, medians."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds of one call."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def in_turn(
    floor: Callable[[], object], ours: Callable[[], object], rounds: int
) -> tuple[float, float, float]:
    """Medians of floor and ours [s], and of the ratio ours / floor taken pair by pair."""
    floor(), ours()
    pairs = [(seconds(floor), seconds(ours)) for _ in range(rounds)]
    ratios = [b / a for a, b in pairs]
    return (
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        statistics.median(ratios),
    )
