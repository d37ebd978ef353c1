"""From a weight to the cells that hold it, and from their conductances back to the weight.

A weight takes one of n values, evenly spaced in [-1, 1] of its full scale: index k = 0 .. n - 1
stands for (2 k - (n - 1)) / (n - 1). A tile of `cols` weights a row has `width(cols)` cells a row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mho.errors import invalid, unknown


class Mapping(ABC):
    """How weights sit on cells; stateless, leaves are final."""

    cells_per_weight: int
    """Cells that a weight has to itself."""
    reach: float
    """Signed conductance at full scale, in units of the window."""
    read_variance: float
    """Variance of a weight's signed conductance per variance of one cell."""
    flip: tuple[int, ...] | None = None
    """Order of a weight's own cells that negates the weight; None: there is none."""
    factors: tuple[float, ...] = (1.0,)
    """Digital factors of the parts of a weight whose columns are converted apart: `fold` is the sum
    of the `parts`, each times its factor."""

    @abstractmethod
    def width(self, cols: int) -> int:
        """Cells in a row that holds `cols` weights."""

    @abstractmethod
    def capacity(self, cells: int) -> int:
        """Weights that fit in a row of `cells` cells; may be 0 or less."""

    @abstractmethod
    def weight_levels(self, states: int) -> int:
        """Largest number of weight levels that cells with `states` levels can hold."""

    @abstractmethod
    def levels(
        self, index: Int[Tensor, "*lead rows cols"], weight_levels: int, states: int
    ) -> Int[Tensor, "*lead rows width"]:
        """Cell levels (..., rows, width) of weight indices (..., rows, cols); both integer."""

    @abstractmethod
    def own(
        self, index: Int[Tensor, "*n"], weight_levels: int, states: int
    ) -> Int[Tensor, "*n {self.cells_per_weight}"]:
        """Levels of a weight's own cells (..., cells_per_weight) of weight indices (...)."""

    @abstractmethod
    def columns(self, col: Int[Tensor, "*n"], cols: int) -> Int[Tensor, "*n terms"]:
        """Cell columns (..., terms) that enter weight column `col` (...), its own cells first."""

    @abstractmethod
    def combine(
        self, g: Float[Tensor, "*n terms"], window: tuple[float, float]
    ) -> Float[Tensor, "*n"]:
        """Signed conductance (...) [S] of the cells (..., terms) named by `columns`."""

    @abstractmethod
    def fold(
        self,
        g: Float[Tensor, "*lead rows {self.width(cols)}"],
        cols: int,
        window: tuple[float, float],
    ) -> Float[Tensor, "*lead rows {cols}"]:
        """Signed conductances (..., rows, cols) [S] of cells (..., rows, width) [S]."""

    def parts(
        self,
        g: Float[Tensor, "*lead rows {self.width(cols)}"],
        cols: int,
        window: tuple[float, float],
    ) -> list[Float[Tensor, "*lead rows {cols}"]]:
        """Signed conductances [S] of each part that is converted apart, as `fold` gives the sum."""
        return [self.fold(g, cols, window)]

    def combine_parts(
        self, g: Float[Tensor, "*n terms"], window: tuple[float, float]
    ) -> list[Float[Tensor, "*n"]]:
        """Signed conductances [S] of each part, as `combine` gives the sum."""
        return [self.combine(g, window)]

    def line(self, window: tuple[float, float]) -> tuple[float, ...] | None:
        """What `combine` multiplies each cell by, the last one first, then what it adds [S]; None
        if it is not a sum in that order."""
        return None

    @property
    def part_variance(self) -> float:
        """Variance of a part's signed conductance per variance of one cell."""
        return self.read_variance / sum(f * f for f in self.factors)

    def check_levels(self, weight_levels: int, states: int) -> None:
        """Refuse a number of weight levels that does not fall on cell levels."""
        most = self.weight_levels(states)
        if weight_levels < 2 or (most - 1) % (weight_levels - 1) != 0:
            fitting = [n for n in range(2, most + 1) if (most - 1) % (n - 1) == 0]
            allowed = ", ".join(map(str, fitting))
            raise invalid("Hardware.weight_levels", weight_levels, f"one of {allowed}")


class Differential(Mapping):
    """w ~ G+ - G-, two neighbouring columns; the idle cell of a pair rests at level 0."""

    cells_per_weight = 2
    reach = 1.0
    read_variance = 2.0
    flip = (1, 0)

    def width(self, cols: int) -> int:
        """Two cells a weight."""
        return 2 * cols

    def capacity(self, cells: int) -> int:
        """Half the cells."""
        return cells // 2

    def weight_levels(self, states: int) -> int:
        """2 L - 1: both signs of L - 1 levels, and zero."""
        return 2 * states - 1

    def levels(
        self, index: Int[Tensor, "*lead rows cols"], weight_levels: int, states: int
    ) -> Int[Tensor, "*lead rows width"]:
        """G+ and G- interleaved along the row."""
        return self.own(index, weight_levels, states).flatten(-2)

    def own(
        self, index: Int[Tensor, "*n"], weight_levels: int, states: int
    ) -> Int[Tensor, "*n {self.cells_per_weight}"]:
        """(max(v, 0), max(-v, 0)) with v = 2 k - (n - 1), in cell levels."""
        v = (2 * index - (weight_levels - 1)) * (states - 1) // (weight_levels - 1)
        return torch.stack((v, -v), dim=-1).clamp_(min=0)

    def columns(self, col: Int[Tensor, "*n"], cols: int) -> Int[Tensor, "*n terms"]:
        """The pair's two columns."""
        return torch.stack((2 * col, 2 * col + 1), dim=-1)

    def combine(
        self, g: Float[Tensor, "*n terms"], window: tuple[float, float]
    ) -> Float[Tensor, "*n"]:
        """G+ - G-."""
        return g[..., 0] - g[..., 1]

    def line(self, window: tuple[float, float]) -> tuple[float, ...]:
        """G+ - G-."""
        return -1.0, 1.0, 0.0

    def fold(
        self,
        g: Float[Tensor, "*lead rows {self.width(cols)}"],
        cols: int,
        window: tuple[float, float],
    ) -> Float[Tensor, "*lead rows {cols}"]:
        """G+ - G-."""
        return g[..., 0::2] - g[..., 1::2]


