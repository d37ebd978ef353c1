"""Which weight stands at the edge of the cells' window, and whether 0 is one of the levels."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from mho.errors import invalid, silent, warn
from mho.hardware.hardware import Hardware

_NOTHING = 2.0**-100
"""Weights below that are taken for 0: their levels would be beyond float32."""

_HARMLESS = 2.0**-20
"""Full scale of a layer of zeros none of whose levels is 0."""

_SHARE = 0.05
"""Weights that are exactly 0 from which on it matters that no level is."""


def full_scale_of(w: Float[Tensor, "out in"], hardware: Hardware, layer: str) -> float:
    """Weight at the edge of the window: the largest, or `Hardware.full_scale` deviations about 0.

    A layer of zeros gets `1 / sqrt(in)`, as large as torch draws new weights, so that it can learn;
    where no level is 0 so little that it answers next to nothing.

    Args:
        w: finite weights.
        layer: name for errors.

    Raises:
        ValueError: weights so large that they overflow on their way through the cells.
    """
    if hardware.full_scale is None:
        size = w.abs().max().item()
    else:
        deviation = torch.linalg.vector_norm(w, dtype=torch.float64) / math.sqrt(w.numel())
        size = hardware.full_scale * deviation.item()
    if size < _NOTHING:
        return w.shape[1] ** -0.5 if hardware.levels % 2 else _HARMLESS
    low, high = hardware.device.window
    # Weights are siemens times `size / span`, in float32; imperfect cells land beyond the edge too.
    span = min(1.0, hardware.cells.span * (high - low))
    most = 0.5 * min(torch.finfo(w.dtype).max, torch.finfo(torch.float32).max * span)
    if size > most:
        raise invalid(f"{layer}.weight full scale", size, f"at most {most:.3g} in {w.dtype}")
    return size


def column_scales(w: Float[Tensor, "out in"], hardware: Hardware) -> Float[Tensor, " out"]:
    """Full scale of each column over that of the layer, `Hardware.full_scale_per` being "column".

    Weights divided by that all use the whole window, and have the layer's full scale in common. A
    column of zeros gets 1, so that it can learn; where no level is 0, next to nothing.

    Args:
        w: weights; of the numbers, float32 at least, those that are finite count.
    """
    w = w.to(torch.promote_types(w.dtype, torch.float32))
    if hardware.full_scale is None:
        sizes = w.abs().amax(1)
        whole = sizes.amax()
    else:
        sizes = torch.linalg.vector_norm(w, dim=1) / math.sqrt(w.shape[1])
        whole = torch.linalg.vector_norm(w) / math.sqrt(w.numel())
    if not _NOTHING < whole.item() < math.inf:
        return torch.ones_like(sizes)
    return torch.where(sizes > _NOTHING, sizes / whole, 1.0 if hardware.levels % 2 else _HARMLESS)


def warn_of_zeros(w: Float[Tensor, "out in"], hardware: Hardware, layer: str) -> None:
    """Warn where many weights are exactly 0 and no level is."""
    n = hardware.levels
    share = (w == 0).sum().item() / w.numel()
    if n % 2 == 1 or share <= _SHARE:
        return
    most = hardware.cells.weight_levels(hardware.device.states)
    odd = [k for k in range(3, most + 1, 2) if (most - 1) % (k - 1) == 0]
    nearest = sorted(sorted(odd, key=lambda k: abs(k - n))[:4])
    if nearest:
        instead = f"weight_levels={' or '.join(map(str, nearest))}"
    else:
        with silent():
            pairs = hardware.replace(mapping="differential", weight_levels=None)
        instead = f"mapping='differential' ({pairs.levels} levels)"
    warn(
        f"{layer}.weight: {share:.0%} of the weights are 0, but none of the {n} weight levels is "
        f"0: each such weight is held half a step above or below; {instead} has a level for 0"
    )
