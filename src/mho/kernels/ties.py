"""Which way a weight goes that lies exactly between two levels: up and down alike, by position.

If all went up, a layer full of zeros whose number of levels is even, so that none of them is 0,
would hold half a step everywhere. Of two neighbouring positions one goes up and the other down; a
hash of the pair says which, so that no pattern of the weights meets one of the ties.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Int64
from numpy.typing import NDArray
from torch import Tensor

from mho.kernels.compiled import force_inlined

PERIOD = 1 << 20
"""Positions after which the directions repeat: what is kept of them stays small."""

NEAR = 2.0**-22
"""What counts as exactly between: so many steps times the number of levels, a few roundings of
float32."""


@force_inlined
def direction(position):
    """+1 or -1 of a flat position or of many; int64 in and out, in any of numba, numpy and torch.

    The hash of a pair is two rounds of multiply and shift, which int64 holds exactly.
    """
    h = (position & (PERIOD - 1)) >> 1
    h = (h ^ (h >> 7)) * 0x2C1B3C6D & 0x3FFFFFFF
    h = (h ^ (h >> 13)) * 0x297A2D39 & 0x3FFFFFFF
    return 2 * ((h >> 17 ^ position) & 1) - 1


def directions(n: int, device: torch.device) -> Float[Tensor, " n"]:
    """`direction` of the positions 0 to n - 1, float32."""
    if device.type != "cpu":
        return direction.py_func(torch.arange(n, device=device)).float()
    whole = torch.from_numpy(_table())
    return whole[:n] if n <= PERIOD else whole.repeat(-(-n // PERIOD))[:n]


def at(positions: Int64[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """`direction` of some positions, float32."""
    return direction.py_func(positions).float()


@cache
def _table() -> NDArray[np.float32]:
    return direction.py_func(np.arange(PERIOD)).astype(np.float32)
