"""Networks on arrays whose word lines drive gates: each input is solved as it is."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mho
from builders.programs import needed
from mho.circuits import Wires, gated_current, simulate
from mho.errors import InvalidInput
from mho.learning.layer_netlist import netlist_of

CELL = mho.cells.MultiLevel(g_min=1e-5, g_max=1e-3, levels=9, sigma=(2e-5,))
WIRES = Wires(source_line=3.0, col=2.0, source=10.0, sense=20.0)
SETTINGS: dict[str, dict[str, Any]] = {
    "1 bit": {"dac_bits": 1, "signed_inputs": False, "serial_inputs": False},
    "serial": {"dac_bits": 4},
    "serial without sign": {"dac_bits": 3, "signed_inputs": False},
    "converted": {"dac_bits": 3, "adc_bits": 12},
    "converted together": {"dac_bits": 3, "adc_bits": 12, "adc_per_tile": False},
    "by column": {"dac_bits": 3, "adc_bits": 12, "adc_range": "column"},
    "single": {"dac_bits": 3, "adc_bits": 12, "mapping": "single"},
    "single, exact": {"dac_bits": 3, "mapping": "single"},
    "offset": {"dac_bits": 3, "mapping": "offset"},
    "slices": {"dac_bits": 3, "adc_bits": 12, "slices": 2},
    "copies": {"dac_bits": 3, "copies": 2},
}
each_setting = pytest.mark.parametrize("setting", SETTINGS)


def hardware(wires: Wires | float = WIRES, **changes: Any) -> mho.Hardware:
    given = {"device": CELL, "tile": (12, 10), "serial_inputs": True, "wire_resistance": wires}
    return mho.Hardware(**given | changes)


def on_chips(model: nn.Module, kind: mho.Hardware, x: Tensor, chips: int | None = None) -> Any:
    net = mho.convert(model, kind, chips=chips, generator=torch.Generator().manual_seed(0))
    return mho.calibrate(net, x).eval()


def linear(signed: bool = True) -> tuple[nn.Linear, Tensor]:
    torch.manual_seed(0)
    layer, x = nn.Linear(20, 7), torch.randn(6, 20)
    return layer, x if signed else x.relu()


def of_one_by_one(layer: Any, x: Tensor) -> Tensor:
    """Outputs of a layer without ADC, from Kirchhoff's laws for each bit of each input."""
    crossbar, tiling = layer.crossbar, layer.crossbar.tiling
    scale, low, high = layer.store.scale, *CELL.window
    edge, lines = layer.dac.ranges.item(), (3.0, 2.0, 10.0, 20.0)
    driven = layer.dac(x)
    out = torch.zeros(len(x), 7, dtype=torch.float64)
    for factor, plane in layer.dac.planes(driven):
        for n, vector in enumerate(plane):
            on = tiling.driven(vector) != 0  # (tiles, rows)
            amps = torch.stack([
                gated_current(g.double(), rows, *lines)
                for g, rows in zip(crossbar.conductance[0], on, strict=True)
            ])  # fmt: skip
            columns = tiling.mapping.fold(amps, tiling.cols, (0.0, 0.0))
            out[n] += factor * edge * scale * tiling.added(columns).sum(0)
    constant = tiling.mapping.constant * (low + high) * scale
    return out + constant * driven.sum(1, keepdim=True) + layer.bias.detach()


@each_setting
def test_a_layer_answers_what_its_circuits_do(setting: str) -> None:
    given = SETTINGS[setting]
    layer, x = linear(given.get("signed_inputs", True))
    net = on_chips(layer, hardware(**given), x)
    with torch.no_grad():
        y = net(x).double()
    if "slices" not in given:
        expected = of_one_by_one(net, x)
        near = 2e-3 if "adc_bits" in given else 2e-5
        torch.testing.assert_close(y, expected, rtol=0, atol=near * expected.abs().max().item())
    plain = on_chips(layer, hardware(0.0, **given), x)
    with torch.no_grad():
        lost = (plain(x) - y).std() / plain(x).std()
    assert 0.01 < lost < 0.6


