"""The state of a wired array: its voltages, its currents, and what is lost on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from mho.config import Range
from mho.errors import invalid
from mho.results.figures import Figure

MOST = 256
"""Word lines or bit lines that a picture can hold."""
MATRICES = ("word_voltage", "bit_voltage", "word_current", "bit_current", "cell_current")
_AT_REST = 1e-6  # of the largest input: less is a driver at 0 V
_WEAK = 0.1  # of the largest input or ideal output: less has no percentage worth pointing at


@dataclass(frozen=True, eq=False)
class Circuit(Figure):
    """Of each cell (i, j) the voltages of its two nodes and the currents into and out of them.

    Word line i is driven from the left by `input[i]`; `word_current[i, j]` flows to the right
    through the segment left of the cell. Bit line j ends in a virtual ground at the bottom, which
    sees `output[j]`; `bit_current[i, j]` flows down through the segment below the cell. Lists and
    tensors become arrays.
    """

    rows: int
    """Word lines [1]."""
    word_voltage: np.ndarray  # (rows, cols) [V]
    bit_voltage: np.ndarray  # (rows, cols) [V]
    word_current: np.ndarray  # (rows, cols) [A]
    bit_current: np.ndarray  # (rows, cols) [A]
    cell_current: np.ndarray  # (rows, cols) [A]
    input: np.ndarray  # (rows,) [V]
    output: np.ndarray  # (cols,) [A]
    ideal: np.ndarray  # (cols,) [A], the output without wires
    wire_resistance: Annotated[float, Range(least=0.0)]  # [ohm] of a segment
    pooled: Literal["first"] = "first"
    """Over several seeds the figure is that of the first."""

    def __post_init__(self) -> None:
        for name in (*MATRICES, "input", "output", "ideal"):
            given = getattr(self, name)
            plain = given.tolist() if hasattr(given, "tolist") else given
            object.__setattr__(self, name, np.array(plain, dtype=float))
        super().__post_init__()
        if not 1 <= self.rows <= MOST:
            raise invalid("rows", self.rows, f"1 to {MOST} word lines")
        cols = self.word_voltage.shape[-1] if self.word_voltage.ndim == 2 else 0
        if not 1 <= cols <= MOST:
            raise invalid("word_voltage", f"{cols} columns", f"1 to {MOST} bit lines")
        shapes = dict.fromkeys(MATRICES, (self.rows, cols)) | {"input": (self.rows,)}
        for name, shape in (shapes | {"output": (cols,), "ideal": (cols,)}).items():
            if (found := getattr(self, name).shape) != shape:
                allowed = f"shape {shape}, as rows and word_voltage say"
                raise invalid(name, f"shape {found}", allowed)
            if not np.isfinite(getattr(self, name)).all():
                raise invalid(name, "nan or inf", "finite numbers: a circuit has no gaps")

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


def _above(values: np.ndarray, share: float) -> np.ndarray:
    """The values, NaN for those of no more than `share` of the largest."""
    size = np.abs(values)
    return np.where(size > share * size.max(), values, np.nan)
