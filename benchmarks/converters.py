"""What errors of ADCs cost a small network, with ideal cells: the table of docs/converters.md.

    python benchmarks/converters.py

The network of `mho try` (handwritten digits, 64-100-10) on 16 chips of 16-level cells without
spread, arrays of 64 x 64, converters of 6 bits: accuracy on held-out images as converted, and after
`mho.tune(net, images, per="column")`. INL is that of the converters of the first layer, end points
at 0: the largest of each, root mean square over converters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import mho
from mho.hardware import ADC, FlashADC, IdealADC, RampADC, SarADC
from mho.trial.network import DATA, network

BITS, CHIPS = 6, 16
KINDS: dict[str, ADC] = {
    "no errors": IdealADC(),
    "offset 1 LSB": IdealADC(offset=1.0),
    "offset 4 LSB": IdealADC(offset=4.0),
    "gain 10 %": IdealADC(gain=0.1),
    "noise 0.3 LSB": IdealADC(noise=0.3),
    "noise 1 LSB": IdealADC(noise=1.0),
    "SAR, mismatch 2 %": SarADC(mismatch=0.02),
    "SAR, mismatch 10 %": SarADC(mismatch=0.1),
    "SAR, mismatch 30 %": SarADC(mismatch=0.3),
    "ramp, mismatch 10 %": RampADC(mismatch=0.1),
    "ramp, mismatch 10 %, bow 2 LSB": RampADC(mismatch=0.1, bow=2.0),
    "ramp, offset 2 LSB": RampADC(offset=2.0),
    "flash, mismatch 10 %, comparators 0.5 LSB": FlashADC(mismatch=0.1, comparators=0.5),
}


def on_chips(net: nn.Module, adc: ADC, images: Tensor) -> nn.Module:
    """The network on chips with such converters, ranges set."""
    cell = mho.cells.MultiLevel(g_min=1e-6, g_max=1e-4, levels=16)
    hardware = mho.Hardware(device=cell, tile=64, dac_bits=8, adc_bits=BITS, adc=adc)
    generator = torch.Generator().manual_seed(0)
    chips = mho.convert(net, hardware, CHIPS, generator=generator)
    return mho.calibrate(chips, images.split(128))


def inl(net: nn.Module) -> float:
    """Largest integral nonlinearity of each converter, root mean square over them [LSB]."""
    layer = next(each for each in net.modules() if isinstance(each, mho.nn.ArrayLayer))
    errors = layer.adc.errors
    tables = None if errors is None else errors.on(torch.device("cpu")).tables.double()
    if tables is None or not tables.shape[1]:
        return 0.0
    along = torch.linspace(0, 1, tables.shape[2], dtype=torch.float64)
    first, last = tables[..., :1], tables[..., -1:]
    mean = (last - first) / (tables.shape[2] - 1)  # width of a code
    off = (tables - first - along * (last - first)) / mean
    return off.abs().amax(-1).square().mean().sqrt().item()


def main() -> None:
    """Print the table."""
    net, held_out = network(False), mho.data.load(DATA, "validation")
    images = mho.data.load(DATA, "train", per_class=52).inputs[:512]
    loader = list(zip(held_out.inputs.split(500), held_out.labels.split(500), strict=True))
    print(f"in float: {100 * mho.evaluate(net, loader).item():.1f} %; {BITS}-bit ADCs\n")
    print("| errors | INL [LSB] | accuracy [%] | tuned by column [%] |\n|---|---|---|---|")
    for name, adc in KINDS.items():
        chips = on_chips(net, adc, images)
        nonlinearity, found = inl(chips), [mho.evaluate(chips, loader)]
        mho.tune(chips, images, per="column")
        found.append(mho.evaluate(chips, loader))
        shown = (f"{100 * a.mean().item():.1f} +- {100 * a.std().item():.1f}" for a in found)
        print(f"| {name} | {nonlinearity:.2f} | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
