"""What an engine is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mho.sweep.folder import PointFolder


@dataclass(frozen=True)
class Ended:
    """A point that is worked on no more."""

    folder: PointFolder
    status: int
    """See `mho.sweep.process`."""
    said: str = ""
    """Last lines of what its process said."""


class Engine(Protocol):
    """Where points are worked on."""

    @property
    def here(self) -> bool:
        """Whether on this machine, whose memory and devices then are to do."""
        ...

    def room(self) -> int:
        """How many points can be started now."""
        ...

    def found(self, folder: PointFolder) -> bool:
        """Whether a job that an earlier driver has left works on a point, or will.

        If so, it counts as started here.
        """
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
        """Have all points stop with a checkpoint; returns when they have. The last call."""
        ...
