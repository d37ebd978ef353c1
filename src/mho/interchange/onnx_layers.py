"""What operators of ONNX are in torch: a layer for each node whose weights are constants.

Source: the operator specifications of the ONNX standard, domain ai.onnx.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mho.errors import InvalidInput, invalid


@dataclass(frozen=True)
class Node:
    """One node of a graph."""

    operator: str
    name: str
    """As errors call it."""
    inputs: tuple[str, ...]
    """Names of its tensors; "": left out."""
    attributes: Mapping[str, Any]
    constants: Mapping[str, np.ndarray]
    """Of the graph, by name."""
    sizes: tuple[int | None, ...] | None
    """Of its first input; None: not known."""
    opset: int
    """Version of the operators."""

    def constant(self, at: int) -> np.ndarray | None:
        """The constant at an input; None: there is none, or what is there is computed."""
        return self.constants.get(self.inputs[at]) if at < len(self.inputs) else None

    def needed(self, at: int, what: str) -> np.ndarray:
        """The constant at an input.

        Raises:
            ValueError: there is none.
        """
        if (found := self.constant(at)) is None:
            raise self.refused(f"{what} that is a constant of the file")
        return found

    def known_rank(self) -> int:
        """Dimensions of the first input.

        Raises:
            ValueError: they are not known.
        """
        if self.sizes is None:
            raise self.refused("an input whose number of dimensions the file says")
        return len(self.sizes)

    def refused(self, allowed: str) -> InvalidInput:
        """The error for a node that cannot be had in torch."""
        return invalid("operator", f"{self.operator} ({self.name})", allowed)


class Sum(nn.Module):
    """The sum of its inputs, as of a residual connection."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, ...) and (n, ...), each other's shape or broadcast to it.

        Raises:
            ValueError: they have different numbers of dimensions, so that samples would mix.
        """
        if x.dim() != y.dim():
            shapes = (tuple(x.shape), tuple(y.shape))
            raise invalid("shapes of a sum", shapes, "as many dimensions on both sides")
        return x + y


class Shift(nn.Module):
    """Adds a constant."""

    by: Tensor

    def __init__(self, by: Tensor) -> None:
        super().__init__()
        self.register_buffer("by", by)

    def forward(self, x: Tensor) -> Tensor:
        """(n, ...), same shape out."""
        return x + self.by


class Reshaped(nn.Module):
    """Another shape of each sample; 0: that of the input at this place, -1: what is left."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, x: Tensor) -> Tensor:
        """(n, ...) to (n, *shape)."""
        sizes = [n or x.shape[at] for at, n in enumerate(self.shape, 1)]
        return x.reshape(x.shape[0], *sizes)


def layer(node: Node) -> nn.Module:
    """The layer of a node, in eval mode.

    Raises:
        ValueError: the operator is not among `LAYERS`, or is used in a way that has no layer here.
    """
    if node.operator not in LAYERS:
        raise node.refused(f"one of {', '.join(sorted(LAYERS))}")
    return LAYERS[node.operator](node).eval()


def tensor(array: np.ndarray) -> Tensor:
    """A constant as a tensor of its own."""
    return torch.from_numpy(np.array(array))


def dense(weight: np.ndarray, bias: np.ndarray | None) -> nn.Linear:
    """A linear layer of a weight (out, in) and a bias (out,)."""
    out, inputs = weight.shape
    return _filled(nn.utils.skip_init(nn.Linear, inputs, out, bias=bias is not None), weight, bias)


def _filled(made: Any, weight: np.ndarray, bias: np.ndarray | None) -> Any:
    """A layer with its numbers, in their precision."""
    made.weight = nn.Parameter(tensor(weight))
    if bias is not None:
        made.bias = nn.Parameter(tensor(bias))
    return made


def _gemm(node: Node) -> nn.Module:
    weight, bias = node.needed(1, "a weight"), node.constant(2)
    if node.attributes.get("transA", 0):
        raise node.refused("transA = 0: rows are samples")
    if len(node.inputs) > 2 and node.inputs[2] and bias is None:
        raise node.refused("a bias that is a constant of the file")
    weight = weight if node.attributes.get("transB", 0) else weight.T
    weight = weight * weight.dtype.type(node.attributes.get("alpha", 1.0))
    if bias is not None:
        if bias.ndim > 1 and bias.shape[0] != 1:
            raise node.refused("a bias that is the same for all samples")
        beta = bias.dtype.type(node.attributes.get("beta", 1.0))
        bias = np.broadcast_to(bias.reshape(-1) * beta, (len(weight),))
    return dense(weight, bias)


