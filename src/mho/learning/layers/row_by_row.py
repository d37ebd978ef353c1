"""Networks whose rows of a batch know nothing of each other: chips can be folded into the batch."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mho.learning.layers.graphs import uncompiled

_ROW_BY_ROW: tuple[type[nn.Module], ...] = (
    *(nn.Identity, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU),
    *(nn.Mish, nn.Sigmoid, nn.LogSigmoid, nn.Tanh, nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish),
    *(nn.Softplus, nn.Softsign, nn.Tanhshrink, nn.Softshrink, nn.Hardshrink, nn.Dropout),
    *(nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.LayerNorm, nn.GroupNorm),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d),
)
"""Layers of torch's of which each row of a batch has the answer that it has alone."""


@uncompiled
def rows_from(net: nn.Module) -> int | None:
    """Dimensions that inputs have at least, if a network is a chain of layers in which no row of a
    batch can tell what others hold; None: it is not, or has hooks, which might look.

    Layers that take folded chips, such as those on arrays, say so by `takes_chips`.
    """
    return _least(net)


def _least(module: nn.Module) -> int | None:
    if _is_hooked(module):
        return None
    if getattr(module, "takes_chips", False):
        return getattr(module, "input_dims", 2)
    if not _is_plain(module):
        return None
    first = 0
    for child in module._modules.values():
        least = None if child is None else _least(child)
        if least is None:
            return None
        first = first or least
    return first


@uncompiled
def has_hooks(net: nn.Module) -> bool:
    """Whether functions that are not known look at what passes, but for those that say by
    `takes_chips` that they take folded chips."""
    return any(_is_hooked(module) for module in net.modules())


def _is_hooked(module: nn.Module) -> bool:
    kinds = (
        *(module._forward_hooks, module._forward_pre_hooks),
        *(module._backward_hooks, module._backward_pre_hooks),
    )
    return any(kinds) and any(
        not hasattr(hook, "takes_chips") for hooks in kinds for hook in hooks.values()
    )


def _is_plain(module: nn.Module) -> bool:
    """Whether a module, but for those inside, is one of torch's that computes row by row."""
    if "forward" in module.__dict__:
        return False
    kind = type(module)
    if isinstance(module, nn.Flatten):
        return kind is nn.Flatten and module.start_dim >= 1
    if isinstance(module, nn.Unflatten):
        return kind is nn.Unflatten and isinstance(module.dim, int) and module.dim >= 1
    if isinstance(module, nn.Softmax | nn.LogSoftmax):
        return module.dim is not None and (module.dim >= 1 or module.dim == -1)
    if isinstance(module, _BatchNorm):
        return (
            kind.forward is _BatchNorm.forward
            and not module.training
            and bool(module.track_running_stats)
        )
    return kind in _ROW_BY_ROW or kind.forward is nn.Sequential.forward
