"""Accuracy over time is what ageing, repairing and measuring by hand give."""

import copy

import pytest
import torch
from torch import Tensor, nn

import mho

DAY = 86400.0
HARDWARE = mho.Hardware(device="pcm-gst", dac_bits=8, adc_bits=8)


def setting(chips: int | None = 4) -> tuple[nn.Module, list[tuple[Tensor, Tensor]], Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(12, 20), nn.ReLU(), nn.Linear(20, 5))
        x = torch.randn(200, 12)
        y = model(x).argmax(1)
    net = mho.convert(model, HARDWARE, chips, generator=torch.Generator().manual_seed(2))
    return mho.calibrate(net, x), [*zip(x.split(50), y.split(50), strict=True)], x


@pytest.mark.parametrize("chips", [4, None])
def test_it_is_what_one_gets_by_hand(chips: int | None) -> None:
    net, loader, x = setting(chips)
    before = copy.deepcopy(net.state_dict())
    got = mho.evaluate_over_time(net, loader, [0, DAY, "1 month"])
    tuned = mho.evaluate_over_time(
        net, loader, [0, DAY, "1 month"], lambda aged: mho.tune(aged, x, reference=net)
    )
    assert got.shape == tuned.shape == (3, chips or 1)
    for k, seconds in enumerate((0, DAY, 365.25 / 12 * DAY)):
        aged = copy.deepcopy(net)
        if seconds:
            mho.age(aged, seconds)
        assert torch.equal(got[k], mho.evaluate(copy.deepcopy(aged), loader))
        assert torch.equal(tuned[k], mho.evaluate(mho.tune(aged, x, reference=net), loader))
    after = net.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_calibrated_network_runs_through_the_loader_once_a_time() -> None:
    net, pairs, _ = setting(None)
    begun = []

    class Counted(list):
        def __iter__(self):
            begun.append(1)
            return super().__iter__()

    mho.evaluate_over_time(net, Counted(pairs), [0, DAY])
    assert len(begun) == 2


def test_a_loader_that_runs_once_and_a_single_pair_will_do() -> None:
    net, loader, x = setting()
    y = torch.cat([labels for _, labels in loader])
    expected = mho.evaluate_over_time(net, loader, [0, DAY])
    assert torch.equal(mho.evaluate_over_time(net, iter(loader), [0, DAY]), expected)
    assert torch.equal(mho.evaluate_over_time(net, (x, y), [0, DAY]), expected)


def test_ranges_that_are_missing_are_those_of_now() -> None:
    net, loader, _ = setting()
    new = mho.convert(mho.to_digital(net), HARDWARE, 4, generator=torch.Generator().manual_seed(2))
    ranged = mho.calibrate(copy.deepcopy(new), loader[0][0])
    got = mho.evaluate_over_time(new, loader, [DAY])
    assert torch.equal(got, mho.evaluate_over_time(ranged, loader, [DAY]))
    assert all(layer.dac.ranges is None for layer in mho.nn.memristive_layers(new).values())


def test_a_repair_may_return_another_network() -> None:
    net, loader, x = setting()
    got = mho.evaluate_over_time(net, loader, [0], lambda aged: mho.fixed_point(aged, 12, x))
    assert torch.equal(got[0], mho.evaluate(mho.fixed_point(copy.deepcopy(net), 12, x), loader))


@pytest.mark.parametrize(
    ("times", "message"),
    [([], "times"), ([-1.0], "times"), (["soon"], "times"), ([float("nan")], "times")],
)
def test_times_that_cannot_be_are_refused(times: list, message: str) -> None:
    net, loader, _ = setting()
    with pytest.raises(ValueError, match=message):
        mho.evaluate_over_time(net, loader, times)


def test_a_network_that_is_not_on_chips_is_refused() -> None:
    with pytest.raises(ValueError, match=r"mho\.convert"):
        mho.evaluate_over_time(nn.Linear(3, 2), [], [0])
