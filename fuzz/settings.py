"""Settings of the experiments, in and beyond bounds: refused at once, or they work in small."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from mho import experiments
from mho.config import Config
from mho.files import parse_toml

LIMIT = 60.0

SHORT: dict[str, dict[str, Any]] = {
    "bmcnn": {"further": (), "mitigations": ("none", "batch norm"), "studies": ()},
    "siamese": {
        "studies": (),
        "schemes": ("falling threshold", "write budget", "sign of the gradient", "closed loop"),
    },
    "metaplastic": {
        "studies": (),
        "schemes": ("path importance", "EWC", "Bayesian steps", "interval rule"),
    },
    "wires": {"systems": ("siamese",), "refreshes": ()},
    "sensitivity": {"systems": ("bmcnn",)},
}
"""What is left out of the runs, so that a trial is short."""

TEXTS = (
    "0", "1", "2", "-1", "1e-300", "1e308", "-1e308", "1e400", "nan", "inf", "-inf", "0x10",
    "9" * 400, "1_000", "true", "false", '""', '"x"', "[]", "[1]", "[1, 1]", "[[1]]", "[1e308]",
    "{}", '{ family = "verify" }', "{ family = [] }", "[[[[[[[]]]]]]]", "[" * 3000 + "]" * 3000,
    "1979-05-27", "x", "", "'\u0661'", "[0.5, 0.5, 0.5]", '["none"]', '["mnist", "mnist"]',
)  # fmt: skip
"""What is given to a setting."""


def trials(random: Random, folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Check a run of which one to three settings are something else."""
    del folder  # a check writes nothing
    names = [*experiments.EXPERIMENTS]
    bases = {
        name: experiments.get(name).preset("quick").merged(SHORT[name] | {"processor": "cpu"})
        for name in names
    }
    while True:
        name = random.choices(names, (3, 3, 3, 1, 1))[0]
        some = _chosen(random, bases[name])
        words = " ".join(f"--set {key}={text:.80}" for key, text in some)
        yield f"{name} {words}", lambda n=name, s=some: _check(n, bases[n], s)


def _check(name: str, config: Any, some: list[tuple[str, str]]) -> None:
    """As `mho run` does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for key, text in some:
            value: Any = parse_toml(f"value = {text}\n", "--set")["value"]
            for part in reversed(key.split(".")):
                value = {part: value}
            config = config.merged(value)
        experiments.get(name).check(config)


def _chosen(random: Random, config: Config) -> list[tuple[str, str]]:
    """Keys with texts: near the value, anywhere, of another kind, or at a key that is none."""
    settings = [(key, text) for key, text, _ in config.settings()]
    out = []
    for key, text in random.sample(settings, random.choice((1, 1, 2, 3))):
        kind = random.random()
        if kind < 0.1:
            key = random.choice((f"{key}.x", f"{key}x", key[:-1], f".{key}", "a." * 50 + key))
        out.append((key, random.choice(TEXTS) if kind < 0.6 else _near(random, text)))
    return out


def _near(random: Random, text: str) -> str:
    """A number, or a list of numbers, of another size."""

    def one(text: str) -> str:
        try:
            value = float(text)
        except ValueError:
            return text
        scaled = value * 10.0 ** random.uniform(-6, 6) or random.choice((1e-6, 0.5, 3.0))
        whole = text.strip().lstrip("+-").isdigit() and math.isfinite(scaled)
        return str(round(scaled)) if whole else repr(scaled)

    if text.startswith("["):
        return "[" + ", ".join(map(one, text.strip("[], ").split(","))) + "]"
    return one(text)
