"""Networks of `.onnx` files against the reference evaluator of ONNX."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import mho
from mho.interchange import from_onnx
from mho.interchange.onnx_layers import LAYERS

onnx = pytest.importorskip("onnx")
helper, F32 = onnx.helper, onnx.TensorProto.FLOAT
DRAW = np.random.default_rng(0)


def numbers(*shape: int) -> np.ndarray:
    return DRAW.normal(size=shape).astype(np.float32)


def written(
    path: Path, nodes: list[Any], constants: dict[str, np.ndarray], shape: list[Any],
    *, opset: int = 17, outputs: tuple[str, ...] = ("y",),
) -> Any:  # fmt: skip
    """A file of some nodes from "x" to "y"."""
    kept = [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()]
    ends = [helper.make_tensor_value_info(name, F32, None) for name in outputs]
    start = [helper.make_tensor_value_info("x", F32, ["n", *shape])]
    graph = helper.make_graph(nodes, "g", start, ends, kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    model = onnx.shape_inference.infer_shapes(model)
    onnx.save(model, str(path))
    return model


def node(kind: str, *inputs: str, to: str = "y", **attributes: Any) -> Any:
    return helper.make_node(kind, inputs, [to], **attributes)


def reference(model: Any, x: Tensor) -> np.ndarray:
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(model).run(None, {"x": x.numpy()})[0]  # type: ignore[index]


MATRIX, KERNEL = numbers(4, 6), numbers(4, 2, 3, 3)
GROUPED = numbers(4, 1, 3, 3)
NORM = {"s": numbers(2), "b": numbers(2), "m": numbers(2), "v": np.abs(numbers(2)) + 0.1}
ALONE: dict[str, tuple[str, list[Any], dict[str, np.ndarray], list[int]]] = {
    "Gemm": ("Linear", [node("Gemm", "x", "w", "c", transB=1)],
             {"w": MATRIX, "c": numbers(4)}, [6]),
    "Gemm, scaled": ("Linear", [node("Gemm", "x", "w", "c", alpha=0.5, beta=2.0)],
                     {"w": MATRIX.T.copy(), "c": numbers(1, 4)}, [6]),
    "MatMul": ("Linear", [node("MatMul", "x", "w")], {"w": MATRIX.T.copy()}, [6]),
    "MatMul, of sequences": ("Linear", [node("MatMul", "x", "w")], {"w": MATRIX.T.copy()}, [3, 6]),
    "MatMul and Add": ("Linear", [node("MatMul", "x", "w", to="a"), node("Add", "c", "a")],
                       {"w": MATRIX.T.copy(), "c": numbers(4)}, [6]),
    "Conv": ("Conv2d", [node("Conv", "x", "w", "c", pads=[1, 2, 1, 2], strides=[2, 1])],
             {"w": KERNEL, "c": numbers(4)}, [2, 7, 8]),
    "Conv, dilated": ("Conv2d", [node("Conv", "x", "w", dilations=[2, 1])], {"w": KERNEL},
                      [2, 7, 8]),
    "Conv, of groups": ("Conv2d", [node("Conv", "x", "w", group=2)], {"w": GROUPED}, [2, 7, 8]),
    "Conv, padded at one end": ("Sequential", [node("Conv", "x", "w", pads=[0, 1, 2, 3])],
                                {"w": KERNEL}, [2, 7, 8]),
    "Conv, of one side": ("Conv1d", [node("Conv", "x", "w")], {"w": numbers(4, 2, 3)}, [2, 9]),
    "BatchNormalization": ("BatchNorm2d", [node("BatchNormalization", "x", *NORM, epsilon=1e-3)],
                           NORM, [2, 5, 5]),
    "BatchNormalization, of rows": ("BatchNorm1d", [node("BatchNormalization", "x", *NORM)],
                                    NORM, [2]),
    "MaxPool": ("MaxPool2d", [node("MaxPool", "x", kernel_shape=[2, 3], strides=[2, 1])], {},
                [2, 7, 8]),
    "MaxPool, padded": ("MaxPool2d", [node("MaxPool", "x", kernel_shape=[3, 3],
                                           pads=[1, 1, 1, 1])], {}, [2, 7, 8]),
    "MaxPool, padded at one end": ("Sequential", [node("MaxPool", "x", kernel_shape=[2, 2],
                                                       pads=[0, 0, 1, 1], strides=[2, 2])], {},
                                   [2, 7, 8]),
    "AveragePool": ("AvgPool2d", [node("AveragePool", "x", kernel_shape=[2, 2])], {}, [2, 7, 8]),
    "AveragePool, padded": ("AvgPool2d", [node("AveragePool", "x", kernel_shape=[3, 3],
                                               pads=[1, 1, 1, 1])], {}, [2, 7, 8]),
    "AveragePool, padding counted": (
        "AvgPool2d", [node("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1],
                           count_include_pad=1)], {}, [2, 7, 8]),
    "GlobalAveragePool": ("AdaptiveAvgPool2d", [node("GlobalAveragePool", "x")], {}, [2, 7, 8]),
    "Flatten": ("Flatten", [node("Flatten", "x")], {}, [2, 7, 8]),
    "Reshape": ("Flatten", [node("Reshape", "x", "s")], {"s": np.array([0, -1])}, [2, 7, 8]),
    "Reshape, by size": ("Flatten", [node("Reshape", "x", "s")], {"s": np.array([-1, 112])},
                         [2, 7, 8]),
    "Reshape, to images": ("Reshaped", [node("Reshape", "x", "s")],
                           {"s": np.array([0, 0, 4, -1])}, [2, 8]),
    "Add": ("Shift", [node("Add", "x", "c")], {"c": numbers(1, 2, 1, 1)}, [2, 7, 8]),
    "Softmax": ("Softmax", [node("Softmax", "x")], {}, [3, 6]),
    "LogSoftmax": ("LogSoftmax", [node("LogSoftmax", "x", axis=1)], {}, [3, 6]),
    "Clip": ("Hardtanh", [node("Clip", "x", "a", "b")],
             {"a": np.float32(-0.5), "b": np.float32(1)}, [6]),
    "Clip, from 0": ("ReLU", [node("Clip", "x", "a")], {"a": np.float32(0)}, [6]),
    "Relu": ("ReLU", [node("Relu", "x")], {}, [6]),
    "LeakyRelu": ("LeakyReLU", [node("LeakyRelu", "x", alpha=0.3)], {}, [6]),
    "Sigmoid": ("Sigmoid", [node("Sigmoid", "x")], {}, [6]),
    "Tanh": ("Tanh", [node("Tanh", "x")], {}, [6]),
    "Identity": ("Identity", [node("Identity", "x")], {}, [6]),
    "Dropout": ("Identity", [node("Dropout", "x")], {}, [6]),
}  # fmt: skip


@pytest.mark.parametrize("what", ALONE)
def test_a_layer_computes_what_its_operator_does(what: str, tmp_path: Path) -> None:
    kind, nodes, constants, shape = ALONE[what]
    model = written(tmp_path / "net.onnx", nodes, constants, shape)
    net = from_onnx(tmp_path / "net.onnx")
    assert isinstance(net, nn.Sequential)
    (layer,) = net
    assert type(layer).__name__ == kind
    assert not net.training
    x = torch.from_numpy(numbers(3, *shape))
    with torch.no_grad():
        torch.testing.assert_close(net(x).numpy(), reference(model, x), rtol=1e-5, atol=1e-5)


def test_every_operator_is_tried() -> None:
    assert {what.partition(",")[0] for what in ALONE} >= {*LAYERS}


def residual(path: Path) -> Any:
    """A small network with a way past a convolution, as an exporter of torch's names it."""
    nodes = [
        node("Conv", "x", "stem.weight", to="a", pads=[1, 1, 1, 1]),
        node("BatchNormalization", "a", *NORM4, to="b"),
        node("Relu", "b", to="c"),
        node("Conv", "c", "block.0.weight", "block.0.bias", to="d", pads=[1, 1, 1, 1]),
        node("Add", "c", "d", to="e"),
        node("MaxPool", "e", to="f", kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", "f", to="g"),
        node("Gemm", "g", "head.weight", "head.bias", to="y", transB=1),
    ]
    constants = {
        "stem.weight": KERNEL, **NORM4, "block.0.weight": numbers(4, 4, 3, 3) / 4,
        "block.0.bias": numbers(4), "head.weight": numbers(3, 64) / 8, "head.bias": numbers(3),
    }  # fmt: skip
    return written(path, nodes, constants, [2, 8, 8])


NORM4 = {"s4": numbers(4), "b4": numbers(4), "m4": numbers(4), "v4": np.abs(numbers(4)) + 0.1}


def test_a_network_with_branches_goes_onto_arrays(tmp_path: Path) -> None:
    model = residual(tmp_path / "net.onnx")
    net = from_onnx(tmp_path / "net.onnx")
    x = torch.from_numpy(numbers(5, 2, 8, 8))
    wanted = torch.from_numpy(reference(model, x))
    with torch.no_grad():
        torch.testing.assert_close(net(x), wanted, rtol=1e-4, atol=1e-4)
    names = [n for n, each in net.named_modules() if isinstance(each, nn.Conv2d | nn.Linear)]
    assert names == ["stem", "block_0", "head"]
    hardware = mho.Hardware(device=mho.cells.MultiLevel(g_min=1e-5, g_max=1e-4, levels=2049))
    chips = mho.convert(net, hardware, 2)
    with torch.no_grad():
        found = chips(x)
    torch.testing.assert_close(found, wanted.expand(2, -1, -1), rtol=2e-2, atol=2e-2)


REFUSED: dict[str, tuple[tuple[list[Any], dict[str, np.ndarray], list[int]], str]] = {
    "an operator that is not known": (([node("Erf", "x")], {}, [6]), "operator = 'Erf (node 1)'"),
    "a weight that is computed": (([node("MatMul", "x", "x")], {}, [6]), "a right side that is"),
    "samples that mix": (([node("Reshape", "x", "s")], {"s": np.array([1, -1])}, [6]),
                         "keeps samples apart"),
    "a softmax over samples": (([node("Softmax", "x", axis=0)], {}, [6]), "that of the samples"),
    "padding that is not said": (([node("Conv", "x", "w", auto_pad="SAME_UPPER")], {"w": KERNEL},
                                  [2, 7, 8]), "auto_pad = SAME_UPPER"),
    "a transposed input": (([node("Gemm", "x", "w", transA=1)], {"w": MATRIX}, [6]), "transA = 0"),
    "a constant for each sample": (([node("Add", "x", "c")], {"c": numbers(2, 6)}, [6]),
                                   "the same for all samples"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_has_no_layer_is_refused_by_name(what: str, tmp_path: Path) -> None:
    (nodes, constants, shape), said = REFUSED[what]
    written(tmp_path / "net.onnx", nodes, constants, shape)
    with pytest.raises(ValueError, match=r"net\.onnx") as refused:
        from_onnx(tmp_path / "net.onnx")
    assert said in str(refused.value)


def test_samples_that_would_be_reshaped_into_others_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "net.onnx", [node("Reshape", "x", "s")], {"s": np.array([-1, 8])}, [4, 8])
    with pytest.raises(RuntimeError, match="shape"):
        from_onnx(tmp_path / "net.onnx")(torch.zeros(3, 4, 8))


def test_two_outputs_and_no_file_are_refused(tmp_path: Path) -> None:
    nodes = [node("Relu", "x", to="y"), node("Tanh", "x", to="z")]
    written(tmp_path / "net.onnx", nodes, {}, [6], outputs=("y", "z"))
    with pytest.raises(ValueError, match="outputs"):
        from_onnx(tmp_path / "net.onnx")
    with pytest.raises(ValueError, match=r"an \.onnx file"):
        from_onnx(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    with pytest.raises(ValueError, match="that can be read"):
        from_onnx(tmp_path / "bad.onnx")
