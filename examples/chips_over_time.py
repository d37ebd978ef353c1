"""What the three examples share: train a network, put it on chips, measure these as time passes.

A network is trained in float, in `Plan.cycles`. From there two trainings go on for `Plan.further`
epochs each, with the same batches, optimizer and learning rates:

    float          as before
    noise-aware    as `mho.noise_aware` of the chips that it is for

Both are put on chips, and each chip is measured fresh, after a day and after a month, as it is and
after a repair that takes unlabelled training images and writes no cell.

The part of the training set that is held out for validation is measured unless --test is given:
choices are made there, and the test set is for the numbers that are reported.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mho
from mho.data.named import label
from mho.experiments.progress import Progress
from mho.experiments.provenance import commit

TIMES = {"fresh": 0.0, "a day": 86_400.0, "a month": 30 * 86_400.0}
"""When chips are measured [s]."""


@dataclass(frozen=True)
class Kind:
    """A kind of chips, and the noise-aware training for it."""

    device: str
    weight_noise: float = 1.0
    """As `mho.noise_aware` takes it."""
    copies: int = 1
    """Cells in place of each."""

    def __str__(self) -> str:
        return self.device + (f", {self.copies} copies" if self.copies > 1 else "")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A network, its data, its training and its repair."""

    network: Callable[[], nn.Module]
    prepare: Callable[[Tensor], Tensor]
    """From samples as the data set has them to what the network takes."""
    optimizer: Callable[..., torch.optim.Optimizer]
    """Called with parameters and `lr`."""
    repair: Callable[[nn.Module, Tensor], Any]
    """Called with chips and unlabelled inputs; it changes the chips."""
    repair_says: str
    """The repair in words."""
    data: str
    """Name of the data set, if the command gives no other."""
    cycles: tuple[tuple[int, float], ...]
    """Of the first training in float: epochs and largest learning rate of each."""
    further: int
    """Epochs of both trainings that follow it."""
    further_rate: float
    """Largest learning rate of both."""
    batch: int = 128
    augment: Callable[[Tensor, torch.Generator], Tensor] | None = None
    """Makes training inputs more various."""
    clip_gradient: float | None = None
    """Largest norm of a gradient."""
    bfloat16: bool = False
    """Whether convolutions round what they multiply in training to bfloat16, which is faster."""
    ranges: Literal["learnt", "following"] | None = "learnt"
    """As `mho.noise_aware` takes it."""
    teacher: float = 0.0
    """Share of the noise-aware loss that asks for the answers of the network it began from."""
    kinds: tuple[Kind, ...] = (Kind("pcm-gst"), Kind("rram-neurram-1s", 2.0))
    full_scale_per: Literal["layer", "column"] = "layer"
    """Which weights have a full scale of their own on the chips."""
    tile: tuple[int, int] = (256, 256)
    bits: int = 8
    """Of all converters."""
    chips: int = 8
    unlabelled: int = 512
    """Training inputs that the repair and the converters' ranges are given."""
    per_class: int | None = None
    """Training samples of a class; None: all."""
    measured: int | None = 100
    """Validation or test samples of a class; None: all."""

    def hardware(self, kind: Kind) -> mho.Hardware:
        """Chips of a kind."""
        return mho.Hardware(
            device=kind.device, tile=self.tile, adc_per_tile=False, dac_bits=self.bits,
            adc_bits=self.bits, copies=kind.copies, full_scale_per=self.full_scale_per,
        )  # fmt: skip


def quick(plan: Plan) -> Plan:
    """The same in a minute: it shows that all works, and no accuracy."""
    return replace(
        plan, cycles=((1, plan.cycles[0][1]),), further=1, per_class=8, measured=2, chips=2,
        unlabelled=16, batch=16, kinds=plan.kinds[:1],
    )  # fmt: skip


