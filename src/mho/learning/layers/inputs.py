"""What is said of an input that a layer cannot take."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mho.errors import invalid


def check_input(label: str, x: Any, like: Tensor | None = None, shape: str = "") -> None:
    """Refuse what no layer takes; called where using it has failed, so that a pass costs nothing.

    Args:
        label: what errors call the layer.
        x: the input.
        like: a parameter of the layer, of whose type and on whose device inputs are to be.
        shape: of inputs, in words.

    Raises:
        ValueError: it is no tensor, or one of another type of numbers or on another device.
    """
    field, wanted = f"{label} input", f"a tensor{' ' if shape else ''}{shape}"
    if not isinstance(x, Tensor):
        raise invalid(field, x, f"{wanted}; torch.as_tensor(x) makes one of an array")
    if like is not None and x.device != like.device:
        allowed = f"{wanted} on {like.device}, where the layer is: x.to({str(like.device)!r})"
        raise invalid(f"{field}, on {x.device}", x, allowed)
    kind = "torch.float32" if like is None else str(like.dtype)
    if (
        not x.is_floating_point()
        or x.layout is not torch.strided
        or (like is not None and x.dtype != like.dtype)
    ):
        raise invalid(field, x, f"{wanted} of {kind}: x.to({kind})")
