"""What holds the weights of a network: a row for each layer, on arrays or digital and why."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.utils import parametrize

from mho.hardware import Hardware
from mho.hardware.share import in_percent
from mho.learning.layers.chips import Chips
from mho.learning.layers.composite import Composite
from mho.learning.layers.digital_part import DigitalPart
from mho.learning.layers.layer import ArrayLayer
from mho.learning.layers.replace import plain_type
from mho.learning.repair.chip_batchnorm import ChipBatchNorm
from mho.learning.repair.chip_linear import ChipLinear
from mho.learning.twins import twin_of, why_not

_LOOKUPS = nn.Embedding, nn.EmbeddingBag
_NORMS = (
    *(_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.LocalResponseNorm),
    *(nn.CrossMapLRN2d, ChipBatchNorm),
)
_CONTAINERS = nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict

EXCLUDED = "excluded by hardware="
LOOKUP = "a lookup, no product"
NORM = "normalization, elementwise"
OWN_PARAMETER = "a parameter of the network's own forward"
BETWEEN = "products of two activations"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One layer of a network, or one part of a layer of several matrices."""

    name: str
    """In the network that was converted."""
    kind: str
    """Class of the layer in torch."""
    hardware: Hardware | None
    """The kind of chip that its weights are on; None: digital."""
    why: str
    """Why it is digital; empty on arrays."""
    weights: int
    """Numbers in its parameters of two or more dimensions."""
    counts: bool
    """Whether these enter `Coverage.share_of_weights`: lookups, normalizations, and weights that
    stand in an earlier row already do not."""
    multiplications: int | None = None
    """Multiplications for one input; None: not counted."""
    shares: str = ""
    """Name of the first row that holds the same weights; on arrays each row has its own."""

    @property
    def on_arrays(self) -> bool:
        """Whether its weights are on arrays."""
        return self.hardware is not None

    @property
    def left_digital(self) -> bool:
        """Whether it has weights that could matter and that are not on arrays."""
        return self.counts and not self.on_arrays


@dataclass(frozen=True)
class Holder:
    """What a row is about.

    Attributes:
        row: the row.
        module: the layer, or the module that a parameter is in.
        layer: name of that module; that of the row but for parameters of a network's own.
        parameters: names of parameters of the plain torch network in it, each with the share of
            their numbers, from where to where, that is meant: `{"lstm.weight_ih_l0": (0.0, 1.0)}`.
    """

    row: Row
    module: nn.Module
    layer: str
    parameters: dict[str, tuple[float, float]]


class Seen:
    """Which rows hold which weights."""

    def __init__(self) -> None:
        self._counted: set[int] = set()
        self._first: dict[int, str] = {}

    def note(self, name: str, weights: list[Tensor], counts: bool = True) -> tuple[bool, str]:
        """A row holds some weights.

        Returns:
            Whether some of them were in no row that counts; the row that has all of them first,
            where there is an earlier one.
        """
        fresh = not weights or any(id(weight) not in self._counted for weight in weights)
        if counts:
            self._counted.update(map(id, weights))
        before = {self._first.get(id(weight), "") for weight in weights}
        for weight in weights:
            self._first.setdefault(id(weight), name)
        return fresh, before.pop() if len(before) == 1 else ""


def plain_part(net: nn.Module) -> nn.Module:
    """The network itself: of one on several chips, or of a compiled one, what is inside."""
    net = getattr(net, "_orig_mod", net)
    return net.net if isinstance(net, Chips) else net


def holders(net: nn.Module) -> list[Holder]:
    """All rows of a network, converted or not, in order, none with multiplications."""
    net = plain_part(net)
    converted = any(isinstance(module, ArrayLayer) for module in net.modules())
    found: list[Holder] = []
    seen = Seen()
    inside: set[nn.Module] = set()
    for name, module in net.named_modules():
        if module in inside:
            continue
        if isinstance(module, Composite):
            found += [
                _converted(f"{name}.{part}".lstrip("."), layer, seen, (name, module, part))
                for part, layer in module.named_modules()
                if isinstance(layer, ArrayLayer | DigitalPart)
            ]
        elif isinstance(module, ArrayLayer):
            found.append(_converted(name, module, seen))
        elif _is_layer(module):
            found.append(_digital(name, module, converted, seen))
            if not _is_closed(module):
                continue
        elif not isinstance(module, parametrize.ParametrizationList):
            found += _own(name, module, seen)
            continue
        inside.update(module.modules())
    return found


