"""The three systems on chips of a kind: how well each does on held-out images, some time later.

Between the last write, or repair, and the evaluation time passes, and nothing is calibrated anew.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean
from typing import Any

import torch
from torch import nn

import mho
from mho.experiments import cells
from mho.experiments.bmcnn.config import BmcnnConfig
from mho.experiments.bmcnn.mitigation import Known, mitigation, probabilities
from mho.experiments.bmcnn.network import by_layer
from mho.experiments.bmcnn.network import train as train_binarized
from mho.experiments.bmcnn.network import training as of_binarized
from mho.experiments.bmcnn.points import MOST_AT_ONCE
from mho.experiments.experiment import plain_accuracy
from mho.experiments.metaplastic.training import Job as Lifelong
from mho.experiments.metaplastic.training import Learner
from mho.experiments.metaplastic.training import starts as lifelong_starts
from mho.experiments.run import Run
from mho.experiments.sensitivity.config import SensitivityConfig, System
from mho.experiments.siamese.training import Job as InPlace
from mho.experiments.siamese.training import starts as in_place_starts
from mho.experiments.siamese.training import train as train_in_place
from mho.experiments.trainings import Training
from mho.hardware.streams import derived_seed
from mho.learning.layers.chips import at_once

ROUNDS = 2
"""Of calibrating converters and repairing: each changes what the other has found, and statistics
from before the ranges moved can cost half of the accuracy at 4 bits."""

Measure = Callable[[mho.Hardware, int], float]
"""Held-out accuracy [%] of a system on chips of a kind, in a draw of all that is random."""


def trainings(config: SensitivityConfig) -> list[Training]:
    """The trainings of the binarized network; those in place, one for each kind of chip, are many,
    and left to each run."""
    own = config.part(config.bmcnn)
    repeats = range(config.repeats if "bmcnn" in config.systems else 0)
    return [of_binarized(own, own.architecture, **_offline(own, number)) for number in repeats]


def _offline(config: BmcnnConfig, number: int) -> dict[str, Any]:
    """Which training of the binarized network."""
    return {
        "kind": "plain", "number": number, "epochs": config.epochs,
        "name": f"bmcnn: training {number}",
    }  # fmt: skip


def check_start(config: SensitivityConfig, system: System) -> None:
    """Refuse cells on which a network that is trained in place would begin with nothing but zeros.

    Raises:
        ValueError: as said.
    """
    nets: list[nn.Module] = []
    if system == "siamese":
        nets = in_place_starts(config.siamese.replace(networks=("mlp",)))
    elif system == "metaplastic":
        nets = lifelong_starts(config.metaplastic)
    full_scale = f"{system}.hardware.full_scale"
    cells.check_start(nets, config.hardware(system), "SensitivityConfig.cell", full_scale)


def write_once(config: SensitivityConfig, run: Run) -> Measure:
    """The binarized network: trained once a draw, then mapped to chips and repaired.

    The accuracy is the mean over chips, which are made of the same random numbers at all points.
    """
    own, device = config.part(config.bmcnn), config.torch_device()
    choice = mitigation(config.mitigation)
    data = mho.data.dataset(own.data)
    few = -(-own.calibration // len(data.classes))
    known = mho.data.load(data, "train", per_class=few)
    inputs = known.inputs[: own.calibration].to(device)
    labels = known.labels[: own.calibration].to(device)
    held_out = mho.data.load(own.data, "validation", per_class=own.sweep_per_class)
    pair = (held_out.inputs.to(device), held_out.labels.to(device))
    together = at_once(min(config.chips, MOST_AT_ONCE), device)

    def trained(number: int) -> nn.Module:
        return train_binarized(own, own.architecture, run, **_offline(own, number))

    nets = [trained(k) for k in range(config.repeats)]

    def measure(hardware: mho.Hardware, repeat: int) -> float:
        net = nets[repeat]
        generator = torch.Generator().manual_seed(derived_seed(config.seed, "chips", repeat))
        kinds = by_layer(own.architecture, net, choice.hardware(hardware))
        repair = Known(inputs, labels, probabilities(net, inputs), None, own.pull, together)
        found = []
        for some in mho.in_chunks(
            net, kinds, config.chips, most=MOST_AT_ONCE, generator=generator
        ):  # fmt: skip
            some.eval()
            for _ in range(ROUNDS):
                mho.calibrate(some, inputs)
                choice.apply(some, repair)
            _wait(some, hardware, config.seconds)
            found.append(mho.evaluate(some, mho.data.batches(pair, together, seed=None)))
        return 100 * torch.cat(found).mean().item()

    return measure


def write_rarely(config: SensitivityConfig, run: Run) -> Measure:
    """The network trained in place, anew on each chip."""
    own, device = config.part(config.siamese), config.torch_device()
    held_out = mho.data.load(own.data, "validation")

    def measure(hardware: mho.Hardware, repeat: int) -> float:
        scheme = own.scheme or "falling threshold"
        job = InPlace(scheme, own.epochs, hardware, chip=repeat, corrected=True)
        net = train_in_place(own, run, job).net
        _wait(net, hardware, config.seconds)
        return 100 * plain_accuracy(net, held_out, device, flat=False)

    return measure


def write_for_life(config: SensitivityConfig, run: Run) -> Measure:
    """The network of several tasks in turn, likewise; the mean over tasks, each told."""
    own = config.part(config.metaplastic)
    tasks = mho.data.sequential(own.tasks)

    def measure(hardware: mho.Hardware, repeat: int) -> float:
        scheme = own.scheme or "path importance with gates"
        job = Lifelong(scheme, tasks, own.replace(hardware=hardware), chip=repeat)
        learner = Learner(run, job)
        learner.learn()
        _wait(learner.net, hardware, config.seconds)
        return fmean(learner.accuracy(task, "validation", task.name) for task in tasks)

    return measure


def _wait(net: nn.Module, hardware: mho.Hardware, seconds: float) -> None:
    """Let time pass, if it changes these chips."""
    if hardware.ages:
        mho.age(net, seconds)


MEASURES: dict[System, Callable[[SensitivityConfig, Run], Measure]] = {
    "bmcnn": write_once,
    "siamese": write_rarely,
    "metaplastic": write_for_life,
}
