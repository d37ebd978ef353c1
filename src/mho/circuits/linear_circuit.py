"""Small changes in arrays with wires: a linear circuit, solved by conjugate gradients."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from mho.circuits.lines import Lines
from mho.circuits.segments import THIN

ITERATIONS = 1000
"""Of conjugate gradients, for one system."""


class LinearCircuit:
    """Arrays of ohmic cells, drivers at 0 V.

    With Z = P + Q and D = slope, currents q put through the cells from outside leave z there:

        z = Z (1 + D Z)^-1 q

    Conjugate gradients on the bit lines' voltages, the word lines being eliminated exactly, with
    the bit lines alone as the preconditioner: (L + D)^-1, and L (L + D)^-1 r = r - D (L + D)^-1 r
    saves the product with L, the inverse of Q, which need not exist.
    """

    def __init__(
        self,
        row: Float[Tensor, "rows cols k"],
        col: Float[Tensor, "rows cols k"],
        slope: Float[Tensor, "rows cols k"],
        end: Float[Tensor, "rows k"] | None = None,
    ) -> None:
        """Factor; `end`: from the open end of each word line to 0 V [ohm], if not open."""
        self.slope = slope
        leak = slope.transpose(0, 1)
        if end is not None:
            leak = leak.clone()
            leak[0] += 1 / end.clamp(min=THIN[end.dtype])
        self._word = Lines(row.transpose(0, 1), leak)
        self._bit = Lines(col, slope)

    def solve(
        self, q: Float[Tensor, "rows cols k"], within: Float[Tensor, " k"] | float
    ) -> tuple[Float[Tensor, "rows cols k"], Float[Tensor, " k"]]:
        """z [V] of q [A], and the part that is left of its error, in the norm of power.

        Args:
            within: what part may be left; more is after `ITERATIONS` only.
        """
        slope, z, spare = self.slope, q.clone(), torch.empty_like(q)
        w, p, ap = torch.zeros((3, *q.shape), dtype=q.dtype, device=q.device)
        self._word.solve_(z.transpose(0, 1))
        r = torch.addcmul(q, slope, z, value=-1)
        power = first = self._power(r, z, spare)
        most = first * within**2
        again = torch.zeros_like(first)
        for _ in range(ITERATIONS):
            going = power > most
            if not going.any():
                break
            p.mul_(again).add_(z)
            torch.mul(slope, z, out=spare)
            self._word.solve_(spare.transpose(0, 1))
            ap.mul_(again).add_(r).addcmul_(slope, spare, value=-1)
            ahead = torch.where(going, power / torch.mul(p, ap, out=spare).sum((0, 1)), 0.0)
            w.addcmul_(ahead, p)
            r.addcmul_(ahead, ap, value=-1)
            before, power = power, self._power(r, z, spare)
            again = torch.where(going, power / before, 0.0)
        left = torch.where(first > 0, power / first, 0.0).sqrt()
        torch.addcmul(q, slope, w, value=-1, out=spare)
        self._word.solve_(spare.transpose(0, 1))
        return w.add_(spare), left

    def _power(self, r: Tensor, z: Tensor, spare: Tensor) -> Float[Tensor, " k"]:
        """r z, with z [V] what currents r leave in the bit lines alone, which is put into z."""
        self._bit.solve_(z.copy_(r))
        return torch.mul(r, z, out=spare).sum((0, 1))
