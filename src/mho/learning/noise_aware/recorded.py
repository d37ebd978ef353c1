"""What noise cannot be part of: passes that torch records or transforms, and states of before."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch._C import _are_functorch_transforms_active, _is_tracing

from mho.errors import invalid

_PLAIN = (
    "a plain one; mho.to_digital(net) gives the network without noise, with the weights as "
    "trained, which can be recorded and exported"
)


def check_plain(owner: str) -> None:
    """Refuse a forward pass that is recorded or transformed.

    Args:
        owner: what errors call the layer.
    """
    if _is_tracing():
        how = "recorded by torch.jit.trace"
    elif _are_functorch_transforms_active():
        how = "transformed by torch.func"
    elif torch.compiler.is_exporting():
        how = "recorded by torch.export"
    else:
        return
    raise invalid(f"{owner} forward pass", how, _PLAIN)


def with_own_seed(module: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
    """A hook: a state without seed, of an earlier version, leaves that of the module."""
    state.setdefault(f"{prefix}seed", module.get_buffer("seed"))
