"""`mho compare`: finished runs side by side on one page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from mho.cli.options import Argument, Option
from mho.cli.terminal import say
from mho.errors import invalid
from mho.files import check_output


@dataclass(frozen=True)
class Compare:
    """Lay finished runs side by side: claims, settings that differ, costs, figures."""

    runs: Annotated[tuple[Path, ...], Argument("RUN")]
    """Run folders, two to twelve."""
    out: Annotated[Path, Option("DIR")] = Path("runs/comparison")
    """Folder of the page."""

    def run(self) -> None:
        """Write the page, say where it is."""
        from mho import report
        from mho.report.folder import RESULT, RunFolder
        from mho.report.side_by_side import side_by_side

        check_output(self.out, folder=True)
        if (self.out / RESULT).exists():
            raise invalid("out", str(self.out), "a folder that is no run folder")
        for folder in self.runs:
            if not (folder / RESULT).exists():
                raise invalid("run", str(folder), f"a finished run, with {RESULT}")
        runs = dict(zip(names(self.runs), map(RunFolder.read, self.runs), strict=True))
        say(str(report.write_overview(side_by_side(runs), self.out)))


def names(folders: tuple[Path, ...]) -> list[str]:
    """The last part of each path by which all of them differ."""
    absolute = [folder.absolute() for folder in folders]
    for depth in range(1, max(len(path.parts) for path in absolute) + 1):
        found = ["/".join(path.parts[-depth:]) for path in absolute]
        if len(set(found)) == len(found):
            return found
    return [f"{folder} ({number})" for number, folder in enumerate(folders, 1)]
