"""Write once: binarized convolutions on R_ON / R_OFF pairs, trained offline, never rewritten.

A reconstruction of Lammie et al., "Variation-aware Binarized Memristive Networks" (ICECS 2019,
10.1109/ICECS46596.2019.8964998). Convolutions have binary weights on differential pairs of
two-state cells whose resistances spread; all else is digital. The network is trained once, mapped
to many chips, and the read-out is repaired without writing a cell. Sizes, resistances and
accuracies are not in the text we could read: the former are fields below, the latter ours.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import nn

import mho
from mho.config import Range
from mho.data import Samples
from mho.errors import invalid
from mho.experiments.experiment import ExperimentConfig, Feed, plain_accuracy, seeded
from mho.experiments.result import account, account_blocks, claim, curve, mean_std, series
from mho.experiments.run import Run
from mho.hardware.streams import key


class BmcnnConfig(ExperimentConfig):
    """Settings of `mho run bmcnn`."""

    family: ClassVar[str] = "bmcnn"

    channels: tuple[int, int] = (16, 32)
    """Channels of the two convolutions [1]."""
    hidden: Annotated[int, Range(least=1)] = 128
    """Units between the convolutions and the output [1]."""
    trainings: Annotated[int, Range(least=1)] = 1
    """Networks trained, each mapped to all chips [1]."""
    per_class: Annotated[int, Range(least=1, most=4921)] | None = None
    """Training images of each class [1]; None: all 55,000 of the training split."""
    test_per_class: Annotated[int, Range(least=1, most=892)] | None = None
    """Test images of each class [1]; None: all 10,000 of the test set."""
    epochs: Annotated[int, Range(least=1)] = 15
    """Passes over the training images [1]."""
    batch: Annotated[int, Range(least=1)] = 100
    """Images in a training step [1]."""
    rate: Annotated[float, Range(above=0.0)] = 2e-3
    """Learning rate of Adam at the start; it falls to 0 along a cosine [1]."""
    r_on: Annotated[float, Range(above=0.0)] = 10e3
    """Mean low resistance, spread as a truncated normal [ohm]."""
    r_off: Annotated[float, Range(above=0.0)] = 100e3
    """Mean high resistance, spread as a lognormal [ohm]."""
    truncation: Annotated[float, Range(above=0.0, below=1.0)] = 0.1
    """Smallest R_ON as a share of its mean; sets the tail of the conductance [1]."""
    cov: tuple[float, ...] = (0.0, 0.25, 0.5, 1.0)
    """Spread between devices of both resistances at which chips are made, standard deviation over
    mean [1]."""
    aware_cov: Annotated[float, Range(least=0.0, most=10.0)] = 0.5
    """Spread drawn in variation-aware training [1]."""
    calibration: Annotated[int, Range(least=1, most=50_000)] = 200
    """Unlabelled training images that the mitigations see [1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.cov or min(self.cov) < 0 or max(self.cov) > 10:
            raise invalid("BmcnnConfig.cov", self.cov, "one or more numbers in [0, 10]")
        self.hardware(0.0)

    def hardware(self, cov: float) -> mho.Hardware:
        """Chips whose devices spread by `cov`."""
        on = mho.Spread(distribution="truncated-normal", cov=cov, lower=self.truncation)
        off = mho.Spread(distribution="lognormal", cov=cov)
        device = mho.TwoState(
            r_on=mho.Resistance(mean=self.r_on, device=on),
            r_off=mho.Resistance(mean=self.r_off, device=off),
            doi="10.1109/ICECS46596.2019.8964998",
            note="The source's resistances are not known; these are chosen.",
        )
        return mho.Hardware(device=device, programming=mho.OpenLoop(), weight_levels=2)


PRESETS = {
    "quick": BmcnnConfig(
        preset="quick", chips=10, epochs=3, per_class=2000, test_per_class=100
    ),
    "standard": BmcnnConfig(preset="standard", chips=30, trainings=3),
    "paper": BmcnnConfig(
        preset="paper", chips=100, trainings=5, channels=(32, 64), hidden=512, epochs=50,
        cov=(0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0),
    ),
}  # fmt: skip

TRAININGS = ("plain", "aware")
MITIGATIONS = ("none", "layer", "column", "batch norm")
"""Repairs without writing: gain and offset a layer, a column, or refreshed batch normalization."""


def run(config: BmcnnConfig, run: Run) -> dict[str, Any]:
    """Train, map to chips of growing spread, repair, test; returns the result."""
    outcomes = [
        run.once(f"training {n}", lambda n=n: train_and_map(config, run, n))
        for n in range(config.trainings)
    ]
    return _result(config, outcomes)


def train_and_map(config: BmcnnConfig, run: Run, number: int) -> dict[str, Any]:
    """One network trained both ways, on all chips."""
    nets = {kind: train(config, run, number, kind) for kind in TRAININGS}
    validation = mho.data.load("mnist", "validation", per_class=config.test_per_class and 50)
    test = mho.data.load("mnist", "test", per_class=config.test_per_class)
    device = config.torch_device()
    outcome: dict[str, Any] = {
        "ideal": [100 * plain_accuracy(nets["plain"], test, device, flat=False)],
        "points": [],
    }
    for kind, net in nets.items():
        for cov in config.cov:
            for mitigation in MITIGATIONS:
                name = f"{kind}, {cov:.0%}, {mitigation}"
                point = run.once(name, lambda n=net, k=kind, c=cov, m=mitigation: {
                    "validation": on_chips(config, run, n, number, k, c, m, validation),
                    "test": on_chips(config, run, n, number, k, c, m, test),
                })  # fmt: skip
                known = {"training": kind, "cov": cov, "mitigation": mitigation}
                outcome["points"].append(known | point)
                mean, _ = mean_std(point["test"])
                run.log(**known, test_mean=mean, test_worst=min(point["test"]))
    return outcome | _account(config, nets["plain"], number)


def train(config: BmcnnConfig, run: Run, number: int, kind: str) -> nn.Module:
    """Train one binarized network offline; aware: under spread redrawn at each step."""
    device = config.torch_device()
    seed = key(config.seed, "bmcnn", number)
    net = seeded(seed, lambda: _network(config))
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            steps: list[nn.Module] = [mho.nn.Levels(2)]
            if kind == "aware":
                chips = config.hardware(config.aware_cov)
                steps.append(mho.nn.Variation(chips, key(seed, layer.out_channels)))
            mho.quantize(layer, *steps)
    net.to(device)
    samples = mho.data.load("mnist", "train", per_class=config.per_class)
    feed = Feed(samples.images, samples.labels, config.batch, seed, device)
    optimizer = torch.optim.Adam(net.parameters(), config.rate)
    total = feed.epoch_steps * config.epochs
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total)
    validation = mho.data.load("mnist", "validation")
    state = {"net": net, "optimizer": optimizer, "schedule": schedule}
    for step in run.steps(f"train {kind}", total, state):
        net.train()
        x, y = feed.at(step)
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimizer.step()
        schedule.step()
        if feed.ends_epoch(step):
            accuracy = 100 * plain_accuracy(net, validation, device, flat=False)
            run.log(step=step + 1, training=kind, validation=accuracy)
    return net.eval()


