"""The ledger: how often each thing happened, counted in integers while it happened."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from mho.arguments import checked
from mho.errors import invalid
from mho.hardware.adc import IdealADC
from mho.hardware.crossbar import STUCK_OFF, STUCK_ON, WORN, Crossbar
from mho.hardware.share import WHOLE, Share

OF_THE_NETWORK = ("weights", "weight_updates")
"""Counts in `totals` of what there is once, however many chips are simulated. All others are summed
over the chips."""

_OF_EACH_CHIP = (
    *("cells", "vectors", "cell_reads", "dac_conversions", "adc_conversions"),
    *("backward_vectors", "backward_cell_reads"),
    *("backward_dac_conversions", "backward_adc_conversions"),
    *("digital_sums", "input_sums", "gradient_products"),
)
"""Counts that are the same on all chips."""

_BY_CHIP = (
    *("writes", "set_pulses", "reset_pulses", "verify_reads", "row_pulses", "row_reads"),
    *("stuck_off", "stuck_on", "worn", "given_up"),
)
"""Counts that each chip has of its own."""


_PRINTED = ("weights", "cells", "writes", "vectors", "adc_conversions")


@dataclass(frozen=True, kw_only=True)
class LayerLedger:
    """Counts of one layer.

    Tensors of shape (chips,) hold one count a chip; per-cell tensors are (chips, cells), over the
    cells in use, and over the cells of padding too where these were surveyed.
    """

    name: str
    weights: int
    """Weights held."""
    cells: int
    """Cells in use on one chip, references included."""
    rows: int
    """Driven rows, summed over the tiles that share an input: one row a feature, of each group."""
    tiles: tuple[int, int]
    """Tiles along inputs and outputs; each group of a grouped convolution has its own."""
    columns: int
    """Outputs of the layer."""
    conversions_per_vector: int
    """ADC conversions for one input vector; 0 without ADC."""
    drives_per_vector: int
    """DAC conversions for one input vector; 0 without DAC."""
    back_conversions_per_vector: int = 0
    """ADC conversions for one vector of errors read back through the arrays; 0 without ADC."""
    back_drives_per_vector: int = 0
    """DAC conversions for one vector of errors; 0 without DAC."""
    adds_conversions: tuple[bool, bool] = (False, False)
    """Whether several conversions make one number, in forward and in backward passes."""
    dac_bits: int | None = None
    """Resolution of the inputs [1]; None: exact, or of a ledger that does not say it."""
    adc_bits: int | None = None
    """Resolution of the outputs [1]; None likewise."""
    signed_inputs: bool = True
    """Whether one of the bits of the inputs is their sign."""
    serial: bool = False
    """Whether forward inputs are applied bit after bit, a vector a bit."""
    array: tuple[int, int] | None = None
    """Rows and cell columns of one array as it is built; None: not known."""
    converted_columns: int | None = None
    """Columns of one array that an ADC converts for a vector; None: not known."""
    adc: str | None = None
    """Architecture of its ADCs, a family of `Hardware.adc`; None: not said."""
    adc_share: int | None = None
    """Columns of an array that one ADC converts one after another [1]; None: not said."""
    adc_per_tile: bool = True
    """Whether each array has ADCs; else those in a line along the inputs share theirs."""
    sums_inputs: bool = False
    """Whether a digital constant times the sum of a vector's inputs is added to each output, as
    mapping "single" asks for."""
    mean_conductance: Tensor | None = None
    """Mean conductance of the cells in use [S] (chips,), float64; None: not known."""
    states: int
    """Levels of a cell."""
    endurance_used: float
    """Largest share of its own endurance that a cell in use has spent, of the chips as they were
    drawn and of cells that were not made stuck [1]; 0 if cells live for ever. On an instrument,
    where no cell's own is known, of the nominal endurance."""
    inputs: int
    """Items of a batch that each chip saw."""
    vectors: int
    """Input vectors applied to each chip: several an input in a convolution, and each of them as
    often as the DAC has bits if these are applied one after another."""
    backward_vectors: int = 0
    """Vectors of errors applied to the columns of each chip, to read the gradient to the inputs
    through the arrays (`Hardware.transposed`); each is read once, by all cells."""
    gradient_vectors: int = 0
    """Input vectors, on each chip, whose product with an error was added to the gradient of the
    weights: digital."""
    updates: int = 0
    """Write steps that found all weights moved by the optimizer: digital, once for all chips."""
    set_pulses: Tensor
    """SET pulses (chips,)."""
    verify_reads: Tensor
    """Reads of single cells (chips,): to verify, to survey, to read back."""
    row_pulses: Tensor
    """Most pulses on any cell of a row, summed over rows and programming events (chips,)."""
    row_reads: Tensor
    """The same of verify reads (chips,)."""
    writes_per_cell: Tensor
    """Programming events of each cell (chips, cells)."""
    pulses_per_cell: Tensor
    """Programming pulses of each cell (chips, cells)."""
    most_pulses: int
    """Most pulses on a cell that can die of them: one that was not made stuck."""
    stuck_off: Tensor
    """Cells stuck at the lowest conductance (chips,)."""
    stuck_on: Tensor
    """Cells stuck at the highest conductance (chips,)."""
    worn: Tensor
    """Cells that spent their endurance (chips,)."""
    reads_per_conversion: int = 1
    """Reads, of a bit of the inputs each, that are added before one conversion [1]: as many as
    bits with `Hardware.serial_sum` "analog"; `vectors` counts each."""
    given_up: Tensor = field(default_factory=lambda: torch.zeros(1, dtype=torch.int64))
    """Cells that the controller gave up and leaves alone (chips,); see `mho.hardware.fault_map`."""

    @property
    def chips(self) -> int:
        """Number of chips."""
        return self.set_pulses.shape[0]

    @property
    def writes(self) -> Tensor:
        """Programming events (chips,)."""
        return self.writes_per_cell.sum(1)

    @property
    def reset_pulses(self) -> Tensor:
        """RESET pulses (chips,)."""
        return self.pulses_per_cell.sum(1) - self.set_pulses

    @property
    def cell_reads(self) -> int:
        """Reads of single cells on one chip in forward passes: every cell takes part in every
        vector."""
        return self.vectors * self.cells

    @property
    def adc_conversions(self) -> int:
        """ADC conversions on one chip in forward passes."""
        return self.vectors // self.reads_per_conversion * self.conversions_per_vector

    @property
    def dac_conversions(self) -> int:
        """DAC conversions on one chip in forward passes."""
        return self.vectors * self.drives_per_vector

    @property
    def backward_cell_reads(self) -> int:
        """Reads of single cells on one chip in backward passes."""
        return self.backward_vectors * self.cells

    @property
    def backward_adc_conversions(self) -> int:
        """ADC conversions on one chip in backward passes."""
        return self.backward_vectors * self.back_conversions_per_vector

    @property
    def backward_dac_conversions(self) -> int:
        """DAC conversions on one chip in backward passes."""
        return self.backward_vectors * self.back_drives_per_vector

    @property
    def digital_sums(self) -> int:
        """Digital additions of conversions on one chip, from both sides: each of the conversions
        that make one number (of tiles, digits of the weights, bits of the inputs) is added."""
        forward = self.adc_conversions if self.adds_conversions[0] else 0
        backward = self.backward_adc_conversions if self.adds_conversions[1] else 0
        return forward + backward

    @property
    def input_sums(self) -> int:
        """Digital additions on one chip for the sums of the inputs of forward vectors, and to add
        these to the outputs; 0 unless the mapping asks for them."""
        return self.vectors * (self.rows + self.columns) if self.sums_inputs else 0

    @property
    def drive_bits(self) -> int | None:
        """Bits of one drive of a row in a forward pass: 1 where they come one after another."""
        return 1 if self.serial else self.dac_bits

    @property
    def conductance(self) -> float | None:
        """Mean conductance of the cells of all chips [S]; None: not known."""
        return None if self.mean_conductance is None else self.mean_conductance.mean().item()

    @property
    def arrays(self) -> int:
        """Arrays of one chip."""
        return self.tiles[0] * self.tiles[1]

    @property
    def gradient_products(self) -> int:
        """Digital multiplications and additions on one chip for the gradient of the weights."""
        return self.gradient_vectors * self.weights

    @property
    def weight_updates(self) -> int:
        """Weights that the optimizer moved, each as often as it did; there is one shadow weight
        for all chips."""
        return self.updates * self.weights

    def totals(self) -> dict[str, int]:
        """Counts as plain integers, summed over the chips, but for those in OF_THE_NETWORK."""
        out = {name: getattr(self, name) for name in OF_THE_NETWORK}
        out |= {name: getattr(self, name) * self.chips for name in _OF_EACH_CHIP}
        return out | {name: int(getattr(self, name).sum()) for name in _BY_CHIP}


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """Counts of all layers of a network."""

    layers: tuple[LayerLedger, ...]
    share: Share = WHOLE
    """How much of the network that is: the rest is digital and not counted."""

    @property
    def chips(self) -> int:
        """Number of chips."""
        return self.layers[0].chips

    def totals(self) -> dict[str, int]:
        """Counts summed over layers and chips; those in OF_THE_NETWORK over layers alone."""
        tables = [layer.totals() for layer in self.layers]
        return {name: sum(table[name] for table in tables) for name in tables[0]}

    def pulses_per_cell(self) -> Tensor:
        """Programming pulses of every cell in use, all layers: (chips, cells)."""
        return torch.cat([layer.pulses_per_cell for layer in self.layers], dim=1)

    def writes_per_cell(self) -> Tensor:
        """Programming events of every cell in use, all layers: (chips, cells)."""
        return torch.cat([layer.writes_per_cell for layer in self.layers], dim=1)

    def to_dict(self) -> dict[str, object]:
        """Plain integers for a result file: a row a layer, and the totals; and the names of the
        counts that are not summed over chips."""
        rows = [{"layer": layer.name, **layer.totals()} for layer in self.layers]
        once = list(OF_THE_NETWORK)
        counts: dict[str, object] = {
            "chips": self.chips,
            "once": once,
            "layers": rows,
            "total": self.totals(),
        }
        return counts if self.share.whole else counts | {"share": str(self.share)}

    def __str__(self) -> str:
        """A line a layer with the main counts, and what of the network they are of."""
        totals = {layer.name: layer.totals() for layer in self.layers} | {"total": self.totals()}
        wide = max(map(len, totals))
        lines = [
            f"{name:{wide}}  " + ", ".join(f"{table[k]:,} {k.replace('_', ' ')}" for k in _PRINTED)
            for name, table in totals.items()
        ]
        return "\n".join([*lines, *self.share.of_what("events", "counted")])


