"""The ledger: how often each thing happened, counted in integers while it happened."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mho.errors import invalid
from mho.hardware.crossbar import STUCK_OFF, STUCK_ON, WORN, Crossbar


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
    """Driven rows, summed over the tiles that share an input: one row a feature."""
    tiles: tuple[int, int]
    """Tiles along inputs and outputs."""
    columns: int
    """Outputs of the layer."""
    conversions_per_vector: int
    """ADC conversions for one input vector; 0 without ADC."""
    drives_per_vector: int
    """DAC conversions for one input vector; 0 without DAC."""
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
        """Reads of single cells on one chip: every cell takes part in every vector."""
        return self.vectors * self.cells

    @property
    def adc_conversions(self) -> int:
        """ADC conversions on one chip."""
        return self.vectors * self.conversions_per_vector

    @property
    def dac_conversions(self) -> int:
        """DAC conversions on one chip."""
        return self.vectors * self.drives_per_vector

    def totals(self) -> dict[str, int]:
        """Counts summed over the chips, as plain integers."""
        once = {"weights": self.weights, "cells": self.cells, "vectors": self.vectors}
        reads = {
            "cell_reads": self.cell_reads,
            "dac_conversions": self.dac_conversions,
            "adc_conversions": self.adc_conversions,
        }
        programming = ("writes", "set_pulses", "reset_pulses", "verify_reads")
        programming += ("row_pulses", "row_reads")
        counted = (*programming, "stuck_off", "stuck_on", "worn")
        out = {name: value * self.chips for name, value in (once | reads).items()}
        return out | {name: int(getattr(self, name).sum()) for name in counted}


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """Counts of all layers of a network."""

    layers: tuple[LayerLedger, ...]

    @property
    def chips(self) -> int:
        """Number of chips."""
        return self.layers[0].chips

    def totals(self) -> dict[str, int]:
        """Counts summed over layers and chips."""
        tables = [layer.totals() for layer in self.layers]
        return {name: sum(table[name] for table in tables) for name in tables[0]}

    def pulses_per_cell(self) -> Tensor:
        """Programming pulses of every cell in use, all layers: (chips, cells)."""
        return torch.cat([layer.pulses_per_cell for layer in self.layers], dim=1)

    def writes_per_cell(self) -> Tensor:
        """Programming events of every cell in use, all layers: (chips, cells)."""
        return torch.cat([layer.writes_per_cell for layer in self.layers], dim=1)

    def to_dict(self) -> dict[str, object]:
        """Plain integers for a result file: a row a layer, and the totals."""
        rows = [{"layer": layer.name, **layer.totals()} for layer in self.layers]
        return {"chips": self.chips, "layers": rows, "total": self.totals()}


def ledger(net: nn.Module) -> Ledger:
    """Read the counters of every crossbar in a network.

    Raises:
        ValueError: the network has no memristive layer.
    """
    layers = tuple(
        _layer(name.removesuffix("crossbar").rstrip("."), module)
        for name, module in net.named_modules()
        if isinstance(module, Crossbar)
    )
    if not layers:
        raise invalid("net", type(net).__name__, "a network with memristive layers")
    return Ledger(layers=layers)


def _layer(name: str, crossbar: Crossbar) -> LayerLedger:
    tiling, hardware = crossbar.tiling, crossbar.hardware
    used = tiling.used().to(crossbar.level.device)
    written = used if crossbar.counts.surveys == 0 else torch.ones_like(used)
    fault = crossbar.fault[:, used]
    tile_rows, _ = tiling.grid
    converters = (tile_rows if hardware.adc_per_tile else 1) * len(tiling.mapping.factors)
    return LayerLedger(
        name=name or "layer",
        weights=tiling.in_features * tiling.out_features,
        cells=int(used.sum()),
        rows=tiling.in_features,
        tiles=tiling.grid,
        columns=tiling.out_features,
        conversions_per_vector=converters * tiling.out_features if hardware.adc_bits else 0,
        drives_per_vector=tiling.in_features if hardware.dac_bits else 0,
        states=hardware.device.states,
        endurance_used=_endurance_used(crossbar),
        inputs=crossbar.counts.inputs,
        vectors=crossbar.counts.vectors,
        set_pulses=crossbar.set_pulses.clone(),
        verify_reads=crossbar.reads.clone(),
        row_pulses=crossbar.row_pulses.clone(),
        row_reads=crossbar.row_reads.clone(),
        writes_per_cell=crossbar.writes[:, written],
        pulses_per_cell=crossbar.pulses[:, written],
        most_pulses=int(crossbar.pulses.masked_fill(_made_stuck(crossbar), 0).max()),
        stuck_off=(fault == STUCK_OFF).sum(1),
        stuck_on=(fault == STUCK_ON).sum(1),
        worn=(fault == WORN).sum(1),
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
