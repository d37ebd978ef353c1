"""Standard normal numbers by position: Philox words through the Box-Muller transform, compiled.

A number depends on its key and its position alone, so a stream can be made in pieces, in any order,
by any thread. Every operation is an IEEE one in a fixed order, never fused: the bits do not depend
on the width of the vectors.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mho.kernels.compiled import compiled, force_inlined

LANES = 32
"""Counters in a block; 32 is the fastest of 16, 32 and 64 on short arrays. A part of the stream."""
BLOCK = 4 * LANES
"""Numbers in a block: its number LANES w + j comes from word w of its counter j."""

_ROUNDS = 10
_LOW, _HALF = np.uint64(2**32 - 1), np.uint64(32)
_MULTIPLIER_0, _MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)

_HALF_STEP, _ONE = np.float32(0.5), np.float32(1)
_ROOT_HALF = np.int32(0x3F3504F3)  # the bits of sqrt(1/2)
_SHIFT = np.int32(_ROOT_HALF + (32 << 23) + 1)  # also divides by 2^32 and takes the float below
_MANTISSA = np.int32(2**23 - 1)
_E = np.float32(-2 * math.log(2))
_L0, _L1, _L2 = np.float32(-4), np.float32(-1.33311248), np.float32(-0.824039876)
_HALF_TURN = np.float32(2.0**-31)
_C1, _C2 = np.float32(-1.233698845), np.float32(0.2536531985)
_C3, _C4 = np.float32(-0.02081396617), np.float32(8.59690073e-4)
_S0, _S1, _S2 = np.float32(1.570796371), np.float32(-0.6459637880), np.float32(0.07968992740)
_S3, _S4 = np.float32(-4.674157593e-3), np.float32(1.516785269e-4)


@force_inlined
def philox(c0, c1, c2, c3, k0, k1):
    """Four random words of a counter (c0, c1, c2, c3) and a key (k0, k1): Philox4x32-10.

    All are uint64 that hold 32 bits: a vector unit multiplies the low halves of 64-bit lanes.

    Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
    doi:10.1145/2063384.2063405.
    """
    for _ in range(_ROUNDS):
        p0 = _MULTIPLIER_0 * (c0 & _LOW)
        p1 = _MULTIPLIER_1 * (c2 & _LOW)
        c0, c1, c2, c3 = (p1 >> _HALF) ^ c1 ^ k0, p1, (p0 >> _HALF) ^ c3 ^ k1, p0
        k0 = (k0 + _WEYL_0) & _LOW
        k1 = (k1 + _WEYL_1) & _LOW
    return c0 & _LOW, c1 & _LOW, c2 & _LOW, c3 & _LOW


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
    bits = np.int32(np.float32(np.float32(x) + _HALF_STEP).view(np.int32) - _SHIFT)
    e = np.float32(np.int32(bits >> 23))
    m = np.int32(np.int32(bits & _MANTISSA) + _ROOT_HALF).view(np.float32)
    s = (m - _ONE) / (m + _ONE)
    w = s * s
    r = np.float32(math.sqrt(e * _E + s * (_L0 + w * (_L1 + w * _L2))))
    r = np.int32(r.view(np.int32) ^ np.int32(np.int32(y) << 31)).view(np.float32)
    t = np.float32(np.int32(y)) * _HALF_TURN
    w = t * t
    cos = _ONE + w * (_C1 + w * (_C2 + w * (_C3 + w * _C4)))
    sin = t * (_S0 + w * (_S1 + w * (_S2 + w * (_S3 + w * _S4))))
    return r * cos, r * sin


@force_inlined
def _fill(block, key, index):
    """Write the bits of block `index` into uint32 (BLOCK,), by way of its words."""
    k0, k1, zero = key & _LOW, key >> _HALF, np.uint64(0)
    for j in range(LANES):
        counter = np.uint64(index * LANES + j)
        words = philox(counter, counter >> _HALF, zero, zero, k0, k1)
        block[j], block[LANES + j], block[2 * LANES + j], block[3 * LANES + j] = words
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
