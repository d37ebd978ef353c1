"""Layers of several matrices: each of them is on arrays of its own, or digital."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from mho.errors import invalid
from mho.hardware import Hardware
from mho.hardware.streams import seed_of
from mho.learning.layers.chip_pass import Together, check_inside, current, on_all_chips
from mho.learning.layers.conversion import Conversion, meta_linear
from mho.learning.layers.digital_part import DigitalPart
from mho.learning.layers.graphs import check_not_checkpointed
from mho.learning.layers.hooks import stays
from mho.learning.layers.layer import ArrayLayer
from mho.learning.layers.linear import MemristiveLinear
from mho.learning.layers.recomputed import mask_of
from mho.learning.layers.replace import holder_of
from mho.learning.layers.torch_form import TorchForm

Entries = Mapping[str, tuple[str, ...]]
"""Parameters of a torch layer, and what holds each: parameters of parts, one after another along
the first dimension, or a digital one of the layer itself, whose name has no dot:
`{"in_proj_weight": ("q_proj.weight", "k_proj.weight", "v_proj.weight"), "bias_k": ("bias_k",)}`."""


Part = MemristiveLinear | DigitalPart
"""What stands for a matrix; both have `read`."""

_WEIGHT = ".weight"


class Composite(nn.Module):
    """A torch layer whose matrices are parts, linear layers on arrays or, where it was said so,
    digital ones; what joins them is digital.

    A leaf says what it computes (`compute`, called by its `forward` through `run`), which torch
    layer it stands for (`entries`, `configure`, `plain`), and makes its parts of that (`_adopt`).

    Attributes:
        name: in the network that was converted.
        chips: number of chips.
        form: how the torch layer that it was made from computes its weights, if it does.
    """

    inputs: ClassVar[int] = 1
    """Arguments of its forward pass, the first ones, that are multiplied with weights."""

    name: str
    chips: int
    is_part: bool = False
    """Whether it is in a network on several chips, whose passes say what its inputs are."""
    form: TorchForm | None = None

    # ---------------------------------------------------------------- what a leaf says

    def configure(self, module: nn.Module) -> None:
        """Take over what is not a tensor: sizes and options of the torch layer."""
        raise NotImplementedError

    def entries(self) -> Entries:
        """Where each parameter of the torch layer is held, those included that it may lack."""
        raise NotImplementedError

    def driven(self) -> tuple[str, ...]:
        """Names of the parts whose inputs are the first arguments of the forward pass as they are;
        what the others read is made on the way."""
        return ()

    def plain(self, bias: bool) -> nn.Module:
        """The torch layer, on the device "meta", its parameters yet to be set.

        Args:
            bias: whether it is to have biases, which read-out correction may need where the layer
                has none.
        """
        raise NotImplementedError

    def compute(self, *given: Any, **how: Any) -> Any:
        """Outputs (chips, ...) of inputs (chips, ...), by `read` of the parts."""
        raise NotImplementedError

    # ---------------------------------------------------------------- what follows

    def matrices(self) -> dict[str, int]:
        """Parameters of the torch layer that parts hold, each with the number of matrices in it,
        one after another; those included that the layer may lack."""
        return {
            name: len(places)
            for name, places in self.entries().items()
            if places[0].endswith(_WEIGHT)
        }

    @property
    def label(self) -> str:
        """What errors call the layer."""
        return self.name or type(self).__name__

    @classmethod
    def parts_of(cls, module: nn.Module) -> dict[str, tuple[str, ...]]:
        """As `part_names`, of the torch layer that it would stand for."""
        self = cls.__new__(cls)
        nn.Module.__init__(self)
        self.configure(module)
        return self.part_names()

    def part_names(self) -> dict[str, tuple[str, ...]]:
        """What each matrix is called in the layer: as a part, and by the parameter of the torch
        layer that has it: `{"q_proj": ("q_proj", "in_proj_weight")}`."""
        return {
            part: (part, entry)
            for entry, places in self.entries().items()
            for part in _parts(places)
        }

    @classmethod
    def adopt(cls, module: nn.Module, conversion: Conversion) -> Self:
        """The layer on arrays that stands for a torch layer, which is untouched."""
        self = cls.__new__(cls)
        nn.Module.__init__(self)
        return self._adopt(module, conversion)

    def _install(
        self, module: nn.Module, hardware: Hardware, chips: int, generator: torch.Generator | None
    ) -> None:
        """Be the layer on arrays of new chips that stands for a torch layer."""
        chosen = range(chips), seed_of(generator)
        self._adopt(module, Conversion("", hardware, *chosen, {}))

    def _adopt(self, module: nn.Module, conversion: Conversion) -> Self:
        self.name, self.chips = conversion.name, len(conversion.chips)
        self.configure(module)
        self.form = TorchForm.of(module, tuple(self.entries()))
        if conversion.hardware is None:
            return self
        values: dict[str, nn.Parameter] = {}
        masks: dict[str, Tensor] = {}
        for name, parts in self.entries().items():
            first = parts[0]
            mask = mask_of(*holder_of(module, name))
            if mask is not None:
                masks.update(zip(parts, mask.chunk(len(parts)), strict=True))
            if len(parts) > 1:
                some = conversion.split(*holder_of(module, name), len(parts))
                values.update(zip(parts, some, strict=True) if some is not None else ())
                continue
            given = conversion.parameter(*holder_of(module, name))
            if _is_own(first):
                self.register_parameter(first, given)
            elif given is not None:
                values[first] = given
        for part in _parts(values):
            linear = meta_linear(values[f"{part}.weight"], values.get(f"{part}.bias"))
            own = conversion.part(part)
            made = DigitalPart.adopt(linear) if own is None else MemristiveLinear.adopt(linear, own)
            for name in ("weight", "bias"):
                made.prune(name, masks.get(f"{part}.{name}"))
            self.add_module(part, made.train(module.training))
        self.register_load_state_dict_pre_hook(_translate)
        return self.train(module.training)

    def digital(
        self,
        values: Callable[[ArrayLayer], tuple[Tensor, Tensor | None]],
        shared: Callable[[Tensor, nn.Parameter], nn.Parameter] = lambda _mine, made: made,
    ) -> nn.Module:
        """The torch layer, with what `values` gives for the weight and bias of each part on arrays.

        Args:
            shared: the parameter to take for one that was made for a shadow weight.
        """
        held: dict[str, Tensor | None] = {}
        for name, part in self.named_children():
            if isinstance(part, ArrayLayer):
                held[f"{name}.weight"], held[f"{name}.bias"] = values(part)
            elif isinstance(part, DigitalPart):
                weight, bias = part.kept()
                held[f"{name}.weight"] = weight.detach().clone()
                held[f"{name}.bias"] = None if bias is None else bias.detach().clone()
        for name, own in self.named_parameters(recurse=False):
            held[name] = own.detach().clone()
        self._check_holds(held)
        biased = any(value is not None for name, value in held.items() if name.endswith(".bias"))
        module, mine = self.plain(biased), dict(self.named_parameters())
        for name, parts in self.entries().items():
            holder, last = holder_of(module, name)
            if getattr(holder, last, None) is None:
                continue
            some = [self._or_zero(held.get(part), part) for part in parts]
            made = nn.Parameter(some[0] if len(some) == 1 else torch.cat(some))
            if parts[0] in mine:
                made = shared(mine[parts[0]], made)
            setattr(holder, last, made)
        return module.train(self.training)

    def _check_holds(self, held: Mapping[str, Tensor | None]) -> None:
        """Refuse a read-out offset of a part where the torch layer has no bias."""
        known = {place for places in self.entries().values() for place in places}
        for place, value in held.items():
            if place not in known and value is not None and value.any():
                what = f"read-out of {self.label}.{place.removesuffix('.bias')}"
                allowed = "one without, as torch's layer has no bias there; chip=None takes none"
                raise invalid(what, "with tuned offsets", allowed)

    def _or_zero(self, value: Tensor | None, entry: str) -> Tensor:
        if value is not None:
            return value
        part = getattr(self, entry.removesuffix(".bias"))
        assert isinstance(part, Part)
        return part.weight.new_zeros(part.out_features)

    def translate(self, state: dict[str, Any], prefix: str) -> None:
        """Rewrite entries of the torch layer's state as those of the parts, in place."""
        masks = {} if self.form is None else self.form.translate(state, prefix)
        for name, mask in masks.items():
            parts = self.entries()[name]
            for part, some in zip(parts, mask.chunk(len(parts)), strict=True):
                state[f"{prefix}{part}_mask"] = some
        for name, parts in self.entries().items():
            value = state.pop(prefix + name, None)
            if isinstance(value, Tensor):
                for part, some in zip(parts, value.chunk(len(parts)), strict=True):
                    state[prefix + part] = some

    def run(self, *given: Tensor | None, **how: Any) -> Any:
        """`compute`, in whatever pass runs: with inputs as the network has them, those of one chip;
        outside of one as of the only chip, or with chips as the first dimension.

        Args:
            how: what `compute` takes that is the same for all chips.
        """
        now, compute = current(), functools.partial(self.compute, **how)
        if now is None and self.chips > 1:
            if self.is_part:
                check_inside(self.label, self.chips)
            return compute(*given)
        if now is not None:
            check_not_checkpointed(self.label)
        if isinstance(now, Together):
            return on_all_chips(compute, *given)
        made = compute(*(x if x is None else x.unsqueeze(0) for x in given))
        if isinstance(made, tuple):
            return tuple(y.squeeze(0) for y in made)
        return made.squeeze(0)


def _is_own(place: str) -> bool:
    """Whether the composite itself holds a parameter, and no part."""
    return "." not in place


def _parts(values: Iterable[str]) -> list[str]:
    """Names of the parts whose weights are given, in order."""
    return [name.removesuffix(_WEIGHT) for name in values if name.endswith(_WEIGHT)]


@stays
def _translate(module: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
    """Called before a state is loaded."""
    assert isinstance(module, Composite)
    module.translate(state, prefix)
