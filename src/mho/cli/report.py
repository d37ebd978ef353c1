"""`mho report`: the page of a run, or of a sweep."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from mho.cli.options import Argument, Option, by_key
from mho.errors import invalid


@dataclass(frozen=True)
class Report:
    """Write the page of finished runs, DIR/report.html; it needs no network.

    Of a sweep it shows all points, done or not, and DIR/table.csv is written with it.
    """

    dir: Annotated[Path, Argument("DIR")]
    """A run folder, a folder of run folders, or the folder of a sweep."""
    claim: Annotated[tuple[str, ...], Option("ID")] = ()
    """Claim of a sweep to draw, by its column in table.csv; if not given, all that differ."""
    objective: Annotated[tuple[str, ...], Option("CLAIM:max")] = ()
    """A claim of a sweep, and max or min; the settings that no other beats in all that are given
    are drawn. Those of mho search if not given."""

    long: bool = False
    """Print all claims of a run, with their notes."""

    def run(self) -> None:
        """Write the page and say where it is."""
        from mho import report
        from mho.cli.terminal import say

        if (self.dir / "points").is_dir() and not (self.dir / "result.json").exists():
            from mho.sweep.objectives import objective, objectives_of
            from mho.sweep.overview import overview
            from mho.sweep.records import load, write_table

            records = load(self.dir)
            if len(self.objective) == 1:
                allowed = "two or more, which make a front; the best of each claim has a table"
                raise invalid("objective", self.objective[0], allowed)
            kept = objectives_of(self.dir)
            wanted = by_key("objective", map(objective, self.objective)) or {
                key: how for key, how in kept.items() if key in records.claims
            }
            shown = overview(records, self.claim, wanted)
            write_table(records)
            say(str(report.write_overview(shown, self.dir)))
        elif given := self.claim or self.objective:
            name = "claim" if self.claim else "objective"
            raise invalid(name, ", ".join(given), "claims of a sweep; DIR is none")
        else:
            from mho.experiments.setup import write_page

            page = write_page(self.dir)
            if self.long:
                from mho.results import Result, load

                for folder in report.run_folders(self.dir)[0]:
                    say(report.claims_table(load(Result, folder / "result.json")))
            say(str(page))