def _converted(
    name: str,
    layer: ArrayLayer | DigitalPart,
    seen: Seen,
    of: tuple[str, Composite, str] | None = None,
) -> Holder:
    kind = next(k.__name__ for k in type(layer).__mro__ if not _is_of_mho(k))
    parameters = {f"{name}.weight".lstrip("."): (0.0, 1.0)}
    if of is not None:
        whole, composite, part = of
        parameters = _within(whole, composite, part)
    fresh, first = seen.note(name, [layer.weight])
    hardware = layer.hardware if isinstance(layer, ArrayLayer) else None
    row = Row(
        name=name, kind=kind, hardware=hardware, why="" if hardware else EXCLUDED,
        weights=layer.weight.numel(), counts=fresh, shares=first,
    )  # fmt: skip
    return Holder(row, layer, name, parameters)


def _is_of_mho(kind: type) -> bool:
    return kind.__module__.startswith("mho.")


def _within(name: str, composite: Composite, part: str) -> dict[str, tuple[float, float]]:
    """Which numbers of which parameters of the torch layer a part has."""
    found = {}
    for entry, places in composite.entries().items():
        if f"{part}.weight" in places:
            k, n = places.index(f"{part}.weight"), len(places)
            found[f"{name}.{entry}".lstrip(".")] = (k / n, (k + 1) / n)
    return found


def _is_layer(module: nn.Module) -> bool:
    """Whether a digital module is a layer with weights, or a kind that has a row without."""
    if isinstance(module, (ChipLinear, *_LOOKUPS, *_NORMS)):
        return True
    if twin_of(module) is not None:
        return True
    of_torch = any(
        kind.__module__.startswith("torch.nn.modules.") and not issubclass(nn.Module, kind)
        for kind in type(module).__mro__
    )
    own = any(tensor.dim() > 1 for _, tensor in _tensors(module, recurse=False))
    return of_torch and own and not isinstance(module, _CONTAINERS)


def _is_closed(module: nn.Module) -> bool:
    """Whether what is inside of a layer is part of it; a class of the user's own that is derived
    from one of torch's may call further layers."""
    kind = plain_type(module)
    of_others = kind.__module__.partition(".")[0] not in ("torch", "mho")
    return isinstance(module, nn.MultiheadAttention) or twin_of(module) is not None or not of_others


def _digital(name: str, module: nn.Module, converted: bool, seen: Seen) -> Holder:
    counts = not isinstance(module, (*_LOOKUPS, *_NORMS))
    if isinstance(module, _LOOKUPS):
        why = LOOKUP
    elif isinstance(module, _NORMS):
        why = NORM
    elif isinstance(module, ChipLinear):
        why = "weights of each chip's own"
    elif twin_of(module) is not None:
        why = EXCLUDED if converted else "not converted; see mho.convert"
    else:
        why = why_not(module)
    closed = _is_closed(module)
    tensors = dict(_tensors(module, recurse=closed))
    matrices = [tensor for tensor in tensors.values() if tensor.dim() > 1]
    weights = sum(tensor.numel() for tensor in matrices)
    if isinstance(module, ChipLinear):
        weights //= module.chips
    fresh, first = seen.note(name, matrices, counts)
    row = Row(
        name=name, kind=_kind(module), hardware=None, why=why, weights=weights,
        counts=counts and fresh, shares=first,
    )  # fmt: skip
    every = {
        f"{name}.{n}".lstrip("."): (0.0, 1.0)
        for n, _ in module.named_parameters()
        if closed or _is_own(n)
    }
    return Holder(row, module, name, every)


