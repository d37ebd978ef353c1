"""How much of a network is on arrays: its weights and multiplications, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from mho.arguments import checked
from mho.errors import InvalidInput, Said, invalid, warn
from mho.hardware import Hardware
from mho.hardware.share import Share, in_percent
from mho.learning.batches import Batch, like, tensors_of
from mho.learning.convert import EXCLUDED_ROWS, plain
from mho.learning.layer_table import (
    BETWEEN,
    LOOKUP,
    NORM,
    OWN_PARAMETER,
    Holder,
    Row,
    holders,
    named,
    plain_part,
    shares,
)
from mho.learning.layers.composite import Composite
from mho.learning.layers.row_by_row import rows_from
from mho.learning.products import Products, count


@dataclass(frozen=True)
class Coverage:
    """What is on arrays and what is digital, and why; printed as a table.

    Attributes:
        rows: layer by layer, in the network's order; the products of two activations in a layer
            follow it.
    """

    rows: tuple[Row, ...]

    @property
    def share_of_weights(self) -> float:
        """Share of the weights that is on arrays, lookups and normalizations left out [1]."""
        return shares([*self.rows])

    @property
    def share_of_multiplications(self) -> float | None:
        """Share of the multiplications for one input that is on arrays [1]; None: not counted."""
        counted = [row for row in self.rows if row.multiplications is not None]
        if not counted:
            return None
        every = sum(row.multiplications or 0 for row in counted)
        arrays = sum(row.multiplications or 0 for row in counted if row.on_arrays)
        return arrays / every if every else 1.0

    def __str__(self) -> str:
        lines = [("layer", "kind", "where", "weights", "multiplications")]
        lines += [
            (row.name or "(the network)", row.kind, _where(row), _number(row.weights),
             _number(row.multiplications))
            for row in self.rows
        ]  # fmt: skip
        weights = in_percent(self.share_of_weights)
        products = self.share_of_multiplications
        lines.append(
            (
                "on arrays",
                "",
                "",
                weights,
                "not counted" if products is None else in_percent(products),
            )
        )
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if k > 2 else cell.ljust(width)
                for k, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )


@checked
def coverage(net: nn.Module, inputs: Any = None) -> Coverage:
    """Which layers of a network are on arrays, which are digital and why, and how much that is.

    Multiplications are those of matrix products and convolutions, for one input; elementwise ones,
    such as those of normalizations and gates, are not counted. The products of two activations, as
    in attention, are digital. The network is not read: the plain torch network of the same shape
    (`mho.to_digital`) is run once, and nothing of this one changes.

    Args:
        net: a network, converted or not.
        inputs: what its forward pass takes: a tensor (batch, ...); or a tuple of arguments, or a
            dict of them by name, of which the first tensor is (batch, ...). None: multiplications
            are those of the first input that `mho.evaluate` or `mho.calibrate` saw, if one did.

    Raises:
        ValueError: inputs that the network does not take.
    """
    found = holders(net)
    if inputs is None:
        rows = tuple(each.row for each in found)
        before = plain_part(net).__dict__.get(_REMEMBERED)
        if before is None or before.coverage is None or before.of != _outline(found):
            return Coverage(rows)
        return before.coverage
    args, kwargs = _arguments(inputs)
    try:
        counted = _counted(net, found, args, kwargs)
    except InvalidInput:
        raise
    except Exception as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise invalid("coverage.inputs", inputs, f"what the network takes ({why})") from error
    plain_part(net).__dict__[_REMEMBERED] = _Remembered(None, _outline(found), counted)
    _warn_of_more(net, found, counted)
    return counted


def remember(net: nn.Module, batch: Batch) -> None:
    """Count the multiplications for one input of a batch, once for each shape, so that the
    network's ledger can say which share of them it is about.

    A network that torch cannot run so has none; a chain of layers of one matrix each, all on
    arrays, needs none.
    """
    inside = plain_part(net)
    kind = tuple((x.shape[1:], x.dtype) for x in tensors_of(batch))
    found = holders(net)
    before = inside.__dict__.get(_REMEMBERED)
    if before is not None and before.kind == kind and before.of == _outline(found):
        return
    joined = any(isinstance(module, Composite) for module in inside.modules())
    left = any(each.row.left_digital for each in found)
    if not left and not joined and rows_from(inside) is not None:
        return
    try:
        one = like(batch, (x[:1] for x in tensors_of(batch)))
        counted = _counted(net, found, *_arguments(one))
    except Exception:  # whatever a forward pass of a user's own may raise
        counted = None
    if counted is not None:
        _warn_of_more(net, found, counted)
    inside.__dict__[_REMEMBERED] = _Remembered(kind, _outline(found), counted)


def share_of(net: nn.Module) -> Share:
    """How much of a network its ledger is about: of its multiplications, if these were counted,
    else of its weights."""
    found = coverage(net)
    products = found.share_of_multiplications
    if products is not None:
        return Share(on_arrays=products, of="multiplications")
    return Share(on_arrays=found.share_of_weights, of="weights")


_REMEMBERED = "_coverage"
"""Attribute of a network that keeps what was counted; copies of the network have it too."""

_SAID = "_coverage_said"
"""Attribute of a network that keeps what was said of it."""

_Outline = tuple[tuple[str, str, str, int], ...]


@dataclass(frozen=True)
class _Remembered:
    """A coverage, for inputs of one kind, of a network as it was then."""

    kind: tuple[tuple[torch.Size, torch.dtype], ...] | None
    of: _Outline
    coverage: Coverage | None


def _outline(found: list[Holder]) -> _Outline:
    """What must be as it was for multiplications counted before to count."""
    return tuple((r.row.name, r.row.kind, r.row.why, r.row.weights) for r in found)


def _arguments(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(inputs, Mapping):
        return (), dict(inputs)
    return (tuple(inputs), {}) if isinstance(inputs, tuple | list) else ((inputs,), {})


def _warn_of_more(net: nn.Module, found: list[Holder], counted: Coverage) -> None:
    """Warn, once a network, of digital weights that only a pass shows to be multiplied."""
    inside = plain_part(net)
    known = {each.row.name for each in found if each.row.counts}
    known |= inside.__dict__.get(EXCLUDED_ROWS, frozenset())
    more = [row for row in counted.rows if row.left_digital and row.name not in known]
    said = inside.__dict__.setdefault(_SAID, Said())
    if more and any(each.row.on_arrays for each in found) and said.first("more"):
        share = in_percent(counted.share_of_multiplications or 0.0)
        warn(
            f"mho.coverage: {named(more)} stay digital: {share} of the multiplications are on "
            "arrays"
        )


def _counted(
    net: nn.Module, found: list[Holder], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Coverage:
    """A pass of the plain network, by rows."""
    leaves = pytree.tree_leaves((args, kwargs))
    batch = next((len(x) for x in leaves if isinstance(x, Tensor) and x.dim()), 1)
    if batch < 1:
        raise invalid("coverage.inputs", "an empty batch", "at least one input")
    digital = plain(getattr(net, "_orig_mod", net), 0)
    products = count(digital, *args, **kwargs)
    found = [*found, *_vectors(digital, found, products)]
    rows = [_with_products(each, products, batch) for each in found]
    return Coverage(tuple(_with_between(rows, found, products, batch, plain_part(net))))


def _vectors(net: nn.Module, found: list[Holder], products: Products) -> list[Holder]:
    """Parameters of one dimension that are multiplied, as a vector in a user's own forward is."""
    known = {name for each in found for name in each.parameters}
    made = []
    for name, parameter in net.named_parameters():
        if name in known or parameter.dim() > 1 or not products.of(name, (0.0, 1.0)):
            continue
        module = net.get_submodule(name.rpartition(".")[0])
        row = Row(
            name=name, kind=type(module).__name__, hardware=None, why=OWN_PARAMETER,
            weights=parameter.numel(), counts=True,
        )  # fmt: skip
        made.append(Holder(row, module, name.rpartition(".")[0], {name: (0.0, 1.0)}))
    return made


