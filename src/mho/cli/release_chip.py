"""`mho release-chip`: free a served chip from the host that holds it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from mho.cli.options import Argument, Option
from mho.cli.terminal import say


@dataclass(frozen=True)
class ReleaseChip:
    """Free the chip of an instrument from the host that holds it.

    Whatever that host is doing: it finds out when it comes back, and stops with an error.
    """

    address: Annotated[str, Argument("ADDRESS")]
    """HOST:PORT, [::1]:6047 or unix:PATH of the server."""
    token_file: Annotated[Path | None, Option("FILE")] = None
    """File with the server's token; else that in the environment variable MHO_CHIP_TOKEN."""

    def run(self) -> None:
        """Release the chip."""
        from mho.instruments import read_token, release

        release(self.address, token=read_token(self.token_file))
        say(f"mho: the chip at {self.address} is free")