def on_chips(
    config: BmcnnConfig, run: Run, net: nn.Module, number: int, kind: str, cov: float,
    mitigation: str, samples: Samples,
) -> list[float]:  # fmt: skip
    """Accuracy [%] of every chip after mapping once and repairing the read-out."""
    device = config.torch_device()
    chips = _mapped(config, net, number, cov)
    inputs = mho.data.load("mnist", "train", per_class=-(-config.calibration // 10)).images
    inputs = inputs[: config.calibration].to(device)
    if mitigation in ("layer", "column"):
        trained_on = config.hardware(config.aware_cov) if kind == "aware" else None
        mho.tune(chips, inputs, per=mitigation, trained_on=trained_on)
    elif mitigation == "batch norm":
        mho.refresh_batchnorm(chips, [inputs])
    # Some 200 images at a time, all chips counted, stay in the processor's cache.
    batch = max(1, 200 // config.chips) if device.type == "cpu" else 1000
    pair = (samples.images.to(device), samples.labels.to(device))
    loader = mho.data.batches(pair, batch, seed=None)
    watched = run.watch(f"{cov:.0%} spread, {mitigation}", loader, len(loader))
    return (100 * mho.evaluate(chips, watched)).tolist()


def _mapped(config: BmcnnConfig, net: nn.Module, number: int, cov: float) -> nn.Module:
    """The convolutions on chips; the classifier stays digital."""
    generator = torch.Generator().manual_seed(key(config.seed, "chips", number))
    return mho.convert(
        net, config.hardware(cov), config.chips, generator=generator,
        select=lambda _, layer: isinstance(layer, nn.Conv2d),
    )  # fmt: skip


def _network(config: BmcnnConfig) -> nn.Sequential:
    first, second = config.channels
    return nn.Sequential(
        nn.Conv2d(1, first, 3, padding=1, bias=False),
        nn.BatchNorm2d(first),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(first, second, 3, padding=1, bias=False),
        nn.BatchNorm2d(second),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(second * 49, config.hidden, bias=False),
        nn.BatchNorm1d(config.hidden),
        nn.ReLU(),
        nn.Linear(config.hidden, 10),
    )


def _account(config: BmcnnConfig, net: nn.Module, number: int) -> dict[str, Any]:
    """Ledger, cost and histograms of mapping once and reading one image, at 50 % spread."""
    chips = _mapped(config, net, number, config.aware_cov)
    image = mho.data.load("mnist", "validation", per_class=1).images[:1]
    chips(image.to(config.torch_device()))
    return account(chips, config.prices, layer=-1)


def _point(outcome: dict[str, Any], training: str, cov: float, mitigation: str) -> dict[str, Any]:
    wanted = {"training": training, "cov": cov, "mitigation": mitigation}
    return next(p for p in outcome["points"] if all(p[k] == v for k, v in wanted.items()))


def _best(outcome: dict[str, Any], cov: float) -> dict[str, Any]:
    """The point of a spread that is best on the validation images."""
    points = [p for p in outcome["points"] if p["cov"] == cov]
    return max(points, key=lambda p: mean_std(p["validation"])[0])


def _result(config: BmcnnConfig, outcomes: list[dict[str, Any]]) -> dict[str, Any]:
    claims = [
        claim("ideal_accuracy", "binarized network, no spread",
              [a for o in outcomes for a in o["ideal"]], "%",
              note="the paper's accuracies are not in any text we could read"),
    ]  # fmt: skip
    for cov in (c for c in config.cov if c >= 0.25):
        tag = f"cov{round(100 * cov)}"
        at = f"at {cov:.0%} spread"
        best = [_best(o, cov) for o in outcomes]
        chosen = ", ".join(sorted({f"{p['training']} training, {p['mitigation']}" for p in best}))
        rows = [
            ("raw", f"plain training, nothing repaired, {at}", "plain", "none"),
            ("tuned_layer", f"plain training, one gain and offset a layer, {at}", "plain", "layer"),
            ("aware", f"variation-aware training, nothing repaired, {at}", "aware", "none"),
        ]
        for slug, what, training, mitigation in rows:
            values = [a for o in outcomes for a in _point(o, training, cov, mitigation)["test"]]
            claims.append(claim(f"{tag}_{slug}_accuracy", what, values, "%"))
        values = [a for p in best for a in p["test"]]
        note = f"{chosen}; chosen on validation images; no labels, no writes"
        claims += [
            claim(f"{tag}_best_accuracy", f"best repair {at}", values, "%", note=note),
            claim(f"{tag}_worst_chip", f"worst chip with it, {at}",
                  [min(p["test"]) for p in best], "%"),
        ]  # fmt: skip
    percent = [100 * c for c in config.cov]

    def line(training: str, mitigation: str) -> dict[str, Any]:
        rows = [
            [a for o in outcomes for a in _point(o, training, c, mitigation)["test"]]
            for c in config.cov
        ]
        return series(mitigation, percent, rows)

    curves = [
        curve(f"spread_{training}", f"Accuracy against spread, {training} training",
              "spread of R_ON and R_OFF, standard deviation over mean [%]", "accuracy [%]",
              [line(training, mitigation) for mitigation in MITIGATIONS])
        for training in TRAININGS
    ]  # fmt: skip
    tests = (config.test_per_class or 0) * 10 or 10_000
    return {
        "title": "Write once: variation-aware binarized convolutions",
        "summary": f"Two binarized convolutions of {config.channels[0]} and {config.channels[1]} "
        f"channels on differential pairs, R_ON {config.r_on / 1e3:g} kohm (truncated normal, at "
        f"least {config.truncation:.0%} of the mean), R_OFF {config.r_off / 1e3:g} kohm "
        f"(lognormal), digital classifier, MNIST ({tests:,} test images), {config.chips} chips. A "
        "reconstruction: the paper's sizes, resistances and accuracies are not known.",
        "claims": claims,
        "curves": curves,
        **account_blocks(
            outcomes[0],
            f"Conductance by state, second convolution, {config.aware_cov:.0%} spread",
            y_scale="log",
        ),
    }  # fmt: skip
