"""The weight of a layer as chips would hold it, as a parametrization."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mho.hardware import Hardware
from mho.hardware.mapping import level_index, level_value
from mho.hardware.philox import normals, words
from mho.hardware.streams import key
from mho.kernels import native, ties
from mho.kernels.noisy_weights import noisy_weights
from mho.learning.layers.graphs import check_not_recomputed, uncompiled
from mho.learning.layers.inputs import check_input
from mho.learning.noise_aware.errors import Errors, errors_of
from mho.learning.noise_aware.kinds import Blocks
from mho.learning.noise_aware.recorded import check_plain

_NOTHING = 2.0**-100
"""Full scales below that are those of zeros, as in `mho.hardware.full_scale`."""

_HARMLESS = 2.0**-20
"""Full scale of zeros where none of the levels is 0."""

_NO_ERRORS = np.zeros((0, 0), np.float32)
_NO_CHOICE = np.zeros(0, np.int16)


class ChipWeight(nn.Module):
    """Replaces a weight by what a chip would hold of it.

    Each block is clipped to `clip` times its root mean square; the full scale s of a matrix is the
    largest |w| that is left. In train mode each pass sees another chip:

        level(w) + amount * s * (error of programming + error of the read)

    and in eval mode level(w), what a perfect chip holds. The gradient passes straight through; to
    weights that are clipped only where it brings them back.

    Args:
        owner: what errors call it.
        hardware: the kind of chip.
        blocks: which weights are clipped together.
        clip: largest weight in root mean squares; None: all that there is.
        amount: factor of the errors.
        reads: whether the error of a read is added here.
        seed: of what is drawn, which depends on it and on the number of passes alone.
    """

    step: Tensor
    """Passes in train mode so far, int64 ()."""

    def __init__(
        self,
        owner: str,
        hardware: Hardware,
        blocks: Blocks,
        clip: float | None,
        amount: float,
        *,
        reads: bool,
        seed: int,
    ) -> None:
        super().__init__()
        self.owner, self.hardware, self.blocks = owner, hardware, blocks
        self.clip, self.amount, self.reads, self.seed = clip, amount, reads, seed
        self.edge: Tensor | None = None
        """Full scale of the matrix of each block, in the last pass."""
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    @uncompiled
    def forward(self, w: Tensor) -> Float[Tensor, "*n"]:
        """Weight as one chip would hold it, same shape and type."""
        if not isinstance(w, Tensor) or not w.is_floating_point():
            check_input(self.owner, w)
        if not w.numel():
            return w
        check_plain(self.owner)
        if self.training:
            check_not_recomputed(self.owner, "what it draws")
            self.step += 1
        return _StraightThrough.apply(w, self)  # type: ignore[return-value]

    @torch.no_grad()
    def clipped(self, w: Tensor) -> Tensor:
        """Weights, clipped, same shape."""
        wide = w.detach().float().reshape(self.blocks.shape)
        limit = self._limits(wide).view(self._shape)
        return wide.clamp(-limit, limit).view_as(w).to(w.dtype)

    @property
    def _shape(self) -> list[int]:
        """Of the limits, next to that of the blocks."""
        return [1 if d in self.blocks.over else n for d, n in enumerate(self.blocks.shape)]

    def _limits(self, w: Tensor) -> Float[Tensor, " blocks"]:
        """Largest weight of each block, once it is clipped."""
        over = self.blocks.over
        limits = torch.maximum(w.amax(over), -w.amin(over)).flatten()
        if self.clip is None:
            return limits
        size = torch.linalg.vector_norm(w, dim=over).flatten()
        return torch.minimum(limits, size * (self.clip / (w.numel() // limits.numel()) ** 0.5))

    def _edges(self, limits: Float[Tensor, " blocks"]) -> Float[Tensor, " blocks"]:
        """Full scale of the matrix of each block: as `mho.hardware.full_scale` has it."""
        matrices = self.blocks.matrices
        edge = limits
        if len(limits) > matrices:
            edge = limits.view(matrices, -1).amax(1, keepdim=True)
            edge = edge.expand(matrices, len(limits) // matrices).reshape(-1)
        idle = self.blocks.inputs**-0.5 if self.hardware.levels % 2 else _HARMLESS
        return torch.where(edge < _NOTHING, idle, edge)

    @property
    def _in_rows(self) -> bool:
        """Whether blocks follow each other in memory."""
        return self.blocks.over == (1,) and len(self.blocks.shape) == 2

    def held(self, w: Tensor) -> tuple[Tensor, Tensor | None]:
        """What a chip holds of weights; and the limits (blocks,), if some lie beyond theirs."""
        shaped = w.detach().float().reshape(self.blocks.shape)
        limits = self._limits(shaped)
        self.edge = edge = self._edges(limits)
        several = len(limits) > self.blocks.matrices
        limit = limits.view(self._shape)
        clipped = shaped.clamp(-limit, limit) if several else shaped
        drawn = self.training and self.amount > 0
        errors = errors_of(self.hardware, self.amount, str(w.device)) if drawn else None
        if self._in_rows and native(clipped, edge):
            held, beyond = self._compiled(clipped, edge, errors)
        else:
            held, beyond = self._in_torch(clipped, edge.view(self._shape), errors)
        if errors is not None and self.reads and errors.read > 0:
            z = normals([key(self.seed, "read", int(self.step))], w.numel(), w.device)
            z = z.view(self.blocks.shape).mul_(edge.view(self._shape))
            held = held.view_as(z).add_(z, alpha=errors.read)
        if several:
            beyond = bool((shaped.abs() > limit).any())
        return held.view_as(w).to(w.dtype), limits if beyond else None

    def _choices(self, n: int, device: torch.device) -> Tensor:
        """Random int16 (n,)."""
        stream = key(self.seed, int(self.step))
        return words([stream], (n + 1) // 2, device)[0].view(torch.int16)[:n]

    def _compiled(self, w: Tensor, edge: Tensor, errors: Errors | None) -> tuple[Tensor, bool]:
        out, n = torch.empty_like(w), w.numel()
        table = _NO_ERRORS if errors is None else errors.of_levels.numpy()
        which = _NO_CHOICE if errors is None else self._choices(n, w.device).numpy()
        toward = ties.directions(n, w.device).numpy()
        given, made = w.view(-1).numpy(), out.view(-1).numpy()
        beyond = noisy_weights(
            given, edge.numpy(), self.hardware.levels, toward, table, which, made
        )
        return out, beyond > 0

    def _in_torch(self, w: Tensor, edge: Tensor, errors: Errors | None) -> tuple[Tensor, bool]:
        n = self.hardware.levels
        index = level_index(w.div(edge), 1.0, n)
        held = level_value(index, 1.0, n)
        if errors is not None:
            rows, size = errors.of_levels.shape
            row = index if rows == n else (index * (rows - 1) + (n - 1) // 2) // (n - 1)
            which = self._choices(w.numel(), w.device).view(w.shape).long() & (size - 1)
            held = held + errors.of_levels.view(-1)[row * size + which]
        return held * edge, bool((w.abs() > edge).any())


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, w: Tensor, chip: ChipWeight) -> Tensor:
        held, limits = chip.held(w)
        ctx.chip = None if limits is None else chip
        ctx.save_for_backward(*(() if limits is None else (w, limits)))
        return held

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (grad,) = grads
        if ctx.chip is None:
            return grad, None
        w, limits = ctx.saved_tensors
        shaped = w.detach().reshape(ctx.chip.blocks.shape)
        away = (shaped.abs() > limits.view(ctx.chip._shape)).view(w.shape) & (grad * w < 0)
        return grad.masked_fill(away, 0.0), None