def counted(net: nn.Module) -> Ledger:
    """The counters of every crossbar in a network, as if it had no other layers.

    Raises:
        ValueError: the network has no memristive layer.
    """
    return Ledger(layers=tuple(_layer(*each) for each in _crossbars(net).items()))


@checked
def fault_map(net: nn.Module) -> dict[str, Int64[Tensor, "n 4"]]:
    """Cells that the controller gave up, by layer: (chip, tile, row, column) of each.

    They are what it knows of faults: cells that so many attempts in a row did not bring to their
    target (`Verify.give_up_after`), or that an instrument refused (`mho.attach`). Stuck cells that
    were never asked for another level are not among them. Tiles are counted along the inputs,
    those beside each other along the outputs first.

    Raises:
        ValueError: the network has no memristive layer.
    """
    return {
        name: torch.cat(crossbar.of_chips(lambda part: part.given_up)).nonzero()
        for name, crossbar in _crossbars(net).items()
    }


def _crossbars(net: nn.Module) -> dict[str, Crossbar]:
    """All crossbars of a network, by the name of their layer."""
    found = {
        name.removesuffix("crossbar").rstrip(".") or "layer": module
        for name, module in net.named_modules()
        if isinstance(module, Crossbar)
    }
    if not found:
        raise invalid("net", net, "a network with memristive layers")
    return found


