"""The arrays of one layer on one or many chips: what is stored in them and what befell them."""

from __future__ import annotations

import math
import operator
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor, nn

from mho.errors import invalid
from mho.hardware.ageing import Ageing
from mho.hardware.arrays import Arrays
from mho.hardware.hardware import Hardware
from mho.hardware.same_hardware import check_same, description, sum_of
from mho.hardware.streams import ChipNoise
from mho.hardware.tiling import Tiling
from mho.hardware.untouched import Untouched, by_parts
from mho.kernels.compiled import Kernel
from mho.kernels.records import Cells
from mho.kernels.views import Views
from mho.physics import OfConductance

HEALTHY, STUCK_OFF, STUCK_ON, WORN = 0, 1, 2, 3
"""Values of `Crossbar.fault`."""

REFUSED = 4
"""Another one: the instrument gave the cell up so often that it is left alone."""

UNFORMED = -1
"""Level of a cell that was never programmed."""

_TOUCHED = (
    *("fault", "conductance", "level", "writes", "pulses"),
    *("set_pulses", "row_pulses", "reads", "row_reads"),
)
"""Buffers that a programming event sees or changes, in the order of `Cells`."""

_MOST_PULSES = torch.iinfo(torch.int32).max
"""What the counter of a cell holds."""

_SHARED = {"level", "clock", "wander_covariance", "unsolved", "misjudged"}
"""Buffers that are the same on all chips."""

_CHIPS_SECOND = {"wander", "rows", "columns", "pulses_before"}
"""Buffers whose second dimension is that of the chips; of all others it is the first."""

_restoring = threading.RLock()
"""Threads that ask at once for cells that are not there get the same ones."""

_SCALARS = 10
"""Whole numbers of the extra state that every crossbar has."""

R = TypeVar("R")

_NO_OFFSET = np.empty(0, np.float32)


@dataclass(slots=True)
class Counts:
    """Whole numbers of a crossbar that are the same on all chips."""

    inputs: int = 0
    """Inputs that the network saw: items of a batch, on each chip."""
    vectors: int = 0
    """Input vectors applied to each chip; the key of a read's noise."""
    programmings: int = 0
    """Programming events so far: the key of the next one's noise."""
    surveys: int = 0
    """Reads of every cell, those of padding included, before placement."""
    unsettled: int = 0
    """Write events since the wires were last solved."""
    backward_vectors: int = 0
    """Vectors of errors applied to the columns of each chip, on the way back."""
    gradient_vectors: int = 0
    """Input vectors whose product with an error was added to the gradient, for each chip."""
    updates: int = 0
    """Times that a write step found all weights moved by the optimizer."""
    margin: float = math.inf
    """At least so many pulses the weakest healthy cell still stands; no part of the state."""
    room: int = 0
    """At least so many further pulses each cell's counter holds; no part of the state."""

    @property
    def reads(self) -> int:
        """Vectors applied to each chip from either side: each disturbs every cell once."""
        return self.vectors + self.backward_vectors


