"""`mho pool`: runs of several seeds as one result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from mho.cli.options import Argument, Option
from mho.errors import invalid


@dataclass(frozen=True)
class Pool:
    """Pool finished runs that differ in their seed alone; write DIR/result.json and the page."""

    runs: Annotated[tuple[Path, ...], Argument("RUN")]
    """Run folders, at least two."""
    out: Annotated[Path, Option("DIR")]
    """Folder for the pooled result; must not hold one yet."""

    def run(self) -> None:
        """Pool, write the page, say where it is."""
        from mho import report
        from mho.cli.terminal import say, tell
        from mho.experiments.pool import pool
        from mho.experiments.provenance import differences, environment
        from mho.experiments.setup import setup_of
        from mho.files import check_output, read_bytes, sums_of, text_of_json, write_files
        from mho.files.sums import SUMS
        from mho.report.folder import CONFIG, ENV, RESULT, RunFolder
        from mho.results import dumps

        check_output(self.out, folder=True)
        if (self.out / RESULT).exists():
            raise invalid("out", str(self.out), "a folder without result.json")
        result = pool(self.runs)
        runs = [RunFolder.read(run) for run in self.runs]
        if bare := [run.path for run in runs if run.config is None or not run.env]:
            raise invalid("run", str(bare[0]), f"a run folder with {CONFIG} and {ENV}")
        made = [run.env for run in runs]
        about = environment("cpu", result.seed) | {"runs": made}
        about |= {k: made[0][k] for k in ("device", "threads", "cores") if k in made[0]}
        if apart := differences(made):
            told = f"The runs were not made alike: {'; '.join(apart)}."
            tell(told)
            result = replace(result, summary=f"{result.summary} {told}")
        config = read_bytes(self.runs[0] / CONFIG)
        contents = {CONFIG: config, ENV: text_of_json(about).encode()}
        contents[RESULT] = dumps(result).encode()
        page = report.page(
            [RunFolder(self.out, result, runs[0].config, about)], self.out, setup_of=setup_of
        )
        # The result last: a folder that has it has all.
        files = {self.out / name: each for name, each in contents.items()}
        write_files({**page, self.out / SUMS: sums_of(contents), **files})
        say(str(self.out / report.PAGE))
