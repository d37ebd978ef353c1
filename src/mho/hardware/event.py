"""Programming events: cells of one crossbar, or of several in one step, brought to their levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mho.hardware import record
from mho.hardware.hardware import Hardware
from mho.hardware.streams import ChipNoise, JoinedNoise
from mho.kernels import native
from mho.kernels.land import land_cells
from mho.kernels.write import record_writes
from mho.physics import MultiLevel, OpenLoop, Present, Programmed, Verify

if TYPE_CHECKING:
    from mho.hardware.crossbar import Crossbar

BOOKS = (
    *("fault", "conductance", "level", "writes", "pulses"),
    *("set_pulses", "row_pulses", "reads", "row_reads"),
)
"""Buffers of a crossbar that an event sees or is entered into."""

_NO_OFFSET = np.empty((0, 0, 0, 0), np.float32)


def books(crossbar: Crossbar) -> list[Tensor]:
    """What kernels see of a crossbar: its `BOOKS`, and the offset of each cell if there is one."""
    buffers = crossbar._buffers  # past nn.Module's search for them
    given = [buffers[name] for name in BOOKS]
    if "trait_offset" in buffers:
        given.append(buffers["trait_offset"])
    return given  # type: ignore[return-value]


class Request(NamedTuple):
    """Cells to program, what they hold, and the noise of the event."""

    cells: Tensor | None
    """Flat positions (n,) on one chip; None: all cells."""
    level: Tensor
    """Target levels (n,), int16."""
    held: Tensor
    """Present levels (n,), int16."""
    noise: ChipNoise
    """Noise of this event."""


def request(crossbar: Crossbar, cells: Tensor | None, levels: Tensor) -> Request:
    """Ask for cells (n,), or all, to be brought to levels (n,)."""
    held = crossbar.level.view(-1)
    held = held if cells is None else held.index_select(0, cells)
    return Request(cells, levels.to(torch.int16), held, noise(crossbar, len(levels), levels.device))


def write_together(requests: Sequence[tuple[Crossbar, Tensor, Tensor]]) -> None:
    """Write cells (n,) to levels (n,) of several crossbars in one physical step.

    Same outcome as writing one after another, each with its own noise. What is not compiled for a
    single crossbar is computed once for all of a kind: many small events in few operations.

    Args:
        requests: crossbar, flat cell positions, levels.
    """
    kinds: dict[tuple[object, ...], list[tuple[Crossbar, Request]]] = {}
    for crossbar, cells, levels in requests:
        if cells.numel() == 0:
            continue
        if crossbar.arrays is not None:
            record.program(crossbar, cells, levels)
        elif crossbar.lands and (views := crossbar.books(books(crossbar))) is not None:
            some, to = cells.numpy(), levels.to(torch.int16).numpy()
            z = noise(crossbar, len(cells)).normal().numpy()
            land_cells(some, to, z, *landing(crossbar, views))
            crossbar.wear(1)
        else:
            kind = (id(crossbar.hardware), crossbar.chips, cells.device)
            kinds.setdefault(kind, []).append((crossbar, request(crossbar, cells, levels)))
    for wanted in kinds.values():
        carry_out(wanted)


def carry_out(wanted: Sequence[tuple[Crossbar, Request]]) -> Programmed:
    """Carry out requests to crossbars of the same hardware, chips and device.

    Returns:
        Conductances [S], pulses and reads (chips, n), what faults made of them included.
    """
    first, hardware = wanted[0][0], wanted[0][0].hardware

    def of_cells(name: str) -> Tensor:
        """A buffer at the cells of all requests (chips, n)."""
        return _joined([xb.at(name, r.cells) for xb, r in wanted])

    level, held = (
        _joined(levels).to(torch.float32)
        for levels in zip(*((r.level, r.held) for _, r in wanted), strict=True)
    )
    traits = {name: of_cells(f"trait_{name}") for name in first.trait_names}
    noise = JoinedNoise([r.noise for _, r in wanted])
    present = None
    if hardware.device.remembers or hardware.programming.read_first:
        present = Present(of_cells("conductance"), held.clamp_(min=0))
    done = hardware.programming.program(hardware.device, level, traits, noise, present)
    if hardware.device.closes:
        budget = of_cells("budget") if "budget" in first._buffers else first.endurance()
        worn = of_cells("pulses") / budget
        done = hardware.programming.within(hardware.device, level, done, worn)
    start = 0
    for crossbar, each in wanted:
        part = slice(start, start := start + len(each.level))
        _commit(crossbar, each, *(outcome[:, part] for outcome in done))
    return done


def lands(hardware: Hardware) -> bool:
    """Whether `land` can program: pulses that land afresh, and nothing else happens to a cell."""
    plain = isinstance(hardware.device, MultiLevel) and not hardware.device.closes
    return plain and isinstance(hardware.programming, OpenLoop) and not hardware.ages


def landing(crossbar: Crossbar, views: Sequence[np.ndarray]) -> tuple[Any, ...]:
    """What `land_cells` takes besides cells, levels and noise, where a crossbar `lands`.

    Args:
        views: of its `books`.
    """
    device = crossbar.hardware.device
    assert isinstance(device, MultiLevel)
    (line, sigma), kept = device.landing, len(BOOKS)
    offset = views[kept] if len(views) > kept else _NO_OFFSET
    return offset, line, sigma, *views[:kept], crossbar.tiling.width


def noise(crossbar: Crossbar, cells: int, device: torch.device | str = "cpu") -> ChipNoise:
    """Noise of the next event, of so many cells."""
    words = ("program", crossbar.programmings)
    crossbar.__dict__["programmings"] += 1
    return ChipNoise(crossbar.seed, crossbar.chips, words, (cells,), device)


def _commit(
    crossbar: Crossbar, wanted: Request, landed: Tensor, pulses: Tensor, reads: Tensor
) -> None:
    """Enter the outcome (chips, n) of a request; faults overwrite it in place."""
    cells, level, held, _ = wanted
    hardware = crossbar.hardware
    if crossbar.broken:
        _keep_broken(crossbar, wanted, landed, pulses, reads)
    if crossbar.ageing is not None:
        sets = pulses * _raised(level, held)
        crossbar.ageing.wrote(cells, landed, sets, pulses - sets, reads=crossbar.vectors)
    crossbar.estimate(cells, landed)
    views = crossbar.books(books(crossbar))
    if cells is not None and native(landed) and views is not None:
        outcome = (cells, level, held, landed, pulses, reads)
        record_writes(
            *(t.numpy() for t in outcome), *views[1 : len(BOOKS)], width=crossbar.tiling.width
        )
    else:
        _record(crossbar, wanted, landed, pulses, reads)
    crossbar.wear(hardware.programming.most_pulses(hardware.device))


def _record(
    crossbar: Crossbar, wanted: Request, landed: Tensor, pulses: Tensor, reads: Tensor
) -> None:
    """Enter an outcome into the buffers: what `record_writes` does for some cells on a CPU."""
    cells, level, held, _ = wanted
    which, tiling = slice(None) if cells is None else cells, crossbar.tiling
    crossbar.set_pulses += (pulses * _raised(level, held)).sum(1)
    crossbar.row_pulses += tiling.most_in_rows(cells, pulses)
    if crossbar.hardware.programming.verifies:
        crossbar.reads += reads.sum(1)
        crossbar.row_reads += tiling.most_in_rows(cells, reads)
    crossbar.level.view(-1)[which] = level
    crossbar.conductance.flatten(1)[:, which] = landed
    crossbar.writes.flatten(1)[:, which] += pulses > 0
    crossbar.pulses.flatten(1)[:, which] += pulses


def _keep_broken(
    crossbar: Crossbar, wanted: Request, landed: Tensor, pulses: Tensor, reads: Tensor
) -> None:
    """Have cells that are stuck or worn stay where they are, whatever is spent on them."""
    broken = crossbar.at("fault", wanted.cells) != 0
    if not broken.any():
        return
    stays = crossbar.at("conductance", wanted.cells)[broken]
    landed[broken] = stays
    hardware = crossbar.hardware
    if isinstance(hardware.programming, Verify):
        level = wanted.level.expand(broken.shape)[broken].float()
        spent = hardware.programming.on_stuck(hardware.device, level, stays)
        pulses[broken], reads[broken] = spent


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    """End to end along the last dimension."""
    return tensors[0] if len(tensors) == 1 else torch.cat(list(tensors), -1)


def _raised(level: Tensor, held: Tensor) -> Tensor:
    """Whether a cell goes up from what it held, the lowest level if it was never programmed."""
    return (level > held) & (level > 0)
