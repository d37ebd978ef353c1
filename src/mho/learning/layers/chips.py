"""One network on many chips."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from mho.arguments import checked
from mho.config import Range
from mho.errors import invalid
from mho.learning.layers.inputs import check_input


class Chips(nn.Module):
    """Runs one input through a network on many chips: (batch, ...) to (chips, batch, ...).

    The state of a plain network, whose entries are not named as those of `net` inside, is loaded
    into that.
    """

    @checked
    def __init__(self, net: nn.Module, chips: Annotated[int, Range(least=1)]) -> None:
        super().__init__()
        self.net, self.chips = net, chips

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        if others := [name for name in state_dict if not isinstance(name, str)]:
            raise invalid("state_dict, name of an entry", others[0], "a text")
        plain = {f"{prefix}{name}" for name in self.net.state_dict()} & state_dict.keys()
        inside = f"{prefix}net."
        if plain and not any(name.startswith(inside) for name in state_dict):
            for name in plain:
                state_dict[inside + name.removeprefix(prefix)] = state_dict.pop(name)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def forward(self, x: Tensor) -> Shaped[Tensor, "{self.chips} batch ..."]:
        """Outputs of each chip, chips leading."""
        try:
            batch = x.shape[0]
            folded = x.expand(self.chips, *x.shape).flatten(0, 1)
        except (AttributeError, IndexError, TypeError, RuntimeError):
            check_input("network on chips", x)
            raise invalid("network on chips input, of shape", (), "(batch, ...)") from None
        return self.net(folded).unflatten(0, (self.chips, batch))


def at_once(chips: int, device: torch.device) -> int:
    """Inputs that are best run together on so many chips: what a CPU's caches, a GPU, can hold."""
    return max(1, (500 if device.type == "cpu" else 30_000) // chips)


def chip_count(net: nn.Module) -> int:
    """Chips that a network is simulated on; 1 if it is not."""
    return net.chips if isinstance(net, Chips) else 1
