"""Lines of an array, one direction of them at a time: nodes in a row, joined by segments of wire.

The first dimension runs along the line, from its open end to the end that is held at 0 V; segment j
joins node j to node j + 1, the last one to the end. No formula divides by a resistance, so that any
of them may be 0.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

FEW = 512
"""Up to this many lines on a CPU, LAPACK is faster than a step along all lines at once."""


def line_drop(
    r: Float[Tensor, "rows cols k"], current: Float[Tensor, "rows cols k"], dim: int
) -> Float[Tensor, "rows cols k"]:
    """Voltage [V] between the held end and each node, of currents drawn from the nodes [A].

    Args:
        dim: along the line.
    """
    drops = r * current.cumsum(dim)
    return drops.flip(dim).cumsum(dim).flip(dim)


class Lines:
    """Lines whose nodes leak: factored once, solved for any currents.

    Seen from the open end, up to node j, a line is a conductance Y_j and a current J_j (Norton):

        Y_j = g_j + c_{j-1} Y_{j-1},    c_j = 1 / (1 + r_j Y_j)
        J_j = b_j + c_{j-1} J_{j-1},    u_j = c_j (u_{j+1} + r_j J_j)

    which adds what is 0 or more and loses no digits. It is L D L^T of a tridiagonal matrix: L has
    -c below its diagonal, D is 1 / (c r), infinite where r is 0.
    """

    def __init__(self, r: Float[Tensor, "n a b"], leak: Float[Tensor, "n a b"]) -> None:
        """Factor; `leak`: from each node to ground [S], 0 or more."""
        share = torch.empty_like(leak).copy_(r)
        few = leak.device.type == "cpu" and leak[0].numel() <= FEW
        nodes: Any = (leak.numpy(), share.numpy()) if few else (leak.unbind(), share.unbind())
        seen = 0.0 * nodes[0][0]
        for at, to in zip(*nodes, strict=True):
            seen += at
            to *= seen
            to += 1.0
            seen /= to
        share.reciprocal_()
        self._share, self._parallel = share.unbind(), share * r
        self._factors = self._for_lapack(share) if few else None

    def solve_(self, x: Float[Tensor, "n a b"]) -> None:
        """Turn currents put into the nodes [A] into the voltages of the nodes [V], in place."""
        if self._factors is not None:
            by_line = x.movedim(0, -1)
            u, _ = _dpttrs()(*self._factors, by_line.reshape(-1, 1).numpy(), overwrite_b=True)
            by_line.copy_(torch.from_numpy(u).view(by_line.shape))
            return
        nodes, share = x.unbind(), self._share
        for j in range(1, len(nodes)):
            nodes[j].addcmul_(share[j - 1], nodes[j - 1])
        x *= self._parallel
        for j in reversed(range(len(nodes) - 1)):
            nodes[j].addcmul_(share[j], nodes[j + 1])

    def _for_lapack(self, share: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """D and the entries below the diagonal of L, all lines one after the other."""
        diagonal = self._parallel.reciprocal().movedim(0, -1).reshape(-1)
        below = -share
        below[-1] = 0.0
        below = below.movedim(0, -1).reshape(-1)[: max(1, len(diagonal) - 1)]
        return diagonal.numpy(), below.numpy()


@cache
def _dpttrs() -> Any:
    """LAPACK's solver; SciPy is loaded when it is first needed, not with the library."""
    from scipy.linalg import get_lapack_funcs

    return get_lapack_funcs(["pttrs"], dtype=np.float64)[0]
