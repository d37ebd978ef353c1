"""Many chips, a few at a time, are the chips that all at once would be."""

import warnings
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mho
from mho.learning import in_chunks as module
from mho.learning.convert import planned
from mho.learning.in_chunks import bytes_of_a_chip
from mho.learning.layers.chips import chip_count
from mho.nn import ArrayLayer

CHIPS = 7
X, LABELS = torch.rand(40, 20, generator=torch.Generator().manual_seed(5)), torch.arange(40) % 4
HFO2 = mho.devices.get("hfo2-1t1r")
KINDS: dict[str, mho.Hardware] = {
    "exact": mho.Hardware(device=HFO2),
    "converters": mho.Hardware(device=HFO2, dac_bits=6, adc_bits=6, tile=(8, 8)),
    "columns": mho.Hardware(device="pcm-gst", adc_bits=6, adc_per_tile=True),
    "slices": mho.Hardware(device=HFO2, slices=2, adc_bits=8),
    "wires": mho.Hardware(device=HFO2, wire_resistance=2.0, tile=(16, 16)),
}


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(20, 12), nn.ReLU(), nn.Linear(12, 4)).eval()


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(2)


def chunks(kind: str = "exact", chips: int = CHIPS, **how: Any) -> Iterator[nn.Module]:
    return mho.in_chunks(network(), KINDS[kind], chips, generator=generator(), **how)


def weights(net: nn.Module) -> list[Tensor]:
    return [m.effective for m in net.modules() if isinstance(m, ArrayLayer)]


def measured(net: nn.Module) -> tuple[Tensor, ...]:
    """Accuracy, weights, outputs and pulses of each chip, chips first."""
    accuracy = mho.evaluate(net, [(X, LABELS)])
    counts = mho.ledger(net).pulses_per_cell()
    with torch.no_grad():
        return accuracy, *weights(net), net(X), counts


@pytest.mark.parametrize("most", [1, 2, 3, CHIPS, 100])
@pytest.mark.parametrize("kind", KINDS)
def test_chips_are_the_same_in_chunks_of_any_size(kind: str, most: int) -> None:
    whole = mho.convert(network(), KINDS[kind], CHIPS, generator=generator())
    parts = [measured(net) for net in chunks(kind, most=most)]
    assert len(parts) == -(-CHIPS // most)
    for mine, theirs in zip(measured(whole), zip(*parts, strict=True), strict=True):
        assert torch.equal(mine, torch.cat(theirs))


def test_what_comes_after_is_the_same_too() -> None:
    def after(net: nn.Module) -> Tensor:
        mho.calibrate(net, X)
        mho.age(net, "1 day")
        mho.tune(net, X, per="column")
        return mho.evaluate(net, [(X, LABELS)])

    whole = mho.convert(network(), KINDS["columns"], CHIPS, generator=generator())
    assert torch.equal(after(whole), torch.cat([after(net) for net in chunks("columns", most=2)]))


def bytes_of(kind: str) -> float:
    return bytes_of_a_chip(planned(network(), KINDS[kind], strict=False))


@pytest.mark.parametrize("kind", KINDS)
def test_memory_says_how_many_chips_are_in_a_chunk(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = bytes_of(kind)

    def sizes(**how: Any) -> list[int]:
        return [chip_count(net) for net in chunks(kind, **how)]

    assert sizes(memory=int(3.5 * each)) == [3, 3, 1]
    assert sizes(memory=1) == [1] * CHIPS
    monkeypatch.setattr(module, "unused", lambda _device: int(4 * 5.5 * each))
    assert sizes() == [5, 2]
    assert sizes(most=4) == [4, 3]


@pytest.mark.parametrize("kind", KINDS)
def test_a_chip_takes_what_it_is_said_to_take(kind: str) -> None:
    model = nn.Sequential(nn.Linear(96, 64, bias=False))

    def taken(chips: int) -> int:
        net = mho.convert(model, KINDS[kind], chips, generator=generator())
        layer = next(m for m in net.modules() if isinstance(m, ArrayLayer))
        digits = 0 if layer.store.levels < 20 else layer.store.by_digit().nbytes
        return sum(b.nbytes for b in net.buffers()) + layer.effective.nbytes + digits

    said = bytes_of_a_chip(planned(model, KINDS[kind], strict=False))
    assert 1.0 < said / (taken(5) - taken(4)) < 1.5


def test_a_part_of_the_chips_begins_where_it_says() -> None:
    whole = torch.cat([weights(net)[0] for net in chunks(most=4)])
    later = torch.cat([weights(net)[0] for net in chunks(chips=4, first_chip=3, most=3)])
    assert torch.equal(whole[3:], later)


def test_what_cannot_be_is_refused_at_once_and_draws_nothing() -> None:
    source = generator()
    before = source.get_state()
    with pytest.raises(ValueError, match=r"model"):
        mho.in_chunks(nn.ReLU(), KINDS["exact"], 3, generator=source)
    with pytest.raises(ValueError, match=r"chips"):
        mho.in_chunks(network(), KINDS["exact"], 0, generator=source)
    assert torch.equal(source.get_state(), before)


class Scaled(nn.Module):
    """A layer of its own kind."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, 4))


def test_what_stays_digital_is_warned_of_once() -> None:
    model = nn.Sequential(nn.Linear(4, 4), Scaled())
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        for _ in mho.in_chunks(model, KINDS["exact"], 3, most=1):
            pass
    assert len(found) == 1
    assert "stay digital" in str(found[0].message)
    with pytest.raises(ValueError, match=r"strictly"):
        mho.in_chunks(model, KINDS["exact"], 3, strict=True)


def test_a_chunk_is_let_go_before_the_next_but_one() -> None:
    seen: list[weakref.ref[nn.Module]] = []
    for net in chunks(most=1):
        seen.append(weakref.ref(net))
        del net
    alive = [each for each in seen if each() is not None]
    assert len(alive) <= 1
