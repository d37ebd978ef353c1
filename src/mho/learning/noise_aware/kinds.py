"""Which layers have weights that arrays can hold, and what arrays see of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from mho.learning.layers.replace import plain_type

Transform = Callable[[Tensor], Tensor]


class Blocks(NamedTuple):
    """Which weights of a tensor are clipped together: those of `shape` along dimensions `over`."""

    shape: tuple[int, ...]
    """The tensor is viewed as."""
    over: tuple[int, ...]
    """Dimensions whose weights are put together."""
    inputs: int
    """Weights of one column."""
    matrices: int = 1
    """Matrices that follow each other in the blocks, each with a full scale of its own."""


@dataclass(frozen=True)
class Kind:
    """One kind of layer."""

    weights: Callable[[Any], Mapping[str, int]]
    """Names of the weights, from the layer, each with the number of matrices that stand below each
    other in it."""
    inputs: tuple[str, ...] = ("input",)
    """Arguments of the forward pass that are multiplied with weights, in order."""
    converted: bool = True
    """Whether these are what the arrays are driven by; False: products of them are."""
    column_dim: int | None = None
    """Dimension of the output, from the end, whose places are columns of arrays; None: outputs are
    no such columns."""
    sums: Callable[[Any, list[Tensor], Tensor, Transform], Tensor] | None = None
    """Of (layer, inputs, output, f): sum of f of the inputs of each column, shaped as the output,
    with one place in the dimension of the columns where it is the same for all."""
    columns: Callable[[Any, Tensor], Blocks] | None = None
    """Weights of each column; None: rows of the tensor."""


def kind_of(module: nn.Module) -> Kind | None:
    """Of a layer, or of the nearest class that it is derived from; None: it has no weights that
    arrays can hold."""
    return next((KINDS[c] for c in plain_type(module).__mro__ if c in KINDS), None)


# ---------------------------------------------------------------- weights


def _weight(_: nn.Module) -> Mapping[str, int]:
    return {"weight": 1}


def _recurrent(module: nn.RNNBase) -> Mapping[str, int]:
    return {name: 1 for name in module._flat_weights_names if name.startswith("weight")}


def _of_cell(_: nn.RNNCellBase) -> Mapping[str, int]:
    return {"weight_ih": 1, "weight_hh": 1}


def _projections(module: nn.MultiheadAttention) -> Mapping[str, int]:
    if module._qkv_same_embed_dim:
        return {"in_proj_weight": 3, "out_proj.weight": 1}
    apart = {f"{part}_proj_weight": 1 for part in ("q", "k", "v")}
    return {**apart, "out_proj.weight": 1}


def _transposed(module: nn.Module, weight: Tensor) -> Blocks:
    """Weights (in, out / groups, ...), of which `in / groups` rows each are of one group."""
    groups: int = module.groups  # type: ignore[assignment]
    each = weight.shape[0] // groups
    kernel = weight[0, 0].numel()
    return Blocks((groups, each, weight.shape[1], kernel), (1, 3), each * kernel)


# ---------------------------------------------------------------- sums of inputs


def _rows(_: nn.Module, inputs: list[Tensor], _y: Tensor, f: Transform) -> Tensor:
    return f(inputs[0]).sum(-1, keepdim=True)


def _pairs(_: nn.Module, inputs: list[Tensor], _y: Tensor, f: Transform) -> Tensor:
    """Of products of two inputs."""
    one, two = (f(x).sum(-1, keepdim=True) for x in inputs)
    return one * two


def _patches(module: Any, inputs: list[Tensor], y: Tensor, f: Transform) -> Tensor:
    """By the same convolution of one channel a group with a kernel of ones."""
    x, alone = _batched(inputs[0], module)
    groups, kernel = module.groups, module.kernel_size
    maps = f(x).unflatten(1, (groups, -1)).sum(2)
    total = module._conv_forward(maps, maps.new_ones(groups, 1, *kernel), None)
    return _to_columns(total, y, module, alone)


def _spreads(module: Any, inputs: list[Tensor], y: Tensor, f: Transform) -> Tensor:
    """As `_patches`, of a transposed convolution."""
    x, alone = _batched(inputs[0], module)
    groups, kernel, dims = module.groups, module.kernel_size, len(module.kernel_size)
    maps = f(x).unflatten(1, (groups, -1)).sum(2)
    more = module._output_padding(
        x, list(y.shape[-dims:]), module.stride, module.padding, kernel, dims, module.dilation
    )
    convolve = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[dims - 1]
    where = (module.stride, module.padding, more, groups, module.dilation)
    total = convolve(maps, maps.new_ones(groups, 1, *kernel), None, *where)
    return _to_columns(total, y, module, alone)


def _batched(x: Tensor, module: Any) -> tuple[Tensor, bool]:
    """Maps with a batch, and whether they had none."""
    alone = x.dim() == len(module.kernel_size) + 1
    return x.unsqueeze(0) if alone else x, alone


def _to_columns(total: Tensor, y: Tensor, module: Any, alone: bool) -> Tensor:
    if module.groups > 1:
        total = total.repeat_interleave(module.out_channels // module.groups, 1)
    return total.squeeze(0) if alone else total


KINDS: dict[type[nn.Module], Kind] = {
    nn.Linear: Kind(_weight, column_dim=-1, sums=_rows),
    nn.Bilinear: Kind(
        _weight, inputs=("input1", "input2"), converted=False, column_dim=-1, sums=_pairs
    ),
    nn.Conv1d: Kind(_weight, column_dim=-2, sums=_patches),
    nn.Conv2d: Kind(_weight, column_dim=-3, sums=_patches),
    nn.Conv3d: Kind(_weight, column_dim=-4, sums=_patches),
    nn.ConvTranspose1d: Kind(_weight, column_dim=-2, sums=_spreads, columns=_transposed),
    nn.ConvTranspose2d: Kind(_weight, column_dim=-3, sums=_spreads, columns=_transposed),
    nn.ConvTranspose3d: Kind(_weight, column_dim=-4, sums=_spreads, columns=_transposed),
    nn.RNN: Kind(_recurrent),
    nn.LSTM: Kind(_recurrent),
    nn.GRU: Kind(_recurrent),
    nn.RNNCell: Kind(_of_cell),
    nn.LSTMCell: Kind(_of_cell),
    nn.GRUCell: Kind(_of_cell),
    nn.MultiheadAttention: Kind(_projections, inputs=("query", "key", "value")),
}
"""By class; layers derived from one of them are of its kind."""
