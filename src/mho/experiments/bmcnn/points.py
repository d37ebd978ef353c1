"""One point of a study: a network on many chips of a kind, repaired, and how well it does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import mho
from mho.data import Samples
from mho.experiments.bmcnn.config import Architecture, BmcnnConfig, Shape
from mho.experiments.bmcnn.mitigation import (
    Effort,
    Known,
    effort,
    mitigation,
    probabilities,
)
from mho.experiments.bmcnn.network import by_layer
from mho.experiments.experiment import in_parts
from mho.experiments.run import Run
from mho.hardware.streams import derived_seed
from mho.learning.layers.chips import at_once

CONVERTED = 100
"""Images that set the ranges of converters."""

MOST_AT_ONCE = 100
"""Chips that are made at a time, at most; fewer where memory is short."""

_ALL = 1 << 62
"""Bytes that hold any number of chips; what a run needs was checked before."""


class Point(NamedTuple):
    """What distinguishes one Monte Carlo from another."""

    training: str
    """plain or aware."""
    mitigation: str
    cov_on: float
    cov_off: float
    r_on: float | None = None
    """Mean low resistance [ohm]; None: the configuration's."""
    r_off: float | None = None
    """Mean high resistance [ohm]; None: the configuration's."""
    stuck: float = 0.0
    """Share of stuck cells, half of them in either state."""
    shape: Shape | None = None
    """Shape of both spreads; None: the configuration's."""
    bits: int | None = None
    """Bits of the digital parts; None: float32."""
    converter_bits: int | None = None
    """Bits of DACs and ADCs, of each tile its own; None: exact."""
    wire_resistance: float | None = None
    """Of a segment of word lines and bit lines [ohm]; None: no wires."""
    tile: int | None = None
    """Rows and cell columns of an array; None: those of `mho.Hardware`."""

    @property
    def name(self) -> str:
        """Unique among points, readable in a progress bar."""
        given = {k: v for k, v in self._asdict().items() if v is not None}
        return ", ".join(v if isinstance(v, str) else f"{k} {v!r}" for k, v in given.items())


Row = dict[str, Any]
"""Fields of a point, and the accuracy [%] of its chips."""


def pooled(rows: Sequence[Row], training: str, name: str, cov: float) -> list[float]:
    """Accuracy of all chips of all trainings at a point."""
    wanted = (training, name, cov)
    return [
        a
        for r in rows
        if (r["training"], r["mitigation"], r["cov_on"]) == wanted
        for a in r["accuracy"]
    ]


