"""Cells written through a third terminal, against the models that their numbers come from."""

import math

import numpy as np
import pytest
import torch

from mho import devices
from mho.physics import GeneratorNoise, MultiLevel, PulseTable
from mho.physics.three_terminal import CELLS

# bounds, step, slopes, noise, whether the noise is of each step: aihwkit, LinearStepDevice
LINEAR = {
    "ecram-li": ((-0.8276, 1.1724), 0.002, (0.1153, 0.5085), 0.3, True),
    "ecram-wo3": ((-0.8286, 1.1714), 2.8214e-4, (0.4152, 0.7342), 2.0, True),
    "capacitor-cmos": ((-1.0, 1.0), 0.005, (0.05, 0.05), 0.3, False),
}


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("pulses", [20, -20])
def test_pulses_move_as_the_model_of_linear_steps(name: str, place: float, pulses: int) -> None:
    (low, high), step, (up, down), noise, of_each = LINEAR[name]
    draw, n = np.random.default_rng(0), 100_000
    w = np.full(n, low + place * (high - low))
    for _ in range(abs(pulses)):
        each = step * (1 - up * w / high) if pulses > 0 else step * (1 - down * w / low)
        spread = noise * (each if of_each else step)
        w = w + math.copysign(1, pulses) * each + spread * draw.standard_normal(n)
    cell = CELLS[name].replace(device_spread=0.0)
    assert isinstance(cell, PulseTable)
    siemens = 18e-6 / (high - low)
    g = torch.full((n,), 2e-6 + 18e-6 * place, dtype=torch.float64)
    source = GeneratorNoise((n,), torch.Generator().manual_seed(1), torch.float64)
    traits = cell.traits(source)
    bursts = torch.full((n,), pulses, dtype=torch.int32)
    after = cell.respond(source.normal(), g, bursts, traits)
    moved, expected = (after - g) / siemens, w - (low + place * (high - low))
    assert moved.mean().item() == pytest.approx(expected.mean(), abs=4 * noise * step / n**0.5 * 5)
    assert moved.std().item() == pytest.approx(expected.std(), rel=0.02)


SPREAD = {0: (19.88665, 176.3115), 1: (25.59102, 186.85544), 2: (28.72753, 193.56834),
          3: (31.04318, 198.90332), 4: (33.76214, 204.77023), 5: (34.57909, 207.34309)}  # fmt: skip
"""Scale and bend of the spread [nA] after days: CrossSim SONOS."""
MEAN = {  # change of the mean [nA] at 200, 600, 1000, 1400 nA, the same
    1: (-3.8, -19.4, -29.5, -38.9), 2: (-3.0, -21.8, -35.3, -45.9), 3: (-2.8, -24.8, -40.1, -54.9),
    4: (-2.2, -26.1, -44.2, -60.2), 5: (-2.4, -28.2, -46.7, -60.3),
}  # fmt: skip


@pytest.mark.parametrize("days", SPREAD)
def test_sonos_cells_spread_and_drift_as_measured(days: int) -> None:
    preset, n = devices.preset("sonos-40nm"), 100_000
    for k, current in enumerate((200.0, 600.0, 1000.0, 1400.0)):
        g = torch.full((n,), current * 1e-8, dtype=torch.float64)
        source = GeneratorNoise((n,), torch.Generator().manual_seed(k), torch.float64)
        assert isinstance(preset.cell, MultiLevel)
        programmed = g + preset.cell.spread(g) * source.normal()
        relaxed = programmed
        if days and preset.retention is not None:
            relaxed = preset.retention.relaxed(
                torch.tensor(days * 86_400.0), programmed, source.normal()
            )
        a, b = SPREAD[days]
        expected = -a * math.expm1(-current / b)
        assert 1e8 * relaxed.std().item() == pytest.approx(expected, rel=0.06)
        mean = MEAN[days][k] if days else 0.0
        assert 1e8 * (relaxed - g).mean().item() == pytest.approx(mean, abs=3.5)
