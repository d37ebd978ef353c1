"""Multiplications of one pass of a plain torch network, by the parameters that they are with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils.parametrize import ParametrizationList
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from mho.learning.layers.layer import digital_buffers

aten = torch.ops.aten

_FORMULAS: dict[Any, Callable[..., int]] = {
    aten.mv: lambda m, _v, **_: m.numel(),
    aten.addmv: lambda _y, m, _v, **_: m.numel(),
    aten.dot: lambda a, _b, **_: a.numel(),
    aten.vdot: lambda a, _b, **_: a.numel(),
    aten._trilinear: lambda x, w, *_, **__: x.shape[0] * w.numel(),
    aten._sparse_addmm: lambda _y, a, b, **_: a.shape[0] * a.shape[1] * b.shape[1],
}
"""Multiplications of operations that torch's own table of floating-point operations lacks."""

_OPERANDS: dict[Any, slice] = {
    aten.addmm: slice(1, 3),
    aten.baddbmm: slice(1, 3),
    aten.addmv: slice(1, 3),
    aten._sparse_addmm: slice(1, 3),
    aten._trilinear: slice(0, 3),
}
"""Which arguments of an operation are multiplied; of all others the first two."""

_MATRIX_PRODUCTS = {aten.mm, aten.addmm, aten._sparse_addmm, aten.mv, aten.addmv}
"""Operations that take a sparse matrix, too."""

Part = tuple[float, float]
"""Some of the numbers of a parameter, as shares of it, from where to where."""


class Products:
    """Multiplications of a pass.

    Attributes:
        between: of two activations, by the name of the module in which they were.
    """

    def __init__(self) -> None:
        self.between: Counter[str] = Counter()
        self._with: dict[str, list[tuple[Part, float]]] = {}

    def note(self, parameter: str, part: Part, multiplications: float) -> None:
        """Add those with some of the numbers of a parameter."""
        self._with.setdefault(parameter, []).append((part, multiplications))

    def of(self, parameter: str, part: Part) -> float:
        """Those with some of the numbers of a parameter."""
        total = 0.0
        for (low, high), many in self._with.get(parameter, ()):
            common = min(high, part[1]) - max(low, part[0])
            total += many * max(0.0, common) / (high - low)
        return total


@torch.no_grad()
def count(net: nn.Module, *args: Any, **kwargs: Any) -> Products:
    """Run a plain network once, in eval mode, and count: matrix products and convolutions, by
    torch's own formulas; elementwise products and lookups are none.

    The network should be a copy; torch's random numbers are as before.

    Raises:
        Exception: whatever the network raises.
    """
    net.eval()
    with _without_fused_operations(), _Counting(net) as counting, torch.random.fork_rng():
        net(*args, **kwargs)
    return counting.products


@contextmanager
def _without_fused_operations() -> Iterator[None]:
    """Have torch compute layers by operations of which it is known what they multiply."""
    fast = torch.backends.mha.get_fastpath_enabled()
    onednn = torch._C._get_mkldnn_enabled()
    with torch.backends.cudnn.flags(enabled=False), sdpa_kernel(SDPBackend.MATH):
        torch.backends.mha.set_fastpath_enabled(False)
        torch._C._set_mkldnn_enabled(False)
        try:
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
            torch._C._set_mkldnn_enabled(onednn)


_Origin = dict[str, Part]
"""Of a tensor that does not depend on inputs: the parameters it is made of; none for constants."""


