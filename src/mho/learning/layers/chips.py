"""One network on many chips."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor, nn


class Chips(nn.Module):
    """Runs one input through a network on many chips: (batch, ...) to (chips, batch, ...).

    The state of a plain network, whose entries are not named as those of `net` inside, is loaded
    into that.
    """

    def __init__(self, net: nn.Module, chips: int) -> None:
        super().__init__()
        self.net, self.chips = net, chips

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        plain = {f"{prefix}{name}" for name in self.net.state_dict()} & state_dict.keys()
        inside = f"{prefix}net."
        if plain and not any(name.startswith(inside) for name in state_dict):
            for name in plain:
                state_dict[inside + name.removeprefix(prefix)] = state_dict.pop(name)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

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
