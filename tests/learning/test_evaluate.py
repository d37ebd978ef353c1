"""Accuracy of each chip, and the ranges of converters."""

import re
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mho
from builders.cells import FIVE_LEVELS
from mho import Hardware

DEVICE = FIVE_LEVELS.replace(sigma=(15e-6,))
HARDWARE = Hardware(device=DEVICE, tile=(8, 8), programming=mho.cells.OpenLoop())


@pytest.fixture
def model() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return nn.Sequential(nn.Linear(10, 12), nn.ReLU(), nn.Dropout(0.9), nn.Linear(12, 4))


@pytest.fixture
def loader(generator: torch.Generator) -> list[tuple[Tensor, Tensor]]:
    sizes = (7, 5, 1)
    return [
        (torch.randn(n, 10, generator=generator), torch.randint(4, (n,), generator=generator))
        for n in sizes
    ]


def test_accuracy_is_the_share_of_right_answers(
    model: nn.Module, loader: list, generator: torch.Generator
) -> None:
    net = mho.convert(model, HARDWARE, 5, generator=generator)
    accuracy = mho.evaluate(net, loader)
    net.eval()
    x, y = (torch.cat(part) for part in zip(*loader, strict=True))
    right = [
        [int(row.argmax()) == int(t) for row, t in zip(chip, y, strict=True)] for chip in net(x)
    ]
    assert accuracy.dtype == torch.float64
    assert accuracy.tolist() == [sum(chip) / 13 for chip in right]
    assert accuracy.unique().numel() > 1


def test_a_network_without_chips_has_one_accuracy(model: nn.Module, loader: list) -> None:
    model.eval()
    hits = sum(int((model(x).argmax(1) == y).sum()) for x, y in loader)
    assert mho.evaluate(model, loader).tolist() == [hits / 13]
    assert mho.evaluate(mho.convert(model, HARDWARE), loader).shape == (1,)


def test_modes_and_gradients_are_left_as_they_were(model: nn.Module, loader: list) -> None:
    net = mho.convert(model, HARDWARE, 2)
    net.train()
    net.net[2].eval()
    modes = [m.training for m in net.modules()]
    mho.evaluate(net, loader)
    assert [m.training for m in net.modules()] == modes
    assert torch.is_grad_enabled()
    with pytest.raises(ValueError, match="labels, of shape"):
        mho.evaluate(net, [(torch.zeros(2, 10), torch.zeros(3, dtype=torch.int64))])
    assert [m.training for m in net.modules()] == modes


def test_an_empty_loader_is_refused(model: nn.Module) -> None:
    with pytest.raises(ValueError, match="loader = 'no batch': expected at least one labelled"):
        mho.evaluate(mho.convert(model, HARDWARE), [])


@pytest.mark.parametrize("bits", [{"dac_bits": 6}, {"adc_bits": 6}])
def test_converters_without_range_name_the_remedy(
    model: nn.Module, loader: list, bits: dict[str, int]
) -> None:
    net = mho.convert(model, HARDWARE.replace(**bits), 2).eval()
    with pytest.raises(RuntimeError, match=r"6 bits and no range yet: call mho\.calibrate\(net, b"):
        net(loader[0][0])
    mho.calibrate(net, loader[0][0])
    assert net(loader[0][0]).shape == (2, 7, 4)


def test_evaluate_calibrates_on_its_first_batch(model: nn.Module, loader: list) -> None:
    hw = HARDWARE.replace(dac_bits=6, adc_bits=6)
    one, two = (mho.convert(model, hw, 2, generator=torch.Generator()) for _ in range(2))
    mho.calibrate(two, loader[0][0])
    assert torch.equal(mho.evaluate(one, loader), mho.evaluate(two, loader))
    for a, b in zip((one.net[0], one.net[3]), (two.net[0], two.net[3]), strict=True):
        assert torch.equal(a.dac.ranges, b.dac.ranges)
        assert torch.equal(a.adc.ranges, b.adc.ranges)


