"""Which layers of torch's can be on arrays, and by what."""

from __future__ import annotations

from torch import nn

from mho.learning.layers.attention import MemristiveMultiheadAttention
from mho.learning.layers.composite import Composite
from mho.learning.layers.conv import MemristiveConv2d
from mho.learning.layers.layer import ArrayLayer
from mho.learning.layers.linear import MemristiveLinear
from mho.learning.layers.recurrent import MemristiveGRU, MemristiveLSTM, MemristiveRNN
from mho.learning.layers.recurrent_cells import (
    MemristiveGRUCell,
    MemristiveLSTMCell,
    MemristiveRNNCell,
)
from mho.learning.layers.replace import plain_type

Twin = type[ArrayLayer] | type[Composite]

TWINS: dict[type[nn.Module], Twin] = {
    nn.Linear: MemristiveLinear,
    nn.Conv2d: MemristiveConv2d,
    nn.RNN: MemristiveRNN,
    nn.LSTM: MemristiveLSTM,
    nn.GRU: MemristiveGRU,
    nn.RNNCell: MemristiveRNNCell,
    nn.LSTMCell: MemristiveLSTMCell,
    nn.GRUCell: MemristiveGRUCell,
    nn.MultiheadAttention: MemristiveMultiheadAttention,
}
"""Layers that can be converted; an entry that is added is known to `convert` and `to_digital`."""


def twin_of(module: nn.Module) -> Twin | None:
    """What stands for a layer on arrays; None: it is no such layer."""
    return TWINS.get(plain_type(module))


def weights_taken_by(module: nn.Module) -> set[nn.Module]:
    """Layers inside of a digital one that computes with their weights, and does not call them."""
    several = tuple(kind for kind, twin in TWINS.items() if issubclass(twin, Composite))
    return {*module.modules()} - {module} if isinstance(module, several) else set()
