"""The arrays of one layer on one or many chips: what is stored in them and what befell them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn

from mho.errors import invalid
from mho.hardware import event, record
from mho.hardware.ageing import Ageing
from mho.hardware.arrays import Arrays
from mho.hardware.assignment import sources
from mho.hardware.hardware import Hardware
from mho.hardware.streams import ChipNoise
from mho.hardware.tiling import Tiling
from mho.kernels.views import Views
from mho.physics import Programmed

HEALTHY, STUCK_OFF, STUCK_ON, WORN = 0, 1, 2, 3
"""Values of `Crossbar.fault`; see also `record.REFUSED`."""

UNFORMED = -1
"""Level of a cell that was never programmed."""


class Crossbar(nn.Module):
    """State of the cells that hold one weight matrix; everything per cell is a buffer.

    Buffers, with `cells = (tiles, rows, width)` the cells of one chip:
        conductance (chips, *cells): float32 [S], 0 if never programmed.
        level (*cells): int16, target level; the same on all chips; -1 if never programmed.
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

    `ageing` holds what time and use do to the cells; None if they do nothing.

    Positions are those of the weights: `place` orders each chip's devices over them, once.

    Args:
        tiling: how the matrix is cut into arrays.
        hardware: the kind of chip.
        chips: which chips of the seed; chip k is the same whatever else is simulated.
        seed: identifies this layer's chips.
        arrays: where the cells of the only chip are, if they are not simulated; the buffers are
            then the host's record of them, and traits, faults and wires are their own.
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
    ) -> None:
        super().__init__()
        self.tiling, self.hardware, self.arrays = tiling, hardware, arrays
        self.chips, self.seed = chips, seed
        self.inputs = 0
        """Inputs that the network saw: items of a batch, on each chip."""
        self.vectors = 0
        """Input vectors applied to each chip."""
        self.programmings = 0
        """Programming events so far: the key of the next one's noise."""
        self.surveys = 0
        """Reads of every cell, those of padding included, before placement."""
        self.unsettled = 0
        """Write events since the wires were last solved."""
        self.moves = 0
        """How often the buffers may have been moved in memory."""
        shape = (len(chips), *tiling.shape)
        self.register_buffer("conductance", torch.zeros(shape, dtype=torch.float32))
        self.register_buffer("level", torch.full(tiling.shape, UNFORMED, dtype=torch.int16))
        self.register_buffer("fault", torch.zeros(shape, dtype=torch.int8))
        self.register_buffer("writes", torch.zeros(shape, dtype=torch.int32))
        self.register_buffer("pulses", torch.zeros(shape, dtype=torch.int32))
        for count in ("set_pulses", "reads", "row_pulses", "row_reads"):
            self.register_buffer(count, torch.zeros(len(chips), dtype=torch.int64))
        self.trait_names: tuple[str, ...] = ()
        """Names of what differs from device to device."""
        self.books = Views()
        """For kernels: of `event.books`."""
        self.ageing = Ageing(hardware, seed, chips, tiling.shape) if hardware.ages else None
        self._make()
        self._look()
        self._wire()
        self.register_load_state_dict_post_hook(_after_load)

    def _wire(self) -> None:
        """Have buffers for wires, or none, as the hardware says; nothing is solved yet."""
        self._wired = bool(self.hardware.wires) and self.arrays is None
        fluctuates = self.ageing is not None and self.ageing.fluctuates
        self._shown = "seen" if self._wired or fluctuates else "conductance"
        simulated = self.arrays is None and self._shown == "conductance"
        self.lands = simulated and event.lands(self.hardware)
        for name in ("seen", "unsolved", "misjudged"):
            self._buffers.pop(name, None)
        if self._shown == "seen":
            self.register_buffer("seen", self.conductance.clone())
        if self._wired:
            device = self.level.device
            unsolved = torch.ones(self.tiling.tiles, dtype=torch.bool, device=device)
            self.register_buffer("unsolved", unsolved)
            misjudged = torch.zeros((), dtype=torch.float64, device=device)
            self.register_buffer("misjudged", misjudged)

    def age(self, seconds: float, temperature: float | None) -> None:
        """Let time pass; see `mho.age`. For hardware that ages."""
        assert self.ageing is not None
        free = ((self.fault == HEALTHY) | (self.fault == WORN)) & (self.level != UNFORMED)
        self.ageing.advance(seconds, temperature, self.conductance, free, self.vectors)
        if self._wired:
            self.get_buffer("unsolved").fill_(True)
            misjudged = self.get_buffer("misjudged").clone()
            self.solve()
            self.get_buffer("misjudged").copy_(misjudged)  # it was no estimate that was replaced
        else:
            self.solve()

    def rewire(self, hardware: Hardware) -> None:
        """The same cells behind other wires: `hardware` may differ in these alone."""
        if self.arrays is not None:
            allowed = "that of simulated cells; an instrument has wires of its own"
            raise invalid("wire_resistance", hardware.wire_resistance, allowed)
        self.hardware = hardware
        self._wire()
        self.solve_all()

    def solve_all(self) -> None:
        """Solve the wires after all cells were programmed: there was no estimate to speak of."""
        self.solve()
        if self._wired:
            self.get_buffer("misjudged").zero_()

    @property
    def staleness(self) -> float:
        """Largest error of the estimates that a solution of the wires has replaced since the whole
        was programmed: its root mean square over that of what the tiles really show [1]."""
        return self.get_buffer("misjudged").item() if self._wired else 0.0

    @property
    def due(self) -> bool:
        """Whether so many write events have passed that the wires are to be solved."""
        return self._wired and self.unsettled >= self.hardware.wire_refresh

    def solve(self) -> None:
        """Solve the wires of the tiles that were written since they were last solved."""
        self.unsettled = 0
        if self._shown == "conductance":
            return
        seen = self.get_buffer("seen")
        g = self.conductance if self.ageing is None else self.ageing.shown(self.conductance)
        if not self._wired:
            seen.copy_(g)
            return
        tiles = self.get_buffer("unsolved").nonzero().squeeze(1)
        if len(tiles) == 0:
            return
        exact = self.hardware.wires.seen(g[:, tiles])
        apart = (seen[:, tiles] - exact).norm() / exact.norm().clamp(min=1e-30)
        misjudged = self.get_buffer("misjudged")
        misjudged.copy_(torch.maximum(misjudged, apart))
        seen[:, tiles] = exact
        self.get_buffer("unsolved").zero_()

    def _make(self) -> None:
        """Draw what is fixed when the chips are made: traits, stuck cells, endurance."""
        if self.arrays is not None:
            return
        cell, shape = self.hardware.device, self.tiling.shape
        traits = cell.traits(ChipNoise(self.seed, self.chips, ("traits",), shape))
        self.trait_names = tuple(traits)
        for name, value in traits.items():
            self.register_buffer(f"trait_{name}", value)
        if cell.stuck_off + cell.stuck_on > 0:
            u = ChipNoise(self.seed, self.chips, ("faults",), shape).uniform()
            self.fault[u < cell.stuck_off] = STUCK_OFF
            self.fault[u > 1 - cell.stuck_on] = STUCK_ON
            low, high = cell.window
            self.conductance[self.fault == STUCK_OFF] = low
            self.conductance[self.fault == STUCK_ON] = high
        if cell.endurance is not None and cell.endurance_spread > 0:
            z = ChipNoise(self.seed, self.chips, ("endurance",), shape).normal()
            budget = cell.endurance * torch.exp(cell.endurance_spread * z)
            self.register_buffer("budget", budget)

    def _look(self) -> None:
        """Look once at what would be dear to look at in every write: faults and the least margin.

        `_margin` bounds from below the pulses that the weakest healthy cell still stands.
        """
        self.broken = bool((self.fault != HEALTHY).any())
        self._margin = math.inf
        if self.hardware.device.endurance is not None and self.arrays is None:
            left = self.endurance() - self.pulses
            healthy = left[self.fault == HEALTHY]
            self._margin = healthy.min().item() if healthy.numel() else math.inf

    def endurance(self) -> Tensor | float:
        """Pulses that the cells stand."""
        if self.hardware.device.endurance_spread > 0:
            return self.get_buffer("budget")
        return self.hardware.device.endurance or math.inf

    def count_reads(self, inputs: int, vectors: int) -> None:
        """Count a forward pass: items of a batch, and input vectors, on each chip."""
        # Past nn.Module's __setattr__, here and in writes: it costs as much as the rest.
        self.__dict__["inputs"] += inputs
        self.__dict__["vectors"] += vectors

    def place(self, index: Tensor) -> None:
        """Order each chip's devices for weight levels (tiles, rows, cols), -1 where there is none.

        Does nothing without `Hardware.placement`, or once any cell was programmed.
        """
        placement = self.hardware.placement
        if placement is None or bool((self.level != UNFORMED).any()):
            return
        high, low = (self._surveyed(level) for level in (self.hardware.device.states - 1, 0))
        source = sources(low, high, index, self.tiling, self.hardware, placement).flatten(1)
        for buffer in self.buffers():
            if buffer.dim() == self.conductance.dim():  # each chip's own, cell by cell
                buffer.copy_(buffer.flatten(1).gather(1, source).view_as(buffer))

    def _surveyed(self, level: int) -> Tensor:
        """Conductance (chips, *cells) [S] read from all cells after writing them to `level`."""
        self.program(torch.full_like(self.level, level))
        self.surveys += 1
        self.reads += self.level.numel()
        self.row_reads += self.tiling.tiles * self.tiling.rows
        return self.conductance.clone()

    def program(self, levels: Tensor) -> None:
        """Bring all cells of all chips to `levels` (tiles, rows, width); write what differs.

        A level of -1 leaves the cell alone.
        """
        levels = levels.to(self.level)
        cells = ((levels != self.level) & (levels >= 0)).flatten().nonzero().squeeze(1)
        if cells.numel() == self.level.numel():
            self._write(None, levels.flatten())
        elif cells.numel() > 0:
            self._write(cells, levels.flatten()[cells])

    def write(self, cells: Tensor, levels: Tensor) -> None:
        """Program the cells at flat positions `cells` (n,) of every chip to `levels` (n,)."""
        event.write_together([(self, cells, levels)])

    def spend(self, cells: Tensor, levels: Tensor) -> Programmed:
        """As `write`, of at least one cell; also where each ended and what it took (chips, n)."""
        return event.carry_out([(self, event.request(self, cells, levels))])

    def _write(self, cells: Tensor | None, levels: Tensor) -> None:
        if self.arrays is None:
            event.carry_out([(self, event.request(self, cells, levels))])
            return
        some = torch.arange(len(levels), device=levels.device) if cells is None else cells
        record.program(self, some, levels)

    def at(self, name: str, cells: Tensor | None) -> Tensor:
        """A per-cell buffer at cells (n,), or at all: (chips, n)."""
        buffer = self._buffer(name).flatten(1)
        return buffer if cells is None else buffer.index_select(1, cells)

    def wear(self, most: int) -> None:
        """Let cells die whose pulses are spent; no cell took more than `most` of them just now."""
        self.__dict__["_margin"] -= most
        if self._margin <= 0:
            self._wear_out()

    def estimate(self, cells: Tensor | None, landed: Tensor) -> None:
        """Let what is seen of cells change as they do themselves; with wires, until these are
        solved."""
        if self._shown == "conductance":
            return
        before, which = self.at("conductance", cells), slice(None) if cells is None else cells
        share = self.at("seen", cells) / before
        seen = self._buffer("seen").flatten(1)
        seen[:, which] = torch.where(before > 0, share, 1.0).mul_(landed)
        if not self._wired:
            return
        unsolved, cells_of_tile = self._buffer("unsolved"), self.level[0].numel()
        unsolved[slice(None) if cells is None else cells // cells_of_tile] = True
        self.__dict__["unsettled"] += 1

    def _wear_out(self) -> None:
        """Let cells whose pulses are spent keep their present value for good."""
        spent = (self.pulses >= self.endurance()) & (self.fault == HEALTHY)
        self.fault.masked_fill_(spent, WORN)
        self._look()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Follow the network from device to device, but keep the state's precision and layout."""
        self.moves += 1
        return super()._apply(lambda t: fn(t) if t.is_meta else t.to(fn(t).device), recurse)

    def _buffer(self, name: str) -> Tensor:
        """A buffer; `get_buffer` without its search through submodules."""
        buffer = self._buffers[name]
        assert buffer is not None
        return buffer

    @property
    def shown(self) -> Tensor:
        """What is seen of the cells (chips, *cells) [S]."""
        return self._buffer(self._shown)

    def signed(self) -> Tensor:
        """Signed conductance of every weight as seen through the wires (chips, out, in) [S]."""
        t, seen = self.tiling, self.shown
        return t.join(t.mapping.fold(seen, t.cols, self.hardware.device.window))

    def parts(self) -> Tensor:
        """Signed conductance, as seen, of what is converted apart (chips, parts, out, in) [S]."""
        t, seen = self.tiling, self.shown
        parts = t.mapping.parts(seen, t.cols, self.hardware.device.window)
        return torch.stack([t.join(part) for part in parts], dim=1)

    def parts_at(self, cells: Tensor) -> Tensor:
        """The same (chips, parts, n) [S] of weights whose cells are `cells` (n, terms)."""
        g = self.at(self._shown, cells.flatten()).unflatten(1, (-1, cells.shape[1]))
        return torch.stack(self.tiling.mapping.combine_parts(g, self.hardware.device.window), 1)

    def read_back(self, cells: Tensor) -> Tensor:
        """One noisy read of weights whose cells are `cells` (n, terms): (chips, n) [S], signed.

        The noise is that of the read after the latest programming event: the same if repeated.
        """
        if self.arrays is not None:
            record.look(self, cells.unique())
            return self.signed_at(cells)
        each = torch.ones_like(cells, dtype=torch.int32).view(1, -1).expand(len(self.chips), -1)
        self.reads += each.sum(1)
        self.row_reads += self.tiling.most_in_rows(cells.flatten(), each)
        signed, device = self.signed_at(cells), self.hardware.device
        if device.read_noise == 0.0 or cells.numel() == 0:
            return signed
        low, high = device.window
        words = ("read back", self.programmings)
        noise = ChipNoise(self.seed, self.chips, words, (len(cells),), cells.device)
        sigma = device.read_noise * (high - low) * math.sqrt(self.tiling.mapping.read_variance)
        return signed.add_(noise.normal(), alpha=sigma)

    def signed_at(self, cells: Tensor) -> Tensor:
        """Signed conductance (chips, n) [S], as seen, of weights with cells `cells` (n, terms)."""
        g = self.at(self._shown, cells.flatten()).unflatten(1, (-1, cells.shape[1]))
        return self.tiling.mapping.combine(g, self.hardware.device.window)

    def get_extra_state(self) -> Tensor:
        """Scalars of the state: inputs, vectors, programmings, seed, first chip, surveys, unsettled
        write events."""
        counts = [self.inputs, self.vectors, self.programmings, self.seed, self.chips.start]
        return torch.tensor([*counts, self.surveys, self.unsettled], dtype=torch.int64)

    def set_extra_state(self, state: Tensor) -> None:
        """Take the scalars back; states of earlier versions lack the last ones."""
        counts = [*map(int, state.tolist()), 0, 0][:7]
        self.inputs, self.vectors, self.programmings, self.seed, first, *counts = counts
        self.chips = range(first, first + len(self.chips))
        self.surveys, self.unsettled = counts


def _after_load(module: nn.Module, _incompatible: object) -> None:
    assert isinstance(module, Crossbar)
    module._look()
