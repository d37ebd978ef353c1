"""A part of a batch draws the noise, and counts the reads, that it has in the whole batch."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mho
from mho.errors import NotReady
from mho.hardware import philox
from mho.hardware.streams import key
from mho.learning.layers.batch_part import BatchPart, part_now, taking
from mho.learning.layers.layer import memristive_layers

NOISY = mho.cells.MultiLevel(g_min=1e-5, g_max=9e-5, levels=17, sigma=(1e-6,), read_noise=0.05)
SETTINGS: dict[str, dict[str, Any]] = {
    "noise": {},
    "converters": {"dac_bits": 6, "adc_bits": 6},
    "columns": {"dac_bits": 6, "adc_bits": 6, "adc_range": "column"},
    "tiles": {"dac_bits": 6, "adc_bits": 6, "tile": (5, 6), "adc_per_tile": True},
    "bit after bit": {"dac_bits": 4, "adc_bits": 6, "serial_inputs": True},
    "digits": {"adc_bits": 6, "slices": 2, "tile": (8, 16)},
    "digits of tiles": {"adc_bits": 6, "slices": 2, "tile": (5, 12), "adc_per_tile": True},
    "references": {"adc_bits": 6, "mapping": "offset"},
    "references of tiles": {"adc_bits": 6, "mapping": "offset", "tile": (5, 6),
                            "adc_per_tile": True},
    "errors through arrays": {"adc_bits": 6, "transposed": True},
    "wires": {"wire_resistance": 2.0},
}  # fmt: skip
SPLITS = [(5, 2), (1, 6), (3, 3, 1)]


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=2), nn.ReLU(),
        nn.Flatten(), nn.Linear(64, 7), nn.ReLU(), nn.Linear(7, 3),
    )  # fmt: skip


def converted(setting: str, x: Tensor, dtype: torch.dtype = torch.float32) -> nn.Module:
    hardware = mho.Hardware(device=NOISY, range_growth=1.0, **SETTINGS[setting])
    net = mho.convert(network(), hardware, generator=torch.Generator().manual_seed(3)).to(dtype)
    return mho.calibrate(net, x)


def counted(net: nn.Module) -> list[Any]:
    """Events of each layer."""
    layers = memristive_layers(net).values()
    return [mho.ledger(net).totals(), *(replace(layer.crossbar.counts) for layer in layers)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("setting", SETTINGS)
def test_parts_are_what_they_are_in_the_whole(setting: str, dtype: torch.dtype) -> None:
    sizes = SPLITS[len(setting) % len(SPLITS)]
    x = torch.randn(sum(sizes), 2, 6, 6, dtype=dtype)
    whole = converted(setting, x, dtype)
    parts = [copy.deepcopy(whole) for _ in sizes]
    y = whole(x)
    y.square().sum().backward()
    made, first = [], 0
    for net, size in zip(parts, sizes, strict=True):
        with taking(BatchPart(first, size, len(x))):
            made.append(net(x[first : first + size]))
        made[-1].square().sum().backward()
        first += size
    assert part_now() is None
    torch.testing.assert_close(torch.cat(made), y, rtol=1e-5, atol=1e-5)
    for each, *theirs in zip(*(net.parameters() for net in (whole, *parts)), strict=True):
        added = torch.stack([p.grad for p in theirs]).sum(0)
        torch.testing.assert_close(added, each.grad, rtol=1e-4, atol=1e-4)
    for net in parts:  # each counts the whole batch, so that the next read draws alike too
        assert counted(net) == counted(whole)


def test_numbers_of_a_stream_may_begin_anywhere() -> None:
    streams = [key(1), key(2)]
    every = philox.normals(streams, 700)
    for first in (0, 1, 127, 128, 300):
        torch.testing.assert_close(
            philox.normals(streams, 260, first=first), every[:, first : first + 260], rtol=0, atol=0
        )


def test_numbers_that_torch_makes_may_too(monkeypatch: pytest.MonkeyPatch) -> None:
    every = philox.normals([key(1)], 700)
    monkeypatch.setattr(philox, "allowed", lambda: False)
    for first in (0, 1, 127, 128, 300):
        torch.testing.assert_close(
            philox.normals([key(1)], 260, first=first), every[:, first : first + 260]
        )


def test_rows_that_are_no_samples_are_refused() -> None:
    x = torch.randn(6, 4)
    net = mho.convert(nn.Linear(4, 3), mho.Hardware(device=NOISY))
    with taking(BatchPart(0, 4, 8)), pytest.raises(ValueError, match="a multiple of the 4 samples"):
        net(x)
    assert mho.ledger(net).totals()["vectors"] == 0


def test_ranges_are_set_before() -> None:
    net = mho.convert(nn.Linear(4, 3), mho.Hardware(device=NOISY, adc_bits=6)).train()
    with taking(BatchPart(0, 4, 8)), pytest.raises(NotReady, match=r"call mho\.calibrate"):
        net(torch.randn(4, 4))


def test_parts_cover_a_batch() -> None:
    part = BatchPart(3, 2, 8)
    assert (part.of_whole(2), part.of_whole(18)) == (8, 72)
