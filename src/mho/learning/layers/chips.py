"""One network on many chips."""

from __future__ import annotations

import torch
from jaxtyping import Shaped
from torch import Tensor, nn


class Chips(nn.Module):
    """Runs one input through a network on many chips: (batch, ...) to (chips, batch, ...)."""

    def __init__(self, net: nn.Module, chips: int) -> None:
        super().__init__()
        self.net, self.chips = net, chips

    def forward(self, x: Shaped[Tensor, "batch ..."]) -> Shaped[Tensor, "{self.chips} batch ..."]:
        """Outputs of each chip, chips leading."""
        batch = x.shape[0]
        folded = x.expand(self.chips, *x.shape).flatten(0, 1)
        return self.net(folded).unflatten(0, (self.chips, batch))


def at_once(chips: int, device: torch.device) -> int:
    """Inputs that are best run together on so many chips: what a CPU's caches, a GPU, can hold."""
    return max(1, (500 if device.type == "cpu" else 30_000) // chips)


def chip_count(net: nn.Module) -> int:
    """Chips that a network is simulated on; 1 if it is not."""
    return net.chips if isinstance(net, Chips) else 1