class _Cells(NamedTuple):
    """What became of the cells of some chips; as in `LayerLedger`."""

    set_pulses: Tensor
    verify_reads: Tensor
    row_pulses: Tensor
    row_reads: Tensor
    writes_per_cell: Tensor
    pulses_per_cell: Tensor
    stuck_off: Tensor
    stuck_on: Tensor
    worn: Tensor
    given_up: Tensor
    mean_conductance: Tensor
    most_pulses: int
    endurance_used: float


def _cells(crossbar: Crossbar) -> _Cells:
    used = crossbar.tiling.used().to(crossbar.level.device)
    written = used if crossbar.counts.surveys == 0 else torch.ones_like(used)
    fault = crossbar.fault[:, used]
    return _Cells(
        set_pulses=crossbar.set_pulses.clone(),
        verify_reads=crossbar.reads.clone(),
        row_pulses=crossbar.row_pulses.clone(),
        row_reads=crossbar.row_reads.clone(),
        writes_per_cell=crossbar.writes[:, written],
        pulses_per_cell=crossbar.pulses[:, written],
        stuck_off=(fault == STUCK_OFF).sum(1),
        stuck_on=(fault == STUCK_ON).sum(1),
        worn=(fault == WORN).sum(1),
        given_up=crossbar.given_up[:, used].sum(1),
        mean_conductance=crossbar.conductance[:, used].mean(1, dtype=torch.float64).cpu(),
        most_pulses=int(crossbar.pulses.masked_fill(_made_stuck(crossbar), 0).max()),
        endurance_used=_endurance_used(crossbar),
    )


