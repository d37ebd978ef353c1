"""Simulate, write, fit: the truth lies in the 95 % intervals in 95 % of the files.

Each case counts 200 files; a parameter's count must lie where 200 fair draws of 95 % would, but
for one in 1000. `benchmarks/fit_coverage.py` does the same for the slower fits.
"""

from collections import Counter
from collections.abc import Callable

import pytest
from scipy import stats

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
from mho.physics import LogTime, PowerLaw, Sinh

GROWING = PULSED.replace(nonlinearity=(-1.5, 0.7), cycle_spread=0.2)

CASES: dict[str, tuple[Callable[[int], Measured], str, int]] = {
    "pulses": (lambda seed: pulse_trains(PULSED, seed), "pulse-response", 200),
    "pulses whose steps grow": (
        lambda seed: pulse_trains(GROWING, seed), "pulse-response", 50
    ),
    "levels": (
        lambda seed: program_and_read(LEVELS, seed, devices=8, repeats=5), "multi-level", 200
    ),
    "states": (lambda seed: two_states(STATES, seed, devices=20, cycles=10), "two-state", 200),
    "power law": (
        lambda seed: traces(PowerLaw(nu=0.05, nu_spread=0.02), seed, devices=8), "power-law", 200
    ),
    "log time": (
        lambda seed: traces(LogTime(rate=-5e-7, rate_spread=2e-7), seed, devices=8),
        "log-time", 200,
    ),
    "sinh": (
        lambda seed: sweeps(Sinh(v0=0.4), seed, conductances=(5e-5,), points=25, relative=0.02),
        "sinh", 40,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_intervals_cover_the_truth(case: str) -> None:
    simulate, family, files = CASES[case]
    covered: Counter[str] = Counter()
    given: Counter[str] = Counter()
    for seed in range(files):
        text, truth = simulate(seed)
        found = fit(parse(text, "simulated.csv"))
        assert found.record.family == family
        for parameter in found.parameters:
            if parameter.low is not None and parameter.name in truth:
                given[parameter.name] += 1
                covered[parameter.name] += parameter.covers(truth[parameter.name])
    least = stats.binom.ppf(0.001, files, 0.95)
    assert set(given) >= {name for name, value in truth.items() if value}
    for name, count in given.items():
        if count == files:
            assert covered[name] >= least, f"{name}: {covered[name]} of {files}"
