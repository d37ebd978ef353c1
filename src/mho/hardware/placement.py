"""Placement: which devices of a chip serve which weights."""

from __future__ import annotations

from typing import Annotated

from mho.config import Config, Range


class Placement(Config):
    """Fit the weights to the cells of each chip, from a survey before the first write.

    Every cell, those of padding included, is written to its highest level and read, then written to
    its lowest and read; this is counted like any other write and read. Then columns and rows of
    each tile are handed out so that the squared errors to be expected add up to the least. The same
    moves hold for all tiles that share an input, or an output: the DACs in front of a row and the
    tiles that add their currents behind a column see no difference. What a move needs is digital
    and is not counted: a look-up of rows and of columns, and a sign for each output.

    Levels stay where they are, shared by all chips; it is the devices that each chip orders anew.
    """

    polarity: bool = True
    """Store a column negated, and negate its output, where this fits better; mappings that cannot
    (all but the differential one and copies of it) do not."""
    columns: bool = True
    """Exchange the outputs of a tile; reference cells stay where they are."""
    rows: bool = True
    """Exchange the inputs of a tile, whole rows with their reference cells."""
    rounds: Annotated[int, Range(least=1, most=20)] = 2
    """Passes over columns and then rows, each given the other [1]; ends early where none moves."""
