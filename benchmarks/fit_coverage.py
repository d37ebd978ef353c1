"""How often 95 % intervals of `mho fit` hold the truth, on simulated files.

Run: PYTHONPATH=src:tests python benchmarks/fit_coverage.py [files] [case ...]

Each line: a parameter, the share of files whose interval holds the truth, its bias and standard
deviation relative to the truth.
"""

from __future__ import annotations

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from builders.measurements import (
    LEVELS,
    PULSED,
    STATES,
    Measured,
    program_and_read,
    pulse_trains,
    sweeps,
    traces,
    two_states,
)
from mho.fit import fit, parse
from mho.physics import LogTime, PowerLaw, Sinh, Spread, Transistor

NOISY = PULSED.replace(pulses=40, cycle_spread=0.5, read_noise=0.01)
NORMAL = STATES.replace(
    r_on=STATES.r_on.replace(
        device=Spread(distribution="normal", cov=0.1), cycle=Spread(distribution="normal", cov=0.05)
    )
)
CASES: dict[str, Callable[[int], Measured]] = {
    "pulses, exact reads": lambda seed: pulse_trains(PULSED, seed),
    "pulses, noisy reads": lambda seed: pulse_trains(NOISY, seed),
    "pulses, 6 devices": lambda seed: pulse_trains(
        PULSED.replace(device_spread=0.2), seed, devices=6, cycles=2
    ),
    "pulses, 6 devices, noisy reads": lambda seed: pulse_trains(
        NOISY.replace(device_spread=0.2), seed, devices=6, cycles=2
    ),
    "levels, one device": lambda seed: program_and_read(
        LEVELS.replace(device_spread=0.0), seed, devices=1, repeats=40
    ),
    "levels, 8 devices": lambda seed: program_and_read(LEVELS, seed, devices=8, repeats=5),
    "states, lognormal": lambda seed: two_states(STATES, seed, devices=20, cycles=10),
    "states, normal": lambda seed: two_states(NORMAL, seed, devices=20, cycles=10),
    "sinh": lambda seed: sweeps(
        Sinh(v0=0.4), seed, conductances=(2e-5, 2e-4), points=40, relative=0.02
    ),
    "1T1R": lambda seed: sweeps(
        Transistor(beta=3e-4, overdrive=0.6), seed, conductances=(5e-5, 2e-4), points=40,
        relative=0.02,
    ),
    "power law": lambda seed: traces(PowerLaw(nu=0.05, nu_spread=0.02), seed, devices=8),
    "log time": lambda seed: traces(LogTime(rate=-5e-7, rate_spread=2e-7), seed, devices=8),
}  # fmt: skip


def main() -> None:
    """Print a table."""
    torch.set_num_threads(1)
    files = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for case in sys.argv[2:] or CASES:
        started = time.process_time()
        held: Counter[str] = Counter()
        off: defaultdict[str, list[float]] = defaultdict(list)
        outliers = 0
        for seed in range(files):
            text, truth = CASES[case](10_000 + seed)
            found = fit(parse(text, case))
            outliers += len(found.outliers)
            for p in found.parameters:
                if p.low is not None and truth.get(p.name):
                    held[p.name] += p.covers(truth[p.name])
                    off[p.name].append(p.value / truth[p.name] - 1)
        each = (time.process_time() - started) / files
        print(f"{case}: {files} files, {each * 1e3:.0f} ms a file, {outliers} reads set aside")
        for name, values in off.items():
            print(
                f"  {name:20} {held[name]:4d} of {len(values)}  {held[name] / len(values):6.1%}"
                f"  bias {np.mean(values):+.3f}  sd {np.std(values):.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
