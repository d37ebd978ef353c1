"""A sweep whose results are made up."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mho.sweep import plan
from mho.sweep.folder import SweepFolder
from mho.sweep.points import Point

GRID = {"hardware.adc_bits": [4, 6], "writes.fixed_threshold": [0.6, 0.7]}


def made_up(
    path: Path,
    grid: Mapping[str, Sequence[Any]] = GRID,
    *,
    seeds: int = 2,
    unfinished: int = 0,
    experiment: str = "siamese",
) -> SweepFolder:
    """A sweep whose points are done, but for the last ones; the accuracy of the first is 70 %."""
    sweep = SweepFolder(path)
    folders = sweep.add(plan.make(experiment, grid=grid, seeds=seeds).points())
    folders.sort(key=lambda folder: folder.path.name)
    for i, folder in enumerate(folders[: len(folders) - unfinished]):
        result = result_of(folder.point, 70.0 + i)
        (folder.path / "result.json").write_text(json.dumps(result))
        env = {"commit": "0123abc", "device": "cpu", "versions": {"mho": "0.1.0"}}
        (folder.path / "env.json").write_text(json.dumps(env))
    return sweep


def result_of(point: Point, accuracy: float) -> dict[str, Any]:
    """What its `result.json` holds."""
    writes = int(1000 * (accuracy - 60))

    def claim(id: str, what: str, ours: float, unit: str = "", better: str = "higher") -> dict:
        return {"id": id, "what": what, "paper": None, "ours": ours, "std": 1.5, "n": 4,
                "unit": unit, "better": better}  # fmt: skip

    return {
        "experiment": point.experiment, "preset": "quick", "seed": point.config.seed,
        "wall_s": 2.5, "title": "t",
        "claims": [
            claim("writes", f"writes of {writes} in all", writes, better="lower"),
            claim("accuracy", "test accuracy", accuracy, "%"),
            claim("same", "the same everywhere", 3.0),
        ],
        "ledger": {"chips": 4, "once": ["weights"], "layers": [],
                   "total": {"weights": 10, "cells": 80, "writes": 4 * writes}},
        "cost": {"prices": "p", "items": [
            {"what": "programming energy (per chip)", "value": 1e-12 * writes, "unit": "J"},
            {"what": "energy per input", "value": 1e-9, "unit": "J"},
        ]},
    }  # fmt: skip
