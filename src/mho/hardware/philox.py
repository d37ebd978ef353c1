"""Streams of random numbers on any device: from a kernel where one may run, else the same in torch.

Number p of a stream depends on its key (64 bits) and on p alone. Both ways give the same bits: each
step in torch is one operation of the kernel, in its order, none fused with the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float32, Int32
from torch import Tensor

from mho.kernels import allowed, normal
from mho.kernels import philox as compiled

_LOW = 2**32 - 1
_PIECE = compiled.BLOCK << 14
"""Numbers of all streams together that torch makes at a time, in some ten times their memory."""


def words(
    keys: Sequence[int], n: int, device: torch.device | str = "cpu"
) -> Int32[Tensor, "streams {n}"]:
    """The first n random words of each stream, as the bits of int32.

    Args:
        keys: one of each stream, from 0 to 2^64 - 1.
        n: words of each.
        device: where they are made.
    """
    return _made(torch.int32, compiled.words, _int32, keys, n, device)


def uniforms(
    keys: Sequence[int], n: int, device: torch.device | str = "cpu"
) -> Float32[Tensor, "streams {n}"]:
    """Uniform numbers in (0, 1), never 0 or 1, of the upper 24 bits k of each word: k / 2^24, and
    1 / 2^25 for a k of 0. Arguments as those of `words`."""
    return _made(torch.float32, compiled.uniforms, _uniforms, keys, n, device)


def normals(
    keys: Sequence[int], n: int, device: torch.device | str = "cpu", first: int = 0
) -> Float32[Tensor, "streams {n}"]:
    """Standard normal numbers of pairs of words, by the Box-Muller transform, from number `first`
    of each stream on. Other arguments as those of `words`."""
    return _made(torch.float32, normal.normal_rows, _normals, keys, n, device, first)


def _made(
    dtype: torch.dtype,
    kernel: Callable[[np.ndarray, np.ndarray, int], None],
    transform: Callable[[Tensor, Tensor], Tensor],
    keys: Sequence[int],
    n: int,
    device: torch.device | str,
    begin: int = 0,
) -> Tensor:
    """Numbers (streams, n) by a kernel, or by a transform of words in torch."""
    given = np.array(keys, np.uint64)
    out = torch.empty((len(given), n), dtype=dtype, device=device)
    if out.is_cpu and allowed():
        bits = out.numpy()
        kernel(bits.view(np.uint32) if dtype == torch.int32 else bits, given, begin)
        return out
    if before := begin % compiled.BLOCK:  # torch makes whole blocks
        return _made(dtype, kernel, transform, keys, before + n, device, begin - before)[:, before:]
    together = max(1, _PIECE // max(1, len(given)) // compiled.BLOCK) * compiled.BLOCK
    rounds = _round_keys(given).to(out.device)
    for first in range(0, n, together):
        part = out[:, first : first + together]
        block = (begin + first) // compiled.BLOCK
        even, odd = _philox(rounds, block, -(-part.shape[1] // compiled.BLOCK))
        # (2, streams, blocks, LANES) twice -> (streams, blocks, 2, 2, LANES) -> (streams, n)
        whole = transform(even, odd).permute(2, 3, 0, 1, 4).flatten(1)
        part.copy_(whole[:, : part.shape[1]])
    return out


def _round_keys(keys: np.ndarray) -> Tensor:
    """Both halves of each key in each round (rounds, 2, streams, 1, 1), int64 that hold 32 bits."""
    rounds = np.arange(compiled.ROUNDS, dtype=np.uint64)[:, None, None]
    halves = np.stack([keys & np.uint64(_LOW), keys >> np.uint64(32)])
    steps = np.array([[compiled.WEYL_0], [compiled.WEYL_1]], np.uint64)
    made = (halves + rounds * steps) & np.uint64(_LOW)
    return torch.from_numpy(made.astype(np.int64)).unsqueeze(-1).unsqueeze(-1)


def _philox(rounds: Tensor, block: int, blocks: int) -> tuple[Tensor, Tensor]:
    """Words 0 and 2, and words 1 and 3, of the counters of some blocks: (2, streams, blocks, LANES)
    each, int64 that hold 32 bits.

    A product of two such numbers keeps its 64 bits in int64, whatever their sign says.
    """
    lanes = compiled.LANES
    counter = torch.arange(block * lanes, (block + blocks) * lanes, device=rounds.device)
    shape = (2, rounds.shape[2], blocks, lanes)
    even = torch.stack([counter & _LOW, torch.zeros_like(counter)]).view(2, 1, blocks, lanes)
    odd = torch.stack([counter >> 32, torch.zeros_like(counter)]).view(2, 1, blocks, lanes)
    factor = torch.empty_like(even[:, :, :1, :1])
    factor[0], factor[1] = compiled.MULTIPLIER_0, compiled.MULTIPLIER_1
    for key in rounds.unbind():
        product = (even * factor).flip(0)
        even = ((product >> 32) ^ odd ^ key) & _LOW
        odd = product
    return even.expand(shape), (odd & _LOW).expand(shape)


def _int32(even: Tensor, odd: Tensor) -> Tensor:
    """Words as they are, in pairs (2, 2, streams, blocks, LANES)."""
    return torch.stack([even, odd], 1).to(torch.int32)


def _uniforms(even: Tensor, odd: Tensor) -> Tensor:
    """As `mho.kernels.philox.uniforms`, in pairs."""
    upper = torch.stack([even, odd], 1) >> compiled.DROPPED
    return upper.to(torch.float32).clamp_(min=0.5).mul_(2.0 ** (compiled.DROPPED - 32))


def _normals(even: Tensor, odd: Tensor) -> Tensor:
    """As `mho.kernels.normal.box_muller`, in pairs."""
    c = normal
    bits = even.to(torch.float32).add_(0.5).view(torch.int32) - int(c.SHIFT)
    e = (bits >> 23).to(torch.float32)
    m = ((bits & int(c.MANTISSA)) + int(c.ROOT_HALF)).view(torch.float32)
    s = (m - 1) / (m + 1)
    r = e * float(c.E) + s * _polynomial(s * s, c.LOG)
    r = r.double().sqrt_().to(torch.float32)  # torch rounds the root of a float32 to either side
    # the lowest bit of the angle's word is the sign of the pair
    r = r.mul_(1 - 2 * (odd & 1).to(torch.float32))
    t = odd.to(torch.int32).to(torch.float32).mul_(float(c.HALF_TURN))
    w = t * t
    return torch.stack([r * _polynomial(w, c.COS), r * (t * _polynomial(w, c.SIN))], 1)


def _polynomial(x: Tensor, coefficients: Sequence[np.float32]) -> Tensor:
    """By Horner's rule, the lowest coefficient first."""
    *others, total = coefficients
    y = x * float(total)
    for k in reversed(others[1:]):
        y = y.add_(float(k)).mul_(x)
    return y.add_(float(others[0]))
