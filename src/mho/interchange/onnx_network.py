"""Small networks of `.onnx` files as torch networks, whose layers can then be on arrays."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor, nn

from mho.arguments import checked
from mho.errors import InvalidInput, invalid
from mho.files.extras import of_extra
from mho.interchange.onnx_layers import Node, Shift, layer, tensor

DOMAINS = ("", "ai.onnx")
"""Of the operators of the standard."""
OLDEST = 9
"""Version of these operators from which on they are as here."""


class Step(NamedTuple):
    """A layer, what it is given and what that gives, by name."""

    layer: str
    inputs: tuple[str, ...]
    output: str


class OnnxNetwork(nn.Module):
    """Layers of a file that are no chain, in the order in which they are computed.

    Args:
        layers: by name.
        steps: in order.
        given: name of the input.
        output: name of the output.
    """

    def __init__(
        self, layers: dict[str, nn.Module], steps: list[Step], given: str, output: str
    ) -> None:
        super().__init__()
        for name, each in layers.items():
            self.add_module(name, each)
        self.steps, self.given, self.output = steps, given, output

    def forward(self, x: Tensor) -> Tensor:
        """Samples (n, ...) to what the file gives for them."""
        found = {self.given: x}
        for name, inputs, output in self.steps:
            found[output] = self.get_submodule(name)(*(found[each] for each in inputs))
        return found[self.output]


@checked
@checked
def from_onnx(path: Path | str) -> nn.Module:
    """The network of an `.onnx` file, in eval mode; needs `mho[interchange]`.

    Matrices become `nn.Linear`, convolutions `nn.Conv1d` to `nn.Conv3d`, so that `mho.convert` has
    them on arrays. A chain of layers is an `nn.Sequential`; layers have the names of their weights,
    dots as underscores. The first dimension of input and output is that of samples, of any number,
    whatever the file says.

    Args:
        path: the file, of a network in inference with one input and one output.

    Returns:
        The network, a copy of the file's numbers.

    Raises:
        ValueError: it is no such file, or has an operator that is not known here or is used in a
            way that has no layer; the message names it and its node.
    """
    onnx = of_extra("interchange", "onnx")
    if not os.path.isfile(path):
        raise invalid("path", str(path), "an .onnx file")
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
        model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception as error:
        said = " ".join(str(error).split())
        allowed = f"an .onnx file that can be read ({type(error).__name__}: {said:.200})"
        raise invalid("path", str(path), allowed) from error
    try:
        return _network(onnx, model)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from error


def _network(onnx: Any, model: Any) -> nn.Module:
    graph, opset = model.graph, _opset(model)
    constants = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    given = [each.name for each in graph.input if each.name not in constants]
    for what, names in (("inputs", given), ("outputs", [each.name for each in graph.output])):
        if len(names) != 1:
            raise invalid(what, names, "one tensor of samples")
    sizes = _sizes(graph)
    uses = Counter(name for each in graph.node for name in each.input)
    layers: dict[str, nn.Module] = {}
    steps: list[Step] = []
    for number, each in enumerate(graph.node, 1):
        node = _node(onnx, each, number, constants, sizes, opset)
        if node.operator == "Constant":
            constants[each.output[0]] = _constant(node, onnx)
            continue
        if node.operator == "Identity" and node.inputs[0] in constants:
            constants[each.output[0]] = constants[node.inputs[0]]
            continue
        made, computed = layer(node), [n for n in node.inputs if n and n not in constants]
        if not computed:
            raise node.refused("an input that is computed")
        if any(output and uses[output] for output in each.output[1:]):
            raise node.refused("one output that is used")
        if isinstance(made, Shift) and (before := _biased(layers, steps, computed, uses, made)):
            steps[-1] = before._replace(output=each.output[0])
            continue
        name = _name(node, layers)
        layers[name] = made
        steps.append(Step(name, tuple(computed), each.output[0]))
    output = graph.output[0].name
    ends = [given[0], *(step.output for step in steps)]
    chain = all(step.inputs == (end,) for step, end in zip(steps, ends, strict=False))
    if chain and ends[-1] == output:
        net = nn.Sequential()
        for name, made in layers.items():
            net.add_module(name, made)
        return net.eval()
    if output not in ends:
        raise invalid("output", output, "what a node computes from the input")
    return OnnxNetwork(layers, steps, given[0], output).eval()


def _opset(model: Any) -> int:
    """Version of the standard's operators."""
    others = [each.domain for each in model.opset_import if each.domain not in DOMAINS]
    used = {each.domain for each in model.graph.node} & {*others}
    if used:
        raise invalid("domains of operators", sorted(used), "those of the standard alone, ai.onnx")
    found = max(each.version for each in model.opset_import if each.domain in DOMAINS)
    if found < OLDEST:
        raise invalid("version of the operators", found, f"{OLDEST} or newer")
    return found


def _sizes(graph: Any) -> dict[str, tuple[int | None, ...]]:
    """Shapes of tensors, as far as they are known."""
    values = (*graph.input, *graph.value_info, *graph.output)
    typed = ((each.name, each.type.tensor_type) for each in values)
    return {
        name: tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim)
        for name, kind in typed
        if kind.HasField("shape")
    }


def _node(
    onnx: Any, node: Any, number: int, constants: dict[str, np.ndarray],
    sizes: dict[str, tuple[int | None, ...]], opset: int,
) -> Node:  # fmt: skip
    inputs = tuple(node.input)
    return Node(
        operator=node.op_type,
        name=f"node {number}{f', {node.name!r}' if node.name else ''}",
        inputs=inputs,
        attributes={a.name: onnx.helper.get_attribute_value(a) for a in node.attribute},
        constants=constants,
        sizes=sizes.get(inputs[0]) if inputs else None,
        opset=opset,
    )


def _constant(node: Node, onnx: Any) -> np.ndarray:
    """The value of a node that is a constant."""
    (name, value) = next(iter(node.attributes.items()))
    if name == "value":
        return onnx.numpy_helper.to_array(value)
    if name.removeprefix("value_") in ("float", "int", "floats", "ints"):
        return np.array(value, dtype=np.float32 if "float" in name else np.int64)
    raise node.refused("numbers")


def _biased(
    layers: dict[str, nn.Module], steps: list[Step], computed: list[str], uses: Counter[str],
    shift: Shift,
) -> Step | None:  # fmt: skip
    """The step before, a matrix without bias whose bias a constant is: it takes it. None: it is
    none."""
    if not steps or [steps[-1].output] != computed or uses[computed[0]] != 1:
        return None
    before = layers[steps[-1].layer]
    by = shift.get_buffer("by")
    if not isinstance(before, nn.Linear) or before.bias is not None:
        return None
    if by.dim() != 1 or len(by) not in (1, before.out_features):
        return None
    before.bias = nn.Parameter(tensor(by.expand(before.out_features).numpy()))
    return steps[-1]


def _name(node: Node, taken: dict[str, nn.Module]) -> str:
    """Of a layer: that of its weight in the file, else its operator; each once."""
    weight = node.inputs[1] if len(node.inputs) > 1 and node.constant(1) is not None else ""
    said = re.sub(r"\W+", "_", weight.removesuffix(".weight")).strip("_") if "." in weight else ""
    name, number = said or node.operator.lower(), 1
    found = name
    while found in taken or hasattr(nn.Module(), found):
        number += 1
        found = f"{name}_{number}"
    return found