def main(plans: dict[str, Plan], about: str | None, options: list[str] | None = None) -> None:
    """Train, measure, print, and write `OUT/NAME.json` and `OUT/NAME.txt`, of one of some plans."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    name, *others = plans
    parser.add_argument("network", nargs="?", default=name, choices=[name, *others])
    parser.add_argument("--data", help="a data set, as docs/data.md names them")
    parser.add_argument("--label", help="what the result calls the data")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="one network for each")
    parser.add_argument("--test", action="store_true", help="measure on the test set")
    parser.add_argument("--quick", action="store_true", help="a minute, to see that it works")
    parser.add_argument("--out", type=Path, help="folder of the result; not given: printed only")
    parser.add_argument(
        "--work", type=Path, default=Path("runs/examples"),
        help="folder of trainings, which go on from their last epoch",
    )  # fmt: skip
    given = parser.parse_args(options)
    name, plan = given.network, plans[given.network]
    plan = quick(plan) if given.quick else plan
    plan = replace(plan, data=given.data or plan.data)
    torch.set_num_threads(1)
    result = run(name, plan, given)
    text = as_text(result)
    print(text)
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
        (given.out / f"{name}.txt").write_text(text)


def run(name: str, plan: Plan, given: argparse.Namespace) -> dict[str, Any]:
    """All seeds of an example, and what they were made with."""
    begin, code = time.process_time(), commit()
    measured_on = "test" if given.test else "validation"
    training = mho.data.load(plan.data, "train", per_class=plan.per_class)
    held_out = mho.data.load(plan.data, measured_on, per_class=plan.measured)
    x, y = plan.prepare(training.inputs), training.labels
    loader = list(
        zip(plan.prepare(held_out.inputs).split(50), held_out.labels.split(50), strict=True)
    )
    seeds = [_one_seed(name, plan, given, (x, y), loader, seed) for seed in given.seeds]
    return {
        "network": name,
        "data": given.label or label(plan.data),
        "SHA-256 of the data": mho.data.dataset(plan.data).sha256,
        "measured on": measured_on,
        "command": shlex.join(["python", *sys.argv]),
        "seeds": given.seeds,
        "versions": {
            "mho": mho.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
        },
        "commit": code,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "threads": 1,
        "processor seconds of this session": round(time.process_time() - begin),
        "samples": {"training": len(y), measured_on: len(held_out), "repair": plan.unlabelled},
        "epochs": {
            "float": sum(epochs for epochs, _ in plan.cycles),
            "further, float or noise-aware": plan.further,
        },
        "noise-aware": {
            "ranges": plan.ranges,
            "weight noise": {str(kind): kind.weight_noise for kind in plan.kinds},
            "share of the loss that asks for the float answers": plan.teacher,
        },
        "convolutions in training": "bfloat16" if plan.bfloat16 else "float32",
        "chips": f"{plan.chips}, tiles {plan.tile[0]} x {plan.tile[1]}, {plan.bits}-bit "
        f"converters, a full scale for each {plan.full_scale_per}",
        "repair": plan.repair_says,
        "times": TIMES,
        "found": seeds,
    }


def _one_seed(
    name: str, plan: Plan, given: argparse.Namespace, training: tuple[Tensor, Tensor],
    loader: list[tuple[Tensor, Tensor]], seed: int,
) -> dict[str, Any]:  # fmt: skip
    """Train the networks of a seed, and measure their chips."""
    progress = Progress(f"{name} seed {seed}")
    torch.manual_seed(seed)
    start, x = plan.network(), training[0]
    kept = {"training": training, "plan": plan, "seed": seed, "progress": progress}

    seconds: dict[str, float] = {}

    def trained(
        net: nn.Module, what: str, epochs: int, rate: float, teacher: nn.Module | None = None
    ) -> nn.Module:
        file = given.work / f"{name}-{seed}-{what}.pt"
        seconds[what] = train(net, what, epochs, rate, file=file, teacher=teacher, **kept)
        return net

    for k, (epochs, rate) in enumerate(plan.cycles):
        start = trained(start, "start" if k == 0 else f"start, cycle {k + 1}", epochs, rate)
    plain = trained(copy.deepcopy(start), "float", plan.further, plan.further_rate)
    aware = {}
    for kind in plan.kinds:
        net = mho.noise_aware(
            copy.deepcopy(start).to(memory_format=torch.contiguous_format),  # is faster here
            plan.hardware(kind), ranges=plan.ranges, weight_noise=kind.weight_noise,
            generator=torch.Generator().manual_seed(seed),
        )  # fmt: skip
        what = f"noise-aware x {kind.weight_noise:g}, {kind}"
        aware[kind] = trained(net, what, plan.further, plan.further_rate, start)

    found: dict[str, Any] = {"accuracy in float": mho.evaluate(plain, loader).item()}
    progress.note(f"float: {found['accuracy in float']:.2%}")
    unlabelled, rows = drawn(x, plan.unlabelled, seed), []
    for kind in plan.kinds:
        hardware = plan.hardware(kind)
        for how, net in (("float", plain), ("noise-aware", aware[kind])):
            generator = torch.Generator().manual_seed(1000 + seed)
            chips = mho.convert(net, hardware, plan.chips, generator=generator)
            mho.calibrate(chips, unlabelled.split(64))
            if not rows:
                covered, cost = mho.coverage(chips), mho.price(mho.ledger(chips), "hfo2-130nm")
                print(f"{covered}\n\n{cost}\n", flush=True)
                found["share of the multiplications on arrays"] = covered.share_of_multiplications
                found["read energy of an input on them [J]"] = cost.energy_per_input
            for repair in ("none", "label-free"):
                mended = None if repair == "none" else lambda aged: plan.repair(aged, unlabelled)
                each = mho.evaluate_over_time(chips, loader, list(TIMES.values()), mended)
                shown = ", ".join(f"{a.mean():.2%}" for a in each)
                progress.note(f"{kind}, {how}, repair {repair}: {shown}")
                accuracy = [[round(a, 4) for a in chip.tolist()] for chip in each]
                rows.append({"device": str(kind), "training": how, "repair": repair,
                             "accuracy (times, chips)": accuracy})  # fmt: skip
    found["on chips"] = rows
    found["processor seconds of training"] = {k: round(v) for k, v in seconds.items()}
    return found


def drawn(samples: Tensor, n: int, seed: int) -> Tensor:
    """So many of some samples, at random: a data set may be sorted by class."""
    generator = torch.Generator().manual_seed(seed)
    return samples[torch.randperm(len(samples), generator=generator)[:n]]


def train(
    net: nn.Module, what: str, epochs: int, rate: float, *, training: tuple[Tensor, Tensor],
    plan: Plan, seed: int, file: Path, progress: Progress, teacher: nn.Module | None = None,
) -> float:  # fmt: skip
    """Train a network in place, from the last epoch in the file on; processor seconds in all."""
    share = 0.0 if teacher is None else plan.teacher
    optimizer = plan.optimizer(net.parameters(), lr=rate)
    steps = len(mho.data.batches(training, plan.batch, seed=seed))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=epochs * steps, cycle_momentum=False
    )
    parts = {"net": net, "optimizer": optimizer, "schedule": schedule}
    settings = [plan.data, len(training[1]), plan.batch, plan.bfloat16, plan.cycles]
    if not what.startswith("start"):
        settings += [plan.further, plan.further_rate]
    if teacher is not None:
        settings += [plan.ranges, share, plan.full_scale_per]
    done, seconds = 0, 0.0
    if file.exists() and (state := torch.load(file))["settings"] == settings:
        for name, part in parts.items():
            part.load_state_dict(state[name])
        done, seconds = state["epochs"], state["seconds"]
    net.train()
    with (
        _products_of_convolutions("bf16" if plan.bfloat16 else "ieee"),
        progress.bar(what, epochs * steps, done * steps) as advance,
    ):
        for epoch in range(done, epochs):
            begin = time.process_time()
            generator = torch.Generator().manual_seed(1000 * seed + epoch)
            for x, y in mho.data.batches(training, plan.batch, seed=seed, epoch=epoch):
                x = x if plan.augment is None else plan.augment(x, generator)
                optimizer.zero_grad()
                _loss(net, x, y, teacher, share).backward()
                if plan.clip_gradient is not None:
                    nn.utils.clip_grad_norm_(net.parameters(), plan.clip_gradient)
                optimizer.step()
                schedule.step()
                advance(1)
            seconds += time.process_time() - begin
            state = {name: part.state_dict() for name, part in parts.items()}
            state |= {"settings": settings, "epochs": epoch + 1, "seconds": seconds}
            file.parent.mkdir(parents=True, exist_ok=True)
            torch.save(state, file.with_suffix(".new"))
            os.replace(file.with_suffix(".new"), file)
    net.eval()
    return seconds


def _loss(net: nn.Module, x: Tensor, y: Tensor, teacher: nn.Module | None, share: float) -> Tensor:
    """What a batch costs: cross entropy, and a share of it as `mho.distillation_loss`."""
    if teacher is None or share == 0:
        return F.cross_entropy(net(x), y)
    with torch.no_grad():
        answers = teacher(x)
    return mho.distillation_loss(net(x), answers, y, weight=share)


@contextmanager
def _products_of_convolutions(precision: str) -> Iterator[None]:
    """Convolutions of float32 multiply in "ieee" or rounded to "bf16" inside."""
    convolutions = torch.backends.mkldnn.conv
    before, convolutions.fp32_precision = convolutions.fp32_precision, precision
    try:
        yield
    finally:
        convolutions.fp32_precision = before


def as_text(result: dict[str, Any]) -> str:
    """A result as a table, with what it was made with."""
    wide = max(18, *(2 + len(row[0]) for row in rows(result)))
    lines = [
        f"{result['network']} on {result['data']}: accuracy on the {result['measured on']} samples",
        f"float: {in_float(result)}; {share(result)} of the multiplications are on arrays",
        "",
        f"{'chips':{wide}}{'training':14}{'repair':12}" + "".join(f"{t:>18}" for t in TIMES),
    ]
    for device, training, repair, *accuracies in rows(result):
        first = f"{device:{wide}}{training:14}{repair:12}"
        lines.append(first + "".join(f"{a:>18}" for a in accuracies))
    made = [f"{key}: {value}" for key, value in result.items() if key != "found"]
    return "\n".join([*lines, "", *made, ""])


def in_float(result: dict[str, Any]) -> str:
    """Accuracy of the network in float."""
    return _mean(torch.tensor([seed["accuracy in float"] for seed in result["found"]]))


def share(result: dict[str, Any]) -> str:
    """Share of the multiplications that is on arrays."""
    return f"{result['found'][0]['share of the multiplications on arrays']:.1%}"


def rows(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Device, training, repair, and the accuracy at each time over the chips of all seeds."""
    found = []
    for same in zip(*(seed["on chips"] for seed in result["found"]), strict=True):
        each = torch.tensor([row["accuracy (times, chips)"] for row in same])
        accuracies = [_mean(a) for a in each.movedim(1, 0).flatten(1)]
        found.append((*(same[0][k] for k in ("device", "training", "repair")), *accuracies))
    return found


def _mean(accuracy: Tensor) -> str:
    """A mean, and the standard deviation if there are several."""
    spread = f" ± {accuracy.std():.2%}" if len(accuracy) > 1 else ""
    return f"{accuracy.mean():.2%}{spread}"
