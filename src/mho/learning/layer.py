"""What memristive layers share: a shadow weight, the arrays that hold it, converters, read-out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from mho.errors import invalid
from mho.hardware import Crossbar, Hardware, Tiling
from mho.hardware.converters import Converter
from mho.hardware.predistortion import predistorted
from mho.hardware.small import small
from mho.hardware.streams import key
from mho.learning.arithmetic import FixedPointArithmetic
from mho.learning.compare import positions_apart
from mho.learning.quantizer import level_index, level_value

_CACHED = 1 << 21
"""Outputs of tiles that are converted in one go."""

ALL = slice(None)
"""All chips."""


class _Read(torch.autograd.Function):
    """`ArrayLayer._converted` with its gradients, to the inputs and to the shadow weight.

    As if the conversions were one: the gradient goes through the product of the whole inputs and
    weights, less the share of the digits whose conversions saturated (a sign bit has none).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, shadow: Tensor, layer: ArrayLayer, by_tile: bool) -> Tensor:
        y, kept = layer._converted(x, by_tile, keep=True)
        ctx.layer, ctx.by_tile = layer, by_tile
        ctx.save_for_backward(x, layer.effective, kept)
        return y

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, effective, kept = ctx.saved_tensors
        layer, needed = ctx.layer, ctx.needs_input_grad[:2]
        w = effective.flatten(0, 1) if layer.hardware.transposed else layer._twin()
        # Under autocast the input and the gradient may be of less precision than the weight.
        grad, x_ = grads[0], x.to(w.dtype)
        if ctx.by_tile:
            grad = layer._fold(grad).unsqueeze(1)
            grad = layer._stopped(grad.expand_as(kept), kept).to(w.dtype)
            to_x, to_w = layer._gradients_by_tile(grad, x_, w, needed)
        else:
            grad = layer._stopped(grad, kept).to(w.dtype)
            to_x, to_w = layer._gradients(grad, x_, w, needed)
        to_w = None if to_w is None else to_w.reshape(layer.weight.shape)
        return None if to_x is None else to_x.to(x.dtype), to_w, None, None


