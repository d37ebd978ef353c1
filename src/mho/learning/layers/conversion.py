"""What is known of a torch layer on its way onto arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

from mho.errors import invalid
from mho.hardware import Hardware
from mho.hardware.streams import derived_seed


@dataclass(frozen=True)
class Conversion:
    """Where the weights of one layer go, and what it shares with others of its network.

    Attributes:
        name: of the layer in its network.
        hardware: the kind of chip; None: the layer on arrays gets neither arrays nor values, on the
            device "meta", and only says what it would be; see `twins.described`.
        chips: numbers of the chips.
        network_seed: of all chips of the network.
        copies: what stands for the model's own objects in the converted network, by their id, as
            `copy.deepcopy` keeps it.
        splits: parts that stand for one parameter of the model, by its id.
        parts: kinds of chips of the matrices of a layer of several, None for one that stays
            digital; those left out are on that of the layer.
    """

    name: str
    hardware: Hardware | None
    chips: range
    network_seed: int
    copies: dict[int, object]
    splits: dict[int, list[nn.Parameter]] = field(default_factory=dict)
    parts: Mapping[str, Hardware | None] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        """Of the layer's own cells."""
        return derived_seed(self.network_seed, self.name)

    def part(self, name: str) -> Conversion | None:
        """Of one of several matrices of the layer, which has its own arrays; None: it stays
        digital."""
        hardware = self.parts.get(name, self.hardware)
        if hardware is None:
            return None
        full = f"{self.name}.{name}" if self.name else name
        return replace(self, name=full, hardware=hardware, parts={})

    def parameter(
        self,
        module: nn.Module,
        name: str,
        layout: Callable[[Tensor], Tensor] = lambda value: value,
    ) -> nn.Parameter | None:
        """The copy of a parameter of a torch layer, as its forward pass has it; None if the layer
        has none of that name.

        A parameter that several layers share is one in the converted network too.

        Args:
            layout: gives its values in the order in which the converted layer has them; see
                `check_layouts`.
        """
        value = getattr(module, name, None)
        if value is None:
            return None
        if not isinstance(module._parameters.get(name), nn.Parameter):
            trains = parametrize.is_parametrized(module, name) or value.requires_grad
            return self.keep(_copied(layout(self._given(value)), trains))
        known = self.copies.get(id(value))
        if not isinstance(known, nn.Parameter):
            copied = _copied(layout(self._given(value)), value.requires_grad)
            self.copies[id(value)] = known = self.keep(copied)
        return known

    def split(self, module: nn.Module, name: str, parts: int) -> list[nn.Parameter] | None:
        """Copies of equal parts of a parameter along its first dimension; else as `parameter`."""
        value = getattr(module, name)
        known = self.splits.get(id(value))
        if value is None or known is not None:
            return known
        whole = replace(self, copies={}).parameter(module, name)
        assert whole is not None
        made = [
            self.keep(nn.Parameter(some.clone(), requires_grad=whole.requires_grad))
            for some in whole.detach().chunk(parts)
        ]
        if isinstance(module._parameters.get(name), nn.Parameter):
            self.splits[id(value)] = made
        return made

    def _given(self, value: Tensor) -> Tensor:
        return value.detach() if self.hardware is not None else value.detach().to("meta")

    def keep(self, made: nn.Parameter) -> nn.Parameter:
        """A parameter of the converted network, which stands for itself from now on."""
        self.copies[id(made)] = made
        return made


def check_has_values(name: str, module: nn.Module) -> None:
    """Refuse a layer whose parameters have no values yet.

    Raises:
        ValueError: names the first of them.
    """
    for parameter, value in module.named_parameters():
        if is_lazy(value) or value.is_meta:
            what = "not initialized" if is_lazy(value) else "on the device 'meta'"
            allowed = "a parameter with values: run the model once, or load its state, before"
            raise invalid(f"{name or type(module).__name__}.{parameter}", what, allowed)


def _copied(value: Tensor, trains: bool) -> nn.Parameter:
    """Contiguous, as what reads weights cell by cell takes them; channels may have been last."""
    return nn.Parameter(value.clone(memory_format=torch.contiguous_format), requires_grad=trains)


def check_layouts(model: nn.Module, name: str, layer: nn.Module) -> None:
    """Refuse a layer whose weight is kept in another order of its values than torch's, or in parts,
    if another kind of layer of the model shares it.

    Raises:
        ValueError: names both layers.
    """
    own = {id(p): n for n, p in layer._parameters.items() if p is not None and p.dim() > 1}
    for other, module in model.named_modules():
        groups = (getattr(each, "groups", 1) for each in (module, layer))
        same = type(module) is type(layer) and len({*groups}) == 1
        for theirs, held in module._parameters.items():
            mine = own.get(id(held))
            if mine is not None and not (same and theirs == mine):
                allowed = "a weight of its own: on arrays it has another layout, outputs first"
                raise invalid(
                    f"{name}.{mine}".lstrip("."), f"shared with {other or 'model'}", allowed
                )


def meta_linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """A plain linear layer of a weight (out, in) and a bias (out,), which it takes over."""
    with torch.device("meta"):
        linear = nn.Linear(weight.shape[1], weight.shape[0], bias is not None)
    linear.weight = weight if isinstance(weight, nn.Parameter) else nn.Parameter(weight)
    if bias is not None:
        linear.bias = bias if isinstance(bias, nn.Parameter) else nn.Parameter(bias)
    return linear
