"""Variation-aware training: the weight as chips would hold it, redrawn at each step."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mho.arguments import checked
from mho.hardware import Hardware
from mho.hardware.philox import words
from mho.hardware.streams import ChipNoise, key
from mho.learning.layers.graphs import check_not_recomputed, uncompiled
from mho.learning.layers.inputs import check_input
from mho.learning.layers.quantizer import level_index

POOL = 1 << 16
"""Weights of each level that are made once, to be drawn from at every step."""


class Variation(nn.Module):
    """Replaces each quantized weight by one that a chip with these cells could hold.

    Placed after `Levels`, it turns training variation-aware: in train mode each forward pass sees
    another chip, in eval mode the weight is untouched. The gradient passes straight through.
    Defects and placement are left aside.

    Args:
        hardware: the kind of chip.
        seed: of the draws, which depend on it and on the number of passes alone.
    """

    @checked
    def __init__(self, hardware: Hardware, seed: int = 0) -> None:
        super().__init__()
        self.hardware, self.seed = hardware, seed
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self._pool: WeightPool | None = None

    @uncompiled
    def forward(self, w: Tensor) -> Float[Tensor, "*n"]:
        """Weight as one chip would hold it, same shape."""
        if not isinstance(w, Tensor) or not w.is_floating_point():
            check_input("Variation", w)
        if not self.training or not w.numel():
            return w
        check_not_recomputed("Variation", "what it draws")
        if self._pool is None or self._pool.signed.device != w.device:
            self._pool = WeightPool(self.hardware, key(self.seed, "pool"), w.device)
        self.step += 1
        drawn = self._pool.sample(w.detach(), key(self.seed, int(self.step)))
        return drawn + (w - w.detach())


class WeightPool:
    """Many weights of every level, each programmed once on cells of its own.

    Drawing from the pool costs one random number a weight, whatever the physics of the cell.

    Attributes:
        signed (levels, POOL): weights, in units of the full scale.
    """

    def __init__(self, hardware: Hardware, seed: int, device: torch.device | str = "cpu") -> None:
        cell, mapping, n = hardware.device, hardware.cells, hardware.levels
        low, high = cell.window
        self.levels = n
        rows = []
        for k in range(n):
            index = torch.full((POOL, 1), k)
            level = mapping.levels(index, n, cell.states)
            noise = ChipNoise(seed, range(1), ("pool", k), tuple(level.shape))
            made = hardware.writing.program(cell, level[None], cell.traits(noise), noise)
            signed = mapping.fold(made.conductance, 1, cell.window).flatten()
            rows.append(signed / (mapping.span * (high - low)))
        self.signed = torch.stack(rows).to(device)

    def sample(self, w: Float[Tensor, "*n"], stream: int) -> Float[Tensor, "*n"]:
        """One chip's version of a weight of any shape: to the nearest level, then drawn."""
        scale = w.abs().max().clamp(min=1e-12)
        n = w.numel()
        halves = words([stream], (n + 1) // 2, w.device)[0].view(torch.int16)[:n]
        which = halves.view(w.shape).to(torch.int64) & (POOL - 1)
        which += level_index(w, scale, self.levels) * POOL
        return self.signed.to(w.dtype).view(-1)[which] * scale
