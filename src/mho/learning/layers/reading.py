"""How arrays are read: drivers, arrays, converters, digital sums; and the way back."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from mho.errors import NotReady, invalid
from mho.hardware import gated_columns, on_instrument
from mho.hardware.converter_errors import ConverterErrors, Converters
from mho.hardware.converters import ALL, Converter, calibration, check_not_negative, passed
from mho.hardware.driver_errors import DriverErrors
from mho.hardware.sensing import (
    NumbersOfPart,
    ReadNoise,
    ReferenceNoise,
    biased,
    row_size,
    sense,
    stopped,
    unsensed,
)
from mho.hardware.store import Store
from mho.hardware.streams import key
from mho.hardware.tally import Tally
from mho.learning.layers.batch_part import BatchPart, part_now
from mho.learning.layers.product import Product, wide_sum
from mho.physics import OfConductance

_CACHED = 1 << 21
"""Outputs of tiles that are converted in one go."""


class Reading:
    """The forward pass of one layer through its arrays, without the read-out behind it.

    Inputs x (chips * n, ...) go through the DACs; each array answers with the currents of its
    columns, to which noise is added; the ADCs convert these, and the rest is digital:

        y = sum over tiles, digits of the weights and bits of the inputs of factor * ADC(x_part w)

    If all of that adds up without a converter in between, it is one product with `effective`. What
    a mapping adds digitally (`Mapping.constant`) comes after the ADCs, once for each vector.

    On the way back, `Hardware.transposed`, errors are applied to the columns and the rows answer,
    without noise or rounding. Each vector of errors is counted as a read of all cells; where the
    hardware has converters it also takes the conversions of such a read (`mho.ledger`), which are
    taken to be fine enough not to be seen in the gradient.

    Attributes:
        store: the weights that the arrays hold.
        product: what inputs and a matrix make.
        dac, adc: the converters.
        drivers: errors of the DACs; None: they have none.
        by_digit: whether the digits of a weight are converted each on its own.
        serial: whether the bits of the inputs must be converted apart: exact reads, and those that
            are added before one conversion, add up to one.
        by_tile: whether each of several tiles along the inputs has converters of its own.
    """

    def __init__(self, store: Store, product: Product) -> None:
        self.store, self.product = store, product
        crossbar, hardware = store.crossbar, store.hardware
        tiling = crossbar.tiling
        self.chips = len(crossbar.chips)
        self.some = ALL
        """Which chips of the store they are."""
        self.maps = product.column_dim < -1
        exact = hardware.adc_bits is None
        self.by_tile = not exact and hardware.adc_per_tile and tiling.grid[0] > 1
        self.factors = (1.0,) if exact else tiling.mapping.factors
        self.by_digit = len(self.factors) > 1
        quiet = hardware.device.read_noise == 0.0
        self._noise_by_bit = hardware.serial_sum == "analog"
        """Whether bits of the inputs are read apart and converted together."""
        self.settle_reads()
        cells = tiling.mapping
        variance = cells.part_variance if self.by_digit else cells.read_variance
        share = hardware.device.read_noise
        self.noise_of_columns = isinstance(share, OfConductance)
        """Whether the noise of a read depends on the conductances, and so on the column."""
        # with sizes of columns, which hold all else: see `_sizes`
        noise = 0.0 if isinstance(share, OfConductance) else share / cells.span
        shared = cells.reference_share
        self._noise = noise * math.sqrt(variance * (1 - shared))
        """Standard deviation of a column's read for a single input of 1, in full scales, without
        that of the reference columns."""
        self._reference_noise = noise * math.sqrt(variance * shared)
        """That of the reference columns."""
        self._conversion_noise = 0.0 if exact else hardware.adc.noise
        """Standard deviation of the noise of a conversion, in steps of the ADC."""
        self.exact = quiet and self._conversion_noise == 0.0 and crossbar.arrays is None
        """Whether the same inputs give the same outputs, bit by bit, until cells are written."""
        self._make_converters()

    def settle_reads(self) -> None:
        """What follows from the hardware for how it is read, its wires included."""
        crossbar, hardware = self.store.crossbar, self.store.hardware
        exact, quiet = hardware.adc_bits is None, hardware.device.read_noise == 0.0
        self.gated = bool(hardware.wires) and hardware.wires.gated
        """Whether inputs turn cells on and off, so that no matrix is what the arrays show."""
        apart = not exact or self.gated or crossbar.arrays is not None
        self._bare = apart and crossbar.tiling.mapping.constant != 0.0
        add_up = self._noise_by_bit or (exact and quiet and not self.gated)
        self.serial = hardware.serial_inputs and not add_up
        as_one = hardware.serial_inputs and not self.serial
        self._reads_as_one = (hardware.dac_bits or 1) if as_one else 1

    def _make_converters(self) -> None:
        """DACs and ADCs, with the ranges that are fixed by design."""
        hardware, tiling = self.store.hardware, self.store.crossbar.tiling
        own: dict[int, int] = {}
        if hardware.adc_range == "column":
            columns = len(tiling.mapping.factors) * tiling.outputs
            by_tile = {-3: tiling.groups * tiling.grid[0], -1: columns}
            whole = {self.product.column_dim: tiling.groups * columns}
            own = by_tile if self.by_tile else whole
        fixed = [not isinstance(r, str) for r in (hardware.dac_range, hardware.adc_range)]
        how = (hardware.coverage, self.chips)
        growth, chips = hardware.range_growth, self.chips
        self.dac = Converter(
            "DAC", hardware.dac_bits, *how, fixed=fixed[0], growth=growth,
            signed=hardware.signed_inputs,
        )  # fmt: skip
        self.adc = Converter(
            "ADC", hardware.adc_bits, *how, own=own, fixed=fixed[1], growth=growth,
            errors=self._errors(),
        )  # fmt: skip
        self.drivers = self._driver_errors()
        if not isinstance(hardware.dac_range, str):
            self.dac.ranges = (hardware.dac_range,) * chips
            self._fix_adc()

    def _errors(self) -> ConverterErrors | None:
        """Errors that the ADCs were made with; None: there are none, or they are a real chip's."""
        hardware, crossbar = self.store.hardware, self.store.crossbar
        if hardware.adc_bits is None or hardware.adc.exact or crossbar.arrays is not None:
            return None
        where = Converters.of(
            crossbar.tiling, by_tile=self.by_tile, digits=len(self.factors),
            share=hardware.adc.share or 1,
        )  # fmt: skip
        dims = (-3, -1) if self.by_tile else (self.product.column_dim,)
        return ConverterErrors(hardware.adc, hardware.adc_bits, where, dims)

    def _driver_errors(self) -> DriverErrors | None:
        """Errors that the DACs were made with; None: there are none, or they are a real chip's."""
        hardware, crossbar = self.store.hardware, self.store.crossbar
        if hardware.dac_bits is None or hardware.dac.exact or crossbar.arrays is not None:
            return None
        how = (hardware.dac_bits, hardware.signed_inputs, crossbar.tiling.inputs)
        return DriverErrors(hardware.dac, *how)

    def _driven(self, rows: Tensor) -> Tensor:
        """What is applied to the rows for converted inputs (chips * n, groups * in)."""
        if self.drivers is None:
            return rows
        crossbar = self.store.crossbar
        self.drivers.belong_to(crossbar.seed, crossbar.chips)
        return self.drivers.applied(rows, self.dac.steps, self.some)

    def _fix_adc(self) -> None:
        """An ADC range that is a share of the largest current follows from the DAC's range."""
        share, tiling = self.store.hardware.adc_range, self.store.crossbar.tiling
        if not isinstance(share, str) and self.dac.ranges is not None:
            rows = tiling.rows if self.by_tile else tiling.in_features
            largest = self.store.full_scale + abs(self._added)
            self.adc.ranges = share * rows * largest * self.dac.ranges

    @property
    def converters(self) -> tuple[Converter, Converter]:
        """DACs and ADCs."""
        return self.dac, self.adc

    @property
    def _added(self) -> float:
        """Weight that the mapping adds digitally to what the columns hold; 0 where that is not
        looked at apart."""
        store = self.store
        if not self._bare:
            return 0.0
        window = store.hardware.device.window
        return store.crossbar.tiling.mapping.constant * sum(window) * store.scale

    @contextmanager
    def alone(self, chip: int) -> Iterator[Reading]:
        """The reading of one of the chips, for a pass inside."""
        one = object.__new__(Reading)
        one.__dict__.update(self.__dict__)  # sooner than `copy.copy`, and done at each read
        one.chips, one.some = 1, slice(chip, chip + 1)
        with self.dac.alone(chip) as one.dac, self.adc.alone(chip) as one.adc:
            yield one

    def of(self, product: Product) -> Reading:
        """The same arrays and converters for another product of the kind."""
        other = copy.copy(self)
        other.product = product
        return other

    def take_ranges(self, former: Reading) -> None:
        """Go on with the converters of a former reading, as far as the host knows them: with their
        ranges, not with errors that they were made with."""
        errors = self.adc.errors
        self.dac, self.adc = former.dac, former.adc
        self.adc.errors = errors

    def fix_ranges(self, inputs: Tensor | None, outputs: Tensor | None) -> None:
        """Have converters keep ranges from now on, on all chips, but for those that the hardware
        fixes.

        Args:
            inputs: range (1,) of the DACs; None: as before.
            outputs: range (1,), or one a column, of ADCs that convert whole columns; None: as
                before, and so are those that convert parts of columns.
        """
        dac, adc = self.converters
        if inputs is not None and dac.bits is not None and not dac.fixed:
            dac.fix(inputs)
            self._fix_adc()
        whole = not (self.by_tile or self.by_digit or self.serial)
        if outputs is None or adc.bits is None or adc.fixed or not whole:
            return
        if outputs.numel() in (1, math.prod(adc.own.values())):
            adc.fix(outputs.flatten().expand(adc.shape))

    @property
    def plain(self) -> bool:
        """Whether reads are exact and nothing is converted."""
        return self.exact and all(converter.bits is None for converter in self.converters)

    @property
    def watched(self) -> bool:
        """Whether something looks at each value that is converted."""
        return self.dac.watched or self.adc.watched

    def uncalibrate(self) -> None:
        """Forget the ranges that were calibrated."""
        self._make_converters()

    def rescaled(self, factor: float) -> None:
        """The edge of the window is another weight now, `factor` times that of before: ranges fixed
        in amperes go with it, and those of bare columns, which all stand for so much more."""
        calibrated = isinstance(self.store.hardware.adc_range, str)
        if self._bare and calibrated and self.adc.ranges is not None:
            self.adc.ranges = factor * self.adc.ranges
        self._fix_adc()

    def columns_grown(self, factor: float) -> None:
        """The weights of columns use more of the window, by a factor at most: calibrated ranges of
        ADCs grow with them, so that nothing saturates that did not."""
        if isinstance(self.store.hardware.adc_range, str) and self.adc.ranges is not None:
            self.adc.ranges = factor * self.adc.ranges

    # ---------------------------------------------------------------- forward

    def __call__(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, training: bool = False
    ) -> Tensor:
        """Inputs (chips * n, ...) to outputs, with a digital bias (out,) if there is one.

        Args:
            weight: the shadow, which gets the gradient.
            training: whether ranges follow what saturates; see `Hardware.range_growth`.

        Raises:
            RuntimeError: a converter has no range yet.
            ValueError: a range was to be set by, or to follow, nan or inf; an input is negative
                where `Hardware.signed_inputs` is False.
        """
        if not self.dac.signed:
            check_not_negative(x, self.name)
        if training and (self.dac.follows or self.adc.follows) and torch.is_grad_enabled():
            return self._following(x, weight, bias)
        if not x.numel():
            return self._of_zeros(x, weight, bias)
        self._check_ready()
        return self._outputs(x, weight, bias)

    def _check_ready(self) -> None:
        """Refuse to convert without a range, unless ranges are being found."""
        if not any(converter.calibrating for converter in self.converters):
            for converter in self.converters:
                converter.check_ready(f"{self.name}: ")

    def _following(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """`_outputs`, after which ranges are those for the next batch."""
        dac, adc, part = self.dac, self.adc, part_now()
        unset = [c for c in (dac, adc) if c.follows and c.unset]
        if unset and part is not None:
            raise NotReady(f"{self.name}: no range is set yet; call mho.calibrate(net, inputs) "
                           "before several processes train it")  # fmt: skip
        if unset and not x.any():
            return self._of_zeros(x, weight, bias)
        if unset:
            self._check_finite(x)
            # a fixed ADC's range may follow from that of the DAC
            some = [*unset, *(c for c in self.converters if c.fixed)]
            with calibration({self.name: some}):
                return self._outputs(x, weight, bias)
        self._check_ready()
        driven, sensed = Tally(dac.shape), Tally(adc.shape)
        dac.tally, adc.tally = driven if dac.follows else None, sensed if adc.follows else None
        try:
            y = self._outputs(x, weight, bias)
        finally:
            dac.tally = adc.tally = None
        if part is not None:
            part.add_up(driven, sensed)
        if driven.share() or sensed.share():
            self._check_finite(x)
            dac.follow(driven)
            adc.follow(sensed)
            self._fix_adc()
        return y

    def _of_zeros(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """`_outputs` of zeros alone, such as a recurrent layer's first state, or of no inputs, as
        some experts get of a mixture: they set no range, and any would convert them alike."""
        unset = [converter for converter in self.converters if not converter.ready]
        for converter in unset:
            converter.ranges = torch.zeros(converter.shape)
        try:
            return self._outputs(x, weight, bias)
        finally:
            for converter in unset:
                converter.ranges = None

    def _check_finite(self, x: Tensor) -> None:
        if not torch.isfinite(x).all():
            allowed = "finite numbers where converters' ranges follow them, in training mode"
            raise invalid(f"input of {self.name}", "nan or inf", allowed)

    @property
    def name(self) -> str:
        """Of the layer, as far as it knows, for errors."""
        tiling = self.store.crossbar.tiling
        return f"{self.store.owner} ({tiling.inputs} to {tiling.out_features})"

    def _outputs(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Outputs, as a call gives them."""
        product = self.product
        if self.by_tile:
            x = product.prepared(self.dac(x))
            # Input vectors as rows: (chips * n, groups * in) -> (chips * n, out); of maps each
            # pixel is one.
            rows = self._differentiated(product.rows(x), weight, bias, driven=True, by_tile=True)
            return product.from_rows(rows, x)  # back to the shape of the outputs
        if product.prepares:
            return self._differentiated(product.prepared(self.dac(x)), weight, bias, driven=True)
        return self._differentiated(x, weight, bias)

    def _differentiated(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        *,
        driven: bool = False,
        by_tile: bool = False,
    ) -> Tensor:
        """`converted`, with its gradients if anything asks for them.

        Args:
            driven: whether x went through the DACs already.
            by_tile: whether x are driven rows (chips * n, groups * in) for tiles with ADCs of their
                own.
        """
        if torch.is_grad_enabled() and (
            x.requires_grad or weight.requires_grad or (bias is not None and bias.requires_grad)
        ):
            how = (driven, by_tile) if driven else ()
            return _Read.apply(x, weight, bias, self, *how)  # type: ignore[return-value]
        x = x if driven else self.dac(x)
        return self.converted(x, bias, by_tile, keep=False)[0]

    def converted(
        self, x: Tensor, bias: Tensor | None, by_tile: bool, keep: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Digital sum of all conversions of driven inputs and the bias; and, to `keep`, the share
        of each gradient that passes: where it does if there is one conversion, None if everywhere.
        """
        if self.dac.calibrating:
            self._fix_adc()
        if self.adc.errors is not None:
            self.adc.errors.belong_to(self.store.crossbar.seed, self.store.crossbar.chips)
        driven = self._driven(x) if by_tile else x
        if not self._added:
            return self._columns_converted(driven, bias, by_tile, keep)
        y, passes = self._columns_converted(driven, bias, by_tile, keep)
        if by_tile:
            # (chips * n, groups * in) -> (chips * n, groups)
            total, dim = wide_sum(x.unflatten(-1, (self.groups, -1)), -1).squeeze(-1), -1
        else:
            total, dim = self.product.input_sum(x), self.product.column_dim
        return _add_inputs(y, total, self._added, dim), passes

    def _columns_converted(
        self, x: Tensor, bias: Tensor | None, by_tile: bool, keep: bool
    ) -> tuple[Tensor, Tensor | None]:
        """`converted`, without what the mapping adds digitally."""
        read = self._tiles_converted if by_tile else self._whole_converted
        if not self.by_digit and not self.serial:
            return read(x, bias, keep)
        dim = -1 if by_tile else self.product.column_dim
        total = lost = None
        whole = 0.0
        for factor, plane in self.dac.planes(x) if self.serial else ((1.0, x),):
            y, passes = read(plane, None, keep)  # of digits * out columns
            for digit, place_value in enumerate(self.factors):
                size = max(factor, 0.0) * place_value
                whole += size
                total = _sum(total, self._of_digit(y, dim, digit), factor * place_value)
                if passes is not None:
                    # by tile, groups are apart
                    one = self._of_digit(passes, dim, digit, 1 if by_tile else self.groups)
                    lost = _sum(lost, (~one).to(y.dtype), size)
        assert total is not None
        total = biased(total, bias, maps=not by_tile and self.maps)
        return total, None if lost is None else lost.div_(-whole).add_(1)

    def _of_digit(self, y: Tensor, dim: int, digit: int, groups: int | None = None) -> Tensor:
        """What of columns y along a dimension, `weights` says which they are, is of one digit."""
        each = y.unflatten(dim, (groups or self.groups, len(self.factors), -1))
        return each.select(dim - 1, digit).flatten(dim - 1, dim)

    @property
    def groups(self) -> int:
        """Parts of the outputs with inputs, and arrays, of their own."""
        return self.product.groups

    def weights(self) -> Tensor:
        """Weights (chips * columns, in) of the columns that are converted: for each group, for each
        digit, those of its outputs."""
        if self.by_digit:
            return self._as_columns(self.store.by_digit()[self.some])
        return self.effective().flatten(0, 1)  # (chips, out, in)

    def _as_columns(self, digits: Tensor) -> Tensor:
        """Digits (chips, digits, out, in) as `weights` has them."""
        if self.groups > 1:
            digits = digits.unflatten(2, (self.groups, -1)).transpose(1, 2).flatten(0, 1)
        return digits.flatten(0, 2)

    def effective(self) -> Tensor:
        """Weight (chips, out, in) that the arrays realize."""
        return self.store.effective if self.some == ALL else self.store.effective[self.some]

    def _whole_converted(
        self, x: Tensor, bias: Tensor | None, keep: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Columns of x (chips * n, ...) through arrays all of whose rows share a converter."""
        if self.gated or self.store.crossbar.arrays is not None:
            rows = self.product.rows(x)  # (n, in)
            self._count(len(rows))
            # (n, tiles, columns) -> (n, columns) -> the shape of the outputs
            y = self.product.from_rows(self._measured(rows).sum(1), x)
            noise = self._read_noise(x, self.product.input_size) if self.gated else None
            return sense(y, noise, self.adc, maps=self.maps, keep=keep, bias=bias)
        if self.drivers is None:
            y = self.product.columns(x, self.weights(), self.chips)
            if self._added:
                y = self._as_converted(y, self.product.input_sum(x), self.product.column_dim)
        else:  # each row has a driver of its own: pixels of a map meet another in each row
            rows = self.by_tiles(self._driven(self.product.rows(x)), self.weights())
            y = self.product.from_rows(self._tiles_added(self._tile_columns(*rows)), x)
        self._count(y.numel() // y.shape[self.product.column_dim])
        noise = self._read_noise(x, self.product.input_size)
        return sense(y, noise, self.adc, maps=self.maps, keep=keep, bias=bias)

    def _tiles_converted(
        self, x: Tensor, bias: Tensor | None, keep: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Columns of x (chips * n, in) through arrays that are converted tile by tile."""
        self._count(len(x))
        if self.gated or self.store.crossbar.arrays is not None:
            # (chips * n, tiles, columns) -> (chips, n, tiles, groups, columns of one)
            y = self.folded(self._measured(x)).unflatten(3, (self.groups, -1))
            # (chips, groups * tiles, n, columns of one)
            y, noise = y.permute(0, 3, 2, 1, 4).flatten(1, 2).contiguous(), None
            if self.gated:
                x, _ = self.by_tiles(x, self.weights())
                noise = self._read_noise(x, row_size, blocks=x.shape[1])
            y, passes = sense(y, noise, self.adc, maps=False, keep=keep)
            return biased(self._tiles_added(y), bias, maps=False), passes
        # (chips, tiles, n, rows) and (chips, tiles, rows, columns)
        x, w = self.by_tiles(x, self.weights())
        if keep or self.adc.calibrating:
            noise = self._read_noise(x, row_size, blocks=x.shape[1])
            # x @ w is (chips, tiles, n, columns)
            y, passes = sense(self._tile_columns(x, w), noise, self.adc, maps=False, keep=keep)
            return biased(self._tiles_added(y), bias, maps=False), passes
        # On a CPU a few chips at a time, so that what the converters pass over stays in the cache.
        together = self.chips
        if x.device.type == "cpu":
            together = max(1, _CACHED // max(1, w.shape[1] * x.shape[2] * w.shape[3]))
        parts = []
        for first in range(0, self.chips, together):
            chips = slice(first, first + together)
            noise = self._read_noise(x[chips], row_size, chips, x.shape[1])
            y = self._tile_columns(x[chips], w[chips])
            y, _ = sense(y, noise, self.adc, maps=False, keep=False, chips=chips)
            parts.append(self._tiles_added(y))
        return biased(torch.cat(parts), bias, maps=False), None

    def _tile_columns(self, x: Tensor, w: Tensor) -> Tensor:
        """Columns (chips, tiles, n, columns) as converters see them."""
        y = x @ w
        return self._as_converted(y, wide_sum(x, -1), -1) if self._added else y

    def _tiles_added(self, y: Tensor) -> Tensor:
        """Columns (chips, groups * tiles, n, columns of one) to (chips * n, columns)."""
        if self.groups == 1:
            return y.sum(1).flatten(0, 1)
        # (chips, groups, n, columns of one) -> (chips, n, columns)
        added = y.unflatten(1, (self.groups, -1)).sum(2)
        return added.transpose(1, 2).flatten(2).flatten(0, 1)

    def _as_converted(self, y: Tensor, inputs: Tensor, dim: int) -> Tensor:
        """Columns y along a dimension, which may be overwritten, less what is added digitally to
        each for the sum of its inputs, as precise as float32."""
        y = y if y.element_size() >= 4 else y.float()
        return _add_inputs(y, inputs, -self._added, dim)

    def _measured(self, x: Tensor) -> Tensor:
        """Columns (n, tiles, columns) of input vectors (n, in), as an instrument measures them, or
        as arrays whose word lines drive gates give them."""
        store, ranges = self.store, self.dac.ranges if self.dac.bits is not None else None
        if self.gated:
            assert ranges is not None
            how = (store.scale, self.by_digit)
            return gated_columns.columns(store.crossbar, self.some, x, ranges, *how)
        edge = None if ranges is None else ranges.item()
        return on_instrument.columns(store.crossbar, x, edge, store.scale, self.by_digit).to(
            x.dtype
        )

    def _read_noise(
        self, x: Tensor, size: Callable[[Tensor], Tensor], chips: slice = ALL, blocks: int = 1
    ) -> ReadNoise | None:
        """Noise of one read of inputs x by some chips.

        Args:
            x: the inputs.
            size: of them, root of the sum of the squared inputs of each column.
            chips: which of the chips.
            blocks: tiles that are converted apart.
        """
        noise = self._noise_of_cells(x, size, chips, blocks)
        if self._conversion_noise == 0.0 or self.adc.calibrating:
            return noise
        return self._with_conversions(noise, x, size, chips, blocks)

    def _with_conversions(
        self,
        noise: ReadNoise | None,
        x: Tensor,
        size: Callable[[Tensor], Tensor],
        chips: slice,
        blocks: int,
    ) -> ReadNoise:
        """Noise of a read with that of its conversion added: the sum of two normal numbers is one
        of the sum of their variances."""
        if noise is None:
            keys, part = self._read_keys("read", chips), self._numbers_of_part(blocks)
            noise = ReadNoise(0.0, x.detach(), size, keys, None, part)
        of_cells, deviation, references = noise.size, noise.deviation, noise.references
        if references is not None and references.size is None:
            references = references._replace(size=of_cells)
        dim = -1 if self.by_tile else self.product.column_dim
        columns = self._converted_columns

        def sizes(x: Tensor) -> Tensor:
            cells = deviation * of_cells(x)
            if cells.shape[dim] > 1:
                cells = cells.repeat_interleave(columns // cells.shape[dim], dim)
            return self.adc.hypot(cells, self._conversion_noise, chips)

        changes = {"deviation": 1.0, "size": sizes, "references": references, "of_columns": True}
        return noise._replace(**changes)

    @property
    def _converted_columns(self) -> int:
        """Columns along their dimension of what is converted."""
        tiling = self.store.crossbar.tiling
        return len(self.factors) * (tiling.outputs if self.by_tile else tiling.out_features)

    def _read_keys(self, of: str, chips: slice) -> list[int]:
        """Keys of the numbers of one read, of some of the chips."""
        crossbar = self.store.crossbar
        some = crossbar.chips[self.some][chips]
        return [key(crossbar.seed, chip, of, crossbar.counts.vectors) for chip in some]

    def _numbers_of_part(self, blocks: int) -> NumbersOfPart | None:
        now = part_now()
        return None if now is None else NumbersOfPart(now.first, now.count, now.total, blocks)

    def _noise_of_cells(
        self, x: Tensor, size: Callable[[Tensor], Tensor], chips: slice, blocks: int
    ) -> ReadNoise | None:
        """`_read_noise`, of cells and references."""
        if self._noise == 0.0 and not self.noise_of_columns:
            return None
        scale, keys, references = self.store.full_scale, self._read_keys("read", chips), None
        if self.noise_of_columns:
            return self._noise_of_columns(x, keys, chips, blocks)
        if self._reference_noise > 0.0:
            theirs = self._read_keys("read of references", chips)
            deviation = self._reference_noise * scale
            references = ReferenceNoise(deviation, self._sharing, theirs)
        size, part = self._of_bits(size, chips), self._numbers_of_part(blocks)
        return ReadNoise(self._noise * scale, x.detach(), size, keys, references, part)

    def _noise_of_columns(self, x: Tensor, keys: list[int], chips: slice, blocks: int) -> ReadNoise:
        """`_read_noise` where that of a cell depends on its conductance: the squared inputs go
        through arrays of variances."""
        scale, variances, references = self.store.full_scale, self.store.read_variances(), None
        if variances.references is not None:
            theirs = self._read_keys("read of references", chips)
            firsts = [first for first, _ in self._sharing]
            size = self._of_bits(self._sizes(variances.references, chips, firsts), chips)
            references = ReferenceNoise(scale, self._sharing, theirs, size)
        part = self._numbers_of_part(blocks)
        size = self._of_bits(self._sizes(variances.own, chips, None), chips)
        return ReadNoise(scale, x.detach(), size, keys, references, part, of_columns=True)

    def _sizes(
        self, variances: Tensor, chips: slice, columns: list[int] | None
    ) -> Callable[[Tensor], Tensor]:
        """Standard deviation of each column, or of some, of inputs.

        Args:
            variances: (chips, digits, out, in) in full scales squared.
            chips: which of the chips.
            columns: which of the columns; None: all.
        """
        if not self.by_digit:
            whole = self.store.crossbar.tiling.mapping.of_digits(list(variances.unbind(1)))
            variances = whole.unsqueeze(1)
        variances = self._as_columns(variances[self.some])
        dim = -1 if self.by_tile else self.product.column_dim

        def sizes(x: Tensor) -> Tensor:
            kind = torch.promote_types(x.dtype, torch.float32)
            squares, v = x.to(kind).square(), variances.to(kind)
            if self.by_tile:
                y = squares @ self.tiled(v)[chips]
            else:
                y = self.product.columns(squares, v, self.chips)
            y = y if columns is None else y.index_select(dim, y.new_tensor(columns).long())
            return y.clamp(min=0.0).sqrt_()

        return sizes

    def _of_bits(
        self, size: Callable[[Tensor], Tensor], chips: slice
    ) -> Callable[[Tensor], Tensor]:
        """`size`; if bits of inputs are read apart and converted together, that of their sum."""
        if not self._noise_by_bit:
            return size

        def of_bits(x: Tensor) -> Tensor:
            planes = self.dac.planes(x, chips)
            return sum((f * size(plane)).square() for f, plane in planes).sqrt()  # type: ignore

        return of_bits

    @cached_property
    def _sharing(self) -> list[tuple[int, int]]:
        """Blocks of the columns that are converted which share reference columns: first column,
        and how many."""
        tiling = self.store.crossbar.tiling
        out, cols = tiling.outputs, tiling.cols
        parts = len(self.factors) * (1 if self.by_tile else tiling.groups)
        return [
            (part * out + first, min(cols, out - first))
            for part in range(parts)
            for first in range(0, out, cols)
        ]

    def _count(self, vectors: int) -> None:
        """Count a read of `vectors` vectors by all chips together."""
        each, part = vectors // self.chips, part_now()
        each = each if part is None else part.of_whole(each)
        self.store.crossbar.count_reads(0, self._reads_as_one * each)

    @property
    def counts(self) -> bool:
        """Whether its ways back are counted: of chips one after another those of the first are."""
        return not self.some.start

    def folded(self, x: Tensor) -> Tensor:
        """(chips * n, ...) to (chips, n, ...)."""
        return x.unflatten(0, (self.chips, -1))

    def by_tiles(self, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs (chips * n, groups * in) and weights (chips * columns, in) cut into tiles of rows,
        those of each group apart.

        To (chips, groups * tiles, n, rows) and (chips, groups * tiles, rows, columns of one).
        """
        tiling = self.store.crossbar.tiling
        tiles, rows = tiling.grid[0], tiling.rows
        short = tiles * rows - tiling.in_features
        x = x.unflatten(-1, (tiling.groups, tiling.in_features))
        if short:
            # in -> tiles * rows
            x = F.pad(x, (0, short))
        # (chips, n, groups * tiles, rows)
        x = self.folded(x.reshape(len(x), tiling.groups * tiles, rows))
        return x.transpose(1, 2), self.tiled(w)

    def tiled(self, w: Tensor) -> Tensor:
        """Weights (chips * columns, in) as (chips, groups * tiles, rows, columns of one)."""
        tiling = self.store.crossbar.tiling
        tiles, rows = tiling.grid[0], tiling.rows
        short = tiles * rows - tiling.in_features
        w = F.pad(w, (0, short)) if short else w
        # (chips, groups, columns of one, tiles, rows)
        w = w.unflatten(0, (self.chips, tiling.groups, -1)).unflatten(3, (tiles, rows))
        return w.permute(0, 1, 3, 4, 2).flatten(1, 2)

    # ---------------------------------------------------------------- backward

    def gradients(
        self, grad: Tensor, x: Tensor, w: Tensor, by_tile: bool, needed: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        """To inputs x and to one weight matrix; by tile, grad is as `by_groups` gives it."""
        if not by_tile:
            return self.product.gradients(grad, x, w, self.chips, needed)
        inputs, groups = self.store.crossbar.tiling.in_features, self.groups
        x, w = self.by_tiles(x, w)
        to_x = to_w = None
        if needed[0]:
            # (chips, groups * tiles, n, rows) -> (chips, n, groups, tiles * rows)
            to_x = (grad @ w.mT).transpose(1, 2).unflatten(2, (groups, -1)).flatten(3)
            to_x = to_x[..., :inputs].flatten(2).flatten(0, 1)  # (chips * n, groups * in)
        if needed[1]:
            # (chips, groups * tiles, rows, out of one), added over chips
            # -> (groups, in, out of one)
            added = (x.mT @ grad).sum(0).unflatten(0, (groups, -1)).flatten(1, 2)[:, :inputs]
            to_w = added.mT.flatten(0, 1)  # (out, in)
        return to_x, to_w

    def by_groups(self, grad: Tensor) -> Tensor:
        """Gradients (chips * n, out) as they come to tiles: (chips, groups * tiles, n, out of one),
        with 1 for the tiles of one group, where they are the same."""
        if self.groups == 1:
            return self.folded(grad).unsqueeze(1)
        tiles = self.store.crossbar.tiling.grid[0]
        # (chips, n, groups, out of one)
        each = self.folded(grad).unflatten(2, (self.groups, -1))
        return each.transpose(1, 2).repeat_interleave(tiles, 1)


_Gradients = tuple[Tensor | None, Tensor | None, Tensor | None, None, None, None]


class _Read(torch.autograd.Function):
    """`Reading.converted` with its gradients, to the inputs, the shadow weight and the bias.

    As if the conversions were one: the gradient goes through the product of the whole inputs and
    weights, less the share of the digits whose conversions saturated (a sign bit has none).
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        shadow: Tensor,
        bias: Tensor | None,
        reading: Reading,
        driven: bool = False,
        by_tile: bool = False,
    ) -> Tensor:
        drives = None
        if not driven:
            x, drives = reading.dac.keeping(x, keep=ctx.needs_input_grad[0])
        y, kept = reading.converted(x, bias, by_tile, keep=True)
        ctx.reading, ctx.by_tile, ctx.shape = reading, by_tile, shadow.shape
        ctx.part = part_now()
        transposed = reading.store.hardware.transposed
        weight = reading.effective() if transposed else shadow.detach().flatten(1)
        ctx.save_for_backward(x, weight, drives, kept)
        return y

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> _Gradients:
        # Torch's check costs a fifth of a small layer's way back; it finds nothing without a graph.
        return _Read._once(ctx, *grads) if torch.is_grad_enabled() else _Read._back(ctx, *grads)

    @staticmethod
    def _back(ctx: Any, *grads: Tensor) -> _Gradients:
        x, weight, drives, kept = ctx.saved_tensors
        reading, by_tile, needed = ctx.reading, ctx.by_tile, ctx.needs_input_grad
        maps = reading.maps and not by_tile
        grad, to_bias = unsensed(grads[0], None if by_tile else kept, maps=maps, bias=needed[2])
        if by_tile:
            grad = stopped(reading.by_groups(grad), kept)
        if weight.dim() == 3:
            w = weight.flatten(0, 1)  # (chips, out, in) -> (chips * out, in)
        else:  # the float twin, the same on all chips
            # (out, in) -> (chips * out, in)
            w = weight if reading.chips == 1 else weight.repeat(reading.chips, 1)
        driven = x
        if not x.dtype == grad.dtype == w.dtype:  # of less precision than the weight: autocast
            driven, grad = x.to(w.dtype), grad.to(w.dtype)
        to_x, to_w = reading.gradients(grad, driven, w, by_tile, needed[:2])
        if to_x is not None:
            to_x = passed(to_x.to(x.dtype), drives)
        if to_w is not None and to_w.shape != ctx.shape:
            to_w = to_w.reshape(ctx.shape)  # (out, in) -> that of the parameter
        columns = grads[0].shape[-1 if by_tile else reading.product.column_dim]
        vectors = grads[0].numel() // (max(columns, 1) * reading.chips)
        part: BatchPart | None = ctx.part
        vectors = vectors if part is None else part.of_whole(vectors)
        # without `transposed` errors went through the float twin
        read = needed[0] and weight.dim() == 3
        if reading.counts:
            reading.store.crossbar.count_backward(vectors, read=read, gradient=needed[1])
        return to_x, to_w, to_bias, None, None, None

    _once = staticmethod(once_differentiable(_back))


def _add_inputs(y: Tensor, inputs: Tensor, factor: float, dim: int) -> Tensor:
    """`y + factor * inputs`, in place, with inputs (..., 1, ...), or (..., groups, ...), each for
    an equal share of the columns y (..., columns, ...) along a dimension."""
    if inputs.shape[dim] == 1:
        return y.add_(inputs, alpha=factor)
    y.unflatten(dim, (inputs.shape[dim], -1)).add_(inputs.unsqueeze(dim), alpha=factor)
    return y


def _sum(total: Tensor | None, part: Tensor, factor: float) -> Tensor:
    """`total + factor * part`, in place; None counts as 0."""
    return part * factor if total is None else total.add_(part, alpha=factor)
