"""From a torch network to one on simulated chips, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from mho.arguments import checked
from mho.config import Range
from mho.errors import invalid
from mho.hardware import Hardware
from mho.hardware.streams import seed_of
from mho.learning.layers.arithmetic import FixedPointArithmetic
from mho.learning.layers.chips import Chips
from mho.learning.layers.composite import Composite
from mho.learning.layers.conversion import Conversion, check_has_values, check_layouts
from mho.learning.layers.fused import fuse, unfuse
from mho.learning.layers.layer import ArrayLayer, memristive_layers
from mho.learning.layers.replace import rebuild
from mho.learning.repair.batchnorm import ChipBatchNorm
from mho.learning.repair.chip_linear import ChipLinear
from mho.learning.twins import TWINS, twin_of, weights_taken_by

MOST_CHIPS = 1_000_000
"""Chips of one network."""


@checked
def convert(
    model: nn.Module,
    hardware: Hardware,
    chips: Annotated[int, Range(least=1, most=MOST_CHIPS)] | None = None,
    *,
    generator: torch.Generator | None = None,
    first_chip: Annotated[int, Range(least=0)] = 0,
    select: Callable[[str, nn.Module], bool] | None = None,
) -> nn.Module:
    """Put the weights of a network on simulated chips; the input model is untouched.

    Every `nn.Linear` and `nn.Conv2d` is replaced by its memristive twin; all else is copied. A
    weight under `quantize` is taken as its eval-mode value.

    Args:
        model: any network.
        hardware: the kind of chip.
        chips: None: one chip, outputs as before; n: n chips, outputs (chips, batch, ...).
        generator: source of the chips' seed; None: torch's default generator. A seed is drawn from
            it, so that networks converted one after another are on different chips.
        first_chip: number of the first chip, for a Monte Carlo done in parts.
        select: called with (name, layer); False leaves the layer digital.

    Raises:
        ValueError: nothing to convert, a grouped convolution, a non-finite weight, chips below 1.
    """
    if any(isinstance(m, ArrayLayer | Chips) for m in model.modules()):
        raise invalid("model", model, "a network that is not converted yet")
    seed = seed_of(generator)
    which = range(first_chip, first_chip + (chips or 1))
    copies: dict[int, object] = {}
    taken: set[nn.Module] = set()

    def replace(name: str, module: nn.Module) -> nn.Module | None:
        twin = twin_of(module)
        if twin is None or module in taken or (select is not None and not select(name, module)):
            taken.update(weights_taken_by(module))
            return None
        check_has_values(name, module)
        if not getattr(twin, "as_torch", True):
            check_layouts(model, name, module)
        modes = [(part, part.training) for part in module.modules()]
        module.eval()
        try:
            layer = twin.adopt(module, Conversion(name, hardware, which, seed, copies))
        finally:
            for part, mode in modes:
                part.training = mode
        return layer.train(module.training)

    net = rebuild(model, replace, copies)
    if not any(isinstance(m, ArrayLayer) for m in net.modules()):
        kinds = " or ".join(f"nn.{kind.__name__}" for kind in TWINS)
        if select is not None and any(map(twin_of, model.modules())):
            raise invalid("select", select, f"a function that is true of at least one {kinds}")
        raise invalid("model", model, f"a network with at least one {kinds}")
    unfuse(net)
    net.register_load_state_dict_pre_hook(_check_states)
    return net if chips is None else Chips(net, chips)


def _check_states(
    net: nn.Module,
    state: dict[str, Any],
    prefix: str,
    _versions: object,
    strict: bool,
    *_: object,
) -> None:
    """Refuse a state of another network or other hardware before any of it is loaded."""
    for name, module in net.named_modules():
        if isinstance(module, Composite):
            module.translate(state, f"{prefix}{name}." if name else prefix)
    own = [prefix + name for name, _ in net.named_parameters()]
    lacking = [name for name in own if name not in state]
    if strict and lacking:
        given = f"entries {', '.join(map(str, [*state][:3]))}, ..."
        allowed = f"those of this network, on as many chips; {lacking[0]} is not there"
        raise invalid("state_dict", given if state else "no entries", allowed)
    for name, module in net.named_modules():
        if isinstance(module, ArrayLayer):
            module.check_state(state, f"{prefix}{name}." if name else prefix)


@checked
def to_digital(net: nn.Module, chip: int | None = None) -> nn.Module:
    """The plain torch network: with the shadow weights, or with those that one chip realizes.

    Args:
        net: a converted network.
        chip: None: shadow weights; k: the effective weights, tuned read-out included, of chip k.

    Raises:
        ValueError: the chip does not exist, or the network computes in fixed point, which no layer
            of torch's does.
    """
    layers = memristive_layers(net)
    if any(isinstance(m, FixedPointArithmetic) for m in net.modules()):
        raise invalid("net", "in fixed point", "the network that mho.fixed_point was given")
    chips = next(iter(layers.values())).chips
    if chip is not None and not 0 <= chip < chips:
        raise invalid("chip", chip, f"None or 0 to {chips - 1}")

    def replace(_name: str, module: nn.Module) -> nn.Module | None:
        if isinstance(module, ChipBatchNorm | ChipLinear):
            if chip is None:
                norm = isinstance(module, ChipBatchNorm)
                part = "batch normalization" if norm else "a refitted layer"
                raise invalid("chip", chip, f"a number: {part} is each chip's own")
            return module.of_chip(chip)
        if isinstance(module, Composite):
            return module.digital(values)
        if not isinstance(module, ArrayLayer):
            return None
        plain, (weight, bias) = module.digital(), values(module)
        plain.weight = nn.Parameter(module.to_torch(weight))
        plain.bias = None if bias is None else nn.Parameter(bias)  # type: ignore[assignment]
        return plain.train(module.training)

    def values(layer: ArrayLayer) -> tuple[Tensor, Tensor | None]:
        weight = layer.weight.detach().clone()
        bias = None if layer.bias is None else layer.bias.detach().clone()
        if chip is not None:
            gain, offset = layer.gain[chip], layer.offset[chip]
            weight = (layer.effective[chip] * gain.unsqueeze(1)).view_as(weight)
            if layer.tuned:
                bias = offset.clone() if bias is None else bias + offset
        return weight, bias

    plain = rebuild(net.net if isinstance(net, Chips) else net, replace)
    fuse(plain)
    return plain
