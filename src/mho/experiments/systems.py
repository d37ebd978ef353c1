"""The three systems as parts of another experiment, which runs those that its settings name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mho.experiments import bmcnn, metaplastic, siamese


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
