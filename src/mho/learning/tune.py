"""Tuning the read-out after programming: digital gain and offset, no cell is written."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Shaped
from torch import Tensor, nn

from mho.errors import invalid
from mho.hardware import Hardware
from mho.learning.conv import MemristiveConv2d
from mho.learning.evaluate import evaluating
from mho.learning.layer import ArrayLayer, memristive_layers

Per = Literal["layer", "column"]
Method = Literal["least-squares", "moments"]


@torch.no_grad()
def tune(
    net: nn.Module,
    batch: Shaped[Tensor, "batch ..."],
    per: Per = "column",
    trained_on: Hardware | None = None,
    method: Method = "least-squares",
) -> None:
    """Fit read-out gain and offset of each chip on a batch of inputs.

    Layer after layer, `a y + b` is fitted to what the layer would give for the same input with the
    weight that its levels stand for. Labels are not used. After Lammie et al.
    (10.1016/j.neucom.2022.02.043), who fit one gain and offset a layer on random inputs.

    Least squares shrinks the gain where y is noisy (regression dilution): what follows the layer
    then sees outputs of less than the usual size. `"moments"` gives them the wanted mean and
    standard deviation instead.

    Args:
        net: a converted network, calibrated if its converters have bits.
        batch: inputs (batch, ...).
        per: one gain and offset a layer and chip, or one a column and chip.
        trained_on: the chips whose spread `Variation` drew in training, if it did: the fit then
            aims at their mean response, to which the network has adapted.
        method: least squares, or equal mean and standard deviation.

    Raises:
        ValueError: unknown `per` or `method`.
    """
    if per not in ("layer", "column"):
        raise invalid("tune.per", per, "'layer' or 'column'")
    if method not in ("least-squares", "moments"):
        raise invalid("tune.method", method, "'least-squares' or 'moments'")

    def fit(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        assert isinstance(layer, ArrayLayer)
        weight = layer.target if trained_on is None else layer.expected(trained_on)
        seen = output
        if layer.bias is not None:
            seen = output - layer.bias.view(-1, *(1,) * (-1 - layer.column_dim))
        # Chip by chip, so that what the fit passes over stays in a processor's cache.
        fits = [
            _fitted(_by_column(y, layer), _by_column(_apply(layer, x, weight), layer), per, method)
            for x, y in zip(inputs[0].chunk(layer.chips), seen.chunk(layer.chips), strict=True)
        ]
        gain, offset = (torch.stack(parts) for parts in zip(*fits, strict=True))
        _set(layer, gain, offset)
        return layer._readout(seen)

    def untuned(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, ArrayLayer)
        layer.tuned = False

    handles = []
    for layer in memristive_layers(net).values():
        handles += layer.register_forward_pre_hook(untuned), layer.register_forward_hook(fit)
    try:
        with evaluating(net):
            net(batch)
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def correct(net: nn.Module, trained_on: Hardware | None = None) -> None:
    """Set one read-out gain a layer from the known spread alone: no chip is measured.

    Spread in R raises the mean conductance, `E[1 / R] > 1 / E[R]`. The gain is the least-squares
    factor from the mean weight of the chips, `layer.expected()`, to the wanted one; the offset is
    0. What differs from device to device stays.

    Args:
        net: a converted network.
        trained_on: as in `tune`: the wanted weight is then the mean one of those chips.
    """
    for layer in memristive_layers(net).values():
        wanted = layer.target if trained_on is None else layer.expected(trained_on)
        mean = layer.expected()
        energy = mean.square().sum()
        gain = torch.where(energy > 0, (wanted * mean).sum() / energy.clamp(min=1e-30), 1.0)
        _set(layer, gain, torch.zeros_like(gain))


def untune(net: nn.Module) -> None:
    """Back to gain 1 and offset 0."""
    for layer in memristive_layers(net).values():
        layer.gain.fill_(1.0)
        layer.offset.zero_()
        layer.tuned = False


def _set(layer: ArrayLayer, gain: Tensor, offset: Tensor) -> None:
    """Read-out correction of a layer, each broadcast to (chips, out)."""
    layer.gain.copy_(gain.expand_as(layer.gain))
    layer.offset.copy_(offset.expand_as(layer.offset))
    layer.tuned = True


def _apply(layer: ArrayLayer, x: Tensor, weight: Tensor) -> Tensor:
    """The layer's linear part with another weight (out, in), without bias."""
    if isinstance(layer, MemristiveConv2d):
        kernel = weight.view_as(layer.weight)
        return F.conv2d(layer._padded(x), kernel, None, layer.stride, 0, layer.dilation)
    return F.linear(x, weight)


def _by_column(y: Tensor, layer: ArrayLayer) -> Tensor:
    """Outputs (batch, ...) of one chip as (samples, out)."""
    return y.movedim(layer.column_dim, -1).flatten(0, -2)


def _fitted(seen: Tensor, wanted: Tensor, per: Per, method: Method) -> tuple[Tensor, Tensor]:
    """Gain and offset (out,) that bring `seen` (samples, out) of one chip to `wanted`."""
    dims = (0, 1) if per == "layer" else (0,)
    seen_mean, wanted_mean = seen.mean(dims, keepdim=True), wanted.mean(dims, keepdim=True)
    seen_dev, wanted_dev = seen - seen_mean, wanted - wanted_mean
    variance = seen_dev.square().mean(dims, keepdim=True)
    if method == "moments":
        ratio = (wanted_dev.square().mean(dims, keepdim=True) / variance.clamp(min=1e-30)).sqrt()
    else:
        ratio = (seen_dev * wanted_dev).mean(dims, keepdim=True) / variance.clamp(min=1e-30)
    gain = torch.where(variance > 0, ratio, 1.0)
    offset = wanted_mean - gain * seen_mean
    out = seen.shape[1]
    return gain.squeeze(0).expand(out), offset.squeeze(0).expand(out)
