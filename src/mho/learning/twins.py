"""Which layers of torch's can be on arrays, by what, and why others are not."""

from __future__ import annotations

from inspect import isfunction

from torch import nn
from torch.nn.parameter import is_lazy

from mho.learning.layers.attention import MemristiveMultiheadAttention
from mho.learning.layers.bilinear import MemristiveBilinear
from mho.learning.layers.composite import Composite
from mho.learning.layers.conv import MemristiveConv1d, MemristiveConv2d, MemristiveConv3d
from mho.learning.layers.conv_transpose import (
    MemristiveConvTranspose1d,
    MemristiveConvTranspose2d,
    MemristiveConvTranspose3d,
)
from mho.learning.layers.conversion import Conversion
from mho.learning.layers.layer import ArrayLayer
from mho.learning.layers.linear import MemristiveLinear
from mho.learning.layers.recurrent import MemristiveGRU, MemristiveLSTM, MemristiveRNN
from mho.learning.layers.recurrent_cells import (
    MemristiveGRUCell,
    MemristiveLSTMCell,
    MemristiveRNNCell,
)
from mho.learning.layers.replace import plain_type
from mho.learning.layers.transposed_linear import MemristiveTransposedLinear

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
    nn.Conv1d: MemristiveConv1d,
    nn.Conv3d: MemristiveConv3d,
    nn.ConvTranspose1d: MemristiveConvTranspose1d,
    nn.ConvTranspose2d: MemristiveConvTranspose2d,
    nn.ConvTranspose3d: MemristiveConvTranspose3d,
    nn.Bilinear: MemristiveBilinear,
}
"""Layers that can be converted; an entry that is added is known to `convert` and `to_digital`."""

TWINS_BY_NAME: dict[str, Twin] = {
    "transformers.pytorch_utils.Conv1D": MemristiveTransposedLinear,
    "transformers.modeling_utils.Conv1D": MemristiveTransposedLinear,
}
"""The same for layers of libraries that are not imported here, by the names of module and class."""

_NOT_COMPUTING = {
    *("__init__", "__setstate__", "__getstate__", "__repr__", "extra_repr"),
    *("reset_parameters", "_reset_parameters"),
}
"""Methods of layers that have no part in what these compute from inputs."""


def twin_of(module: nn.Module) -> Twin | None:
    """What stands for a layer on arrays; None: it stays digital, see `why_not`.

    A layer of a subclass has the twin of its parent if it computes as that does.
    """
    kind = _kind_of(plain_type(module))
    return None if kind is None or _reason(module, kind) else _known(kind)


def described(module: nn.Module) -> ArrayLayer | Composite:
    """What would stand for a layer that has a twin, without arrays and without values: its layout,
    its product, the parameters of the layer that it would hold."""
    twin = twin_of(module)
    assert twin is not None
    return twin.adopt(module, Conversion("", None, range(1), 0, {}))


def why_not(module: nn.Module) -> str:
    """Why a layer has no twin and stays digital, in words; empty if it has one."""
    kind = _kind_of(plain_type(module))
    if kind is None:
        return f"no layer on arrays stands for {plain_type(module).__name__}"
    return _reason(module, kind)


def parts_of(module: nn.Module) -> dict[str, tuple[str, ...]]:
    """Of a layer of several matrices, what each is called in it, by part; see
    `Composite.part_names`. Empty for other layers."""
    kind = _kind_of(plain_type(module))
    twin = None if kind is None else _known(kind)
    return twin.parts_of(module) if twin is not None and issubclass(twin, Composite) else {}


def weights_taken_by(module: nn.Module) -> set[nn.Module]:
    """Layers inside of a digital one that computes with their weights, and does not call them."""
    several = tuple(kind for kind, twin in TWINS.items() if issubclass(twin, Composite))
    return {*module.modules()} - {module} if isinstance(module, several) else set()


def _kind_of(cls: type[nn.Module]) -> type[nn.Module] | None:
    """The kind of layer with a twin that a class is, or is derived of."""
    return next((kind for kind in cls.__mro__ if _known(kind) is not None), None)


def _known(kind: type[nn.Module]) -> Twin | None:
    return TWINS.get(kind) or TWINS_BY_NAME.get(f"{kind.__module__}.{kind.__qualname__}")


def _reason(module: nn.Module, kind: type[nn.Module]) -> str:
    """Why a layer of some kind does not compute as layers of that kind do."""
    cls = plain_type(module)
    for name in _computing(kind):
        if name in module.__dict__:
            return f"its {name} was replaced, and is not that of {kind.__name__}"
        if getattr(cls, name) is not getattr(kind, name):
            return f"{cls.__name__} has a {name} of its own, which is not that of {kind.__name__}"
    if any(p.is_complex() for p in module.parameters() if not is_lazy(p)):
        return "its weights are complex numbers"
    return ""


def _computing(kind: type[nn.Module]) -> list[str]:
    """Methods by which a kind of layer computes; `forward` first."""
    above = kind.__mro__[: kind.__mro__.index(nn.Module)]
    own = {name for cls in above for name, value in vars(cls).items() if isfunction(value)}
    return ["forward", "__call__", *sorted(own - _NOT_COMPUTING - {"forward"})]


def kinds() -> str:
    """All layers that can be on arrays, in words."""
    torchs = {kind: kind.__module__.startswith("torch.nn.") for kind in TWINS}
    *most, last = (f"nn.{k.__name__}" if own else k.__name__ for k, own in torchs.items())
    return f"{', '.join(most)} or {last}"
