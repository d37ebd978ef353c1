"""Time of a fit of pulse trains against reads, and the ratio to a floor.

One cell in one chain, read with an error after each pulse, of more and more cycles. The floor is
what as many evaluations of the likelihood take where a read costs one number of Kalman's filter in
numpy, all reads at once: nothing can be faster that looks at each read in each evaluation.
Run: python benchmarks/pulse_fits.py [--cycles 2 12 48 155]
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from builders.measurements import NOISY, pulse_trains
from mho.fit import fit, parse
from mho.fit.pulses import model, walk

CYCLES = (2, 12, 48, 155)


class Counted:
    """Counts reads times parameter sets that the filter is given."""

    def __init__(self) -> None:
        self.reads = 0

    def __call__(self, course: walk.Course, g: np.ndarray, *rest: object) -> tuple:
        self.reads += len(course.log_read) * g.size
        return walk.noisy_reads(course, g, *rest)  # type: ignore[arg-type]


def floor(reads: int) -> float:
    """Seconds for so many reads of one parameter set: a prediction, its error, its density."""
    block = np.random.default_rng(0).random((6, 2**15))
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        mean, variance, share, goal, read, noise = block
        moved = mean + share * (goal - mean)
        spread = (1 - share) ** 2 * variance + noise
        _ = -0.5 * (read - moved) ** 2 / spread - 0.5 * np.log(spread)
        times.append(time.perf_counter() - begin)
    return min(times) / 2**15 * reads


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", nargs="+", type=int, default=CYCLES)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    print(f"{'reads':>8}{'fit [s]':>10}{'evaluated':>12}{'floor [s]':>11}{'ratio':>8}")
    for cycles in args.cycles:
        text, _ = pulse_trains(NOISY, 1, cycles=cycles)
        one = "\n".join(",".join(row.split(",")[2:]) for row in text.splitlines())
        table, counted = parse(one, "simulated.csv"), Counted()
        model.noisy_reads = counted  # type: ignore[assignment]
        begin = time.process_time()
        fit(table)
        seconds, least = time.process_time() - begin, floor(counted.reads)
        rows.append((len(table), seconds))
        print(
            f"{len(table):8d}{seconds:10.2f}{counted.reads:12.3g}{least:11.2f}"
            f"{seconds / least:8.1f}",
            flush=True,
        )
    (first, a), (last, b) = rows[len(rows) // 2 - 1], rows[-1]
    if last > first:
        print(f"exponent {math.log(b / a) / math.log(last / first):.2f}")


if __name__ == "__main__":
    main()
