"""Standard normal numbers by position: Philox words through the Box-Muller transform, compiled.

Every operation is an IEEE one in a fixed order, never fused: the bits do not depend on the width of
the vectors, and `mho.hardware.philox` has the same in torch.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mho.kernels.compiled import compiled, force_inlined
from mho.kernels.philox import BLOCK, LANES, fill_block

_HALF_STEP, _ONE = np.float32(0.5), np.float32(1)
ROOT_HALF = np.int32(0x3F3504F3)  # the bits of sqrt(1/2)
SHIFT = np.int32(ROOT_HALF + (32 << 23) + 1)  # also divides by 2^32 and takes the float below
MANTISSA = np.int32(2**23 - 1)
E, HALF_TURN = np.float32(-2 * math.log(2)), np.float32(2.0**-31)
LOG = (np.float32(-4), np.float32(-1.33311248), np.float32(-0.824039876))
COS = tuple(map(np.float32, (1, -1.233698845, 0.2536531985, -0.02081396617, 8.59690073e-4)))
SIN = (1.570796371, -0.6459637880, 0.07968992740, -4.674157593e-3, 1.516785269e-4)
SIN = tuple(map(np.float32, SIN))


@force_inlined
def box_muller(x, y):
    """Two independent standard normal float32 numbers r cos a, r sin a of two uint32 words.

    r = sqrt(-2 ln u), where u is the float below (x + 1/2) / 2^32: it is never 0 nor 1, and all 32
    bits count where u is small, so r reaches 6.76. The angle a = (pi/2) (y - 2^32 [y >= 2^31]) /
    2^31 covers half a turn; the lowest bit of y, too small to matter in a, turns the pair by pi.
    With u = 2^e m and s = (m - 1) / (m + 1), -2 ln u = -2 e ln 2 - 4 artanh s. The polynomials are
    minimax fits of ours: relative error 1.5e-7 in -2 ln u, absolute 6e-8 in cos and sin.

    Source: Box and Muller, Ann. Math. Stat. 29 (1958) 610, doi:10.1214/aoms/1177706645.
    """
    bits = np.int32(np.float32(np.float32(x) + _HALF_STEP).view(np.int32) - SHIFT)
    e = np.float32(np.int32(bits >> 23))
    m = np.int32(np.int32(bits & MANTISSA) + ROOT_HALF).view(np.float32)
    s = (m - _ONE) / (m + _ONE)
    w = s * s
    r = np.float32(math.sqrt(e * E + s * (LOG[0] + w * (LOG[1] + w * LOG[2]))))
    r = np.int32(r.view(np.int32) ^ np.int32(np.int32(y) << 31)).view(np.float32)
    t = np.float32(np.int32(y)) * HALF_TURN
    w = t * t
    cos = COS[0] + w * (COS[1] + w * (COS[2] + w * (COS[3] + w * COS[4])))
    sin = t * (SIN[0] + w * (SIN[1] + w * (SIN[2] + w * (SIN[3] + w * SIN[4]))))
    return r * cos, r * sin


@force_inlined
def _fill(block, key, index):
    """Write the bits of block `index` into uint32 (BLOCK,), by way of its words."""
    fill_block(block, key, index)
    for j in range(LANES):
        for i in (j, 2 * LANES + j):
            one, two = box_muller(block[i], block[LANES + i])
            block[i] = np.float32(one).view(np.uint32)
            block[LANES + i] = np.float32(two).view(np.uint32)


@compiled
def normals(out: NDArray[np.float32], key: np.uint64, first: int) -> None:
    """Fill `out`, contiguous float32 (n,), with numbers first .. first + n - 1 of the stream `key`.

    `first` >= 0 is any position; a block that is cut costs as much as a whole one.
    """
    bits = out.view(np.uint32)
    stream = np.uint64(key)
    for index in range(first // BLOCK, (first + out.size + BLOCK - 1) // BLOCK):
        start = index * BLOCK - first
        stop = start + BLOCK
        if start >= 0 and stop <= out.size:
            _fill(bits[start:stop], stream, index)
        else:
            spare = np.empty(BLOCK, np.uint32)
            _fill(spare, stream, index)
            for i in range(max(start, 0), min(stop, out.size)):
                bits[i] = spare[i - start]


@compiled
def normal_rows(out: NDArray[np.float32], keys: NDArray[np.uint64], first: int) -> None:
    """As `normals`, each row of `out` (streams, n) with the stream of its key (streams,)."""
    for row in range(keys.size):
        normals(out[row], keys[row], first)
