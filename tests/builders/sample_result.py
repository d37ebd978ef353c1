"""A realistic result, synthesised: the shapes of numbers that three experiments produce."""

import math
import random


def sample_result(name: str) -> dict:
    """The content of a `result.json`, full enough to fill every part of the page."""
    dice = random.Random(name)
    epochs = list(range(1, 21))

    def rise(top: float, pace: float) -> list[float]:
        return [top - 60 * math.exp(-x / pace) + dice.gauss(0, 0.3) for x in epochs]

    tasks = [
        {
            "name": f"task {task}",
            "x": epochs[4 * task - 4 :],
            "y": [
                max(60.0, 98.0 - 1.1 * (x - 4 * task)) if x >= 4 * task else 94.0
                for x in epochs[4 * task - 4 :]
            ],
            "std": None,
        }
        for task in range(1, 6)
    ]
    levels = []
    for level in range(8):
        centre = 5e-6 + 10e-6 * level
        edges = [centre + (i - 10) * 0.8e-6 for i in range(21)]
        counts = [round(900 * math.exp(-(((i - 9.5) / 4) ** 2))) for i in range(20)]
        levels.append({"name": f"level {level}", "edges": edges, "counts": counts})
    digits = [str(digit) for digit in range(10)]
    confusion = [
        [dice.randint(930, 1090) if true == seen else dice.randint(0, 9) for seen in digits]
        for true in digits
    ]
    layer = {
        "cells": 401_408,
        "writes": 1_204_224,
        "set_pulses": 2_816_330,
        "reset_pulses": 1_998_021,
        "verify_reads": 5_218_575,
        "vectors": 70_000,
        "adc_conversions": 17_920_000,
    }
    small = {key: value // 37 for key, value in layer.items()}
    return {
        "experiment": name,
        "title": {
            "bmcnn": "Write once: binarized CNN with variation-aware training",
            "siamese": "Write rarely: Siamese network trained in situ",
            "metaplastic": "Write for life: metaplastic continual learning",
        }.get(name, name),
        "preset": "standard",
        "seed": 0,
        "wall_s": 93.2,
        "summary": "Reconstruction. A binarized network on 1T1R cells with log-normal spread is "
        "programmed once; 32 chips are drawn and only the read-out is tuned afterwards.",
        "claims": [
            {
                "id": "ideal",
                "what": "Accuracy without device variation",
                "paper": 98.6,
                "ours": 98.71,
                "std": None,
                "n": 1,
                "unit": "%",
            },
            {
                "id": "plain",
                "what": "Accuracy with 30 % variation, trained without it",
                "paper": 88.0,
                "ours": 86.904,
                "std": 1.62,
                "n": 32,
                "unit": "%",
            },
            {
                "id": "aware",
                "what": "Accuracy with 30 % variation, variation-aware training",
                "paper": 97.4,
                "ours": 96.112,
                "std": 0.214,
                "n": 32,
                "unit": "%",
                "note": "the paper averages over 5 measured arrays; its spread is not stated",
            },
            {
                "id": "tuned",
                "what": "The same after tuning gain and offset of every column",
                "paper": None,
                "ours": 97.338,
                "std": 0.117,
                "n": 32,
                "unit": "%",
            },
            {
                "id": "energy",
                "what": "Programming energy of one chip",
                "paper": 1.5e-6,
                "ours": 1.231e-6,
                "std": 2.1e-8,
                "n": 32,
                "unit": "J",
                "better": "lower",
            },
            {
                "id": "writes",
                "what": "Writes per cell until the last task",
                "paper": 17,
                "ours": 21.4,
                "std": 0.9,
                "n": 8,
                "unit": "1",
                "better": "neither",
            },
        ],
        "tables": [
            {
                "id": "mitigations",
                "title": "What each mitigation brings",
                "note": "Means over 32 chips.",
                "columns": [
                    {"name": "mitigation"},
                    {"name": "accuracy", "unit": "%"},
                    {"name": "writes"},
                    {"name": "energy", "unit": "J"},
                ],
                "rows": [
                    ["none", {"mean": 86.904, "std": 1.62}, 401_408, 1.2e-6],
                    ["program-and-verify", {"mean": 97.9}, 1_204_224, {"mean": 4e-6, "std": 2e-7}],
                    ["ideal", 98.71, None, "not counted"],
                ],
            },
        ],
        "maps": [
            {
                "id": "confusion",
                "title": "Which digit is taken for which",
                "x_label": "predicted digit",
                "y_label": "true digit",
                "value_label": "images",
                "x": digits,
                "y": list(digits),
                "values": confusion,
                "scale": "log",
            },
        ],
        "curves": [
            {
                "id": "accuracy",
                "title": "Test accuracy during training",
                "x_label": "epoch",
                "y_label": "test accuracy [%]",
                "x_scale": "linear",
                "y_scale": "linear",
                "series": [
                    {
                        "name": "variation-aware",
                        "x": epochs,
                        "y": rise(96.1, 2.5),
                        "std": [3 / x**0.5 for x in epochs],
                    },
                    {
                        "name": "trained without variation",
                        "x": epochs,
                        "y": [*rise(87.0, 2.0)[:12], None, *rise(87.0, 2.0)[13:]],
                        "std": [6 / x**0.5 for x in epochs],
                    },
                    {
                        "name": "digital, full precision",
                        "x": epochs,
                        "y": rise(98.7, 1.6),
                        "std": None,
                    },
                ],
                "marks": [{"x": 15, "label": "learning rate / 10"}],
            },
            {
                "id": "tasks",
                "title": "Accuracy on each task while the next ones are learned",
                "x_label": "epoch",
                "y_label": "accuracy [%]",
                "series": tasks,
                "marks": [{"x": 4 * i, "label": f"task {i + 1} begins"} for i in range(5)],
            },
            {
                "id": "wires",
                "title": "Largest error of a column current",
                "x_label": "wire resistance [ohm]",
                "y_label": "current error [A]",
                "x_scale": "log",
                "y_scale": "log",
                "series": [
                    {
                        "name": f"{size} rows",
                        "x": [0.01 * 10 ** (i / 4) for i in range(17)],
                        "y": [1e-9 * size * 10 ** (i / 4) for i in range(17)],
                        "std": [0.3e-9 * size * 10 ** (i / 4) for i in range(17)],
                    }
                    for size in (64, 128, 256)
                ],
                "marks": [],
            },
        ],
        "histograms": [
            {
                "id": "levels",
                "title": "Conductance after program-and-verify",
                "x_label": "conductance [S]",
                "x_scale": "linear",
                "y_scale": "linear",
                "groups": levels,
            },
            {
                "id": "wear",
                "title": "Writes per cell at the end of the run",
                "x_label": "writes",
                "x_scale": "linear",
                "y_scale": "log",
                "groups": [
                    {
                        "name": rule,
                        "edges": list(range(0, 42, 2)),
                        "counts": [round(2e5 * math.exp(-i / pace)) for i in range(20)],
                    }
                    for rule, pace in (("every step", 4.0), ("metaplastic", 1.4))
                ],
            },
        ],
        "ledger": {
            "layers": [
                {"layer": "conv1", **small},
                {"layer": "fc1", **layer},
                {"layer": "fc2", **{k: v for k, v in small.items() if k != "adc_conversions"}},
            ],
            "total": {key: layer[key] + 2 * small[key] for key in layer},
        },
        "cost": {
            "prices": "hfo2-130nm",
            "items": [
                {"what": "programming energy", "value": 1.2e-6, "unit": "J"},
                {"what": "inference energy per image", "value": 3.41e-8, "unit": "J"},
                {"what": "programming time", "value": 0.0482, "unit": "s"},
                {"what": "lifetime at one update per second", "value": 3.2e8, "unit": "s"},
                {"what": "weights on chip", "value": 50_176, "unit": "B"},
                {"what": "area", "value": None, "unit": "m"},
            ],
        },
    }
