"""Where the points of a sweep are worked on: on this machine, or on what an engine reaches.

An engine starts one process a point, `python -m mho.sweep.worker FOLDER`, and says how each ended.
It knows no plan and no result: both are in the folders. A new engine is one file and one line here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from mho.config import Config
from mho.errors import unknown
from mho.experiments.settings import key_and_value, nested
from mho.sweep.engines.engine import Ended, Engine
from mho.sweep.engines.local import Local, LocalSettings
from mho.sweep.engines.queues import SlurmSettings
from mho.sweep.engines.ray import Ray, RaySettings
from mho.sweep.engines.slurm import Slurm


class Entry(NamedTuple):
    """An engine and the settings that it takes."""

    settings: type[Config]
    make: Callable[..., Engine]


ENGINES = {
    "local": Entry(LocalSettings, Local),
    "ray": Entry(RaySettings, Ray),
    "slurm": Entry(SlurmSettings, Slurm),
}
"""By name."""


def engine_of(name: str, settings: Iterable[str] = ()) -> Engine:
    """An engine with settings, each as "key=value".

    Raises:
        ValueError: there is no such engine or setting, or a value is not allowed.
    """
    if name not in ENGINES:
        raise unknown("engine", name, ENGINES)
    config = ENGINES[name].settings()
    for setting in settings:
        config = config.merged(nested(*key_and_value(setting)))
    return ENGINES[name].make(config)


__all__ = ["ENGINES", "Ended", "Engine", "Entry", "Local", "engine_of"]
