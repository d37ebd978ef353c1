"""Tuning the read-out after programming: digital gain and offset, no cell is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from mho.arguments import checked
from mho.errors import invalid
from mho.hardware import Hardware
from mho.learning.batches import Inputs, batches_of
from mho.learning.evaluate import Net, evaluating
from mho.learning.hardware_by_layer import ByLayer, Candidate, by_layer, within
from mho.learning.layer_table import plain_part
from mho.learning.layers.composite import Composite
from mho.learning.layers.layer import ArrayLayer, memristive_layers
from mho.learning.repair.uses import Pass, in_order, note, plans

Per = Literal["layer", "column"]
Method = Literal["least-squares", "moments"]


@torch.no_grad()
@checked
def tune(
    net: Net,
    inputs: Inputs,
    per: Per = "column",
    trained_on: ByLayer | None = None,
    method: Method = "least-squares",
    reference: nn.Module | None = None,
) -> Net:
    """Fit read-out gain and offset of each chip, in place, on some inputs.

    Layer after layer, `a y + b` is fitted to what the layer would give for the same input with the
    weight that its levels stand for, over all its uses: those of all time steps of a recurrent
    layer, each vector counting once. Labels are not used. After Lammie et al.
    (10.1016/j.neucom.2022.02.043), who fit one gain and offset a layer on random inputs.

    Inputs are run in parts of some hundred; or in batches as given, where the first dimension is
    time, or passes are not alike (packed sequences, layers that not all inputs use).

    Least squares shrinks the gain where y is noisy (regression dilution): what follows the layer
    then sees outputs of less than the usual size. `"moments"` gives them the wanted mean and
    standard deviation instead.

    Args:
        net: a converted network, calibrated if its converters have bits.
        inputs: one batch (batch, ...), or several; see `mho.learning.batches.Inputs`.
        per: one gain and offset a layer and chip, or one a column and chip.
        trained_on: the chips whose spread `Variation` drew in training, if it did: the fit then
            aims at their mean response, to which the network has adapted. One for all layers, or
            by layer as in `convert`, None for a layer trained without.
        method: least squares, or equal mean and standard deviation.
        reference: a copy of the network before time passed on it: the fit then aims at what its
            arrays held and its read-out gave, as if its outputs had been kept. Compensates for
            drift (Joshi et al., 10.1038/s41467-020-16108-9) where a network was trained in place,
            so that what its levels stand for is not what it learnt to use.

    Returns:
        The network.

    Raises:
        ValueError: unknown `per` or `method`; a reference of other layers or chips; inputs that
            are none, zeros only, or not finite; a layer whose inputs or outputs become so; or a
            network of which no two passes are alike. The read-out is then as before.
    """
    parts = [*batches_of(inputs, "tune.inputs")]
    before = None if reference is None else _paired(net, reference)
    names = {layer: name for name, layer in memristive_layers(net).items()}
    spread = _trained_on(net, trained_on, "tune")

    def wanted(layer: ArrayLayer) -> Callable[[Tensor], Tensor]:
        if before is not None:
            return partial(_held, before[layer])
        return partial(_apply, layer, _wanted(layer, spread[layer]))

    def fit(passes: list[Pass]) -> ArrayLayer | None:
        untune(net)
        for layer in in_order(passes):
            moments = Moments(layer, wanted(layer))
            odd = note(net, passes, layer, moments.add)
            if odd is not None:
                return odd
            gain, offset = moments.fit(per, method)
            if not (gain.isfinite().all() and offset.isfinite().all()):
                allowed = "inputs for which those of every layer, and its outputs, are finite"
                raise invalid(f"tune.inputs at layer {names[layer]}", "nan or inf", allowed)
            _set(layer, gain, offset)
        return None

    with evaluating(net), _kept_on_error(list(names)):
        untune(net)
        odd = None
        for passes in plans(net, parts):
            if (odd := fit(passes)) is None:
                return net
        assert odd is not None
        what = f"one that uses layer {names[odd]!r} now more, now less often for the same inputs"
        raise invalid("tune.net", what, "a network whose passes are alike")


@torch.no_grad()
@checked
def correct(net: Net, trained_on: ByLayer | None = None) -> Net:
    """Set one read-out gain a layer, in place, from the known spread alone: no chip is measured.

    Spread in R raises the mean conductance, `E[1 / R] > 1 / E[R]`. The gain is the least-squares
    factor from the mean weight of the chips, `Store.expected`, to the wanted one; the offset is 0.
    What differs from device to device stays.

    Args:
        net: a converted network.
        trained_on: as in `tune`: the wanted weight is then the mean one of those chips.

    Returns:
        The network.
    """
    spread = _trained_on(net, trained_on, "correct")
    for layer in memristive_layers(net).values():
        wanted = _wanted(layer, spread[layer])
        mean = layer.with_factors(layer.store.expected())
        energy = mean.square().sum()
        gain = torch.where(energy > 0, (wanted * mean).sum() / energy.clamp(min=1e-30), 1.0)
        _set(layer, gain, torch.zeros_like(gain))
    return net


@checked
def untune(net: Net) -> Net:
    """Back to gain 1 and offset 0, in place; returns the network."""
    for layer in memristive_layers(net).values():
        layer.gain.fill_(1.0)
        layer.offset.zero_()
        layer.tuned = False
    return net


def _trained_on(
    net: nn.Module, given: ByLayer | None, verb: str
) -> dict[ArrayLayer, Hardware | None]:
    """The chips whose spread each layer was trained under.

    Raises:
        ValueError: a kind of chip on which the layer's levels are something else.
    """
    layers = memristive_layers(net)
    if given is None:
        return dict.fromkeys(layers.values())
    field = f"{verb}.trained_on"
    every = _candidates(plain_part(net))
    found: dict[ArrayLayer, Hardware | None] = {}
    choices = by_layer(field, given, every)
    for candidate, choice in zip(every, choices, strict=True):
        for part, hardware in (choice.parts or {"": choice.hardware}).items():
            layer = candidate.module.get_submodule(part)
            if not isinstance(layer, ArrayLayer):
                continue  # a digital matrix beside others on arrays
            found[layer], own = hardware, layer.hardware
            for what in ("mapping", "levels", "slices"):
                theirs = getattr(hardware or own, what)
                if theirs != getattr(own, what):
                    name = within(candidate.names[0], part)
                    allowed = f"{getattr(own, what)!r}, that of layer {name!r}; hardware may be "
                    allowed += "given by layer: {name: hardware}"
                    raise invalid(f"{field}, {what}", theirs, allowed)
    return found


def _candidates(net: nn.Module) -> list[Candidate]:
    """Layers of a converted network, as `convert` has named them."""
    every: list[Candidate] = []
    inside: set[nn.Module] = set()
    for name, module in net.named_modules():
        if isinstance(module, Composite):
            every.append(Candidate((name,), module, True, parts=module.part_names()))
            inside.update(module.modules())
        elif isinstance(module, ArrayLayer) and module not in inside:
            every.append(Candidate((name,), module, True))
    return every


def _wanted(layer: ArrayLayer, trained_on: Hardware | None) -> Tensor:
    """The weight (out, in) that a layer is to have."""
    held = layer.target if trained_on is None else layer.store.expected(trained_on)
    return layer.with_factors(held)


def _set(layer: ArrayLayer, gain: Tensor, offset: Tensor) -> None:
    """Read-out correction of a layer, each broadcast to (chips, out)."""
    layer.gain.copy_(gain.expand_as(layer.gain))
    layer.offset.copy_(offset.expand_as(layer.offset))
    layer.tuned = True


@contextmanager
def _kept_on_error(layers: list[ArrayLayer]) -> Iterator[None]:
    """Put the read-out of layers back to what it was if an error ends the block."""
    before = [(layer, layer.gain.clone(), layer.offset.clone(), layer.tuned) for layer in layers]
    try:
        yield
    except BaseException:
        for layer, gain, offset, tuned in before:
            _set(layer, gain, offset)
            layer.tuned = tuned
        raise


def _paired(net: nn.Module, reference: nn.Module) -> dict[ArrayLayer, ArrayLayer]:
    """Each layer with the one of the same name in the reference."""
    ours = memristive_layers(net)
    theirs = {name: m for name, m in reference.named_modules() if isinstance(m, ArrayLayer)}
    for name, layer in ours.items():
        if name not in theirs or theirs[name].effective.shape != layer.effective.shape:
            allowed = f"a copy of the network, same layers and chips; {name!r} is not as there"
            raise invalid("tune.reference", reference, allowed)
    return {layer: theirs[name] for name, layer in ours.items()}


def _held(layer: ArrayLayer, x: Tensor) -> Tensor:
    """What a layer's arrays give for inputs (chips * n, ...), read-out included, without bias."""
    product = layer.reading.product
    held = layer.effective.flatten(0, 1)  # (chips * out, in)
    return layer.corrected(product.columns(product.prepared(x), held, layer.chips))


