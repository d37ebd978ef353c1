"""Layers whose weights are computed of other tensors: by hooks, or by parametrizations."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm


class Tripled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 3 * x


def doubling(layer: nn.Module, name: str) -> nn.Module:
    """A user's own hook, which computes the weight as twice another parameter."""
    raw = nn.Parameter(layer.get_parameter(name).detach() / 2)
    del layer._parameters[name]
    layer.register_parameter("raw", raw)
    setattr(layer, name, raw * 2)
    layer.register_forward_pre_hook(lambda m, _: setattr(m, name, m.get_parameter("raw") * 2))
    return layer


WRAPS: dict[str, Callable[[nn.Module, str], nn.Module]] = {
    "weight norm": weight_norm,
    "weight norm of all": lambda m, name: weight_norm(m, name, dim=None),  # type: ignore[arg-type]
    "spectral norm": spectral_norm,
    "pruned": lambda m, name: prune.random_unstructured(m, name, 0.5),
    "pruned by columns": lambda m, name: prune.ln_structured(m, name, 0.5, n=2, dim=1),
    "pruned twice": lambda m, name: prune.l1_unstructured(
        prune.random_unstructured(m, name, 0.3), name, 0.3
    ),
    "a hook of the user's own": doubling,
}
PARAMETRIZED: dict[str, Callable[[nn.Module, str], nn.Module]] = {
    "weight norm, parametrized": parametrizations.weight_norm,
    "spectral norm, parametrized": parametrizations.spectral_norm,
    "the user's own, parametrized": lambda m, name: parametrize.register_parametrization(
        m, name, Tripled()
    ),
}
LAYERS: dict[str, tuple[Callable[[], nn.Module], str, tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(12, 5), "weight", (4, 12)),
    "conv": (lambda: nn.Conv2d(3, 4, 2), "weight", (2, 3, 5, 5)),
    "transposed": (lambda: nn.ConvTranspose2d(3, 4, 2), "weight", (2, 3, 5, 5)),
    "attention": (lambda: nn.MultiheadAttention(8, 2), "in_proj_weight", (3, 2, 8)),
}


class Net(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x, x, x)[0] if hasattr(self.layer, "num_heads") else self.layer(x)


def model_of(kind: str, wrap: str, seed: int) -> Net:
    torch.manual_seed(seed)
    make, name, _ = LAYERS[kind]
    return Net((WRAPS | PARAMETRIZED)[wrap](make(), name))