def _matmul(node: Node) -> nn.Module:
    weight = node.needed(1, "a right side")
    if weight.ndim != 2:
        raise node.refused(f"a right side (in, out), not {weight.shape}")
    return dense(weight.T, None)


def _conv(node: Node) -> nn.Module:
    weight, bias, given = node.needed(1, "a weight"), node.constant(2), node.attributes
    sides = weight.ndim - 2
    kinds = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
    if sides not in kinds:
        raise node.refused("1 to 3 dimensions beside samples and channels")
    before, padding = _padding(node, sides, 0.0)
    groups = given.get("group", 1)
    made = nn.utils.skip_init(
        kinds[sides], weight.shape[1] * groups, len(weight), tuple(weight.shape[2:]),
        stride=tuple(given.get("strides", [1] * sides)), padding=padding,
        dilation=tuple(given.get("dilations", [1] * sides)), groups=groups, bias=bias is not None,
    )  # fmt: skip
    return _after(before, _filled(made, weight, bias))


def _batch_norm(node: Node) -> nn.Module:
    scale, bias, mean, var = (
        node.needed(at, what) for at, what in enumerate(("scale", "bias", "mean", "variance"), 1)
    )
    if node.attributes.get("training_mode", 0):
        raise node.refused("training_mode = 0: export the network in eval mode")
    kinds = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
    if node.known_rank() not in kinds:
        raise node.refused("an input of 2 to 5 dimensions")
    # ONNX's momentum is the share of the old statistics, torch's that of the new ones.
    share = 1 - node.attributes.get("momentum", 0.9)
    made = kinds[node.known_rank()](len(scale), node.attributes.get("epsilon", 1e-5), share)
    made.running_mean, made.running_var = tensor(mean), tensor(var)
    return _filled(made, scale, bias)


