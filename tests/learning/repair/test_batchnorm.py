"""Refreshed batch normalization: each chip its own statistics, nothing written."""

import pytest
import torch
from torch import Tensor, nn

import mho
from builders.cells import FIVE_LEVELS
from mho import Hardware
from mho.nn import ChipBatchNorm

DEVICE = FIVE_LEVELS.replace(sigma=(12e-6,))
HARDWARE = Hardware(device=DEVICE, tile=(16, 16), programming=mho.cells.OpenLoop())


@pytest.fixture
def model() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = nn.Sequential(
            nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
            nn.Linear(64, 5), nn.BatchNorm1d(5, affine=False),
        )  # fmt: skip
        nn.init.normal_(net[1].weight)
        nn.init.normal_(net[1].bias)
    return net.eval()


@pytest.fixture
def batches(generator: torch.Generator) -> list[Tensor]:
    return [torch.randn(20, 2, 6, 6, generator=generator) for _ in range(3)]


def test_each_chip_is_normalized_as_if_alone(model: nn.Module, batches: list[Tensor]) -> None:
    def refreshed(**options: int) -> nn.Module:
        generator = torch.Generator().manual_seed(2)
        net = mho.convert(model, HARDWARE, generator=generator, **options)
        mho.refresh_batchnorm(net, batches)
        return net.eval()

    y = refreshed(chips=3)(batches[0])
    for k in range(3):
        alone = refreshed(first_chip=k)(batches[0])
        # torch's running variance is the unbiased one.
        torch.testing.assert_close(y[k], alone, rtol=0.05, atol=0.05)
    assert (y[0] - y[1]).abs().max() > 0.2


def test_the_only_chip_of_its_network_is_the_one_that_it_is_among_others(
    model: nn.Module, batches: list[Tensor]
) -> None:
    def refreshed(chips: int, first_chip: int = 0) -> nn.Module:
        generator = torch.Generator().manual_seed(2)
        net = mho.convert(model, HARDWARE, chips, generator=generator, first_chip=first_chip)
        return mho.refresh_batchnorm(net, batches).eval()

    y = refreshed(3)(batches[0])
    for k in range(3):
        net = refreshed(1, k)
        assert torch.equal(net(batches[0]), y[k : k + 1])
        assert isinstance(mho.to_digital(net)[1], nn.BatchNorm2d)


def test_outputs_have_the_statistics_asked_for(model: nn.Module, batches: list[Tensor]) -> None:
    net = mho.convert(model, HARDWARE, 3)
    whole = torch.cat(batches)
    mho.refresh_batchnorm(net, [whole])
    net.eval()
    y = net(whole)
    torch.testing.assert_close(y.mean(1), torch.zeros(3, 5), rtol=0, atol=1e-4)
    torch.testing.assert_close(y.var(1, correction=0), torch.ones(3, 5), rtol=1e-3, atol=0)


def test_statistics_are_pooled_over_batches_and_start_anew(
    model: nn.Module, batches: list[Tensor]
) -> None:
    net = mho.convert(model, HARDWARE, 2)
    mho.refresh_batchnorm(net, batches)
    norm = net.net[1]
    assert isinstance(norm, ChipBatchNorm)
    with torch.no_grad():
        seen = [mho.nn.Chips(net.net[0], 2)(x) for x in batches]
    means = torch.stack([s.mean((1, 3, 4)) for s in seen]).mean(0)
    torch.testing.assert_close(norm.mean, means, rtol=1e-4, atol=1e-5)
    together = torch.cat(seen, dim=1).var((1, 3, 4), correction=0)
    torch.testing.assert_close(norm.variance, together, rtol=1e-4, atol=1e-5)
    once = norm.mean.clone()
    mho.refresh_batchnorm(net, batches)
    torch.testing.assert_close(norm.mean, once)


@pytest.mark.parametrize("training", [False, True])
def test_modes_momenta_and_cells_are_left_as_they_were(
    model: nn.Module, batches: list[Tensor], training: bool
) -> None:
    one = mho.convert(model, HARDWARE).train(training)
    many = mho.convert(model, HARDWARE, 2).train(training)
    writes = mho.ledger(many).totals()["writes"]
    for net in (one, many):
        mho.refresh_batchnorm(net, iter(batches))
        assert all(m.training == training for m in net.modules())
    assert one[1].momentum == 0.1
    assert mho.ledger(many).totals()["writes"] == writes


def test_gradients_reach_the_shadow_through_it(model: nn.Module, batches: list[Tensor]) -> None:
    net = mho.convert(model, HARDWARE, 2)
    mho.refresh_batchnorm(net, batches)
    net.train()
    net(batches[0]).square().sum().backward()
    assert net.net[0].weight.grad.abs().max() > 0
    assert net.net[1].weight.grad.abs().max() > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_plain_network_of_a_chip_has_its_statistics(
    model: nn.Module, batches: list[Tensor], dtype: torch.dtype
) -> None:
    batches = [x.to(dtype) for x in batches]
    net = mho.convert(model.to(dtype), HARDWARE, 3)
    mho.refresh_batchnorm(net, batches)
    y = net(batches[0])
    for k in range(3):
        plain = mho.to_digital(net, k)
        assert [type(m) for m in plain.modules()] == [type(m) for m in model.modules()]
        assert plain.state_dict().keys() == model.state_dict().keys()
        torch.testing.assert_close(plain(batches[0]), y[k], rtol=0, atol=2e-5)
        others = [(plain(batches[0]) - y[j]).abs().max() for j in range(3) if j != k]
        assert min(others) > 0.2
    with torch.no_grad():  # nothing is shared
        for tensor in plain.state_dict().values():
            tensor.zero_()
    assert torch.equal(net(batches[0]), y)
    with pytest.raises(ValueError, match="chip = None: expected a number: batch normalization"):
        mho.to_digital(net)


def test_there_must_be_something_to_refresh(model: nn.Module, batches: list[Tensor]) -> None:
    with pytest.raises(ValueError, match="net = a Linear: expected a network with batch norm"):
        mho.refresh_batchnorm(nn.Linear(2, 2), batches)
    with pytest.raises(ValueError, match="inputs = 'no batch': expected at least one batch"):
        mho.refresh_batchnorm(model, [])