class _Counting(TorchDispatchMode):
    """Sees every operation; notes where tensors that do not depend on the inputs come from."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.products, self._stack = Products(), [""]
        self._origins: dict[int, tuple[Tensor, _Origin]] = {}
        """By place in memory; a tensor that is held keeps others from taking its place."""
        self._parameters = dict(net.named_parameters())
        self._names: dict[str, list[str]] = {name: [] for name in self._parameters}
        first = {parameter: name for name, parameter in self._parameters.items()}
        for name, parameter in net.named_parameters(remove_duplicate=False):
            self._names[first[parameter]].append(name)
        for name, parameter in self._parameters.items():
            self._origins[_place(parameter)] = parameter, {name: (0.0, 1.0)}
        for buffer in digital_buffers(net):
            self._origins[_place(buffer)] = buffer, {}
        for name, module in net.named_modules():
            if isinstance(module, ParametrizationList):
                module.register_forward_hook(self._made)
            module.register_forward_pre_hook(lambda *_, name=name: self._stack.append(name))
            module.register_forward_hook(lambda *_: self._leave(), always_call=True)

    def _leave(self) -> None:
        self._stack.pop()

    def _made(self, module: nn.Module, _inputs: object, weight: Tensor) -> None:
        """A parametrized weight was made, by whatever means."""
        own = {id(parameter) for parameter in module.parameters()}
        names = [name for name, each in self._parameters.items() if id(each) in own]
        if _place(weight) not in self._origins:
            self._origins[_place(weight)] = weight, dict.fromkeys(names, (0.0, 1.0))

    def _origin(self, tensor: Tensor) -> _Origin | None:
        """Where a tensor comes from; None: it depends on inputs."""
        held, origin = self._origins.get(_place(tensor), (None, None))
        for name in origin or ():
            whole = self._parameters[name]
            if held is whole:  # the tensor may be a view of it, as of the rows of one gate
                start = float(tensor.storage_offset() - whole.storage_offset()) / whole.numel()
                return {name: (start, start + tensor.numel() / whole.numel())}
        return origin

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        made = func(*args, **kwargs)
        self._count(getattr(func, "_overloadpacket", func), args, kwargs, made)
        origins = [self._origin(x) for x in _tensors((args, kwargs))]
        known = [origin for origin in origins if origin is not None]
        for tensor in _tensors(made):
            if len(known) < len(origins):
                self._origins.pop(_place(tensor), None)
                continue
            held, before = self._origins.get(_place(tensor), (tensor, {}))
            names = {name: (0.0, 1.0) for each in (before, *known) for name in each}
            self._origins[_place(tensor)] = held, names
        return made

    def _count(self, kind: Any, args: Any, kwargs: Any, made: Any) -> None:
        operands = args[_OPERANDS.get(kind, slice(0, 2))]
        if kind in _MATRIX_PRODUCTS and (sparse := _of_sparse(operands, made)) is not None:
            many = sparse
        elif kind in _FORMULAS:
            many = _FORMULAS[kind](*args, **kwargs)
        elif kind in flop_registry:
            many = flop_registry[kind](*args, **kwargs, out_val=made) // 2
        else:
            return
        held = next((origin for origin in map(self._origin, operands) if origin), None)
        if held is None:
            self.products.between[self._stack[-1]] += many
            return
        sizes = {name: self._parameters[name].numel() for name in held}
        for name, part in held.items():
            share = sizes[name] / sum(sizes.values())
            self.products.note(self._nearest(name), part, many * share)

    def _nearest(self, name: str) -> str:
        """Of the names of a parameter, that in the module that computes."""
        names = self._names[name]
        return next((n for n in names if n.rpartition(".")[0] == self._stack[-1]), name)


def _place(tensor: Tensor) -> int:
    """Where the numbers of a tensor lie, of a sparse one those that are not 0."""
    return _values(tensor).untyped_storage()._cdata


def _values(tensor: Tensor) -> Tensor:
    if tensor.layout is torch.strided or tensor.layout is torch.jagged:
        return tensor
    return tensor._values() if tensor.layout is torch.sparse_coo else tensor.values()


def _of_sparse(operands: Sequence[Tensor], made: Tensor) -> int | None:
    """Multiplications of a matrix product one of whose operands is sparse: one for each of its
    entries and each column, or row, of the other; None: both are dense."""
    for at, operand in enumerate(operands):
        if operand.layout is not torch.strided:
            others = made.shape[-1 - at] if made.dim() > 1 else 1
            return _values(operand).numel() * others
    return None


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in pytree.tree_leaves(values) if isinstance(leaf, Tensor)]
