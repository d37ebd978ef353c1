"""What the arrays of one layer hold, and what that makes of the layer's weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor
from torch.autograd.graph import increment_version

from mho.errors import invalid
from mho.hardware import on_instrument
from mho.hardware.crossbar import Crossbar
from mho.hardware.hardware import Hardware
from mho.hardware.mapping import level_index, level_value
from mho.hardware.programming import FirstWrite
from mho.kernels.compiled import Kernel
from mho.kernels.records import Cells, Layout, Plan, Weights
from mho.kernels.views import Views

_SHARE = 16
"""Weights for each of which a plan has room for one, before room is made for more."""

_SAME_LEVEL = 1e-6
"""Rounding of a level that is computed from those of cells [levels]."""

_NONE = np.empty(0, np.float32)


R = TypeVar("R")


class StoreViews(NamedTuple):
    """What the kernels of a write step see of a store and its shadow weight."""

    shadow: np.ndarray
    """(out * in,)."""
    weights: Weights
    layout: Layout
    cells: Cells
    offset: np.ndarray
    """(chips * cells,) [S] of each device, or empty."""


class ReadVariances(NamedTuple):
    """Variance of a read of each digit of the weights, where it depends on the conductance."""

    own: Float[Tensor, "chips digits out in"]
    """That of a weight's own cells, in full scales squared."""
    references: Float[Tensor, "chips digits out in"] | None
    """That of the reference cells, one for all columns of a tile; None: there are none."""


