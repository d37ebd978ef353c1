"""The drop-in linear layer."""

from __future__ import annotations

from typing import Self

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mho.hardware import Hardware
from mho.hardware.sensing import row_size
from mho.hardware.streams import seed_of
from mho.learning.layers.layer import ArrayLayer


class MemristiveLinear(ArrayLayer, nn.Linear):
    """`nn.Linear` on memristors: `y = x W^T + b` with W as the arrays hold it.

    Input (..., in_features), output (..., out_features); with chips above 1 the first dimension is
    (chips * batch), chip-major.

    Args:
        in_features, out_features, bias: as in torch; the bias stays digital.
        hardware: the kind of chip.
        chips: number of chips simulated at once.
        generator: source of the chips' seed; None: torch's default generator, as for the weight.

    Raises:
        ValueError: an impossible size, or a batch that the chips do not divide.
        RuntimeError: the shadow weight moved and the arrays were not written.
    """

    column_dim = -1

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        hardware: Hardware,
        chips: int = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        nn.Linear.__init__(self, in_features, out_features, bias)
        self._install(hardware, range(chips), seed_of(generator or torch.default_generator))

    @classmethod
    def adopt(cls, module: nn.Module, hardware: Hardware, chips: range, seed: int) -> Self:
        """The memristive twin of an `nn.Linear`."""
        assert isinstance(module, nn.Linear)
        self = cls.__new__(cls)
        bias = module.bias is not None
        nn.Linear.__init__(self, module.in_features, module.out_features, bias, device="meta")
        return self._adopt(module, hardware, chips, seed)

    def digital(self) -> nn.Linear:
        """A plain `nn.Linear` of the same shape, its parameters yet to be set."""
        return nn.Linear(self.in_features, self.out_features, self.bias is not None, device="meta")

    def forward(
        self, input: Float[Tensor, "*n {self.in_features}"]
    ) -> Float[Tensor, "*n {self.out_features}"]:
        """(..., in_features) to (..., out_features)."""
        self._begin(input)
        if self._converts_tiles:
            rows = self.dac(input).reshape(-1, self.in_features)
            y = self._read(rows, driven=True, by_tile=True)
            return self._readout(y.view(*input.shape[:-1], self.out_features))
        return self._readout(self._read(input))

    def _product(self, x: Tensor, w: Tensor) -> Tensor:
        if self.chips == 1:
            return F.linear(x, w)
        return self._each(x, self._fold(w).transpose(1, 2))

    def _as_rows(self, x: Tensor) -> Tensor:
        return x.reshape(-1, self.in_features)

    def _from_rows(self, y: Tensor, x: Tensor) -> Tensor:
        return y.view(*x.shape[:-1], y.shape[-1])

    def _gradients(
        self, grad: Tensor, x: Tensor, w: Tensor, needed: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        to_x = to_w = None
        if needed[0]:
            to_x = grad @ w if self.chips == 1 else self._each(grad, self._fold(w))
        if needed[1]:  # rows of all chips add up in one product
            if grad.dim() != 2:
                grad, x = grad.reshape(-1, grad.shape[-1]), x.reshape(-1, x.shape[-1])
            to_w = grad.T @ x
        return to_x, to_w

    def _each(self, x: Tensor, w: Tensor) -> Tensor:
        """Rows x (chips * n, ..., a) times each chip's matrix (chips, a, b)."""
        return torch.bmm(self._fold(x).flatten(1, -2), w).view(*x.shape[:-1], w.shape[2])

    _input_size = staticmethod(row_size)  # pyright: ignore[reportAssignmentType]
