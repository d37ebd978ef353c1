"""Two networks joined at the ends they share.

Each answers what it is given with a symmetric matrix M. What one answers at a shared end is, but
for its sign, what the other is given there:

    z = -(B_o b + B_s x),   x = -(A_o a + A_s z)

z: given to A at the shared ends; x: given to B there; a, b: given at all other ends; A_o and A_s:
rows of A at the shared ends over its other ends and over these; B likewise. Both solved for, as Z
and X over (a, b), the joined matrix is that of the other ends alone, with A_o^T Z added in the rows
of A and B_o^T X in those of B. The solution is a stationary point, so that

    dM = V^T d(A, B) V,     V: what A and B are given at all their ends, over (a, b)

and the derivative costs less than the function. (R. Redheffer, J. Math. Phys. 41 (1962) 1.)
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from mho.circuits.blocks import Seam

NARROW = 2
"""Up to this many shared ends, blocks are joined entry by entry, all blocks in one operation."""
WIDE = 32
"""From this many shared ends on, products leave out what is known to be zero or symmetric."""


def star_product(
    host: Float[Tensor, "k i j ends ends"], guest: Float[Tensor, "k i j others others"], seam: Seam
) -> Float[Tensor, "k i j n n"]:
    """Matrices over the ends left; first derivatives only."""
    joined: Any = _StarProduct.apply(host, guest, seam)
    return joined


class _StarProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, host: Tensor, guest: Tensor, seam: Seam) -> Tensor:
        join = _joined_narrow if seam.ends <= NARROW else _joined
        joined, to_host, to_guest = join(host, guest, seam)
        ctx.save_for_backward(to_host, to_guest)
        ctx.seam = seam
        return joined

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        if torch.is_grad_enabled():  # create_graph=True
            raise RuntimeError("effective conductances have first derivatives only")
        to_host, to_guest = ctx.saved_tensors
        seam: Seam = ctx.seam
        at, to, s = seam.at, seam.to, seam.ends
        outer = [(slice(at), slice(at)), (slice(at + s, None), slice(to, None))]
        host = _pulled_back(grads[0], to_host.flip(-2), slice(at, at + s), outer)
        outer = [(seam.guest_outer, slice(at, to))]
        return host, _pulled_back(grads[0], to_guest, seam.guest_shared, outer), None


def _joined(host: Tensor, guest: Tensor, seam: Seam) -> tuple[Tensor, Tensor, Tensor]:
    """Joined matrix; what host and guest are given at the shared ends (k, i, j, shared, n)."""
    batch, at, to, s = host.shape[:3], seam.at, seam.to, seam.ends
    n = host.shape[-1] + guest.shape[-1] - 2 * s
    answers = host.new_zeros(2, *batch, s, n)  # at the shared ends, to what is given elsewhere
    shared = host[..., at : at + s, :].flip(-2)
    answers[0, ..., :at], answers[0, ..., to:] = shared[..., :at], shared[..., at + s :]
    answers[1, ..., at:to] = guest[..., seam.guest_shared, seam.guest_outer]
    of_host, of_guest = answers.view(2, -1, s, n)
    in_host = shared[..., at : at + s].flip(-1).reshape(-1, s, s)
    in_guest = guest[..., seam.guest_shared, seam.guest_shared].reshape(-1, s, s)

    both = torch.eye(s, dtype=host.dtype, device=host.device) - in_guest @ in_host
    to_host = torch.linalg.solve(both, torch.baddbmm(of_guest, in_guest, of_host, beta=-1))
    to_guest = torch.baddbmm(of_host, in_host, to_host, beta=-1, alpha=-1)

    if s < WIDE:
        joined = torch.bmm(of_host.mT, to_host).baddbmm_(of_guest.mT, to_guest)
    else:
        joined = host.new_empty(len(of_host), n, n)
        torch.bmm(of_host[..., :at].mT, to_host, out=joined[:, :at])
        torch.bmm(of_host[..., to:].mT, to_host, out=joined[:, to:])
        middle = joined[:, at:to]
        torch.bmm(of_guest[..., at:to].mT, to_guest[..., at:to], out=middle[..., at:to])
        middle[..., :at], middle[..., to:] = joined[:, :at, at:to].mT, joined[:, to:, at:to].mT
    joined = joined.view(*batch, n, n)
    _add_own(joined, host, guest, seam)
    _normalize(joined, seam.driven)
    return joined, to_host.view(*batch, s, n), to_guest.view(*batch, s, n)


def _joined_narrow(host: Tensor, guest: Tensor, seam: Seam) -> tuple[Tensor, Tensor, Tensor]:
    """The same, entry by entry: (shared, n, k, i, j) and so on."""
    at, to, s = seam.at, seam.to, seam.ends
    a, b = (x.movedim((-2, -1), (0, 1)) for x in (host, guest))
    shared = a[at : at + s].flip(0)
    of_host = torch.cat([shared[:, :at], shared[:, at + s :]], 1)
    in_host = shared[:, at : at + s].flip(1)
    of_guest = b[seam.guest_shared, seam.guest_outer]
    in_guest = b[seam.guest_shared, seam.guest_shared]

    both = _inverse_of_one_minus(_times(in_guest, in_host))
    by_host, by_guest = _times(both, _times(in_guest, of_host)), -_times(both, of_guest)
    to_host = torch.cat([by_host[:, :at], by_guest, by_host[:, at:]], 1)
    by_host, by_guest = -(of_host + _times(in_host, by_host)), -_times(in_host, by_guest)
    to_guest = torch.cat([by_host[:, :at], by_guest, by_host[:, at:]], 1)

    n = to_host.shape[1]
    entries = host.new_empty(n, n, *host.shape[:3])
    of_host, of_guest = of_host.transpose(0, 1), of_guest.transpose(0, 1)
    _times(of_host[:at], to_host, out=entries[:at])
    _times(of_guest, to_guest, out=entries[at:to])
    _times(of_host[at:], to_host, out=entries[to:])
    joined, to_host, to_guest = (x.movedim((0, 1), (-2, -1)) for x in (entries, to_host, to_guest))
    _add_own(joined, host, guest, seam)
    return joined, to_host, to_guest


def _times(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    """Matrix product over the first two dimensions, of few terms."""
    out = torch.mul(a[:, 0, None], b[None, 0], out=out)
    for k in range(1, a.shape[1]):
        out.addcmul_(a[:, k, None], b[None, k])
    return out


def _inverse_of_one_minus(matrix: Tensor) -> Tensor:
    """(1 - matrix)^-1 over the first two dimensions, 1 x 1 or 2 x 2."""
    if len(matrix) == 1:
        return 1 / (1 - matrix)
    (p, q), (r, s) = (1 - matrix[0, 0], matrix[0, 1]), (matrix[1, 0], 1 - matrix[1, 1])
    return torch.stack([torch.stack([s, q]), torch.stack([r, p])]) / (p * s - q * r)


def _add_own(joined: Tensor, host: Tensor, guest: Tensor, seam: Seam) -> None:
    """Add what host and guest answer by themselves."""
    at, to, s = seam.at, seam.to, seam.ends
    joined[..., :at, :at] += host[..., :at, :at]
    joined[..., :at, to:] += host[..., :at, at + s :]
    joined[..., to:, :at] += host[..., at + s :, :at]
    joined[..., to:, to:] += host[..., at + s :, at + s :]
    joined[..., at:to, at:to] += guest[..., seam.guest_outer, seam.guest_outer]


def _normalize(matrix: Tensor, driven: int) -> None:
    """All driven ends at 1 V put the others at 1 V: made true to the last digit again.

    Rounding cannot add up from join to join then; it costs float32 a factor of ten otherwise.
    """
    voltages = matrix[..., driven:, :driven]
    scale = -1 / voltages.sum(-1, keepdim=True)
    voltages *= scale
    matrix[..., :driven, driven:] *= scale.mT


def _pulled_back(
    grad: Tensor, given: Tensor, shared: slice, outer: list[tuple[slice, slice]]
) -> Tensor:
    """V grad V^T of one side, grad symmetric; `outer`: its other ends, and where they are now."""
    through = given @ grad
    size = given.shape[-2] + sum(len(range(grad.shape[-1])[there]) for _, there in outer)
    pulled = grad.new_empty(*grad.shape[:3], size, size)
    for here, there in outer:
        for here_too, there_too in outer:
            pulled[..., here, here_too] = grad[..., there, there_too]
        pulled[..., shared, here] = through[..., there]
        pulled[..., here, shared] = through[..., there].mT
    pulled[..., shared, shared] = through @ given.mT
    return pulled
