"""Errors that the row drivers of one layer are made with: drawn for each chip, always the same."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from mho.hardware.dac import DAC
from mho.hardware.own_errors import OwnErrors


class Errors(NamedTuple):
    """Errors of the drivers of all chips, float32."""

    gain: Float[Tensor, "chips inputs"]
    """Factor of what each driver applies [1]."""
    offset: Float[Tensor, "chips inputs"]
    """What is added to that [LSB]."""
    tables: Float[Tensor, "chips inputs codes"]
    """What is added to each code before, lowest first [LSB]; no codes: nothing."""


class DriverErrors(OwnErrors[Errors]):
    """Errors of the DACs of one layer, one for each input.

    Arrays that stand side by side and take the same inputs are driven by the same drivers; so are
    the two rows of interleaved pairs.

    Args:
        dac: what they are.
        bits: resolution.
        signed: whether codes have a sign; the word of code c is then c + 2^(bits - 1).
        inputs: of the layer.
    """

    kind: ClassVar[str] = "dac"

    def __init__(self, dac: DAC, bits: int, signed: bool, inputs: int) -> None:
        super().__init__()
        self.dac, self.bits, self.signed, self.inputs = dac, bits, signed, inputs
        self.by_sign = signed and bits == 1
        """Whether codes are -1 and 1, and 0 is no input."""
        self.least = -(2 ** (bits - 1)) + 1 if signed else 0
        """Lowest code."""

    def _drawn(self) -> Errors:
        dac, n = self.dac, self.inputs
        gain, offset = (
            1 + dac.gain * self._normal("gain", n),
            dac.offset * self._normal("offset", n),
        )
        numbers, tables = dac.numbers(self.bits), torch.empty(len(self._chips), n, 0)
        if numbers and not self.by_sign:
            z = self._normal("levels", n * numbers).unflatten(1, (n, numbers))
            # a chip at a time, in double precision; the lowest word is of no code with a sign
            words = (dac.nonlinearity(one, self.bits).float() for one in z)
            tables = torch.stack([each[:, 1:] if self.signed else each for each in words])
        return Errors(gain.float(), offset.float(), tables)

    def applied(
        self, x: Float[Tensor, "rows inputs"], steps: Float[Tensor, " chips"], some: slice
    ) -> Float[Tensor, "rows inputs"]:
        """What drivers of some chips apply for converted inputs x (chips * n, inputs).

        Args:
            steps: of the DACs of each of these chips, in units of x.
            some: which of the chips.
        """
        gain, offset, tables = (t[some] for t in self.on(x.device))
        step = steps.to(x.device, torch.float32).view(-1, 1, 1)
        # (chips * n, inputs) -> (chips, n, inputs)
        values = x.unflatten(0, (len(gain), -1)).float()
        u = torch.where(step == 0, 0.0, values / step)
        if tables.shape[-1]:
            codes = torch.nan_to_num(u).round_().long().sub_(self.least)
            # (chips, inputs, codes) taken at (chips, inputs, n)
            off = tables.gather(2, codes.clamp_(0, tables.shape[2] - 1).transpose(1, 2))
            u = u + off.transpose(1, 2)
        out = (u * gain.unsqueeze(1)).add_(offset.unsqueeze(1)).mul_(step)
        out = torch.where(values == 0, 0.0, out) if self.by_sign else out
        return out.flatten(0, 1).to(x.dtype)