def _with_products(holder: Holder, products: Products, batch: int) -> Row:
    many = sum(products.of(name, part) for name, part in holder.parameters.items())
    if holder.row.why == NORM:
        return holder.row
    row = replace(holder.row, multiplications=round(many / batch))
    if row.why == OWN_PARAMETER and not many:
        return replace(row, why=f"{OWN_PARAMETER}, not multiplied", counts=False)
    if row.why == LOOKUP and many:
        return replace(row, why=f"{LOOKUP}; its weights are multiplied elsewhere", counts=True)
    return row


def _with_between(
    rows: list[Row], found: list[Holder], products: Products, batch: int, net: nn.Module
) -> list[Row]:
    """The rows, each product of two activations after the last row of the module it is in."""
    kinds = {name: module for name, module in net.named_modules()}
    out = list(rows)
    layers = [each.layer for each in found]
    for name, many in products.between.items():
        kind = type(kinds[name]).__name__.removeprefix("Memristive") if name in kinds else ""
        row = Row(
            name=name, kind=kind, hardware=None, why=BETWEEN, weights=0, counts=False,
            multiplications=round(many / batch),
        )  # fmt: skip
        within = [k for k, n in enumerate(layers) if f"{n}.".startswith(f"{name}.") or not name]
        at = within[-1] + 1 if within else len(layers)
        out.insert(at, row)
        layers.insert(at, name)
    return out


def _where(row: Row) -> str:
    where = _chip(row.hardware) if row.hardware is not None else f"digital: {row.why}"
    return f"{where}; weights of {row.shares}" if row.shares else where


def _chip(hardware: Hardware) -> str:
    kind, mapping = type(hardware.device).__name__, hardware.mapping
    return f"arrays: {kind}, {hardware.levels} levels, {mapping}"


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
