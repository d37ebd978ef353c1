"""What an engine is, and how a worker's end is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mho.sweep.folder import PointFolder

DONE, STORAGE, FAILED, TAKEN, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit status of a worker: all is done; the disk is full or cannot be written; it failed, and wrote
so into its folder; another process works on the point; it stopped with a checkpoint. Any other: it
died."""


@dataclass(frozen=True)
class Ended:
    """A point that is worked on no more."""

    folder: PointFolder
    status: int
    said: str = ""
    """Last lines of what its process said."""


class Engine(Protocol):
    """Where points are worked on."""

    def room(self) -> int:
        """How many points can be started now."""
        ...

    def start(self, folder: PointFolder) -> None:
        """Have a point worked on."""
        ...

    def ended(self, wait: float) -> list[Ended]:
        """Points that have ended since the last call.

        Args:
            wait: for the first of them, at most [s].
        """
        ...

    def stop(self) -> list[Ended]:
        """Have all points stop with a checkpoint; returns when they have."""
        ...
