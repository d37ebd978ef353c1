"""States of torch layers whose weights are computed of other tensors: weight norm, spectral norm,
pruning, parametrizations. They are loaded into the layers on arrays that stand for these."""

from __future__ import annotations

import copy
from typing import Any, Self

import torch
from torch import Tensor, nn

from mho.errors import invalid
from mho.learning.layers.recomputed import mask_of, recomputed
from mho.learning.layers.replace import holder_of


class TorchForm:
    """How a torch layer computes its weights of what its states hold.

    It is not part of a pickle: a network that was unpickled takes states of plain weights alone.
    """

    def __init__(
        self,
        module: nn.Module | None = None,
        computed: tuple[str, ...] = (),
        plain: tuple[str, ...] = (),
    ) -> None:
        self._module, self._names, self._plain = module, computed, plain

    @classmethod
    def of(cls, module: nn.Module, names: tuple[str, ...]) -> TorchForm | None:
        """That of a layer; None: it holds its weights itself.

        Args:
            names: of its parameters, dotted where they are of a part of it.
        """
        computed = tuple(name for name in names if _is_computed(module, name))
        plain = tuple(name for name in names if name not in computed)
        return cls(_without_values(module), computed, plain) if computed else None

    def translate(self, state: dict[str, Any], prefix: str) -> dict[str, Tensor]:
        """Replace what a state holds of weights that are computed by these weights, in eval mode;
        a state that lacks something of it, or has the weights themselves, is left as it is.

        Returns:
            Masks of pruned parameters, by name.

        Raises:
            ValueError: an entry has another shape.
        """
        if self._module is None or all(prefix + name in state for name in self._names):
            return {}
        given = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        module = copy.deepcopy(self._module)
        try:
            result = module.load_state_dict(given, strict=False, assign=True)
        except RuntimeError as error:
            why = " ".join(str(error).split("\n\t")[-1].split())
            raise invalid(f"state_dict of {prefix}", "of another layer", why) from error
        if any(x.is_meta for x in module.state_dict().values()):
            return {}
        for name in given.keys() - {*result.unexpected_keys} - {*self._plain}:
            del state[prefix + name]
        with torch.no_grad(), recomputed(prefix.rstrip("."), module.eval()):
            for name in self._names:
                holder, last = holder_of(module, name)
                state[prefix + name] = getattr(holder, last).detach()
        masks = {name: mask_of(*holder_of(module, name)) for name in self._names}
        return {name: mask for name, mask in masks.items() if mask is not None}

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[type[TorchForm], tuple[()]]:
        return TorchForm, ()


def _is_computed(module: nn.Module, name: str) -> bool:
    holder, last = holder_of(module, name)
    return isinstance(getattr(holder, last, None), Tensor) and last not in holder._parameters


def _without_values(module: nn.Module) -> nn.Module:
    """A copy on the device "meta" of all that a state brings."""
    memo: dict[int, Any] = {}
    for part in module.modules():
        for value in vars(part).values():  # computed in a hook
            if isinstance(value, Tensor) and not value.is_leaf:
                memo[id(value)] = torch.empty_like(value, device="meta", requires_grad=False)
    for value in module.state_dict(keep_vars=True).values():
        if isinstance(value, Tensor):
            empty = torch.empty_like(value, device="meta", requires_grad=False)
            trains = isinstance(value, nn.Parameter)
            memo[id(value)] = nn.Parameter(empty, value.requires_grad) if trains else empty
    return copy.deepcopy(module, memo)
