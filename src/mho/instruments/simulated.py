"""An instrument whose chip is simulated: bare arrays of cells, no weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float32, Int32
from torch import Tensor

from mho.arguments import checked
from mho.errors import InvalidInput, invalid, silent, warn
from mho.hardware import Crossbar, Hardware, Tiling, mapping
from mho.hardware.crossbar import HEALTHY
from mho.hardware.instrument import (
    Chip,
    InstrumentRefused,
    Outcome,
    Report,
    check_each,
    empty_outcome,
)
from mho.hardware.programming import spend
from mho.hardware.streams import ChipNoise
from mho.instruments.chip_state import check_chip_state, fields_of
from mho.physics import OfConductance, pulsed
from mho.physics.of_conductance import none_of


class SimulatedInstrument:
    """Cells as `Crossbar` simulates them, behind the calls of an `Instrument`.

    A chip that verifies says where it read each cell last, and refuses one that it could not bring
    within its tolerance; one that programs open loop knows neither. Read noise falls on every cell
    of every read. Cells do not age; hardware that says they do is warned of. Same seed and same
    calls: same numbers.

    Args:
        hardware: device, programming, wires, and with `tile` the size of an array; all else is a
            matter of the host.
        arrays: number of arrays.
        seed: of everything random.
        volts: largest voltage of a read [V].
    """

    @checked
    def __init__(
        self, hardware: Hardware, arrays: int = 1, *, seed: int = 0, volts: float = 0.2
    ) -> None:
        if hardware.ages:
            warn(
                "SimulatedInstrument: cells do not age there; Hardware.retention, flicker, "
                "telegraph and disturb are ignored"
            )
        cell, (rows, cols) = hardware.device, hardware.tile
        low, high = cell.window
        self._chip = Chip(
            arrays=arrays, rows=rows, cols=cols, low=low, high=high, levels=cell.states,
            volts=volts, pulses=cell.remembers,
        )  # fmt: skip
        with silent():
            bare = Hardware(
                device=cell, mapping="single", tile=(rows, cols), programming=hardware.writing,
                wire_resistance=hardware.wire_resistance,
            )  # fmt: skip
        tiling = Tiling(arrays * rows, cols, (rows, cols), mapping("single"))
        self.crossbar = Crossbar(tiling, bare, range(1), seed)
        self._made = (
            f"{bare.to_toml()}arrays = {arrays}\nseed = {self.crossbar.seed}\nvolts = {volts}\n"
        )
        self._changes = 0

    def describe(self) -> Chip:
        """What the chip is."""
        return self._chip

    @checked
    def program(self, cells: Int32[Tensor, "n 3"], targets: Float32[Tensor, " m"]) -> Outcome:
        """Bring cells to target conductances [S].

        Raises:
            InstrumentRefused: a cell's counter of pulses is full.
            ValueError: a cell is not on the chip, or a target is no level.
        """
        check_each("targets", targets, cells)
        flat, level = self._chip.flat(cells), self._chip.index(targets)
        if len(flat) == 0:
            return empty_outcome()
        try:
            done = spend(self.crossbar, flat, level)
        except OverflowError as error:  # nothing was done
            raise InstrumentRefused(f"program: {error}") from error
        self._changes += 1
        landed, pulses, reads = (part[0].clone() for part in done)
        hardware = self.crossbar.hardware
        if not hardware.writing.verifies:
            landed.fill_(torch.nan)
            return Outcome(landed, pulses, reads, torch.zeros(len(flat), dtype=torch.bool))
        far = hardware.writing.missed(hardware.device, level, landed)
        return Outcome(landed, pulses, reads, far)

    @checked
    def pulse(self, cells: Int32[Tensor, "n 3"], counts: Int32[Tensor, " m"]) -> None:
        """Apply SET pulses to cells, or RESET pulses where a count is negative.

        Raises:
            InstrumentRefused: pulses do not move such cells step by step, or a cell's counter of
                pulses is full.
            ValueError: a cell is not on the chip.
        """
        check_each("counts", counts, cells)
        crossbar, family = self.crossbar, self.crossbar.hardware.device.family
        cell = pulsed(self.crossbar.hardware.device)
        if cell is None:
            raise InstrumentRefused(f"pulse: {family} cells land afresh at every attempt")
        flat = self._chip.flat(cells)
        if len(flat) == 0:
            return
        size = counts.long().abs()
        try:
            crossbar.make_room(int(size.max()))
        except OverflowError as error:
            raise InstrumentRefused(f"pulse: {error}") from error
        self._changes += 1
        crossbar.counts.programmings += 1
        words = ("pulse", crossbar.counts.programmings)
        z = ChipNoise(crossbar.seed, crossbar.chips, words, (len(flat),)).normal()[0]
        held, level = crossbar.conductance.view(-1), crossbar.level.view(-1)
        traits = {n: crossbar.get_buffer(f"trait_{n}").view(-1)[flat] for n in crossbar.trait_names}
        moved = cell.respond(z, held[flat], counts, traits)
        healthy = crossbar.fault.view(-1)[flat] == HEALTHY
        held[flat] = torch.where(healthy, moved, held[flat])
        # A controller that looks at nothing believes in the nominal curve.
        believed = cell.nominal(level[flat].clamp(min=0).float())
        nominal = cell.respond(torch.zeros_like(z), believed, counts, {})
        level[flat] = ((nominal - cell.window[0]) / cell.step).round().to(level.dtype)
        size = size.int()
        crossbar.pulses.view(-1)[flat] += size
        crossbar.writes.view(-1)[flat] += (size > 0).to(torch.int32)
        crossbar.set_pulses += counts.clamp(min=0).sum()
        crossbar.row_pulses += crossbar.tiling.most_in_rows(flat, size.view(1, -1))
        crossbar.wear(int(size.max()))
        if crossbar._wired:
            crossbar.get_buffer("unsolved").fill_(True)

    @checked
    def read(
        self, first: int, volts: Float32[Tensor, "n arrays rows"]
    ) -> Float32[Tensor, "n arrays cols"]:
        """Currents [A] of all columns, vector after vector.

        Raises:
            ValueError: beyond the chip, too many vectors, or too high a voltage.
        """
        self._chip.check_read(first, volts)
        crossbar, device = self.crossbar, self.crossbar.hardware.device
        crossbar.solve()
        n, arrays, _ = volts.shape
        g = crossbar.conductance_seen[0, first : first + arrays]
        crossbar.count_reads(0, n * arrays)
        amps = volts.transpose(0, 1) @ g
        if not none_of(device.read_noise):
            low, high = device.window
            words = ("read", crossbar.counts.vectors)
            z = ChipNoise(crossbar.seed, crossbar.chips, words, tuple(amps.shape)).normal()[0]
            if isinstance(device.read_noise, OfConductance):
                cells = crossbar.conductance[0, first : first + arrays]
                variance = volts.transpose(0, 1).square() @ device.read_variance(cells)
                amps.addcmul_(z, variance.sqrt_(), value=high - low)
            else:
                size = torch.linalg.vector_norm(volts, dim=-1).T.unsqueeze(-1)
                amps.addcmul_(z, size, value=device.read_noise * (high - low))
        return amps.transpose(0, 1).contiguous()

    def report(self) -> Report:
        """Counts."""
        crossbar = self.crossbar
        up, total = int(crossbar.set_pulses.sum()), int(crossbar.pulses.sum())
        reads = int(crossbar.reads.sum())
        return Report(self._changes, crossbar.counts.vectors, up, total - up, reads)

    def state_dict(self) -> dict[str, Any]:
        """The cells and all counts; tensors and plain values."""
        return {
            "made": self._made,
            "changes": self._changes,
            "cells": self.crossbar.state_dict(),
        }

    def check_state(self, state: object) -> None:
        """Refuse what is no state of a chip made alike.

        Raises:
            ValueError: as said.
        """
        made = fields_of(state, {"made": str}, "chip")["made"]
        try:
            alike = _settings(made) == _settings(self._made)
        except Exception as error:
            raise InvalidInput("it does not say how the chip was made") from error
        if not alike:
            raise invalid("chip state", "another chip's", "one made with the same settings")
        check_chip_state(state, self.crossbar)

    @checked
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the state back.

        Raises:
            ValueError: it is none, or that of a chip made otherwise; then nothing is changed.
        """
        try:
            self.check_state(state)
        except InvalidInput as error:
            allowed = f"a state_dict of a SimulatedInstrument made alike ({error})"
            raise invalid("state", state, allowed) from error
        self.crossbar.load_state_dict(state["cells"])
        self._changes = state["changes"]

    @property
    def vectors(self) -> int:
        """All that a read changes: input vectors so far."""
        return self.crossbar.counts.vectors

    @vectors.setter
    def vectors(self, vectors: int) -> None:
        self.crossbar.counts.vectors = vectors


def _settings(made: str) -> tuple[Hardware, list[str]]:
    """What a chip was made with; settings that its text lacks are the defaults."""
    lines = made.splitlines()
    return Hardware.from_toml("\n".join(lines[:-3])), lines[-3:]
