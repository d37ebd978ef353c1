"""What recurrent layers and their cells share: states, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.fx import Proxy

from mho.errors import InvalidInput, invalid
from mho.learning.layers.chip_pass import current
from mho.learning.layers.composite import Composite, Part
from mho.learning.layers.graphs import check_not_recorded
from mho.learning.layers.inputs import check_input
from mho.learning.layers.steps import Step


class Recurrence(Composite):
    """A layer that steps through time, or one step of it.

    Attributes:
        input_size, hidden_size, bias: as in torch.
    """

    kind: ClassVar[Callable[..., nn.Module]]
    """The torch layer."""
    options: ClassVar[tuple[str, ...]]
    """What that is made with."""
    states: ClassVar[tuple[str, ...]] = ("h_0",)
    """What goes from step to step, as torch names its start."""

    input_size: int
    hidden_size: int
    bias: bool

    def step(self) -> Step:
        """What is digital in a step."""
        raise NotImplementedError

    def configure(self, module: nn.Module) -> None:
        """Take over sizes and options."""
        for name in self.options:
            setattr(self, name, getattr(module, name))

    def part(self, name: str) -> Part:
        """One of the layer's matrices."""
        part = self._modules[name]
        assert isinstance(part, Part)
        return part

    def _states_of(self, hx: Any) -> tuple[Tensor, ...]:
        """States as they were given, none if they were not."""
        if hx is None:
            return ()
        if len(self.states) == 1:
            return (hx,)
        if isinstance(hx, Proxy):
            check_not_recorded(self.label, hx, next(self.parameters()))  # type: ignore[arg-type]
        if not isinstance(hx, tuple | list) or len(hx) != len(self.states):
            raise invalid(f"{self.label} hx", hx, f"None, or tensors ({', '.join(self.states)})")
        return tuple(hx)

    # ---------------------------------------------------------------- what it refuses

    def _check_tensors(self, x: Any, given: Sequence[Any]) -> None:
        """Refuse what are no tensors of the weights' type and device; autocast changes the type."""
        weight = next(self.parameters())
        mixed = torch.is_autocast_enabled(weight.device.type)
        for name, each in zip(("", *self.states), (x, *given), strict=False):
            right = isinstance(each, Tensor) and each.device == weight.device
            if not right or not (each.is_floating_point() if mixed else each.dtype == weight.dtype):
                if isinstance(each, Proxy):
                    check_not_recorded(self.label, each, weight)  # type: ignore[arg-type]
                label = f"{self.label}: {name} as" if name else self.label
                check_input(label, each, weight)

    def _check_states(
        self, given: Sequence[Tensor], places: tuple[int, ...], widths: Sequence[int]
    ) -> None:
        """Refuse states that are not of shape (*places, width)."""
        for name, state, width in zip(self.states, given, widths, strict=False):
            if self._shape_of_one(name, state) != (*places, width):
                raise self._refused(name, state, str((*places, width)))

    def _shape_of_one(self, field: str, x: Tensor) -> tuple[int, ...]:
        """Shape of what one chip is given."""
        shape, lead = tuple(x.shape), self._lead()
        if lead and shape[:1] != lead:
            raise invalid(f"{self.label} {field}, of shape", shape, f"({lead[0]}, ...), chips")
        return shape[len(lead) :]

    def _refused(self, field: str, x: Tensor, allowed: str) -> InvalidInput:
        """The error for a shape that is not as allowed for one chip."""
        if lead := self._lead():
            allowed = f"{allowed}, after a first dimension of {lead[0]} chips"
        return invalid(f"{self.label} {field}, of shape", tuple(x.shape), allowed)

    def _lead(self) -> tuple[int, ...]:
        """Dimensions before those of one chip."""
        return (self.chips,) if current() is None and self.chips > 1 else ()
