"""Normal numbers by position: the exact transform, the right distribution."""

import hashlib
import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from mho.kernels.normal import box_muller, normal_rows, normals
from mho.kernels.philox import BLOCK, LANES, words

SEED = np.uint64(0x9D2C_5680_0000_0001)


def stream(n: int, key: int | np.uint64 = SEED, first: int = 0) -> np.ndarray:
    out = np.full(n, np.nan, np.float32)
    normals(out, np.uint64(key), first)
    return out


def words_of(blocks: range, key: np.uint64) -> np.ndarray:
    """Words (blocks, 4, LANES) of whole blocks."""
    out = np.empty((1, len(blocks) * BLOCK), np.uint32)
    words(out, np.array([key]), blocks.start * BLOCK)
    return out.reshape(-1, 4, LANES)


def exact(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Radius, cosine and sine part of the documented transform, in float64."""
    u = np.nextafter(x.astype(np.float32) + np.float32(0.5), np.float32(0)).astype(float) / 2**32
    radius = np.sqrt(-2 * np.log(u))
    angle = np.pi * y.astype(np.int32).astype(float) / 2**32 + np.pi * (y & 1)
    return radius, radius * np.cos(angle), radius * np.sin(angle)


def test_the_stream_never_changes() -> None:
    # On no machine: neither the width of its vectors nor fused operations may show.
    digest = hashlib.sha256(stream(10_000).astype("<f4").tobytes()).hexdigest()
    assert digest[:16] == "3907e83dd467bca7"


def test_a_number_depends_on_its_position_alone() -> None:
    whole = stream(20 * BLOCK, first=5)
    cuts = [0, 1, 4, BLOCK - 5, BLOCK - 4, 3 * BLOCK, 3 * BLOCK + 7, 11 * BLOCK - 5, 20 * BLOCK]
    pieces = [stream(b - a, first=5 + a) for a, b in pairwise(cuts)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    far = 2**40 + 3
    np.testing.assert_array_equal(stream(300, first=far)[200:], stream(100, first=far + 200))
    assert stream(0).size == 0


@pytest.mark.parametrize("first_block", [0, 2**32 // LANES - 100])
def test_numbers_are_the_transform_of_the_words_in_block_order(first_block: int) -> None:
    blocks = range(first_block, first_block + 2000)
    drawn = words_of(blocks, SEED)
    radius, one, two = exact(drawn[:, 0::2], drawn[:, 1::2])
    expected = np.stack([one, two], axis=2).reshape(len(blocks), -1)
    scale = np.stack([radius, radius], axis=2).reshape(len(blocks), -1)
    found = stream(expected.size, first=blocks.start * BLOCK).reshape(expected.shape)
    error = np.abs(found - expected)
    assert (error < 3e-7 * scale).all()


def test_each_row_is_the_stream_of_its_key() -> None:
    keys = np.array([SEED, 0, 2**64 - 1], np.uint64)
    out = np.empty((3, 1000), np.float32)
    normal_rows(out, keys, 7)
    for row, key in zip(out, keys, strict=True):
        np.testing.assert_array_equal(row, stream(1000, key, first=7))


def test_extreme_words_give_finite_numbers() -> None:
    ends = np.array([0, 1, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 2, 2**32 - 1], np.uint32)
    for x in ends:
        for y in ends:
            radius, one, two = exact(np.array(x), np.array(y))
            assert radius > 0
            assert np.abs(np.array(box_muller(x, y)) - (one, two)).max() < 3e-7 * radius
    assert math.hypot(*box_muller(np.uint32(0), np.uint32(0))) == pytest.approx(6.764, abs=1e-3)


def test_the_distribution_is_standard_normal() -> None:
    z = stream(1_000_000).astype(float)
    for power, (mean, variance) in enumerate([(0, 1), (1, 2), (0, 15), (3, 96)], start=1):
        assert abs((z**power).mean() - mean) < 4 * math.sqrt(variance / z.size)
    assert stats.kstest(z, "norm").pvalue > 0.01


def test_tails_are_as_full_as_they_should_be() -> None:
    z = np.abs(stream(8_000_000))
    for sigma in (3.0, 4.0, 4.5, 5.0):
        expected = z.size * math.erfc(sigma / math.sqrt(2))
        low, high = stats.poisson.interval(0.9999, expected)
        assert low <= np.count_nonzero(z > sigma) <= high


def test_streams_and_stretches_are_independent() -> None:
    n = 200_000
    parts = [
        stream(n),
        stream(n, SEED + np.uint64(1)),
        stream(n, SEED ^ np.uint64(1 << 63)),
        stream(n, first=n),
        stream(n, first=2**34 + 1),
        stream(n, first=1),
        stream(n, first=LANES),
        stream(n, first=BLOCK),
    ]
    for statistic in (lambda z: z, np.square, np.sign):
        correlation = np.corrcoef([statistic(part) for part in parts]) - np.eye(len(parts))
        assert np.abs(correlation).max() < 5 / math.sqrt(n)
