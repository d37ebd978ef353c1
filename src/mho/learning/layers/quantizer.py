"""From a float weight to one of n levels, with the gradient passed straight through."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mho.arguments import checked
from mho.errors import invalid
from mho.hardware.mapping import level_index, level_value
from mho.hardware.philox import uniforms
from mho.hardware.streams import key
from mho.learning.layers.graphs import check_not_recomputed, uncompiled
from mho.learning.layers.inputs import check_input


class Levels(nn.Module):
    """n-level quantizer with a straight-through gradient, for use as a parametrization.

    `quantize(layer, Levels(2))` makes the layer's weight binary while its float weight trains; the
    scale is the mean |w| of each layer for two levels, its largest |w| otherwise, unless given.

    Args:
        n: number of levels, at least 2.
        full_scale: weight of the outermost levels; None: as above.
    """

    @checked
    def __init__(self, n: int, full_scale: float | None = None) -> None:
        super().__init__()
        if n < 2:
            raise invalid("Levels.n", n, "at least 2")
        if full_scale is not None and not full_scale > 0:
            raise invalid("Levels.full_scale", full_scale, "above 0")
        self.n, self.full_scale = n, full_scale

    def forward(self, w: Tensor) -> Float[Tensor, "*n"]:
        """Quantized weight, same shape; the gradient is 1 inside the full scale, 0 outside.

        With two levels it is 1 where |w| <= 1, as in binarized networks.
        """
        if not isinstance(w, Tensor) or not w.is_floating_point():
            check_input("Levels", w)
        if not w.numel():
            return w
        size = w.detach().float().abs()
        if self.full_scale is not None:
            scale = size.new_tensor(self.full_scale)
        else:
            scale = (size.mean() if self.n == 2 else size.max()).clamp(min=1e-12)
        hard = level_value(level_index(w.detach(), scale, self.n), scale, self.n)
        edge = 1.0 if self.n == 2 else scale.item()
        soft = w.clamp(-edge, edge)
        return hard.to(w.dtype) + (soft - soft.detach())


class StochasticSign(nn.Module):
    """Two levels drawn at random in train mode, the sign in eval mode; for use as `Levels(2)`.

    `P(+1) = clip((w / width + 1) / 2, 0, 1)`, redrawn at each forward pass, with a straight-through
    gradient (Courbariaux et al. 2015, arXiv:1511.00363, eq. 2 and 3, where width is 1).

    Args:
        width: |weight| from which the sign is certain.
        seed: of the draws, which depend on it and on the number of passes alone.
    """

    @checked
    def __init__(self, width: float = 1.0, seed: int = 0) -> None:
        super().__init__()
        if not width > 0:
            raise invalid("StochasticSign.width", width, "above 0")
        self.width, self.seed = width, seed
        self.sign = Levels(2)
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    @uncompiled
    def forward(self, w: Tensor) -> Float[Tensor, "*n"]:
        """Binary weight, same shape."""
        if not isinstance(w, Tensor) or not w.is_floating_point():
            check_input("StochasticSign", w)
        if not self.training:
            return self.sign(w)
        check_not_recomputed("StochasticSign", "what it draws")
        self.step += 1
        stream = key(self.seed, "sign", int(self.step))
        chance = uniforms([stream], w.numel(), w.device).view(w.shape)
        wide = w.detach().float()
        raised = (wide / self.width + 1) / 2 > chance
        scale = wide.abs().mean().clamp(min=1e-12).to(w.dtype)
        soft = w.clamp(-1.0, 1.0)
        return torch.where(raised, scale, -scale) + (soft - soft.detach())


class Sign(nn.Module):
    """Binary activation: +1 from 0 on, else -1; the gradient is 1 where |x| <= 1, 0 elsewhere."""

    def forward(self, x: Tensor) -> Float[Tensor, "*n"]:
        """Signs, same shape."""
        if not isinstance(x, Tensor) or not x.is_floating_point():
            check_input("Sign", x)
        hard = torch.where(x.detach() >= 0, 1.0, -1.0).to(x.dtype)
        if not (torch.is_grad_enabled() and x.requires_grad):
            return hard
        soft = x.clamp(-1.0, 1.0)
        return hard + (soft - soft.detach())


@checked
def quantize(layer: nn.Module, *steps: nn.Module) -> nn.Module:
    """Register parametrizations (`Levels`, `Variation`, ...) on a layer's weight, in order."""
    for step in steps:
        parametrize.register_parametrization(layer, "weight", step, unsafe=True)
    return layer
