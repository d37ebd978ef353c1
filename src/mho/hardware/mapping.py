"""From a weight to the cells that hold it, and from their conductances back to the weight.

A weight takes one of n values, evenly spaced in [-1, 1] of its full scale: index k = 0 .. n - 1
stands for (2 k - (n - 1)) / (n - 1). A mapping is a table of coefficients:

    signed conductance = sum_d factor_d mean_c ( sum_i coefficient_i g_i + constant ),

with d the digits of the weight, c the copies of each digit, and i the cells of one such group: its
own, then the reference cells that all weights of a row share. A row of a tile holds its groups side
by side, group after group; in each stand the own cells of all weights, then the references.

Interleaved pairs lie otherwise: each input drives two neighbouring rows at opposite voltages, the
first with the cells that add, the second with those that subtract, and both cells of a weight meet
the same bit line, which carries the difference of their currents.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce

import torch
from jaxtyping import Float, Int, Int64, Shaped
from torch import Tensor

from mho.arguments import checked
from mho.errors import invalid, unknown
from mho.kernels import ties


@dataclass(frozen=True)
class Mapping:
    """How a weight sits on cells, see above. Two own coefficients are those of a signed pair."""

    own: tuple[float, ...]
    """Coefficients of the cells that a weight has to itself in a group [1]."""
    shared: tuple[float, ...] = ()
    """Coefficients of the reference cells of a group [1]."""
    constant: float = 0.0
    """What is added digitally to each group, in units of G_min + G_max [1]: an ADC converts the
    column without it."""
    copies: int = 1
    """Groups at the same levels, whose currents are averaged (redundancy) [1]."""
    digits: int = 1
    """Digits of a weight, each held by `copies` groups, the least first (bit slicing, Shafiee et
    al. 2016, 10.1109/ISCA.2016.12). Their columns are converted apart and added digitally [1]."""
    radix: int | None = None
    """Base of the digits, the number of cell levels; None where there is one digit."""
    lines: int = 1
    """Rows of cells that each input drives: 1, or 2 of interleaved pairs [1]."""

    def interleaved(self) -> Mapping:
        """The same with the two cells of each pair in neighbouring rows, at opposite voltages.

        Raises:
            ValueError: a weight is no pair of cells of which one is subtracted from the other.
        """
        if len(self.own) != 2 or sum(self.own) or self.shared or self.constant:
            allowed = "'differential', or another of two cells, one subtracted from the other"
            raise invalid("mapping with interleaved", self.own + self.shared, allowed)
        return replace(self, lines=2)

    def copied(self, copies: int) -> Mapping:
        """The same with each weight held so many times: independent errors fall by the root."""
        return self if copies == 1 else replace(self, copies=self.copies * copies)

    def sliced(self, digits: int, radix: int) -> Mapping:
        """The same with each weight held as digits in base `radix`.

        A signed pair holds sign and magnitude: all digits take the sign of the weight. A single
        cell holds the digits of the index.
        """
        return replace(self, digits=digits, radix=radix)

    # ---------------------------------------------------------------- numbers

    @property
    def signed(self) -> bool:
        """Whether a group holds both signs."""
        return len(self.own) == 2

    @property
    def groups(self) -> int:
        """Groups of cells that hold a weight."""
        return self.copies * self.digits

    @property
    def cells_per_weight(self) -> int:
        """Cells that a weight has to itself."""
        return self.groups * len(self.own)

    @property
    def span(self) -> float:
        """Signed conductance at full scale, in units of the window."""
        return 1.0 if self.signed else 0.5

    @property
    def flip(self) -> tuple[int, ...] | None:
        """Order of a weight's own cells that negates the weight; None: there is none."""
        if not self.signed:
            return None
        return tuple(2 * group + cell for group in range(self.groups) for cell in (1, 0))

    @property
    def factors(self) -> tuple[float, ...]:
        """Digital factor of each digit; they add up to 1."""
        places = [(self.radix or 1) ** digit for digit in range(self.digits)]
        return tuple(place / sum(places) for place in places)

    def squared(self, *, own: bool = True, shared: bool = True) -> Mapping:
        """What gives the variance of a digit's signed conductance, of those of the cells: of all of
        them, or of the own or the reference cells alone."""
        parts = ((self.own, own), (self.shared, shared))
        mine, theirs = (
            tuple(c * c / self.copies if counted else 0.0 for c in part) for part, counted in parts
        )
        return replace(self, own=mine, shared=theirs, constant=0.0)

    def of_digits(self, variances: list[Tensor]) -> Tensor:
        """Variance of a weight's signed conductance of those of its digits."""
        terms = [v * f**2 for v, f in zip(variances, self.factors, strict=True)]
        return reduce(torch.add, terms)

    @property
    def read_variance(self) -> float:
        """Variance of a weight's signed conductance per variance of one cell."""
        return self.part_variance * sum(f * f for f in self.factors)

    @property
    def part_variance(self) -> float:
        """Variance of a digit's signed conductance per variance of one cell."""
        return sum(c * c for c in (*self.own, *self.shared)) / self.copies

    @property
    def reference_share(self) -> float:
        """Share of these variances that is of the reference cells."""
        shared = sum(c * c for c in self.shared)
        return shared / (shared + sum(c * c for c in self.own))

    # ---------------------------------------------------------------- layout

    def width(self, cols: int) -> int:
        """Cells in a row of an array with `cols` weight columns."""
        return self.groups * self._group_width(cols) // self.lines

    def capacity(self, cells: int) -> int:
        """Weights of an input that fit in rows of `cells` cells; may be 0 or less."""
        return (cells * self.lines // self.groups - len(self.shared)) // len(self.own)

    def columns(self, col: Int[Tensor, "*n"], cols: int) -> Int[Tensor, "*n terms"]:
        """Cells (..., terms) that enter weight column `col` (...), counted along the row of an
        input, or along its two rows one after the other: the own cells of all groups, then the
        references of all groups."""
        own, shared = len(self.own), len(self.shared)
        if self.lines > 1:
            group, cell = torch.arange(self.groups).to(col), torch.arange(own).to(col)
            # (..., groups, own) -> (..., groups * own)
            lines = (group.unsqueeze(-1) + self.groups * cell) * cols
            return (col[..., None, None] + lines).flatten(-2)
        start = torch.arange(self.groups).to(col).mul_(self._group_width(cols)).unsqueeze(-1)
        # (..., groups, own) and (groups, shared)
        mine = own * col[..., None, None] + torch.arange(own).to(col) + start
        reference = own * cols + torch.arange(shared).to(col) + start
        # (..., groups * own) and (..., groups * shared)
        return torch.cat((mine.flatten(-2), reference.flatten().expand(*col.shape, -1)), -1)

    def _group_width(self, cols: int) -> int:
        """Cells in a row of one group."""
        return len(self.own) * cols + len(self.shared)

    # ---------------------------------------------------------------- from weights to cells

    def weight_levels(self, states: int) -> int:
        """Largest number of weight levels that cells with `states` levels can hold."""
        if self.radix is not None and states != self.radix:
            raise invalid("cell levels of a sliced weight", states, f"the radix, {self.radix}")
        most = states**self.digits
        return 2 * most - 1 if self.signed else most

    def check_levels(self, weight_levels: int, states: int) -> None:
        """Refuse a number of weight levels that does not fall on cell levels."""
        most = self.weight_levels(states)
        if weight_levels < 2 or (most - 1) % (weight_levels - 1) != 0:
            fitting = [n for n in range(2, most + 1) if (most - 1) % (n - 1) == 0]
            allowed = ", ".join(map(str, fitting))
            cells = f"which cells of {states} levels can hold"
            raise invalid("Hardware.weight_levels", weight_levels, f"one of {allowed}, {cells}")

    def own_levels(
        self, index: Int[Tensor, "*n"], weight_levels: int, states: int
    ) -> Int[Tensor, "*n {self.cells_per_weight}"]:
        """Levels of a weight's own cells (..., cells_per_weight) of weight indices (...)."""
        return self._groups_levels(index, weight_levels, states).flatten(-2)

    def levels(
        self, index: Int[Tensor, "*lead rows cols"], weight_levels: int, states: int
    ) -> Int[Tensor, "*lead lines width"]:
        """Cell levels (..., lines * rows, width) of weight indices (..., rows, cols); both integer.

        References stand at the levels next to the middle, which are one if their number is odd.
        """
        groups = self._groups_levels(index, weight_levels, states)
        if self.lines > 1:
            # (..., rows, cols, groups, own) -> (..., rows * own, groups * cols)
            return groups.movedim(-3, -1).transpose(-3, -2).flatten(-2).flatten(-3, -2)
        # (..., rows, cols, groups, own) -> (..., rows, groups, cols * own)
        own = groups.movedim(-2, -3).flatten(-2)
        middle = index.new_tensor([(states - 1) // 2, states // 2][: len(self.shared)])
        # (..., rows, groups, cols * own + shared) -> (..., rows, width)
        return torch.cat((own, middle.expand(*own.shape[:-1], -1)), -1).flatten(-2)

    def _groups_levels(
        self, index: Int[Tensor, "*n"], weight_levels: int, states: int
    ) -> Int[Tensor, "*n groups own"]:
        """Levels of a weight's own cells, group by group."""
        most = self.weight_levels(states)
        value = index * (most - 1) // (weight_levels - 1)
        if self.signed:
            value = value - (most - 1) // 2
        digits = [value.abs() // states**d % states * value.sign() for d in range(self.digits)]
        # (..., digits) -> (..., groups)
        digit = torch.stack(digits, -1).repeat_interleave(self.copies, -1)
        # (..., groups, own)
        return torch.stack((digit, -digit), -1).clamp_(min=0)[..., : len(self.own)]

    # ---------------------------------------------------------------- from cells to weights

    def combine(
        self, g: Float[Tensor, "*n terms"], window: tuple[float, float]
    ) -> Float[Tensor, "*n"]:
        """Signed conductance (...) [S] of the cells (..., terms) named by `columns`."""
        return self._joined(self.combine_digits(g, window))

    def combine_digits(
        self, g: Float[Tensor, "*n terms"], window: tuple[float, float]
    ) -> list[Float[Tensor, "*n"]]:
        """Signed conductance [S] of each digit, as `combine` gives their sum."""
        # (..., groups * own) and (..., groups * shared), taken apart into tensors (...)
        own, shared = g.tensor_split((self.cells_per_weight,), -1)
        each = [
            [*mine.unbind(-1), *reference.unbind(-1)]
            for mine, reference in zip(
                own.unflatten(-1, (self.groups, -1)).unbind(-2),
                shared.unflatten(-1, (self.groups, len(self.shared))).unbind(-2),
                strict=True,
            )
        ]
        return self._digits_of(each, window)

    def fold(
        self,
        g: Float[Tensor, "*lead lines {self.width(cols)}"],
        cols: int,
        window: tuple[float, float],
    ) -> Float[Tensor, "*lead rows {cols}"]:
        """Signed conductances (..., rows, cols) [S] of cells (..., lines * rows, width) [S]."""
        return self._joined(self.fold_digits(g, cols, window))

    def fold_digits(
        self,
        g: Float[Tensor, "*lead lines {self.width(cols)}"],
        cols: int,
        window: tuple[float, float],
    ) -> list[Float[Tensor, "*lead rows {cols}"]]:
        """Signed conductances [S] of each digit, as `fold` gives their sum."""
        own = len(self.own)
        if self.lines > 1:
            rows = [g[..., cell :: self.lines, :].chunk(self.groups, -1) for cell in range(own)]
            return self._digits_of([list(cells) for cells in zip(*rows, strict=True)], window)
        each = [
            [
                # (..., rows, cols)
                *(group[..., cell : own * cols : own] for cell in range(own)),
                # (..., rows, 1)
                *(group[..., own * cols + k].unsqueeze(-1) for k in range(len(self.shared))),
            ]
            # (..., rows, cells of a group)
            for group in g.chunk(self.groups, -1)
        ]
        return self._digits_of(each, window)

    # Sums run in one order wherever they are made, here and in `mho.kernels.folding`: what is
    # folded whole, and what is folded weight by weight, agree to the last bit.

    def _digits_of(self, groups: list[list[Tensor]], window: tuple[float, float]) -> list[Tensor]:
        """Mean of the copies of each digit, from the cells of each group."""
        each = [self._group(cells, window) for cells in groups]
        copies = range(self.copies)
        sums = [
            reduce(torch.add, [each[d * self.copies + c] for c in copies])
            for d in range(self.digits)
        ]
        return [total / self.copies for total in sums] if self.copies > 1 else sums

    def _group(self, cells: list[Tensor], window: tuple[float, float]) -> Tensor:
        """Sum over the cells of a group, the last one first."""
        terms = zip((*self.own, *self.shared), cells, strict=True)
        total = reduce(torch.add, [c * g for c, g in reversed(list(terms))])
        return total + self.constant * sum(window) if self.constant else total

    def _joined(self, digits: list[Tensor]) -> Tensor:
        """Sum of the digits, each times its factor."""
        if self.digits == 1:
            return digits[0]
        return reduce(torch.add, [g * f for g, f in zip(digits, self.factors, strict=True)])


MAPPINGS: dict[str, Mapping] = {
    "differential": Mapping(own=(1.0, -1.0)),  # w ~ G+ - G-; the idle cell rests at level 0
    "offset": Mapping(own=(1.0,), shared=(-0.5, -0.5)),  # w ~ G - mean of two at mid window
    "single": Mapping(own=(1.0,), constant=-0.5),  # w ~ G - (G_min + G_max) / 2
}
"""By name; an entry that is added is known to `Hardware.mapping`."""


@checked
def mapping(name: str) -> Mapping:
    """The mapping of a name."""
    if name not in MAPPINGS:
        raise unknown("mapping", name, MAPPINGS)
    return MAPPINGS[name]


def level_index(
    w: Float[Tensor, "*n"],
    full_scale: float | Float[Tensor, ""],
    n: int,
    at: Int64[Tensor, "*n"] | None = None,
) -> Int64[Tensor, "*n"]:
    """Index 0 .. n - 1 of the level nearest to w, int64; levels are even in [-full_scale, +].

    What lies exactly between two levels, as 0 does if n is even, goes up at half of the positions
    and down at the others, see `mho.kernels.ties`: no sum of many weights is off for it. Found in
    single precision whatever the type of w is, so that the same weights go to the same levels.

    Args:
        at: flat positions of w in the weight of its layer; None: w is all of it.
    """
    toward = ties.directions(w.numel(), w.device).view(w.shape) if at is None else ties.at(at)
    k = w.float().div(full_scale).add_(1).mul_((n - 1) / 2)
    k = k.add_(toward, alpha=n * ties.NEAR).round_()
    return k.clamp_(0, n - 1).long()


def level_value(
    index: Shaped[Tensor, "*n"], full_scale: float | Float[Tensor, ""], n: int
) -> Float[Tensor, "*n"]:
    """Weight that a level, or a place between two, stands for: `(2 k / (n - 1) - 1) full_scale`;
    levels in single precision."""
    place = index if index.is_floating_point() else index.float()
    return (place * (2 / (n - 1)) - 1) * full_scale
