"""Batch normalization expected on chips of a kind, from simulated ones."""

import pytest
import torch
from torch import nn

import mho
from mho import Hardware
from mho.cells import Resistance, Spread, TwoState

CELL = TwoState(
    r_on=Resistance(mean=10e3, device=Spread(cov=0.6)),
    r_off=Resistance(mean=100e3, device=Spread(cov=0.6)),
)
HARDWARE = Hardware(device=CELL, programming=mho.cells.OpenLoop(), weight_levels=2)


def model() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(30, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Linear(20, 3))


def test_it_has_the_statistics_that_unseen_chips_show_on_average() -> None:
    net = model()
    x = torch.rand(300, 30, generator=torch.Generator().manual_seed(2))
    before = {k: v.clone() for k, v in net.state_dict().items()}
    out = mho.expect_batchnorm(
        net, HARDWARE, [x], chips=200, generator=torch.Generator().manual_seed(3)
    )
    others = mho.convert(net, HARDWARE, 200, generator=torch.Generator().manual_seed(4))
    mho.refresh_batchnorm(others, [x])
    seen = others.net[1]
    error = 5 * seen.mean.std(0) / 200**0.5
    assert ((out[1].running_mean - seen.mean.mean(0)).abs() <= error).all()
    ratio = out[1].running_var / seen.variance.mean(0)
    assert ((ratio - 1).abs() < 0.25).all()
    assert type(out[0]) is nn.Linear
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name]), "the model is untouched"


def test_nothing_to_normalize_is_refused() -> None:
    with pytest.raises(ValueError, match="a network with batch normalization"):
        mho.expect_batchnorm(nn.Linear(3, 2), HARDWARE, [torch.rand(4, 3)])
