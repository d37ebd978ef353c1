"""Torch's fused paths, which take the weights of several layers and pass by their arrays."""

from __future__ import annotations

from torch import nn

_FUSES: dict[type[nn.Module], str] = {
    nn.TransformerEncoderLayer: "activation_relu_or_gelu",
    nn.TransformerEncoder: "use_nested_tensor",
}
"""What makes a layer take a fused path: an encoder layer one for its activation, a stack of them
one that packs padded inputs as nested tensors, which fused layers alone take."""

_BEFORE = "_fuses"
"""Attribute that keeps what it was."""


def unfuse(net: nn.Module) -> None:
    """Have a network compute layer by layer where torch would fuse them: transformer encoders do in
    eval mode without gradients."""
    for module in net.modules():
        for kind, name in _FUSES.items():
            if isinstance(module, kind) and hasattr(module, name):
                setattr(module, _BEFORE, getattr(module, name))
                setattr(module, name, type(getattr(module, name))(0))


def fuse(net: nn.Module) -> None:
    """Have a network fuse as it did before `unfuse`."""
    for module in net.modules():
        for kind, name in _FUSES.items():
            if isinstance(module, kind) and hasattr(module, _BEFORE):
                setattr(module, name, getattr(module, _BEFORE))
                delattr(module, _BEFORE)
