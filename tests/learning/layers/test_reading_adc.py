"""Networks whose ADCs have errors of their own."""

import copy
import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mho
from mho.errors import InvalidInput
from mho.hardware import ADC, FlashADC, IdealADC, RampADC, SarADC

CELL = mho.cells.MultiLevel(g_min=1e-6, g_max=1e-4, levels=9)
KINDS: dict[str, ADC] = {
    "ideal": IdealADC(offset=1.0, gain=0.02, noise=0.3),
    "sar": SarADC(mismatch=0.1, offset=0.5, share=3),
    "ramp": RampADC(mismatch=0.05, bow=1.0, offset=0.5, gain=0.01),
    "flash": FlashADC(mismatch=0.05, comparators=0.3),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "by column": {"adc_range": "column"},
    "of design": {"adc_range": 0.05},
    "whole columns": {"adc_per_tile": False},
    "serial": {"serial_inputs": True},
    "serial, analog": {"serial_inputs": True, "serial_sum": "analog"},
    "slices": {"slices": 2},
    "single": {"mapping": "single"},
    "offset": {"mapping": "offset", "device": CELL.replace(read_noise=0.02)},
    "interleaved": {"interleaved": True},
}


def hardware(adc: ADC, **changes: Any) -> mho.Hardware:
    return mho.Hardware(
        **{"device": CELL, "tile": (16, 12), "dac_bits": 5, "adc_bits": 6, "adc": adc} | changes
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


def last(net: Any) -> Any:
    return [module for module in net.modules() if isinstance(module, mho.nn.ArrayLayer)][-1]


def answer(net: nn.Module, x: Tensor | None = None) -> Tensor:
    """With the noise of a first read."""
    with torch.no_grad():
        return copy.deepcopy(net)(images() if x is None else x)


CASES = [(kind, setting) for k, kind in enumerate(KINDS) for s, setting in enumerate(SETTINGS)
         if (k + s) % 2 == 0 or kind == "sar"]  # fmt: skip


@pytest.mark.parametrize(("kind", "setting"), CASES)
def test_chips_are_the_same_whoever_stands_beside_them(kind: str, setting: str) -> None:
    chosen = hardware(KINDS[kind], **SETTINGS[setting])
    together = answer(on_chips(chosen))
    assert torch.isfinite(together).all()
    alone = torch.cat([answer(on_chips(chosen, 1, k)).unsqueeze(0) for k in range(3)])
    torch.testing.assert_close(alone.view_as(together), together, rtol=1e-5, atol=1e-6)
    with mho.kernels.off():
        plain = answer(on_chips(chosen))
    assert (plain - together).abs().median() < 1e-6  # a sum that rounds otherwise may move a code
    ideal = answer(on_chips(hardware(IdealADC(), **SETTINGS[setting])))
    assert not torch.allclose(ideal, together, atol=1e-4)
    chunks = list(mho.in_chunks(
        model(), chosen, 3, most=2, generator=torch.Generator().manual_seed(2)
    ))  # fmt: skip
    for net in chunks:
        mho.calibrate(net, images())
    pooled = torch.cat([answer(net.eval()) for net in chunks])
    torch.testing.assert_close(pooled.view_as(together), together, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_errors_stay_with_a_saved_state(kind: str) -> None:
    net, file = on_chips(hardware(KINDS[kind])), io.BytesIO()
    torch.save(net.state_dict(), file)
    other = mho.convert(model(), hardware(KINDS[kind]), chips=3)
    file.seek(0)
    other.load_state_dict(torch.load(file))
    assert torch.equal(answer(other.eval()), answer(net))
    with pytest.raises(ValueError, match=r"adc"):
        mho.convert(model(), hardware(SarADC(mismatch=0.2)), chips=3).load_state_dict(
            net.state_dict()
        )


@pytest.mark.parametrize("adc", [IdealADC(), SarADC(), RampADC(), FlashADC(), None])
def test_without_errors_nothing_changes_to_the_bit(adc: ADC | None) -> None:
    plain = mho.Hardware(device=CELL, tile=(16, 12), dac_bits=5, adc_bits=6)
    assert torch.equal(answer(on_chips(plain)), answer(on_chips(hardware(adc or IdealADC()))))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_pass_straight_through_as_without(kind: str) -> None:
    grads = []
    for adc in (KINDS[kind], IdealADC()):
        torch.manual_seed(0)
        generator = torch.Generator().manual_seed(2)
        net = mho.convert(nn.Linear(30, 6), hardware(adc, adc_range=1.0, dac_range=4.0), chips=3,
                          generator=generator).train()  # fmt: skip
        x = torch.randn(5, 30, generator=torch.Generator().manual_seed(1), requires_grad=True)
        net(x).sum().backward()
        assert x.grad is not None
        grads.append([x.grad, *(p.grad for p in net.parameters())])
    for mine, ideal in zip(*grads, strict=True):
        assert torch.equal(mine, ideal)


def test_columns_share_converters_within_an_array() -> None:
    layer = last(on_chips(hardware(SarADC(offset=1.0, share=3))))
    drawn = layer.adc.errors.on(torch.device("cpu")).offset
    tiling = layer.crossbar.tiling
    assert drawn.shape == (3, tiling.grid[0], 7)
    assert tiling.along == 2
    for first in (0, tiling.cols):
        of_array = drawn[0, 0, first : first + tiling.cols]
        each = torch.arange(len(of_array)) // 3
        assert ((of_array[:, None] == of_array) == (each[:, None] == each)).all()
    assert not torch.isin(drawn[0, 0, : tiling.cols], drawn[0, 0, tiling.cols :]).any()
    assert not torch.isin(drawn[0, 0], drawn[0, 1:]).any()
    assert not torch.isin(drawn[0], drawn[1:]).any()


def test_tuning_by_column_takes_offset_and_gain_out_and_leaves_nonlinearity() -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(12, 6), torch.randn(4000, 12)
    left = {}
    for name, adc in {
        "ideal": IdealADC(),
        "offset and gain": SarADC(offset=3.0, gain=0.05),
        "nonlinearity": SarADC(mismatch=0.25),
    }.items():
        generator = torch.Generator().manual_seed(4)
        kind = hardware(adc, adc_bits=7, dac_bits=8, tile=64)
        net: Any = mho.convert(layer, kind, chips=8, generator=generator)
        mho.calibrate(net, x)
        exact = x @ net.store.effective.mT + layer.bias.detach()
        with torch.no_grad():
            before = (net(x) - exact).square().mean().sqrt()
            mho.tune(net, x, per="column")
            left[name] = before.item(), (net(x) - x @ layer.weight.T - layer.bias).std().item()
    assert left["offset and gain"][0] > 5 * left["ideal"][0]
    assert left["offset and gain"][1] == pytest.approx(left["ideal"][1], rel=0.03)
    assert left["nonlinearity"][1] > 1.3 * left["ideal"][1]


def test_events_are_counted_and_covered_as_without() -> None:
    with_errors, without = (on_chips(hardware(adc)) for adc in (KINDS["ideal"], IdealADC()))
    for net in (with_errors, without):
        with torch.no_grad():
            net(images())
    assert mho.ledger(with_errors).totals() == mho.ledger(without).totals()
    assert str(mho.coverage(with_errors, images())) == str(mho.coverage(without, images()))


@pytest.mark.parametrize("kind", KINDS)
def test_what_looks_at_converters_works_with_errors(kind: str) -> None:
    net = on_chips(hardware(KINDS[kind]))
    counted = [*mho.saturation(net, images()).values()][-1].adc
    assert (counted.conversions > 0).all()
    assert (counted.share < 0.2).all()
    fixed = mho.fixed_point(net, 12, images())
    spread = answer(net).std()
    assert (answer(fixed) - answer(net)).std() < 0.3 * spread  # its reads have noise of their own
    mho.tune(net, images())
    assert torch.isfinite(answer(net)).all()


def test_training_that_is_noise_aware_has_the_noise_of_conversions() -> None:
    quiet, noisy = (
        mho.noise_aware(model(), hardware(adc), generator=torch.Generator().manual_seed(0),
                        weight_noise=1.0)
        for adc in (SarADC(mismatch=0.1), SarADC(noise=4.0))
    )  # fmt: skip
    spread = []
    for net in (quiet, noisy):
        net.train()
        with torch.no_grad():
            net(images())
            spread.append(torch.stack([net(images()) for _ in range(20)]).std(0).mean().item())
    assert spread[1] > 1.5 * spread[0] + 1e-6


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"adc_bits": None}, r"Hardware\.adc = 'sar with errors'.*adc_bits"),
        ({"adc_bits": 16}, r"Hardware\.adc_bits = 16.*14.*'sar'"),
        ({"adc_bits": 10, "adc": FlashADC()}, r"Hardware\.adc_bits = 10.*8.*'flash'"),
        ({"adc": 3}, r"Hardware\.adc"),
        ({"adc": {"family": "pipeline"}}, r"family for Hardware\.adc"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        hardware(**{"adc": SarADC(mismatch=0.1)} | changes)


def test_exact_converters_have_no_errors() -> None:
    kind = hardware(SarADC(mismatch=0.1), serial_inputs=True, serial_sum="analog")
    exact = kind.with_converters(None)
    assert exact.adc == IdealADC()
    assert exact.adc_bits is None
    assert kind.with_converters(4).adc == kind.adc


def test_a_price_list_of_another_architecture_prices_no_conversion() -> None:
    ramp, sar = (on_chips(hardware(adc)) for adc in (RampADC(share=4), SarADC(share=4)))
    named = [mho.price(mho.ledger(net), "hfo2-130nm") for net in (ramp, sar)]
    assert any("the list's ADC is 'sar', the chip's 'ramp'" in each for each in named[0].unpriced)
    assert not any("ADC" in each for each in named[1].unpriced)
    assert dict(named[0].areas)["ADCs"] is None
    assert "up to 4 columns an ADC" in dict(named[1].assumes)["read time"]
    prices = mho.prices.get("hfo2-130nm")
    as_list = mho.price(mho.ledger(on_chips(hardware(SarADC(), tile=64))), prices)
    shared = mho.price(mho.ledger(on_chips(hardware(SarADC(share=4), tile=64))), prices)
    each = [dict(cost.areas)["ADCs"] for cost in (shared, as_list)]
    assert (each[0] or 0) > (each[1] or 0) > 0
    as_ramp = mho.price(mho.ledger(ramp), prices.replace(adc="ramp"))
    assert dict(as_ramp.areas)["ADCs"] is not None
