"""What kernels of a write step work on, as records of flat views.

Arrays of weights are `(out * in,)`, those of cells `(chips * cells,)`, chip after chip.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Cells(NamedTuple):
    """The buffers of a crossbar that an event changes."""

    fault: np.ndarray
    """(chips * cells,) int8, 0 is healthy."""
    conductance: np.ndarray
    """(chips * cells,) float32 [S]."""
    level: np.ndarray
    """(cells,) int32, the same on all chips."""
    writes: np.ndarray
    """(chips * cells,) int32."""
    pulses: np.ndarray
    """(chips * cells,) int32."""
    set_pulses: np.ndarray
    """(chips,) int64, as are all that follow."""
    row_pulses: np.ndarray
    reads: np.ndarray
    row_reads: np.ndarray
    width: int
    """Cells in a row."""


class Layout(NamedTuple):
    """How weights sit on cells; see `mho.hardware.Mapping`."""

    table: np.ndarray
    """(weights, terms) int32: flat positions of the cells that enter a weight, its own first."""
    cell_levels: np.ndarray
    """(levels, own cells) int32: levels of a weight's own cells at each of its levels."""
    values: np.ndarray
    """(levels,) float32: what the levels stand for, in shares of the full scale."""
    own: np.ndarray
    """Coefficients of the own cells of a group, float32."""
    shared: np.ndarray
    """Coefficients of the reference cells of a group, float32."""
    constant: float
    """What is added to each group [S]; 0: nothing."""
    factors: np.ndarray
    """(digits,) float32."""
    copies: int
    """Groups that each digit is the mean of."""


class Weights(NamedTuple):
    """What a layer's weights are, besides the shadow."""

    target: np.ndarray
    """(weights,) float32."""
    effective: np.ndarray
    """(chips * weights,) float32."""
    digits: np.ndarray
    """(chips * digits * weights,) float32, or empty."""
    seen: np.ndarray
    """(chips * cells,) float32 [S]: what is seen of the cells."""


class Plan(NamedTuple):
    """Memory for a plan, which kernels fill from the start."""

    weights: np.ndarray
    """Flat positions of the weights to write, int64."""
    to: np.ndarray
    """Level that each of them gets, int64."""
    cells: np.ndarray
    """Flat positions of the cells to program, int64."""
    levels: np.ndarray
    """Their new levels, int32."""
