"""Quantized and noisy weights: compiled, as in torch."""

import pytest
import torch
from torch import nn

import mho
from mho import kernels
from mho.hardware.mapping import level_index, level_value
from mho.learning.noise_aware.noise_aware import noise_aware

HARDWARE = {
    "few levels": mho.Hardware(device="pcm-gst"),
    "an even number": mho.Hardware(device="hfo2-1t1r", mapping="single", weight_levels=9),
    "more levels than rows": mho.Hardware(
        device=mho.cells.MultiLevel(g_min=1e-6, g_max=9e-5, levels=1500, sigma=(1e-6,))
    ),
}


@pytest.mark.parametrize("hardware", HARDWARE.values(), ids=HARDWARE)
@pytest.mark.parametrize("per", ["layer", "column"])
def test_both_ways_give_the_same_weights(hardware: mho.Hardware, per: str) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(300, 40)
    with torch.no_grad():
        linear.weight[:, ::5] = 0.0  # between two levels, where their number is even
    nets = [
        noise_aware(linear, hardware, generator=torch.Generator().manual_seed(3), clip_per=per)  # type: ignore[arg-type]
        for _ in range(2)
    ]
    for mode in (True, False):
        compiled = nets[0].train(mode).weight
        with kernels.off():
            in_torch = nets[1].train(mode).weight
        torch.testing.assert_close(compiled, in_torch, atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize("hardware", HARDWARE.values(), ids=HARDWARE)
def test_levels_are_those_that_chips_are_programmed_to(hardware: mho.Hardware) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(300, 40)
    net = noise_aware(linear, hardware, clip=None).eval()
    edge = linear.weight.detach().abs().max()
    index = level_index(linear.weight.detach(), edge, hardware.levels)
    expected = level_value(index, edge, hardware.levels)
    torch.testing.assert_close(net.weight, expected, atol=1e-7, rtol=1e-5)
