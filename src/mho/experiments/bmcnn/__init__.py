"""Write once: binarized networks on R_ON / R_OFF pairs, trained offline, never rewritten.

A reconstruction of Lammie et al., "Variation-aware Binarized Memristive Networks" (ICECS 2019,
10.1109/ICECS46596.2019.8964998). Convolutions have binary weights on differential pairs of
two-state cells whose resistances spread; all else is digital. The network is trained once, mapped
to many chips, and the read-out is repaired without writing a cell. Sizes, resistances and
accuracies are not in the text we could read: the former are settings, the latter ours.

config: settings. network: what is trained. mitigation: what can be done about spread. points: one
Monte Carlo. studies: which points. result, with figures and tables: what is made of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

import mho
from mho.experiments import part
from mho.experiments.account import account
from mho.experiments.bmcnn.config import PRESETS, Architecture, BmcnnConfig
from mho.experiments.bmcnn.mitigation import Mitigation, mitigation
from mho.experiments.bmcnn.network import TRAININGS, by_layer, network, train, training
from mho.experiments.bmcnn.points import MOST_AT_ONCE, Bench, Point
from mho.experiments.bmcnn.result import TITLE, of_family, result
from mho.experiments.bmcnn.studies import STUDY, compared, networks, variants
from mho.experiments.bmcnn.studies import trainings as of_networks
from mho.experiments.experiment import plain_accuracy
from mho.experiments.memory import needed
from mho.experiments.processes import started
from mho.experiments.run import Run
from mho.experiments.study import Jobs
from mho.experiments.trainings import Training
from mho.results import Result, mean_std

STUDIES: dict[str, Callable[..., Any]] = {**STUDY, "networks": networks}
"""All studies, and what does each."""

__all__ = ["PRESETS", "STUDIES", "Architecture", "BmcnnConfig", "memory", "run", "trainings"]


def memory(config: BmcnnConfig) -> dict[str, int]:
    """Bytes that each network takes on the chips that are made at a time."""
    copies = max(mitigation(name).copies for name in (*config.mitigations, *config.further))
    networks = {"the network": (config.architecture, copies)}
    if "networks" in config.studies:
        networks |= {name: (own, 1) for name, own in variants(config.architecture).items()}
    chips = min(config.chips, MOST_AT_ONCE)
    images = max(500, chips, started().most(config.batch))
    data = mho.data.dataset(config.data)
    found = {}
    for name, (own, many) in networks.items():
        with torch.device("meta"):
            net = network(own, data)
        kinds = by_layer(own, net, config.aware.replace(copies=many))
        found[name] = needed(lambda net=net: net, kinds, chips, images, data.shape, written=False)
    return found


def trainings(config: BmcnnConfig) -> list[Training]:
    """The trainings of a run."""
    further = of_networks(config) if "networks" in config.studies else []
    if config.only == "networks":
        return further
    own = [
        training(config, config.architecture, kind=kind, number=number, epochs=config.epochs,
                 name=f"train {kind}")
        for number in range(config.trainings if config.claims else 1)
        for kind in TRAININGS
    ]  # fmt: skip
    return own + further


def run(config: BmcnnConfig, run: Run) -> Result:
    """Train, map to chips of growing spread, repair, test, or do one study; returns the result."""
    if not config.claims:
        return study(config, run)
    outcomes = [
        run.once(f"training {n}", lambda n=n: train_and_map(config, run, n))
        for n in range(config.trainings)
    ]
    return result(config, outcomes)


def study(config: BmcnnConfig, run: Run) -> Result:
    """One study alone, on the first training."""
    images = mho.data.load(config.data, "validation", per_class=config.study.per_class)
    if config.only == "networks":
        return of_family(config, run.once("networks", lambda: networks(config, run, images)))
    nets = {
        kind: train(config, config.architecture, run, kind=kind, number=0,
                    epochs=config.epochs, name=f"train {kind}")
        for kind in TRAININGS
    }  # fmt: skip
    bench = Bench(config, run, 0, config.architecture, nets)
    jobs = Jobs[Point, Sequence[float]](run, lambda point: bench.accuracy(point, images))
    (name,) = config.studies
    done = [jobs.done(each, name) for each in STUDY[name](config)]
    return part.result(config, TITLE, done, list)


def train_and_map(config: BmcnnConfig, run: Run, number: int) -> dict[str, Any]:
    """One network trained both ways, on all chips; choices on held-out images, claims on test."""
    nets = {
        kind: train(config, config.architecture, run, kind=kind, number=number,
                    epochs=config.epochs, name=f"train {kind}")
        for kind in TRAININGS
    }  # fmt: skip
    bench = Bench(config, run, number, config.architecture, nets)
    held_out = mho.data.load(config.data, "validation", per_class=config.sweep_per_class)
    outcome: dict[str, Any] = {
        "held_out": bench.measure(compared(config, number), held_out, "held out")
    }
    test = mho.data.load(config.data, "test", per_class=config.test_per_class)
    device = config.torch_device()
    outcome["ideal"] = run.once(
        "ideal", lambda: 100 * plain_accuracy(bench.ideal(), test, device, flat=False)
    )
    outcome["test"] = {
        str(cov): {
            name: bench.measure([point], test, "test")[0]
            for name, point in claimed(config, outcome["held_out"], cov).items()
            if name == "free" or number == 0
        }
        for cov in config.spread.claimed
    }
    if number == 0:
        outcome |= _details(bench, outcome, test)
    return outcome


def claimed(config: BmcnnConfig, held_out: list[dict[str, Any]], cov: float) -> dict[str, Point]:
    """Points of a spread that are run on the test images: the best on the held-out ones.

    "free" and "labelled": without and with labels, each cell written once and no more cells than
    one pair a weight. "more": without labels, with more writes or cells; where that was measured.
    """

    def best(wanted: Callable[[Mitigation], bool]) -> Point | None:
        rows = [r for r in held_out if r["cov_on"] == cov and wanted(mitigation(r["mitigation"]))]
        if not rows:
            return None
        row = max(rows, key=lambda row: mean_std(row["accuracy"]).mean)
        return Point(**{k: v for k, v in row.items() if k != "accuracy"})

    def candidate(choice: Mitigation) -> bool:
        return choice.once and choice.name in config.mitigations

    points = {
        "free": best(lambda choice: candidate(choice) and choice.label_free),
        "labelled": best(lambda choice: candidate(choice) and not choice.label_free),
        "more": best(lambda choice: not choice.once and choice.label_free),
    }
    return {name: point for name, point in points.items() if point is not None}


def _details(bench: Bench, outcome: dict[str, Any], test: mho.data.Samples) -> dict[str, Any]:
    """What is looked at on one training alone: studies, costs, the worst chip, the account."""
    config, run = bench.config, bench.run
    images = mho.data.load(config.data, "validation", per_class=config.study.per_class)
    jobs = Jobs[Point, Sequence[float]](run, lambda point: bench.accuracy(point, images))
    found: dict[str, Any] = {}
    for name in config.studies:
        if name in STUDY:
            done = [jobs.done(study, name) for study in STUDY[name](config)]
            found[name] = {k: v for each in done for k, v in each.outcomes.items()}
    if "networks" in config.studies:
        found["networks"] = networks(config, run, images)
    headline = config.spread.claimed[-1]
    best = claimed(config, outcome["held_out"], headline)["free"]
    efforts = {
        name: run.once(
            f"effort: {name}",
            lambda n=name: vars(bench.effort(Point("aware", n, headline, headline))),
        )
        for name in (*config.mitigations, *config.further)
    }
    return {
        "studies": found,
        "efforts": efforts,
        "formats": run.once("formats", lambda: bench.formats(best)),
        "confusion": run.once("confusion", lambda: bench.confusion(best, test)),
        **_account(bench),
    }


def _account(bench: Bench) -> dict[str, Any]:
    """Ledger, cost and histograms of mapping once, setting the converters, reading an image."""
    cov, bits = bench.config.spread.claimed[0], bench.config.converter_bits
    chips = bench.some_chips(Point("plain", "none", cov, cov, converter_bits=bits))
    with torch.no_grad():
        chips(bench.inputs[:1])
    accounted = account(chips, bench.config.prices, layer=-1)
    rows = accounted["cost"]["items"]
    accounted["cost"]["items"] = [row for row in rows if "hidden" not in row["what"]]
    return accounted  # nothing learns any more: there are no hidden weights
