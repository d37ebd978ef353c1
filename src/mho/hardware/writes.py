"""Writing weights: which left their level, what cells that takes, programming them, folding.

Compiled on a CPU, in torch elsewhere; the two give the same bits. A store says which one it is to
be (`Store.views`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from mho.hardware.instrument import InstrumentError
from mho.hardware.mapping import level_index
from mho.hardware.programming import program_cells
from mho.hardware.store import Store
from mho.kernels import folding, planning, records
from mho.kernels.views import NotForKernels


class Stale(NamedTuple):
    """Weights of one layer that are off their level."""

    weights: Int64[Tensor, " n"]
    """Flat positions in (out, in)."""
    shadow: Float[Tensor, " n"]
    """Their shadow weights, float32."""
    outside: int = 0
    """Weights of the layer whose shadow is beyond the window, by more than the threshold if they
    stand at its edge."""


class Plan(NamedTuple):
    """The writes of one step in one layer. It lasts until the next one of the layer is made."""

    weights: Int64[Tensor, " n"]
    """Flat positions of the weights to write."""
    to: Int64[Tensor, " n"]
    """Level that each of them gets."""
    cells: Int64[Tensor, " k"]
    """Flat positions of the cells to program."""
    levels: Int[Tensor, " k"]
    """Their new levels."""


def bound(store: Store, threshold: float) -> float:
    """Distance beyond which a weight is stale, for a threshold in steps; all are for 0."""
    return threshold * store.step if threshold else -1.0


def find_stale(store: Store, shadow: Tensor, threshold: float) -> Stale:
    """Weights whose shadow is more than `threshold` steps from where they are taken to stand.

    Half a step is "the nearest level changed"; 0 is all weights.

    Raises:
        ValueError: a shadow weight is not finite.
    """
    far, edge = bound(store, threshold), store.full_scale
    if store.views(shadow) is None:
        flat = shadow.detach().float().contiguous().view(-1)
        target = store.target.view(-1)
        found = (~((flat - target).abs_() <= far)).nonzero().squeeze(1)
        some, goal = flat[found], target[found]
        if not some.isfinite().all():
            store.check_finite(shadow)
        far_off = ~((some.clamp(-edge, edge) - goal).abs_() <= far)
        outside = int((some.abs() > edge).sum())
        return Stale(found[far_off], some[far_off], outside)
    while True:
        places = store.room().weights
        into = places, np.empty(places.size, np.float32)
        count, finite, outside = store.run(
            shadow,
            planning.find_stale,
            lambda v, into=into: (v.shadow, v.weights.target, far, edge, *into),
        )
        if not finite:
            store.check_finite(shadow)
        if count <= places.size:
            found = torch.from_numpy(places[:count].copy())
            return Stale(found, torch.from_numpy(into[1][:count]), outside)
        store.room(count)


def plan(store: Store, shadow: Tensor, stale: Stale, rewrite: bool) -> Plan:
    """How to bring stale weights to their nearest level; those already there are left out.

    Args:
        shadow: the shadow weight of the layer.
        rewrite: program all own cells of a weight none of whose levels changes.
    """
    weights, values, _ = stale
    if store.views(shadow) is not None:
        room, given = store.room(len(weights)), (weights.numpy(), values.numpy(), store.full_scale)
        counts = store.run(
            shadow,
            planning.plan_writes,
            lambda v: (*given, v.layout, v.cells.level, rewrite, room),
        )
        return _of_room(room, counts)
    tiling, level = store.crossbar.tiling, store.crossbar.level
    index = level_index(values, store.full_scale, store.levels, weights)
    levels = store.cell_levels[index]  # (n, own)
    cells = tiling.cells(weights)[:, : levels.shape[1]]
    changed = levels != level.flatten()[cells]
    moved = changed.any(1)
    if rewrite:
        changed |= ~moved.unsqueeze(1)
    else:
        weights, index = weights[moved], index[moved]
    return Plan(weights, index, cells[changed], levels[changed])


class Pending(NamedTuple):
    """A layer and what is to be written to it."""

    store: Store
    shadow: Tensor
    plan: Plan


def write_stale(
    layers: Sequence[tuple[Store, Tensor]],
    thresholds: Sequence[float],
    rewrite: bool,
    most_outside: Sequence[float],
) -> tuple[int, list[int]]:
    """Write all weights that are off their level, all layers in one physical step.

    Args:
        layers: stores, each with its shadow weight.
        thresholds: layer by layer, as in `find_stale`.
        rewrite: as in `plan`.
        most_outside: layer by layer; one with more weights `outside` is left alone: its window is
            to be widened first.

    Returns:
        How many weights were written; and layer by layer how many are `outside`, as in `Stale`.

    Raises:
        ValueError: a shadow weight is not finite; then nothing is written.
        InstrumentError: as `write_planned`.
    """
    landing: list[tuple[Store, Tensor, tuple[int, int]]] = []
    pending: list[Pending] = []
    written, outside = 0, []
    for (store, shadow), threshold, most in zip(layers, thresholds, most_outside, strict=True):
        try:
            beyond, counts = _plan_stale(store, shadow, threshold, rewrite)
        except NotForKernels:
            stale = find_stale(store, shadow, threshold)
            outside.append(stale.outside)
            if stale.outside <= most:
                each = plan(store, shadow, stale, rewrite)
                pending.append(Pending(store, shadow, each))
                written += len(each.weights)
            continue
        outside.append(beyond)
        if beyond > most:
            continue
        written += counts[0]
        if store.crossbar.landing is None:
            pending.append(Pending(store, shadow, _of_room(store.room(), counts)))
        elif counts[0]:
            landing.append((store, shadow, counts))
    for store, shadow, counts in landing:
        _land(store, shadow, counts)
    write_planned(pending)
    return written, outside


def write_planned(pending: Sequence[Pending]) -> None:
    """Carry out plans, all layers in one physical step.

    Raises:
        InstrumentError: what had been programmed by then is no longer stale.
    """
    simulated = [p for p in pending if p.store.crossbar.arrays is None and len(p.plan.weights)]
    measured = [p for p in pending if p.store.crossbar.arrays is not None and len(p.plan.weights)]
    for group in (simulated, *([each] for each in measured)):
        try:
            program_cells([(p.store.crossbar, p.plan.cells, p.plan.levels) for p in group])
        except InstrumentError:
            for each in group:
                each.store.refresh(each.shadow.detach().flatten(1))
            raise
        for each in group:
            _fold(each)


def _plan_stale(
    store: Store, shadow: Tensor, threshold: float, rewrite: bool
) -> tuple[int, tuple[int, int]]:
    """`find_stale` and `plan` at once, into the store's room; how many weights are outside, and how
    many weights and cells to write.

    Raises:
        NotForKernels: torch has to do it; nothing was done.
    """
    far, full = bound(store, threshold), store.full_scale
    while True:
        room = store.room()
        found, finite, outside, weights, cells = store.run(
            shadow,
            planning.plan_stale,
            lambda v, room=room: (
                *(v.shadow, v.weights.target, far, full),
                *(v.layout, v.cells.level, rewrite, room),
            ),
        )
        if not finite:
            store.check_finite(shadow)
        if found <= len(room.weights):
            return outside, (weights, cells)
        store.room(found)


def _land(store: Store, shadow: Tensor, counts: tuple[int, int]) -> None:
    """Carry out what is planned in the store's room, for cells that land in one pulse."""
    crossbar = store.crossbar
    z = crossbar.noise(counts[1]).normal().numpy()
    landing = crossbar.landing
    assert landing is not None
    store.changed()
    store.run(
        shadow,
        folding.write_landing,
        lambda v: (
            *(store.room(), counts, z, v.offset, *landing, v.cells),
            *(store.full_scale, store.scale, v.layout, v.weights),
        ),
    )
    crossbar.wear(landing.spent[0])


def _of_room(room: records.Plan, counts: tuple[int, int]) -> Plan:
    """The first weights and cells of what kernels wrote down, `counts` of each."""
    weights, cells = counts
    ends = zip(room, (weights, weights, cells, cells), strict=True)
    return Plan(*(torch.from_numpy(each[:n]) for each, n in ends))


def _fold(written: Pending) -> None:
    """Have written weights realize and stand for what they do now."""
    store, shadow, plan = written
    if store.crossbar.due or store.views(shadow) is None:
        store.fold(plan.weights, plan.to)
        return
    store.changed()
    given = plan.weights.numpy(), plan.to.numpy(), store.full_scale, store.scale
    store.run(shadow, folding.fold, lambda v: (*given, v.layout, v.weights))
