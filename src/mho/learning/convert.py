"""From a torch network to one on simulated chips, and back."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from mho.arguments import checked
from mho.config import Range
from mho.errors import invalid, warn
from mho.hardware import Crossbar
from mho.hardware.share import in_percent
from mho.hardware.streams import seed_of
from mho.learning.hardware_by_layer import ByLayer, Choice
from mho.learning.layer_table import (
    holders,
    named,
    shares,
    summarize,
    unsummarize,
)
from mho.learning.layers.arithmetic import FixedPointArithmetic
from mho.learning.layers.bound import check_functions
from mho.learning.layers.chips import Chips
from mho.learning.layers.composite import Composite
from mho.learning.layers.conversion import Conversion, check_has_values, check_layouts
from mho.learning.layers.fused import fuse, unfuse
from mho.learning.layers.hooks import carry, drop_marked, is_strict, stays
from mho.learning.layers.layer import ArrayLayer, memristive_layers
from mho.learning.layers.recomputed import recomputed
from mho.learning.layers.replace import rebuild
from mho.learning.noise_aware.noise_aware import (
    TrainedRanges,
    hand_over,
    is_noise_aware,
    without_noise,
)
from mho.learning.repair.chip_batchnorm import ChipBatchNorm
from mho.learning.repair.chip_linear import ChipLinear
from mho.learning.selection import Selection, selected
from mho.learning.twins import twin_of, weights_taken_by

EXCLUDED_ROWS = "_excluded_rows"
"""Attribute of a converted network: names of rows that were said to stay digital."""

MOST_CHIPS = 1_000_000
"""Chips of one network."""


@checked
def convert(
    model: nn.Module,
    hardware: ByLayer,
    chips: Annotated[int, Range(least=1, most=MOST_CHIPS)] | None = None,
    *,
    generator: torch.Generator | None = None,
    first_chip: Annotated[int, Range(least=0)] = 0,
    strict: bool = False,
) -> nn.Module:
    """Put the weights of a network on simulated chips; the input model is untouched.

    Every layer that can be on arrays is replaced by its memristive twin; all else is copied. A
    weight under `quantize` is taken as its eval-mode value. A parameter that several layers share
    stays one, trained as one; each layer has arrays of its own for it. Hooks stay; those by which
    torch computes a weight anew at each pass (weight norm, pruning) do not: the weight is taken as
    they compute it, and what is pruned stays 0. Of a network of `noise_aware` the trained weights
    are taken, clipped, and the ranges that were found in training are kept by the converters: of
    inputs, and of outputs where one converter serves a whole column.

    Warns, once a call, of layers with weights that stay digital although `hardware` does not say
    so; `mho.coverage` lists all.

    Args:
        model: any network.
        hardware: the kind of chip; or by layer, None for one that stays digital: a mapping of names
            or patterns, of which the first that matches counts (`{"head": None, "*": hardware}`),
            or a function of (name, layer), asked of all with weights. The matrices of a layer of
            several may be named each; see `ByLayer`. Where a network has a parameter of its own,
            that parameter's name may be excluded too.
        chips: None: one chip, outputs as before; n: n chips, outputs (chips, batch, ...).
        generator: source of the chips' seed; None: torch's default generator. A seed is drawn from
            it, so that networks converted one after another are on different chips.
        first_chip: number of the first chip, for a Monte Carlo done in parts.
        strict: refuse what is warned of else.

    Raises:
        ValueError: nothing to convert; a key of `hardware` that no layer has, or a layer that no
            key matches; one with options that arrays do not have; a function kept by the model that
            holds a layer of it; a parameter that is shared in two layouts or has no values; a
            non-finite weight; chips below 1; with `strict`, a layer with weights that would stay
            digital.
    """
    plan = planned(model, hardware, strict)
    net = plan.on_chips(seed_of(generator), first_chip, chips)
    plan.warn(net)
    return net


class Plan(NamedTuple):
    """Which layers of a network are to be on arrays."""

    model: nn.Module
    """Without what `noise_aware` put around it."""
    trained: dict[str, TrainedRanges]
    """Ranges of converters that were found in noise-aware training, by layer."""
    layers: Selection
    """Which layers are put on arrays, and which stay digital."""

    def on_chips(self, seed: int, first_chip: int, chips: int | None) -> nn.Module:
        """The network on chips of a seed; arguments as of `convert`."""
        which = range(first_chip, first_chip + (chips or 1))
        copies: dict[int, object] = {}
        splits: dict[int, list[nn.Parameter]] = {}
        taken: set[nn.Module] = set()
        placed: list[tuple[nn.Module, nn.Module, list[object]]] = []

        def conversion(name: str, choice: Choice) -> Conversion:
            assert choice.hardware is not None
            return Conversion(name, choice.hardware, which, seed, copies, splits, choice.parts)

        def replace(name: str, module: nn.Module) -> nn.Module | None:
            twin, choice = twin_of(module), self.layers.chosen.get(module)
            if twin is None or choice is None or module in taken:
                taken.update(weights_taken_by(module))
                return None
            if issubclass(twin, Composite) or not twin.as_torch:
                check_layouts(self.model, name, module)
            modes = [(part, part.training) for part in module.modules()]
            module.eval()
            try:
                with recomputed(name or type(module).__name__, module) as hooks:
                    layer = twin.adopt(module, conversion(name, choice))
            finally:
                for part, mode in modes:
                    part.training = mode
            placed.append((module, layer, hooks))
            return layer.train(module.training)

        net = rebuild(self.model, replace, copies)
        for old, new, hooks in placed:
            carry(old, new, copies, hooks)
        hand_over(net, self.trained)
        unfuse(net)
        net.register_load_state_dict_pre_hook(_check_states)
        net.register_load_state_dict_post_hook(_after_states)
        net.__dict__[EXCLUDED_ROWS] = self.layers.excluded
        net = net if chips is None else Chips(net, chips)
        summarize(net)
        return net

    def warn(self, net: nn.Module) -> None:
        """Say what stays digital in the network on chips, if anything does."""
        if not (digital := self.layers.digital):
            return
        share = in_percent(shares([each.row for each in holders(net)]))
        warn(
            f"mho.convert: {named(digital)} stay digital: {share} of the weights are on "
            "arrays. mho.coverage(net) lists all layers; strict=True refuses such networks; "
            "hardware={name: None, '*': hardware} says that this is intended"
        )


def planned(model: nn.Module, hardware: ByLayer, strict: bool) -> Plan:
    """What `convert` is to do; errors as there."""
    if any(isinstance(m, ArrayLayer | Chips) for m in model.modules()):
        raise invalid("model", model, "a network that is not converted yet")
    check_functions(model)
    trained: dict[str, TrainedRanges] = {}
    if is_noise_aware(model):
        model, trained = without_noise(model)
    for name, module in model.named_modules():
        if twin_of(module) is not None:
            check_has_values(name, module)
    return Plan(model, trained, selected(model, hardware, strict))


@stays
def _check_states(
    net: nn.Module,
    state: dict[str, Any],
    prefix: str,
    *_: object,
) -> None:
    """Refuse a state of another network or other hardware before any of it is loaded."""
    modules = [(f"{prefix}{name}." if name else prefix, m) for name, m in net.named_modules()]
    for inside, module in modules:
        if isinstance(module, Composite | ArrayLayer):
            module.translate(state, inside)
    own = [prefix + name for name, _ in net.named_parameters()]
    own += [f"{inside}crossbar.level" for inside, each in modules if isinstance(each, ArrayLayer)]
    lacking = [name for name in own if name not in state]
    if lacking and is_strict():
        given = f"entries {', '.join(map(str, [*state][:3]))}, ..."
        allowed = (
            f"those of this network, on as many chips; {lacking[0]} is not there (strict=False "
            "loads what is there, weights without arrays too)"
        )
        raise invalid("state_dict", given if state else "no entries", allowed)
    for inside, module in modules:
        if isinstance(module, ArrayLayer):
            module.check_state(state, inside)
        _check_shapes(module, state, inside)
    for module in net.modules():
        if isinstance(module, ArrayLayer):
            module.begin_load()


def _check_shapes(module: nn.Module, state: dict[str, Any], prefix: str) -> None:
    """Refuse entries of other shapes, which torch would refuse after it has loaded others; a module
    that loads in a way of its own is left to it."""
    ours = isinstance(module, ArrayLayer | Crossbar)
    torchs = type(module)._load_from_state_dict.__module__.startswith("torch.nn.")
    if not ours and (not torchs or module._load_state_dict_pre_hooks):
        return
    for name, mine in [*module._parameters.items(), *module._buffers.items()]:
        if isinstance(module, ArrayLayer) and name.startswith("weight"):
            continue  # of which there may be another layout
        theirs = state.get(prefix + name)
        if not isinstance(mine, Tensor) or is_lazy(mine) or not isinstance(theirs, Tensor):
            continue
        if theirs.shape != mine.shape and (mine.dim() or theirs.shape != (1,)):
            allowed = f"{tuple(mine.shape)} of the network that loads the state"
            raise invalid(f"{prefix}{name}, of shape", tuple(theirs.shape), allowed)


@stays
def _after_states(net: nn.Module, _incompatible: object) -> None:
    """Called when a state was loaded."""
    for module in net.modules():
        if isinstance(module, ArrayLayer):
            module.end_load()


@checked
def to_digital(net: nn.Module, chip: int | None = None) -> nn.Module:
    """The plain torch network: with the shadow weights, or with those that one chip realizes.

    Args:
        net: a converted network; or one of `noise_aware`, which gives the trained weights, clipped.
        chip: None: shadow weights, shared ones as one parameter; k: the effective weights, tuned
            read-out included, of chip k, those of each layer its own.

    Raises:
        ValueError: the chip does not exist, or the network computes in fixed point, which no layer
            of torch's does.
    """
    if is_noise_aware(net):
        if chip is not None:
            raise invalid("chip", chip, "None for a network that is not on chips")
        return without_noise(net)[0]
    layers = memristive_layers(net)
    if any(isinstance(m, FixedPointArithmetic) for m in net.modules()):
        raise invalid("net", "in fixed point", "the network that mho.fixed_point was given")
    chips = next(iter(layers.values())).chips
    if chip is not None and not 0 <= chip < chips:
        raise invalid("chip", chip, f"None or 0 to {chips - 1}")
    return plain(net, chip)


def plain(net: nn.Module, chip: int | None) -> nn.Module:
    """As `to_digital`, of any network; fixed point is left out."""

    copies: dict[int, object] = {}
    placed: list[tuple[nn.Module, nn.Module]] = []

    def replace(_name: str, module: nn.Module) -> nn.Module | None:
        made = plain_of(module)
        if made is not None:
            placed.append((module, made))
        return made

    def plain_of(module: nn.Module) -> nn.Module | None:
        if isinstance(module, ChipBatchNorm) and module.chips == 1:
            return module.of_chip(0)
        if isinstance(module, ChipBatchNorm | ChipLinear):
            if chip is None:
                norm = isinstance(module, ChipBatchNorm)
                part = "batch normalization" if norm else "a refitted layer"
                raise invalid("chip", chip, f"a number: {part} is each chip's own")
            return module.of_chip(chip)
        if isinstance(module, Composite):
            return module.digital(values, shared)
        if not isinstance(module, ArrayLayer):
            return None
        layer, (weight, bias) = module.digital(), values(module)
        layer.weight = shared(module.weight, nn.Parameter(module.to_torch(weight)))
        layer.bias = None if bias is None else nn.Parameter(bias)  # type: ignore[assignment]
        return layer.train(module.training)

    def shared(mine: Tensor, made: nn.Parameter) -> nn.Parameter:
        """One parameter for all that share a shadow weight; weights of cells are each layer's."""
        if chip is not None:
            return made
        known = copies.setdefault(id(mine), made)
        assert isinstance(known, nn.Parameter)
        copies[id(known)] = known
        return known

    def values(layer: ArrayLayer) -> tuple[Tensor, Tensor | None]:
        weight = layer.weight.detach().clone()
        bias = None if layer.bias is None else layer.bias.detach().clone()
        if layer.pruned:
            weight, bias = layer.kept(weight, bias)
        if chip is not None:
            gain, offset = layer.gain[chip], layer.offset[chip]
            held = layer.with_factors(layer.effective[chip])
            weight = (held * gain.unsqueeze(1)).view_as(weight)
            if layer.tuned:
                bias = offset.clone() if bias is None else bias + offset
        return weight, bias

    if isinstance(net, Chips):
        with net.kept.showing(net.net, chip or 0):
            made = rebuild(net.net, replace, copies)
    else:
        made = rebuild(net, replace, copies)
    for old, new in placed:
        carry(old, new, copies)
    drop_marked(made)
    fuse(made)
    unsummarize(made)
    return made
