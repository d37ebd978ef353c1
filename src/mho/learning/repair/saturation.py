"""How many conversions saturate, and how much of their range converters use."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor, nn

from mho.arguments import checked
from mho.hardware.converters import Converter
from mho.hardware.tally import Tally
from mho.learning.batches import Inputs, batches_of, run, taking
from mho.learning.evaluate import evaluating
from mho.learning.layers.layer import memristive_layers


@dataclass(frozen=True, kw_only=True)
class Conversions:
    """Conversions of one kind in one layer, counted chip by chip."""

    conversions: Int64[Tensor, " chips"]
    """Values converted; in a convolution a DAC takes each pixel once. 0 if exact."""
    saturated: Int64[Tensor, " chips"]
    """Values beyond the largest code, and nan."""
    squares: Int64[Tensor, " chips"]
    """Squares of the codes, summed."""
    most: int
    """Largest code; 0 if exact."""

    @property
    def share(self) -> Float64[Tensor, " chips"]:
        """Share of the conversions that saturated; nan if there were none."""
        return self.saturated.double() / self.conversions

    @property
    def loading(self) -> Float64[Tensor, " chips"]:
        """Root mean square of the codes in shares of the largest; nan if there were none."""
        return (self.squares.double() / self.conversions).sqrt() / self.most


@dataclass(frozen=True, kw_only=True)
class LayerSaturation:
    """Conversions of one layer."""

    dac: Conversions
    adc: Conversions


@torch.no_grad()
@checked
def saturation(
    net: nn.Module,
    inputs: Inputs,
) -> dict[str, LayerSaturation]:
    """Count the conversions that saturate in each layer, on each chip.

    A value saturates if its nearest code is beyond the largest one: no gradient passes it then.
    With serial inputs the ADC converts each bit's currents, with slices each slice's.

    Args:
        net: a converted network, calibrated if its converters have bits and no fixed range.
        inputs: one batch (batch, ...), or several; see `mho.learning.batches.Inputs`.

    Returns:
        Counts by layer name.

    Raises:
        ValueError: no memristive layer, no batch, or nan or inf in one.
        RuntimeError: a converter has no range yet.
    """
    layers = memristive_layers(net)
    converters = [c for layer in layers.values() for c in (layer.dac, layer.adc)]
    with evaluating(net):
        for converter in converters:
            converter.tally = Tally(converter.shape, squares=True)
        try:
            for x in batches_of(inputs, "saturation.inputs"):
                with taking(x, "saturation.inputs"):
                    run(net, x)
            counted = {
                name: LayerSaturation(dac=_counted(layer.dac), adc=_counted(layer.adc))
                for name, layer in layers.items()
            }
        finally:
            for converter in converters:
                converter.tally = None
    return counted


def _counted(converter: Converter) -> Conversions:
    tally = converter.tally
    assert tally is not None
    assert tally.squares is not None
    chips = converter.chips
    each = torch.full((chips,), tally.conversions // chips, dtype=torch.int64)
    saturated = torch.zeros_like(each)
    if tally.saturated is not None:
        # (chips, *own) -> (chips,)
        saturated = tally.saturated.reshape(chips, -1).sum(1).cpu()
    return Conversions(
        conversions=each, saturated=saturated, squares=tally.squares, most=converter.most
    )
