"""Fit the price list `neurram-130nm` to half of what was published of NeuRRAM, predict the rest.

    python benchmarks/neurram_prices.py

W. Wan et al., Nature 608 (2022) 504, 10.1038/s41586-022-04992-8, Extended Data Fig. 12b to 12d: a
macro of 256 x 256 cells, two a weight. The numbers are those that CiMLoop's model of it is held to
(github.com/mit-emze/cimloop at d6e1390, wan_nature_2022/_tests.py), read off the figure there; the
figure itself was not at hand. Every second point is fitted: 2/4, 4/6, 6/8 and 8/10 bits of inputs
and outputs; those at 1/3, 3/5, 5/7 and 7/9 are predicted.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

ROWS, COLUMNS, MACROS = 256, 128, 48
"""Rows of the macro; its columns, of pairs; macros of the chip."""
MACS = ROWS * COLUMNS
READ_VOLTAGE, CONDUCTANCE = 0.5, 10.6e-6
"""Read voltage [V]; assumed mean conductance of the cells [S], that of normal weights on preset
rram-neurram-1s."""

BITS = [(1, 3), (2, 4), (3, 5), (4, 6), (5, 7), (6, 8), (7, 9), (8, 10)]
"""Bits of inputs and outputs."""
TOPS_PER_W = [43.0788, 40.3341, 23.0907, 15.9541, 11.0317, 8.2572, 7.75, 6.4374]
TOPS = [2.12231, 1.793084, 1.1654, 0.743868, 0.525409, 0.417718, 0.343873, 0.263874]
WORD_LINES = [8.99015, 8.27095, 15.46307, 21.75618, 30.92613, 37.21924, 43.69215, 50.52467]
"""Switching of word lines [fJ an operation, two a multiplication and addition]."""
NEURONS = [10.61868, 12.38674, 20.11826, 29.10842, 44.21188, 52.48282, 61.83259, 75.85722]
"""Integration, conversion and control [fJ an operation]."""
INPUTS = [3.44622, 3.95566, 7.73154, 11.5074, 14.02464, 19.23893, 22.83499, 27.50987]
"""Pulses of the inputs, through the cells [fJ an operation]."""

FITTED, PREDICTED = range(1, 8, 2), range(0, 8, 2)

ENERGY = [2e-12 / each for each in TOPS_PER_W]
"""Of a multiplication and addition [J]."""
TIME = [MACROS * 2 * MACS / (each * 1e12) for each in TOPS]
"""Of a vector on all rows and columns of a macro [s]."""


def fit(points: range = FITTED) -> dict[str, float]:
    """Numbers of the list, of least relative error at some points and none below 0.

    An input of b bits is b - 1 pulses (one, if b = 1), as `Prices.steps` of driver "bits"; a
    conversion goes with its bits, as that of adc "sar".
    """
    steps = np.array([max(1, BITS[k][0] - 1) for k in points], float)
    out = np.array([BITS[k][1] for k in points], float)

    def solve(values: list[float], *columns: np.ndarray) -> np.ndarray:
        y = np.array([values[k] for k in points])
        return nnls(np.stack(columns, 1) / y[:, None], np.ones(len(y)))[0]

    (lines,) = solve(WORD_LINES, steps)
    (pulses,) = solve(INPUTS, steps)
    integration, conversion = solve(NEURONS, steps, out)
    step_time, bit_time = solve(TIME, steps, out)
    vector = 2e-15 * MACS  # from fJ an operation to J a vector
    cell_step = pulses * vector / (2 * MACS)
    return {
        "dac_energy": lines * vector / ROWS,
        "read_pulse": cell_step / (READ_VOLTAGE**2 * CONDUCTANCE),
        "integration_energy": integration * vector / COLUMNS,
        "adc_energy": 8 * conversion * vector / COLUMNS,
        "step_time": step_time,
        "adc_time": 8 * bit_time,
    }


def main() -> None:
    """Print the numbers, then the list of mho at all points."""
    import mho

    for name, value in fit().items():
        print(f"{name:20} {value:.4g}")
    p = mho.prices.get("neurram-130nm")
    print(f"{'bits':8} {'fJ/MAC':>8} {'list':>8} {'error':>7}  {'us':>6} {'list':>6} {'error':>7}")
    for k, (ins, outs) in enumerate(BITS):
        energy, time = at(p, ins, outs)
        print(
            f"{ins}/{outs:<6} {ENERGY[k] * 1e15:8.1f} {energy * 1e15:8.1f} "
            f"{energy / ENERGY[k] - 1:+7.1%}  {TIME[k] * 1e6:6.2f} {time * 1e6:6.2f} "
            f"{time / TIME[k] - 1:+7.1%}  {'fitted' if k in FITTED else 'predicted'}"
        )


def at(prices: object, ins: int, outs: int) -> tuple[float, float]:
    """Energy of a multiplication and addition [J], and time of a vector [s], under a price list."""
    from mho.hardware import Prices

    assert isinstance(prices, Prices)
    p, cells = prices, 2 * MACS
    parts = (
        p.drive(ins), p.cell_read(CONDUCTANCE, ins), p.conversion(outs),
        p.vector_time(ins, outs, COLUMNS),
    )  # fmt: skip
    drive, cell, conversion, time = (part or 0.0 for part in parts)
    conversion += p.steps(ins) * p.integration_energy
    return (ROWS * drive + cells * cell + COLUMNS * conversion) / MACS, time


if __name__ == "__main__":
    main()
