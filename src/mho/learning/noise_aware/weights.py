"""The weight of a layer as chips would hold it, as a parametrization."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mho.hardware import Hardware
from mho.hardware.mapping import level_index, level_value
from mho.hardware.philox import normals, words
from mho.hardware.streams import key
from mho.kernels import native, ties
from mho.kernels.noisy_weights import block_sizes, held_back, noisy_weights
from mho.learning.layers.graphs import check_not_recomputed, uncompiled
from mho.learning.layers.inputs import check_input
from mho.learning.noise_aware.array_view import ArrayView
from mho.learning.noise_aware.errors import Errors, errors_of, level_with_errors
from mho.learning.noise_aware.recorded import check_plain, with_own_seed

_NOTHING = 2.0**-100
"""Full scales below that are those of zeros, as in `mho.hardware.full_scale`."""

_HARMLESS = 2.0**-20
"""Full scale of zeros where none of the levels is 0."""

_NO_ERRORS = np.zeros((0, 0), np.float32)
_NO_CHOICE = np.zeros(0, np.int16)


class ChipWeight(nn.Module):
    """Replaces a weight by what a chip would hold of it.

    Weights are clipped to `clip` times the root mean square of their matrix or column; the full
    scale s of a matrix, or of a column, is the largest |w| that is left, in each pass anew. In
    train mode each pass sees another chip:

        level(w) + amount * s * (error of programming + error of the read)

    and in eval mode level(w), what a perfect chip holds. The gradient passes straight through; to
    weights that are clipped only where it brings them back.

    Args:
        owner: what errors call it.
        hardware: the kind of chip; says what has a full scale of its own.
        view: of the layer that the weight is of.
        matrices: that stand one after another in the weight.
        clip: largest weight in root mean squares; None: all that there is.
        per: whether these are of a matrix (of a layer, most often) or of each column.
        amount: factor of the errors.
        reads: whether the error of a read is added here.
        seed: of what is drawn, which depends on it and on the number of passes alone.
    """

    step: Tensor
    """Passes in train mode so far, int64 ()."""
    seed: Tensor
    """Of what is drawn, int64 ()."""

    def __init__(
        self,
        owner: str,
        hardware: Hardware,
        view: ArrayView,
        matrices: int,
        clip: float | None,
        amount: float,
        *,
        per: Literal["layer", "column"],
        reads: bool,
        seed: int,
    ) -> None:
        super().__init__()
        self.owner, self.hardware, self.view, self.matrices = owner, hardware, view, matrices
        self.per = per
        self.clip, self.amount, self.reads = clip, amount, reads
        self.edge: Tensor | None = None
        """Full scale of each matrix, or column, in the last pass."""
        self.levels = hardware.levels
        self._drawn: dict[str, Errors] = {}
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self.register_buffer("seed", torch.tensor(seed))
        self.register_load_state_dict_pre_hook(with_own_seed)

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
        rows = self.view.rows(w.detach().float())
        limits = self._limits(rows)[0].unsqueeze(1)
        held = rows.view(len(limits), -1).clamp(-limits, limits)
        return self.view.weight(held.view(rows.shape), w).to(w.dtype)

    def _limits(self, rows: Float[Tensor, "out in"]) -> tuple[Float[Tensor, " blocks"], bool]:
        """Largest weight of each column or matrix, once it is clipped; and whether any is."""
        blocks = rows.view(max(self._clipped_apart(rows), self._scaled_apart(rows)), -1)
        if native(blocks):
            limits = rows.new_empty(len(blocks))
            squares = torch.empty(len(blocks), dtype=torch.float64)
            block_sizes(rows.view(-1).numpy(), limits.numpy(), squares.numpy())
        else:
            limits = torch.maximum(blocks.amax(1), -blocks.amin(1))
            squares = torch.linalg.vector_norm(blocks, dim=1).double().square()
        if self.clip is None:
            return limits, False
        together = squares.view(self._clipped_apart(rows), -1).sum(1)
        most = self.clip * (together * (len(together) / rows.numel())).sqrt()
        each = limits.view(len(together), -1)
        clipped = torch.minimum(each, most.to(each.dtype).unsqueeze(1)).flatten()
        return clipped, not torch.equal(clipped, limits)

    def _clipped_apart(self, rows: Tensor) -> int:
        return len(rows) if self.per == "column" else self.matrices

    def _scaled_apart(self, rows: Tensor) -> int:
        return len(rows) if self.hardware.full_scale_per == "column" else self.matrices

    def _edges(
        self, limits: Float[Tensor, " blocks"], rows: Float[Tensor, "out in"]
    ) -> Float[Tensor, " scales"]:
        """Full scale of each matrix, or column: as `mho.hardware.full_scale` has them."""
        odd, scales = self.levels % 2 == 1, self._scaled_apart(rows)
        whole = limits.view(self.matrices, -1).amax(1)
        whole = torch.where(whole < _NOTHING, rows.shape[1] ** -0.5 if odd else _HARMLESS, whole)
        if scales == self.matrices:
            return whole
        idle = (whole if odd else whole * _HARMLESS).repeat_interleave(scales // self.matrices)
        return torch.where(limits > _NOTHING, limits, idle)

    def held(self, w: Tensor) -> tuple[Tensor, Tensor | None]:
        """What a chip holds of weights; and the limits (blocks,), if some lie beyond theirs."""
        rows = self.view.rows(w.detach().float())
        limits, beyond = self._limits(rows)
        self.edge = edge = self._edges(limits, rows)
        several = len(limits) > len(edge)
        clipped = rows
        if several:
            limit = limits.unsqueeze(1)
            clipped = rows.clamp(-limit, limit)
        errors = self._errors(w.device) if self.training and self.amount > 0 else None
        blocks = clipped.view(len(edge), -1)
        made = self._compiled if native(blocks, edge) else self._in_torch
        held = made(blocks, edge, errors)
        if (
            errors is not None
            and self.reads
            and (isinstance(errors.read, Tensor) or errors.read > 0)
        ):
            z = normals([key(int(self.seed), "read", int(self.step))], w.numel(), w.device)
            z = z.view(blocks.shape).mul_(edge.unsqueeze(1))
            if isinstance(errors.read, Tensor):
                level = level_with_errors(blocks / edge.unsqueeze(1), len(errors.read))
                held = held.addcmul_(z, errors.read[level])
            else:
                held = held.add_(z, alpha=errors.read)
        held = self.view.weight(held.view(rows.shape), w).to(w.dtype)
        return held, limits if beyond else None

    def _errors(self, device: torch.device) -> Errors:
        drawn = self._drawn.get(str(device))
        if drawn is None:
            drawn = self._drawn[str(device)] = errors_of(self.hardware, self.amount, str(device))
        return drawn

    def _choices(self, n: int, device: torch.device) -> Tensor:
        """Random int16 (n,)."""
        stream = key(int(self.seed), int(self.step))
        return words([stream], (n + 1) // 2, device)[0].view(torch.int16)[:n]

    def _compiled(self, w: Tensor, edge: Tensor, errors: Errors | None) -> Tensor:
        out, n = torch.empty_like(w), w.numel()
        table = _NO_ERRORS if errors is None else errors.of_levels.numpy()
        which = _NO_CHOICE if errors is None else self._choices(n, w.device).numpy()
        toward = ties.directions(n, w.device).numpy()
        given, made = w.view(-1).numpy(), out.view(-1).numpy()
        noisy_weights(given, edge.numpy(), self.levels, toward, table, which, made)
        return out

    def _in_torch(self, w: Tensor, edge: Tensor, errors: Errors | None) -> Tensor:
        n = self.levels
        edges = edge.unsqueeze(1)
        index = level_index(w.div(edges), 1.0, n)
        held = level_value(index, 1.0, n)
        if errors is not None:
            rows, size = errors.of_levels.shape
            row = index if rows == n else (index * (rows - 1) + (n - 1) // 2) // (n - 1)
            which = self._choices(w.numel(), w.device).view(w.shape).long() & (size - 1)
            held = held + errors.of_levels.view(-1)[row * size + which]
        return held * edges


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
        view = ctx.chip.view
        if native(grad, w) and view.in_order:
            kept = torch.empty_like(grad)
            flat = (t.detach().view(-1).numpy() for t in (grad, w, limits, kept))
            held_back(*flat)
            return kept, None
        blocks = view.rows(w.detach()).view(len(limits), -1)
        away = view.weight(blocks.abs() > limits.unsqueeze(1), w)
        return grad.masked_fill(away & (grad * w < 0), 0.0), None
