"""Roots of functions of one variable, one function an element, by Newton's method in a bracket."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

MOST_ROUNDS = 100
"""Steps after which the root is taken as it is: bisection alone needs some 60."""

Function = Callable[[Float[Tensor, "*n"]], tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]]
"""Value and slope at u (...)."""


def root(
    function: Function,
    low: Float[Tensor, "*n"],
    high: Float[Tensor, "*n"],
    start: Float[Tensor, "*n"],
) -> Float[Tensor, "*n"]:
    """u (...) between low and high at which each function is 0.

    A function is below 0 at `low` and above 0 at `high`. Each step keeps the part of the bracket
    with the change of sign, takes Newton's step if that stays inside, and else halves the bracket.
    A step of less than the square root of the precision is the last but one. The last is taken from
    a constant, so that first derivatives in whatever the function depends on are those of the
    implicit function.
    """
    with torch.no_grad():
        u = start
        enough = torch.finfo(u.dtype).eps ** 0.5
        for _ in range(MOST_ROUNDS):
            value, slope = function(u)
            below = value < 0
            low, high = torch.where(below, u, low), torch.where(below, high, u)
            new = u - value / slope
            new = torch.where((new >= low) & (new <= high), new, 0.5 * (low + high))
            moved = ((new - u).abs() > enough * (1 + new.abs())).any()
            u = new
            if not moved:
                break
    value, slope = function(u)
    return u - value / slope.detach() if value.requires_grad else u
