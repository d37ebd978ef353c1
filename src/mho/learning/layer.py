"""What memristive layers share: a shadow weight, the arrays that hold it, converters, read-out."""

from __future__ import annotations

import math
from collections.abc import Callable
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


class _Through(torch.autograd.Function):
    """Use the array's weight in the forward pass, give its gradient to the shadow weight."""

    @staticmethod
    def forward(ctx: Any, shadow: Tensor, effective: Tensor) -> Tensor:
        ctx.shape = shadow.shape
        return effective.view(effective.shape)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (grad,) = grads
        chips = grad.numel() // ctx.shape.numel()
        total = grad if chips == 1 else grad.view(chips, -1).sum(0)
        return total.view(ctx.shape), None


class _Read(torch.autograd.Function):
    """`ArrayLayer._read` with its gradients, to the input and to the shadow weight, as one node."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, shadow: Tensor, layer: ArrayLayer) -> Tensor:
        y, codes = layer.adc.keeping_codes(layer._currents(x))
        ctx.layer = layer
        ctx.save_for_backward(x, layer.effective, codes)
        return y

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None]:
        x, effective, codes = ctx.saved_tensors
        layer, needed = ctx.layer, ctx.needs_input_grad[:2]
        w = effective.flatten(0, 1) if layer.hardware.transposed else layer._twin()
        # Under autocast the input and the gradient may be of less precision than the weight.
        grad = layer.adc.masked(grads[0], codes).to(w.dtype)
        to_x, to_w = layer._gradients(grad, x.to(w.dtype), w, needed)
        return None if to_x is None else to_x.to(x.dtype), to_w, None


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
        self.dac = Converter("DAC", hardware.dac_bits, hardware.coverage, self.chips)
        self.adc = Converter("ADC", hardware.adc_bits, hardware.coverage, self.chips)
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
        self.register_load_state_dict_post_hook(_after_load)
        self.program()

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
        realized = signed.mul(self.scale).to(effective.dtype)
        if self.crossbar.due:
            self.settle()
        else:
            effective.view(self.chips, -1).index_copy_(1, weights, realized)
        target.view(-1).index_copy_(0, weights, value.mul(self.full_scale).to(target.dtype))

    @torch.no_grad()
    def settle(self) -> None:
        """Solve the wires where cells were written since, and fold them in."""
        if self.crossbar.unsettled:
            self.crossbar.solve()
            torch.mul(self.crossbar.signed(), self.scale, out=self.effective)

    def rewire(self, hardware: Hardware) -> None:
        """The same cells behind other wires; see `mho.rewire`."""
        self.hardware = hardware
        self.crossbar.rewire(hardware)
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
        torch.mul(crossbar.signed(), self.scale, out=self.effective)
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

    def _read(self, x: Tensor) -> Tensor:
        """Inputs x (chips * n, ...) through arrays all of whose rows share a converter."""
        self._check_written()
        if torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad):
            return _Read.apply(x, self.weight, self)  # type: ignore[return-value]
        return self.adc(self._currents(x), overwrite=True)

    def _currents(self, x: Tensor) -> Tensor:
        """Outputs before the converters, with read noise, in weight units; counted."""
        y = self._product(x, self.effective.flatten(0, 1))
        self._count(x, y.numel() // y.shape[self.column_dim])
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

    def _through_tiles(self, x: Tensor, tiled: Callable[[Tensor], Tensor]) -> Tensor:
        """`tiled(x)`, with the error carried back to x as the hardware carries it."""
        if self.hardware.transposed or not (torch.is_grad_enabled() and x.requires_grad):
            return tiled(x)
        carried = self._product(x, self._twin())
        return tiled(x.detach()) + (carried - carried.detach())

    def _array_weight(self) -> Tensor:
        """Weight of the arrays, (chips * out, in), tied to the shadow's gradient."""
        self._check_written()
        stacked = self.effective.flatten(0, 1)
        if torch.is_grad_enabled() and self.weight.requires_grad:
            return _Through.apply(self.weight, stacked)  # type: ignore[return-value]
        return stacked

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
        weight = cell * math.sqrt(self.hardware.cells.read_variance)
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

    def _count(self, x: Tensor, vectors: int) -> None:
        """Count a forward pass of inputs x (chips * batch, ...) that reads `vectors` vectors."""
        inputs = x.shape[0] // self.chips if x.dim() > 1 else 1
        self.crossbar.count_reads(inputs, vectors // self.chips)

    def _tiled(self, x: Tensor) -> Tensor:
        """Rows (chips * n, in) through arrays whose outputs are converted tile by tile."""
        tiling = self.crossbar.tiling
        tile_rows, rows = tiling.grid[0], tiling.rows
        w = self._array_weight().unflatten(0, (self.chips, -1))
        short = tile_rows * rows - tiling.in_features
        if short:
            x, w = F.pad(x, (0, short)), F.pad(w, (0, short))
        x = self._fold(x).unflatten(2, (tile_rows, rows)).transpose(1, 2)
        w = w.unflatten(2, (tile_rows, rows)).permute(0, 2, 3, 1)
        # On a CPU a few chips at a time, so that what the converters pass over stays in the cache.
        together = self.chips
        if x.device.type == "cpu" and not torch.is_grad_enabled() and not self.adc.calibrating:
            together = max(1, _CACHED // (tile_rows * x.shape[2] * tiling.out_features))
        parts = []
        for first in range(0, self.chips, together):
            chips = slice(first, first + together)
            y = self._read_noise(x[chips] @ w[chips], x[chips], row_size, chips)
            parts.append(self.adc(y, overwrite=True, chips=chips).sum(1))
        return torch.cat(parts).flatten(0, 1)

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
        """Inputs (chips * batch, ...) as the DACs apply them."""
        if x.shape[0] % self.chips:
            allowed = f"a multiple of the {self.chips} chips (batch folded, chip-major)"
            raise invalid(f"{type(self).__name__} input rows", x.shape[0], allowed)
        return self.dac(x)

    def _fold(self, x: Tensor) -> Tensor:
        """(chips * n, ...) to (chips, n, ...)."""
        return x.unflatten(0, (self.chips, -1))

    # ---------------------------------------------------------------- state

    def get_extra_state(self) -> Tensor:
        """Scalars of the state: full scale, tuned, written, DAC and ADC ranges (nan: none)."""
        scalars = [self.full_scale, float(self.tuned), float(self._written)]
        return torch.tensor([*scalars, *self.dac.state(), *self.adc.state()], dtype=torch.float64)

    def set_extra_state(self, state: Tensor) -> None:
        """Take the scalars back."""
        self.full_scale, tuned, written, *ranges = state.tolist()
        self.tuned = bool(tuned)
        self.mark_written(bool(written))
        self.dac.load(ranges[: self.chips])
        self.adc.load(ranges[self.chips :])

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


def _after_load(module: nn.Module, _incompatible: object) -> None:
    assert isinstance(module, ArrayLayer)
    module.refresh()


def _full_scale(matrix: Tensor, deviations: float | None) -> float:
    """Weight at the edge of the window."""
    size = matrix.abs().max() if deviations is None else deviations * matrix.std(correction=0)
    return size.item() or 1.0


def _is_parametrized(module: nn.Module) -> bool:
    return torch.nn.utils.parametrize.is_parametrized(module, "weight")