class Crossbar(nn.Module):
    """State of the cells that hold one weight matrix; everything per cell is a buffer.

    Buffers, with `cells = (tiles, rows, width)` the cells of one chip:
        conductance (chips, *cells): float32 [S], 0 if never programmed.
        misses (chips, *cells): int32, failed programming events in a row, if the programming gives
            cells up.
        level (*cells): int32, target level; the same on all chips; -1 if never programmed.
        fault (chips, *cells): int8, one of HEALTHY, STUCK_OFF, STUCK_ON, WORN.
        writes (chips, *cells): int32, programming events that took a pulse.
        pulses (chips, *cells): int32, programming pulses; what wears a cell.
        set_pulses (chips,): int64, pulses of writes to a higher level; all others, those that
            repeat a level too, count as RESET.
        reads (chips,): int64, reads of single cells: to verify, to survey, to read back.
        row_pulses, row_reads (chips,): int64, most pulses (reads) on any cell of a row, summed over
            rows and events: what follows one after another where a row's cells are served at once.
        trait_* (chips, *cells): float32, device-to-device traits of the cell family.
        budget (chips, *cells): float32, pulses a cell stands, if endurance spreads.
        seen (chips, *cells): float32, conductance [S] as seen from the ends of the lines with the
            slow noise of the moment, if there are wires or such noise: right at the last solution
            of the wires, estimated for cells written since.
        unsolved (tiles,): bool, tiles with a cell written since, if there are wires.
        misjudged (): float64, largest error of those estimates, if there are wires.

    Their types are such that collectives of torch.distributed know: int16 is not one.

    `ageing` holds what time and use do to the cells; None if they do nothing.

    A saved state also has `hardware`, the kind of chip as JSON in uint8: a state of another kind is
    refused (see `check_state`).

    Positions are those of the weights: `place` orders each chip's devices over them, once.

    After `begin` there is no buffer, and no `ageing`, until the first of them is asked for.

    Args:
        tiling: how the matrix is cut into arrays.
        hardware: the kind of chip.
        chips: which chips of the seed; chip k is the same whatever else is simulated.
        seed: identifies this layer's chips; an integer that int64 holds.
        arrays: where the cells of the only chip are, if they are not simulated; the buffers are
            then the host's record of them, and traits, faults and wires are their own.
        made: whether cells are made now, or by `begin`.
    """

    conductance: Tensor
    level: Tensor
    fault: Tensor
    writes: Tensor
    pulses: Tensor
    set_pulses: Tensor
    reads: Tensor
    row_pulses: Tensor
    row_reads: Tensor

    def __init__(
        self,
        tiling: Tiling,
        hardware: Hardware,
        chips: range,
        seed: int,
        arrays: Arrays | None = None,
        *,
        made: bool = True,
    ) -> None:
        super().__init__()
        self.tiling, self.hardware, self.arrays = tiling, hardware, arrays
        self.chips, self.seed = chips, operator.index(seed)
        if not -(2**63) <= self.seed < 2**63:
            raise invalid("seed", seed, "an integer from -2^63 to 2^63 - 1")
        low, high = hardware.device.window
        self.span = tiling.mapping.span * (high - low)
        """Signed conductance at full scale [S]."""
        self.counts = Counts()
        self.failures = hardware.writing.failures if arrays is None else 0
        """Failed events in a row after which a cell is given up; 0: none is, or an instrument's
        answers tell."""
        self.trait_names: tuple[str, ...] = ()
        """Names of what differs from device to device."""
        self._views: Views[tuple[Cells, np.ndarray]] = Views()
        self._loads, self._loaded_sum = False, -1
        self._most_pulses = hardware.writing.most_pulses(hardware.device)
        self._first: Callable[[Crossbar], None] | None = None
        self._solved: Tensor | None = None
        self._device = torch.device("cpu")
        if made:
            self._make()
        self.register_load_state_dict_pre_hook(_before_load)
        self.register_load_state_dict_post_hook(_after_load)

    def _make(self) -> None:
        """Make the cells, with what is fixed in them."""
        tiling, chips = self.tiling, len(self.chips)
        shape = (chips, *tiling.shape)
        self.register_buffer("conductance", torch.zeros(shape, dtype=torch.float32))
        self.register_buffer("level", torch.full(tiling.shape, UNFORMED, dtype=torch.int32))
        self.register_buffer("fault", torch.zeros(shape, dtype=torch.int8))
        self.register_buffer("writes", torch.zeros(shape, dtype=torch.int32))
        self.register_buffer("pulses", torch.zeros(shape, dtype=torch.int32))
        if self.failures:
            self.register_buffer("misses", torch.zeros(shape, dtype=torch.int32))
        for count in ("set_pulses", "reads", "row_pulses", "row_reads"):
            self.register_buffer(count, torch.zeros(chips, dtype=torch.int64))
        if self.hardware.ages:
            ageing = Ageing(self.hardware, chips, tiling.shape, self._drawn)
            self._modules["ageing"] = ageing
        self._draw()
        self._look()
        self._wire()

    @property
    def ageing(self) -> Ageing | None:
        """What time and use do to the cells; None if they do nothing."""
        if self._first is not None:
            self.restore()
        found = self._modules.get("ageing")
        assert found is None or isinstance(found, Ageing)
        return found

    # ---------------------------------------------------------------- cells that are not there

    def begin(
        self,
        write: Callable[[Crossbar], None],
        look: Callable[[slice, Crossbar], None],
        device: torch.device,
    ) -> None:
        """Have cells that are not made yet written by `write`, and shown to `look`, a few chips at
        a time, on several threads; what they hold is not kept.

        The buffers, and `ageing`, are there again once one of them is asked for: `write` then
        brings new cells of the same chips to the same state.

        Args:
            write: is given a crossbar of some of the chips; does the same each time. The wires
                are solved after it, once.
            look: is given which chips these are, counted from 0, and that crossbar.
            device: where the cells are made.
        """
        self._first, self._device = write, device

        def forgotten(which: slice, part: Crossbar) -> Crossbar:
            look(which, part)
            names[:] = part._buffers
            if part._wired:
                seen.append((which.start, part.get_buffer("seen")))
            part._buffers.clear()
            part._modules.clear()
            return part

        names: list[str] = []
        seen: list[tuple[int, Tensor]] = []
        parts = self._by_parts(forgotten)
        if seen:  # wires take long to solve
            self._solved = torch.cat([each for _, each in sorted(seen, key=lambda pair: pair[0])])
        margin, room = (min(getattr(p.counts, n) for p in parts) for n in ("margin", "room"))
        self.counts = replace(parts[0].counts, margin=margin, room=room)
        self.broken, self.failing = any(p.broken for p in parts), any(p.failing for p in parts)
        self.trait_names, self.landing = parts[0].trait_names, parts[0].landing
        self._wired, self._seen = parts[0]._wired, parts[0]._seen
        self.__dict__["_buffers"] = Untouched(self, names)

    @property
    def untouched(self) -> bool:
        """Whether the cells are not there, since nothing has asked for them."""
        return self._first is not None

    def of_chips(self, look: Callable[[Crossbar], R]) -> list[R]:
        """What `look` makes of all chips, in order, a few at a time where the cells are not there:
        they are not there afterwards either."""
        if self._first is None:
            return [look(self)]
        return self._by_parts(lambda _, part: look(part))

    def restore(self) -> None:
        """Have the cells, if they are not there."""
        with _restoring:
            if self._first is None:
                return
            parts = self._by_parts(lambda _, part: part)
            self._first = self._solved = None
            self.__dict__["_buffers"] = _joined([part._buffers for part in parts])
            if laws := [law for part in parts if (law := part.ageing) is not None]:
                laws[0].__dict__["_buffers"] = _joined([law._buffers for law in laws])
                self._modules["ageing"] = laws[0]

    def _by_parts(self, look: Callable[[slice, Crossbar], R]) -> list[R]:
        write, device, tiling = self._first, self._device, self.tiling
        assert write is not None

        def made(which: slice) -> R:
            part = Crossbar(tiling, self.hardware, self.chips[which], self.seed).to(device)
            write(part)
            if self._solved is None:
                part.solve_all()
            else:
                part._take(self._solved[which])
            return look(which, part)

        return by_parts(made, len(self.chips), math.prod(tiling.shape), device)

    # ---------------------------------------------------------------- time and wires

    def _wire(self) -> None:
        """Have buffers for wires, or none, as the hardware says; nothing is solved yet."""
        self._wired = bool(self.hardware.wires) and self.arrays is None
        fluctuates = self.ageing is not None and self.ageing.fluctuates
        self._seen = "seen" if self._wired or fluctuates else "conductance"
        simple = self.arrays is None and self._seen == "conductance" and not self.hardware.ages
        device = self.hardware.device
        self.landing = self.hardware.writing.landing(device) if simple else None
        """How an event lands, if it is one draw a cell and nothing follows from it; else None."""
        for name in ("seen", "unsolved", "misjudged"):
            self._buffers.pop(name, None)
        if self._seen == "seen":
            self.register_buffer("seen", self.conductance.clone())
        if self._wired:
            place = self.level.device
            unsolved = torch.ones(self.tiling.tiles, dtype=torch.bool, device=place)
            self.register_buffer("unsolved", unsolved)
            misjudged = torch.zeros((), dtype=torch.float64, device=place)
            self.register_buffer("misjudged", misjudged)

    def age(self, seconds: float, temperature: float | None) -> None:
        """Let time pass; see `mho.age`. For hardware that ages."""
        assert self.ageing is not None
        given = self.conductance, self._free(), self.counts.reads
        self.ageing.advance(seconds, temperature, *given, self._drawn)
        if self._wired:
            self._unsettle()
            misjudged = self.get_buffer("misjudged").clone()
            self.solve()
            self.get_buffer("misjudged").copy_(misjudged)  # it was no estimate that was replaced
        else:
            self.solve()

    def _free(self) -> Bool[Tensor, "chips tiles rows width"]:
        """Cells that time can change."""
        return ((self.fault == HEALTHY) | (self.fault == WORN)) & (self.level != UNFORMED)

    def rewire(self, hardware: Hardware) -> None:
        """The same cells behind other wires: `hardware` may differ in these alone."""
        if self.arrays is not None:
            allowed = "that of simulated cells; an instrument has wires of its own"
            raise invalid("wire_resistance", hardware.wire_resistance, allowed)
        self.restore()
        self.hardware = hardware
        self._wire()
        self.solve_all()

    def _unsettle(self) -> None:
        """Have the wires of all tiles solved anew next time."""
        if self._wired:
            self.get_buffer("unsolved").fill_(True)

    def solve_all(self) -> None:
        """Solve the wires after all cells were programmed: there was no estimate to speak of."""
        self.solve()
        if self._wired:
            self.get_buffer("misjudged").zero_()

    def hold(self, conductance: Float[Tensor, "chips tiles rows width"]) -> None:
        """Have the cells in use hold these conductances [S], without a programming event.

        They count as standing at the levels nearest to them, as in `stand_nearest`, and relax from
        there; what is drawn for the chips (traits, stuck cells, endurance) and what was counted
        stays. Cells that are stuck are so where they are put.
        """
        used = self.tiling.used().to(self.level.device)
        self.conductance.copy_(torch.where(used, conductance, self.conductance))
        self.stand_nearest()
        if self.ageing is not None:
            every = used.expand(self.conductance.shape)
            self.ageing.found(every, self.conductance, self.counts.reads)
        self._unsettle()
        self.solve_all()

    def stand_nearest(self) -> None:
        """Have each cell in use count as standing at the level nearest to what it holds; chips
        share their levels: nearest to the mean of those where it can be programmed, if any."""
        used = self.tiling.used().to(self.level.device)
        held, healthy = self.conductance[:, used], self.fault[:, used] == HEALTHY
        counted = torch.where(healthy.any(0), healthy, True).to(held)
        mean = (held * counted).sum(0) / counted.sum(0)
        device = self.hardware.device
        index = ((mean - device.window[0]) / device.step).round()
        self.level[used] = index.clamp(0, device.states - 1).to(self.level)

    def _take(self, seen: Tensor) -> None:
        """As `solve_all`, with what it has found before."""
        self.counts.unsettled = 0
        self.get_buffer("seen").copy_(seen)
        self.get_buffer("unsolved").zero_()
        self.get_buffer("misjudged").zero_()

    @property
    def staleness(self) -> float:
        """Largest error of the estimates that a solution of the wires has replaced since the whole
        was programmed: its root mean square over that of what the tiles really show [1]."""
        return self.get_buffer("misjudged").item() if self._wired else 0.0

    @property
    def due(self) -> bool:
        """Whether so many write events have passed that the wires are to be solved."""
        return self._wired and self.counts.unsettled >= self.hardware.wire_refresh

    def solve(self) -> None:
        """Solve the wires of the tiles that were written since they were last solved."""
        self.counts.unsettled = 0
        if self._seen == "conductance":
            return
        seen = self.get_buffer("seen")
        g = self.conductance if self.ageing is None else self.ageing.seen(self.conductance)
        if not self._wired:
            seen.copy_(g)
            return
        tiles = self.get_buffer("unsolved").nonzero().squeeze(1)
        if len(tiles) == 0:
            return
        exact = self.hardware.wires.seen(g[:, tiles])
        error = (seen[:, tiles] - exact).norm() / exact.norm().clamp(min=1e-30)
        misjudged = self.get_buffer("misjudged")
        misjudged.copy_(torch.maximum(misjudged, error))
        seen[:, tiles] = exact
        self.get_buffer("unsolved").zero_()

    def _draw(self) -> None:
        """Draw what is fixed when the chips are made: traits, stuck cells, endurance."""
        if self.arrays is not None:
            return
        cell = self.hardware.device
        traits = cell.traits(self._drawn("traits"))
        self.trait_names = tuple(traits)
        for name, value in traits.items():
            self.register_buffer(f"trait_{name}", value)
        if cell.stuck_off + cell.stuck_on > 0:
            u = self._drawn("faults").uniform()
            self.fault[u < cell.stuck_off] = STUCK_OFF
            self.fault[u > 1 - cell.stuck_on] = STUCK_ON
            low, high = cell.window
            self.conductance[self.fault == STUCK_OFF] = low
            self.conductance[self.fault == STUCK_ON] = high
        if cell.endurance is not None and cell.endurance_spread > 0:
            z = self._drawn("endurance").normal()
            budget = cell.endurance * torch.exp(cell.endurance_spread * z)
            self.register_buffer("budget", budget)

    def _drawn(self, *words: int | str) -> ChipNoise:
        """Noise of all cells of each chip."""
        return ChipNoise(self.seed, self.chips, words, self.tiling.shape, self.level.device)

    def _look(self) -> None:
        """Look once at what would be dear to look at in every write: faults and the margin."""
        healthy = self.fault == HEALTHY
        self.broken = not bool(healthy.all())
        self.failing = bool(self.failures) and bool(self._buffer("misses").any())
        self.counts.margin, self.counts.room = math.inf, self._room()
        if self.hardware.device.endurance is not None and self.arrays is None:
            self.counts.margin = self._least_left(healthy)

    def _least_left(self, healthy: Bool[Tensor, "chips tiles rows width"]) -> float:
        """Pulses that the weakest of these cells still stands; of none it is inf."""
        budget, endurance = self._buffers.get("budget"), self.hardware.device.endurance
        assert endurance is not None
        if budget is not None:
            return torch.where(healthy, budget - self.pulses, math.inf).min().item()
        if not bool(healthy.any()):
            return math.inf
        unused = self.counts.room == _MOST_PULSES
        return endurance - (0 if unused else int((self.pulses * healthy).max()))

    @property
    def given_up(self) -> Bool[Tensor, "chips tiles rows width"]:
        """The controller's fault map: cells that it tried so often in vain that it leaves them
        alone, whatever is wrong with them."""
        refused = self.fault == REFUSED
        return refused | (self._buffer("misses") >= self.failures) if self.failures else refused

    def endurance(self) -> Tensor | float:
        """Pulses that the cells stand: each its own, where that was drawn."""
        budget = self._buffers.get("budget")
        return self.hardware.device.endurance or math.inf if budget is None else budget

    def count_reads(self, inputs: int, vectors: int) -> None:
        """Count a forward pass: items of a batch, and input vectors, on each chip."""
        self.counts.inputs += inputs
        self.counts.vectors += vectors

    def count_backward(self, vectors: int, *, read: bool, gradient: bool) -> None:
        """Count a backward pass of so many vectors of errors on each chip.

        Args:
            vectors: one for each input vector of the product.
            read: whether the arrays were read from their columns, for the gradient to the inputs.
            gradient: whether the gradient to the weights was computed, digitally.
        """
        self.counts.backward_vectors += vectors * read
        self.counts.gradient_vectors += vectors * gradient

    def count_cell_reads(
        self, cells: Int64[Tensor, " n"] | None, reads: Int[Tensor, "chips n"]
    ) -> None:
        """Count reads of single cells (n,), or all; a row's cells are read at once."""
        self.reads += reads.sum(1)
        self.row_reads += self.tiling.most_in_rows(cells, reads)

    # ---------------------------------------------------------------- for programming

    @property
    def touched(self) -> list[Tensor]:
        """What an event sees or changes: the buffers of `Cells`, and each cell's offset if any."""
        buffers = self._buffers  # past nn.Module's search for them
        return [t for name in (*_TOUCHED, "trait_offset") if (t := buffers.get(name)) is not None]

    def views(self) -> tuple[Cells, np.ndarray] | None:
        """For kernels: `touched`; None where torch has to do their work."""
        return self._views.of(self.touched, self.gathered)

    def run(
        self, kernel: Kernel[..., R], arguments: Callable[[Cells, np.ndarray], tuple[object, ...]]
    ) -> R:
        """Call a kernel with arguments made of `views`, where there are any; see `Views.run`."""
        return self._views.run(self.touched, self.gathered, kernel, lambda v: arguments(*v))

    def gathered(self, views: list[np.ndarray]) -> tuple[Cells, np.ndarray]:
        """Views of `touched` as kernels take them: the cells, and their offsets or none."""
        kept = len(_TOUCHED)
        offset = views[kept] if len(views) > kept else _NO_OFFSET
        cells = dict(zip(Cells._fields[:kept], views[:kept], strict=True))
        return Cells(**cells, width=self.tiling.width), offset

    def noise(self, cells: int, device: torch.device | str = "cpu") -> ChipNoise:
        """Noise of the next programming event, of so many cells.

        Raises:
            OverflowError: as `make_room`; then nothing is counted.
        """
        self.make_room(self._most_pulses)
        words = ("program", self.counts.programmings)
        self.counts.programmings += 1
        return ChipNoise(self.seed, self.chips, words, (cells,), device)

    def make_room(self, pulses: int) -> None:
        """Make sure that each cell's counter holds so many more pulses.

        Raises:
            OverflowError: a cell has taken nearly 2^31 pulses.
        """
        counts = self.counts
        if counts.room < pulses:
            counts.room = self._room()
            if counts.room < pulses:
                raise OverflowError(
                    f"a cell has taken {_MOST_PULSES - counts.room:,} pulses; its counter holds no "
                    f"{pulses:,} more (at most {_MOST_PULSES:,})"
                )
        counts.room -= pulses

    def _room(self) -> int:
        """Pulses that the counter of every cell still holds."""
        return 0 if self.pulses.is_meta else _MOST_PULSES - int(self.pulses.max())

    def at(self, name: str, cells: Tensor | None) -> Tensor:
        """A per-cell buffer at cells (n,), or at all: (chips, n)."""
        buffer = self._buffer(name).flatten(1)
        return buffer if cells is None else buffer.index_select(1, cells)

    def wear(self, most: int) -> None:
        """Let cells die whose pulses are spent; no cell took more than `most` of them just now."""
        self.counts.margin -= most
        if self.counts.margin <= 0:
            self._wear_out()

    def estimate(self, cells: Tensor | None, landed: Tensor) -> None:
        """Let what is seen of cells change as they do themselves; with wires, until these are
        solved."""
        if self._seen == "conductance":
            return
        before, which = self.at("conductance", cells), slice(None) if cells is None else cells
        ageing = self.ageing
        if not self._wired and ageing is not None and ageing.noise_follows_conductance:
            held = landed if cells is not None else landed.view(self.conductance.shape)
            seen = self._buffer("seen").flatten(1)
            seen[:, which] = ageing.seen(held, cells).view(landed.shape).to(seen.dtype)
            return
        share = self.at("seen", cells) / before
        seen = self._buffer("seen").flatten(1)
        seen[:, which] = torch.where(before > 0, share, 1.0).mul_(landed)
        if not self._wired:
            return
        unsolved, cells_of_tile = self._buffer("unsolved"), self.level[0].numel()
        unsolved[slice(None) if cells is None else cells // cells_of_tile] = True
        self.counts.unsettled += 1

    def _wear_out(self) -> None:
        """Let cells whose pulses are spent keep their present value for good."""
        spent = (self.pulses >= self.endurance()) & (self.fault == HEALTHY)
        self.fault.masked_fill_(spent, WORN)
        self._look()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Follow the network from device to device, but keep the state's precision and layout."""
        if self._first is not None:
            there = fn(torch.empty(0, device=self._device))
            if there.device == self._device and not there.is_shared():
                return self
            self.restore()
        return super()._apply(lambda t: fn(t) if t.is_meta else t.to(fn(t).device), recurse)

    def _buffer(self, name: str) -> Tensor:
        """A buffer; `get_buffer` without its search through submodules."""
        buffer = self._buffers[name]
        assert buffer is not None
        return buffer

    @property
    def conductance_seen(self) -> Tensor:
        """What is seen of the cells (chips, *cells) [S]."""
        return self._buffer(self._seen)

    def signed(self) -> Tensor:
        """Signed conductance of every weight as seen through the wires (chips, out, in) [S]."""
        t, seen = self.tiling, self.conductance_seen
        return t.join(t.mapping.fold(seen, t.cols, self.hardware.device.window))

    def digits(self) -> Float[Tensor, "chips digits out in"]:
        """Signed conductance, as seen, of each digit that is converted apart [S]."""
        t, seen = self.tiling, self.conductance_seen
        digits = t.mapping.fold_digits(seen, t.cols, self.hardware.device.window)
        return torch.stack([t.join(digit) for digit in digits], dim=1)

    def digits_at(self, cells: Int64[Tensor, "n terms"]) -> Float[Tensor, "chips digits n"]:
        """The same of weights with these cells [S]."""
        g = self.at(self._seen, cells.flatten()).unflatten(1, (-1, cells.shape[1]))
        return torch.stack(self.tiling.mapping.combine_digits(g, self.hardware.device.window), 1)

    def read_back(self, cells: Int64[Tensor, "n terms"]) -> Float[Tensor, "chips n"]:
        """One noisy read of weights with these simulated cells: signed conductance [S]; counted.

        The noise is that of the read after the latest programming event: the same if repeated.
        """
        each = torch.ones_like(cells, dtype=torch.int32).view(1, -1)
        self.count_cell_reads(cells.flatten(), each.expand(len(self.chips), -1))
        signed, device = self.signed_at(cells), self.hardware.device
        if device.read_noise == 0.0 or cells.numel() == 0:
            return signed
        words = ("read back", self.counts.programmings)
        noise = ChipNoise(self.seed, self.chips, words, (len(cells),), cells.device)
        low, high = device.window
        mapping = self.tiling.mapping
        if isinstance(device.read_noise, OfConductance):
            g = self.at("conductance", cells.flatten()).unflatten(1, (-1, cells.shape[1]))
            variances = device.read_variance(g)
            each = mapping.squared().combine_digits(variances, device.window)
            deviation = mapping.of_digits(each).sqrt_().mul_(high - low)
            return signed.add_(noise.normal() * deviation)
        sigma = device.read_noise * (high - low) * math.sqrt(mapping.read_variance)
        return signed.add_(noise.normal(), alpha=sigma)

    def read_variances(self, *, own: bool) -> Float[Tensor, "chips digits out in"]:
        """Variance of a read of each digit of each weight, of shares of the window [1], where the
        noise of cells depends on their conductance: that of the weights' own cells, or of the
        reference cells, which are the same for all columns of a tile."""
        t, device = self.tiling, self.hardware.device
        squared = t.mapping.squared(own=own, shared=not own)
        variances = device.read_variance(self.conductance)
        digits = squared.fold_digits(variances, t.cols, device.window)
        return torch.stack([t.join(digit) for digit in digits], dim=1)

    def signed_at(self, cells: Tensor) -> Tensor:
        """Signed conductance (chips, n) [S], as seen, of weights with cells `cells` (n, terms)."""
        g = self.at(self._seen, cells.flatten()).unflatten(1, (-1, cells.shape[1]))
        return self.tiling.mapping.combine(g, self.hardware.device.window)

    def check_state(self, state: Mapping[str, Any], prefix: str) -> None:
        """Refuse a saved state of other hardware; one that does not say its hardware, as earlier
        versions saved it, if its levels are none of the cell's.

        Args:
            state: entries by name.
            prefix: of this crossbar's.

        Raises:
            ValueError: names the field in which the hardware differs, or the entry that cannot be.
        """
        if f"{prefix}hardware" in state:
            check_same(state[f"{prefix}hardware"], self.hardware, f"{prefix}hardware")
        g = state.get(f"{prefix}conductance")
        if isinstance(g, Tensor) and not g.is_meta and g.numel():
            least, most = (end.item() for end in g.aminmax())
            if not (least >= 0 and most < math.inf):  # nan is neither
                wrong = most if least >= 0 else least
                raise invalid(f"{prefix}conductance", wrong, "finite conductances of 0 S or more")
        level, states = state.get(f"{prefix}level"), self.hardware.device.states
        if isinstance(level, Tensor) and level.numel() and int(level.max()) >= states:
            allowed = f"below {states}, the levels of this network's cells"
            raise invalid(f"{prefix}level", int(level.max()), allowed)

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[f"{prefix}hardware"] = description(self.hardware)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        self.check_state(state_dict, prefix)
        self.restore()
        state_dict.pop(f"{prefix}hardware", None)  # no buffer; torch would not know it
        # no extra state, or one entry without the others: what is derived is not of this state
        self._loaded_sum = -1
        self._loads = any(f"{prefix}{name}" in state_dict for name in self._summed())
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def get_extra_state(self) -> Tensor:
        """Scalars of the state: inputs, vectors, programmings, seed, first chip, surveys, unsettled
        write events, backward vectors, gradient vectors, updates; and `_sum`, where there is one.
        """
        c, first = self.counts, self.chips.start
        scalars = [c.inputs, c.vectors, c.programmings, self.seed, first, c.surveys, c.unsettled]
        scalars += [c.backward_vectors, c.gradient_vectors, c.updates]
        total = self._sum()
        return torch.tensor(scalars if total is None else [*scalars, total], dtype=torch.int64)

    def set_extra_state(self, state: Tensor) -> None:
        """Take the scalars back; states of earlier versions lack the last ones."""
        *counts, self.seed, first = (int(state[k]) for k in (0, 1, 2, 3, 4))
        self.counts = Counts(*counts, *map(int, state[5:_SCALARS]))
        self.chips = range(first, first + len(self.chips))
        self._loaded_sum = int(state[_SCALARS]) if len(state) > _SCALARS else None

    def _summed(self) -> dict[str, Tensor]:
        """What is seen of the cells, where that is kept, and what it is derived from: by name in a
        state. Empty where nothing is derived from conductances."""
        found = {"conductance": self.conductance}
        if self.ageing is not None:
            found |= {f"ageing.{name}": each for name, each in self.ageing.fluctuations().items()}
        if self._seen != "conductance":
            return found | {"seen": self._buffer("seen")}
        return found if self.ageing is not None and self.ageing.relaxes else {}

    def _sum(self) -> int | None:
        """CRC-32 of what `_summed` names: a state in which one of these was changed tells it."""
        summed = self._summed().values()
        if not summed or any(each.is_meta for each in summed):
            return None
        return sum_of(summed)

    def _derive(self) -> None:
        """Have what is derived from conductances follow a state that does not fit itself, because
        conductances or slow noise were put into it."""
        if not self._loads or self._loaded_sum is None or self._loaded_sum == self._sum():
            return  # one without a sum is of an earlier version
        if self.ageing is not None:
            self.ageing.follow(self.conductance, self._free(), self.counts.reads)
        self._unsettle()
        self.solve_all()


def _joined(parts: list[dict[str, Tensor | None]]) -> dict[str, Tensor | None]:
    """Buffers of all chips, of those of some after some; what is given is used up."""
    if len(parts) == 1:
        return parts[0]
    made: dict[str, Tensor | None] = {}
    for name in [*parts[0]]:
        each = [t for part in parts if (t := part.pop(name)) is not None]
        dim = int(name in _CHIPS_SECOND)
        made[name] = each[0] if name in _SHARED else torch.cat(each, dim)
    return made


def _before_load(module: nn.Module, state: dict[str, Any], prefix: str, *_given: object) -> None:
    """States of before controllers gave cells up, or of a way to program that gives none up: no
    cell has failed yet. A way that gives none up has no use for failures. Levels and failures of
    earlier versions are int16."""
    assert isinstance(module, Crossbar)
    for each in (f"{prefix}level", f"{prefix}misses"):
        if isinstance(state.get(each), Tensor):
            state[each] = state[each].to(torch.int32)
    name = f"{prefix}misses"
    if not module.failures:
        state.pop(name, None)
    if module.failures and f"{prefix}fault" in state and name not in state:
        state[name] = torch.zeros_like(module.get_buffer("misses"))


def _after_load(module: nn.Module, _incompatible: object) -> None:
    assert isinstance(module, Crossbar)
    module._derive()
    module._look()