@dataclass
class Bench:
    """Trained networks, their chips and the images to test them with."""

    config: BmcnnConfig
    run: Run
    number: int
    """Which training."""
    architecture: Architecture
    nets: dict[str, nn.Module]
    """By kind of training; "plain" is the teacher."""
    inputs: Tensor = field(init=False)
    labels: Tensor = field(init=False)
    teacher: Tensor = field(init=False)

    def __post_init__(self) -> None:
        device = self.config.torch_device()
        n = self.config.calibration
        data = mho.data.dataset(self.config.data)
        known = mho.data.load(data, "train", per_class=-(-n // len(data.classes)))
        self.inputs, self.labels = known.inputs[:n].to(device), known.labels[:n].to(device)
        self.teacher = probabilities(self.nets["plain"], self.inputs)

    def measure(self, points: list[Point], samples: Samples, label: str) -> list[Row]:
        """Accuracy [%] of every chip at each point: rows with the point's fields."""
        rows = []
        for point in points:
            found = self.run.once(
                f"{label}: {point.name}", lambda p=point: self.accuracy(p, samples)
            )
            rows.append(point._asdict() | {"accuracy": found})
        return rows

    def accuracy(self, point: Point, samples: Samples) -> list[float]:
        """Accuracy [%] of every chip."""
        each = [mho.evaluate(net, self._loader(point, samples)) for net in self.chips(point)]
        found = (100 * torch.cat(each)).tolist()
        mean, worst = sum(found) / len(found), min(found)
        self.run.log(**point._asdict(), samples=samples.name, mean=mean, worst=worst)
        return found

    def confusion(self, point: Point, samples: Samples) -> list[list[int]]:
        """Counts (true class, answer) of the worst chip."""
        worst: Tensor | None = None
        for net in self.chips(point):
            counts = mho.confusion(net, self._loader(point, samples))
            counts = counts if worst is None else torch.cat([worst.unsqueeze(0), counts])
            worst = counts[counts.diagonal(dim1=1, dim2=2).sum(1).argmin()]
        assert worst is not None
        return worst.tolist()

    def formats(self, point: Point) -> dict[str, str]:
        """Formats of the digital tensors in fixed point, by name."""
        return mho.formats(self.some_chips(point._replace(bits=self.architecture.bits)))

    def ideal(self) -> nn.Module:
        """The network trained without spread, its digital parts as the architecture has them."""
        net = self.nets["plain"]
        if self.architecture.classifier != "fixed":
            return net
        exact = self.config.cells.hardware(0.0, 0.0)
        generator = self._generator("chips")
        kinds = by_layer(self.architecture, net, exact)
        chip = mho.convert(net, kinds, generator=generator).eval()
        return mho.fixed_point(chip, self.architecture.bits, self.inputs[:CONVERTED])

    def effort(self, point: Point) -> Effort:
        """What the point's mitigation costs."""
        chips = self.some_chips(point)
        with torch.no_grad():
            chips(self.inputs[:1])
        return effort(mitigation(point.mitigation), chips, len(self.inputs))

    def hardware(self, point: Point) -> mho.Hardware:
        """The kind of chip of a point."""
        given = {"r_on": point.r_on, "r_off": point.r_off}
        cells = self.config.cells.replace(**{k: v for k, v in given.items() if v is not None})
        kind = cells.hardware(point.cov_on, point.cov_off, shape=point.shape, stuck=point.stuck)
        kind = kind.with_converters(point.converter_bits)
        if point.tile is not None:
            kind = kind.replace(tile=(point.tile, point.tile))
        if point.wire_resistance is not None:
            kind = kind.replace(wire_resistance=point.wire_resistance)
        return mitigation(point.mitigation).hardware(kind)

    def chips(self, point: Point) -> Iterator[nn.Module]:
        """The network mapped once to all chips, and repaired: some chips at a time.

        Chip k of a training is made of the same random numbers at all points of as many cells, and
        is the same however many are made at a time. In fixed point, where formats are common to
        chips, `MOST_AT_ONCE` always are.
        """
        bits = self._bits(point)
        memory = None if bits is None else _ALL
        yield from self._repaired(point, bits, self.config.chips, memory)

    def some_chips(self, point: Point) -> nn.Module:
        """The same of the first `MOST_AT_ONCE` chips alone, for what need not be known of more."""
        chips = min(self.config.chips, MOST_AT_ONCE)
        return next(self._repaired(point, self._bits(point), chips, _ALL))

    def _repaired(
        self, point: Point, bits: int | None, chips: int, memory: int | None
    ) -> Iterator[nn.Module]:
        config, hardware = self.config, self.hardware(point)
        choice = mitigation(point.mitigation)
        net = self.nets[point.training]
        kinds = by_layer(self.architecture, net, hardware)
        if "expected batch norm" in choice.parts:
            net = mho.expect_batchnorm(
                net, kinds, in_parts(self.inputs, self._together),
                generator=self._generator("simulated chips"),
            )  # fmt: skip
        # After stochastic binarization, batch normalization is that of chips without spread.
        aware = point.training == "aware" and not self.architecture.stochastic
        trained_on = config.aware if aware else None
        known = Known(
            self.inputs, self.labels, self.teacher, trained_on, config.pull, self._together
        )
        for some in mho.in_chunks(
            net, kinds, chips, memory=memory, most=MOST_AT_ONCE,
            generator=self._generator("chips"),
        ):  # fmt: skip
            some.eval()
            if point.converter_bits is not None:
                mho.calibrate(some, self.inputs[:CONVERTED])
            choice.apply(some, known)
            if point.converter_bits is not None:  # what follows a repaired layer has another range
                mho.calibrate(some, self.inputs[:CONVERTED])
            yield some if bits is None else mho.fixed_point(some, bits, self.inputs[:CONVERTED])

    def _bits(self, point: Point) -> int | None:
        """Of the digital parts; None: they are in float."""
        fixed = self.architecture.classifier == "fixed"
        return point.bits or (self.architecture.bits if fixed else None)

    @property
    def _together(self) -> int:
        """Images that are run at once."""
        return at_once(min(self.config.chips, MOST_AT_ONCE), self.inputs.device)

    def _generator(self, purpose: str) -> torch.Generator:
        return torch.Generator().manual_seed(derived_seed(self.config.seed, purpose, self.number))

    def _loader(self, point: Point, samples: Samples) -> Any:
        device = self.inputs.device
        pair = (samples.inputs.to(device), samples.labels.to(device))
        loader = mho.data.batches(pair, self._together, seed=None)
        return self.run.watch(point.name, loader, len(loader))
