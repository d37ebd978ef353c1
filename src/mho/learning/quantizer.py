"""From a float weight to one of n levels, with the gradient passed straight through."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mho.errors import invalid
from mho.hardware import Hardware
from mho.hardware.streams import ChipNoise, key


def level_index(
    w: Float[Tensor, "*n"], full_scale: float | Float[Tensor, ""], n: int
) -> Int64[Tensor, "*n"]:
    """Index 0 .. n - 1 of the level nearest to w, int64; levels are even in [-full_scale, +].

    Two levels give the sign; a weight of exactly 0 goes to the positive level then.
    """
    k = w.div(full_scale).add_(1).mul_((n - 1) / 2).add_(0.5).floor_()
    return k.clamp_(0, n - 1).long()


def level_value(
    index: Int[Tensor, "*n"], full_scale: float | Float[Tensor, ""], n: int
) -> Float[Tensor, "*n"]:
    """Weight that a level stands for: `(2 k / (n - 1) - 1) full_scale`."""
    return (index * (2 / (n - 1)) - 1) * full_scale


class Levels(nn.Module):
    """n-level quantizer with a straight-through gradient, for use as a parametrization.

    `quantize(layer, Levels(2))` makes the layer's weight binary while its float weight trains; the
    scale is the mean |w| of each layer for two levels, its largest |w| otherwise, unless given.

    Args:
        n: number of levels, at least 2.
        full_scale: weight of the outermost levels; None: as above.
    """

    def __init__(self, n: int, full_scale: float | None = None) -> None:
        super().__init__()
        if n < 2:
            raise invalid("Levels.n", n, "at least 2")
        if full_scale is not None and not full_scale > 0:
            raise invalid("Levels.full_scale", full_scale, "above 0")
        self.n, self.full_scale = n, full_scale

    def forward(self, w: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Quantized weight, same shape; the gradient is 1 inside the full scale, 0 outside.

        With two levels it is 1 where |w| <= 1, as in binarized networks.
        """
        size = w.detach().abs()
        if self.full_scale is not None:
            scale = size.new_tensor(self.full_scale)
        else:
            scale = (size.mean() if self.n == 2 else size.max()).clamp(min=1e-12)
        hard = level_value(level_index(w.detach(), scale, self.n), scale, self.n)
        soft = w.clamp(-1.0, 1.0) if self.n == 2 else w.clamp(-scale, scale)
        return hard + (soft - soft.detach())


class Variation(nn.Module):
    """Adds the spread of cells that will hold the weight, redrawn at each training step.

    Placed after `Levels`, it turns training variation-aware: in train mode the weight that the
    forward pass sees is one that a chip with these cells could have, in eval mode it is untouched.
    """

    def __init__(self, hardware: Hardware, seed: int = 0) -> None:
        super().__init__()
        self.hardware, self.seed = hardware, seed
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def forward(self, w: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Weight as one chip would hold it; straight-through gradient."""
        if not self.training:
            return w
        self.step += 1
        drawn = sample(w.detach(), self.hardware, key(self.seed, int(self.step)))
        return drawn + (w - w.detach())


def sample(w: Float[Tensor, "*n"], hardware: Hardware, seed: int) -> Float[Tensor, "*n"]:
    """One chip's version of a weight (any shape): quantized, mapped, programmed once, read back."""
    device, cells = hardware.device, hardware.cells
    scale = w.abs().max().clamp(min=1e-12)
    index = level_index(w, scale, hardware.levels)
    level = cells.levels(index.reshape(1, -1), hardware.levels, device.states)
    noise = ChipNoise(seed, range(1), ("sample",), tuple(level.shape), level.device)
    g = hardware.programming.program(device, level[None], device.traits(noise), noise).conductance
    low, high = device.window
    signed = cells.fold(g, index.numel(), device.window)
    return signed.view_as(w) * (scale / (cells.reach * (high - low)))


def quantize(layer: nn.Module, *steps: nn.Module) -> nn.Module:
    """Register parametrizations (`Levels`, `Variation`, ...) on a layer's weight, in order."""
    for step in steps:
        parametrize.register_parametrization(layer, "weight", step, unsafe=True)
    return layer
