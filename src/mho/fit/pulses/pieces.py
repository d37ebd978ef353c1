"""Long chains of reads in pieces that are filtered side by side, each after a warm-up.

A filter forgets where it started: what it says of a read depends on the reads just before it. A
piece starts some reads early, and what it says of those is not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mho.fit.pulses.trains import Trains

LONGEST = 400
"""Reads of a chain from which on it is cut."""
COUNTED = 100
"""Reads of a piece that are counted."""


@dataclass(frozen=True)
class Pieces:
    """Chains in pieces."""

    trains: Trains
    counted: np.ndarray
    """(pieces, reads) whether a read is counted in this piece; each is in just one."""
    chain: np.ndarray
    """(pieces, reads) chain of a read."""
    position: np.ndarray
    """(pieces, reads) its position there."""

    def joined(self, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Values (pieces, reads) as (chains, reads)."""
        out = np.full(shape, np.nan)
        out[self.chain[self.counted], self.position[self.counted]] = values[self.counted]
        return out


def pieces(chains: Trains, warm_up: int) -> Pieces:
    """Chains as they are if they are short, else cut; nothing of a read is counted twice."""
    count, length = chains.g.shape
    chain, position = np.indices((count, length))
    if length <= max(LONGEST, warm_up + COUNTED):
        return Pieces(chains, np.ones((count, length), dtype=bool), chain, position)
    begins = np.arange(0, length, COUNTED)
    size = COUNTED + warm_up
    at = np.maximum(begins - warm_up, 0)[:, None] + np.arange(size)
    counted = (at >= begins[:, None]) & (at < np.minimum(begins + COUNTED, length)[:, None])
    at = np.minimum(at, length - 1)
    whole = np.tile(np.arange(count)[:, None, None], (1, *at.shape)).reshape(-1, size)
    at, counted = (np.tile(part, (count, 1)) for part in (at, counted))
    there = (chains.row[whole, at] >= 0) & counted
    kept = there.any(axis=1)
    whole, at, counted = whole[kept], at[kept], counted[kept]
    g, pulses, up, row = (
        part[whole, at] for part in (chains.g, chains.pulses, chains.up, chains.row)
    )
    cut = Trains(g, pulses, up, row, chains.device[whole[:, 0]])
    return Pieces(cut, counted, whole, at)
