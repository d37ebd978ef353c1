"""Streams of random numbers: with and without kernels the same bits, whatever the length."""

import numpy as np
import pytest
import torch

from mho import kernels
from mho.hardware import philox
from mho.kernels.philox import BLOCK

MAKERS = [philox.words, philox.uniforms, philox.normals]
EDGES = [0, 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 0x9D2C_5680_0000_0001]


def keys(n: int) -> list[int]:
    drawn = np.random.default_rng(3).integers(2**64, size=n, dtype=np.uint64)
    return [*EDGES, *map(int, drawn)]


def bits(numbers: torch.Tensor) -> torch.Tensor:
    return numbers.view(torch.int32)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("n", [0, 1, 3, 31, 32, 33, BLOCK - 1, BLOCK, BLOCK + 1, 1000, 40_000])
def test_torch_makes_the_same_bits(make, n: int) -> None:
    some = keys(40)
    compiled = make(some, n)
    with kernels.off():
        assert torch.equal(bits(make(some, n)), bits(compiled))


@pytest.mark.parametrize("make", MAKERS)
def test_torch_makes_the_same_bits_in_pieces(make, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = make([5, 6], 2_000_003)
    with kernels.off():
        assert torch.equal(bits(make([5, 6], 2_000_003)), bits(compiled))
        for size in (1, BLOCK, 7 * BLOCK):
            monkeypatch.setattr(philox, "_PIECE", size)
            assert torch.equal(bits(make([5, 6], 3000)), bits(compiled[:, :3000]))


def test_counters_beyond_32_bits_are_the_same_in_torch() -> None:
    rounds = philox._round_keys(np.array(EDGES, np.uint64))
    block = 2**32 // 32 - 3
    made = philox._normals(*philox._philox(rounds, block, 9)).permute(2, 3, 0, 1, 4).flatten(1)
    out = np.empty(made.shape, np.float32)
    kernels.normal.normal_rows(out, np.array(EDGES, np.uint64), block * BLOCK)
    assert torch.equal(bits(made), bits(torch.from_numpy(out)))


@pytest.mark.parametrize("make", MAKERS)
def test_torch_does_not_look_at_its_default_type(make) -> None:
    expected = make([1], 500)
    torch.set_default_dtype(torch.float64)
    try:
        with kernels.off():
            assert torch.equal(make([1], 500), expected)
    finally:
        torch.set_default_dtype(torch.float32)


def test_no_two_of_many_streams_are_alike() -> None:
    some = keys(1000)
    drawn = philox.normals(some, 200)
    found = torch.corrcoef(drawn) - torch.eye(len(some))
    assert found.abs().max() < 0.5  # 7 standard errors
