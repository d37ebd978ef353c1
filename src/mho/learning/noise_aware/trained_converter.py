"""A converter whose range is found in training, in plain torch."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn

from mho.errors import NotReady
from mho.hardware import Hardware
from mho.hardware.converters import Converter, calibration, check_not_negative, signs
from mho.kernels import native
from mho.kernels.trained_range import back, convert
from mho.learning.layers.processes import wrapper

Ranges = Literal["learnt", "following"]

MOST_SATURATED = 0.05
"""Share of a batch that saturates at a learnt range before that is widened."""


class TrainedConverter(nn.Module):
    """A DAC or ADC whose range is found in training.

    The first batch in train mode sets the range, so that it covers `Hardware.coverage` of the
    magnitudes. Learnt, the range is then moved by its own gradient: its logarithm is a parameter,
    as in Jain et al. 2020 (TQT, arXiv:1903.08066), with the gradient through rounding and
    saturation, scaled by `1 / sqrt(values * codes)` as in Esser et al. 2020 (LSQ,
    arXiv:1902.08153). An optimizer moves it by a small part a step, while what it converts may
    grow manifold as a network learns; so it also widens, by `Hardware.range_growth`, after a batch
    of which more than `MOST_SATURATED` saturates. Following, it widens so after a batch of which
    more saturates than its coverage leaves out. In eval mode it stands still.

    Attributes:
        found (ranges): range that the first batch set, widened since; 0: there is none yet.
        log_factor (ranges): of the range to that one, a parameter; None unless learnt.

    Args:
        owner: what errors call the layer.
        kind: "DAC" or "ADC".
        bits: resolution, sign included.
        hardware: says coverage and growth.
        how: what moves the range; a number: nothing, it is that.
        own: dimension with a range for each place, and its size.
        column_dim: that of the columns, from the end, where there are such.
    """

    found: Tensor

    def __init__(
        self,
        owner: str,
        kind: str,
        bits: int,
        hardware: Hardware,
        how: Ranges | float,
        own: dict[int, int] | None = None,
        column_dim: int = -1,
    ) -> None:
        super().__init__()
        self.owner, self.column_dim = owner, column_dim
        self.found_in_training = isinstance(how, str)
        growth = hardware.range_growth if isinstance(how, str) else 1.0
        signed = hardware.signed_inputs or kind != "DAC"
        how_many = (kind, bits, hardware.coverage, 1)
        self.converter = Converter(*how_many, own=own, growth=growth, signed=signed)
        self.allowed = 1 - hardware.coverage
        """Share of a batch that may saturate before the range widens."""
        if how == "learnt":
            self.allowed = max(self.allowed, MOST_SATURATED)
        shape = self.converter.shape
        start = 0.0 if isinstance(how, str) else how
        self.register_buffer("found", torch.full(shape, start))
        self.log_factor = nn.Parameter(torch.zeros(shape)) if how == "learnt" else None

    @property
    def ranges(self) -> Tensor | None:
        """Largest value of each range; None: there is none yet."""
        found = self.found.detach()
        if not found.any():
            return None
        return found if self.log_factor is None else found * self.log_factor.detach().exp()

    def forward(
        self,
        x: Float[Tensor, "*n"],
        bias: Float[Tensor, " columns"] | None = None,
        factors: Float[Tensor, " columns"] | None = None,
    ) -> Float[Tensor, "*n"]:
        """Converted values, same shape and type.

        Args:
            bias: what x has in it that does not go through the converter.
            factors: of the columns, by which the range of each differs.

        Raises:
            NotReady: there is no range yet, in eval mode.
            ValueError: the range was to be found from nan or inf; x is negative where inputs have
                no sign.
        """
        if not self.converter.signed:
            check_not_negative(x, self.owner)
        ranges, y = self.ranges, x
        if ranges is None and x.numel():
            ranges = self._first(self._bare(x, bias, factors))
        if ranges is not None and x.numel():
            grid = self._grid(x, ranges, bias, factors)
            y = _Converted.apply(x, bias, self.log_factor, grid)
            if self.training and self.converter.follows:
                self._widen(x, grid)
        if self.training and self.found_in_training:
            self._agree()
        return y  # type: ignore[return-value]

    def _bare(self, x: Tensor, bias: Tensor | None, factors: Tensor | None) -> Tensor:
        """What the converter sees."""
        x = x.detach()
        x = x if bias is None else x - self._along(bias, x)
        return x if factors is None else x / self._along(factors, x)

    def _along(self, values: Tensor, x: Tensor) -> Tensor:
        """Values of the columns as they broadcast over x."""
        return values.detach().view(-1, *(1,) * (-1 - self.column_dim)).to(x.dtype)

    def _grid(
        self, x: Tensor, ranges: Tensor, bias: Tensor | None, factors: Tensor | None
    ) -> _Grid:
        columns, pixels = 1, x.numel()
        if bias is not None or factors is not None or ranges.numel() > 1:
            columns = x.shape[self.column_dim]
            pixels = math.prod(x.shape[self.column_dim :][1:])
        step: float | Tensor
        if factors is None and ranges.numel() == 1:
            step = ranges.item() / self.converter.most
        else:
            step = ranges.flatten().double() / self.converter.most
            step = step if factors is None else step * factors.flatten()
        return _Grid(self, step, columns, pixels)

    def _first(self, x: Tensor) -> Tensor | None:
        """The range of a first batch; None where all of it is 0."""
        if not self.training:
            raise NotReady(
                f"{self.owner}: the {self.converter.kind} has {self.converter.bits} bits and no "
                "range yet: train, or run one batch in train mode"
            )
        if not x.any():
            return None
        with calibration({self.owner: [self.converter]}):
            self.converter.keeping(x, keep=False)
        found = self.converter.ranges
        assert found is not None
        self.found.copy_(found)
        return self.ranges

    def _widen(self, x: Tensor, grid: _Grid) -> None:
        """Widen ranges of which too much saturated."""
        saturated = grid.saturated.view(self.found.numel(), -1).sum(1).view(self.found.shape)
        if not saturated.any():
            return
        share = saturated.to(self.found) * (self.found.numel() / max(1, x.numel()))
        over = share > self.allowed + 1e-9
        if over.any() and bool(torch.isfinite(x).all()):
            self.found.copy_(torch.where(over, self.converter.growth * self.found, self.found))

    def _agree(self) -> None:
        """Have the processes that train one network go on with the widest range of any."""
        ddp = wrapper()
        if ddp is None or not ddp.will_sync_module_buffers():
            return
        if dist.get_world_size(ddp.process_group) > 1:
            dist.all_reduce(self.found, dist.ReduceOp.MAX, ddp.process_group)


class _Grid:
    """What one conversion rounds to.

    Attributes:
        by: whose it is.
        most: steps to either side.
        columns, pixels: values are (n, columns, pixels).
        saturated: values that did, of each column or of all; set by the conversion.

    Args:
        step: distance between neighbouring values, float64, one or (columns,).
    """

    saturated: Tensor

    def __init__(
        self, by: TrainedConverter, step: float | Tensor, columns: int, pixels: int
    ) -> None:
        self.by, self.most = by, by.converter.most
        self._step, self.columns, self.pixels = step, columns, pixels
        self._arrays: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def _inverse(self) -> float | Tensor:
        step = self._step
        if not isinstance(step, Tensor):
            return 1 / step if step else 0.0
        return step.reciprocal().masked_fill_(step == 0, 0.0)

    def arrays(self, bias: Tensor | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Bias, inverse and step, as kernels take them."""
        if self._arrays is None:
            inverse, step = (
                np.broadcast_to(np.asarray(each, np.float32), (self.columns,)).copy()
                for each in (self._inverse, self._step)
            )
            self._arrays = inverse, step
        about = np.zeros(self.columns, np.float32) if bias is None else bias.detach().numpy()
        return about, *self._arrays

    def shaped(self, x: Tensor) -> np.ndarray:
        """Values as kernels take them."""
        return x.detach().numpy().reshape(-1, self.columns, self.pixels)

    def codes(self, x: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor, float | Tensor]:
        """In torch: values without their bias, their codes, not saturated, and the step."""
        v = x if bias is None else x - self.by._along(bias, x)
        per, lsb = (
            self.by._along(t.to(x.device), x) if isinstance(t, Tensor) else t
            for t in (self._inverse, self._step)
        )
        codes = v * per
        return v, signs(codes) if self.by.converter.by_sign else codes.round_(), lsb

    def native(self, *tensors: Tensor | None) -> bool:
        """Whether kernels know these codes."""
        return not self.by.converter.by_sign and native(*tensors)