def _is_own(parameter: str) -> bool:
    """Whether a parameter is one of a layer itself, parametrized or not."""
    return "." not in parameter or parameter.startswith("parametrizations.")


def _own(name: str, module: nn.Module, seen: Seen) -> Iterator[Holder]:
    """Parameters that a module of the user's own has."""
    for inner, tensor in _tensors(module, recurse=False):
        if tensor.dim() < 2:
            continue
        full = f"{name}.{inner}".lstrip(".")
        fresh, first = seen.note(full, [tensor])
        row = Row(
            name=full, kind=type(module).__name__, hardware=None, why=OWN_PARAMETER,
            weights=tensor.numel(), counts=fresh, shares=first,
        )  # fmt: skip
        raw = f"{name}.parametrizations.{inner}".lstrip(".")
        theirs = [n for n, _ in module.named_parameters() if n.startswith(raw.split(".", 1)[-1])]
        parameters = {full: (0.0, 1.0)} | {f"{name}.{n}".lstrip("."): (0.0, 1.0) for n in theirs}
        yield Holder(row, module, name, parameters)


def _tensors(module: nn.Module, recurse: bool = True) -> Iterator[tuple[str, Tensor]]:
    """Weights of a layer, of one that is parametrized the largest tensor that it is made of: making
    it may draw random numbers."""
    for name, each in module.named_modules() if recurse else [("", module)]:
        if isinstance(each, parametrize.ParametrizationList):
            continue
        if parametrize.is_parametrized(each):
            for inner, made in each.parametrizations.items():  # type: ignore[union-attr]
                largest = max(made._parameters.values(), key=Tensor.numel)  # type: ignore[type-var]
                yield f"{name}.{inner}".lstrip("."), largest
        for inner, tensor in each._parameters.items():
            beside = f"{inner[:-2]}_v" if inner.endswith("_g") else ""  # of torch's weight_norm
            if tensor is not None and beside not in each._parameters:
                yield f"{name}.{inner}".lstrip("."), tensor


def _kind(module: nn.Module) -> str:
    return plain_type(module).__name__


def shares(rows: list[Row]) -> float:
    """Share of the weights that is on arrays; 1 if there are none."""
    every = sum(row.weights for row in rows if row.counts)
    arrays = sum(row.weights for row in rows if row.counts and row.on_arrays)
    return arrays / every if every else 1.0


def named(rows: list[Row], most: int = 3) -> str:
    """The first of some rows, with what each is and why it is digital."""
    shown = [f"{row.name or 'the network'} ({row.kind}: {row.why})" for row in rows[:most]]
    rest = f" and {len(rows) - most} more" if len(rows) > most else ""
    return ", ".join(shown) + rest


def in_one_line(net: nn.Module) -> str:
    """What is on arrays and what is not."""
    rows = [each.row for each in holders(net)]
    arrays = [row for row in rows if row.on_arrays]
    left = [row for row in rows if row.left_digital]
    said = f"on arrays: {in_percent(shares(rows))} of the weights, {len(arrays)} of "
    said += f"{len(arrays) + len(left)} layers"
    return f"{said}; digital: {named(left)}" if left else said


class Summary:
    """What `repr` of a converted network begins with, in the place of its `extra_repr`."""

    def __init__(self, net: nn.Module) -> None:
        self._net = weakref.ref(net)

    def __call__(self) -> str:
        net = self._net()
        assert net is not None
        own = type(net).extra_repr(net)
        return "\n".join(filter(None, (own, in_one_line(net))))

    def __getstate__(self) -> nn.Module | None:
        return self._net()

    def __setstate__(self, net: nn.Module) -> None:
        self._net = weakref.ref(net)


def summarize(net: nn.Module) -> None:
    """Have `repr` of a network say what is on arrays."""
    if not isinstance(net, ArrayLayer):
        net.extra_repr = Summary(net)


def unsummarize(net: nn.Module) -> None:
    """Undo `summarize`."""
    if isinstance(net.__dict__.get("extra_repr"), Summary):
        del net.__dict__["extra_repr"]
