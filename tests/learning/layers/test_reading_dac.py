"""Networks whose DACs have errors of their own."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mho
from mho.hardware import DAC, BinaryDAC, IdealDAC, StringDAC

CELL = mho.cells.MultiLevel(g_min=1e-6, g_max=1e-4, levels=9)
KINDS: dict[str, DAC] = {
    "ideal": IdealDAC(offset=1.0, gain=0.05),
    "string": StringDAC(mismatch=0.2),
    "binary": BinaryDAC(mismatch=0.2, offset=0.3),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "exact ADCs": {"adc_bits": None},
    "whole columns": {"adc_per_tile": False},
    "slices": {"slices": 2},
    "single": {"mapping": "single"},
    "single, whole columns": {"mapping": "single", "adc_per_tile": False},
    "offset": {"mapping": "offset"},
    "interleaved": {"interleaved": True},
    "1 bit": {"dac_bits": 1},
}


def hardware(dac: DAC, **changes: Any) -> mho.Hardware:
    return mho.Hardware(
        **{"device": CELL, "tile": (16, 12), "dac_bits": 4, "adc_bits": 14, "dac": dac} | changes
    )


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(96, 7)
    )


def images(count: int = 8) -> Tensor:
    return torch.randn(count, 2, 4, 4, generator=torch.Generator().manual_seed(1))


def on_chips(kind: mho.Hardware, chips: int = 3, first: int = 0) -> Any:
    generator = torch.Generator().manual_seed(2)
    net = mho.convert(model(), kind, chips=chips, generator=generator, first_chip=first)
    mho.calibrate(net, images())
    return net.eval()


def answer(net: nn.Module) -> Tensor:
    with torch.no_grad():
        return copy.deepcopy(net)(images())


def slowly(layer: Any, x: Tensor) -> Tensor:
    """What a layer with exact ADCs gives for inputs (chips, n, ...), chip by chip: the digital
    codes as each row's driver applies them, times the weight that the arrays hold."""
    reading, out = layer.reading, []
    for chip, images in enumerate(x):
        with reading.alone(chip) as one:
            rows = one.product.rows(one.product.prepared(one.dac(images)))
            gain, offset, tables = (t[chip] for t in reading.drivers.on(torch.device("cpu")))
            step = one.dac.steps.item()
            codes = (rows / step).round()
            if tables.shape[1]:
                place = (codes - reading.drivers.least).long()
                codes = codes + tables[torch.arange(rows.shape[1]), place]
            applied = step * (codes * gain + offset)
            groups = applied.unflatten(1, (one.groups, -1))
            w = layer.effective[chip].unflatten(0, (one.groups, -1))
            columns = torch.einsum("ngi,goi->ngo", groups, w).flatten(1)
            out.append(one.product.from_rows(columns, images))
    y = torch.stack(out)
    return y if layer.bias is None else y + layer.bias.view(-1, *(1,) * (y.dim() - 3))


@pytest.mark.parametrize("kind", KINDS)
def test_layers_read_what_their_drivers_apply(kind: str) -> None:
    net = on_chips(hardware(KINDS[kind], adc_bits=None))
    conv, linear = (m for m in net.modules() if isinstance(m, mho.nn.ArrayLayer))
    x = images().expand(3, -1, -1, -1, -1)
    hidden = slowly(conv, x).relu().flatten(2)
    torch.testing.assert_close(answer(net), slowly(linear, hidden), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_chips_are_the_same_whoever_stands_beside_them(kind: str, setting: str) -> None:
    chosen = hardware(KINDS[kind], **SETTINGS[setting])
    together = answer(on_chips(chosen))
    assert torch.isfinite(together).all()
    alone = torch.cat([answer(on_chips(chosen, 1, k)).unsqueeze(0) for k in range(3)])
    torch.testing.assert_close(alone.view_as(together), together, rtol=1e-3, atol=2e-3)
    ideal = answer(on_chips(hardware(IdealDAC(), **SETTINGS[setting])))
    same = setting == "1 bit" and kind == "string"  # whose two levels are the ends of the string
    assert torch.allclose(ideal, together, atol=1e-2) == same


@pytest.mark.parametrize("dac", [IdealDAC(), StringDAC(), BinaryDAC()])
def test_without_errors_nothing_changes_to_the_bit(dac: DAC) -> None:
    plain = mho.Hardware(device=CELL, tile=(16, 12), dac_bits=4, adc_bits=14)
    net = on_chips(hardware(dac))
    assert torch.equal(answer(on_chips(plain)), answer(net))


@pytest.mark.parametrize("adc_per_tile", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_of_the_digital_inputs(kind: str, adc_per_tile: bool) -> None:
    """What the digital side multiplies with is what it knows; the way back drives columns."""
    grads = []
    for dac in (KINDS[kind], IdealDAC()):
        torch.manual_seed(0)
        more = {"adc_range": 1.0, "dac_range": 4.0, "adc_per_tile": adc_per_tile}
        net = mho.convert(nn.Linear(30, 6), hardware(dac, **more), chips=3,
                          generator=torch.Generator().manual_seed(2)).train()  # fmt: skip
        x = torch.randn(5, 30, generator=torch.Generator().manual_seed(1), requires_grad=True)
        net(x).sum().backward()
        assert x.grad is not None
        grads.append([x.grad, *(p.grad for p in net.parameters())])
    for mine, ideal in zip(*grads, strict=True):
        assert torch.equal(mine, ideal)


def test_prices_are_those_without_errors() -> None:
    costs = []
    for dac in (KINDS["binary"], IdealDAC()):
        net = on_chips(hardware(dac))
        net(images())
        costs.append(mho.price(mho.ledger(net), "hfo2-130nm"))
    assert costs[0] == costs[1]
