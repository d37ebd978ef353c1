"""A network on the arrays of an instrument: real ones, or simulated ones behind the same calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from mho.arguments import checked
from mho.errors import invalid
from mho.hardware import Crossbar, Hardware
from mho.hardware.arrays import Arrays
from mho.hardware.crossbar import REFUSED
from mho.hardware.hardware import OVER_TIME
from mho.hardware.instrument import Chip, Instrument, InstrumentError, Report
from mho.hardware.on_instrument import survey
from mho.learning.layers.layer import memristive_layers


class Attached:
    """The chip that a network was attached to, see `attach`.

    Its state says how often the chip had been changed; a state loaded later tells from that whether
    the chip is still the one that the network remembers.
    """

    def __init__(self, net: nn.Module, instrument: Instrument) -> None:
        self._layers = memristive_layers(net)
        self.instrument = instrument
        self.surveyed = False
        """Whether a state was loaded that did not fit the chip, so that the cells were read."""

    def program(self) -> None:
        """Bring all cells to the levels of the weights; what stands there already is left alone.

        Raises:
            InstrumentError: some cells are programmed then; call again.
        """
        for layer in self._layers.values():
            try:
                layer.program()
            except InstrumentError:
                layer.refresh()
                raise

    @torch.no_grad()
    def survey(self) -> None:
        """Read every cell once, a row at a time; the layers go on from what was read."""
        for layer in self._layers.values():
            survey(layer.crossbar)
            layer.refresh()

    def refused(self) -> dict[str, list[tuple[int, int, int]]]:
        """Cells (array, row, column) that are left alone since the chip gave them up, by layer."""
        out = {}
        for name, layer in self._layers.items():
            crossbar = layer.crossbar
            assert crossbar.arrays is not None
            cells = (crossbar.fault.view(-1) == REFUSED).nonzero().squeeze(1)
            out[name] = [tuple(c) for c in crossbar.arrays.addresses(cells).tolist()]
        return out

    def report(self) -> Report:
        """Counts of the chip itself, those of other networks included."""
        return self.instrument.report()

    def state_dict(self) -> dict[str, int]:
        """How often the chip was changed."""
        return {"changes": self.report().changes}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """After the network's state was loaded: survey the cells if the chip has changed since."""
        if self.report().changes != state["changes"]:
            self.surveyed = True
            self.survey()


@checked
def attach(
    net: nn.Module, instrument: Instrument, *, retries: int = 2, program: bool = True
) -> Attached:
    """Move the memristive layers of a network to the arrays of an instrument, in place.

    Layers take arrays in order, one for each tile. From then on a forward pass reads currents,
    `mho.write` and a `WriteStep` program cells, and `mho.ledger` counts both. Converters, signs and
    sums of tiles are computed by the host as before; gradients go through the float twin, as the
    conductances are not known. What the hardware says of spread, read noise, stuck cells,
    endurance, programming and errors of converters is not used: that is the chip's own.

    Args:
        net: converted for one chip, with `transposed=False` and without wires, placement and laws
            of time; its cells' window is the chip's, and their levels fall on levels of the chip.
        instrument: where the chip is.
        retries: further attempts at a cell that refuses to program; then it is left alone.
        program: bring the cells to the weights at once; False: the arrays count as not written.

    Raises:
        ValueError: the network does not fit the chip; then nothing is changed.
        InstrumentError: the instrument failed.
    """
    if retries < 0:
        raise invalid("retries", retries, "0 or more")
    chip, first = instrument.describe(), 0
    layers = memristive_layers(net)
    new = {}
    for name, layer in layers.items():
        if layer.chips != 1:
            raise invalid("chips", layer.chips, "None, one chip, on an instrument")
        _check(name, layer.hardware, chip)
        old = layer.crossbar
        arrays = Arrays(instrument, chip, old.tiling, first, retries)
        record = Crossbar(old.tiling, layer.hardware, range(1), old.seed, arrays)
        new[name] = record.to(old.level.device)
        first += old.tiling.tiles
    for name, layer in layers.items():
        layer.move_to(new[name])
    attached = Attached(net, instrument)
    if program:
        attached.program()
    return attached


def _check(layer: str, hardware: Hardware, chip: Chip) -> None:
    """Refuse hardware that the host cannot have on an instrument, or that is not this chip."""
    cell = hardware.device
    if hardware.transposed:
        raise invalid(
            f"layer {layer!r}, Hardware.transposed",
            True,
            "False on an instrument, read from its rows",
        )
    if hardware.wires:
        allowed = "0 on an instrument, which has wires of its own"
        raise invalid(
            f"layer {layer!r}, Hardware.wire_resistance", hardware.wire_resistance, allowed
        )
    if hardware.interleaved:
        allowed = "False on an instrument, whose currents are subtracted column by column"
        raise invalid(f"layer {layer!r}, Hardware.interleaved", True, allowed)
    if hardware.serial_sum == "analog":
        allowed = "'digital' on an instrument, which measures each read"
        raise invalid(f"layer {layer!r}, Hardware.serial_sum", hardware.serial_sum, allowed)
    for name in ("placement", *OVER_TIME):
        if getattr(hardware, name) is not None:
            allowed = "None on an instrument, whose cells are what they are"
            raise invalid(f"layer {layer!r}, Hardware.{name}", getattr(hardware, name), allowed)
    for field, value, theirs in zip(
        ("low", "high"), cell.window, (chip.low, chip.high), strict=True
    ):
        if abs(value - theirs) > 1e-6 * chip.high:
            allowed = f"{theirs:g} S, that of the chip"
            raise invalid(f"layer {layer!r}, Hardware.device window, {field}", value, allowed)
    if (chip.levels - 1) % (cell.states - 1):
        allowed = f"a number that falls on the {chip.levels} levels of the chip"
        raise invalid(f"layer {layer!r}, Hardware.device levels", cell.states, allowed)
