"""Write rarely: in-situ training of a multi-level network that writes only what must change.

A reconstruction of Tan et al., "Enhancing in-situ updates of quantized memristor neural networks: a
Siamese network learning approach", Cognitive Neurodynamics 2024 (10.1007/s11571-024-10069-1). The
twin networks are the array, through which every forward pass goes, and its float shadow, which
takes the gradients; a cell is written when its shadow has moved far enough from its level.
Network, levels, device and optimizer are not in the text we could read: they are fields below.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import nn

import mho
from mho.config import Range
from mho.experiments.experiment import ExperimentConfig, Feed, Lap, plain_accuracy, seeded
from mho.experiments.result import account, account_blocks, claim, curve, series
from mho.experiments.run import Run
from mho.hardware.streams import key


class SiameseConfig(ExperimentConfig):
    """Settings of `mho run siamese`."""

    family: ClassVar[str] = "siamese"

    hidden: Annotated[int, Range(least=1)] = 128
    """Units of the hidden layer; the network is 784-hidden-10 [1]."""
    per_class: Annotated[int, Range(least=1, most=4921)] | None = None
    """Training images of each class [1]; None: all 55,000 of the training split."""
    epochs: Annotated[int, Range(least=1)] = 10
    """Passes over the training images [1]."""
    batch: Annotated[int, Range(least=1)] = 64
    """Images in a training step [1]."""
    rate: Annotated[float, Range(above=0.0)] = 0.05
    """Learning rate at the start; it falls to 0 along a cosine [1]."""
    momentum: Annotated[float, Range(least=0.0, below=1.0)] = 0.9
    """Momentum of SGD [1]."""
    hysteresis: Annotated[float, Range(least=0.5)] = 0.65
    """Distance at which a weight is written, in steps between levels [1]."""
    sparse: Annotated[float, Range(least=0.5)] = 3.0
    """The same for the sparse policy; its output layer uses a third of it [1]."""
    budget: Annotated[float, Range(above=0.0)] = 0.2
    """Writes in an epoch that the budget policy allows, as a share of the weights [1]."""
    calibrate_every: Annotated[int, Range(least=1)] = 100
    """Training steps between two calibrations of the converters [1]."""
    hardware: mho.Hardware = mho.Hardware(
        device=mho.MultiLevel(
            g_min=50e-6,
            g_max=225e-6,
            levels=16,
            sigma=(0.05 * 175e-6,),
            device_spread=0.05,
            read_noise=0.01,
            stuck_off=0.0025,
            stuck_on=0.0025,
            endurance=1e6,
            doi="10.1109/IRPS46558.2021.9405119",
            note="Window of the source; spreads, read noise and stuck cells as this experiment's "
            "default imperfections.",
        ),
        programming=mho.OpenLoop(),
        weight_levels=16,
        full_scale=8.0,
        dac_bits=8,
        adc_bits=8,
        adc_per_tile=False,
    )
    """The chips."""


PRESETS = {
    "quick": SiameseConfig(preset="quick", chips=2, epochs=5),
    "standard": SiameseConfig(preset="standard", chips=5, epochs=10),
    "paper": SiameseConfig(preset="paper", chips=5, epochs=20),
}

POLICIES = (
    "float", "level change", "hysteresis", "sparse", "every 4th batch", "budget", "probabilistic",
)  # fmt: skip


def run(config: SiameseConfig, run: Run) -> dict[str, Any]:
    """Train every policy on every chip; returns the result."""
    outcomes = {
        policy: [
            run.once(f"{policy}, chip {chip}", lambda p=policy, c=chip: train(config, run, p, c))
            for chip in range(config.chips)
        ]
        for policy in POLICIES
    }
    return _result(config, outcomes)


def train(config: SiameseConfig, run: Run, policy: str, chip: int) -> dict[str, Any]:
    """Train one network under one policy on one chip, and test it."""
    train_set = mho.data.load("mnist", "train", per_class=config.per_class)
    validation = mho.data.load("mnist", "validation")
    test = mho.data.load("mnist", "test")
    seed = key(config.seed, "siamese", chip)
    model = seeded(
        seed,
        lambda: nn.Sequential(
            nn.Linear(784, config.hidden), nn.ReLU(), nn.Linear(config.hidden, 10)
        ),
    )
    model = model.to(config.torch_device())
    feed = Feed(train_set.flat, train_set.labels, config.batch, seed, config.torch_device())

    in_situ = policy != "float"
    net = model
    if in_situ:
        generator = torch.Generator().manual_seed(seed)
        net = mho.convert(model, config.hardware, generator=generator, first_chip=chip)
        mho.calibrate(net, feed.sample(1000))
    optimizer = torch.optim.SGD(net.parameters(), config.rate, config.momentum)
    total = feed.epoch_steps * config.epochs
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total)
    weights = sum(p.numel() for p in net.parameters() if p.dim() > 1)
    write = None
    if in_situ:
        budget = mho.Budget(round(config.budget * weights), feed.epoch_steps)
        write = _write_step(config, policy, net, budget, seed)
    history = Lap()

    state = {"net": net, "optimizer": optimizer, "schedule": schedule, "history": history}
    if write is not None:
        state["write"] = write
    for step in run.steps("train", total, state):
        if in_situ and step % config.calibrate_every == 0:
            mho.calibrate(net, feed.sample(1000))
        x, y = feed.at(step)
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimizer.step()
        schedule.step()
        if write is not None:
            history.add("written", write().weights)
        if feed.ends_epoch(step):
            accuracy = 100 * plain_accuracy(net, validation, config.torch_device())
            written = history.take("written")
            history.append("validation", accuracy)
            history.append("written_per_epoch", written)
            if step < feed.epoch_steps:
                history.append("first", 100 * plain_accuracy(net, test, config.torch_device()))
            run.log(step=step + 1, validation=accuracy, weights_written=written)

    outcome = {
        "test": 100 * plain_accuracy(net, test, config.torch_device()),
        "first": history.rows["first"][0],
        "validation": history.rows["validation"],
        "written": history.rows["written_per_epoch"],
        "weights": weights,
        "steps_per_epoch": feed.epoch_steps,
    }
    return outcome | account(net, config.prices) if in_situ else outcome


def _write_step(
    config: SiameseConfig, policy: str, net: nn.Module, budget: mho.Budget, seed: int
) -> mho.WriteStep:
    """How each policy writes; the output layer, 1 % of the weights, is kept finer if sparse."""
    match policy:
        case "sparse":
            threshold = {"": config.sparse, "2": max(config.sparse / 3, 0.5)}
            return mho.WriteStep(net, threshold=threshold)
        case "hysteresis":
            return mho.WriteStep(net, threshold=config.hysteresis)
        case "every 4th batch":
            return mho.WriteStep(net, threshold=config.hysteresis, policies=[mho.Every(4)])
        case "budget":
            return mho.WriteStep(net, threshold=0.5, policies=[budget])
        case "probabilistic":
            return mho.WriteStep(net, rules=[mho.StochasticRounding(seed)])
    return mho.WriteStep(net)


def _gone(outcome: dict[str, Any], epochs: int | None = None) -> float:
    """Percent of weight-steps without a write; the denominator is weights x steps."""
    written = outcome["written"][:epochs]
    return 100 * (
        1 - sum(written) / (outcome["weights"] * outcome["steps_per_epoch"] * len(written))
    )


def _result(config: SiameseConfig, outcomes: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    change, best, sparse = (outcomes[p] for p in ("level change", "hysteresis", "sparse"))
    weights, steps = best[0]["weights"], best[0]["steps_per_epoch"]
    denominator = f"of {weights:,} weights x {steps:,} steps an epoch"
    per_weight = [sum(o["written"]) / o["weights"] for o in sparse]
    times = [
        a["programming_energy"] / b["programming_energy"]
        for a, b in zip(change, sparse, strict=True)
    ]
    claims = [
        claim("mlp_float_accuracy", "MLP in float, same epochs",
              [o["test"] for o in outcomes["float"]], "%"),
        claim("mlp_accuracy", f"MLP in situ, written beyond {config.hysteresis:g} steps",
              [o["test"] for o in best], "%"),
        claim("mlp_gone", "writes gone, whole training", [_gone(o) for o in best], "%",
              paper=98.0, note=f"{denominator}; the paper says over 98 % within one epoch"),
        claim("mlp_first_epoch_gone", "writes gone, first epoch", [_gone(o, 1) for o in best], "%",
              paper=98.0, note=denominator),
        claim("mlp_first_epoch_accuracy", "accuracy after the first epoch",
              [o["first"] for o in best], "%"),
        claim("mlp_change_accuracy", "MLP in situ, written on every level change",
              [o["test"] for o in change], "%"),
        claim("mlp_change_gone", "writes gone, written on every level change",
              [_gone(o) for o in change], "%", paper=98.0, note=denominator),
        claim("mlp_sparse_accuracy", f"MLP in situ, sparse: beyond {config.sparse:g} steps",
              [o["test"] for o in sparse], "%"),
        claim("mlp_sparse_gone", "writes gone, sparse", [_gone(o) for o in sparse], "%",
              paper=98.0, note=denominator),
        claim("mlp_sparse_writes_per_weight", "writes per weight in the whole training, sparse",
              per_weight, "", better="lower", note="after the first programming"),
        *(
            row
            for slug in ("budget", "probabilistic")
            for row in (
                claim(f"mlp_{slug}_accuracy", f"MLP in situ, {slug} writes",
                      [o["test"] for o in outcomes[slug]], "%"),
                claim(f"mlp_{slug}_gone", f"writes gone, {slug}",
                      [_gone(o) for o in outcomes[slug]], "%", note=denominator),
            )
        ),
        claim("mlp_max_writes_per_cell", "most writes on any cell",
              [float(o["max_writes"]) for o in best], "", better="lower",
              pooled="highest"),
        claim("mlp_energy_ratio", "programming energy, level change over sparse", times, "",
              note="first programming of all cells included in both"),
    ]  # fmt: skip
    epochs = list(range(1, config.epochs + 1))
    by_epoch = [
        series(policy, epochs, list(zip(*(o["validation"] for o in rows), strict=True)))
        for policy, rows in outcomes.items()
    ]
    written = [
        series(
            policy,
            epochs,
            [
                [max(n, 0.5) / (weights * steps) for n in epoch]
                for epoch in zip(*(o["written"] for o in outcomes[policy]), strict=True)
            ],
        )
        for policy in POLICIES[1:]
    ]
    frontier = [
        {
            "name": policy,
            "x": [sum(o["written"]) / o["weights"] for o in outcomes[policy]],
            "y": [o["test"] for o in outcomes[policy]],
            "std": None,
        }
        for policy in POLICIES[1:]
    ]
    return {
        "title": "Write rarely: Siamese in-situ training",
        "summary": f"A 784-{config.hidden}-10 network trained through {config.chips} simulated "
        "arrays of 16-level cells with 5 % write spread, 5 % device spread, 1 % read noise and "
        "0.5 % stuck cells, MNIST. A reconstruction: network, levels, device and optimizer are our "
        "choice. The share of writes that is gone counts every weight at every step as its base.",
        "claims": claims,
        "curves": [
            curve("validation", "Validation accuracy", "epoch", "accuracy [%]", by_epoch),
            curve("written", "Share of weight-steps written", "epoch", "share", written,
                  y_scale="log"),
            curve("frontier", "Test accuracy against writes", "writes per weight",
                   "accuracy [%]", frontier, x_scale="log"),
        ],
        **account_blocks(best[0], "Conductance by programmed level, first layer"),
    }  # fmt: skip
