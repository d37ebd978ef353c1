"""Tasks of Ray, on a cluster or on this machine (https://docs.ray.io)."""

from __future__ import annotations

import logging
import math
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from mho.config import Config, Range
from mho.errors import invalid, warn
from mho.files.extras import of_extra
from mho.sweep.engines.engine import Ended
from mho.sweep.folder import PointFolder
from mho.sweep.process import INTERRUPTED, LOST, PATIENCE, work_on

LOCAL = "local"


class RaySettings(Config):
    """Settings of the engine."""

    address: str = LOCAL
    """Of the head of a cluster, HOST:PORT; "auto": of the cluster that this machine is part of;
    "local": a cluster of this machine alone, which ends with the command."""
    cpus: Annotated[float, Range(least=0, most=4096)] = 1.0
    """CPU cores that Ray keeps free for a point [1]."""
    gpus: Annotated[float, Range(least=0, most=64)] = 0.0
    """GPUs that it keeps free for a point [1]; half of one: two points share it."""
    threads: Annotated[int, Range(least=1, most=256)] = 1
    """Threads of torch of each [1]."""
    retries: Annotated[int, Range(least=0, most=1000)] = 3
    """Times that Ray begins a task anew whose node or process is gone [1]."""
    tasks: Annotated[int, Range(least=1, most=100_000)] = 1000
    """Points handed to Ray at once [1]; it starts them as cores and GPUs get free."""


class Ray:
    """An engine of Ray's tasks: each has a worker work on a point, and Ray puts it on a node.

    A task whose node is gone begins anew on another one and goes on from the checkpoint in the
    folder of the point, which all nodes see. Tasks end with the driver.

    Raises:
        ValueError: Ray is not installed, there is no cluster at the address, or no node of it has
            the cores and GPUs.
    """

    def __init__(self, settings: RaySettings | None = None) -> None:
        self.settings = settings or RaySettings()
        self._ray = of_extra("ray", "ray")
        self._own = not self._ray.is_initialized()
        if self._own:
            self._connect()
        self._refuse_without_node()
        self._task = self._ray.remote(
            num_cpus=self.settings.cpus, num_gpus=self.settings.gpus,
            max_retries=self.settings.retries,
        )(work_on)  # fmt: skip
        self._running: dict[Any, PointFolder] = {}
        self._most = min(self.settings.tasks, self._fitting() if self.here else math.inf)

    @property
    def here(self) -> bool:
        """Whether it is a cluster of this machine alone."""
        return self._own and self.settings.address == LOCAL

    def room(self) -> int:
        """Tasks that may still be handed over."""
        return int(self._most) - len(self._running)

    def found(self, folder: PointFolder) -> bool:
        """Never: tasks end with the driver that started them."""
        return False

    def start(self, folder: PointFolder) -> None:
        """Hand a point to Ray."""
        task = self._task.remote(str(folder.path.resolve()), self.settings.threads, "ray")
        self._running[task] = folder

    def ended(self, wait: float) -> list[Ended]:
        """Points whose task has ended since the last call."""
        if not self._running:
            return []
        tasks = list(self._running)
        if self._ray.wait(tasks, num_returns=1, timeout=wait)[0]:
            tasks, _ = self._ray.wait(tasks, num_returns=len(tasks), timeout=0)
            return [self._end(task) for task in tasks]
        return []

    def stop(self) -> list[Ended]:
        """Cancel all tasks, which stop with a checkpoint, and leave the cluster."""
        for task in self._running:
            self._ray.cancel(task)
        until, ended = time.monotonic() + PATIENCE, []
        while self._running and time.monotonic() < until:
            ended += self.ended(1.0)
        for task in list(self._running):
            self._ray.cancel(task, force=True)
            ended.append(Ended(self._running.pop(task), LOST))
        if self._own:
            self._ray.shutdown()
        return ended

    def _end(self, task: Any) -> Ended:
        folder, errors = self._running.pop(task), self._ray.exceptions
        try:
            return Ended(folder, *self._ray.get(task))
        except errors.TaskCancelledError:
            return Ended(folder, INTERRUPTED)
        except errors.RayError as error:
            return Ended(folder, LOST, str(error))

    def _connect(self) -> None:
        address = self.settings.address
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        alone = {"include_dashboard": False} if address == LOCAL else {}
        try:
            with _signals_kept():
                self._ray.init(
                    address=address, log_to_driver=False, logging_level=logging.ERROR, **alone
                )
        except (ConnectionError, RuntimeError, ValueError) as error:
            said = " ".join(str(error).split())
            allowed = (
                "the address of a cluster of Ray that runs and lets this machine in "
                f'(see RAY_AUTH_MODE), or "{LOCAL}" ({said:.200})'
            )
            raise invalid("RaySettings.address", address, allowed) from error

    def _fitting(self) -> float:
        """Points that the cores and GPUs of the cluster take at once."""
        has = self._ray.cluster_resources()
        asked = zip(_KINDS, (self.settings.cpus, self.settings.gpus), strict=True)
        return min((has.get(kind, 0) // each for kind, each in asked if each), default=math.inf)

    def _refuse_without_node(self) -> None:
        """Refuse what no node can do; a cluster may still get other nodes."""
        cpus, gpus = self.settings.cpus, self.settings.gpus
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
            return
        most = {kind: max((node.get(kind, 0) for node in nodes), default=0) for kind in _KINDS}
        has = ", ".join(f"{most[kind]:g} {kind}s" for kind in _KINDS)
        if self.here:
            self._ray.shutdown()
            asked = f"cpus = {cpus:g}, gpus"
            raise invalid(f"RaySettings: {asked}", gpus, f"what this machine has, {has}")
        warn(f"no node of the cluster has {cpus:g} CPUs and {gpus:g} GPUs yet (at most {has}): "
             "points wait for one")  # fmt: skip


_KINDS = ("CPU", "GPU")


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep the handlers of signals, one of which Ray replaces."""
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
