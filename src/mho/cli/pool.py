"""`mho pool`: runs of several seeds as one result."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from mho.errors import invalid


@dataclass(frozen=True)
class Pool:
    """Pool finished runs that differ in their seed alone; write DIR/result.json and the page."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Run folders, at least two."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder for the pooled result; must not hold one yet."""

    def run(self) -> None:
        """Pool, write the page, say where it is."""
        from mho import report
        from mho.cli.run import environment
        from mho.experiments.pool import pool
        from mho.experiments.run import write_text
        from mho.results import dumps
        from mho.results.record import load_json

        result = pool(self.runs)
        made = [load_json(run / "env.json") for run in self.runs]
        if (self.out / "result.json").exists():
            raise invalid("out", str(self.out), "a folder without result.json")
        self.out.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.runs[0] / "config.toml", self.out / "config.toml")
        about = environment("cpu", result.seed) | {"runs": made}
        about |= {k: made[0][k] for k in ("device", "threads", "cores") if k in made[0]}
        write_text(self.out / "env.json", json.dumps(about, indent=1) + "\n")
        write_text(self.out / "result.json", dumps(result))
        print(report.write(self.out))
