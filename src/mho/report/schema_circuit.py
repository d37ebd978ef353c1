"""The state of a wired array as a checked, frozen record: its voltages, its currents."""

from dataclasses import dataclass

import numpy as np

from mho.errors import invalid
from mho.report.node import Node
from mho.report.schema_figures import Figure, read_figure

MOST = 256
"""Word lines or bit lines that a picture can hold."""
_AT_REST = 1e-6  # of the largest input: less is a driver at 0 V
_WEAK = 0.1  # of the largest input or ideal output: less has no percentage worth pointing at


@dataclass(frozen=True, kw_only=True, eq=False)
class Circuit(Figure):
    """Of each cell (i, j) the voltages of its two nodes and the currents into and out of them.

    Word line i is driven from the left by `input[i]`; `word_current[i, j]` flows to the right
    through the segment left of the cell. Bit line j ends in a virtual ground at the bottom, which
    sees `output[j]`; `bit_current[i, j]` flows down through the segment below the cell.
    """

    word_voltage: np.ndarray  # (rows, cols) [V]
    bit_voltage: np.ndarray  # (rows, cols) [V]
    word_current: np.ndarray  # (rows, cols) [A]
    bit_current: np.ndarray  # (rows, cols) [A]
    cell_current: np.ndarray  # (rows, cols) [A]
    input: np.ndarray  # (rows,) [V]
    output: np.ndarray  # (cols,) [A]
    ideal: np.ndarray  # (cols,) [A], the output without wires
    wire_resistance: float  # [ohm] of a segment

    @property
    def share(self) -> np.ndarray:
        """What is left across each cell of what its driver applies; NaN where that is nothing."""
        applied = _above(self.input, _AT_REST)
        return (self.word_voltage - self.bit_voltage) / applied[:, None]

    @property
    def driven_share(self) -> np.ndarray:
        """The share left, NaN also for word lines that are driven weakly."""
        return np.where(np.isnan(_above(self.input, _WEAK))[:, None], np.nan, self.share)

    @property
    def least(self) -> tuple[int, int] | None:
        """The cell with the least share left, of the word lines that are not driven weakly."""
        if np.isnan(self.driven_share).all():
            return None
        i, j = np.unravel_index(np.nanargmin(self.driven_share), self.driven_share.shape)
        return int(i), int(j)

    @property
    def loss(self) -> np.ndarray:
        """What each column misses of its ideal output; NaN where that is little."""
        return 1 - self.output / _above(self.ideal, _WEAK)

    @property
    def worst(self) -> int | None:
        """The column with the largest loss."""
        return None if np.isnan(self.loss).all() else int(np.nanargmax(self.loss))

    @property
    def peak(self) -> float:
        """The largest current of a wire [A]."""
        return float(max(np.abs(self.word_current).max(), np.abs(self.bit_current).max()))


def read_circuit(node: Node) -> Circuit:
    node.get("pooled", "first").choice("first")
    rows = node.get("rows").integer()
    if not 1 <= rows <= MOST:
        raise node.get("rows").error(f"1 to {MOST} word lines")
    first = node.get("word_voltage")
    cols = len(list(next(first.items(), first).items()))
    if not 1 <= cols <= MOST:
        raise invalid(first.place, f"{cols} columns", f"1 to {MOST} bit lines")
    ohms = node.get("wire_resistance")
    if ohms.number() < 0:
        raise ohms.error("at least 0")

    def matrix(name: str) -> np.ndarray:
        return _matrix(node.get(name), rows, cols)

    return Circuit(
        **read_figure(node),
        word_voltage=matrix("word_voltage"),
        bit_voltage=matrix("bit_voltage"),
        word_current=matrix("word_current"),
        bit_current=matrix("bit_current"),
        cell_current=matrix("cell_current"),
        input=_vector(node.get("input"), rows, "as many as rows"),
        output=_vector(node.get("output"), cols, "as many as columns"),
        ideal=_vector(node.get("ideal"), cols, "as many as columns"),
        wire_resistance=float(ohms.number()),
    )


def _matrix(node: Node, rows: int, cols: int) -> np.ndarray:
    found = list(node.items())
    if len(found) != rows:
        raise invalid(node.place, f"{len(found)} rows", f"{rows} rows, as rows says")
    return np.stack([_vector(row, cols, "as many as the first row has") for row in found])


def _vector(node: Node, n: int, why: str) -> np.ndarray:
    """Finite numbers: a circuit has no gaps."""
    found = list(node.items())
    if len(found) != n:
        raise invalid(node.place, f"{len(found)} values", f"{n} values, {why}")
    return np.array([each.number() for each in found], dtype=float)


def _above(values: np.ndarray, share: float) -> np.ndarray:
    """The values, NaN for those of no more than `share` of the largest."""
    size = np.abs(values)
    return np.where(size > share * size.max(), values, np.nan)
