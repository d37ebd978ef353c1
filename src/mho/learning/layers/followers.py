"""Who has to know that the weights of a layer were set from outside, or moved elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

from torch import Tensor, nn


class Follower(Protocol):
    """What remembers something of a layer between its steps, such as a `WriteStep`."""

    def restored(self, layer: nn.Module) -> None:
        """The layer's weight was set anew: no movement from where it was."""

    def moved(self, layer: nn.Module, fn: Callable[[Tensor], Tensor]) -> None:
        """The layer was cast, or moved to another device, by `fn`."""


class Followers(WeakSet[Follower] if TYPE_CHECKING else WeakSet):
    """Followers of one layer, as long as they live; a copy or a pickle of the layer has none."""

    def __reduce__(self) -> tuple[type[Followers], tuple[()]]:
        return Followers, ()
