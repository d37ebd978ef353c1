"""Single steps of recurrent layers, for who steps through time in a forward pass of his own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from mho.arguments import checked
from mho.hardware import Hardware
from mho.learning.layers.composite import Entries
from mho.learning.layers.graphs import uncompiled
from mho.learning.layers.layer import Size
from mho.learning.layers.recurrence import Recurrence
from mho.learning.layers.steps import Step, gru_step, lstm_step, relu_step, tanh_step

_OPTIONS = ("input_size", "hidden_size", "bias")
"""Of all torch's recurrent cells."""


class MemristiveRNNCellBase(Recurrence):
    """What `nn.RNNCell`, `nn.LSTMCell` and `nn.GRUCell` on arrays share.

    The parts are `ih`, the product with the inputs, and `hh`, that with the state; each is read
    once a call. Gates are digital.

    Attributes:
        input_size, hidden_size, bias: as in torch.
    """

    def entries(self) -> Entries:
        """Each parameter of the torch layer is one of a part's."""
        whose = [(what, part) for part in ("ih", "hh") for what in ("weight", "bias")]
        return {f"{what}_{part}": (f"{part}.{what}",) for what, part in whose}

    def driven(self) -> tuple[str, ...]:
        """The product with the inputs."""
        return ("ih",)

    def plain(self, bias: bool) -> nn.Module:
        """The torch layer."""
        options: dict[str, Any] = {name: getattr(self, name) for name in self.options}
        return self.kind(**options | {"bias": bias}, device="meta")

    def extra_repr(self) -> str:
        """Torch's line, with the chips."""
        line = nn.RNNCellBase.extra_repr(self)  # type: ignore[arg-type]
        return f"{line}, chips={self.chips}"

    @uncompiled
    def forward(self, input: Tensor, hx: Any = None) -> Any:
        """As of the torch layer: the state after a step, from zeros if none is given."""
        given = self._states_of(hx)
        self._check_tensors(input, given)
        shape, inputs = self._shape_of_one("input", input), self.input_size
        if len(shape) not in (1, 2) or shape[-1] != inputs:
            raise self._refused("input", input, f"(batch, {inputs}) or ({inputs},)")
        self._check_states(given, shape[:-1], (self.hidden_size,) * len(self.states))
        made = self.run(input, *given)
        return made if len(self.states) > 1 else made[0]

    def compute(self, x: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        """Next state (chips, ..., hidden) of inputs (chips, ..., in) and, if given, a state."""
        batched = x.dim() == 3
        if not batched:
            x, given = x.unsqueeze(1), tuple(state.unsqueeze(1) for state in given)
        zeros = x.new_zeros(*x.shape[:2], self.hidden_size)
        state = given or (zeros,) * len(self.states)
        state = self.step()(self.part("ih").read(x), self.part("hh").read(state[0]), state)
        return state if batched else tuple(each.squeeze(1) for each in state)


class MemristiveRNNCell(MemristiveRNNCellBase):
    """`nn.RNNCell` on memristors: `h = tanh(W_ih x + W_hh h)`, or relu.

    Args:
        as in torch; hardware, chips, generator as in `MemristiveLinear`.
    """

    kind: ClassVar[Callable[..., nn.Module]] = nn.RNNCell
    options: ClassVar[tuple[str, ...]] = (*_OPTIONS, "nonlinearity")
    nonlinearity: str

    @checked
    def __init__(
        self,
        input_size: Size,
        hidden_size: Size,
        bias: bool = True,
        nonlinearity: Literal["tanh", "relu"] = "tanh",
        *,
        hardware: Hardware,
        chips: Size = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        plain = nn.RNNCell(input_size, hidden_size, bias, nonlinearity)
        self._install(plain, hardware, chips, generator)

    def step(self) -> Step:
        """Of the nonlinearity."""
        return tanh_step if self.nonlinearity == "tanh" else relu_step


class MemristiveLSTMCell(MemristiveRNNCellBase):
    """`nn.LSTMCell` on memristors: four gates of each hidden unit.

    Args:
        as in torch; hardware, chips, generator as in `MemristiveLinear`.
    """

    kind: ClassVar[Callable[..., nn.Module]] = nn.LSTMCell
    options: ClassVar[tuple[str, ...]] = _OPTIONS
    states: ClassVar[tuple[str, ...]] = ("h_0", "c_0")

    @checked
    def __init__(
        self,
        input_size: Size,
        hidden_size: Size,
        bias: bool = True,
        *,
        hardware: Hardware,
        chips: Size = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        plain = nn.LSTMCell(input_size, hidden_size, bias)
        self._install(plain, hardware, chips, generator)

    def step(self) -> Step:
        """With input, forget, and output gates."""
        return lstm_step


class MemristiveGRUCell(MemristiveRNNCellBase):
    """`nn.GRUCell` on memristors: three gates of each hidden unit.

    Args:
        as in torch; hardware, chips, generator as in `MemristiveLinear`.
    """

    kind: ClassVar[Callable[..., nn.Module]] = nn.GRUCell
    options: ClassVar[tuple[str, ...]] = _OPTIONS

    @checked
    def __init__(
        self,
        input_size: Size,
        hidden_size: Size,
        bias: bool = True,
        *,
        hardware: Hardware,
        chips: Size = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        plain = nn.GRUCell(input_size, hidden_size, bias)
        self._install(plain, hardware, chips, generator)

    def step(self) -> Step:
        """With reset and update gates."""
        return gru_step
