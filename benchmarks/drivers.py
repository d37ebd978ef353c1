"""What errors of DACs cost a small network, with ideal cells: the figure of docs/converters.md.

    python benchmarks/drivers.py docs/drivers.png

The network of `mho try` (handwritten digits, 784-100-10) on 8 chips of 16-level cells without
spread, arrays of 64 x 64, exact ADCs: accuracy on held-out images over the size of one error,
as converted, and after `mho.tune(net, images, per="column")`. INL is the standard deviation in the
middle of the range.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import nn

import mho
from mho.hardware import DAC, BinaryDAC, IdealDAC, StringDAC
from mho.report.axes import colours, style
from mho.trial.network import DATA, network

CHIPS = 8
SIZES = (0.0, 0.25, 0.5, 1.0, 2.0)
"""Of an error [LSB]."""
BITS = (6, 8)


def mismatch(inl: float, bits: int) -> float:
    """Of unit elements, that makes such an INL."""
    return inl / 2 ** (bits / 2 - 1)


KINDS: dict[str, Callable[[float, int], DAC]] = {
    "INL of a resistor string": lambda size, bits: StringDAC(mismatch=mismatch(size, bits)),
    "INL of binary sources": lambda size, bits: BinaryDAC(mismatch=mismatch(size, bits)),
    "offset": lambda size, _: IdealDAC(offset=size),
}


def accuracies(net: nn.Module, dac: DAC, bits: int) -> list[torch.Tensor]:
    """Of each chip, as converted and tuned."""
    held_out = mho.data.load(DATA, "validation")
    loader = list(zip(held_out.inputs.split(500), held_out.labels.split(500), strict=True))
    images = mho.data.load(DATA, "train", per_class=52).inputs[:512]
    cell = mho.cells.MultiLevel(g_min=1e-6, g_max=1e-4, levels=16)
    hardware = mho.Hardware(device=cell, tile=64, dac_bits=bits, dac=dac)
    generator = torch.Generator().manual_seed(0)
    chips = mho.calibrate(mho.convert(net, hardware, CHIPS, generator=generator), images.split(128))
    found = [mho.evaluate(chips, loader)]
    mho.tune(chips, images, per="column")
    return [*found, mho.evaluate(chips, loader)]


def drawn(found: dict[int, dict[str, list[list[torch.Tensor]]]]) -> Figure:
    """Accuracies over the size of an error; bits side by side."""
    figure = Figure(figsize=(8.6, 3.6), layout="constrained", facecolor="white")
    panels = figure.subplots(1, len(found), sharey=True)
    for axes, (bits, of_kind) in zip(panels, found.items(), strict=True):
        for (kind, of_size), hue in zip(of_kind.items(), colours(len(of_kind)), strict=True):
            for k, (line, what) in enumerate((("-", "as converted"), ("--", "tuned by column"))):
                mean = [100 * each[k].mean().item() for each in of_size]
                spread = [100 * each[k].std().item() for each in of_size]
                axes.errorbar(SIZES[: len(mean)], mean, spread, ls=line, color=hue, capsize=2,
                              label=f"{kind}, {what}")  # fmt: skip
        axes.set(title=f"{bits}-bit DACs", xlabel="standard deviation [LSB]")
    panels[0].set(ylabel="accuracy [%]")
    panels[0].legend(fontsize="x-small", loc="lower left")
    return figure


def main(path: Path) -> None:
    """Measure, print, draw."""
    net, found = network(False), {}
    for bits in BITS:
        found[bits] = {}
        for kind, made in KINDS.items():
            found[bits][kind] = []
            for size in SIZES:
                if kind != "offset" and mismatch(size, bits) > 0.3:
                    continue
                each = accuracies(net, made(size, bits), bits)
                found[bits][kind].append(each)
                shown = (f"{100 * a.mean().item():.1f} +- {100 * a.std().item():.1f}" for a in each)
                print(f"| {bits} | {kind} | {size:g} | {' | '.join(shown)} |", flush=True)
    with style():
        drawn(found).savefig(path, dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
