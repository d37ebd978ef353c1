"""Noise of a read that depends on the conductance of each cell."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

import mho
from builders.networks import only_layer
from mho.instruments import SimulatedInstrument
from mho.physics import PolynomialOfG, TableOfG

LOW, HIGH = 10e-6, 90e-6
EVEN = TableOfG(g=(LOW, HIGH), values=(0.02, 0.02))
STEEP = PolynomialOfG(coefficients=(0.0, 0.1), unit=HIGH)
"""A tenth of the window at the top, next to nothing at the bottom."""

KINDS: dict[str, dict[str, Any]] = {
    "differential": {},
    "offset": {"mapping": "offset"},
    "single": {"mapping": "single"},
    "copies": {"copies": 3, "mapping": "offset"},
    "slices": {"slices": 2, "adc_bits": 12},
    "slices, exact": {"slices": 2, "mapping": "single"},
    "tiles": {"tile": (3, 6), "adc_bits": 12, "adc_per_tile": True},
    "tiles with references": {
        "tile": (3, 5), "adc_bits": 12, "adc_per_tile": True, "mapping": "offset", "slices": 1,
    },
    "bits of inputs": {"dac_bits": 4, "adc_bits": 12, "serial_inputs": True},
}  # fmt: skip
kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def cell(noise: Any, **changes: Any) -> mho.cells.MultiLevel:
    return mho.cells.MultiLevel(g_min=LOW, g_max=HIGH, levels=5, read_noise=noise, **changes)


LAYERS = {
    "linear": (lambda: nn.Linear(8, 6), (4, 8)),
    "convolution": (lambda: nn.Conv2d(4, 6, 3), (2, 4, 5, 5)),
    "groups": (lambda: nn.Conv2d(4, 6, 3, groups=2), (2, 4, 5, 5)),
    "recurrent": (lambda: nn.GRU(5, 4), (3, 2, 5)),
}


def network(noise: Any, layer: str = "linear", chips: int = 2, **kind: Any) -> nn.Module:
    made, shape = LAYERS[layer]
    torch.manual_seed(2)
    net = mho.convert(
        made(), mho.Hardware(device=cell(noise, sigma=(1e-6,)), **kind), chips,
        generator=torch.Generator().manual_seed(4),
    )  # fmt: skip
    mho.calibrate(net, torch.randn(shape))
    return net


def answers(net: nn.Module, layer: str = "linear") -> torch.Tensor:
    x = torch.randn(LAYERS[layer][1], generator=torch.Generator().manual_seed(5))
    net.eval()
    with torch.no_grad():
        y = net(x)
    return y[0] if isinstance(y, tuple) else y


@kinds
def test_noise_that_is_the_same_at_all_conductances_is_that_of_the_number(
    kind: dict[str, Any],
) -> None:
    law, plain = (answers(network(noise, **kind)) for noise in (EVEN, 0.02))
    torch.testing.assert_close(law, plain, rtol=1e-3, atol=1e-5)
    assert not torch.equal(law, answers(network(0.0, **kind)))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("mapping", ["differential", "offset"])
def test_so_it_is_in_layers_of_all_kinds(layer: str, mapping: str) -> None:
    law, plain = (answers(network(noise, layer, mapping=mapping), layer) for noise in (EVEN, 0.02))
    torch.testing.assert_close(law, plain, rtol=1e-3, atol=1e-5)


def reads(net: nn.Module, x: torch.Tensor, times: int = 4000) -> torch.Tensor:
    """Standard deviation of each output (chips, out) over reads of one vector."""
    with torch.no_grad():
        return net(x.expand(times, -1)).std(1)


@pytest.mark.parametrize("mapping", ["differential", "offset", "single"])
def test_each_column_has_the_noise_of_its_own_cells(mapping: str) -> None:
    """Sum of squared inputs times the variance of each cell, written out cell by cell."""
    net = network(STEEP, mapping=mapping).eval()
    layer, x = only_layer(net), torch.linspace(-1, 1.5, 8)
    crossbar, cells = layer.crossbar, layer.hardware.cells
    sigma = STEEP.at(crossbar.conductance.double()) * (HIGH - LOW)
    expected = []
    for out in range(6):
        column = torch.tensor([out])
        own = cells.columns(column, crossbar.tiling.cols)[0]
        coefficients = torch.tensor([*cells.own, *cells.shared], dtype=torch.float64)
        of_row = (sigma[:, 0][..., own] * coefficients).square().sum(-1)  # (chips, rows)
        expected.append((of_row[:, :8] * x.double().square()).sum(-1).sqrt())
    weight = layer.store.scale * torch.stack(expected, 1)
    found = reads(net, x)
    torch.testing.assert_close(found.double(), weight, rtol=0.06, atol=0.0)
    assert weight.max() > 1.2 * weight.min() or mapping == "differential"


def test_the_noise_of_references_is_shared() -> None:
    net = network(STEEP, mapping="offset", chips=1).eval()
    with torch.no_grad():
        y = net(torch.full((4000, 8), 0.7))[0]
    expected = network(STEEP, mapping="differential", chips=1).eval()
    with torch.no_grad():
        apart = expected(torch.full((4000, 8), 0.7))[0]
    assert torch.corrcoef(y.T).triu(1)[0, 1:].min() > 0.08
    assert torch.corrcoef(apart.T).triu(1)[0, 1:].abs().max() < 0.06


def test_it_follows_what_is_written_later() -> None:
    net = network(STEEP, mapping="single", chips=1).eval()
    layer, x = only_layer(net), torch.ones(8)
    before = reads(net, x)
    with torch.no_grad():
        layer.weight.copy_(torch.full_like(layer.weight, -float(layer.full_scale)))
    mho.WriteStep(net)()
    after = reads(net, x)
    assert (after < 0.5 * before).all()
    torch.testing.assert_close(reads(copy.deepcopy(net), x), after, rtol=0.06, atol=0.0)


@pytest.mark.parametrize("mapping", ["differential", "offset"])
def test_cells_that_are_read_back_have_their_own(mapping: str) -> None:
    net = network(STEEP, mapping=mapping, chips=1)
    crossbar = only_layer(net).crossbar
    cells = crossbar.tiling.cells(torch.arange(48))
    exact = crossbar.signed_at(cells)
    found = []
    for event in range(400):
        crossbar.counts.programmings = 100 + event  # which read it is
        found.append(crossbar.read_back(cells) - exact)
    sigma = STEEP.at(crossbar.conductance[0].flatten()[cells]) * (HIGH - LOW)
    kind = crossbar.tiling.mapping
    expected = (sigma * torch.tensor([*kind.own, *kind.shared])).square().sum(-1).sqrt()
    torch.testing.assert_close(torch.stack(found).std(0)[0], expected, rtol=0.2, atol=0.0)


def test_a_simulated_instrument_has_it_too() -> None:
    chip = SimulatedInstrument(mho.Hardware(device=cell(STEEP), tile=(4, 2)), seed=3)
    cells = torch.tensor([[0, r, c] for r in range(4) for c in range(2)], dtype=torch.int32)
    targets = torch.tensor([LOW, HIGH] * 4)
    chip.program(cells, targets)
    volts = torch.full((1000, 1, 4), 0.1)
    amps = torch.cat([chip.read(0, volts)[:, 0] for _ in range(4)])
    expected = STEEP.at(torch.tensor([LOW, HIGH])) * (HIGH - LOW) * 0.1 * 2
    torch.testing.assert_close(amps.std(0), expected, rtol=0.06, atol=0.0)


@pytest.mark.parametrize("layer", LAYERS)
def test_training_meets_the_same(layer: str) -> None:
    """Where noise does not depend on the conductance, noise-aware training is that of a number; and
    where it does, outputs of larger weights have more."""
    made, shape = LAYERS[layer]
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    found = []
    for noise in (EVEN, 0.02):
        torch.manual_seed(2)
        net = mho.noise_aware(
            made(), mho.Hardware(device=cell(noise)), generator=torch.Generator().manual_seed(3)
        )
        y = net(x)
        found.append(y[0] if isinstance(y, tuple) else y)
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-5)


def test_training_meets_more_noise_where_cells_conduct() -> None:
    net = nn.Linear(8, 2, bias=False)
    with torch.no_grad():
        net.weight[0], net.weight[1] = 1.0, 0.25
    hardware = mho.Hardware(device=cell(STEEP), mapping="single")
    aware = mho.noise_aware(net, hardware)
    y = torch.cat([aware(torch.ones(4000, 8))])
    sigma = STEEP.at(torch.tensor([HIGH, LOW + 0.625 * (HIGH - LOW)])) / 0.5 * 8**0.5
    assert y.std(0)[0].item() == pytest.approx(sigma[0].item(), rel=0.06)
    assert y.std(0)[1].item() < 0.85 * sigma[0].item()