class _Converted(torch.autograd.Function):
    """Conversion with gradients to the values and to the logarithm of the range.

    With c the converted value of v, dc / d log(range) is c - v, and c where it saturates. The bias
    takes part in the sum that x is too: here it gets what did not pass.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, bias: Tensor | None, log_factor: Tensor | None, grid: _Grid
    ) -> Tensor:
        ctx.grid = grid
        ctx.save_for_backward(x, bias, log_factor)
        if grid.native(x, bias):
            y, counts = torch.empty_like(x), torch.empty(grid.columns, dtype=torch.int64)
            into = grid.shaped(y), counts.numpy()
            convert(grid.shaped(x), *grid.arrays(bias), grid.most, *into)
            grid.saturated = counts
            return y
        _, codes, step = grid.codes(x, bias)
        edged = codes.clamp(-grid.most, grid.most)
        beyond = codes != edged  # nan included
        if grid.columns > 1 and grid.by.found.numel() > 1:
            others = [d for d in range(x.dim()) if d != x.dim() + grid.by.column_dim]
            grid.saturated = beyond.sum(others) if others else beyond.long()
        else:
            grid.saturated = beyond.sum()
        y = edged.mul_(step)
        return y if bias is None else y + grid.by._along(bias, x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, bias, log_factor = ctx.saved_tensors
        grid, (grad,) = ctx.grid, grads
        grad = grad.contiguous() if x.is_contiguous() else grad
        if grid.native(grad, x, bias):
            to_x = torch.empty_like(grad)
            to_range, lost = torch.empty(2, grid.columns, dtype=torch.float64)
            about, inverse, step = grid.arrays(bias)
            back(
                grid.shaped(grad), grid.shaped(x), about, inverse, step, grid.most,
                grid.shaped(to_x), to_range.numpy(), lost.numpy(),
            )  # fmt: skip
        else:
            to_x, to_range, lost = _back_in_torch(grad, x, bias, grid)
        to_bias = lost.to(grad.dtype) if bias is not None and ctx.needs_input_grad[1] else None
        if log_factor is None:
            return to_x, to_bias, None, None
        codes = (x[:1] if x.dim() > 1 else x).numel() * grid.most
        to_range = to_range.view(log_factor.numel(), -1).sum(1).to(log_factor.dtype)
        return to_x, to_bias, (to_range * max(codes, 1) ** -0.5).view_as(log_factor), None


def _back_in_torch(
    grad: Tensor, x: Tensor, bias: Tensor | None, grid: _Grid
) -> tuple[Tensor, Tensor, Tensor]:
    """As the kernel `back`."""
    v, codes, step = grid.codes(x, bias)
    edged = codes.clamp(-grid.most, grid.most)
    to_x = torch.where(codes == edged, grad, 0.0)
    wide = (t.float() if t.element_size() < 4 else t for t in (grad, edged * step, to_x, v))
    given, c, through, v = wide
    each = torch.stack([given * c - through * v, given - through])
    if grid.columns == 1:
        to_range, lost = each.flatten(1).sum(1, keepdim=True)
        return to_x, to_range, lost
    column = each.dim() + grid.by.column_dim
    to_range, lost = each.sum([d for d in range(1, each.dim()) if d != column])
    return to_x, to_range, lost
