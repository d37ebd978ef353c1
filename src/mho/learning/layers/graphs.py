"""What torch does with a forward pass besides running it once: compile, record, recompute."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import torch
import torch.utils.checkpoint
from torch import Tensor, nn
from torch._C import _are_functorch_transforms_active, _current_graph_task_id, _is_tracing

from mho.errors import invalid

P = ParamSpec("P")
T = TypeVar("T")

_REASON = (
    "what memristive layers check, draw and count at each pass cannot be part of a compiled graph; "
    "compile without fullgraph=True, and they run between the graphs"
)
_CHIPS = str(Path(__file__).with_name("chips.py"))
"""Source of what runs a network on several chips."""

PLAIN = "a plain one; mho.to_digital(net, chip=0) gives layers that can be recorded and exported"
"""What layers on arrays allow of a forward pass."""


def uncompiled(fn: Callable[P, T]) -> Callable[P, T]:
    """Have a function run as it is where `torch.compile` would make it part of a graph.

    As `torch.compiler.disable`, but that takes a second to import and time at each call.
    """

    @functools.wraps(fn)
    def outside(*args: P.args, **kwargs: P.kwargs) -> T:
        if torch.compiler.is_compiling():
            disable: Any = torch.compiler.disable
            takes_reason = "reason" in signature(disable).parameters  # from torch 2.8 on
            eager = disable(fn, reason=_REASON) if takes_reason else disable(fn)
            return eager(*args, **kwargs)
        return fn(*args, **kwargs)

    # By these the compiler stops here already, and gives the reason where it may not.
    outside._torchdynamo_disable = True  # type: ignore[attr-defined]
    outside._torchdynamo_disable_msg = _REASON  # type: ignore[attr-defined]
    return outside


def plain_pass() -> bool:
    """Whether what runs now is neither recorded nor transformed by torch, nor part of a backward
    pass."""
    return _current_graph_task_id() == -1 and not (
        _is_tracing() or _are_functorch_transforms_active()
    )


def check_not_recorded(owner: str, x: Tensor, weight: Tensor) -> None:
    """Refuse a forward pass that is recorded or transformed, or has another tensor for a weight.

    Args:
        owner: what errors call the layer.
        x: its input.
        weight: its shadow weight, as the forward pass finds it.
    """
    if _is_tracing():
        how = "recorded by torch.jit.trace"
    elif _are_functorch_transforms_active():
        how = "transformed by torch.func"
    elif not (isinstance(x, Tensor) and isinstance(weight, Tensor)):
        how = "recorded by torch.fx"
    elif torch.compiler.is_exporting():
        how = "recorded by torch.export"
    elif not isinstance(weight, nn.Parameter):
        how = "with other weights (torch.func.functional_call), which no array holds"
    else:
        return
    raise invalid(f"{owner} forward pass", how, PLAIN)


def in_checkpoint() -> bool:
    """Whether `torch.utils.checkpoint` recomputes in a backward pass what runs now."""
    if _current_graph_task_id() == -1:
        return False
    return _called_by(torch.utils.checkpoint.__file__)


def _called_by(file: str, within: str = "") -> bool:
    """Whether a function of a source file is running, and was called from one of another file."""
    frame = sys._getframe()
    while frame is not None and frame.f_code.co_filename != file:
        frame = None if frame.f_code.co_filename == within else frame.f_back
    return frame is not None


def check_not_recomputed(owner: str, what: str) -> None:
    """Refuse to draw anew, inside of a backward pass, what its forward pass has drawn.

    Args:
        owner: what errors call the layer.
        what: what would differ.
    """
    if _current_graph_task_id() != -1:
        how = "inside of a backward pass (activation checkpointing)"
        allowed = f"outside of it, for {what} would not be the same; leave it out of checkpoints"
        raise invalid(f"{owner} forward pass", how, allowed)


def check_not_checkpointed(owner: str) -> None:
    """Refuse to be read in an activation checkpoint inside of a network on several chips that is
    not a chain of layers: what is computed again is not known to be of several chips.

    Args:
        owner: what errors call the layer.
    """
    if _called_by(torch.utils.checkpoint.__file__, within=_CHIPS):
        how = "in an activation checkpoint inside of a network on several chips"
        allowed = (
            "a checkpoint around the whole network, no checkpoint, or one chip: "
            "mho.convert(..., chips=None)"
        )
        raise invalid(f"{owner} forward pass", how, allowed)
