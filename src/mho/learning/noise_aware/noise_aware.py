"""A network that trains as if its weights were on chips, and the way from it to plain torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mho.arguments import checked
from mho.config import Range
from mho.errors import invalid
from mho.hardware import Hardware
from mho.hardware.store import check_finite
from mho.hardware.streams import derived_seed, seed_of
from mho.learning.hardware_by_layer import ByLayer, Choice, within
from mho.learning.layers.composite import Composite
from mho.learning.layers.conversion import check_has_values
from mho.learning.layers.fused import unfuse
from mho.learning.layers.layer import ArrayLayer
from mho.learning.layers.replace import copied, holder_of
from mho.learning.noise_aware.array_view import ArrayView
from mho.learning.noise_aware.conversions import Conversions
from mho.learning.noise_aware.recurrent import draw_once, keep_weights
from mho.learning.noise_aware.trained_converter import Ranges
from mho.learning.noise_aware.weights import ChipWeight
from mho.learning.selection import selected
from mho.learning.twins import twin_of

Net = TypeVar("Net", bound=nn.Module)

CONVERSIONS = "conversions"
"""Name of what is added to a layer."""

CLIP = 2.5
"""Of Joshi et al. 2020 (10.1038/s41467-020-16108-9), who clip to 2 or 2.5 standard deviations."""


@checked
def noise_aware(
    model: Net,
    hardware: ByLayer,
    *,
    generator: torch.Generator | None = None,
    weight_noise: Annotated[float, Range(least=0.0, most=100.0)] = 1.0,
    output_noise: Annotated[float, Range(least=0.0, most=1.0)] = 0.0,
    ranges: Ranges | None = "learnt",
    clip: Annotated[float, Range(least=0.1, most=100.0)] | None = CLIP,
    clip_per: Literal["layer", "column"] | None = None,
) -> Net:
    """A copy of a network that is trained as any other and meets another chip at each pass.

    Each weight that arrays can hold is quantized, and in train mode is off its level by what cells
    of this kind are off theirs; inputs and outputs pass converters; reads are noisy. In eval mode
    weights are at their levels, converters convert, and nothing is random: what a perfect chip
    gives. The model is untouched. Any optimizer and loop may follow; gradients pass straight
    through, as in Joshi et al. 2020 (10.1038/s41467-020-16108-9).

    `mho.convert` of the trained network puts its weights on chips and keeps the ranges of its
    inputs, and of outputs where one converter serves a whole column and they are no recurrent or
    attention layer's; `mho.to_digital` gives the
    plain network with the trained weights.

    Args:
        model: any network; docs/noise-aware.md in the source distribution lists the kinds of
            layers.
        hardware: the kind of chip, or of each layer, as for `mho.convert`; a layer with None is
            left as it is. Wires, placement and errors that converters are made with are left
            aside, their noise is not. `Hardware.full_scale` is `clip`.
        generator: source of the seed of all that is drawn; None: torch's default generator.
        weight_noise: factor of the errors of programming and of reads [1].
        output_noise: standard deviation of what is added to each output, in ranges of the ADC [1].
        ranges: how the converters' ranges are found: "learnt" by gradient, "following" what
            saturates, or None: nothing is converted. See `TrainedConverter`.
        clip: largest weight, in root mean squares of the weights of a layer or column [1]; None:
            the largest there is. The largest that is left stands at the edge of the window.
        clip_per: whether that is of a layer or of each column; None: of what has a full scale of
            its own, `Hardware.full_scale_per`.

    Returns:
        The copy; its layers are of the same classes and names.

    Raises:
        ValueError: no layer to train so, a network on chips already or noise-aware already, a
            weight that is no finite parameter, `Hardware.full_scale`, or `output_noise` without
            ADC.
    """
    _check(model)
    for name, module in model.named_modules():
        if twin_of(module) is not None:
            check_has_values(name, module)
    chosen = selected(model, hardware, strict=False).chosen
    layers = [
        _chips(name, ArrayView(module), chosen[module])
        for name, module in model.named_modules()
        if module in chosen
    ]
    for name, view, chips in layers:
        for chip in {*chips.values()}:
            _check_hardware(chip, output_noise, ranges)
        _check_weights(name, model.get_submodule(name), view)
    seed = seed_of(generator)
    net = copied(model)
    for name, view, chips in layers:
        layer, own = net.get_submodule(name), derived_seed(seed, name)
        for path, matrices in view.weights.items():
            per = clip_per or chips[path].full_scale_per
            weight = ChipWeight(
                within(name, path), chips[path], view, matrices, clip, weight_noise,
                per=per, reads=not view.columns, seed=derived_seed(own, path),
            )  # fmt: skip
            parametrize.register_parametrization(*holder_of(layer, path), weight, unsafe=True)
        draw_once(layer)
        converts = Conversions(
            name or type(layer).__name__, view, _driven(view, chips), ranges, weight_noise,
            output_noise, derived_seed(own, "output"),
        )  # fmt: skip
        layer.add_module(CONVERSIONS, converts)
        converts.to(next(layer.parameters()).device)
        layer.register_forward_pre_hook(converts.drive, with_kwargs=True)
        if view.columns:
            layer.register_forward_hook(converts.sense, with_kwargs=True, prepend=True)
        for part in layer.modules():
            part.training = layer.training
    unfuse(net)
    return net


class TrainedRanges(NamedTuple):
    """Ranges of the converters of one layer that training has found; None: there are none."""

    inputs: Tensor | None
    outputs: Tensor | None


def is_noise_aware(net: nn.Module) -> bool:
    """Whether a network has layers of `noise_aware`."""
    return any(isinstance(m, ChipWeight | Conversions) for m in net.modules())


def without_noise(net: Net) -> tuple[Net, dict[str, TrainedRanges]]:
    """A plain copy of a noise-aware network, weights clipped as they were trained, and the ranges
    of each layer by name."""
    plain, ranges = copied(net), {}
    for name, layer in list(plain.named_modules()):
        converts = layer._modules.get(CONVERSIONS)
        if isinstance(converts, Conversions):
            each = (c and c.ranges for c in (converts.dac, converts.adc))
            ranges[name] = TrainedRanges(*each)
            _unhook(layer, converts)
    for layer in list(plain.modules()):
        if parametrize.is_parametrized(layer):
            _release(layer)
    return plain, ranges


def hand_over(net: nn.Module, ranges: Mapping[str, TrainedRanges]) -> None:
    """Fix the ranges that training has found into the converters of a converted network; of a layer
    of several matrices into those that read its inputs as they are."""
    for name, found in ranges.items():
        layer = net.get_submodule(name)
        if isinstance(layer, Composite):
            for part in layer.driven():
                if isinstance(driven := layer.get_submodule(part), ArrayLayer):
                    driven.reading.fix_ranges(found.inputs, None)
        elif isinstance(layer, ArrayLayer):
            layer.reading.fix_ranges(found.inputs, found.outputs)


# ---------------------------------------------------------------- which chip for which weight


class _Chips(NamedTuple):
    """A layer, and the kind of chip of each of its weights."""

    name: str
    view: ArrayView
    of_weights: dict[str, Hardware]


def _chips(name: str, view: ArrayView, choice: Choice) -> _Chips:
    """The kind of chip of each weight of a layer, those that stay digital left out.

    Raises:
        ValueError: matrices that are one parameter in torch, or that are driven by the same
            converters, are said to be on chips that differ in these, or some of them digital.
    """
    assigned: dict[str, Hardware] = {}
    for path in view.weights:
        said = {part: choice.parts[part] for part, entry in view.parts.items() if entry == path}
        every = {*(said.values() or [choice.hardware])}
        if len(every) > 1:
            what, one = "several kinds of chips", "one kind"
            if None in every:
                what, one = "None for a part of it", "one kind, or None,"
            allowed = f"{one} for {', '.join(said)}: in torch they are one parameter"
            raise invalid(f"hardware for {within(name, path)!r}", what, allowed)
        (kind,) = every
        if kind is not None:
            assigned[path] = kind
    driven = {path: assigned[path] for path in view.driven if path in assigned}
    left = [path for path in view.driven if path not in assigned]
    if driven and left:
        allowed = f"a kind of chip, as {within(name, next(iter(driven)))!r} has one: the same "
        allowed += "converters drive both"
        raise invalid(f"hardware for {within(name, left[0])!r}", None, allowed)
    view.leave_out({*view.weights} - {*assigned})
    for field in ("dac_bits", "signed_inputs", "dac_range", "coverage", "range_growth"):
        values = [getattr(chip, field) for chip in driven.values()]
        if len({*values}) > 1:
            allowed = f"the same for {', '.join(driven)}, which the layer's inputs drive"
            raise invalid(f"Hardware.{field} of {name or 'the layer'}", values, allowed)
    return _Chips(name, view, assigned)


def _driven(view: ArrayView, of_weights: dict[str, Hardware]) -> Hardware:
    """The kind of chip whose converters the inputs of a layer pass."""
    return of_weights[next(iter(view.driven or view.weights))]


# ---------------------------------------------------------------- what cannot be


def _check(model: nn.Module) -> None:
    if any(isinstance(m, ArrayLayer) for m in model.modules()):
        allowed = "a network before mho.convert; mho.to_digital gives one back"
        raise invalid("model", model, allowed)
    if is_noise_aware(model):
        raise invalid("model", model, "a network that is not noise-aware yet")


def _check_hardware(hardware: Hardware, output_noise: float, ranges: Ranges | None) -> None:
    if hardware.full_scale is not None:
        allowed = "None, here and for mho.convert: clip= says the same for training and chips"
        raise invalid("Hardware.full_scale", hardware.full_scale, allowed)
    if output_noise > 0 and (hardware.adc_bits is None or ranges is None):
        allowed = "0 without ranges or Hardware.adc_bits: it is a share of the ADC's range"
        raise invalid("output_noise", output_noise, allowed)
    shared = not isinstance(hardware.adc_range, str)
    if (
        shared
        and hardware.adc_bits is not None
        and ranges is not None
        and hardware.dac_bits is None
    ):
        allowed = "'calibrated' or 'column' without dac_bits, which bound the current"
        raise invalid("Hardware.adc_range", hardware.adc_range, allowed)


def _check_weights(name: str, layer: nn.Module, view: ArrayView) -> None:
    for path in view.weights:
        owner, attribute = holder_of(layer, path)
        label = f"{name}.{path}" if name else path
        seen = parametrize.is_parametrized(owner, attribute)
        weight = getattr(owner, attribute)
        if not (seen or isinstance(owner._parameters.get(attribute), nn.Parameter)):
            allowed = (
                "a parameter, parametrized or not (torch.nn.utils.parametrizations.weight_norm "
                "instead of torch.nn.utils.weight_norm; torch.nn.utils.prune.remove first)"
            )
            raise invalid(label, weight, allowed)
        if not isinstance(weight, Tensor) or not weight.is_floating_point() or weight.is_meta:
            raise invalid(label, weight, "a weight of floating-point numbers")
        if weight.numel() == 0:
            raise invalid(label, weight, "a weight with at least one number")
        check_finite(weight, label.removesuffix(".weight"))


# ---------------------------------------------------------------- back to plain torch


def _unhook(layer: nn.Module, converts: Conversions) -> None:
    """Take away what `noise_aware` has added to a layer beside its weights."""
    for hooks, method in (
        (layer._forward_pre_hooks, converts.drive),
        (layer._forward_hooks, converts.sense),
    ):
        for number in [n for n, hook in hooks.items() if hook == method]:
            del hooks[number]
            for kept in (layer._forward_pre_hooks_with_kwargs, layer._forward_hooks_with_kwargs):
                kept.pop(number, None)
    del layer._modules[CONVERSIONS]


def _release(layer: nn.Module) -> None:
    """Have the weights of a layer be plain parameters again, clipped as they were in training.

    Copies of a parametrized layer share its class, so that is left as it is.
    """
    lists: Any = layer.parametrizations
    alone = {}
    for name, steps in lists.items():
        if not isinstance(steps[-1], ChipWeight):
            continue
        if len(steps) > 1:
            del steps[-1]  # what was there before stays, and gives the weight unclipped
            continue
        with torch.no_grad():
            steps.original.copy_(steps[0].clipped(steps.original))
        alone[name] = steps.original
    if len(alone) < len(lists):
        for name in alone:
            lists[name][0] = nn.Identity()
        return
    layer.__class__ = type(layer).__mro__[1]
    del layer._modules["parametrizations"]
    layer._parameters = alone | layer._parameters
    keep_weights(layer)
