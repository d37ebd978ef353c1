"""Saturation: how many conversions are cut off, as a count."""

import pytest
import torch
import torch.nn.functional as F

import mho
from builders.converting_layers import LAYERS, hardware, inputs, twin
from builders.networks import only_layer

which_layer = pytest.mark.parametrize("which", LAYERS)
per_tile = pytest.mark.parametrize("adc_per_tile", [True, False])


@pytest.mark.parametrize("chips", [None, 3])
@per_tile
@which_layer
def test_saturation_is_a_count(
    which: str, adc_per_tile: bool, chips: int | None, generator: torch.Generator
) -> None:
    x = inputs(which, generator)
    bits = {"dac_bits": 6, "adc_bits": 5, "coverage": 0.8, "adc_per_tile": adc_per_tile}
    net = twin(which, hardware(**bits), chips)
    layer, n = only_layer(net), chips or 1
    mho.calibrate(net, x)
    before = net(x)
    (counts,) = mho.saturation(net, x).values()
    assert layer.dac.tally is None
    assert torch.equal(net(x), before)
    beyond = (x * (31 / layer.dac.ranges[0].item())).round().abs() > 31
    assert counts.dac.conversions.tolist() == [x.numel()] * n
    assert counts.dac.saturated.tolist() == [int(beyond.sum())] * n
    # The ADC's from tile to tile, as the arrays hold it.
    rows = layer.dac(x.repeat(n, *(1,) * (x.dim() - 1)))
    rows = rows if x.dim() == 2 else F.unfold(rows, 3).transpose(1, 2).flatten(0, 1)
    height = layer.crossbar.tiling.rows if adc_per_tile else layer.crossbar.tiling.in_features
    each = rows.unflatten(0, (n, -1)).split(height, -1)
    weights = layer.effective.split(height, -1)
    y = torch.stack([v @ w.mT for v, w in zip(each, weights, strict=True)], 1).flatten(1)
    code = (y / (layer.adc.ranges / 15).unsqueeze(1)).round()
    assert counts.adc.conversions.tolist() == [y.shape[1]] * n
    assert (counts.adc.saturated - (code.abs() > 15).sum(1)).abs().max() <= 2  # on a border
    assert (counts.adc.saturated > 0).all()
    assert counts.adc.share.tolist() == [k / y.shape[1] for k in counts.adc.saturated.tolist()]
    loading = (code.clamp(-15, 15).square().mean(1).sqrt() / 15).double()
    torch.testing.assert_close(counts.adc.loading, loading, rtol=1e-2, atol=0)
    loader = [(x, torch.zeros(len(x)))] * 2
    (twice,) = mho.saturation(net, loader).values()
    assert torch.equal(twice.adc.saturated, 2 * counts.adc.saturated)


def test_saturation_needs_a_batch() -> None:
    with pytest.raises(ValueError, match=r"saturation\.inputs = 'no batch': expected"):
        mho.saturation(twin("linear", hardware()), [])
