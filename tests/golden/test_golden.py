"""Frozen numbers: a change here is a change of every published result, and must be meant.

They say that nothing changed, not that it is right; the contracts say that. Chips are drawn on the
CPU in float32, so only the last digits may differ between machines.
"""

import pytest
import torch
from torch import nn

import mho
from mho import Hardware, WriteStep
from mho.cells import OpenLoop, Verify
from mho.rules import IntervalRule


def model() -> nn.Module:
    """Weights from a formula: no random numbers but those of the chips."""
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 4))
    with torch.no_grad():
        for parameter in net.parameters():
            wave = torch.arange(parameter.numel(), dtype=torch.float64)
            parameter.copy_(torch.sin(1.7 * wave + 0.3).view_as(parameter))
    return net


def images() -> torch.Tensor:
    return torch.cos(0.37 * torch.arange(3 * 16, dtype=torch.float64)).view(3, 1, 4, 4).float()


def lived(device: str, **options: object) -> nn.Module:
    """Two chips of seed 2024 that were read, moved and written five times."""
    cell = mho.devices.get(device).replace(
        stuck_off=0.02, endurance=4.0, endurance_spread=0.5, written=None
    )
    settings = {"device": cell, "tile": (5, 8), "adc_bits": 8, "dac_bits": 8} | options
    generator = torch.Generator().manual_seed(2024)
    net = mho.convert(model(), Hardware(**settings), 2, generator=generator)
    mho.calibrate(net, images())
    step = WriteStep(net, rules=[IntervalRule(1.0)], threshold=0.6, widen=1)
    with torch.no_grad():
        for event in range(5):
            for parameter in net.parameters():
                wave = torch.arange(parameter.numel(), dtype=torch.float64)
                parameter.add_(0.3 * torch.sin(wave * wave + event).view_as(parameter).float())
            step()
    return net


CASES = {
    "hfo2-1t1r": {"programming": Verify(tolerance=0.2)},
    "two-state-10k-100k": {"programming": OpenLoop(), "mapping": "single"},
    "cmo-hfox": {"programming": Verify(tolerance=0.4, max_pulses=8), "mapping": "offset"},
}
LEDGERS = {
    "hfo2-1t1r": [743, 1730, 1262, 6, 88, 216],
    "two-state-10k-100k": [166, 90, 76, 2, 0, 216],
    "cmo-hfox": [718, 1087, 638, 5, 89, 216],
}
CONDUCTANCES = {
    "hfo2-1t1r": [179.62, 50.4908, 71.2607, 45.9176, 52.4398],
    "two-state-10k-100k": [85.1333, 99.3794, 10.4086, 99.9112, 10.0995],
    "cmo-hfox": [72.4368, 47.2357, 16.6925, 46.8079, 50.2013],
}
OUTPUTS = {
    "hfo2-1t1r": [-2.36, -64.31],
    "two-state-10k-100k": [5.547, 20.15],
    "cmo-hfox": [-5.754, -100.0],
}


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[str, nn.Module]:
    return request.param, lived(request.param, **CASES[request.param])


def test_counts(case: tuple[str, nn.Module]) -> None:
    name, net = case
    total = mho.ledger(net).totals()
    counted = ("writes", "set_pulses", "reset_pulses", "stuck_off", "worn", "adc_conversions")
    assert [total[c] for c in counted] == LEDGERS[name]


def test_first_conductances(case: tuple[str, nn.Module]) -> None:
    name, net = case
    microsiemens = 1e6 * net.net[0].crossbar.conductance.flatten()[:5]
    assert microsiemens.tolist() == pytest.approx(CONDUCTANCES[name], rel=1e-4)


def test_outputs(case: tuple[str, nn.Module]) -> None:
    name, net = case
    with torch.no_grad():
        y = net(images())
    weights = torch.arange(1, y.numel() + 1).view_as(y)
    assert [y.sum().item(), (y * weights).sum().item()] == pytest.approx(OUTPUTS[name], abs=0.5)
