"""Which points each study measures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import mho
from mho.data import Samples
from mho.experiments.bmcnn.config import Architecture, BmcnnConfig
from mho.experiments.bmcnn.network import TRAININGS, train
from mho.experiments.bmcnn.points import Bench, Point
from mho.experiments.run import Run
from mho.physics.spread import Distribution

STUCK = (0.0, 0.01, 0.02, 0.05, 0.1)
RATIOS = (2.5, 5.0, 10.0, 100.0, 1000.0)
BITS = (4, 5, 6, 8, 12)
CONVERTER_BITS = (4, 5, 6, 8)
COPIES = (1, 2, 4)
PAIRS = ((200.0, 500.0), (100.0, 2500.0), (10e3, 100e3))
"""Resistances of the source's descendants [ohm]."""
SIGMAS = (0.1, 0.3, 0.5)
"""Standard deviation of R_ON over its mean; that of R_OFF is twice as many ohms."""


def compared(config: BmcnnConfig, number: int) -> list[Point]:
    """Mitigations on both trainings, spread in both resistances; in full on the first network."""
    points = []
    for training in TRAININGS:
        for cov in config.spread.compared if number == 0 else config.spread.claimed:
            names = config.mitigations
            if number == 0 and cov in config.spread.claimed:
                names += config.further
            points += [Point(training, name, cov, cov) for name in names]
    return points


def alone(config: BmcnnConfig) -> list[Point]:
    """Spread in R_ON alone, then in R_OFF alone."""
    names = [n for n in ("none", "layer", "batch norm") if n in config.mitigations]
    spreads = [(c, 0.0) for c in config.spread.maps] + [
        (0.0, c) for c in config.spread.maps if c > 0
    ]
    return [Point(kind, name, *cov) for kind in TRAININGS for name in names for cov in spreads]


def maps(config: BmcnnConfig) -> list[Point]:
    """Every spread of R_ON with every one of R_OFF, and every ratio with every spread."""
    both = [(on, off) for on in config.spread.maps for off in config.spread.maps]
    points = [Point("aware", "batch norm", *cov) for cov in both]
    for ratio in RATIOS:
        r_off = ratio * config.cells.r_on
        points += [
            Point("aware", "batch norm", c, c, r_on=config.cells.r_on, r_off=r_off)
            for c in config.spread.maps
        ]
    return points


def stuck(config: BmcnnConfig) -> list[Point]:
    """Stuck cells, without spread."""
    choices = [
        ("plain", "none"), ("plain", "batch norm"), ("plain", "placement + batch norm"),
        ("aware", "batch norm"), ("aware", "placement + batch norm"),
    ]  # fmt: skip
    return [Point(*choice, 0.0, 0.0, stuck=share) for choice in choices for share in STUCK]


def shapes(config: BmcnnConfig) -> list[Point]:
    """The shape of the spread of both resistances."""
    return [
        Point(*choice, cov, cov, shape=shape)
        for choice in (("plain", "none"), ("aware", "batch norm"))
        for shape in get_args(Distribution)
        for cov in config.spread.maps
        if cov > 0
    ]


def pairs(config: BmcnnConfig) -> list[Point]:
    """The convention of the source's descendants: sigma(R_OFF) = 2 sigma(R_ON), both normal."""
    choices = [("plain", "none"), ("plain", "layer"), ("aware", "batch norm")]
    return [
        Point(*choice, sigma, 2 * sigma * on / off, r_on=on, r_off=off, shape="clamped")
        for choice in choices
        for on, off in PAIRS
        for sigma in SIGMAS
    ]


def bits(config: BmcnnConfig) -> list[Point]:
    """Resolution of the digital parts, without spread and with it."""
    return [
        Point("aware", "batch norm", cov, cov, bits=n)
        for cov in (0.0, *config.spread.claimed)
        for n in BITS
    ]


def converters(config: BmcnnConfig) -> list[Point]:
    """Resolution of DACs and ADCs."""
    return [
        Point("aware", "batch norm", cov, cov, converter_bits=n)
        for cov in (0.0, *config.spread.claimed)
        for n in CONVERTER_BITS
    ]


def copies(config: BmcnnConfig) -> list[Point]:
    """Cells that share a weight."""
    names = ["batch norm", *(f"{n} copies + batch norm" for n in COPIES[1:])]
    return [
        Point(kind, name, cov, cov)
        for kind in TRAININGS
        for cov in config.spread.claimed
        for name in names
    ]


STUDY: dict[str, Callable[[BmcnnConfig], list[Point]]] = {
    "alone": alone, "maps": maps, "shapes": shapes, "stuck": stuck, "pairs": pairs, "bits": bits,
    "converters": converters, "copies": copies,
}  # fmt: skip


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


def networks(config: BmcnnConfig, run: Run, images: Samples) -> list[dict[str, Any]]:
    """Each architecture: without spread, and at each claimed one, raw and best."""
    trained: dict[Architecture, dict[str, Any]] = {}
    rows = []
    for name, architecture in variants(config.architecture).items():
        # Fixed point is a matter of mapping: the network trained is that of the float classifier.
        as_trained = architecture
        if architecture.classifier == "fixed":
            as_trained = architecture.replace(classifier="float")
        if as_trained not in trained:
            trained[as_trained] = {
                kind: train(config, as_trained, run, kind=kind, number=0,
                            epochs=config.study.epochs, name=f"{name}, {kind}")
                for kind in TRAININGS
            }  # fmt: skip
        nets = trained[as_trained]
        bench = Bench(config, run, 0, architecture, nets)
        points = [Point("plain", "none", 0.0, 0.0)]
        for cov in config.spread.claimed:
            points += [Point("plain", "none", cov, cov), Point("aware", "batch norm", cov, cov)]
        layers = mho.ledger(bench.chips(points[0])).layers
        cells = sum(layer.cells for layer in layers)
        on_arrays = sum(layer.weights for layer in layers)
        digital = sum(p.numel() for p in nets["plain"].parameters()) - on_arrays
        rows.append({
            "name": name, "cells": cells, "on_arrays": on_arrays, "digital": digital,
            "fixed": architecture.classifier == "fixed",
            "points": bench.measure(points, images, name),
        })  # fmt: skip
    return rows
