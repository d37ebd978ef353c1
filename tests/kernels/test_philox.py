"""Random words by position: the published ones, and uniform numbers made of them."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from mho.kernels.philox import BLOCK, LANES, philox, uniforms, words

KEYS = np.array([0x9D2C_5680_0000_0001, 0, 2**64 - 1], np.uint64)


def drawn(n: int, first: int = 0) -> np.ndarray:
    out = np.zeros((len(KEYS), n), np.uint32)
    words(out, KEYS, first)
    return out


def uniform(n: int, first: int = 0) -> np.ndarray:
    out = np.full((len(KEYS), n), np.nan, np.float32)
    uniforms(out, KEYS, first)
    return out


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ([0] * 4, [0] * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_the_words_are_those_published_with_random123(counter, key, words) -> None:
    found = philox(*np.array(counter + key, np.uint64))
    assert " ".join(f"{word:08x}" for word in found) == words


@pytest.mark.parametrize("first_block", [0, 2**32 // LANES - 100])
def test_words_are_those_of_the_counters_in_block_order(first_block: int) -> None:
    counter = np.arange(first_block * LANES, (first_block + 200) * LANES, dtype=np.uint64)
    low, half, zero = np.uint64(2**32 - 1), np.uint64(32), np.uint64(0)
    for found, key in zip(drawn(200 * BLOCK, first_block * BLOCK), KEYS, strict=True):
        halves = key & low, key >> half
        by_counter = philox.py_func(counter & low, counter >> half, zero, zero, *halves)
        expected = np.stack(by_counter).reshape(4, -1, LANES).swapaxes(0, 1).ravel()
        np.testing.assert_array_equal(found, expected.astype(np.uint32))


@pytest.mark.parametrize("make", [drawn, uniform])
def test_a_number_depends_on_its_position_alone(make) -> None:
    whole = make(20 * BLOCK, 5)
    cuts = [0, 1, 4, BLOCK - 5, BLOCK - 4, 3 * BLOCK, 3 * BLOCK + 7, 11 * BLOCK - 5, 20 * BLOCK]
    pieces = [make(b - a, 5 + a) for a, b in pairwise(cuts)]
    np.testing.assert_array_equal(np.concatenate(pieces, 1), whole)
    far = 2**40 + 3
    np.testing.assert_array_equal(make(300, far)[:, 200:], make(100, far + 200))
    assert make(0).shape == (len(KEYS), 0)


def test_uniform_numbers_are_the_upper_bits_of_the_words() -> None:
    k = drawn(10_000, 9) >> 8
    assert (k == 0).sum() == 0
    np.testing.assert_array_equal(uniform(10_000, 9), (k / 2**24).astype(np.float32))


def test_uniform_numbers_lie_in_the_open_interval_and_are_evenly_spread() -> None:
    u = np.concatenate([uniform(10_000_000, n * 10_000_000) for n in range(3)], 1)
    assert u.min() == np.float32(2.0**-25)  # a 0 among 90 million of 24 bits
    assert u.max() == np.float32(1 - 2.0**-24)
    counts = np.bincount((u.ravel() * 1000).astype(int), minlength=1000)
    assert stats.chisquare(counts).pvalue > 1e-4