def _layer(name: str, crossbar: Crossbar) -> LayerLedger:
    tiling, hardware = crossbar.tiling, crossbar.hardware
    parts = crossbar.of_chips(_cells)
    whole = {
        field: max(each) if isinstance(each[0], int | float) else torch.cat(each)
        for field, *each in zip(_Cells._fields, *parts, strict=True)
    }
    apart, inputs = len(tiling.mapping.factors), tiling.inputs
    analog = hardware.serial_sum == "analog"
    tiles = tiling.grid[0], tiling.along
    forward, backward = (apart * (n if hardware.adc_per_tile else 1) for n in tiles)
    return LayerLedger(
        name=name,
        weights=tiling.in_features * tiling.out_features,
        cells=int(tiling.used().sum()),
        rows=inputs,
        tiles=tiling.grid,
        columns=tiling.out_features,
        conversions_per_vector=forward * tiling.out_features if hardware.adc_bits else 0,
        drives_per_vector=inputs * tiling.mapping.lines if hardware.dac_bits else 0,
        back_conversions_per_vector=backward * inputs if hardware.adc_bits else 0,
        back_drives_per_vector=apart * tiling.out_features if hardware.dac_bits else 0,
        adds_conversions=(
            forward > 1 or (hardware.serial_inputs and not analog),
            backward > 1,
        ),
        reads_per_conversion=(hardware.dac_bits or 1) if analog else 1,
        dac_bits=hardware.dac_bits,
        adc_bits=hardware.adc_bits,
        signed_inputs=hardware.signed_inputs,
        serial=hardware.serial_inputs,
        array=tiling.tile,
        converted_columns=apart * tiling.cols,
        adc=None if hardware.adc.family == IdealADC.family else hardware.adc.family,
        adc_share=hardware.adc.share,
        adc_per_tile=hardware.adc_per_tile,
        sums_inputs=tiling.mapping.constant != 0,
        states=hardware.device.states,
        inputs=crossbar.counts.inputs,
        vectors=crossbar.counts.vectors,
        backward_vectors=crossbar.counts.backward_vectors,
        gradient_vectors=crossbar.counts.gradient_vectors,
        updates=crossbar.counts.updates,
        **whole,  # type: ignore[arg-type]
    )


def _endurance_used(crossbar: Crossbar) -> float:
    """Largest share of its endurance that a cell has spent [1]."""
    endurance = crossbar.endurance()
    if isinstance(endurance, float) and math.isinf(endurance):
        return 0.0
    spent = (crossbar.pulses.double() / endurance).masked_fill_(_made_stuck(crossbar), 0.0)
    return spent[:, crossbar.tiling.used().to(spent.device)].max().item()


def _made_stuck(crossbar: Crossbar) -> Tensor:
    """Cells (chips, tiles, rows, width) that were stuck from the beginning."""
    return (crossbar.fault == STUCK_OFF) | (crossbar.fault == STUCK_ON)