def _apply(layer: ArrayLayer, weight: Tensor, x: Tensor) -> Tensor:
    """The layer's linear part with another weight (out, in), without bias."""
    product = layer.reading.product
    return product.columns(product.prepared(x), weight.to(x.dtype), 1)


class Moments:
    """Mean, variance and covariance of a layer's outputs, real and wanted, on each chip.

    Pooled over batches, each centred on its own mean, so that nothing cancels. All are
    (chips, out), float64.

    Args:
        layer: a layer of mapped chips.
        wanted: from the layer's inputs to the outputs that it is to give, without bias.
    """

    def __init__(self, layer: ArrayLayer, wanted: Callable[[Tensor], Tensor]) -> None:
        self.layer, self._wanted, self.samples = layer, wanted, 0
        zeros = layer.gain.new_zeros(layer.gain.shape, dtype=torch.float64)
        self.seen, self.wanted = zeros, zeros
        self.seen_var, self.wanted_var, self.cov = zeros, zeros, zeros

    def add(self, x: Tensor, output: Tensor) -> None:
        """Note a batch: inputs x and outputs (chips * batch, ...) of the layer, untuned."""
        layer = self.layer
        # each (chips, samples, out)
        seen, wanted = (self._by_column(y) for y in (output, self._wanted(x)))
        if layer.bias is not None:
            seen = seen - layer.bias
        n = seen.shape[1]
        self.samples += n
        share = n / self.samples
        # (chips, 1, out)
        means = [y.mean(1, keepdim=True) for y in (seen, wanted)]
        seen, wanted = seen - means[0], wanted - means[1]
        beyond = [
            m.squeeze(1) - old for m, old in zip(means, (self.seen, self.wanted), strict=True)
        ]

        def pooled(old: Tensor, a: Tensor, b: Tensor, far_a: Tensor, far_b: Tensor) -> Tensor:
            # (chips, samples, out) -> (chips, out)
            new = torch.linalg.vecdot(a, b, dim=1) / n
            return old + share * (new - old + (1 - share) * far_a * far_b)

        self.seen_var = pooled(self.seen_var, seen, seen, beyond[0], beyond[0])
        self.wanted_var = pooled(self.wanted_var, wanted, wanted, beyond[1], beyond[1])
        self.cov = pooled(self.cov, seen, wanted, *beyond)
        self.seen, self.wanted = self.seen + share * beyond[0], self.wanted + share * beyond[1]

    def fit(self, per: Per, method: Method) -> tuple[Tensor, Tensor]:
        """Gain and offset that bring the outputs to the wanted ones, each to (chips, out)."""
        seen, wanted = self.seen, self.wanted
        seen_var, wanted_var, cov = self.seen_var, self.wanted_var, self.cov
        if per == "layer":  # the columns' moments about the mean of all
            # (chips, out) -> (chips, 1), which `_set` broadcasts
            far = [m - m.mean(1, keepdim=True) for m in (seen, wanted)]
            seen_var = (seen_var + far[0] * far[0]).mean(1, keepdim=True)
            wanted_var = (wanted_var + far[1] * far[1]).mean(1, keepdim=True)
            cov = (cov + far[0] * far[1]).mean(1, keepdim=True)
            seen, wanted = seen.mean(1, keepdim=True), wanted.mean(1, keepdim=True)
        moments = method == "moments"
        ratio = (wanted_var / seen_var.clamp(min=1e-60)).sqrt() if moments else cov / seen_var
        gain = torch.where(seen_var > 0, ratio, 1.0)
        return gain, wanted - gain * seen

    def _by_column(self, y: Tensor) -> Tensor:
        """(chips * batch, ...) to (chips, samples, out)."""
        reading = self.layer.reading
        # (chips, batch, ...) -> (chips, batch, ..., out) -> (chips, samples, out)
        return reading.folded(y).movedim(reading.product.column_dim, -1).flatten(1, -2)
