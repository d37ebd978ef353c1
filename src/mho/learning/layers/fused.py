"""Torch's fused paths, which take the weights of several layers and pass by their arrays."""

from __future__ import annotations

from torch import nn


def unfuse(net: nn.Module) -> None:
    """Have a network compute layer by layer where torch would fuse them: the encoder layers of
    transformers do in eval mode without gradients, unless their activation is none that they know.
    """
    for module in net.modules():
        if isinstance(module, nn.TransformerEncoderLayer):
            module.activation_relu_or_gelu = 0
