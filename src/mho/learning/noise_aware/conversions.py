"""Inputs and outputs of a layer as converters would pass them, in plain torch."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from mho.hardware import Hardware
from mho.hardware.philox import normals
from mho.hardware.streams import key
from mho.learning.layers.graphs import check_not_recomputed, uncompiled
from mho.learning.layers.processes import wrapper
from mho.learning.noise_aware.array_view import ArrayView
from mho.learning.noise_aware.errors import level_with_errors, read_errors
from mho.learning.noise_aware.recorded import check_plain, with_own_seed
from mho.learning.noise_aware.trained_converter import Ranges, TrainedConverter


class Conversions(nn.Module):
    """What stands before and behind the arrays of a layer: DACs, noise, ADCs.

    Attributes:
        dac, adc: the converters whose ranges are found; None: exact, of a range fixed by design, or
            where no such values are (inside of torch's recurrent layers and attention).
        step: passes in train mode so far, int64 ().
        seed: of the noise, int64 ().

    Args:
        owner: what errors call the layer.
        view: of the layer.
        hardware: the kind of chip.
        ranges: what moves the ranges; None: nothing is converted.
        reads: factor of the noise of a read and of its conversion.
        output_noise: standard deviation of what is added to the outputs, in ranges of the ADC; the
            noise of the ADC itself comes to it.
        seed: of the noise.
    """

    step: Tensor
    seed: Tensor

    def __init__(
        self,
        owner: str,
        view: ArrayView,
        hardware: Hardware,
        ranges: Ranges | None,
        reads: float,
        output_noise: float,
        seed: int,
    ) -> None:
        super().__init__()
        self.owner, self.view, self.hardware = owner, view, hardware
        self.output_noise = output_noise
        cells = hardware.cells
        self.read = reads * read_errors(hardware) if view.columns and reads > 0 else 0.0
        """Standard deviation of a column's read for a single input of 1, in full scales: one for
        all, or of each of the levels that have errors of their own."""
        low, high = hardware.device.window
        self.added = cells.constant * (low + high) / (cells.span * (high - low))
        """Weight that is added digitally behind the ADC, in full scales."""
        self.dac = self.adc = None
        if ranges is not None and hardware.dac_bits is not None and view.driven:
            how = ranges if isinstance(hardware.dac_range, str) else hardware.dac_range
            self.dac = TrainedConverter(owner, "DAC", hardware.dac_bits, hardware, how)
        if ranges is not None and hardware.adc_bits is not None and view.columns:
            own = {view.column_dim: view.columns} if hardware.adc_range == "column" else None
            share = not isinstance(hardware.adc_range, str)
            how = 1.0 if share else ranges
            self.adc = TrainedConverter(
                owner, "ADC", hardware.adc_bits, hardware, how, own, view.column_dim
            )
            of_a_step = reads * hardware.adc.noise / self.adc.converter.most
            self.output_noise = math.hypot(output_noise, of_a_step)
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self.register_buffer("seed", torch.tensor(seed))
        self.register_load_state_dict_pre_hook(with_own_seed)

    # ---------------------------------------------------------------- before the arrays

    @uncompiled
    def drive(self, _layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Arguments of the forward pass, converted: a pre-hook."""
        check_plain(self.owner)
        if self.dac is None:
            return None
        self._check_moving(self.dac)
        converted: dict[int, Any] = {}  # what comes twice stays one

        def conversion(x: Any) -> Any:
            if id(x) not in converted:
                converted[id(x)] = self._driven(x)
            return converted[id(x)]

        names = self.view.inputs
        first = tuple(conversion(x) if k < len(names) else x for k, x in enumerate(args))
        return first, {k: conversion(x) if k in names else x for k, x in kwargs.items()}

    def _driven(self, x: Any) -> Any:
        assert self.dac is not None
        if isinstance(x, PackedSequence):
            return x._replace(data=self._driven(x.data))
        return self.dac(x) if isinstance(x, Tensor) and x.is_floating_point() else x

    # ---------------------------------------------------------------- behind them

    @uncompiled
    def sense(
        self, layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> Any:
        """Output of the layer with noise, converted: a hook."""
        drawn = self.training and (self._reads or self.output_noise > 0)
        if not (drawn or self.adc):
            return None
        edge: Tensor = _weight(layer)[-1].edge
        names = enumerate(self.view.inputs)
        inputs = [args[k] if k < len(args) else kwargs[name] for k, name in names]
        y = output.float() if output.element_size() < 4 else output
        if drawn:
            check_not_recomputed(self.owner, "what it draws")
            y = self._noisy(y, inputs, layer, edge)
        y = y if self.adc is None else self._converted(y, layer, inputs, edge)
        return y.to(output.dtype)

    @torch.no_grad()
    def _deviation(self, inputs: list[Tensor], y: Tensor, layer: Any, edge: Tensor) -> Tensor:
        """Standard deviation of the noise of each output, or what broadcasts to it."""
        variance, along = y.new_zeros(()), self.view.of_columns
        if isinstance(self.read, Tensor):
            rows = self.view.rows(_weight(layer).original.detach().float())
            blocks = rows.view(len(edge), -1) / edge.unsqueeze(1)
            level = level_with_errors(blocks, len(self.read))
            each = self.read.to(y.device)[level].mul_(edge.unsqueeze(1)).square_()
            variance = self.view.square_sums(inputs, y, each.view(rows.shape).to(y.dtype))
        elif self.read > 0:
            squares = self.view.square_sums(inputs, y)
            variance = squares * along(self.read * edge, y).square()
        ranges = None if self.adc is None else self.adc.ranges
        if self.output_noise > 0 and ranges is not None:
            noise = self.output_noise * ranges.flatten() * (edge / edge.max())
            variance = variance + along(noise, y).square()
        return variance.sqrt()

    @property
    def _reads(self) -> bool:
        """Whether a read has noise."""
        return isinstance(self.read, Tensor) or self.read > 0

    def _noisy(self, y: Tensor, inputs: list[Tensor], layer: Any, edge: Tensor) -> Tensor:
        self.step += 1
        stream = key(int(self.seed), int(self.step), *_other_process())
        z = normals([stream], y.numel(), y.device).view(y.shape)
        return y + z.to(y.dtype).mul_(self._deviation(inputs, y, layer, edge))

    def _converted(self, y: Tensor, layer: Any, inputs: list[Tensor], edge: Tensor) -> Tensor:
        """Outputs behind the ADC, which does not see their bias."""
        assert self.adc is not None
        self._check_moving(self.adc)
        share = self.hardware.adc_range
        if not isinstance(share, str) and self.dac is not None and self.dac.ranges is not None:
            largest = edge.max() * (1 + abs(self.added))
            rows = _weight(layer).original.numel() // self.view.columns
            self.adc.found.copy_(share * rows * largest * self.dac.ranges)
        # columns with full scales of their own are converted before their factors come in
        factors = edge / edge.max() if edge.numel() > 1 else None
        bias = None if layer.bias is None else layer.bias.to(y.dtype)
        if self.added == 0:
            return self.adc(y, bias, factors)
        added = self.view.sums(inputs, y) * self.view.of_columns(self.added * edge, y)
        return self.adc(y - added, bias, factors) + added

    def _check_moving(self, converter: TrainedConverter) -> None:
        if self.training and converter.converter.follows:
            check_not_recomputed(self.owner, "ranges that widen where much saturates")


def _weight(layer: Any) -> Any:
    """The parametrizations of a layer's weight."""
    return layer.parametrizations["weight"]


def _other_process() -> tuple[int, ...]:
    """What tells the reads of a process from those of the first, where several train a network."""
    ddp = wrapper()
    rank = 0 if ddp is None else dist.get_rank(ddp.process_group)
    return (rank,) if rank else ()
