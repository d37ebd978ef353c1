"""Converters between digital numbers and currents: a symmetric grid with a range."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


def reach(values: Tensor, coverage: float) -> float:
    """Smallest bound that a share `coverage` of |values| respects."""
    size = values.detach().abs().flatten()
    if coverage == 1.0:
        return size.max().item()
    return size.kthvalue(max(1, math.ceil(coverage * size.numel()))).values.item()


def convert(
    x: Tensor, bits: int, full_scale: float | None, kind: str, *, overwrite: bool = False
) -> Tensor:
    """Round to `2^bits - 1` even values in [-full_scale, full_scale], saturating beyond.

    The gradient passes straight through, and is 0 where the converter saturates.

    Args:
        x: any shape.
        bits: resolution, sign included.
        full_scale: largest value; None: not calibrated yet.
        kind: name for the error.
        overwrite: x is not needed any more (honoured where no gradient is recorded).

    Raises:
        RuntimeError: there is no range yet.
    """
    if full_scale is None:
        raise RuntimeError(
            f"the {kind} has {bits} bits and no range yet: call mho.calibrate(net, batch) first"
        )
    most = 2 ** (bits - 1) - 1
    lsb = full_scale / most or 1.0
    if torch.is_grad_enabled() and x.requires_grad:
        return _StraightThrough.apply(x, lsb, most)  # type: ignore[return-value]
    return _round(x.mul_(1 / lsb) if overwrite else x.mul(1 / lsb), lsb, most)


def _round(codes: Tensor, lsb: float, most: int) -> Tensor:
    """In place, pass by pass: faster than a fused operator that also makes a mask."""
    return codes.round_().clamp_(-most, most).mul_(lsb)


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, lsb: float, most: int) -> Tensor:
        out = _round(x.mul(1 / lsb), lsb, most)
        ctx.save_for_backward(out)
        ctx.limit = (most - 0.5) * lsb
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (out,) = ctx.saved_tensors
        return grads[0] * (out.abs() < ctx.limit), None, None