def _pool(kind: str) -> Callable[[Node], nn.Module]:
    def made(node: Node) -> nn.Module:
        given, sides = node.attributes, len(node.attributes["kernel_shape"])
        kinds = {"Max": (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
                 "Avg": (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)}[kind]  # fmt: skip
        if not 1 <= sides <= len(kinds):
            raise node.refused("1 to 3 dimensions beside samples and channels")
        before, padding = _padding(node, sides, -torch.inf if kind == "Max" else 0.0)
        counted = bool(given.get("count_include_pad", 0))
        if before is not None and kind == "Avg" and not counted:
            raise node.refused("the same padding on both sides, or count_include_pad = 1")
        dilations = tuple(given.get("dilations", [1] * sides))
        if kind == "Avg" and any(each != 1 for each in dilations):
            raise node.refused("no dilations")
        more = {"dilation": dilations} if kind == "Max" else {"count_include_pad": counted}
        pool: Any = kinds[sides - 1]
        return _after(before, pool(
            tuple(given["kernel_shape"]), tuple(given.get("strides", [1] * sides)), padding,
            ceil_mode=bool(given.get("ceil_mode", 0)), **more,
        ))  # fmt: skip

    return made


def _padding(
    node: Node, sides: int, value: float
) -> tuple[nn.Module | None, int | tuple[int, ...]]:
    """What pads before a layer, where both ends of a side differ, and what the layer pads."""
    automatic = node.attributes.get("auto_pad", b"NOTSET").decode()
    if automatic not in ("NOTSET", "VALID"):
        raise node.refused(f"pads in numbers, not auto_pad = {automatic}")
    pads = node.attributes.get("pads", [0] * 2 * sides)
    first, last = tuple(pads[:sides]), tuple(pads[sides:])
    if automatic == "VALID" or first == last:
        return None, first if automatic == "NOTSET" else 0
    # torch counts from the last side, both ends of each in turn
    around = [each for pair in zip(first[::-1], last[::-1], strict=True) for each in pair]
    kinds: Any = (nn.ConstantPad1d, nn.ConstantPad2d, nn.ConstantPad3d)
    return kinds[sides - 1](tuple(around), value), 0


def _after(before: nn.Module | None, made: nn.Module) -> nn.Module:
    return made if before is None else nn.Sequential(before, made)


def _global_average(node: Node) -> nn.Module:
    kinds: Any = {3: nn.AdaptiveAvgPool1d, 4: nn.AdaptiveAvgPool2d, 5: nn.AdaptiveAvgPool3d}
    if node.known_rank() not in kinds:
        raise node.refused("an input of 3 to 5 dimensions")
    return kinds[node.known_rank()](1)


def _flatten(node: Node) -> nn.Module:
    if node.attributes.get("axis", 1) != 1:
        raise node.refused("axis = 1, so that samples stay apart")
    return nn.Flatten()


def _reshape(node: Node) -> nn.Module:
    if node.attributes.get("allowzero", 0):
        raise node.refused("allowzero = 0")
    samples, *rest = map(int, node.needed(1, "a shape").reshape(-1))
    here = node.sizes or (None,)
    if not rest or samples not in (0, -1, here[0]):
        raise node.refused("a shape that keeps samples apart, as (0, -1)")
    size = None if None in here[1:] else math.prod(n for n in here[1:] if n is not None)
    if len(rest) == 1 and (rest[0] == -1 or (len(here) > 1 and rest[0] == size)):
        return nn.Flatten()
    return Reshaped(rest)


def _add(node: Node) -> nn.Module:
    constants = [found for at in (0, 1) if (found := node.constant(at)) is not None]
    if not constants:
        return Sum()
    (by,) = constants
    if by.ndim > 1 and by.shape[0] != 1:
        raise node.refused("a constant that is the same for all samples")
    return Shift(tensor(by))


def _softmax(kind: type[nn.Softmax | nn.LogSoftmax]) -> Callable[[Node], nn.Module]:
    def made(node: Node) -> nn.Module:
        if node.opset >= 13:
            axis = node.attributes.get("axis", -1)
            if axis == 0 or (axis < -1 and axis == -node.known_rank()):
                raise node.refused("another axis than that of the samples")
            return kind(dim=axis)
        if node.attributes.get("axis", 1) != 1 or node.known_rank() != 2:
            raise node.refused("rows and columns, axis = 1, in files of before opset 13")
        return kind(dim=1)

    return made


def _dropout(node: Node) -> nn.Module:
    training = node.constant(2)
    if (training is not None and training.any()) or (training is None and len(node.inputs) > 2):
        raise node.refused("training_mode = False: export the network in eval mode")
    return nn.Identity()


def _clip(node: Node) -> nn.Module:
    bounds = []
    for at, name in ((1, "min"), (2, "max")):
        if (value := node.attributes.get(name)) is None:
            given = at < len(node.inputs) and node.inputs[at]
            value = node.needed(at, f"a {name}").item() if given else None
        bounds.append(value)
    low, high = (-np.inf if bounds[0] is None else bounds[0],
                 np.inf if bounds[1] is None else bounds[1])  # fmt: skip
    if not low < high:
        raise node.refused("min below max")
    return nn.ReLU() if (low, high) == (0, np.inf) else nn.Hardtanh(low, high)


LAYERS: dict[str, Callable[[Node], nn.Module]] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Conv": _conv,
    "BatchNormalization": _batch_norm,
    "MaxPool": _pool("Max"),
    "AveragePool": _pool("Avg"),
    "GlobalAveragePool": _global_average,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Add": _add,
    "Softmax": _softmax(nn.Softmax),
    "LogSoftmax": _softmax(nn.LogSoftmax),
    "Clip": _clip,
    "Relu": lambda _node: nn.ReLU(),
    "LeakyRelu": lambda node: nn.LeakyReLU(node.attributes.get("alpha", 0.01)),
    "Sigmoid": lambda _node: nn.Sigmoid(),
    "Tanh": lambda _node: nn.Tanh(),
    "Identity": lambda _node: nn.Identity(),
    "Dropout": _dropout,
}
"""By operator, of the domain ai.onnx."""
