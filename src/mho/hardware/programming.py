"""Programming events: cells of one crossbar, or of several in one step, brought to their levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int, Int64
from torch import Tensor

from mho.hardware import on_instrument
from mho.hardware.assignment import sources
from mho.hardware.crossbar import UNFORMED, Crossbar
from mho.hardware.hardware import Hardware
from mho.hardware.streams import ChipNoise, JoinedNoise
from mho.kernels import native
from mho.kernels import programming as compiled
from mho.physics import Present, Programmed

_NO_OFFSET = np.empty((0, 0), np.float32)


class Request(NamedTuple):
    """Cells to program, what they hold, and the noise of the event."""

    crossbar: Crossbar
    cells: Int64[Tensor, " n"] | None
    """Flat positions on one chip; None: all cells."""
    level: Int[Tensor, " n"]
    """Target levels, int32."""
    held: Int[Tensor, " n"]
    """Present levels, int32."""
    noise: ChipNoise
    """Noise of this event."""


class FirstWrite(NamedTuple):
    """What the cells of new chips are written to first."""

    levels: Int[Tensor, "tiles rows width"]
    """Of the cells; -1 where there is none to write."""
    weights: Int[Tensor, "tiles rows cols"] | None
    """Levels of the weights, -1 where there is none, if devices are placed by them."""

    @staticmethod
    def of(levels: Tensor, index: Tensor, hardware: Hardware) -> FirstWrite:
        """The same in few bytes."""
        small = torch.int8 if hardware.device.states < 1 << 7 else torch.int16
        index = index.to(torch.int32)
        return FirstWrite(levels.to(small), None if hardware.placement is None else index)

    def __call__(self, crossbar: Crossbar) -> None:
        """Place the devices of a crossbar and write its cells."""
        if self.weights is not None:
            place(crossbar, self.weights.long())
        program_all(crossbar, self.levels)


def program_all(crossbar: Crossbar, levels: Int[Tensor, "tiles rows width"]) -> None:
    """Bring all cells of all chips to `levels`; write what differs.

    A level of -1 leaves the cell alone.
    """
    levels = levels.to(crossbar.level)
    differs = ((levels != crossbar.level) & (levels >= 0)).flatten()
    wanted, simulated = levels.flatten(), crossbar.arrays is None
    if simulated and bool(differs.all()):
        if crossbar.landing is not None and native(crossbar.conductance):
            _land_all(crossbar, wanted)
        else:
            _carry_out([_request(crossbar, None, wanted)])
        return
    cells = differs.nonzero().squeeze(1)
    if cells.numel() == 0:
        return
    if simulated:
        _carry_out([_request(crossbar, cells, wanted[cells])])
    else:
        on_instrument.program(crossbar, cells, wanted[cells])


def program_cells(wanted: Sequence[tuple[Crossbar, Tensor, Tensor]]) -> None:
    """Bring cells at flat positions (n,) of every chip to levels (n,), of several crossbars in one
    physical step.

    Same outcome as one after another, each with its own noise. What is not compiled for a single
    crossbar is computed once for all of a kind: many small events in few operations.
    """
    kinds: dict[tuple[object, ...], list[Request]] = {}
    for crossbar, cells, levels in wanted:
        if cells.numel() == 0:
            continue
        if crossbar.arrays is not None:
            on_instrument.program(crossbar, cells, levels)
        elif crossbar.landing is not None and crossbar.views() is not None:
            to = levels.to(torch.int32).numpy()
            z = crossbar.noise(len(cells)).normal().numpy()
            given, landing = (cells.numpy(), to, z), crossbar.landing
            crossbar.run(
                compiled.program_landing,
                lambda state, offset, g=given, to=landing: (*g, offset, *to, state),
            )
            crossbar.wear(landing.spent[0])
        else:
            kind = (id(crossbar.hardware), crossbar.chips, cells.device)
            kinds.setdefault(kind, []).append(_request(crossbar, cells, levels))
    for requests in kinds.values():
        _carry_out(requests)


def spend(crossbar: Crossbar, cells: Int64[Tensor, " n"], levels: Int[Tensor, " n"]) -> Programmed:
    """As `program_cells`, of at least one simulated cell; also where each ended and what it took
    (chips, n)."""
    return _carry_out([_request(crossbar, cells, levels)])


def place(crossbar: Crossbar, index: Int[Tensor, "tiles rows cols"]) -> None:
    """Order each chip's devices for weight levels, -1 where there is no weight.

    Does nothing without `Hardware.placement`, or once any cell was programmed.
    """
    hardware = crossbar.hardware
    if hardware.placement is None or bool((crossbar.level != UNFORMED).any()):
        return
    high, low = (_surveyed(crossbar, level) for level in (hardware.device.states - 1, 0))
    order = sources(low, high, index, crossbar.tiling, hardware, hardware.placement).flatten(1)
    for buffer in crossbar.buffers():
        if buffer.dim() == crossbar.conductance.dim():  # each chip's own, cell by cell
            buffer.copy_(buffer.flatten(1).gather(1, order).view_as(buffer))


def _surveyed(crossbar: Crossbar, level: int) -> Tensor:
    """Conductance (chips, *cells) [S] read from all cells after writing them to `level`."""
    program_all(crossbar, torch.full_like(crossbar.level, level))
    crossbar.counts.surveys += 1
    crossbar.reads += crossbar.level.numel()
    crossbar.row_reads += crossbar.tiling.tiles * crossbar.tiling.lines
    return crossbar.conductance.clone()


def _request(crossbar: Crossbar, cells: Tensor | None, levels: Tensor) -> Request:
    """Ask for cells (n,), or all, to be brought to levels (n,)."""
    held = crossbar.level.view(-1)
    held = held if cells is None else held.index_select(0, cells)
    noise = crossbar.noise(len(levels), levels.device)
    return Request(crossbar, cells, levels.to(torch.int32), held, noise)


def _carry_out(requests: Sequence[Request]) -> Programmed:
    """Carry out requests to crossbars of the same hardware, chips and device.

    Returns:
        Conductances [S], pulses and reads (chips, n), what faults made of them included.
    """
    first, hardware = requests[0].crossbar, requests[0].crossbar.hardware
    cell, programming = hardware.device, hardware.writing

    def of_cells(name: str) -> Tensor:
        """A buffer at the cells of all requests (chips, n)."""
        return _joined([r.crossbar.at(name, r.cells) for r in requests])

    level = _joined([r.level for r in requests]).to(torch.float32)
    traits = {name: of_cells(f"trait_{name}") for name in first.trait_names}
    noise = JoinedNoise([r.noise for r in requests])
    present = None
    if programming.needs_present(cell):
        held = _joined([r.held for r in requests]).to(torch.float32)
        present = Present(of_cells("conductance"), held.clamp_(min=0))
    done = programming.program(cell, level, traits, noise, present)
    if cell.closes:
        budget = of_cells("budget") if cell.endurance_spread > 0 else first.endurance()
        done = programming.within(cell, level, done, of_cells("pulses") / budget)
    start = 0
    for each in requests:
        part = slice(start, start := start + len(each.level))
        _commit(each, Programmed(*(outcome[:, part] for outcome in done)))
    return done


def _land_all(crossbar: Crossbar, level: Int[Tensor, " n"]) -> None:
    """Bring all cells to levels (n,) where an event is one draw a cell and nothing follows from it;
    as `_carry_out`."""
    landing = crossbar.landing
    assert landing is not None
    line, spread, (pulses, reads) = landing
    landed = crossbar.noise(len(level)).normal()
    z, offset = landed.numpy(), _NO_OFFSET
    if "offset" in crossbar.trait_names:
        offset = crossbar.at("trait_offset", None).clone().numpy()
    compiled.land(z, level.numpy(), offset, line, spread, z)
    held = crossbar.level.view(-1)
    conductance, rows = crossbar.conductance.flatten(1), len(level) // crossbar.tiling.width
    if crossbar.broken:
        landed = torch.where(crossbar.at("fault", None) == 0, landed, conductance)
    crossbar.set_pulses += pulses * int(_raised(level, held).sum())
    crossbar.row_pulses += pulses * rows
    crossbar.reads += reads * len(level)
    crossbar.row_reads += reads * rows
    held.copy_(level)
    conductance.copy_(landed)
    crossbar.writes += int(pulses > 0)
    crossbar.pulses += pulses
    crossbar.wear(pulses)


def _commit(wanted: Request, done: Programmed) -> None:
    """Enter the outcome (chips, n) of a request; faults overwrite it in place."""
    crossbar, cells, level, held, _ = wanted
    hardware = crossbar.hardware
    if crossbar.broken:
        _keep_broken(wanted, done)
    if crossbar.failures:
        _give_up(wanted, done)
    if crossbar.ageing is not None:
        sets = done.pulses * _raised(level, held)
        resets = done.pulses - sets
        reads = crossbar.counts.reads
        crossbar.ageing.wrote(cells, done.conductance, sets, resets, reads=reads)
    crossbar.estimate(cells, done.conductance)
    if cells is not None and native(done.conductance) and crossbar.views() is not None:
        event = [part.numpy() for part in (cells, level, held, *done)]
        crossbar.run(compiled.record, lambda state, _: (*event, state))
    else:
        _record(wanted, done)
    crossbar.wear(hardware.writing.most_pulses(hardware.device))


def _record(wanted: Request, done: Programmed) -> None:
    """`mho.kernels.programming.record` in torch, of some cells or all."""
    crossbar, cells, level, held, _ = wanted
    landed, pulses, reads = done
    which = slice(None) if cells is None else cells
    raised = _raised(level, held)
    if cells is None and native(landed):
        counts = np.empty((len(pulses), 4), np.int64)
        each = raised.numpy(), pulses.numpy(), reads.numpy()
        compiled.totals(*each, crossbar.tiling.width, counts)
        sets, of_rows, all_reads, reads_of_rows = torch.from_numpy(counts).unbind(1)
        crossbar.set_pulses += sets
        crossbar.row_pulses += of_rows
        crossbar.reads += all_reads
        crossbar.row_reads += reads_of_rows
    else:
        crossbar.set_pulses += (pulses * raised).sum(1)
        crossbar.row_pulses += crossbar.tiling.most_in_rows(cells, pulses)
        crossbar.count_cell_reads(cells, reads)
    crossbar.level.view(-1)[which] = level
    crossbar.conductance.flatten(1)[:, which] = landed
    crossbar.writes.flatten(1)[:, which] += pulses > 0
    crossbar.pulses.flatten(1)[:, which] += pulses


def _keep_broken(wanted: Request, done: Programmed) -> None:
    """Have cells that are stuck or worn stay where they are, whatever is spent on them."""
    crossbar, cells = wanted.crossbar, wanted.cells
    broken = crossbar.at("fault", cells) != 0
    if not broken.any():
        return
    hardware = crossbar.hardware
    stays = Programmed(crossbar.at("conductance", cells)[broken], *(x[broken] for x in done[1:]))
    level = wanted.level.expand(broken.shape)[broken].float()
    stuck = hardware.writing.stuck(hardware.device, level, stays)
    for outcome, value in zip(done, stuck, strict=True):
        outcome[broken] = value


def _give_up(wanted: Request, done: Programmed) -> None:
    """Have cells that were given up left alone, and count the failures in a row of all others."""
    crossbar, cells = wanted.crossbar, wanted.cells
    hardware, which = crossbar.hardware, slice(None) if cells is None else cells
    failed = hardware.writing.failed(hardware.device, wanted.level.float(), done)
    fresh = bool(failed.any())
    if not fresh and not crossbar.failing:
        return
    misses = crossbar.at("misses", cells)
    if not fresh and not misses.any():
        return
    left = misses >= crossbar.failures
    if left.any():
        done.conductance[left] = crossbar.at("conductance", cells)[left]
        done.pulses[left] = 0
        done.reads[left] = 0
    counted = torch.where(left, misses, (misses + 1) * failed)
    crossbar.get_buffer("misses").flatten(1)[:, which] = counted.to(misses.dtype)
    crossbar.failing = True


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    """End to end along the last dimension."""
    return tensors[0] if len(tensors) == 1 else torch.cat(list(tensors), -1)


def _raised(level: Int[Tensor, " n"], held: Int[Tensor, " n"]) -> Bool[Tensor, " n"]:
    """Whether a cell goes up from what it held, the lowest level if it was never programmed."""
    return (level > held) & (level > 0)