class Store:
    """The weights (out, in) of one layer as its arrays hold them; the shadow weight is elsewhere.

    Attributes:
        crossbar: the cells.
        full_scale: weight at the edge of the window.
        levels: values that a weight can take.
        target (out, in): float32, where the controller takes each weight to stand: at its
            programmed level, or where `ReadBack` last read it.
        effective (chips, out, in): weight that the arrays realize.
        digits (chips, digits, out, in): the same of each digit that is converted apart; None where
            `effective` says all, or until it is first asked for.
        cell_levels (levels, cells_per_weight): int32, levels of a weight's own cells at each of its
            levels.

    Args:
        like: a weight matrix (out, in) for type and device.
        owner: what errors call the layer.
    """

    def __init__(self, crossbar: Crossbar, like: Tensor, full_scale: float, owner: str) -> None:
        self.crossbar, self.full_scale, self.owner = crossbar, full_scale, owner
        hardware = crossbar.hardware
        self.levels = hardware.levels
        index = torch.arange(self.levels, device=like.device)
        own = hardware.cells.own_levels(index, self.levels, hardware.device.states)
        self.cell_levels = own.to(torch.int32)
        self.target = torch.empty(like.shape, dtype=torch.float32, device=like.device)
        self.effective = like.new_empty((len(crossbar.chips), *like.shape))
        self.digits: Tensor | None = None
        self._address = 0
        """Of `effective`, when it was last folded whole."""
        self._views: Views[StoreViews] = Views()
        self._room: Plan | None = None
        self._current: tuple[Tensor, int] | None = None
        self._read: tuple[int, ReadVariances] | None = None

    @property
    def hardware(self) -> Hardware:
        """The kind of chip."""
        return self.crossbar.hardware

    @property
    def step(self) -> float:
        """Distance between neighbouring weight levels, in weight units."""
        return 2 * self.full_scale / (self.levels - 1)

    @property
    def scale(self) -> float:
        """Weight per siemens of signed conductance."""
        return self.full_scale / self.crossbar.span

    def apply(self, fn: Callable[[Tensor], Tensor]) -> None:
        """Cast or move the tensors, as `nn.Module._apply` does; `target` keeps its precision."""
        self.cell_levels, target = fn(self.cell_levels), fn(self.target)
        same = target.dtype == self.target.dtype
        self.target = target if same else self.target.to(target.device)
        self.effective, self._read = fn(self.effective), None
        self._address = self.effective.data_ptr()
        self.digits = None if self.digits is None else fn(self.digits)

    # ---------------------------------------------------------------- is it up to date

    def mark(self, shadow: Tensor, current: bool) -> None:
        """Remember whether the arrays hold the shadow weight as it is now, told from any later one
        by the tensor and torch's count of its changes."""
        self._current = (shadow, shadow._version) if current else None

    def holds(self, shadow: Tensor) -> bool:
        """Whether the arrays hold the shadow weight as it is now."""
        current = self._current
        return current is not None and current[0] is shadow and current[1] == shadow._version

    def moved(self, shadow: Tensor) -> bool:
        """Whether the shadow weight changed since the arrays held it."""
        return self._current is not None and not self.holds(shadow)

    def replaced(self, shadow: Tensor) -> bool:
        """Whether the shadow weight is another tensor than the one that the arrays held."""
        return self._current is not None and self._current[0] is not shadow

    def settled(self, shadow: Tensor) -> None:
        """Take the one change of the shadow weight, since the arrays held it, for none."""
        current = self._current
        if current is not None and not self.replaced(shadow):
            self.mark(shadow, shadow._version <= current[1] + 1)

    def __getstate__(self) -> dict[str, object]:
        """Copies and pickles carry whether the shadow is held, not torch's count; and no room."""
        current = self._current
        held = current is not None and self.holds(current[0])
        shadow = current[0] if current and held else None
        return self.__dict__ | {"_current": shadow, "_room": None, "_read": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        shadow = state["_current"]
        self._current = (shadow, shadow._version) if isinstance(shadow, Tensor) else None
        self._address = self.effective.data_ptr()

    # ---------------------------------------------------------------- for kernels

    def views(self, shadow: Tensor) -> StoreViews | None:
        """What kernels write with; None where torch has to."""
        return self._views.of(self._touched(shadow), self._gather)

    def run(
        self,
        shadow: Tensor,
        kernel: Kernel[..., R],
        arguments: Callable[[StoreViews], tuple[object, ...]],
    ) -> R:
        """Call a kernel with arguments made of `views`; see `Views.run`, for what it raises too."""
        return self._views.run(self._touched(shadow), self._gather, kernel, arguments)

    def _touched(self, shadow: Tensor) -> tuple[Tensor, ...]:
        """What kernels see or change.

        While another thread moves `effective`, what a kernel writes may go to where it was: it is
        folded anew then.
        """
        if self.effective.data_ptr() != self._address:
            self.fold_all()
        digits = () if self.digits is None else (self.digits,)
        weights = shadow, self.target, self.effective, self.crossbar.conductance_seen
        return (*weights, *self.crossbar.touched, *digits)

    def _gather(self, views: list[np.ndarray]) -> StoreViews:
        shadow, target, effective, seen, *rest = views
        crossbar, hardware = self.crossbar, self.hardware
        digits = rest.pop() if self.digits is not None else _NONE
        total, mapping = self.levels, crossbar.tiling.mapping
        layout = Layout(
            crossbar.tiling.cell_table,
            self.cell_levels.cpu().numpy().copy(),
            level_value(torch.arange(total), 1.0, total).numpy(),
            np.array(mapping.own, np.float32),
            np.array(mapping.shared, np.float32),
            mapping.constant * sum(hardware.device.window),
            np.array(mapping.factors, np.float32),
            mapping.copies,
        )
        weights = Weights(target, effective, digits, seen)
        return StoreViews(shadow, weights, layout, *crossbar.gathered(rest))

    def room(self, weights: int = 0) -> Plan:
        """Memory for the plan of a step, for so many weights at least; the next one takes it."""
        room = self._room
        if room is None or weights > len(room.weights):
            expected = self.target.numel() // _SHARE + 1
            room = self._room = _room(max(weights, expected), self.cell_levels.shape[1])
        return room

    def changed(self) -> None:
        """Tell torch that `effective` changes: a backward pass of before is to notice."""
        increment_version(self.effective)

    # ---------------------------------------------------------------- folding

    def fold(self, weights: Int64[Tensor, " n"], index: Int64[Tensor, " n"]) -> None:
        """Have written weights, now at levels `index`, realize and stand for what they do.

        Behind wires it is time to solve after enough write events: then all are folded.
        """
        crossbar = self.crossbar
        if crossbar.due:
            self.settle()
        else:
            cells = crossbar.tiling.cells(weights)
            realized = crossbar.signed_at(cells).mul_(self.scale).to(self.effective.dtype)
            self.effective.flatten(1).index_copy_(1, weights, realized)
            if self.digits is not None:
                each = crossbar.digits_at(cells).mul_(self.scale).to(self.digits.dtype)
                self.digits.flatten(2).index_copy_(2, weights, each)
        self.target.view(-1)[weights] = level_value(index, self.full_scale, self.levels)

    @torch.no_grad()
    def fold_all(self) -> None:
        """Weights that the arrays realize, from what is seen of all cells."""
        self.digits = None
        torch.mul(self.crossbar.signed(), self.scale, out=self.effective)
        self._address = self.effective.data_ptr()

    @torch.no_grad()
    def refresh(self, shadow: Float[Tensor, "out in"]) -> None:
        """Fold all, and take each weight to stand at its programmed level.

        Args:
            shadow: tells the levels where those of the cells are predistorted, and do not.
        """
        self.fold_all()
        self._stand(shadow, self.crossbar.level)

    @torch.no_grad()
    def begin(self, write: FirstWrite, shadow: Float[Tensor, "out in"]) -> None:
        """`refresh` after the first write of cells that are not made yet; see `Crossbar.begin`."""

        def fold(which: slice, part: Crossbar) -> None:
            torch.mul(part.signed(), self.scale, out=self.effective[which])

        self.crossbar.begin(write, fold, shadow.device)
        self._address = self.effective.data_ptr()
        self._stand(shadow, write.levels)

    def _stand(self, shadow: Tensor, levels: Int[Tensor, "tiles rows width"]) -> None:
        """Take each weight to stand where its cells are at `levels`; `shadow` as in `refresh`."""
        if self.hardware.predistorts:
            index = level_index(shadow, self.full_scale, self.levels)
            self.target.copy_(level_value(index, self.full_scale, self.levels))
            return
        place = self._index_of(levels)
        nearest = place.round().clamp_(0, self.levels - 1)
        on_level = (place - nearest).abs_() < _SAME_LEVEL
        # as `fold` gives it, to the bit; between levels where a chip was found so
        exact = level_value(nearest.long(), self.full_scale, self.levels).to(self.target.dtype)
        between = level_value(place, self.full_scale, self.levels).to(self.target.dtype)
        self.target.copy_(torch.where(on_level, exact, between))

    def rescale(self, full_scale: float, shadow: Float[Tensor, "out in"]) -> None:
        """Give the edge of the window another weight; the cells are yet to be brought along."""
        self.full_scale = full_scale
        self.refresh(shadow)

    def index_held(self) -> Float[Tensor, "out in"]:
        """Level of each weight, float64, that the levels of its cells make: whole numbers where
        they are those of a weight level."""
        return self._index_of(self.crossbar.level)

    def _index_of(self, levels: Int[Tensor, "tiles rows width"]) -> Float[Tensor, "out in"]:
        tiling, top = self.crossbar.tiling, self.hardware.device.states - 1
        cells = levels.to(torch.float64)
        folded = tiling.join(tiling.mapping.fold(cells, tiling.cols, (0.0, top)))
        return folded.div_(tiling.mapping.span * top).add_(1).mul_((self.levels - 1) / 2)

    @torch.no_grad()
    def settle(self) -> None:
        """Solve the wires where cells were written since, and fold them in."""
        if self.crossbar.counts.unsettled:
            self.crossbar.solve()
            self.fold_all()

    def by_digit(self) -> Float[Tensor, "chips digits out in"]:
        """Weight that each digit realizes; kept up to date from then on."""
        if self.digits is None:
            each = self.crossbar.of_chips(lambda part: part.digits().mul_(self.scale))
            self.digits = torch.cat(each).to(self.effective.dtype)
        return self.digits

    def read_variances(self) -> ReadVariances:
        """As the cells are now; kept while the weights that they realize stay as they are."""
        crossbar = self.crossbar
        now = -1 if self.effective.is_inference() else self.effective._version
        if self._read is None or self._read[0] != now or now < 0:
            kinds = (True, False) if crossbar.tiling.mapping.shared else (True,)
            scale = 1 / crossbar.tiling.mapping.span**2
            looks = [partial(Crossbar.read_variances, own=own) for own in kinds]
            found = [torch.cat(crossbar.of_chips(look)).mul_(scale) for look in looks]
            self._read = now, ReadVariances(found[0], found[1] if len(found) > 1 else None)
        return self._read[1]

    def expected(self, hardware: Hardware | None = None) -> Float[Tensor, "out in"]:
        """Weight that the levels give on average over chips, spread included, and with the wires
        that cells of mean conductance have.

        `hardware` may be another kind of chip, of the same mapping, levels and window.
        """
        hardware, crossbar = hardware or self.hardware, self.crossbar
        tiling, level = crossbar.tiling, crossbar.level
        mean = hardware.writing.mean(hardware.device, level)
        if hardware.wires:
            mean = hardware.wires.seen(torch.where(level >= 0, mean, 0.0))
        folded = tiling.mapping.fold(mean, tiling.cols, self.hardware.device.window)
        return tiling.join(folded) * self.scale

    # ---------------------------------------------------------------- reading cells

    def read_back(self, weights: Int64[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Weights of the only chip as one noisy read of their cells gives them; counted."""
        crossbar = self.crossbar
        cells = crossbar.tiling.cells(weights)
        if crossbar.arrays is None:
            signed = crossbar.read_back(cells)
        else:
            on_instrument.look(crossbar, cells.unique())
            signed = crossbar.signed_at(cells)
        return signed.squeeze(0).mul_(self.scale).to(self.target)

    def check_finite(self, shadow: Tensor) -> None:
        """Refuse a shadow weight with nan or inf in it."""
        check_finite(shadow, self.owner)


def check_finite(weight: Tensor, layer: str) -> None:
    """Refuse a weight with nan or inf in it, or beyond single precision, in which levels are
    chosen; the error names the layer."""
    weight = weight.detach()
    if not is_finite(weight):
        raise invalid(f"{layer}.weight", "nan or inf", "finite numbers only")
    most = torch.finfo(torch.float32).max
    if weight.dtype == torch.float64 and (size := weight.abs().max().item()) > most:
        allowed = f"at most {most:.3g} in size: levels are chosen in single precision"
        raise invalid(f"{layer}.weight", size, allowed)


def is_finite(numbers: Tensor) -> bool:
    """Whether there is no nan or inf."""
    # A sum is several times faster; that of finite numbers may still overflow.
    return math.isfinite(numbers.sum()) or bool(numbers.isfinite().all())


def _room(weights: int, own: int) -> Plan:
    """For so many weights, each with so many cells of its own."""
    index, cells = np.empty((2, weights), np.int64), np.empty(weights * own, np.int64)
    return Plan(index[0], index[1], cells, np.empty(weights * own, np.int32))
