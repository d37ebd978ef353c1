"""What the spread of a kind of chip does to batch normalization, learned from simulated chips."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mho.arguments import checked
from mho.config import Range
from mho.errors import invalid
from mho.learning.batches import Inputs, batches_of
from mho.learning.convert import MOST_CHIPS, convert
from mho.learning.evaluate import find_missing_ranges
from mho.learning.hardware_by_layer import ByLayer
from mho.learning.layers.replace import copied
from mho.learning.repair.batchnorm import refresh_batchnorm
from mho.learning.repair.chip_batchnorm import ChipBatchNorm


@torch.no_grad()
@checked
def expect_batchnorm(
    model: nn.Module,
    hardware: ByLayer,
    inputs: Inputs,
    *,
    chips: Annotated[int, Range(least=2, most=MOST_CHIPS)] = 16,
    generator: torch.Generator | None = None,
) -> nn.Module:
    """Give batch normalization the statistics that chips of a kind show on average.

    The chips are simulated from the known spread; no real one is measured, and all get the same
    numbers. A network trained at one spread, or at none, so meets another one.

    Args:
        model: a network that is not converted; it is left untouched.
        hardware: the kind of chip, or one by layer, as in `convert`.
        inputs: one batch (batch, ...), or several of one size; the first sets ranges of
            converters. See `mho.learning.batches.Inputs`.
        chips: simulated chips to average over, at least 2.
        generator: as in `convert`.

    Returns:
        A copy of the model, ready for `convert`.

    Raises:
        ValueError: there is no batch, or no batch normalization, or nothing to convert.
    """
    if not any(isinstance(m, _BatchNorm) for m in model.modules()):
        raise invalid("model", model, "a network with batch normalization")
    batches = [*batches_of(inputs, "expect_batchnorm.inputs")]
    simulated = convert(model, hardware, chips, generator=generator)
    find_missing_ranges(simulated, [(batches[0],)])
    refresh_batchnorm(simulated, [(batch,) for batch in batches])
    out = copied(model)
    for name, norm in simulated.get_submodule("net").named_modules():
        if isinstance(norm, ChipBatchNorm):
            twin = out.get_submodule(name)
            assert isinstance(twin, _BatchNorm)
            assert twin.running_mean is not None
            assert twin.running_var is not None
            twin.running_mean.copy_(norm.mean.mean(0))
            twin.running_var.copy_(norm.variance.mean(0))
    return out
