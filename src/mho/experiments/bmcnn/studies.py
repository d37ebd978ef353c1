"""The further studies: which points each measures, and what is shown of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, get_args

import mho
from mho.data import Samples
from mho.experiments.bmcnn.config import Architecture, BmcnnConfig
from mho.experiments.bmcnn.network import TRAININGS, as_trained, train, training
from mho.experiments.bmcnn.points import Bench, Point
from mho.experiments.run import Run
from mho.experiments.study import Axis, Grid, Study, Value, each
from mho.experiments.study import Point as At
from mho.experiments.trainings import Training
from mho.physics.spread import Distribution

Studied = Study[Point, Sequence[float]]
"""Of points, each the accuracies of its chips."""

ACCURACY = Axis("accuracy [%]")
SPREAD = "spread, standard deviation over mean [%]"
RESOLUTION = "bits, sign included"
STUCK = (0.0, 0.01, 0.02, 0.05, 0.1)
RATIOS = (2.5, 5.0, 10.0, 100.0, 1000.0)
BITS = (4, 5, 6, 8, 12)
CONVERTER_BITS = (4, 5, 6, 8)
COPIES = (1, 2, 4)
PAIRS = ((100.0, 2500.0), (200.0, 500.0), (10e3, 100e3))
"""Resistances of the source's descendants [ohm]."""
SIGMAS = (0.1, 0.3, 0.5)
"""Standard deviation of R_ON over its mean; that of R_OFF is twice as many ohms."""


def compared(config: BmcnnConfig, number: int) -> list[Point]:
    """Mitigations on both trainings, spread in both resistances; in full on the first network."""
    points = []
    for kind in TRAININGS:
        for cov in config.spread.compared if number == 0 else config.spread.claimed:
            names = config.mitigations
            if number == 0 and cov in config.spread.claimed:
                names += config.further
            points += [Point(kind, name, cov, cov) for name in names]
    return points


def alone(config: BmcnnConfig) -> list[Studied]:
    """Spread in R_ON alone, then in R_OFF alone."""
    names = [n for n in ("none", "layer", "batch norm") if n in config.mitigations]
    return [
        _curve(f"cov_{state}_{kind}", f"Spread of {title} alone, {kind} training", SPREAD, [
            (Point(kind, name, cov * on, cov * (1 - on)), 100 * cov, name)
            for name in names
            for cov in config.spread.maps
        ])
        for kind in TRAININGS
        for state, title, on in (("on", "R_ON", 1), ("off", "R_OFF", 0))
    ]  # fmt: skip


def maps(config: BmcnnConfig) -> list[Studied]:
    """Every spread of R_ON with every one of R_OFF, and every ratio with every spread."""
    spreads, r_on = config.spread.maps, config.cells.r_on
    by_spread = [Point("aware", "batch norm", on, off) for on in spreads for off in spreads]
    by_ratio = [
        Point("aware", "batch norm", cov, cov, r_on=r_on, r_off=ratio * r_on)
        for ratio in RATIOS
        for cov in spreads
    ]
    note = "aware training, batch norm refreshed"
    return [
        _map("spread_map", f"Spread of each state, {note}", by_spread,
             ("spread of R_ON [%]", lambda point: 100 * point.cov_on),
             ("spread of R_OFF [%]", lambda point: 100 * point.cov_off)),
        _map("ratio_map", f"Window and spread, {note}", by_ratio,
             ("spread of both [%]", lambda point: 100 * point.cov_on),
             ("R_OFF / R_ON", lambda point: (point.r_off or 0.0) / r_on)),
    ]  # fmt: skip


def shapes(config: BmcnnConfig) -> list[Studied]:
    """The shape of the spread of both resistances."""
    return [
        _curve(f"shapes_{kind}", f"Shape of both spreads, {kind} training, {name}", SPREAD, [
            (Point(kind, name, cov, cov, shape=shape), 100 * cov, shape)
            for shape in get_args(Distribution)
            for cov in config.spread.maps
            if cov > 0
        ])
        for kind, name in (("plain", "none"), ("aware", "batch norm"))
    ]  # fmt: skip


def stuck(config: BmcnnConfig) -> list[Studied]:
    """Stuck cells, without spread."""
    choices = [
        ("plain", "none"), ("plain", "batch norm"), ("plain", "placement + batch norm"),
        ("aware", "batch norm"), ("aware", "placement + batch norm"),
    ]  # fmt: skip
    return [
        _curve("stuck", "Stuck cells, no spread", "share of stuck cells [%]", [
            (Point(*choice, 0.0, 0.0, stuck=share), 100 * share, ", ".join(choice))
            for choice in choices
            for share in STUCK
        ])
    ]  # fmt: skip


def pairs(config: BmcnnConfig) -> list[Studied]:
    """The convention of the source's descendants: sigma(R_OFF) = 2 sigma(R_ON), both normal."""
    choices = [("plain", "none"), ("plain", "layer"), ("aware", "batch norm")]
    what = "both normal, sigma(R_OFF) = 2 sigma(R_ON)"
    return [
        _curve(f"pair_{on:g}_{off:g}", f"{on:g} and {off:g} ohm, {what}",
               "sigma(R_ON) over mean [%]", [
            (Point(*choice, sigma, 2 * sigma * on / off, r_on=on, r_off=off, shape="clamped"),
             100 * sigma, ", ".join(choice))
            for choice in choices
            for sigma in SIGMAS
        ])
        for on, off in PAIRS
    ]  # fmt: skip


