"""What ResNet-8 loses on phase change cells, one imperfection left out at a time.

A float network is put on chips with one imperfection less, or with more cells in place of each.
Measured, on 4 chips repaired as in resnet.py: how far weights are off, and the accuracy on the part
of the training set that is held out for validation. The test set takes no part.

With --weights the errors of weights alone, in seconds once the network is trained.

Run: python examples/losses.py [--epochs 4] [--weights] [--data ...] [--out results/examples]
"""

from __future__ import annotations

import argparse
import copy
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

import mho
import resnet
from chips_over_time import TIMES, Kind, drawn, train
from mho.data.named import label
from mho.experiments.progress import Progress
from mho.experiments.provenance import commit

CHIPS, DEVICE = 4, "pcm-gst"
SHOWN = ("fresh", "a month")
"""Which of the times are shown."""


def ways(chips: mho.Hardware) -> dict[str, mho.Hardware]:
    """The chips as they are, without one imperfection, and with more cells."""
    cell, law = chips.device, chips.retention
    assert isinstance(cell, mho.cells.MultiLevel)
    assert isinstance(law, mho.cells.PowerLaw)
    exact = cell.replace(sigma=(0.0,), levels=1024)
    converters = chips.replace(device=exact, flicker=None, retention=None)
    return {
        "all": chips,
        "without converters": chips.replace(dac_bits=None, adc_bits=None),
        "with 1024 levels of a cell, not 16": chips.replace(device=cell.replace(levels=1024)),
        "without spread of programming": chips.replace(device=cell.replace(sigma=(0.0,))),
        "without 1/f noise": chips.replace(flicker=None),
        "without spread of drift": chips.replace(retention=law.replace(nu_spread=0.0)),
        "2 cells in place of each": chips.replace(copies=2),
        "4 cells in place of each": chips.replace(copies=4),
        "converters alone": converters,
    }


def errors(net: nn.Module, chips: nn.Module) -> float:
    """Root mean square of the errors of weights over that of the weights, each column times the
    factor that suits it best; mean over columns and chips of each layer, then over layers."""
    found = []
    for name, layer in mho.nn.memristive_layers(chips).items():
        w = net.get_submodule(name.removeprefix("net.")).weight.detach().flatten(1)  # type: ignore[union-attr, operator]
        held = layer.with_factors(layer.effective)  # (chips, out, in)
        held = held * ((held * w).sum(-1) / held.square().sum(-1)).unsqueeze(-1)
        off = (held - w).square().sum(-1) / w.square().sum(-1)
        found.append(off.mean().sqrt())
    return torch.stack(found).mean().item()


def main() -> None:
    """Train, if that was not done before; measure, print, and write `OUT/losses.txt`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=24, help="of the training in float")
    parser.add_argument("--data", default=resnet.PLAN.data, help="as docs/data.md names them")
    parser.add_argument("--label", help="what the result calls the data")
    parser.add_argument("--weights", action="store_true", help="measure no accuracy")
    parser.add_argument("--per-class", type=int, default=50, help="validation images of a class")
    parser.add_argument("--training", type=int, help="training images of a class; not given: all")
    parser.add_argument("--out", type=Path, help="folder of the result; not given: printed only")
    parser.add_argument("--work", type=Path, default=Path("runs/losses"), help="of the training")
    given = parser.parse_args()
    torch.set_num_threads(1)
    begun = commit()
    rate = resnet.PLAN.cycles[0][1]
    plan = replace(resnet.PLAN, data=given.data, cycles=((given.epochs, rate),), bfloat16=False)
    samples = mho.data.load(plan.data, "train", per_class=given.training)
    held_out = mho.data.load(plan.data, "validation", per_class=given.per_class)
    x = plan.prepare(samples.inputs)
    loader = list(
        zip(plan.prepare(held_out.inputs).split(50), held_out.labels.split(50), strict=True)
    )
    progress = Progress("losses")
    torch.manual_seed(0)
    net = plan.network()
    train(net, "start", given.epochs, rate, training=(x, samples.labels), plan=plan, seed=0,
          file=given.work / "start.pt", progress=progress)  # fmt: skip
    unlabelled = drawn(x, plan.unlabelled, 0)
    data = given.label or label(plan.data)
    lines = [
        f"resnet8 on {data}, {given.epochs} epochs: {DEVICE}, {CHIPS} chips",
        "",
        f"{'chips':38}{'errors of weights':>24}",
        f"{'':38}" + "".join(f"{time:>12}" for time in SHOWN),
    ]
    if not given.weights:
        found = f"{mho.evaluate(net, loader).item():.2%} of {len(held_out)} validation images"
        lines[1:1] = [f"float: {found}; accuracy of chips with {plan.repair_says}"]
        lines[-2] += f"{'accuracy':>32}"
        lines[-1] += "".join(f"{time:>16}" for time in SHOWN)
    for name, hardware in ways(plan.hardware(Kind(DEVICE))).items():
        generator = torch.Generator().manual_seed(1000)
        chips = mho.convert(net, hardware, CHIPS, generator=generator)
        times = [TIMES[time] for time in SHOWN] if hardware.ages else [0.0]
        off, shown = [], []
        for time in times:
            aged = copy.deepcopy(chips)
            if time > 0:
                mho.age(aged, time)
            off.append(f"{errors(net, aged):.1%}")
        if not given.weights:
            mho.calibrate(chips, unlabelled.split(64))
            each = mho.evaluate_over_time(
                chips, loader, times, lambda c: plan.repair(c, unlabelled)
            )
            shown = [f"{a.mean():.2%} ± {a.std():.2%}" for a in each]
        off, shown = (each * (len(SHOWN) // len(times)) for each in (off, shown))
        lines.append(f"{name:38}" + "".join(f"{e:>12}" for e in off))
        lines[-1] += "".join(f"{a:>16}" for a in shown)
        progress.note(lines[-1])
    made = {
        "command": shlex.join(["python", *sys.argv]),
        "commit": begun,
        "SHA-256 of the data": mho.data.dataset(plan.data).sha256,
    }
    text = "\n".join([*lines, "", *(f"{key}: {value}" for key, value in made.items()), ""])
    print(text)
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "losses.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
