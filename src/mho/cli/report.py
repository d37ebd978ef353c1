"""`mho report`: the page of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Report:
    """Write DIR/report.html, one page without any need of a network, from finished runs."""

    dir: Annotated[Path, tyro.conf.Positional]
    """A run folder, or a folder of run folders."""

    def run(self) -> None:
        """Write the page and say where it is."""
        from mho import report
        from mho.cli.terminal import say

        say(str(report.write(self.dir)))
