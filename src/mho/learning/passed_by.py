"""Networks that compute with the weights of their layers past the arrays that hold them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from mho.errors import invalid
from mho.learning.layers.layer import ArrayLayer, digital_buffers

_PRODUCTS = {
    *("linear", "bilinear", "matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "mv", "dot"),
    *("inner", "addmm", "addmv", "addbmm", "baddbmm", "einsum", "tensordot", "multi_dot"),
    *("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
    *("lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell"),
    *("multi_head_attention_forward", "_native_multi_head_attention"),
    "_transformer_encoder_layer_fwd",
}
"""Names of torch's functions that multiply activations with weights. A lookup is none of them."""


@contextmanager
def refusing(net: nn.Module) -> Iterator[None]:
    """Refuse a network that, in a pass inside, computes with the weight of a layer on arrays, or
    without a layer; one that is compiled is not looked into while it reads all layers.

    Raises:
        ValueError: names the layer.
    """
    layers = {n: m for n, m in net.named_modules() if isinstance(m, ArrayLayer)}
    before = {name: layer.crossbar.counts.vectors for name, layer in layers.items()}
    allowed = (
        "a network that calls its memristive layers; this one does not use it, or takes its "
        "weight past its arrays (hardware={name: None, ...} of mho.convert leaves a layer digital)"
    )
    watch = _Watch(net, layers)
    if any(hasattr(m, "_orig_mod") or m._compiled_call_impl for m in net.modules()):
        yield
    else:
        with watch:
            yield
    unread = [n for n, layer in layers.items() if layer.crossbar.counts.vectors == before[n]]
    if unread:
        raise invalid("net", f"layer {unread[0]!r} read no vector", allowed)
    for name, function in watch.past.items():
        what = f"layer {name!r} is read, and its weight is taken past its arrays by {function}"
        raise invalid("net", what, allowed)


class _Watch(TorchFunctionMode):
    """Sees every function of torch's, and notes which multiply activations with shadow weights.

    Attributes:
        past: the first such function of each layer.
    """

    def __init__(self, net: nn.Module, layers: dict[str, ArrayLayer]) -> None:
        super().__init__()
        self.past: dict[str, str] = {}
        self._made = {id(each.weight): (each.weight, name) for name, each in layers.items()}
        """Shadow weights, and what is made of them alone, by id, with the layer."""
        fixed = [*net.parameters(), *digital_buffers(net)]
        self._fixed = {id(each): each for each in fixed}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        given = _tensors((args, kwargs))
        made = next((self._made[id(x)] for x in given if id(x) in self._made), None)
        if made is None:
            return result
        name = made[1]
        if all(id(x) in self._made or id(x) in self._fixed for x in given):
            self._made.update({id(x): (x, name) for x in _tensors(result)})
        elif getattr(func, "__name__", "") in _PRODUCTS:
            self.past.setdefault(name, func.__name__)
        return result


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in pytree.tree_leaves(values) if isinstance(leaf, Tensor)]
