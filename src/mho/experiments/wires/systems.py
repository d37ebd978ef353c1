"""The three systems behind wires: what is trained, and how well it does there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

from torch import Tensor, nn

import mho
from mho.experiments.bmcnn.network import train as train_binarized
from mho.experiments.bmcnn.network import training as of_binarized
from mho.experiments.bmcnn.points import Bench
from mho.experiments.bmcnn.points import Point as Binarized
from mho.experiments.experiment import plain_accuracy
from mho.experiments.metaplastic.training import Job as Lifelong
from mho.experiments.metaplastic.training import Learner
from mho.experiments.metaplastic.training import training as of_lifelong
from mho.experiments.run import Run
from mho.experiments.siamese.config import SiameseConfig
from mho.experiments.siamese.training import Job as InPlace
from mho.experiments.siamese.training import train as train_in_place
from mho.experiments.siamese.training import training as of_in_place
from mho.experiments.trainings import Training
from mho.experiments.wires.compensation import LOOP, behind_wires, fit
from mho.experiments.wires.config import System, WiresConfig
from mho.experiments.wires.plan import Point, Row, claimed, measured, points
from mho.learning.layers.layer import memristive_layers

SIZE = 48
"""Rows and columns of the array drawn, at most."""
OFFLINE: dict[str, Any] = {"kind": "plain", "number": 0, "name": "bmcnn: training"}
"""Which training of the binarized network."""


def write_once(config: WiresConfig, run: Run) -> list[Row]:
    """The binarized network, trained without wires or spread, mapped to many chips."""
    own = config.part(config.bmcnn).replace(chips=config.chips)
    architecture = own.architecture
    net = train_binarized(own, architecture, run, epochs=own.epochs, **OFFLINE)
    bench = Bench(own, run, 0, architecture, {"plain": net})

    def accuracy(point: Point, split: str) -> dict[str, list[float]]:
        tile, r, compensation = point
        at = Binarized(
            "plain", compensation, config.cov, config.cov, wire_resistance=r, tile=tile,
            converter_bits=own.converter_bits,
        )  # fmt: skip
        per_class = own.test_per_class if split == "test" else own.sweep_per_class
        images = mho.data.load(own.data, split, per_class=per_class)
        return {own.data: bench.measure([at], images, f"bmcnn, {split}")[0]["accuracy"]}

    rows = []
    for tile in config.tiles:
        rows += measured("bmcnn", points(config, "bmcnn", tile), "validation",
                         lambda p: accuracy(p, "validation"))  # fmt: skip
    best = claimed(config, "bmcnn", rows)
    return rows + measured("bmcnn", best, "test", lambda p: accuracy(p, "test"))


class Trained(NamedTuple):
    """A network on the chip that it was trained on."""

    net: nn.Module
    inputs: dict[str, Tensor]
    """Training images of each task."""
    states: mho.tasks.TaskStates | None
    """What is kept for each task, if there are several."""


def in_place(config: WiresConfig, run: Run, tile: int, loop: float, **changes: Any) -> Trained:
    """The network trained in place; `loop`: through wires of so many ohm a segment."""
    own, job = _in_place(config, tile, loop, **changes)
    net = train_in_place(own, run, job).net
    return Trained(net, {own.data: _inputs(config, own.data)}, None)


def _in_place(
    config: WiresConfig, tile: int, loop: float, **changes: Any
) -> tuple[SiameseConfig, InPlace]:
    """Its settings and what is trained; `changes` are of the settings."""
    own = config.part(config.siamese).replace(**changes)
    hardware = own.hardware.replace(
        tile=(tile, tile), wire_resistance=loop, wire_refresh=config.refresh.every
    )
    scheme = own.scheme or "falling threshold"
    return own, InPlace(scheme, own.epochs, hardware, corrected=True)


def lifelong(config: WiresConfig, run: Run, tile: int, loop: float) -> Trained:
    """The network of several tasks, likewise."""
    job = _lifelong(config, tile, loop)
    learner = Learner(run, job)
    learner.learn()
    inputs = {task.name: _inputs(config, task.name) for task in job.tasks}
    return Trained(learner.net, inputs, learner.states)


def _lifelong(config: WiresConfig, tile: int, loop: float) -> Lifelong:
    """What is trained."""
    own = config.part(config.metaplastic)
    hardware = own.hardware.replace(
        tile=(tile, tile), wire_resistance=loop, wire_refresh=config.refresh.every
    )
    tasks = mho.data.sequential(own.tasks)
    scheme = own.scheme or "path importance with gates"
    return Lifelong(scheme, tasks, own.replace(hardware=hardware))


TRAINED: dict[System, Callable[[WiresConfig, Run, int, float], Trained]] = {
    "siamese": in_place,
    "metaplastic": lifelong,
}
"""Systems that learn on the arrays."""


def loops(config: WiresConfig) -> list[tuple[int, float]]:
    """Arrays on which systems learn, and the wires that they learn through [ohm]; 0: without."""
    without = [(tile, 0.0) for tile in config.tiles]
    return without + [(config.claimed.tile, r) for r in config.resistances]


def trainings(config: WiresConfig) -> list[Training]:
    """The trainings of a run."""
    found = []
    if "bmcnn" in config.systems:
        own = config.part(config.bmcnn)
        found.append(of_binarized(own, own.architecture, epochs=own.epochs, **OFFLINE))
    if "siamese" in config.systems:
        found += [of_in_place(*_in_place(config, *loop)) for loop in loops(config)]
    if "metaplastic" in config.systems:
        found += [of_lifelong(_lifelong(config, *loop)) for loop in loops(config)]
    at = config.claimed
    for every in config.refreshes:
        changed = config.replace(refresh=config.refresh.replace(every=every))
        job = _in_place(changed, at.tile, at.resistance, **once(changed))
        found.append(of_in_place(*job))
    return [*found, of_in_place(*_in_place(config, SIZE, 0.0, **once(config)))]


def once(config: WiresConfig) -> dict[str, Any]:
    """Changed settings of the network trained in place, for a few images that are shown once."""
    return {"epochs": 1, "per_class": config.refresh.per_class}


def behind(
    config: WiresConfig, run: Run, system: System, tile: int, loop: float = 0.0
) -> list[Row]:
    """Train one of them on arrays of a size and measure it; `loop`: through wires, else before."""
    trained = TRAINED[system](config, run, tile, loop)
    device, how = config.torch_device(), config.predistortion

    def accuracy(point: Point, split: str) -> dict[str, list[float]]:
        (_, r, compensation), net, state = point, trained.net, nullcontext
        if compensation != LOOP:
            net = behind_wires(net, r, compensation, finer=how.finer, rounds=how.rounds)
        if trained.states is not None:
            states = mho.tasks.TaskStates(net)
            states.load_state_dict(trained.states.state_dict())
            state = states.using
        found = {}
        for task, inputs in trained.inputs.items():
            with state(task):
                fit(net, compensation, inputs)
                samples = mho.data.load(task, split)
                found[task] = [100 * plain_accuracy(net, samples, device, flat=False)]
        run.log(**point._asdict(), system=system, split=split, accuracy=found)
        return found

    which = points(config, system, tile) if loop == 0.0 else [Point(tile, loop, LOOP)]
    rows = measured(system, run.watch("points", which, len(which)), "validation",
                    lambda p: accuracy(p, "validation"))  # fmt: skip
    if tile != config.claimed.tile or loop not in (0.0, config.claimed.resistance):
        return rows
    best = [Point(tile, loop, LOOP)] if loop else claimed(config, system, rows)
    return rows + measured(system, best, "test", lambda p: accuracy(p, "test"))


def refreshed(config: WiresConfig, run: Run, every: int) -> dict[str, Any]:
    """Train through wires solved at every so many write steps: accuracy, error of the estimates."""
    config, at = config.replace(refresh=config.refresh.replace(every=every)), config.claimed
    trained = in_place(config, run, at.tile, at.resistance, **once(config))
    layers = memristive_layers(trained.net).values()
    staleness = max(layer.crossbar.staleness for layer in layers)
    data = config.siamese.data
    mho.calibrate(trained.net, trained.inputs[data])
    held_out = mho.data.load(data, "validation")
    accuracy = plain_accuracy(trained.net, held_out, config.torch_device(), flat=False)
    return {"accuracy": 100 * accuracy, "staleness": 100 * staleness}


def _inputs(config: WiresConfig, task: str) -> Tensor:
    """Training images, the same number of each class."""
    classes = len(mho.data.dataset(task).classes)
    samples = mho.data.load(task, "train", per_class=-(-config.calibration // classes))
    return samples.inputs.to(config.torch_device())