class Offset(Mapping):
    """w ~ G - G_ref: one cell a weight, and two reference columns a tile at mid window.

    The two references stand at the levels next to the middle (the same one if the number of levels
    is odd) and are averaged.
    """

    cells_per_weight = 1
    reach = 0.5
    read_variance = 1.5

    def width(self, cols: int) -> int:
        """One cell a weight and the references."""
        return cols + 2

    def capacity(self, cells: int) -> int:
        """All but the references."""
        return cells - 2

    def weight_levels(self, states: int) -> int:
        """One weight level a cell level."""
        return states

    def levels(
        self, index: Int[Tensor, "*lead rows cols"], weight_levels: int, states: int
    ) -> Int[Tensor, "*lead rows width"]:
        """The cells, then the two references."""
        low, high = (states - 1) // 2, states // 2
        reference = index.new_tensor([low, high]).expand(*index.shape[:-1], 2)
        return torch.cat((index * (states - 1) // (weight_levels - 1), reference), dim=-1)

    def own(
        self, index: Int[Tensor, "*n"], weight_levels: int, states: int
    ) -> Int[Tensor, "*n {self.cells_per_weight}"]:
        """The weight index, in cell levels."""
        return (index * (states - 1) // (weight_levels - 1)).unsqueeze(-1)

    def columns(self, col: Int[Tensor, "*n"], cols: int) -> Int[Tensor, "*n terms"]:
        """The cell and the two references."""
        return torch.stack((col, torch.full_like(col, cols), torch.full_like(col, cols + 1)), -1)

    def combine(
        self, g: Float[Tensor, "*n terms"], window: tuple[float, float]
    ) -> Float[Tensor, "*n"]:
        """G - (G_ref1 + G_ref2) / 2."""
        return g[..., 0] - 0.5 * (g[..., 1] + g[..., 2])

    def line(self, window: tuple[float, float]) -> tuple[float, ...]:
        """G - (G_ref1 + G_ref2) / 2."""
        return -0.5, -0.5, 1.0, 0.0

    def fold(
        self,
        g: Float[Tensor, "*lead rows {self.width(cols)}"],
        cols: int,
        window: tuple[float, float],
    ) -> Float[Tensor, "*lead rows {cols}"]:
        """G - (G_ref1 + G_ref2) / 2."""
        return g[..., :cols] - g[..., cols:].mean(-1, keepdim=True)


class Single(Mapping):
    """w ~ G - G_mid: one cell a weight, the middle of the window subtracted digitally."""

    cells_per_weight = 1
    reach = 0.5
    read_variance = 1.0

    def width(self, cols: int) -> int:
        """One cell a weight."""
        return cols

    def capacity(self, cells: int) -> int:
        """All cells."""
        return cells

    def weight_levels(self, states: int) -> int:
        """One weight level a cell level."""
        return states

    def levels(
        self, index: Int[Tensor, "*lead rows cols"], weight_levels: int, states: int
    ) -> Int[Tensor, "*lead rows width"]:
        """The weight index, in cell levels."""
        return index * (states - 1) // (weight_levels - 1)

    def own(
        self, index: Int[Tensor, "*n"], weight_levels: int, states: int
    ) -> Int[Tensor, "*n {self.cells_per_weight}"]:
        """The weight index, in cell levels."""
        return (index * (states - 1) // (weight_levels - 1)).unsqueeze(-1)

    def columns(self, col: Int[Tensor, "*n"], cols: int) -> Int[Tensor, "*n terms"]:
        """The cell's column."""
        return col.unsqueeze(-1)

    def combine(
        self, g: Float[Tensor, "*n terms"], window: tuple[float, float]
    ) -> Float[Tensor, "*n"]:
        """G - (G_min + G_max) / 2."""
        return g[..., 0] - 0.5 * sum(window)

    def line(self, window: tuple[float, float]) -> tuple[float, ...]:
        """G - (G_min + G_max) / 2."""
        return 1.0, -0.5 * sum(window)

    def fold(
        self,
        g: Float[Tensor, "*lead rows {self.width(cols)}"],
        cols: int,
        window: tuple[float, float],
    ) -> Float[Tensor, "*lead rows {cols}"]:
        """G - (G_min + G_max) / 2."""
        return g - 0.5 * sum(window)


MappingName = Literal["differential", "offset", "single"]

MAPPINGS: dict[str, Mapping] = {
    "differential": Differential(),
    "offset": Offset(),
    "single": Single(),
}


def mapping(name: str) -> Mapping:
    """The mapping of a name."""
    if name not in MAPPINGS:
        raise unknown("mapping", name, MAPPINGS)
    return MAPPINGS[name]
