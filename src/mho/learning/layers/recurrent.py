"""Recurrent layers: products with inputs and with states are on arrays, gates are digital."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from mho.arguments import checked
from mho.config import Range
from mho.errors import invalid
from mho.hardware import Hardware
from mho.learning.layers.composite import Entries
from mho.learning.layers.graphs import uncompiled
from mho.learning.layers.layer import Size
from mho.learning.layers.recurrence import Recurrence
from mho.learning.layers.steps import (
    State,
    Step,
    gru_step,
    lstm_step,
    relu_step,
    tanh_step,
    through_time,
)

_OPTIONS = (
    *("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout"),
    "bidirectional",
)
"""Of all torch's recurrent layers."""

Share = Annotated[float, Range(least=0.0, most=1.0)]


class MemristiveRNNBase(Recurrence):
    """What `nn.RNN`, `nn.LSTM` and `nn.GRU` on arrays share.

    Per layer and direction the parts are `ih_l0`, read once for all time steps together, `hh_l0`,
    read step after step, and `hr_l0`, the projection of an LSTM that has one; `_reverse` is added
    as in torch. Of packed sequences each step reads those still running. Gates, their products and
    the dropout between layers are digital. Inputs, states and options are torch's.

    Attributes:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size:
            as in torch.
    """

    num_layers: int
    bias: bool
    batch_first: bool
    dropout: float
    bidirectional: bool
    proj_size: int = 0

    # ---------------------------------------------------------------- what it stands for

    def entries(self) -> Entries:
        """Each parameter of the torch layer is one of a part's."""
        found: dict[str, tuple[str, ...]] = {}
        for _, end in self._places():
            for kind in ("ih", "hh", *(("hr",) if self.proj_size else ())):
                found[f"weight_{kind}_{end}"] = (f"{kind}_{end}.weight",)
                if kind != "hr":
                    found[f"bias_{kind}_{end}"] = (f"{kind}_{end}.bias",)
        return found

    def driven(self) -> tuple[str, ...]:
        """What reads the input sequence: the first layer, in each direction."""
        return tuple(f"ih_{end}" for _, end in self._places()[: 1 + self.bidirectional])

    def plain(self, bias: bool) -> nn.Module:
        """The torch layer."""
        options: dict[str, Any] = {name: getattr(self, name) for name in self.options}
        module = self.kind(**options | {"bias": bias, "dropout": 0.0}, device="meta")
        module.__dict__["dropout"] = (
            self.dropout
        )  # its warning for a single layer was given to who made that
        return module

    def flatten_parameters(self) -> None:
        """Nothing: weights on arrays lie as they lie."""

    def extra_repr(self) -> str:
        """Torch's line, with the chips."""
        return f"{nn.RNNBase.extra_repr(self)}, chips={self.chips}"  # type: ignore[arg-type]

    def _places(self) -> list[tuple[bool, str]]:
        """Each layer and direction: whether it runs back in time, and how its parts' names end."""
        ends = ((False, ""), (True, "_reverse")) if self.bidirectional else ((False, ""),)
        return [(back, f"l{k}{end}") for k in range(self.num_layers) for back, end in ends]

    # ---------------------------------------------------------------- forward

    @uncompiled
    def forward(self, input: Tensor | PackedSequence, hx: Any = None) -> tuple[Any, Any]:
        """As of the torch layer: outputs, packed if the inputs are, and last states."""
        packed, x = (input, input.data) if isinstance(input, PackedSequence) else (None, input)
        given = self._states_of(hx)
        self._check(x, packed, given)
        if packed is None:
            output, *last = self.run(x, *given)
        else:
            sizes, order = packed.batch_sizes.tolist(), packed.sorted_indices
            back = packed.unsorted_indices
            output, *last = self.run(x, *given, sizes=sizes, order=order, back=back)
            output = PackedSequence(output, packed.batch_sizes, order, back)
        return output, (last[0] if len(self.states) == 1 else tuple(last))

    def compute(
        self,
        x: Tensor,
        *given: Tensor,
        sizes: list[int] | None = None,
        order: Tensor | None = None,
        back: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Outputs and last states (chips, ...) of inputs and, if given, first states.

        Args:
            x: (chips, time, batch, in), or with `batch_first`, or without a batch; of packed
                sequences (chips, all vectors, in).
            sizes: sequences that run at each step, if they are packed.
            order, back: how packed sequences were sorted, and how they are sorted back.
        """
        if sizes is not None:
            if order is not None:
                given = tuple(state.index_select(-2, order) for state in given)
            y, last = self._all_layers(x, given, sizes)
            if back is not None:
                last = [state.index_select(-2, back) for state in last]
            return y, *last
        batched = x.dim() == 4
        if not batched:  # (chips, time, in) -> (chips, time, 1, in); states alike
            x, given = x.unsqueeze(2), tuple(state.unsqueeze(2) for state in given)
        elif self.batch_first:
            x = x.transpose(1, 2)
        sizes = [x.shape[2]] * x.shape[1]
        y, last = self._all_layers(x.flatten(1, 2), given, sizes)
        y = y.unflatten(1, x.shape[1:3])  # (chips, time * batch, out) -> (chips, time, batch, out)
        if not batched:
            return y.squeeze(2), *(state.squeeze(2) for state in last)
        return y.transpose(1, 2) if self.batch_first else y, *last

    def _all_layers(
        self, x: Tensor, given: Sequence[Tensor], sizes: list[int]
    ) -> tuple[Tensor, list[Tensor]]:
        """Outputs (chips, all vectors, out) of inputs (chips, all vectors, in), step after step,
        and last states (chips, layers * directions, batch, ...)."""
        places = self._places()
        directions = len(places) // self.num_layers
        ended: list[State] = []
        for place in range(0, len(places), directions):
            if place and self.dropout and self.training:
                x = F.dropout(x, self.dropout)
            y: list[Tensor] = []
            for which, (back, end) in enumerate(places[place : place + directions], place):
                first = tuple(state[:, which] for state in given) or self._zeros(x, sizes[0])
                made, last = self._one_way(x, first, sizes, end, back)
                y.append(made)
                ended.append(last)
            x = y[0] if directions == 1 else torch.cat(y, -1)
        # of each state those of all places
        return x, [torch.stack(every, 1) for every in zip(*ended, strict=True)]

    def _one_way(
        self, x: Tensor, first: State, sizes: list[int], end: str, back: bool
    ) -> tuple[Tensor, State]:
        """Outputs and last state of one layer in one direction; shapes as of `_all_layers`."""
        ih, hh, step = self.part(f"ih_{end}"), self.part(f"hh_{end}"), self.step()
        hr = self.part(f"hr_{end}") if self.proj_size else None

        def advance(products: Tensor, state: State) -> State:
            state = step(products, hh.read(state[0]), state)
            return state if hr is None else (hr.read(state[0]), *state[1:])

        return through_time(ih.read(x).split(sizes, 1), first, advance, back)

    def _zeros(self, x: Tensor, batch: int) -> State:
        """Where states start if none are given, (chips, batch, ...)."""
        return tuple(x.new_zeros(len(x), batch, width) for width in self._widths())

    def _widths(self) -> tuple[int, ...]:
        """Of each state."""
        return (self.proj_size or self.hidden_size, self.hidden_size)[: len(self.states)]

    # ---------------------------------------------------------------- what it refuses

    def _check(self, x: Any, packed: PackedSequence | None, given: tuple[Tensor, ...]) -> None:
        """Refuse inputs and states that the layer cannot take."""
        self._check_tensors(x, given)
        shape = self._shape_of_one("input", x)
        names = "batch, time" if self.batch_first else "time, batch"
        dims, wanted = (2, 3), f"({names}, {self.input_size}) or (time, {self.input_size})"
        if packed is not None:
            dims, wanted = (2,), f"(vectors, {self.input_size}) of packed sequences"
        if len(shape) not in dims or shape[-1] != self.input_size:
            raise self._refused("input", x, wanted)
        batch = () if len(shape) == 2 else (shape[0 if self.batch_first else 1],)
        if packed is not None:
            batch = (int(packed.batch_sizes[0]),)
        elif shape[1 if self.batch_first and batch else 0] == 0:
            raise self._refused("input", x, f"{wanted}, of one time step or more")
        self._check_states(given, (len(self._places()), *batch), self._widths())


class MemristiveRNN(MemristiveRNNBase):
    """`nn.RNN` on memristors: `h = tanh(W_ih x + W_hh h)`, or relu.

    Args:
        as in torch; hardware, chips, generator as in `MemristiveLinear`.
    """

    kind: ClassVar[Callable[..., nn.Module]] = nn.RNN
    options: ClassVar[tuple[str, ...]] = (*_OPTIONS, "nonlinearity")
    nonlinearity: str

    @checked
    def __init__(
        self,
        input_size: Size,
        hidden_size: Size,
        num_layers: Size = 1,
        nonlinearity: Literal["tanh", "relu"] = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: Share = 0.0,
        bidirectional: bool = False,
        *,
        hardware: Hardware,
        chips: Size = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        sizes, how = (input_size, hidden_size, num_layers), (batch_first, dropout, bidirectional)
        self._install(nn.RNN(*sizes, nonlinearity, bias, *how), hardware, chips, generator)

    def step(self) -> Step:
        """Of the nonlinearity."""
        return tanh_step if self.nonlinearity == "tanh" else relu_step


class MemristiveLSTM(MemristiveRNNBase):
    """`nn.LSTM` on memristors: four gates of each hidden unit, and a projection if there is one.

    Args:
        as in torch; hardware, chips, generator as in `MemristiveLinear`.

    Raises:
        ValueError: as `MemristiveLinear`; or a projection that is no smaller than the state.
    """

    kind: ClassVar[Callable[..., nn.Module]] = nn.LSTM
    options: ClassVar[tuple[str, ...]] = (*_OPTIONS, "proj_size")
    states: ClassVar[tuple[str, ...]] = ("h_0", "c_0")

    @checked
    def __init__(
        self,
        input_size: Size,
        hidden_size: Size,
        num_layers: Size = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: Share = 0.0,
        bidirectional: bool = False,
        proj_size: Annotated[int, Range(least=0)] = 0,
        *,
        hardware: Hardware,
        chips: Size = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if proj_size >= hidden_size:
            allowed = f"below hidden_size = {hidden_size}"
            raise invalid("MemristiveLSTM.proj_size", proj_size, allowed)
        sizes, how = (input_size, hidden_size, num_layers), (batch_first, dropout, bidirectional)
        self._install(nn.LSTM(*sizes, bias, *how, proj_size), hardware, chips, generator)

    def step(self) -> Step:
        """With input, forget, and output gates."""
        return lstm_step


class MemristiveGRU(MemristiveRNNBase):
    """`nn.GRU` on memristors: three gates of each hidden unit.

    Args:
        as in torch; hardware, chips, generator as in `MemristiveLinear`.
    """

    kind: ClassVar[Callable[..., nn.Module]] = nn.GRU
    options: ClassVar[tuple[str, ...]] = _OPTIONS

    @checked
    def __init__(
        self,
        input_size: Size,
        hidden_size: Size,
        num_layers: Size = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: Share = 0.0,
        bidirectional: bool = False,
        *,
        hardware: Hardware,
        chips: Size = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        sizes, how = (input_size, hidden_size, num_layers), (batch_first, dropout, bidirectional)
        self._install(nn.GRU(*sizes, bias, *how), hardware, chips, generator)

    def step(self) -> Step:
        """With reset and update gates."""
        return gru_step
