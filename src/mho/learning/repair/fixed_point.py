"""The digital parts of a network in fixed point, as the logic beside the arrays computes."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mho.arguments import checked
from mho.errors import invalid
from mho.learning.batches import Inputs, run, split, taking, tensors_of, whole_of
from mho.learning.evaluate import evaluating
from mho.learning.layers.arithmetic import FixedPointArithmetic, largest
from mho.learning.layers.chips import at_once, chip_count
from mho.learning.layers.layer import ArrayLayer
from mho.learning.layers.replace import copied, plain_type, rebuild
from mho.learning.repair.chip_batchnorm import ChipBatchNorm
from mho.learning.repair.chip_linear import ChipLinear


@torch.no_grad()
@checked
def fixed_point(net: nn.Module, bits: int, inputs: Inputs) -> nn.Module:
    """A copy of a network whose digital parts compute in fixed point; the input is untouched.

    Rounded to `bits` bits are the weights and biases of linear layers, the scale and shift into
    which batch normalization folds, gain, offset and bias of the arrays' read-out, and what each of
    these parts gives. A tensor has one format Qm.n, the same on all chips: for a constant the least
    m that holds its largest magnitude, for results the least m that holds what `inputs` give while
    results are not rounded yet. Sums within a part are exact, as in a wide accumulator. The
    network's inputs, the converters' outputs and layers without parameters stay as they are.

    This comes last, after `refresh_batchnorm`, `refit` and `tune`. Linear layers and batch
    normalization round what is changed later too, the read-out of the arrays does not; formats of
    results stay. Called on its own result, the function rounds and calibrates anew.

    Args:
        net: a network, converted or not; calibrated if its converters have bits.
        bits: of every number, sign included, 2 to 32; float32 resolves 25 of them.
        inputs: one batch (batch, ...), or several; see `mho.learning.batches.Inputs`.

    Raises:
        ValueError: bits out of range; inputs that are none, not finite, or leave a part unused; no
            digital part; one of another kind, such as an `nn.Conv2d`.
    """
    given = whole_of(inputs, "fixed_point.inputs")
    for x in tensors_of(given):
        if x.is_floating_point():
            largest(x)
    fresh = rebuild(net, _twin)
    _refuse_other_parts(fresh)
    parts = {name: _equipped(module, bits) for name, module in _digital_parts(fresh).items()}
    if not parts:
        raise invalid("net", net, "a network with digital parts")
    for arithmetic in parts.values():
        arithmetic.observing = True
    with evaluating(fresh):
        for batch in split(given, at_once(chip_count(fresh), tensors_of(given)[0].device)):
            with taking(batch, "fixed_point.inputs"):
                run(fresh, batch)
    for name, arithmetic in parts.items():
        if arithmetic.seen is None:
            raise invalid("fixed_point.inputs", f"none that reach {name!r}", "inputs for all parts")
        arithmetic.settle()
    return fresh


@checked
def formats(net: nn.Module) -> dict[str, str]:
    """Format of every rounded tensor by name, such as `{"net.4.weight": "Q0.7"}`.

    Raises:
        ValueError: the network does not come from `fixed_point`.
    """
    found = {}
    for name, module in net.named_modules():
        arithmetic = getattr(module, "arithmetic", None)
        if isinstance(arithmetic, FixedPointArithmetic):
            rounded = {k: arithmetic.constant.format(v) for k, v in _constants(module).items()}
            rounded["output"] = arithmetic.result_format()
            found |= {f"{name}.{k}".lstrip("."): str(q) for k, q in rounded.items()}
    if not found:
        raise invalid("net", net, "a network in fixed point; see mho.fixed_point")
    return found


def _twin(_name: str, module: nn.Module) -> nn.Module | None:
    """The module that can round, in the place of torch's."""
    if plain_type(module) is nn.Linear:
        linear = copied(module).eval()  # a parametrized weight may depend on the mode
        return ChipLinear(linear, 1).train(module.training)  # type: ignore[arg-type]
    if not isinstance(module, _BatchNorm):
        return None
    if module.running_mean is None:
        raise invalid("net", module, "batch normalization with running statistics")
    return ChipBatchNorm(copy.deepcopy(module), 1).to(module.running_mean).train(module.training)


def _digital_parts(net: nn.Module) -> dict[str, nn.Module]:
    """Modules that compute digitally; of the arrays, those whose read-out does more than read."""

    def computes(module: nn.Module) -> bool:
        if isinstance(module, ArrayLayer):
            return bool(_constants(module)) or module.arithmetic is not None
        return isinstance(module, ChipLinear | ChipBatchNorm)

    return {name: module for name, module in net.named_modules() if computes(module)}


def _constants(module: nn.Module) -> dict[str, Tensor]:
    """Numbers that a digital part keeps."""
    if isinstance(module, ChipLinear | ChipBatchNorm):
        return module.constants()
    assert isinstance(module, ArrayLayer)
    kept = {"column_scale": module.column_scale} if module.by_column else {}
    kept |= {"gain": module.gain, "offset": module.offset} if module.tuned else {}
    return kept if module.bias is None else kept | {"bias": module.bias}


def _equipped(module: nn.Module, bits: int) -> FixedPointArithmetic:
    """Have a part compute in fixed point; returns how it does."""
    arithmetic = FixedPointArithmetic(bits).train(module.training)
    if isinstance(module, ArrayLayer):
        for tensor in _constants(module).values():
            tensor.copy_(arithmetic.constant(tensor))
    module.arithmetic = arithmetic
    return arithmetic


def _refuse_other_parts(net: nn.Module) -> None:
    for name, module in net.named_modules():
        known = isinstance(module, ArrayLayer | ChipLinear | ChipBatchNorm)
        if not known and any(p is not None for p in module._parameters.values()):
            raise invalid(
                "net", f"{type(module).__name__} {name!r}",
                "networks whose digital parts are nn.Linear and batch normalization",
            )  # fmt: skip
