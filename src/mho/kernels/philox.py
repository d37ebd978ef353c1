"""Random words by position: the Philox generator, compiled.

A word depends on its key and its position alone, so a stream can be made in pieces, in any order,
by any thread, and by other means: `mho.hardware.philox` is the same in torch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mho.kernels.compiled import compiled, force_inlined

LANES = 32
"""Counters in a block; 32 is the fastest of 16, 32 and 64 on short arrays. A part of the stream."""
BLOCK = 4 * LANES
"""Numbers in a block: its number LANES w + j comes from word w of its counter j."""

ROUNDS = 10
MULTIPLIER_0, MULTIPLIER_1 = 0xD2511F53, 0xCD9E8D57
WEYL_0, WEYL_1 = 0x9E3779B9, 0xBB67AE85
DROPPED = 8
"""Bits of a word that a uniform number leaves out: 24 make a float32."""

LOW, HALF = np.uint64(2**32 - 1), np.uint64(32)
_M0, _M1, _W0, _W1 = (np.uint64(c) for c in (MULTIPLIER_0, MULTIPLIER_1, WEYL_0, WEYL_1))
_LEAST, _UNIT = np.float32(0.5), np.float32(2.0 ** (DROPPED - 32))


@force_inlined
def philox(c0, c1, c2, c3, k0, k1):
    """Four random words of a counter (c0, c1, c2, c3) and a key (k0, k1): Philox4x32-10.

    All are uint64 that hold 32 bits: a vector unit multiplies the low halves of 64-bit lanes.

    Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
    doi:10.1145/2063384.2063405.
    """
    for _ in range(ROUNDS):
        p0 = _M0 * (c0 & LOW)
        p1 = _M1 * (c2 & LOW)
        c0, c1, c2, c3 = (p1 >> HALF) ^ c1 ^ k0, p1, (p0 >> HALF) ^ c3 ^ k1, p0
        k0 = (k0 + _W0) & LOW
        k1 = (k1 + _W1) & LOW
    return c0 & LOW, c1 & LOW, c2 & LOW, c3 & LOW


@force_inlined
def fill_block(block, key, index):
    """Write the words of block `index` into uint32 (BLOCK,)."""
    k0, k1, zero = key & LOW, key >> HALF, np.uint64(0)
    for j in range(LANES):
        counter = np.uint64(index * LANES + j)
        words = philox(counter, counter >> HALF, zero, zero, k0, k1)
        block[j], block[LANES + j], block[2 * LANES + j], block[3 * LANES + j] = words


@compiled
def words(out: NDArray[np.uint32], keys: NDArray[np.uint64], first: int) -> None:
    """Fill each row of `out` (streams, n), contiguous, with words first .. first + n - 1 of the
    stream of its key (streams,); `first` >= 0."""
    n = out.shape[1]
    spare = np.empty(BLOCK, np.uint32)
    for row in range(keys.size):
        own, stream = out[row], keys[row]
        for index in range(first // BLOCK, (first + n + BLOCK - 1) // BLOCK):
            start = index * BLOCK - first
            stop = start + BLOCK
            if start >= 0 and stop <= n:
                fill_block(own[start:stop], stream, index)
            else:
                fill_block(spare, stream, index)
                for i in range(max(start, 0), min(stop, n)):
                    own[i] = spare[i - start]


@compiled
def uniforms(out: NDArray[np.float32], keys: NDArray[np.uint64], first: int) -> None:
    """As `words`, with uniform numbers in (0, 1) of the upper 24 bits k of each word: k / 2^24, and
    1 / 2^25 for a k of 0."""
    bits = out.view(np.uint32)
    words(bits, keys, first)
    for row in range(keys.size):
        given, made = bits[row], out[row]
        for i in range(given.size):
            upper = np.float32(np.int32(given[i] >> np.uint32(DROPPED)))
            made[i] = max(upper, _LEAST) * _UNIT