def bits(config: BmcnnConfig) -> list[Studied]:
    """Resolution of the digital parts, without spread and with it."""
    return [
        _curve("bits", "Fixed-point classifier and batch normalization", RESOLUTION, [
            (Point("aware", "batch norm", cov, cov, bits=n), n, f"{cov:.0%} spread")
            for cov in (0.0, *config.spread.claimed)
            for n in BITS
        ])
    ]  # fmt: skip


def converters(config: BmcnnConfig) -> list[Studied]:
    """Resolution of DACs and ADCs."""
    return [
        _curve("converters", "DACs and ADCs, one for each tile", RESOLUTION, [
            (Point("aware", "batch norm", cov, cov, converter_bits=n), n, f"{cov:.0%} spread")
            for cov in (0.0, *config.spread.claimed)
            for n in CONVERTER_BITS
        ])
    ]  # fmt: skip


def copies(config: BmcnnConfig) -> list[Studied]:
    """Cells that share a weight."""
    names = {n: f"{n} copies + batch norm" if n > 1 else "batch norm" for n in COPIES}
    return [
        _curve("copies", "Redundancy, batch norm refreshed", "pairs that share a weight", [
            (Point(kind, name, cov, cov), n, f"{kind}, {cov:.0%} spread")
            for kind in TRAININGS
            for cov in config.spread.claimed
            for n, name in names.items()
        ])
    ]  # fmt: skip


STUDY: dict[str, Callable[[BmcnnConfig], list[Studied]]] = {
    "alone": alone, "maps": maps, "shapes": shapes, "stuck": stuck, "pairs": pairs, "bits": bits,
    "converters": converters, "copies": copies,
}  # fmt: skip
"""In the order of the page; "networks" is apart, as it trains others."""


def _curve(id: str, title: str, axis: str, rows: Iterable[tuple[Point, float, str]]) -> Studied:
    """Accuracy of all chips at points, over an axis, line by line."""
    points = {point.name: At(point, x, line) for point, x, line in rows}
    return Study(points, Axis(axis), [Value(id, title, ACCURACY, each(_all))])


def _map(
    id: str, title: str, points: Iterable[Point], x: tuple[str, Callable[[Point], float]],
    y: tuple[str, Callable[[Point], float]],
) -> Studied:  # fmt: skip
    """Mean accuracy of the chips at every pair of x and y."""
    grid = Grid(id, title, x, y, ACCURACY.label, _all)
    return Study({point.name: At(point) for point in points}, grids=[grid])


def _all(chips: Sequence[float]) -> Sequence[float]:
    return chips


def variants(base: Architecture) -> dict[str, Architecture]:
    """The hybrid family."""
    cnn = base.replace(network="cnn", classifier="float", stochastic=False)
    return {
        "binary convolutions, float classifier": cnn,
        "binary convolutions, fixed-point classifier": cnn.replace(classifier="fixed"),
        "all weights binary": cnn.replace(classifier="binary"),
        "weights and activations binary": cnn.replace(classifier="binary", activation="sign"),
        "stochastic binarization": cnn.replace(stochastic=True),
        "binary MLP": Architecture(network="mlp", hidden=(256, 128), classifier="binary"),
    }


def trainings(config: BmcnnConfig) -> list[Training]:
    """The trainings of `networks`, once each."""
    first: dict[Architecture, str] = {}
    for name, architecture in variants(config.architecture).items():
        first.setdefault(as_trained(architecture), name)
    return [
        training(config, own, kind=kind, number=0, epochs=config.study.epochs,
                 name=f"{name}, {kind}")
        for own, name in first.items()
        for kind in TRAININGS
    ]  # fmt: skip


def networks(config: BmcnnConfig, run: Run, images: Samples) -> list[dict[str, Any]]:
    """Each architecture: without spread, and at each claimed one, raw and best."""
    trained: dict[Architecture, dict[str, Any]] = {}
    rows = []
    for name, architecture in variants(config.architecture).items():
        own = as_trained(architecture)
        if own not in trained:
            trained[own] = {
                kind: train(config, own, run, kind=kind, number=0,
                            epochs=config.study.epochs, name=f"{name}, {kind}")
                for kind in TRAININGS
            }  # fmt: skip
        nets = trained[own]
        bench = Bench(config, run, 0, architecture, nets)
        points = [Point("plain", "none", 0.0, 0.0)]
        for cov in config.spread.claimed:
            points += [Point("plain", "none", cov, cov), Point("aware", "batch norm", cov, cov)]
        layers = mho.ledger(bench.some_chips(points[0])).layers
        cells = sum(layer.cells for layer in layers)
        on_arrays = sum(layer.weights for layer in layers)
        digital = sum(p.numel() for p in nets["plain"].parameters()) - on_arrays
        rows.append({
            "name": name, "cells": cells, "on_arrays": on_arrays, "digital": digital,
            "fixed": architecture.classifier == "fixed",
            "points": bench.measure(points, images, name),
        })  # fmt: skip
    return rows
