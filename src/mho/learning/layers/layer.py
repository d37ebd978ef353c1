"""What memristive layers share: a shadow weight, and the arrays that hold it; see also reading."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn

from mho.errors import invalid
from mho.hardware import Crossbar, Hardware, Tiling
from mho.hardware.predistortion import predistorted
from mho.kernels import transforming
from mho.learning.compare import positions_apart
from mho.learning.layers.quantizer import level_index, level_value
from mho.learning.layers.reading import ReadArrays
from mho.learning.pen import Pen


class ArrayLayer(ReadArrays):
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

    target: Tensor
    codes: Tensor
    _synced: tuple[Tensor, int]
    _pen: Pen | None

    def _install(self, hardware: Hardware, chips: range, seed: int) -> None:
        """Put the present weight on arrays of new chips."""
        if len(chips) < 1:
            raise invalid("chips", len(chips), "at least 1")
        self.check_finite()
        matrix = self._matrix()
        tiling = Tiling(matrix.shape[1], matrix.shape[0], hardware.tile, hardware.cells)
        self.hardware, self.chips = hardware, len(chips)
        self.crossbar = crossbar = Crossbar(tiling, hardware, chips, seed).to(matrix.device)
        self.__dict__["crossbar"] = crossbar  # found without nn.Module's search, at every step
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
        self._pen = None
        shape = (self.chips, *matrix.shape)
        self.register_buffer("effective", matrix.new_empty(shape), persistent=False)
        self.register_buffer("parts", None, persistent=False)
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
        shadow = self.weight.detach().contiguous()
        target, bound = self.target.view(shadow.shape), self.bound(threshold)
        weights, shadow, finite = positions_apart(shadow, target, bound, self.full_scale)
        if not finite:
            self.check_finite()
        return weights, shadow

    def bound(self, threshold: float) -> float:
        """Distance beyond which a weight is stale; all are for a threshold of 0."""
        return threshold * self.step if threshold else -1.0

    def pen(self) -> Pen | None:
        """For writing in compiled code; None where that cannot work."""
        pen = self._pen
        if transforming():
            return None
        if pen is None or not pen.holds(self):
            pen = self.__dict__["_pen"] = Pen(self) if Pen.suits(self) else None
        return pen

    def update(self, weights: Tensor, index: Tensor) -> None:
        """Fold what the cells of written weights (n,), now at levels `index` (n,), realize into
        `effective` and `target`."""
        effective, target, crossbar = self.effective, self.target, self.crossbar
        pen = self.pen()
        if pen is not None and pen.folds(self):
            pen.fold(self, weights.numpy(), index.numpy())
            return
        cells = crossbar.tiling.cells(weights)
        if crossbar.due:
            self.settle()
        else:
            realized = crossbar.signed_at(cells).mul_(self.scale).to(effective.dtype)
            effective.view(self.chips, -1).index_copy_(1, weights, realized)
            if self.parts is not None:
                apart = crossbar.parts_at(cells).mul_(self.scale)
                self.parts.flatten(2).index_copy_(2, weights, apart.to(self.parts.dtype))
        value = level_value(index, self.full_scale, self.hardware.levels)
        target.view(-1).index_copy_(0, weights, value.to(target.dtype))

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

    def age(self, seconds: float, temperature: float | None) -> None:
        """Let time pass; see `mho.age`."""
        if self.hardware.ages:
            self.crossbar.age(seconds, temperature)
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

    # ---------------------------------------------------------------- state

    def _check_written(self) -> None:
        """Refuse to read arrays that are not up to date."""
        if not self._written:
            raise RuntimeError(
                f"{type(self).__name__}: the shadow weight moved and the arrays were not written; "
                "call mho.write(net), or your WriteStep, after each optimizer.step()"
            )

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
        state["_synced"], state["_pen"], state["_flat"] = self._written, None, None
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


def _after_load(module: nn.Module, _incompatible: object) -> None:
    assert isinstance(module, ArrayLayer)
    module.refresh()


def _full_scale(matrix: Tensor, deviations: float | None) -> float:
    """Weight at the edge of the window."""
    size = matrix.abs().max() if deviations is None else deviations * matrix.std(correction=0)
    return size.item() or 1.0


def _is_parametrized(module: nn.Module) -> bool:
    return torch.nn.utils.parametrize.is_parametrized(module, "weight")