class Routed(nn.Module):
    """A second layer for some inputs alone, as an expert of a mixture."""

    def __init__(self) -> None:
        super().__init__()
        self.often, self.seldom = nn.Linear(10, 4), nn.Linear(10, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        layer = self.seldom if x[0, 0] < 0 else self.often
        return layer(x) + self.often(x)


@pytest.mark.parametrize("share", [0.5, "calibrated", "column"])
@pytest.mark.filterwarnings("ignore:the network runs chip by chip")
def test_ranges_that_there_are_stay_where_others_are_missing(
    share: Any, generator: torch.Generator
) -> None:
    x = torch.randn(12, 10, generator=generator)
    x[0, 0] = 1.0
    net = mho.convert(Routed(), HARDWARE.replace(dac_bits=6, adc_bits=6, adc_range=share), 2)
    mho.calibrate(net, x)
    often, seldom = (net.net.get_submodule(n).reading.converters for n in ("often", "seldom"))
    found = [converter.ranges for converter in often]
    assert not any(converter.ready for converter in seldom)
    mho.evaluate(net, [(-x / 2, torch.arange(12) % 4)])
    assert all(converter.ready for converter in seldom)
    mine = [converter.ranges for converter in often]
    assert all(torch.equal(one, other) for one, other in zip(mine, found, strict=True))


def test_calibration_covers_what_was_seen(model: nn.Module, generator: torch.Generator) -> None:
    x = torch.randn(64, 10, generator=generator)
    hw = HARDWARE.replace(dac_bits=8, adc_bits=8, tile=(64, 64))
    net = mho.convert(model, hw, 2, generator=torch.Generator())
    mho.calibrate(net, x)
    first = net.net[0]
    assert first.dac.ranges.tolist() == [x.abs().max().item()] * 2
    without = HARDWARE.replace(tile=(64, 64))
    exact = mho.convert(model, without, 2, generator=torch.Generator()).net[0]
    seen = mho.nn.Chips(exact, 2)(x).flatten(0, 1) - exact.bias
    by_chip = seen.unflatten(0, (2, -1)).abs().amax((1, 2)).tolist()
    assert first.adc.ranges.tolist() == pytest.approx(by_chip, rel=0.02)
    wide = first.dac.ranges[0]
    mho.calibrate(net, 0.5 * x)  # forgets the former range
    assert first.dac.ranges[0] == pytest.approx(0.5 * wide)
    part = mho.convert(model, hw.replace(coverage=0.9), 2)
    mho.calibrate(part, x)
    inside = (x.abs() <= part.net[0].dac.ranges[0]).double().mean().item()
    assert inside == pytest.approx(0.9, abs=0.002)


def test_a_chip_calibrates_as_if_alone(
    model: nn.Module, loader: list, generator: torch.Generator
) -> None:
    x = torch.randn(64, 10, generator=generator)
    hw = HARDWARE.replace(dac_bits=8, adc_bits=8)

    def calibrated(chips: int, first_chip: int) -> nn.Module:
        seeded = torch.Generator().manual_seed(3)
        net = mho.convert(model, hw, chips, generator=seeded, first_chip=first_chip)
        mho.calibrate(net, x)
        return net

    many = calibrated(4, 0)
    accuracy = mho.evaluate(many, loader)
    for k in range(4):
        alone = calibrated(1, k)
        for n in (0, 3):
            for mine, theirs in (
                (alone.net[n].dac, many.net[n].dac),
                (alone.net[n].adc, many.net[n].adc),
            ):  # at most one code of the layer before away
                torch.testing.assert_close(mine.ranges, theirs.ranges[k : k + 1], rtol=0.01, atol=0)
        assert mho.evaluate(alone, loader).item() == accuracy[k]
    assert max(many.net[3].dac.ranges) > 1.05 * min(many.net[3].dac.ranges)


def test_calibration_writes_no_cell(model: nn.Module, loader: list) -> None:
    net = mho.convert(model, HARDWARE.replace(adc_bits=8), 2)
    before = mho.ledger(net).totals()
    mho.calibrate(net, loader[0][0])
    after = mho.ledger(net).totals()
    assert after["writes"] == before["writes"]
    assert after["vectors"] == before["vectors"] + 2 * 2 * 7  # but reads are reads


def test_confusion_counts_every_answer_once(
    model: nn.Module, loader: list, generator: torch.Generator
) -> None:
    net = mho.convert(model, HARDWARE, 5, generator=generator).eval()
    counts = mho.confusion(net, loader)
    assert counts.shape == (5, 4, 4)
    x, y = (torch.cat(part) for part in zip(*loader, strict=True))
    wanted = torch.zeros(5, 4, 4, dtype=torch.int64)
    for chip, row in enumerate(net(x)):
        for answer, true in zip(row.argmax(1), y, strict=True):
            wanted[chip, true, answer] += 1
    assert torch.equal(counts, wanted)
    right = counts.diagonal(dim1=1, dim2=2).sum(1) / counts.sum((1, 2))
    torch.testing.assert_close(right.double(), mho.evaluate(net, loader), rtol=1e-6, atol=0)
    assert mho.confusion(model.eval(), loader).shape == (1, 4, 4)
    with pytest.raises(ValueError, match="at least one labelled batch"):
        mho.confusion(model, [])


# ------------------------------------------------------------------ calibration that is refused

BITS = {"dac_bits": 6, "adc_bits": 6}


def all_ranges(net: nn.Module) -> list[Tensor | None]:
    return [c.ranges for layer in (net.net[0], net.net[3]) for c in (layer.dac, layer.adc)]


def silenced(model: nn.Module) -> nn.Module:
    """No signal gets past the first layer."""
    with torch.no_grad():
        model[0].bias.fill_(-1e6)
    return model


def test_a_layer_that_sees_only_zeros_is_named_and_all_ranges_stay(
    model: nn.Module, loader: list
) -> None:
    x = loader[0][0]
    net = mho.convert(silenced(model), HARDWARE.replace(**BITS), 2)
    for given in (x, [x, x]):
        with pytest.raises(ValueError, match=r"values at the DAC of net\.3 = 'zero, all of them'"):
            mho.calibrate(net, given)
        assert all_ranges(net) == [None] * 4
    with pytest.raises(ValueError, match=r"values at the DAC of net\.3"):
        mho.evaluate(net, loader)
    assert all_ranges(net) == [None] * 4
    wanted = []
    for layer in (net.net[0], net.net[3]):
        for converter in (layer.dac, layer.adc):
            converter.ranges = [1.0, 2.0]
            wanted.append(converter.ranges)
    with pytest.raises(ValueError, match=r"values at the DAC of net\.3"):
        mho.calibrate(net, x)
    assert all(torch.equal(a, b) for a, b in zip(all_ranges(net), wanted, strict=True))
    assert not net.net[0].dac.calibrating


def test_a_loader_that_fails_leaves_all_ranges(model: nn.Module, loader: list) -> None:
    def failing() -> Iterator[Tensor]:
        yield 9 * loader[0][0]
        raise OSError("the disk is gone")

    net = mho.convert(model, HARDWARE.replace(**BITS, adc_range=0.5), 2)
    mho.calibrate(net, loader[0][0])
    before = all_ranges(net)
    with pytest.raises(OSError, match="disk"):
        mho.calibrate(net, failing())
    assert all(torch.equal(a, b) for a, b in zip(all_ranges(net), before, strict=True))


def test_evaluate_refuses_to_calibrate_on_what_is_not_finite(
    model: nn.Module, loader: list
) -> None:
    net = mho.convert(model, HARDWARE.replace(**BITS), 2)
    x, y = loader[0]
    with pytest.raises(ValueError, match=r"calibrate\.inputs = 'nan or inf'"):
        mho.evaluate(net, [(x / 0, y)])
    assert all_ranges(net) == [None] * 4


def test_too_many_zeros_for_the_coverage_are_refused(model: nn.Module) -> None:
    x = torch.zeros(8, 10)
    x[:2] = 1.0
    net = mho.convert(model, HARDWARE.replace(**BITS, coverage=0.6), 2)
    with pytest.raises(ValueError, match=r"the DAC of net\.0 = 'zero, 0\.6 \(coverage\) of them'"):
        mho.calibrate(net, x)


def test_a_column_that_sees_only_zeros_takes_the_widest_range(model: nn.Module) -> None:
    ideal = FIVE_LEVELS.replace(sigma=(0.0,))
    with torch.no_grad():
        model[0].weight[3] = 0.0
    for adc_per_tile in (True, False):
        hw = HARDWARE.replace(
            device=ideal, **BITS, adc_range="column", adc_per_tile=adc_per_tile, tile=(8, 64)
        )
        net = mho.convert(model, hw, 2)
        mho.calibrate(net, torch.randn(30, 10))
        ranges = net.net[0].adc.ranges
        assert (ranges[..., 3] == ranges.max()).all()
        assert (ranges > 0).all()


def test_a_chip_that_sees_only_zeros_takes_the_widest_range(model: nn.Module) -> None:
    net = mho.convert(model, HARDWARE.replace(**BITS), 3)
    net.net[0].store.effective[1] = 0.0
    mho.calibrate(net, torch.randn(30, 10))
    ranges = net.net[0].adc.ranges
    assert ranges[1] == ranges.max() > 0


# ------------------------------------------------------------------ warnings of saturation

KINDS = {
    "calibrated": (BITS, r"layer 'net\.0': .* at its DAC saturate.*; mho\.calibrate\(net, batch"),
    "column": (
        BITS | {"adc_range": "column", "dac_bits": None},
        r"layer 'net\.0': .* at its ADC saturate.*; mho\.calibrate\(net, batch",
    ),
    "DAC by design": (BITS | {"dac_range": 0.3}, r"at its DAC .*; a larger Hardware\.dac_range"),
    "ADC by design": (BITS | {"adc_range": 1e-3}, r"at its ADC .*; a larger Hardware\.adc_range"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_evaluate_warns_once_of_what_saturates(model: nn.Module, kind: str) -> None:
    x, y = torch.randn(50, 10), torch.randint(4, (50,))
    options, said = KINDS[kind]
    net = mho.convert(model, HARDWARE.replace(**options), 2)
    mho.calibrate(net, 0.3 * x)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mho.evaluate(net, [(x, y)])
        first = [str(w.message) for w in caught]
        mho.evaluate(net, [(x, y)])
        mho.confusion(net, [(x, y)])
    assert any(re.search(said, message) for message in first)
    assert len({message.split(":")[0] for message in first}) <= 2  # of two layers
    assert len(caught) == len(first)
    if kind == "calibrated":
        mho.calibrate(net, x)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            mho.evaluate(net, [(x, y)])


def test_evaluate_does_not_warn_of_what_the_coverage_allows(model: nn.Module) -> None:
    x, y = torch.randn(400, 10), torch.randint(4, (400,))
    net = mho.convert(model, HARDWARE.replace(**BITS, coverage=0.9), 2)
    mho.calibrate(net, x)
    mho.evaluate(net, [(x, y)])
    mho.evaluate(net, [(1.1 * x, y)])


def test_a_later_batch_or_one_chip_alone_is_warned_of(model: nn.Module) -> None:
    x, y = torch.randn(50, 10), torch.randint(4, (50,))
    net = mho.convert(model, HARDWARE.replace(**BITS), 2)
    mho.calibrate(net, x)
    with pytest.warns(UserWarning, match="saturate"):
        mho.evaluate(net, [(x, y), (9 * x, y)])
    net = mho.convert(model, HARDWARE.replace(**BITS), 20)
    mho.calibrate(net, x)
    ranges = net.net[0].adc.ranges
    net.net[0].adc.ranges = torch.cat((ranges[:1] / 20, ranges[1:]))
    with pytest.warns(UserWarning, match="saturate"):
        mho.evaluate(net, [(x, y)])