class ArrayLayer(nn.Module):
    """What the memristive layers share: shadow weight, arrays, converters, read-out.

    The forward pass runs through the programmed conductances; the gradient goes to `weight`, the
    float shadow, which an ordinary optimizer moves. After it moved, `mho.write(net)` (or a
    `WriteStep`) must bring the arrays up to date: until then a forward pass raises RuntimeError.
    (A change through `weight.data` goes unseen.)

    With `chips` above 1 the batch dimension is folded, chip-major: (chips * batch, ...).

    Attributes:
        weight: the shadow, as in torch.
        crossbar: the arrays.
        gain, offset (chips, out_features): digital read-out correction, 1 and 0 if not tuned.
        target (out, in): where the controller takes each weight to stand: at its programmed level,
            or where `ReadBack` last read it.
        effective (chips, out, in): weight that the arrays realize.
        parts (chips, parts, out, in): the same of what is converted apart, each slice; None where
            `effective` says all, or until it is first read.
        codes (levels, cells_per_weight): levels of a weight's own cells at each of its levels.
        arithmetic: how the read-out computes, if not in floating point; see `mho.fixed_point`.
    """

    column_dim: ClassVar[int]
    """Dimension of the outputs' columns."""

    weight: Tensor
    bias: Tensor | None
    gain: Tensor
    offset: Tensor
    target: Tensor
    effective: Tensor
    parts: Tensor | None
    codes: Tensor
    arithmetic: FixedPointArithmetic | None
    _synced: tuple[Tensor, int]

    def _install(self, hardware: Hardware, chips: range, seed: int) -> None:
        """Put the present weight on arrays of new chips."""
        if len(chips) < 1:
            raise invalid("chips", len(chips), "at least 1")
        self.check_finite()
        matrix = self._matrix()
        tiling = Tiling(matrix.shape[1], matrix.shape[0], hardware.tile, hardware.cells)
        self.hardware, self.chips = hardware, len(chips)
        self.crossbar = Crossbar(tiling, hardware, chips, seed).to(matrix.device)
        self.full_scale = _full_scale(matrix, hardware.full_scale)
        self._make_converters()
        self.tuned, self.arithmetic = False, None
        out = matrix.shape[0]
        self.register_buffer("gain", matrix.new_ones(self.chips, out))
        self.register_buffer("offset", matrix.new_zeros(self.chips, out))
        self.register_buffer("target", torch.empty_like(matrix), persistent=False)
        index = torch.arange(hardware.levels, device=matrix.device)
        codes = hardware.cells.own(index, hardware.levels, hardware.device.states)
        self.register_buffer("codes", codes.to(torch.int16), persistent=False)
        shape = (self.chips, *matrix.shape)
        self.register_buffer("effective", matrix.new_empty(shape), persistent=False)
        self.register_buffer("parts", None, persistent=False)
        self.register_load_state_dict_post_hook(_after_load)
        self.program()

    def _make_converters(self) -> None:
        """DACs and ADCs, with the ranges that are fixed by design."""
        hardware, tiling = self.hardware, self.crossbar.tiling
        fixed = [not isinstance(r, str) for r in (hardware.dac_range, hardware.adc_range)]
        own: dict[int, int] = {}
        if hardware.adc_range == "column":
            columns = len(tiling.mapping.factors) * tiling.out_features
            by_tile = {-3: tiling.grid[0], -1: columns}
            own = by_tile if self._converts_tiles else {self.column_dim: columns}
        cover = hardware.coverage
        self.dac = Converter("DAC", hardware.dac_bits, cover, self.chips, fixed=fixed[0])
        self.adc = Converter("ADC", hardware.adc_bits, cover, self.chips, own=own, fixed=fixed[1])
        if not isinstance(hardware.dac_range, str):
            self.dac.ranges = (hardware.dac_range,) * self.chips
            self._fix_adc()

    def _fix_adc(self) -> None:
        """An ADC range that is a share of the largest current follows from the DAC's range."""
        share, tiling = self.hardware.adc_range, self.crossbar.tiling
        if not isinstance(share, str) and self.dac.ranges is not None:
            rows = tiling.rows if self._converts_tiles else tiling.in_features
            self.adc.ranges = share * rows * self.full_scale * self.dac.ranges

    @classmethod
    def adopt(cls, module: nn.Module, hardware: Hardware, chips: range, seed: int) -> Self:
        """The memristive twin of a torch layer; the layer is untouched, no global state is used."""
        raise NotImplementedError

    def _adopt(self, module: nn.Module, hardware: Hardware, chips: range, seed: int) -> Self:
        """Take over the parameters of a torch layer of the same shape."""
        self.weight = nn.Parameter(
            module.weight.detach().clone(),  # type: ignore[union-attr]
            requires_grad=module.weight.requires_grad or _is_parametrized(module),  # type: ignore[union-attr]
        )
        if self.bias is not None:
            self.bias = nn.Parameter(
                module.bias.detach().clone(),  # type: ignore[union-attr]
                requires_grad=module.bias.requires_grad,  # type: ignore[union-attr]
            )
        self.train(module.training)
        self._install(hardware, chips, seed)
        return self

    @property
    def step(self) -> float:
        """Distance between neighbouring weight levels, in weight units."""
        return 2 * self.full_scale / (self.hardware.levels - 1)

    @property
    def scale(self) -> float:
        """Weight per siemens of signed conductance."""
        low, high = self.hardware.device.window
        return self.full_scale / (self.hardware.cells.reach * (high - low))

    def _matrix(self) -> Tensor:
        """The shadow as (out, in)."""
        return self.weight.detach().flatten(1)

    # ---------------------------------------------------------------- writing

    def program(self) -> None:
        """Bring every cell to the level nearest to its shadow weight; write only what differs."""
        tiling, n = self.crossbar.tiling, self.hardware.levels
        index = tiling.cut(level_index(self._matrix(), self.full_scale, n), -1)
        self.crossbar.place(index)
        levels = tiling.mapping.levels(index.clamp(min=0), n, self.hardware.device.states)
        used = tiling.used().to(levels.device)
        levels = torch.where(used, levels, -1)
        if self._predistorted:
            levels, share = predistorted(levels, tiling, self.hardware)
            self.gain.copy_((1 / share).expand_as(self.gain))
            self.tuned = True
        self.crossbar.program(levels)
        self.crossbar.solve_all()
        self.refresh()
        self.mark_written()

    @property
    def _predistorted(self) -> bool:
        """Whether levels are not those of the weights, but allow for the wires."""
        return self.hardware.predistortion > 0 and bool(self.hardware.wires)

    def check_finite(self) -> None:
        """Refuse a shadow weight with nan or inf in it."""
        # A sum is several times faster; that of finite numbers may still overflow.
        if not math.isfinite(self.weight.detach().sum()) and not torch.isfinite(self.weight).all():
            raise invalid(f"{type(self).__name__}.weight", "nan or inf", "finite numbers only")

    def stale(self, threshold: float) -> tuple[Tensor, Tensor]:
        """Flat positions (n,) and shadows (n,) of weights more than `threshold` steps from their
        programmed level; 0: of all weights.

        Raises:
            ValueError: a shadow weight is not finite.
        """
        flat, target = self._matrix().view(-1), self.target.view(-1)
        bound = threshold * self.step if threshold else -1.0
        weights = positions_apart(flat, target, bound)
        shadow = flat.index_select(0, weights)
        most = float(abs(small(shadow)).max()) if len(weights) else 0.0
        if not math.isfinite(most):
            self.check_finite()
        if most > self.full_scale:  # beyond the edge a shadow counts as standing at it
            edge = shadow.clamp(-self.full_scale, self.full_scale)
            apart = (edge - target.index_select(0, weights)).abs_() > bound
            weights, shadow = weights[apart], shadow[apart]
        return weights, shadow

    def update(self, weights: Tensor, signed: Tensor, value: Tensor) -> None:
        """Fold the conductances of written weights (n,) into `effective`.

        Args:
            weights: flat positions (n,).
            signed: signed conductances (chips, n) [S].
            value: what their levels stand for (n,), in shares of the full scale.
        """
        effective, target = self.effective, self.target
        if self.crossbar.due:
            self.settle()
        else:
            realized = signed.mul(self.scale).to(effective.dtype)
            effective.view(self.chips, -1).index_copy_(1, weights, realized)
            if self.parts is not None:
                apart = self.crossbar.parts_at(self.crossbar.tiling.cells(weights)).mul_(self.scale)
                self.parts.flatten(2).index_copy_(2, weights, apart.to(self.parts.dtype))
        target.view(-1).index_copy_(0, weights, value.mul(self.full_scale).to(target.dtype))

    @torch.no_grad()
    def settle(self) -> None:
        """Solve the wires where cells were written since, and fold them in."""
        if self.crossbar.unsettled:
            self.crossbar.solve()
            self._fold_cells()

    def rewire(self, hardware: Hardware) -> None:
        """The same cells behind other wires; see `mho.rewire`."""
        self.hardware = hardware
        self.crossbar.rewire(hardware)
        self._fold_cells()

    def _fold_cells(self) -> None:
        """Weights that the arrays realize, from what is seen of all cells."""
        self.parts = None
        torch.mul(self.crossbar.signed(), self.scale, out=self.effective)

    def read_back(self, weights: Tensor) -> Tensor:
        """Weights (n,) of the only chip as one noisy read of their cells gives them; counted."""
        signed = self.crossbar.read_back(self.crossbar.tiling.cells(weights))
        return signed.squeeze(0).mul_(self.scale).to(self.target)

    @torch.no_grad()
    def refresh(self) -> None:
        """Fold the conductances into the weights that the forward pass uses."""
        crossbar, device = self.crossbar, self.hardware.device
        tiling = crossbar.tiling
        self._fold_cells()
        if self._predistorted:
            index = level_index(self._matrix(), self.full_scale, self.hardware.levels)
            self.target.copy_(level_value(index, self.full_scale, self.hardware.levels))
            return
        nominal = device.nominal(crossbar.level)
        folded = tiling.mapping.fold(nominal, tiling.cols, device.window)
        torch.mul(tiling.join(folded), self.scale, out=self.target)

    def expected(self, hardware: Hardware | None = None) -> Tensor:
        """Weight (out, in) that the levels give on average over chips, spread included, and with
        the wires that cells of mean conductance have.

        `hardware` may be another kind of chip, of the same mapping, levels and window.
        """
        hardware, tiling = hardware or self.hardware, self.crossbar.tiling
        level = self.crossbar.level
        mean = hardware.programming.mean(hardware.device, level)
        if hardware.wires:
            mean = hardware.wires.seen(torch.where(level >= 0, mean, 0.0))
        folded = tiling.mapping.fold(mean, tiling.cols, self.hardware.device.window)
        return tiling.join(folded) * self.scale

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """A cast or a move is no movement of the shadow, even where torch replaces the tensor."""
        written = self._written
        super()._apply(fn, recurse)
        self.mark_written(written)
        return self

    def mark_written(self, written: bool = True) -> None:
        """Remember the shadow as it is now, which torch's counter tells from any later one."""
        weight = self.weight
        self.__dict__["_synced"] = (weight, weight._version if written else -1)

    @property
    def _written(self) -> bool:
        """Whether the shadow is still the one that was written."""
        weight, version = self._synced
        return weight is self.weight and version == weight._version

    # ---------------------------------------------------------------- reading

    def _check_written(self) -> None:
        """Refuse to read arrays that are not up to date."""
        if not self._written:
            raise RuntimeError(
                f"{type(self).__name__}: the shadow weight moved and the arrays were not written; "
                "call mho.write(net), or your WriteStep, after each optimizer.step()"
            )

    def _read(self, x: Tensor, by_tile: bool = False) -> Tensor:
        """Inputs x (chips * n, ...) through arrays and converters.

        `by_tile`: x (chips * n, in) through tiles with converters of their own.
        """
        if torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad):
            return _Read.apply(x, self.weight, self, by_tile)  # type: ignore[return-value]
        return self._converted(x, by_tile, keep=False)[0]

    def _converted(self, x: Tensor, by_tile: bool, keep: bool) -> tuple[Tensor, Tensor | None]:
        """Digital sum of all conversions; and, to `keep`, what `_stopped` needs."""
        read = self._tiles_converted if by_tile else self._whole_converted
        if self._single:
            return read(x, keep)
        dim = -1 if by_tile else self.column_dim
        out = self.crossbar.tiling.out_features
        total = share = None
        whole = 0.0
        for factor, plane in self._planes(x):
            y, codes = read(plane, keep)
            passes = None if codes is None else self.adc.passes(codes)
            for part, digit in enumerate(self._factors):
                place, size = (dim, part * out, out), max(factor, 0.0) * digit
                whole += size
                total = _added(total, y.narrow(*place), factor * digit)
                if passes is not None:
                    share = _added(share, passes.narrow(*place).to(y.dtype), size)
        assert total is not None
        return total, None if share is None else share.div_(whole)

    @property
    def _single(self) -> bool:
        """Whether an output of an array, or of a tile, is converted at once."""
        return len(self._factors) == 1 and not self._serial

    @property
    def _factors(self) -> tuple[float, ...]:
        """Digital factors of what is converted apart: slices, if there is an ADC."""
        exact = self.hardware.adc_bits is None
        return (1.0,) if exact else self.crossbar.tiling.mapping.factors

    @property
    def _columns(self) -> Tensor:
        """Weights (chips, columns, in) of the columns that are converted."""
        if len(self._factors) == 1:
            return self.effective
        if self.parts is None:
            self.parts = self.crossbar.parts().mul_(self.scale).to(self.effective.dtype)
        return self.parts.flatten(1, 2)

    def _stopped(self, grad: Tensor, kept: Tensor | None) -> Tensor:
        """The gradient before the conversions: what saturated takes its share away."""
        if self._single or kept is None:
            return self.adc.masked(grad, kept)
        return grad * kept

    def _whole_converted(self, x: Tensor, keep: bool) -> tuple[Tensor, Tensor | None]:
        """Columns of x (chips * n, ...) through arrays all of whose rows share a converter."""
        y = self._currents(x)
        return self.adc.keeping_codes(y) if keep else (self.adc(y, overwrite=True), None)

    def _currents(self, x: Tensor) -> Tensor:
        """Columns before the converters, with read noise, in weight units; counted."""
        y = self._product(x, self._columns.flatten(0, 1))
        self._count(y.numel() // y.shape[self.column_dim])
        return self._read_noise(y, x, self._input_size)

    def _product(self, x: Tensor, w: Tensor) -> Tensor:
        """Inputs (chips * n, ...) times weights (chips * out, in)."""
        raise NotImplementedError

    def _gradients(
        self, grad: Tensor, x: Tensor, w: Tensor, needed: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        """Of the product, to the inputs and to the shadow weight, the chips' gradients added."""
        raise NotImplementedError

    def _input_size(self, x: Tensor) -> Tensor:
        """Root of the sum of the squared inputs of each output."""
        raise NotImplementedError

    def _twin(self) -> Tensor:
        """The shadow weight for each chip, (chips * out, in)."""
        return self._matrix().repeat(self.chips, 1)

    def _read_noise(
        self, y: Tensor, x: Tensor, size: Callable[[Tensor], Tensor], chips: slice = ALL
    ) -> Tensor:
        """Add the noise of one read to y, of some chips, in place.

        `size(x)`: root of the sum of the squared inputs of each y.
        """
        device = self.hardware.device
        if device.read_noise == 0.0:
            return y
        low, high = device.window
        cell = device.read_noise * (high - low) * self.scale
        cells = self.crossbar.tiling.mapping
        apart = len(self._factors) > 1
        weight = cell * math.sqrt(cells.part_variance if apart else cells.read_variance)
        seed, vectors = self.crossbar.seed, self.crossbar.vectors
        generator = torch.Generator(y.device)
        z = torch.empty(y.shape, dtype=y.dtype, device=y.device)
        which = self.crossbar.chips[chips]
        for row, chip in zip(z.view(len(which), -1).unbind(), which, strict=True):
            row.normal_(generator=generator.manual_seed(key(seed, chip, "read", vectors)))
        return y.addcmul_(z, size(x.detach()), value=weight)

    @property
    def _converts_tiles(self) -> bool:
        """Whether each of several tiles along the inputs has converters of its own."""
        several = self.crossbar.tiling.grid[0] > 1
        return several and self.hardware.adc_bits is not None and self.hardware.adc_per_tile

    def _count(self, vectors: int) -> None:
        """Count a read of `vectors` vectors by all chips together."""
        hardware = self.hardware
        as_one = hardware.serial_inputs and not self._serial
        reads = (hardware.dac_bits or 1) if as_one else 1
        self.crossbar.count_reads(0, reads * (vectors // self.chips))

    def _tiles_converted(self, x: Tensor, keep: bool) -> tuple[Tensor, Tensor | None]:
        """Columns of x (chips * n, in) through arrays that are converted tile by tile."""
        self._count(len(x))
        x, w = self._cut(x, self._columns)
        if keep or self.adc.calibrating:
            y, codes = self.adc.keeping_codes(self._read_noise(x @ w, x, row_size))
            return y.sum(1).flatten(0, 1), codes
        # On a CPU a few chips at a time, so that what the converters pass over stays in the cache.
        together = self.chips
        if x.device.type == "cpu":
            together = max(1, _CACHED // (w.shape[1] * x.shape[2] * w.shape[3]))
        parts = []
        for first in range(0, self.chips, together):
            chips = slice(first, first + together)
            y = self._read_noise(x[chips] @ w[chips], x[chips], row_size, chips)
            parts.append(self.adc(y, overwrite=True, chips=chips).sum(1))
        return torch.cat(parts).flatten(0, 1), None

    def _cut(self, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs (chips * n, in) and weights (chips, columns, in) by tiles of rows.

        To (chips, tiles, n, rows) and (chips, tiles, rows, columns).
        """
        tiling = self.crossbar.tiling
        tiles, rows = tiling.grid[0], tiling.rows
        short = tiles * rows - tiling.in_features
        if short:
            x, w = F.pad(x, (0, short)), F.pad(w, (0, short))
        x = self._fold(x).unflatten(2, (tiles, rows)).transpose(1, 2)
        return x, w.unflatten(2, (tiles, rows)).permute(0, 2, 3, 1)

    def _gradients_by_tile(
        self, grad: Tensor, x: Tensor, w: Tensor, needed: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        """As `_gradients`, of the products of each tile: grad (chips, tiles, n, out)."""
        inputs = self.crossbar.tiling.in_features
        x, w = self._cut(x, self._fold(w))
        to_x = to_w = None
        if needed[0]:
            to_x = (grad @ w.mT).transpose(1, 2).flatten(2)[..., :inputs].flatten(0, 1)
        if needed[1]:
            to_w = (x.mT @ grad).sum(0).flatten(0, 1)[:inputs].T
        return to_x, to_w

    def _readout(self, y: Tensor) -> Tensor:
        """Digital gain, offset and bias of outputs (chips * batch, ...)."""
        after = (1,) * (-1 - self.column_dim)
        if self.tuned:
            y = y.unflatten(0, (self.chips, -1))
            shape = (self.chips, *(1,) * (y.dim() - 2 - len(after)), -1, *after)
            y = (y * self.gain.view(shape) + self.offset.view(shape)).flatten(0, 1)
        y = y if self.bias is None else y + self.bias.view(-1, *after)
        return y if self.arithmetic is None else self.arithmetic.result(y)

    def _drive(self, x: Tensor) -> Tensor:
        """Inputs (chips * batch, ...) as the DACs apply them; counted."""
        self._check_written()
        if x.shape[0] % self.chips:
            allowed = f"a multiple of the {self.chips} chips (batch folded, chip-major)"
            raise invalid(f"{type(self).__name__} input rows", x.shape[0], allowed)
        x = self.dac(x)
        if self.dac.calibrating:
            self._fix_adc()
        self.crossbar.count_reads(x.shape[0] // self.chips if x.dim() > 1 else 1, 0)
        return x

    def _planes(self, x: Tensor) -> Iterable[tuple[float, Tensor]]:
        """What is read one after another for inputs x (chips * n, ...), with digital factors."""
        return self.dac.planes(x) if self._serial else ((1.0, x),)

    @property
    def _serial(self) -> bool:
        """Whether the bits of the inputs must be read apart: exact reads add up to one."""
        exact = self.hardware.adc_bits is None and self.hardware.device.read_noise == 0.0
        return self.hardware.serial_inputs and not exact

    def _fold(self, x: Tensor) -> Tensor:
        """(chips * n, ...) to (chips, n, ...)."""
        return x.unflatten(0, (self.chips, -1))

    # ---------------------------------------------------------------- state

    def get_extra_state(self) -> Tensor:
        """Scalars of the state: full scale, tuned, written, DAC and ADC ranges (nan: none)."""
        scalars = [self.full_scale, float(self.tuned), float(self._written)]
        first = torch.tensor(scalars, dtype=torch.float64)
        return torch.cat((first, self.dac.state(), self.adc.state()))

    def set_extra_state(self, state: Tensor) -> None:
        """Take the scalars back."""
        self.full_scale, tuned, written = state[:3].tolist()
        self.tuned = bool(tuned)
        self.mark_written(bool(written))
        dac, adc = state[3:].tensor_split((self.chips,))
        self.dac.load(dac)
        self.adc.load(adc)

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles carry whether the arrays are up to date, not torch's counter."""
        state = self.__dict__.copy()
        state["_synced"] = self._written
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.mark_written(state["_synced"])

    def extra_repr(self) -> str:
        """The usual line, with the cells."""
        tiles = "x".join(map(str, self.crossbar.tiling.grid))
        hardware = f"{self.hardware.mapping}, levels={self.hardware.levels}, tiles={tiles}"
        return f"{super().extra_repr()}, chips={self.chips}, {hardware}"


def memristive_layers(net: nn.Module) -> dict[str, ArrayLayer]:
    """All memristive layers of a network by name, in order.

    Raises:
        ValueError: there is none.
    """
    found = {name: m for name, m in net.named_modules() if isinstance(m, ArrayLayer)}
    if not found:
        raise invalid(
            "net", type(net).__name__, "a network with memristive layers; see mho.convert"
        )
    return found


def row_size(x: Tensor) -> Tensor:
    """Root of the sum of squares of each row (..., 1)."""
    return torch.linalg.vector_norm(x, dim=-1, keepdim=True)


def _added(total: Tensor | None, part: Tensor, factor: float) -> Tensor:
    """`total + factor * part`, in place; None counts as 0."""
    return part * factor if total is None else total.add_(part, alpha=factor)


def _after_load(module: nn.Module, _incompatible: object) -> None:
    assert isinstance(module, ArrayLayer)
    module.refresh()


def _full_scale(matrix: Tensor, deviations: float | None) -> float:
    """Weight at the edge of the window."""
    size = matrix.abs().max() if deviations is None else deviations * matrix.std(correction=0)
    return size.item() or 1.0


def _is_parametrized(module: nn.Module) -> bool:
    return torch.nn.utils.parametrize.is_parametrized(module, "weight")
