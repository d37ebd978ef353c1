"""Refitting the digital classifier behind the arrays: each chip its own, no cell is written."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float64
from torch import Tensor, nn

from mho.arguments import checked
from mho.errors import invalid
from mho.learning.batches import (
    Batch,
    Inputs,
    length,
    pairs_of,
    run,
    split,
    taking,
    tensors_of,
    whole_of,
)
from mho.learning.evaluate import Net, evaluating
from mho.learning.layers.chip_pass import whole
from mho.learning.layers.chips import at_once, chip_count
from mho.learning.layers.replace import plain_type, swap
from mho.learning.repair.chip_linear import ChipLinear

_FLAT = 1e-8
"""Largest slope of the objective at which the fit ends."""


@checked
def refit(
    net: Net,
    inputs: Inputs,
    targets: Tensor | None = None,
    *,
    pull: float = 1e-2,
    steps: int = 300,
) -> Net:
    """Re-train the digital `nn.Linear` that ends a network, for each chip on its own, in place.

    With W (bias included) the weights of one chip and W0 the present ones it minimizes

        mean cross-entropy(W) + pull / 2 ||W - W0||^2

    over the inputs, a convex problem, by L-BFGS, each chip for itself. No chip's mean cross-entropy
    rises. The layer becomes a `ChipLinear`; the arrays are read and not written. Class
    probabilities of the digital network make it free of labels (distillation, Hinton et al. 2015,
    arXiv:1503.02531).

    Args:
        net: a network, converted or not, that ends in a digital `nn.Linear`.
        inputs: one batch (batch, ...), or several, see `mho.learning.batches.Inputs`; a few hundred
            inputs suffice. Without `targets`, batches (inputs, targets).
        targets: labels (batch,), int64; or class probabilities (batch, classes).
        pull: of the present weights, at least 0; in units of the weights the layer holds, whatever
            the size of its inputs. A small batch needs more of it.
        steps: of L-BFGS, at most.

    Returns:
        The network.

    Raises:
        ValueError: no such layer; targets of another shape or kind, out of range, not finite or not
            adding up to 1; inputs that are none or not finite; pull below 0; steps below 1.
    """
    head = _last_linear(net)
    if not 0 <= pull < math.inf:
        raise invalid("refit.pull", pull, "at least 0 and finite")
    if steps < 1:
        raise invalid("refit.steps", steps, "at least 1")
    if targets is None:
        given, targets = pairs_of(inputs, "refit.inputs")
        inputs = [(given, targets)]
    batch = whole_of(inputs, "refit.inputs")
    wanted = _probabilities(targets, length(batch), head.out_features)
    chips = chip_count(net)
    x = _features(net, head, batch, chips)  # (chips, n, in)
    own = _own(head, chips)
    start = own.weight.detach().double()  # (chips, classes, in)
    if own.bias is not None:
        # the bias is a weight of a further input of 1: in -> in + 1
        x = F.pad(x, (0, 1), value=1.0)
        start = torch.cat([start, own.bias.detach().double().unsqueeze(2)], dim=2)
    pairs = zip(x, start, strict=True)
    # (chips, classes, in)
    fitted = torch.stack([_fit(one, wanted.to(x), w, pull, steps) for one, w in pairs])
    with torch.no_grad():
        own.weight.copy_(fitted[..., : own.in_features])
        if own.bias is not None:
            own.bias.copy_(fitted[..., -1])
    swap(net, head, own)
    return net


def _fit(
    x: Float64[Tensor, "n in"],
    wanted: Float64[Tensor, "n classes"],
    start: Float64[Tensor, "classes in"],
    pull: float,
    steps: int,
) -> Float64[Tensor, "classes in"]:
    """The minimum of one chip; `start` if no step got below it."""
    move = torch.zeros_like(start, requires_grad=True)
    logits = x @ start.mT  # (n, classes)

    def objective() -> Float64[Tensor, ""]:
        log_p = (logits + x @ move.mT).log_softmax(-1)
        return -(wanted * log_p).sum(-1).mean() + pull / 2 * move.square().sum()

    def closure() -> float:
        optimizer.zero_grad()
        loss = objective()
        loss.backward()
        return loss.item()

    optimizer = torch.optim.LBFGS(
        [move], max_iter=steps, max_eval=2 * steps, tolerance_grad=_FLAT, tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )  # fmt: skip
    with torch.no_grad():
        before = objective()
    with torch.enable_grad():
        optimizer.step(closure)
    with torch.no_grad():
        return start + move if objective() <= before else start


@torch.no_grad()
def _features(
    net: nn.Module, head: nn.Module, inputs: Batch, chips: int
) -> Float64[Tensor, "chips n in"]:
    """What reaches the last layer on each chip."""
    seen: list[tuple[Tensor, Tensor]] = []

    def note(_layer: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> None:
        seen.append((whole(arguments[0]), whole(output)))

    note.takes_chips = True  # type: ignore[attr-defined]
    handle = head.register_forward_hook(note)
    parts = []
    try:
        with evaluating(net):
            for batch in split(inputs, at_once(chips, tensors_of(inputs)[0].device)):
                seen.clear()
                with taking(batch, "refit.inputs"):
                    output = run(net, batch)
                for x, _ in seen:
                    _check_finite("inputs of the last layer", x)
                ends = len(seen) == 1 and torch.equal(seen[0][1].flatten(), output.flatten())
                if not ends or seen[0][0].dim() != 2:
                    raise invalid(
                        "net", net, "a network whose output is that of its last "
                        "digital nn.Linear, run once on (batch, in_features)",
                    )  # fmt: skip
                # (chips * n, in) -> (chips, n, in)
                parts.append(seen[0][0].unflatten(0, (chips, -1)).double())
    finally:
        handle.remove()
    return torch.cat(parts, dim=1)


def _last_linear(net: nn.Module) -> nn.Linear | ChipLinear:
    found = [
        module
        for name, module in net.named_modules()
        if name and (isinstance(module, ChipLinear) or plain_type(module) is nn.Linear)
    ]
    if not found:
        raise invalid("net", net, "a network that contains a digital nn.Linear")
    return found[-1]  # type: ignore[return-value]


def _own(head: nn.Linear | ChipLinear, chips: int) -> ChipLinear:
    """The layer with present weights for each chip; itself if it has them."""
    if isinstance(head, ChipLinear):
        if head.chips < chips:
            head.spread(chips)
        return head
    with evaluating(head):  # a parametrized weight may depend on the mode
        own = ChipLinear(head, chips)
    return own.train(head.training)


def _probabilities(targets: Tensor, batch: int, classes: int) -> Tensor:
    """Targets as probabilities (batch, classes), float64."""
    if targets.dtype == torch.int64 and targets.shape == (batch,):
        outside = (targets < 0) | (targets >= classes)
        if outside.any():
            label = targets[outside][0].item()
            raise invalid("refit.targets label", label, f"0 to {classes - 1}")
        return F.one_hot(targets, classes).double()
    if not (targets.is_floating_point() and targets.shape == (batch, classes)):
        allowed = f"int64 labels ({batch},) or class probabilities ({batch}, {classes})"
        raise invalid("refit.targets", f"{targets.dtype} {tuple(targets.shape)}", allowed)
    _check_finite("targets", targets)
    p = targets.detach().double()
    if p.min() < 0:
        raise invalid("refit.targets", p.min().item(), "probabilities of at least 0")
    worst = p.sum(1)[(p.sum(1) - 1).abs().argmax()].item()
    if abs(worst - 1) > 1e-3:
        raise invalid("refit.targets sum", worst, "probabilities that sum to 1 (softmax outputs)")
    return p


def _check_finite(what: str, x: Tensor) -> None:
    if not torch.isfinite(x).all():
        raise invalid(f"refit.{what}", "nan or inf", "finite numbers only")
