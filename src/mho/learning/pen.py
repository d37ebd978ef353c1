"""Writing one layer in compiled code, with what its kernels take made once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from mho.hardware import event
from mho.kernels.land import land_planned
from mho.kernels.views import fits
from mho.kernels.write import fold_weights, plan_where_apart
from mho.learning.compare import SHARE
from mho.learning.layers.quantizer import level_value

if TYPE_CHECKING:
    from mho.learning.layers.layer import ArrayLayer


class Room(NamedTuple):
    """Memory for a plan, which kernels fill from the start."""

    weights: np.ndarray
    """Flat positions of the weights to write, int64."""
    to: np.ndarray
    """Index of the level each of them gets, int64."""
    cells: np.ndarray
    """Flat positions of the cells to program, int64."""
    levels: np.ndarray
    """Their new levels, int16."""

    @classmethod
    def of(cls, weights: int, own: int) -> Self:
        """For so many weights, each with so many cells of its own."""
        index, cells = np.empty((2, weights), np.int64), np.empty(weights * own, np.int64)
        return cls(index[0], index[1], cells, np.empty(weights * own, np.int16))

    def taken(self, weights: int, cells: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """A copy of what was written down for so many weights and cells."""
        first = zip(self, (weights, weights, cells, cells), strict=True)
        one, two, three, four = (torch.from_numpy(each[:n].copy()) for each, n in first)
        return one, two, three, four


class Pen:
    """Finds what is stale in one layer on a CPU, and writes it.

    It holds what stays while the layer's tensors stay where they are, so the layer makes a new one
    after they may have moved. What may change besides is read from the layer.
    """

    def __init__(self, layer: ArrayLayer) -> None:
        crossbar, hardware = layer.crossbar, layer.hardware
        self._identity = _identity(layer)
        # They must not go, lest others get their identities.
        self._held = layer.weight, *layer._buffers.values(), *crossbar._buffers.values()
        self._weight, self._effective, self._target, self._codes, self._shown, *books = (
            t.detach().numpy() for t in _tensors(layer)
        )
        self._level, self._places = books[event.BOOKS.index("level")], crossbar.tiling.places
        self._landing = event.landing(crossbar, books) if crossbar.lands else ()
        index = torch.arange(hardware.levels)
        self._values = level_value(index, 1.0, hardware.levels).numpy()
        line = hardware.cells.line(hardware.device.window)
        self._line = None if line is None else np.array(line, np.float32)
        self._room = Room.of(self._weight.size // SHARE + 1, self._codes.shape[1])
        self._planned = 0, 0

    @staticmethod
    def suits(layer: ArrayLayer) -> bool:
        """Whether kernels can work on a layer."""
        return all(map(fits, _tensors(layer)))

    def holds(self, layer: ArrayLayer) -> bool:
        """Whether the layer's tensors are those it was made for, where they were."""
        return self._identity == _identity(layer)

    def plan(self, layer: ArrayLayer, threshold: float, rewrite: bool) -> int:
        """Decide how to bring all weights that are more than `threshold` steps from their
        programmed level to the nearest one, as `mho.learning.plan.plan` does.

        Returns:
            How many weights will be written.

        Raises:
            ValueError: a shadow weight is not finite.
        """
        found, finite, weights, cells = plan_where_apart(
            *(self._weight, self._target, layer.bound(threshold), layer.full_scale),
            *(self._codes, self._places, self._level, rewrite),
            *self._room,
        )
        if not finite:
            layer.check_finite()
        if found > len(self._room.weights):
            self._room = Room.of(found, self._codes.shape[1])
            return self.plan(layer, threshold, rewrite)
        self._planned = weights, cells
        return weights

    def planned(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What `plan` decided, as in a `Plan`; it stays when the next one is made."""
        return self._room.taken(*self._planned)

    def lands(self, layer: ArrayLayer) -> bool:
        """Whether `land` can do it all: no more than one pulse for each cell."""
        return bool(self._landing) and layer.crossbar.lands and self.folds(layer)

    def land(self, layer: ArrayLayer) -> None:
        """Carry out what `plan` decided, in one event, and `fold` it in."""
        weights, cells = self._planned
        crossbar = layer.crossbar
        z = event.noise(crossbar, cells).normal().numpy()
        land_planned(weights, *self._room, z, self._folding(layer), self._landing)
        crossbar.wear(1)

    def folds(self, layer: ArrayLayer) -> bool:
        """Whether `fold` can do what `ArrayLayer.update` does."""
        parts = layer._buffers["parts"]
        return self._line is not None and parts is None and not layer.crossbar.due

    def fold(self, layer: ArrayLayer, weights: np.ndarray, index: np.ndarray) -> None:
        """What the cells of weights (n,), now at levels `index` (n,), realize and stand for."""
        fold_weights(weights, index, *self._folding(layer))

    def _folding(self, layer: ArrayLayer) -> tuple[Any, ...]:
        """What `fold_weights` takes besides weights and index, to write into `effective`."""
        increment_version(layer.effective)  # a backward pass of before is to notice, as of torch
        now = (self._values, layer.full_scale, self._places, self._shown, self._line, layer.scale)
        return *now, self._effective, self._target


def _tensors(layer: ArrayLayer) -> list[Tensor]:
    """What kernels see of a layer."""
    seen = [layer.weight, layer.effective, layer.target, layer.codes, layer.crossbar.shown]
    return seen + event.books(layer.crossbar)


def _identity(layer: ArrayLayer) -> tuple[int, ...]:
    """What tells the tensors of a layer from others, or from themselves elsewhere.

    Buffers are not looked into, for that takes longer than a kernel; they move with the crossbar.
    """
    weight, own, crossbar = layer.weight, layer._buffers.values(), layer.crossbar
    ids = map(id, (weight, *own, *crossbar._buffers.values()))
    return weight.data_ptr(), crossbar.moves, *ids
