"""What can be done about spread without reprogramming: parts that compose in any order.

A mitigation is named by its parts, joined with " + ": `"placement + 2 copies + batch norm"`.
Some parts act before the network is mapped, some afterwards on the chips as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

import mho
from mho.errors import invalid, unknown
from mho.experiments.experiment import in_parts

REFIT_STEPS = 20
"""Steps of a refit, at most."""


@dataclass(frozen=True)
class Known:
    """What a part may use."""

    inputs: Tensor
    """Calibration images (n, ...)."""
    labels: Tensor
    """Their labels (n,); only parts with `labels` may look."""
    teacher: Tensor
    """Class probabilities (n, classes) that the network trained without spread gives them."""
    trained_on: mho.Hardware | None
    """Chips drawn in training, if any."""
    pull: float
    """Weight of staying at the old classifier."""
    together: int
    """Images that are run at once."""


Act = Callable[[nn.Module, Known], object]


@dataclass(frozen=True)
class Part:
    """A part of a mitigation."""

    what: str
    act: Act | None = None
    """What it does to mapped chips; None: it acts before mapping."""
    measures: bool = False
    """Whether each chip runs the calibration images."""
    labels: bool = False
    """Whether their labels are used."""


def _tune(per: str, method: str) -> Act:
    return lambda net, known: mho.tune(
        net, known.inputs, per=per, method=method, trained_on=known.trained_on  # type: ignore[arg-type]
    )  # fmt: skip


def _refit(net: nn.Module, known: Known, targets: Tensor) -> None:
    mho.refit(net, known.inputs, targets, pull=known.pull, steps=REFIT_STEPS)


PARTS: dict[str, Part] = {
    "none": Part("nothing"),
    "placement": Part("rows, columns and polarity chosen from a survey of each chip's cells"),
    "both ends": Part("each row driven from both ends; useful if wires have resistance"),
    "2 copies": Part("each weight on two pairs, their currents averaged; any number is allowed"),
    "expected batch norm": Part(
        "statistics of simulated chips of the known spread, on average; no chip is measured"
    ),
    "gain": Part(
        "one gain for each layer, in closed form from the known spread and wires",
        lambda net, known: mho.correct(net, known.trained_on),
    ),
    "layer": Part("least squares, one gain and offset for each layer",
                  _tune("layer", "least-squares"), measures=True),
    "column": Part("least squares, a gain and offset for each column",
                   _tune("column", "least-squares"), measures=True),
    "layer moments": Part("mean and deviation matched to the ideal, for each layer",
                          _tune("layer", "moments"), measures=True),
    "column moments": Part("mean and deviation matched to the ideal, for each column",
                           _tune("column", "moments"), measures=True),
    "batch norm": Part(
        "batch normalization refreshed on each chip",
        lambda net, known: mho.refresh_batchnorm(net, in_parts(known.inputs, known.together)),
        measures=True,
    ),
    "distilled": Part(
        "last classifier layer refitted to the answers of the network without spread",
        lambda net, known: _refit(net, known, known.teacher),
        measures=True,
    ),
    "labels": Part(
        "last classifier layer refitted to labels",
        lambda net, known: _refit(net, known, known.labels),
        measures=True,
        labels=True,
    ),
}  # fmt: skip
"""All parts; those that act on mapped chips do so in the order of the name, and write no cell."""


@dataclass(frozen=True)
class Mitigation:
    """A choice of parts."""

    name: str
    parts: tuple[str, ...]
    copies: int

    @property
    def label_free(self) -> bool:
        """Whether no labelled image is used."""
        return not any(_part(part).labels for part in self.parts)

    @property
    def once(self) -> bool:
        """Whether each cell is written once, and there are no more cells than for one copy."""
        return self.copies == 1 and "placement" not in self.parts

    @property
    def refits(self) -> bool:
        """Whether it needs a digital classifier."""
        return bool({"distilled", "labels"} & set(self.parts))

    @property
    def measures(self) -> bool:
        """Whether it needs calibration images on each chip."""
        return any(_part(part).measures for part in self.parts)

    def hardware(self, hardware: mho.Hardware) -> mho.Hardware:
        """The kind of chip with what is done at mapping time."""
        placement = mho.Placement() if "placement" in self.parts else None
        wires = hardware.wires.replace(both_ends="both ends" in self.parts)
        return hardware.replace(
            copies=self.copies, placement=placement, wire_resistance=wires if wires else 0.0
        )

    def apply(self, net: nn.Module, known: Known) -> None:
        """Repair mapped chips."""
        for part in self.parts:
            act = _part(part).act
            if act is not None:
                act(net, known)


def mitigation(name: str) -> Mitigation:
    """The mitigation of a name.

    Raises:
        ValueError: a part is unknown, or stands there twice.
    """
    parts = tuple(name.split(" + "))
    copies = [int(found[1]) for part in parts if (found := _COPIES.fullmatch(part))]
    for part in parts:
        _part(part)
    if len(set(parts)) < len(parts) or len(copies) > 1:
        raise invalid("mitigation", name, "each part once")
    return Mitigation(name, parts, copies[0] if copies else 1)


_COPIES = re.compile(r"([1-9]\d?) copies")


def _part(name: str) -> Part:
    known = "2 copies" if _COPIES.fullmatch(name) else name
    if known not in PARTS:
        raise unknown("mitigation", name, PARTS)
    return PARTS[known]


@dataclass(frozen=True)
class Effort:
    """What a mitigation costs beyond mapping the network once and running it."""

    images: int
    """Calibration images run on each chip."""
    operations: int
    """Digital multiply-adds a chip, once; an inference needs none beyond the network's own, as
    gain, offset and normalization fold into the one scale and shift that is there already."""
    stored: int
    """Digital numbers kept for each chip."""
    writes: float
    """Programming events a cell."""
    cells: int
    """Cells for each cell of the plain mapping."""


def effort(choice: Mitigation, net: nn.Module, images: int) -> Effort:
    """Count what a mitigation costs a chip.

    Args:
        choice: the mitigation.
        net: a network mapped with it, which has seen inputs since.
        images: calibration images that there were.
    """
    counts = mho.ledger(net)
    arrays = [m for m in net.modules() if isinstance(m, mho.nn.ArrayLayer)]
    norms = [m for m in net.modules() if isinstance(m, mho.nn.ChipBatchNorm | _BatchNorm)]
    channels = sum(n.mean.shape[1] if isinstance(n, mho.nn.ChipBatchNorm) else n.num_features
                   for n in norms)  # fmt: skip
    classifiers = [m for m in net.modules() if isinstance(m, mho.nn.ChipLinear)]
    columns = [layer.columns for layer in counts.layers]
    reads = [layer.vectors // max(1, layer.inputs) for layer in counts.layers]
    products = sum(n * row.weights for n, row in zip(reads, counts.layers, strict=True))
    outputs = sum(n * c for n, c in zip(reads, columns, strict=True))
    cells = sum(row.cells for row in counts.layers)
    refit = sum(p[0].numel() for m in classifiers[-1:] for p in m.parameters())
    tiles = [layer.crossbar.tiling for layer in arrays]
    rounds = mho.Placement().rounds
    per_part = {
        "gain": (3 * sum(row.weights for row in counts.layers), len(arrays)),
        "layer": (images * (products + 4 * outputs), 2 * len(arrays)),
        "column": (images * (products + 4 * outputs), 2 * sum(columns)),
        "batch norm": (images * 2 * outputs, 2 * channels),
        "distilled": (images * REFIT_STEPS * 3 * refit, refit),
        "labels": (images * REFIT_STEPS * 3 * refit, refit),
        "placement": (
            rounds * sum(2 * t.tiles * t.rows * t.cols * (t.rows + t.cols) for t in tiles),
            sum(t.grid[0] * t.rows + 2 * t.grid[1] * t.cols for t in tiles),
        ),
    }
    spent = [per_part.get(part.removesuffix(" moments"), (0, 0)) for part in choice.parts]
    return Effort(
        images=images if choice.measures else 0,
        operations=sum(operations for operations, _ in spent),
        stored=sum(stored for _, stored in spent),
        writes=counts.totals()["writes"] / (counts.chips * cells),
        cells=choice.copies,
    )


def probabilities(net: nn.Module, inputs: Tensor) -> Tensor:
    """Class probabilities (n, classes) of a digital network."""
    with torch.no_grad():
        return torch.cat([net(x).softmax(-1) for x in inputs.split(500)])
