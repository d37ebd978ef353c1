"""The three systems as parts of another experiment, which runs those that its settings name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mho.errors import invalid
from mho.experiments import bmcnn, metaplastic, siamese
from mho.experiments.experiment import ExperimentConfig


class Systems(Protocol):
    """Settings of such an experiment."""

    @property
    def systems(self) -> Sequence[str]: ...
    @property
    def chips(self) -> int: ...
    @property
    def bmcnn(self) -> bmcnn.BmcnnConfig: ...
    @property
    def siamese(self) -> siamese.SiameseConfig: ...
    @property
    def metaplastic(self) -> metaplastic.MetaplasticConfig: ...


def memory(config: Systems) -> dict[str, int]:
    """Bytes that the networks of the systems take."""
    found: dict[str, int] = {}
    if "bmcnn" in config.systems:
        found |= bmcnn.memory(config.bmcnn.replace(chips=config.chips))
    if "siamese" in config.systems:
        found |= siamese.memory(config.siamese)
    if "metaplastic" in config.systems:
        found |= metaplastic.memory(config.metaplastic)
    return found


def check_whole(config: Systems) -> None:
    """Refuse systems of which one part alone is to be run.

    Raises:
        ValueError: as said.
    """
    for name in ("bmcnn", "siamese", "metaplastic"):
        for field in ("only", "scheme"):
            if (value := getattr(getattr(config, name), field)) is not None:
                raise invalid(f"{name}.{field}", value, "nothing: it is for a run of its own")


def parts(config: Systems) -> tuple[ExperimentConfig, ...]:
    """Settings of the systems that are run, without what is left out here: further studies."""
    without = config.metaplastic.permuted.replace(tasks=0)
    every: dict[str, ExperimentConfig] = {
        "bmcnn": config.bmcnn.replace(studies=()),
        "siamese": config.siamese.replace(studies=()),
        "metaplastic": config.metaplastic.replace(studies=(), permuted=without),
    }
    return tuple(part for name, part in every.items() if name in config.systems)
