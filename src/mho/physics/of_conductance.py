"""Numbers of a cell that depend on its conductance: a polynomial, a power, a table.

A field of the type `float | OfConductance` takes a number, which holds at every conductance, or one
of these records. The functions below take either, so that nothing else has to ask which it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, Self, overload

import torch
from jaxtyping import Float
from torch import Tensor

from mho.config import Config, Range, Taken, otherwise, ranges_of
from mho.errors import invalid
from mho.physics.datasheet import Quantity
from mho.quantities import CellSiemens, Siemens

Value = Annotated[float, Range(least=-1e30, most=1e30)]

_POINTS = 257
"""Conductances of a window at which bounds are checked and averages taken."""


class OfConductance(Config, ABC):
    """A number as a function of the conductance; leaves are final, all methods pure.

    Elementwise on tensors, in their precision, and finite at 0 S.
    """

    @abstractmethod
    def at(self, g: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Values at conductances [S]."""

    @abstractmethod
    def times(self, factor: float) -> Self:
        """The same course, values so many times as large."""

    @abstractmethod
    def for_conductances(self, scale: float) -> Self:
        """The same values on cells whose conductances are `scale` times as large."""


Number = float | OfConductance


class _Limited(OfConductance, ABC):
    """A formula of g / unit, with limits."""

    unit: CellSiemens = 1.0
    """Conductance that g is divided by [S]."""
    least: Value | None = None
    """Smallest value, in the value's unit; None: no limit."""
    most: Value | None = None
    """Largest value, in the value's unit; None: no limit."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.least is not None and self.most is not None and self.least > self.most:
            allowed = f"at most most = {self.most:g}"
            raise invalid(f"{type(self).__name__}.least", self.least, allowed)

    def _limited(self, value: Tensor) -> Tensor:
        if self.least is None and self.most is None:
            return value
        return value.clamp(self.least, self.most)

    def _limits_times(self, factor: float) -> dict[str, float | None]:
        """Limits of values `factor` times as large."""
        limits = (self.least, self.most) if factor >= 0 else (self.most, self.least)
        least, most = (None if each is None else factor * each for each in limits)
        return {"least": least, "most": most}

    def for_conductances(self, scale: float) -> Self:
        """Another unit."""
        return self.replace(unit=scale * self.unit)


class PolynomialOfG(_Limited):
    """`sum_k coefficients[k] (g / unit)^k`, within the limits."""

    family: ClassVar[str] = "polynomial"

    coefficients: Taken[
        Sequence[float], Annotated[tuple[float, ...], Range(least=-1e30, most=1e30)]
    ]
    """From the constant up, in the value's unit."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= len(self.coefficients) <= 16:
            allowed = "1 to 16 coefficients"
            raise invalid("PolynomialOfG.coefficients", len(self.coefficients), allowed)

    def at(self, g: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """By Horner's rule."""
        *lower, last = self.coefficients
        x, total = g / self.unit, torch.full_like(g, last)
        for coefficient in reversed(lower):
            total = total * x + coefficient
        return self._limited(total)

    def times(self, factor: float) -> Self:
        """All coefficients times `factor`."""
        coefficients = tuple(factor * c for c in self.coefficients)
        return self.replace(coefficients=coefficients, **self._limits_times(factor))


class PowerOfG(_Limited):
    """`factor (g / unit)^exponent`, within the limits."""

    family: ClassVar[str] = "power"

    factor: Value
    """Value at g = unit, in the value's unit."""
    exponent: Annotated[float, Range(least=-10.0, most=10.0)]
    """Exponent [1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        bound = self.most if self.factor >= 0 else self.least
        if self.exponent < 0 and bound is None:
            name = "most" if self.factor >= 0 else "least"
            allowed = (
                "a limit where the exponent is below 0: without one the value at 0 S is not finite"
            )
            raise invalid(f"PowerOfG.{name}", None, allowed)

    def at(self, g: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """At 0 S the limit, where the exponent is below 0."""
        if self.factor == 0.0:
            return self._limited(torch.zeros_like(g))
        return self._limited(self.factor * (g.clamp(min=0.0) / self.unit) ** self.exponent)

    def times(self, factor: float) -> Self:
        """The factor times `factor`."""
        return self.replace(factor=factor * self.factor, **self._limits_times(factor))


class TableOfG(OfConductance):
    """Values at conductances, straight between them in g or in ln g, and constant outside."""

    family: ClassVar[str] = "table"

    g: Taken[Sequence[float], tuple[Siemens, ...]]
    """Conductances, rising [S]."""
    values: Taken[Sequence[float], Annotated[tuple[float, ...], Range(least=-1e30, most=1e30)]]
    """Value at each [unit of the value]."""
    along: Literal["g", "ln g"] = otherwise(default="g")
    """What values run straight in."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 <= len(self.g) <= 4096:
            raise invalid("TableOfG.g", len(self.g), "2 to 4096 conductances")
        for a, b in pairwise(self.g):
            if b <= a:
                raise invalid("TableOfG.g", (a, b), "rising")
        if len(self.values) != len(self.g):
            raise invalid("TableOfG.values", len(self.values), f"{len(self.g)} values, as in g")
        if self.along == "ln g" and self.g[0] == 0.0:
            raise invalid("TableOfG.g", 0.0, "above 0 where values run straight in ln g")

    def at(self, g: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """By a search in the conductances."""
        x, at = g.new_tensor(self.g), g.clamp(self.g[0], self.g[-1])
        values = g.new_tensor(self.values)
        if self.along == "ln g":
            x, at = x.log(), at.log()
        slope = values.diff() / x.diff()
        k = torch.searchsorted(x, at.contiguous(), right=True).sub_(1).clamp_(0, len(slope) - 1)
        value = torch.addcmul(values[k], slope[k], at - x[k])
        return value.clamp_(min(self.values), max(self.values))

    def times(self, factor: float) -> Self:
        """All values times `factor`."""
        return self.replace(values=tuple(factor * each for each in self.values))

    def for_conductances(self, scale: float) -> Self:
        """All conductances times `scale`."""
        return self.replace(g=tuple(scale * each for each in self.g))


# ---------------------------------------------------------------- numbers of either kind


@overload
def at(number: float, g: Tensor) -> float: ...
@overload
def at(number: OfConductance, g: Tensor) -> Tensor: ...
@overload
def at(number: Number, g: Tensor) -> float | Tensor: ...
def at(number: Number, g: Tensor) -> float | Tensor:
    """Value at conductances g (...) [S]: the number itself, or (...)."""
    return number.at(g) if isinstance(number, OfConductance) else number


def times(number: Number, factor: float) -> Number:
    """So many times as large."""
    return number.times(factor) if isinstance(number, OfConductance) else factor * number


def for_conductances(number: Number, scale: float) -> Number:
    """The same values on cells whose conductances are `scale` times as large."""
    return number.for_conductances(scale) if isinstance(number, OfConductance) else number


def in_window(number: Number, window: tuple[float, float]) -> Float[Tensor, " n"]:
    """Values at conductances evenly along a window [S], float64; of a number itself alone."""
    if not isinstance(number, OfConductance):
        return torch.tensor([number], dtype=torch.float64)
    return number.at(torch.linspace(*window, _POINTS, dtype=torch.float64))


def mean(number: Number, window: tuple[float, float]) -> float:
    """Mean over a window [S]: the number itself where it is one."""
    return in_window(number, window).mean().item() if _varies(number) else float(number)  # type: ignore[arg-type]


def with_mean(number: Number, value: float, window: tuple[float, float]) -> Number:
    """The same course with another mean over a window [S]; even where it has none."""
    own = mean(number, window)
    if not _varies(number) or own == 0 or value == 0:
        return value
    return times(number, value / own)


def none_of(number: Number) -> bool:
    """Whether it is the number 0."""
    return not _varies(number) and number == 0


def shown(number: Number, window: tuple[float, float], unit: str) -> tuple[str, list[Quantity]]:
    """Words and values for a data sheet: the number, or its least and its most in a window [S]."""
    if not _varies(number):
        return "{}", [Quantity(float(number), unit)]  # type: ignore[arg-type]
    least, most = (end.item() for end in in_window(number, window).aminmax())
    return "{} to {}", [Quantity(least, unit), Quantity(most, unit)]


def varies(record: Config) -> bool:
    """Whether any field of a record is a function of the conductance."""
    return any(_varies(getattr(record, name)) for name in record.__dataclass_fields__)


def check_in_window(record: Config | None, window: tuple[float, float]) -> None:
    """Refuse functions in the fields of a record whose values in a window [S] are outside of what
    the field takes as a number.

    Raises:
        ValueError: names the field, the value, the conductance and the range.
    """
    if record is None:
        return
    for name in record.__dataclass_fields__:
        number = getattr(record, name)
        if not isinstance(number, OfConductance):
            continue
        values = in_window(number, window)
        for limits in ranges_of(type(record), name):
            for k in (int(values.argmin()), int(values.argmax())):
                if values[k].item() not in limits:
                    g = window[0] + (window[1] - window[0]) * k / (_POINTS - 1)
                    field = f"{type(record).__name__}.{name}"
                    raise invalid(field, f"{values[k].item():g} at {g:g} S", str(limits))


def _varies(number: object) -> bool:
    return isinstance(number, OfConductance)
