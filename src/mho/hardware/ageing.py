"""What time and use do to the cells of a crossbar between programming events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from mho.hardware.hardware import Hardware
from mho.hardware.streams import ChipNoise
from mho.physics.fluctuation import Relaxations

CellNoise = Callable[..., ChipNoise]
"""Noise of all cells of each chip, keyed by words: what it is for, and the event."""

_SAME = 1e-4
"""Share of a conductance by which its law may be off from one machine to the next."""


class Ageing(nn.Module):
    """The clock of a crossbar's chips, and what each cell's laws of time have to remember.

    What the hardware has no law for takes no buffer. With `cells = (tiles, rows, width)`:
        clock (3,): float64, seconds; seconds of retention, which heat makes longer; calls so far.
        rate (chips, *cells): float32, each cell's rate of relaxation; or, where the law depends on
            what a cell was programmed to, score (chips, *cells): float32, what tells it.
        landed (chips, *cells): float32 [S], what each cell was last programmed to.
        since (chips, *cells): float64, seconds of retention on the clock then.
        wander (k, chips, *cells), wander_covariance (k, k): float32 and float64, relaxations of the
            1/f noise and what is left open of them, see `mho.physics.fluctuation.Relaxations`.
        depth, pace (chips, *cells): float32, depth of each trap, factor of its dwell times.
        full (chips, *cells): bool, traps that hold a charge.
        reads_before (chips, *cells): float64, reads of the chip when the cell was last programmed.
        rows (2, chips, tiles * rows), columns (2, chips, tiles * width): float64, SET and RESET
            pulses on each word line and each bit line.
        pulses_before (2, chips, *cells): float64, those on a cell's lines when it was programmed.

    Args:
        hardware: which laws there are.
        chips: how many.
        shape: (tiles, rows, width).
        noise: of all cells of each chip, keyed by words.
    """

    clock: Tensor

    def __init__(
        self, hardware: Hardware, chips: int, shape: tuple[int, int, int], noise: CellNoise
    ) -> None:
        super().__init__()
        self.hardware, self.shape = hardware, shape
        zeros = torch.zeros((chips, *shape), dtype=torch.float64)
        self.register_buffer("clock", torch.zeros(3, dtype=torch.float64))
        if hardware.retention is not None:
            score, landed = noise("retention").normal(), zeros.float()
            if hardware.retention.follows_conductance:
                self.register_buffer("score", score)
            else:
                self.register_buffer("rate", hardware.retention.rates(score, landed))
            self.register_buffer("landed", landed)
            self.register_buffer("since", zeros.clone())
        if hardware.flicker is not None:
            started = hardware.flicker.start(noise("flicker"))
            self.register_buffer("wander", started.expected)
            self.register_buffer("wander_covariance", started.covariance)
        if hardware.telegraph is not None:
            drawn, law = noise("telegraph"), hardware.telegraph
            self.register_buffer("depth", law.depths(drawn))
            self.register_buffer("pace", law.paces(drawn))
            self.register_buffer("full", law.start(drawn))
        if hardware.disturb is not None:
            self.register_buffer("reads_before", zeros.clone())
        if self._half_selects:
            tiles, rows, width = shape
            self.register_buffer("rows", zeros.new_zeros(2, chips, tiles * rows))
            self.register_buffer("columns", zeros.new_zeros(2, chips, tiles * width))
            self.register_buffer("pulses_before", torch.stack([zeros, zeros]))
        self.register_load_state_dict_pre_hook(_before_load)

    @property
    def _half_selects(self) -> bool:
        """Whether pulses disturb the cells beside them."""
        return self.hardware.disturb is not None and self.hardware.disturb.half_select > 0

    @property
    def fluctuates(self) -> bool:
        """Whether what is seen of a cell is more than its conductance."""
        return self.hardware.flicker is not None or self.hardware.telegraph is not None

    @property
    def relaxes(self) -> bool:
        """Whether a cell goes on from where it was programmed to."""
        return self.hardware.retention is not None

    def fluctuations(self) -> dict[str, Tensor]:
        """The buffers of the slow noise, which is in what is seen of a cell."""
        names = ("wander", "depth", "full")
        return {name: self.get_buffer(name) for name in names if name in self._buffers}

    @property
    def noise_follows_conductance(self) -> bool:
        """Whether a cell that is written gets another share of slow noise."""
        return self.hardware.flicker is not None and self.hardware.flicker.follows_conductance

    def seen(self, conductance: Tensor, cells: Tensor | None = None) -> Tensor:
        """Conductance [S] with the slow noise as it stands, never below 0.

        Args:
            conductance: (chips, *cells) of all cells, or (chips, n).
            cells: flat positions (n,) on one chip; None: all.
        """

        def at(name: str) -> Tensor:
            buffer = self.get_buffer(name)
            return buffer if cells is None else buffer.flatten(-3)[..., cells]

        seen = conductance
        if self.hardware.flicker is not None:
            programmed = conductance
            if self.noise_follows_conductance and self.relaxes:
                landed = at("landed")  # 0 of cells that never took a pulse
                programmed = torch.where(landed > 0, landed, conductance)
            wander = self.hardware.flicker.relative(at("wander"), programmed)
            seen = seen * (1 + wander).clamp_(min=0.0)
        if self.hardware.telegraph is not None:
            seen = seen * (1 - at("depth") * at("full"))
        return seen

    def wrote(
        self, cells: Tensor | None, landed: Tensor, sets: Tensor, resets: Tensor, reads: int
    ) -> None:
        """Take note of a programming event.

        Args:
            cells: flat positions (n,) on one chip; None: all.
            landed: (chips, n) where the cells ended [S].
            sets, resets: (chips, n) pulses that each took.
            reads: vectors that the chip has been read with so far, from either side.
        """
        pulsed = sets + resets > 0
        self._start(cells, pulsed, landed, reads)
        if self._half_selects:
            self._pulse_lines(cells, pulsed, torch.stack([sets, resets]).double())

    def found(self, cells: Tensor, held: Tensor, reads: int) -> None:
        """Take note of what cells hold that nobody programmed: from here they relax as after a
        write, and disturb begins.

        Args:
            cells: (chips, *cells) bool, which.
            held: (chips, *cells) what they hold [S].
            reads: as in `wrote`.
        """
        self._start(None, cells.flatten(1), held.flatten(1), reads)
        if self._half_selects:
            self.get_buffer("pulses_before").add_(self._neighbours() * cells)

    def follow(self, conductance: Tensor, free: Tensor, reads: int) -> None:
        """Have cells that hold something else than they have relaxed to relax from there.

        Args:
            conductance: (chips, *cells) what they hold [S].
            free: (chips, *cells) bool, cells that can change.
            reads: as in `wrote`.
        """
        if self.relaxes:
            off = ~torch.isclose(self._relaxed(conductance.dtype), conductance, _SAME, 0.0)
            self.found(free & off, conductance, reads)

    def _relaxed(self, dtype: torch.dtype) -> Tensor:
        """What cells have relaxed to (chips, *cells) [S], those that can."""
        law = self.hardware.retention
        assert law is not None
        elapsed = (self.clock[1] - self.get_buffer("since")).to(dtype)
        landed = self.get_buffer("landed")
        if law.follows_conductance:
            return law.relaxed(elapsed, landed, self.get_buffer("score"))
        return law.at(elapsed, landed, self.get_buffer("rate"))

    def _start(self, cells: Tensor | None, which: Tensor, landed: Tensor, reads: int) -> None:
        """Have cells, where (chips, n) says so, relax from where they are, undisturbed."""
        if self.hardware.retention is not None:
            self._note("landed", cells, which, landed)
            since = self.clock[1].expand(landed.shape)
            self._note("since", cells, which, since)
        if self.hardware.disturb is not None:
            self._note("reads_before", cells, which, torch.full_like(landed, float(reads)))

    def _note(self, name: str, cells: Tensor | None, where: Tensor, value: Tensor) -> None:
        """Set a buffer at cells of each chip, where (chips, n) says so."""
        flat = self.get_buffer(name).flatten(1)
        which = slice(None) if cells is None else cells
        flat[:, which] = torch.where(where, value.to(flat.dtype), flat[:, which])

    def _pulse_lines(self, cells: Tensor | None, pulsed: Tensor, pulses: Tensor) -> None:
        """Count pulses (2, chips, n) on the lines of their cells."""
        tiles, rows, width = self.shape
        at = torch.arange(tiles * rows * width, device=pulsed.device) if cells is None else cells
        row, column = at // width, at // (rows * width) * width + at % width
        word, bit = self.get_buffer("rows"), self.get_buffer("columns")
        before = word[..., row] + bit[..., column]
        word.index_add_(2, row, pulses)
        bit.index_add_(2, column, pulses)
        others = word[..., row] + bit[..., column] - before - 2 * pulses
        noted = self.get_buffer("pulses_before").flatten(2)
        seen = before + 2 * pulses + others / 2
        noted[..., at] = torch.where(pulsed, seen, noted[..., at])

    def _neighbours(self) -> Tensor:
        """SET and RESET pulses (2, chips, *cells) on each cell's lines since it was programmed."""
        tiles, rows, width = self.shape
        word = self.get_buffer("rows").view(2, -1, tiles, rows, 1)
        bit = self.get_buffer("columns").view(2, -1, tiles, 1, width)
        return word + bit - self.get_buffer("pulses_before")

    def _disturbed(self, g: Tensor, reads: int) -> Tensor:
        """Cells that held g (chips, *cells) [S] after all that was done around them; then that is
        settled."""
        disturb = self.hardware.disturb
        assert disturb is not None
        before = self.get_buffer("reads_before")
        neighbours = self._neighbours() if self._half_selects else before.new_zeros(2, 1)
        g = disturb.after(g, self.hardware.device.window, reads - before, *neighbours)
        before.fill_(reads)
        if self._half_selects:
            self.get_buffer("pulses_before").add_(neighbours)
        return g

    def advance(
        self,
        seconds: float,
        temperature: float | None,
        conductance: Tensor,
        free: Tensor,
        reads: int,
        noise: CellNoise,
    ) -> None:
        """Let time pass.

        Args:
            seconds: how long.
            temperature: [K]; None: that of the retention's law.
            conductance: (chips, *cells) [S], changed in place.
            free: (chips, *cells) bool, cells that can change.
            reads: vectors that the chip has been read with so far, from either side.
            noise: of all cells of each chip, keyed by words.
        """
        hardware, law = self.hardware, self.hardware.retention
        if hardware.disturb is not None:
            base = conductance if law is None else self.get_buffer("landed")
            base.copy_(torch.where(free, self._disturbed(base, reads), base))
        faster = 1.0 if law is None else law.acceleration(temperature)
        self.clock += self.clock.new_tensor([seconds, faster * seconds, 1.0])
        calls = int(self.clock[2])
        if law is not None:
            conductance.copy_(torch.where(free, self._relaxed(conductance.dtype), conductance))
        if hardware.flicker is not None:
            state = Relaxations(self.get_buffer("wander"), self.get_buffer("wander_covariance"))
            hardware.flicker.advance(seconds, state, noise("flicker", calls))
        if hardware.telegraph is not None:
            full, pace = self.get_buffer("full"), self.get_buffer("pace")
            drawn = noise("telegraph", calls)
            full.copy_(hardware.telegraph.after(seconds, full, pace, drawn))


def _before_load(module: nn.Module, state: dict[str, Any], prefix: str, *_given: object) -> None:
    """States of earlier versions have drawn each relaxation of the 1/f noise: nothing is open."""
    name = f"{prefix}wander_covariance"
    if f"{prefix}wander" in state and name not in state:
        state[name] = torch.zeros_like(module.get_buffer("wander_covariance"))