@each_setting
def test_lines_without_resistance_are_a_matrix_again(setting: str) -> None:
    given = SETTINGS[setting]
    layer, x = linear(given.get("signed_inputs", True))
    found = []
    for wires in (0.0, Wires(source_line=1e-6, col=1e-6)):
        with torch.no_grad():
            found.append(on_chips(layer, hardware(wires, **given), x)(x))
    near = 2e-3 if "adc_bits" in given else 1e-5
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=near * found[0].abs().max().item())


@pytest.mark.parametrize("adc_bits", [None, 10])
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_chips_are_the_same_whoever_stands_beside_them(adc_bits: int | None, noise: float) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5)
    )
    x = torch.randn(3, 2, 4, 4)
    kind = hardware(dac_bits=3, adc_bits=adc_bits, device=CELL.replace(read_noise=noise))

    def answer(chips: int, first: int) -> Tensor:
        generator = torch.Generator().manual_seed(1)
        net = mho.convert(model, kind, chips=chips, generator=generator, first_chip=first)
        mho.calibrate(net, x)
        with torch.no_grad():
            return copy.deepcopy(net).eval()(x).view(chips, 3, 5)

    together = answer(3, 0)
    assert together.isfinite().all()
    for chip in range(3):
        torch.testing.assert_close(answer(1, chip)[0], together[chip], rtol=1e-4, atol=1e-5)


def test_gradients_go_through_what_cells_show_with_all_rows_on() -> None:
    layer, x = linear()
    net = on_chips(layer, hardware(dac_bits=4, adc_bits=8), x).train()
    given = x.clone().requires_grad_()
    net(given).sum().backward()
    expected = net.store.effective[0].sum(0).expand_as(x)
    torch.testing.assert_close(given.grad, expected)


def test_exact_converters_drive_no_gates() -> None:
    exact = hardware(dac_bits=4).with_converters(None)
    assert not exact.wires
    assert exact.dac_bits is None


def test_rewiring_goes_both_ways() -> None:
    layer, x = linear()
    with torch.no_grad():
        net = on_chips(layer, hardware(dac_bits=4), x)
        gated = net(x)
        plain = mho.rewire(net, 0.0)(x)
        assert not torch.allclose(plain, gated, atol=1e-3)
        torch.testing.assert_close(mho.rewire(net, WIRES)(x), gated)


def test_ngspice_answers_as_the_layer_does() -> None:
    needed("ngspice")
    layer, x = linear(signed=False)
    net = on_chips(layer, hardware(**SETTINGS["1 bit"]), x)
    tiling = net.crossbar.tiling
    amps = simulate(netlist_of(net, x[0], volts_per_unit=0.2)).view(tiling.tiles, tiling.width)
    columns = tiling.added(tiling.mapping.fold(amps, tiling.cols, (0.0, 0.0))).sum(0)
    with torch.no_grad():
        y = net(x[:1])[0] - net.bias
    torch.testing.assert_close(columns.float() * net.store.scale / 0.2, y, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, r"Hardware\.dac_bits = None: expected 1 without signed_inputs, or with serial"),
        ({"dac_bits": 4, "serial_inputs": False}, r"Hardware\.dac_bits = 4.*serial_inputs"),
        ({"dac_bits": 1, "serial_inputs": False}, r"Hardware\.signed_inputs = True.*False"),
        ({"dac_bits": 4, "serial_sum": "analog"}, r"Hardware\.serial_sum = 'analog'.*digital"),
        ({"dac_bits": 4, "interleaved": True}, r"Hardware\.interleaved = True.*source_line"),
        ({"dac_bits": 4, "predistortion": 3}, r"Hardware\.predistortion = 3.*source_line"),
    ],
)
def test_inputs_that_are_no_bits_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        hardware(**{"serial_inputs": "dac_bits" in changes} | changes)
