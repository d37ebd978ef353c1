"""What memristive layers share: a shadow weight, the arrays that hold it, and the read-out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar, Self

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from mho.arguments import checked
from mho.config import Range
from mho.errors import NotReady, Said, invalid
from mho.hardware import Crossbar, Hardware, Tiling
from mho.hardware.ageing import Ageing
from mho.hardware.converters import Converter
from mho.hardware.full_scale import column_scales, full_scale_of, warn_of_zeros
from mho.hardware.instrument import InstrumentError
from mho.hardware.mapping import level_index
from mho.hardware.predistortion import predistorted
from mho.hardware.programming import FirstWrite
from mho.hardware.store import Store, check_finite
from mho.learning.layers.arithmetic import FixedPointArithmetic
from mho.learning.layers.batch_part import part_now
from mho.learning.layers.chip_pass import Alone, Together, check_inside, current, on_all_chips
from mho.learning.layers.conversion import Conversion
from mho.learning.layers.followers import Followers
from mho.learning.layers.graphs import (
    PLAIN,
    check_not_checkpointed,
    check_not_recomputed,
    check_not_recorded,
    in_checkpoint,
    plain_pass,
    uncompiled,
)
from mho.learning.layers.hooks import stays
from mho.learning.layers.inputs import check_input
from mho.learning.layers.processes import check_whole, follow, hint, wrapper
from mho.learning.layers.product import Product
from mho.learning.layers.reading import Reading
from mho.learning.layers.recomputed import mask_of
from mho.learning.layers.torch_form import TorchForm

Size = Annotated[int, Range(least=1)]
Positive = Annotated[float, Range(above=0.0)]
Seconds = Annotated[float, Range(least=0.0)]


Observer = Callable[["ArrayLayer", Tensor, Tensor], None]
"""Is shown a layer, its inputs and its outputs."""


class ArrayLayer(nn.Module):
    """A layer whose weights are on arrays; a leaf says what it computes (`_product`, `adopt`,
    `digital`); docs/extending.md in the source distribution has an example.

    The forward pass runs through the programmed conductances; the gradient goes to `weight`, the
    float shadow, which an ordinary optimizer moves. After it moved, `mho.write(net)` (or a
    `WriteStep`) must bring the arrays up to date: until then a forward pass raises RuntimeError.
    (A change through `weight.data` goes unseen.)

    With `chips` above 1 the batch dimension is folded, chip-major: (chips * batch, ...).

    Attributes:
        name: in the network that was converted, or that a `WriteStep` took first; else empty.
        weight: the shadow, as in torch; of a transposed convolution with outputs first.
        crossbar: the arrays.
        store: what these hold, weight by weight; see there.
        reading: the forward pass through them, with its converters.
        gain, offset (chips, out_features): digital read-out correction, 1 and 0 if not tuned.
        column_scale (out_features,): with `Hardware.full_scale_per` "column" factor of each column:
            arrays hold the weight divided by it, and `full_scale`, `step`, `target` and `effective`
            are of what they hold.
        pruned: whether some weights or biases stay 0: those whose `weight_mask`, `bias_mask` is 0.
        arithmetic: how the read-out computes, if not in floating point; see `mho.fixed_point`.
        followers: whom to tell that the weight was set from outside, or moved.
        said: what users were told of it, in this network or a copy.
    """

    takes_chips: ClassVar[bool] = True
    """Chips may be folded into the first dimension of its inputs."""

    inputs: ClassVar[int] = 1
    """Arguments of its forward pass, the first ones, that are multiplied with weights."""

    as_torch: ClassVar[bool] = True
    """Whether the shadow weight has the layout of torch's; see `from_torch`."""

    name: str = ""
    is_part: bool = False
    """Whether it is in a network on several chips, whose passes say what its inputs are."""
    weight: Tensor
    bias: Tensor | None
    gain: Tensor
    offset: Tensor
    crossbar: Crossbar
    store: Store
    reading: Reading
    tuned: bool
    pruned: bool = False
    by_column: bool = False
    """Whether each column has a full scale of its own."""
    column_scale: Tensor
    weight_mask: Tensor
    bias_mask: Tensor
    arithmetic: FixedPointArithmetic | None
    followers: Followers
    said: Said
    form: TorchForm | None = None
    """How the torch layer that it was made from computes its weights, if it does."""
    _observer: Observer | None = None
    _loaded = False
    """Whether a state that is being loaded has arrays that hold its weight."""

    def _install(self, hardware: Hardware, chips: range, seed: int) -> None:
        """Put the present weight on arrays of new chips."""
        if len(chips) < 1:
            raise invalid("chips", len(chips), "at least 1")
        if hardware.full_scale_per == "column":
            self.by_column = True
            weight = self.weight.detach().flatten(1)
            self.register_buffer("column_scale", column_scales(weight, hardware).to(weight))
        matrix = self.matrix()
        size, groups = (matrix.shape[1], matrix.shape[0]), self._product().groups
        tiling = Tiling(*size, hardware.tile, hardware.cells, groups)
        self.move_to(Crossbar(tiling, hardware, chips, seed, made=False))
        self.tuned, self.arithmetic = False, None
        self.followers, self.said = Followers(), Said()
        self._loads_weight_alone = self._takes_own_layout = False
        out = matrix.shape[0]
        self.register_buffer("gain", matrix.new_ones(self.chips, out))
        self.register_buffer("offset", matrix.new_zeros(self.chips, out))
        self.register_load_state_dict_post_hook(_after_load)
        write = self._planned()
        self.store.begin(write, self.matrix())
        self.mark_written()

    def move_to(self, crossbar: Crossbar) -> None:
        """Keep the weights on other arrays from now on; these are yet to be written.

        Raises:
            ValueError: a weight is not finite.
        """
        matrix = self.matrix()
        check_finite(matrix, self.label)
        if "store" in self.__dict__:
            scale = self.full_scale
        else:
            scale = self.full_scale_of_weights(crossbar.hardware)
            warn_of_zeros(matrix, crossbar.hardware, self.label)
        store = Store(crossbar, matrix, scale, self.label)
        reading = Reading(store, self._product())
        if "reading" in self.__dict__:  # converters are the host's
            reading.take_ranges(self.reading)
        self.crossbar, self.store, self.reading = crossbar, store, reading

    def _product(self) -> Product:
        """What the arrays compute."""
        raise NotImplementedError

    def vectors(self, *inputs: Tensor) -> Tensor:
        """What the arrays are read with, of the arguments of the forward pass that are multiplied
        with weights."""
        return inputs[0]

    @classmethod
    def adopt(cls, module: nn.Module, conversion: Conversion) -> Self:
        """The memristive twin of a torch layer; the layer is untouched, no global state is used."""
        raise NotImplementedError

    def digital(self) -> nn.Module:
        """A plain torch layer of the same shape, its parameters yet to be set."""
        raise NotImplementedError

    def _adopt(self, module: nn.Module, conversion: Conversion) -> Self:
        """Take over the parameters of a torch layer of the same shape."""
        weight = conversion.parameter(module, "weight", self.from_torch)
        assert weight is not None
        self.weight, self.bias = weight, conversion.parameter(module, "bias")
        self.name, self.form = conversion.name, TorchForm.of(module, ("weight", "bias"))
        self.train(module.training)
        if conversion.hardware is None:
            return self
        self._install(conversion.hardware, conversion.chips, conversion.seed)
        mask = mask_of(module, "weight")
        self.prune("weight", mask if mask is None else self.from_torch(mask))
        self.prune("bias", mask_of(module, "bias"))
        return self

    def from_torch(self, weight: Tensor) -> Tensor:
        """The shadow, outputs first, (out, in...), of a weight as the torch layer has it. A state
        without the layer's arrays is one of the torch layer."""
        return weight

    def to_torch(self, weight: Tensor) -> Tensor:
        """The inverse of `from_torch`."""
        return weight

    def prune(self, name: str, mask: Tensor | None) -> None:
        """Have the weights, or biases, at which a mask of the parameter's shape is 0 stay 0."""
        if mask is None:
            return
        if not self.pruned:
            self.register_buffer("weight_mask", torch.ones_like(self.weight))
            if self.bias is not None:
                self.register_buffer("bias_mask", torch.ones_like(self.bias))
            self.pruned = True
        getattr(self, f"{name}_mask").copy_(mask)

    def hold_pruned(self) -> None:
        """Bring pruned weights back to 0, wherever an optimizer or a rule has moved them."""
        if not self.pruned:
            return
        with torch.no_grad():
            if (self.weight * (1 - self.weight_mask)).any():
                self.weight.mul_(self.weight_mask)

    # ---------------------------------------------------------------- what there is

    @property
    def label(self) -> str:
        """What errors call the layer."""
        return self.name or type(self).__name__

    @checked
    def rename(self, name: str) -> None:
        """Have errors call the layer by another name."""
        self.name = name
        self.store.owner = self.label

    @property
    def hardware(self) -> Hardware:
        """The kind of chip."""
        return self.crossbar.hardware

    @property
    def chips(self) -> int:
        """Number of chips."""
        return self.reading.chips

    @property
    def effective(self) -> Tensor:
        """Weight (chips, out, in) that the arrays realize."""
        return self.store.effective

    @property
    def target(self) -> Tensor:
        """Where the controller takes each weight (out, in) to stand; see `Store`."""
        return self.store.target

    @property
    def full_scale(self) -> float:
        """Weight at the edge of the window."""
        return self.store.full_scale

    @property
    def scale(self) -> float:
        """Weight per siemens of signed conductance."""
        return self.store.scale

    @property
    def step(self) -> float:
        """Distance between neighbouring weight levels, in weight units."""
        return self.store.step

    @property
    def dac(self) -> Converter:
        """The converters of the inputs."""
        return self.reading.dac

    @property
    def adc(self) -> Converter:
        """The converters of the columns."""
        return self.reading.adc

    def matrix(self) -> Tensor:
        """The shadow as (out, in), as arrays are to hold it."""
        return self.shadow.detach().flatten(1)

    @property
    def shadow(self) -> Tensor:
        """The weight as arrays are to hold it: itself, or without the factors of columns."""
        return self._without_factors(self.weight.detach()) if self.by_column else self.weight

    def _without_factors(self, weight: Tensor) -> Tensor:
        return weight / self.column_scale.view(-1, *(1,) * (weight.dim() - 1))

    def with_factors(self, matrix: Tensor) -> Tensor:
        """Weights (..., out, in) that arrays hold, with the factors of columns."""
        return matrix * self.column_scale.unsqueeze(1) if self.by_column else matrix

    @torch.no_grad()
    def _spread_columns(self) -> float:
        """Find the factors of columns for the weight as it is; by what columns grow, at most."""
        if not self.by_column:
            return 1.0
        former = self.column_scale.clone()
        self.column_scale.copy_(column_scales(self.weight.detach().flatten(1), self.hardware))
        return (former / self.column_scale).max().item()

    # ---------------------------------------------------------------- writing

    def program(self) -> None:
        """Bring every cell to the level nearest to its shadow weight; write only what differs."""
        self._planned()(self.crossbar)
        self.crossbar.solve_all()
        self.refresh()
        self.mark_written()

    def _planned(self) -> FirstWrite:
        """What brings every cell there; where levels allow for wires, so does the gain now."""
        self.hold_pruned()
        tiling, hardware = self.crossbar.tiling, self.hardware
        index = level_index(self.matrix(), self.full_scale, hardware.levels)
        index = tiling.cut(index, -1)  # (tiles, rows, cols)
        levels = tiling.mapping.levels(index.clamp(min=0), hardware.levels, hardware.device.states)
        levels = torch.where(tiling.used().to(levels.device), levels, -1)
        if hardware.predistorts:
            levels, share = predistorted(levels, tiling, hardware)
            self.gain.copy_((1 / share).expand_as(self.gain))
            self.tuned = True
        return FirstWrite.of(levels, index, hardware)

    def restart(self) -> None:
        """Take the present weight as a new start, as if it was converted now; see `mho.restart`.

        Raises:
            ValueError: a weight is not finite; then nothing is changed.
        """
        self.store.check_finite(self.weight)
        self.hold_pruned()
        self._spread_columns()
        self.store.rescale(self.full_scale_of_weights(), self.matrix())
        warn_of_zeros(self.matrix(), self.hardware, self.label)
        self.tuned, self.said = False, Said()
        self.gain.fill_(1.0)
        self.offset.zero_()
        self.reading.uncalibrate()
        self.mark_written(False)
        for follower in self.followers:
            follower.restored(self)

    @checked
    def rescale(self, full_scale: Positive) -> int:
        """Give the edge of the window another weight and bring all cells along; how many weights
        got another level.

        Raises:
            InstrumentError: the cells not reached yet are stale; the next write goes on.
        """
        before, former = self.store.index_held(), self.full_scale
        self.store.rescale(full_scale, self.matrix())
        self.reading.rescaled(full_scale / former)
        self.mark_written(False)
        try:
            self.program()
        except InstrumentError:
            self.refresh()
            raise
        return int((self.store.index_held() != before).sum())

    def remap(self) -> int:
        """`rescale` to what the weights as they are now would get when converted, each column of
        them if they have full scales of their own."""
        growth = self._spread_columns()
        if self.by_column:
            self.reading.columns_grown(growth)
        return self.rescale(self.full_scale_of_weights())

    def full_scale_of_weights(self, hardware: Hardware | None = None) -> float:
        """Weight at the edge of a window made for the present weights, by the rule of the
        hardware; the same for the same weights of any type."""
        return full_scale_of(self.matrix(), hardware or self.hardware, self.label)

    def refresh(self) -> None:
        """Fold the conductances into the weights that the forward pass uses."""
        self.store.refresh(self.matrix())

    @checked
    def expected(self, hardware: Hardware | None = None) -> Tensor:
        """Weight (out, in) that the levels give on average over chips; see `Store.expected`."""
        return self.store.expected(hardware)

    @checked
    def rewire(self, hardware: Hardware) -> None:
        """The same cells behind other wires; see `mho.rewire`."""
        self.crossbar.rewire(hardware)
        self.reading.settle_reads()
        self.store.fold_all()

    @checked
    def age(self, seconds: Seconds, temperature: Positive | None) -> None:
        """Let time pass; see `mho.age`."""
        if self.hardware.ages:
            self.crossbar.age(seconds, temperature)
            self.store.fold_all()

    def hold(self, conductance: Tensor) -> None:
        """Have the arrays hold conductances (chips, tiles, rows, width) [S]; see
        `mho.load_conductances`."""
        self.crossbar.hold(conductance)
        self.refresh()
        self.mark_written()

    def mark_written(self, written: bool = True) -> None:
        """Have the arrays count as holding the shadow as it is now, or not."""
        self.store.mark(self.weight, written)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """A cast or a move is no movement of the shadow, even where torch replaces the tensor."""
        written = self.store.holds(self.weight)
        super()._apply(fn, recurse)
        self.store.apply(fn)
        self.mark_written(written)
        for follower in self.followers:
            follower.moved(self, fn)
        return self

    def begin_load(self) -> None:
        """A state of the whole network is about to be loaded."""
        self._loaded = False

    def end_load(self) -> None:
        """It was: a weight that is shared was set once more after this layer had it."""
        if self._loaded and not self.store.holds(self.weight):
            self.mark_written()
            for follower in self.followers:
                follower.restored(self)

    # ---------------------------------------------------------------- reading

    @property
    def input_dims(self) -> int:
        """Dimensions of inputs, that of the batch included."""
        return 1 - self.reading.product.column_dim

    @uncompiled
    def _read(self, x: Tensor) -> Tensor:
        """Outputs of inputs (n, ...), or (chips * n, ...) outside of a pass of a network on several
        chips; errors as in `read_folded`."""
        now = current()
        if now is not None:
            return self._in_pass(now, x)
        if self.is_part and self.chips > 1:
            check_inside(self.label, self.chips)
        return self.read_folded(x)

    @uncompiled
    def _is_unbatched(self, x: object) -> bool:
        """Whether an input is one of a single chip without its batch dimension."""
        without = isinstance(x, Tensor) and x.dim() == self.input_dims - 1
        return without and (self.chips == 1 or current() is not None)

    def _in_pass(self, now: Together | Alone, x: Tensor) -> Tensor:
        if not isinstance(x, Tensor):
            check_input(self.label, x, self.weight)
        check_not_checkpointed(self.label)
        return on_all_chips(self.read, x) if isinstance(now, Together) else self.read_folded(x)

    @uncompiled
    def read(self, x: Shaped[Tensor, "chips ..."]) -> Shaped[Tensor, "chips ..."]:
        """Outputs of inputs (chips, ...) of all chips, of the one in a pass of one alone."""
        if x.dim() <= -self.reading.product.column_dim + 1:
            return self.read_folded(x)  # without a batch dimension
        return self.read_folded(x.flatten(0, 1)).unflatten(0, (len(x), -1))

    def read_folded(self, x: Tensor) -> Tensor:
        """Outputs of inputs (chips * n, ...), read-out and bias included; counted.

        A pass that fails is not counted, and the next one draws the noise that it would have drawn.
        Activation checkpointing reads once more what it has read, which is not counted.

        Raises:
            RuntimeError: the shadow weight moved and the arrays were not written.
            ValueError: the chips do not divide the batch; torch records the pass to repeat it; or
                checkpointing recomputes it, and its noise would be another.
        """
        if (ddp := wrapper()) is not None:
            follow(self, ddp)
        if plain_pass() and self.store.holds(self.weight):
            return self._read_now(x)
        self._check_readable(x)
        if not in_checkpoint():
            return self._read_now(x)
        counts = self.crossbar.counts
        counted = counts.inputs, counts.vectors
        try:
            return self._read_now(x)
        finally:
            counts.inputs, counts.vectors = counted

    def _check_readable(self, x: Tensor) -> None:
        """Refuse to read what is not up to date, or in a way that would be wrong later."""
        check_whole(self.label, self.weight, replaced=self.store.replaced(self.weight))
        check_not_recorded(self.label, x, self.weight)
        if not self.reading.exact:
            check_not_recomputed(self.label, "the noise of its reads")
        if self.training and any(each.follows for each in self.reading.converters):
            what = "ranges that follow what saturates (Hardware.range_growth = 1 keeps them)"
            check_not_recomputed(self.label, what)
        if not self.store.holds(self.weight):
            raise NotReady(
                f"{self.label}: the shadow weight moved and the arrays were not written; "
                f"call mho.write(net), or your WriteStep, after each optimizer.step(){hint()}"
            )

    def _read_now(self, x: Tensor) -> Tensor:
        now = current()
        if not isinstance(now, Alone) or self.reading.chips == 1:
            return self._read_by(self.reading, x)
        with self.reading.alone(now.chip) as reading:
            return self._read_by(reading, x)

    def _read_by(self, reading: Reading, x: Tensor) -> Tensor:
        chips = reading.chips
        try:
            if chips > 1 and x.dim() < 1 - reading.product.column_dim:
                allowed = (
                    f"with a batch dimension on {chips} chips; of one input give x.unsqueeze(0)"
                )
                raise invalid(f"{self.label} input, of shape", tuple(x.shape), allowed)
            if not x.is_floating_point():
                raise TypeError
            if x.shape[0] % chips:
                allowed = f"a multiple of the {chips} chips (batch folded, chip-major)"
                raise invalid(f"{self.label} input rows", x.shape[0], allowed)
        except (AttributeError, IndexError, TypeError):
            check_input(self.label, x, self.weight)
            self._check_shape(x)
            raise
        counts, (dac, adc) = self.crossbar.counts, reading.converters
        inputs, vectors, ranges = counts.inputs, counts.vectors, (dac.ranges, adc.ranges)
        try:
            y = self._answer(reading, x)
        except BaseException:
            counts.inputs, counts.vectors = inputs, vectors
            for converter, before in zip((dac, adc), ranges, strict=True):
                if converter.ranges is not before:
                    converter.ranges = before
            # torch has said so in words of its own
            check_input(self.label, x, None if torch.is_autocast_enabled() else self.weight)
            self._check_shape(x)
            raise
        items, part = x.shape[0] // chips if x.dim() > 1 else 1, part_now()
        counts.inputs += items if part is None else part.of_whole(items)
        if self._observer is not None:
            self._observer(self, x, y)
        return y

    @contextmanager
    def observed(self, observer: Observer) -> Iterator[None]:
        """Inside, have each read shown to a function: the layer, and its inputs and outputs, with
        chips folded into their first dimension."""
        before, self._observer = self._observer, observer
        try:
            yield
        finally:
            self._observer = before

    def _check_shape(self, x: Tensor) -> None:
        """Refuse inputs that the layer cannot take, where reading them has failed."""

    def _answer(self, reading: Reading, x: Tensor) -> Tensor:
        """Outputs of inputs (chips * batch, ...), read-out and bias included."""
        plain = not (self.tuned or self.by_column) and self.arithmetic is None
        weight, bias = self.weight, self.bias
        if self.pruned:
            weight, bias = self.kept(weight, bias)
        if self.by_column:
            weight = self._without_factors(weight)
        y = reading(x, weight, bias if plain else None, self.training)
        if plain:
            return y
        y = self.corrected(y, reading)
        if bias is not None:
            dim = reading.product.column_dim
            y = y + bias.view(-1, *(1,) * (-1 - dim))
        return y if self.arithmetic is None else self.arithmetic.result(y)

    def kept(self, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Weight and bias with what is pruned at 0; no gradient goes there."""
        return weight * self.weight_mask, None if bias is None else bias * self.bias_mask

    def corrected(self, y: Tensor, reading: Reading | None = None) -> Tensor:
        """Digital factors of columns, gain and offset of outputs (chips * batch, ...)."""
        reading = reading or self.reading
        if self.by_column:
            factors = self.column_scale.to(y.dtype)
            y = y * factors.view(-1, *(1,) * (-1 - reading.product.column_dim))
        if not self.tuned:
            return y
        gain, offset = self.gain[reading.some], self.offset[reading.some]
        after = (1,) * (-1 - reading.product.column_dim)
        y = reading.folded(y)
        shape = (len(gain), *(1,) * (y.dim() - 2 - len(after)), -1, *after)
        return (y * gain.view(shape) + offset.view(shape)).flatten(0, 1)

    # ---------------------------------------------------------------- state

    def translate(self, state: dict[str, Any], prefix: str) -> None:
        """Rewrite entries of a torch layer that computes its weights as those of this layer, in
        place."""
        masks = {} if self.form is None else self.form.translate(state, prefix)
        for name, mask in masks.items():
            state[f"{prefix}{name}_mask"] = self.from_torch(mask) if name == "weight" else mask

    def check_state(self, state: Mapping[str, Any], prefix: str) -> None:
        """Refuse a saved state that is not one of this layer's hardware; see
        `Crossbar.check_state`.

        Raises:
            ValueError: names the entry or the field, and both values.
        """
        self.crossbar.check_state(state, f"{prefix}crossbar.")
        for name in ("weight", "crossbar.conductance"):
            if f"{prefix}crossbar.level" in state and prefix + name not in state:
                allowed = "an entry beside crossbar.level, the levels of the cells that hold it"
                raise invalid(prefix + name, "not there", allowed)
        conductance = self.crossbar.conductance
        own = self._takes_own_layout or f"{prefix}crossbar.level" in state
        weight = self.weight if own else self.to_torch(self.weight)
        for name, mine in (("weight", weight), ("crossbar.conductance", conductance)):
            theirs = state.get(prefix + name)
            if isinstance(theirs, Tensor) and theirs.shape != mine.shape:
                chips = ": chips, tiles, rows, cells" if name != "weight" else ""
                allowed = f"{tuple(mine.shape)}{chips} of the network that loads the state"
                raise invalid(f"{prefix}{name}, of shape", tuple(theirs.shape), allowed)
        scalars, mine = state.get(f"{prefix}_extra_state"), self.get_extra_state()
        if isinstance(scalars, Tensor) and scalars.shape != mine.shape:
            allowed = f"{mine.numel()}, for the converters of this network's hardware"
            raise invalid(f"{prefix}_extra_state: numbers", scalars.numel(), allowed)
        if isinstance(scalars, Tensor):
            (scale, *flags), ranges = scalars[:3].double().tolist(), scalars[3:].double()
            if not 0 < scale < math.inf or {*flags} - {0.0, 1.0}:
                allowed = "a full scale above 0, and whether tuned and written, 0 or 1"
                raise invalid(f"{prefix}_extra_state", [scale, *flags], allowed)
            if (ranges < 0).any() or ranges.isinf().any():
                allowed = "ranges of converters of 0 or more, or nan"
                raise invalid(f"{prefix}_extra_state", ranges.tolist(), allowed)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        self.check_state(state_dict, prefix)
        weight, cells = state_dict.get(f"{prefix}weight"), f"{prefix}crossbar.level" in state_dict
        self._loads_weight_alone = weight is not None and not cells
        if weight is not None and not cells and not self.as_torch:
            state_dict[f"{prefix}weight"] = self.from_torch(weight)
            self._takes_own_layout = True
        try:
            super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        finally:
            self._takes_own_layout = False

    def get_extra_state(self) -> Tensor:
        """Scalars of the state: full scale, tuned, written, DAC and ADC ranges (nan: none)."""
        scalars = [self.full_scale, float(self.tuned), float(self.store.holds(self.weight))]
        first = torch.tensor(scalars, dtype=torch.float64)
        return torch.cat((first, self.dac.state(), self.adc.state()))

    def set_extra_state(self, state: Tensor) -> None:
        """Take the scalars back."""
        self.store.full_scale, tuned, written = state[:3].tolist()
        self.tuned = bool(tuned)
        self.mark_written(bool(written))
        self._loaded = bool(written)
        dac, adc = state[3:].tensor_split((self.chips,))
        self.dac.load(dac)
        self.adc.load(adc)

    def __prepare_scriptable__(self) -> nn.Module:
        """Called by `torch.jit.script`."""
        raise invalid(f"{type(self).__name__} forward pass", "compiled by torch.jit.script", PLAIN)

    def extra_repr(self) -> str:
        """The usual line, with the cells."""
        tiles = "x".join(map(str, self.crossbar.tiling.grid))
        hardware = f"{self.hardware.mapping}, levels={self.hardware.levels}, tiles={tiles}"
        return f"{super().extra_repr()}, chips={self.chips}, {hardware}"


@checked
def memristive_layers(net: nn.Module) -> dict[str, ArrayLayer]:
    """All memristive layers of a network by name, in order.

    Raises:
        ValueError: there is none.
    """
    found = {name: m for name, m in net.named_modules() if isinstance(m, ArrayLayer)}
    if not found:
        raise invalid("net", net, "a network with memristive layers; see mho.convert")
    for layer in found.values():
        check_whole(layer.label, layer.weight, replaced=False)
    return found


def digital_buffers(net: nn.Module) -> Iterator[Tensor]:
    """Buffers of a network that are not of its arrays."""
    for module in net.modules():
        if not isinstance(module, Crossbar | Ageing):
            yield from module.buffers(recurse=False)


@stays
def _after_load(module: nn.Module, _incompatible: object) -> None:
    assert isinstance(module, ArrayLayer)
    if module._loads_weight_alone:
        module.restart()
        return
    module.refresh()
    for follower in module.followers:
        follower.restored(module)
