"""The page on many runs: one HTML file without network access, and its figures as PNG."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mho.files import write_files
from mho.report.axes import style
from mho.report.page import PAGE
from mho.report.plots import Plot, plot_of
from mho.report.tables import PrintedTable, print_table
from mho.report.templates import template
from mho.results.overview import Chapter, Overview


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A chapter ready for the page."""

    title: str
    note: str
    anchor: str
    plots: list[Plot]
    tables: list[PrintedTable]


def write_overview(what: Overview, directory: Path) -> Path:
    """Write `directory/report.html` and `directory/figures/*.png`; returns the page's path.

    All is drawn before the first byte is written, and no file takes its name before all are on the
    disk.

    Raises:
        OSError: the page cannot be written.
    """
    with style():
        chapters = [_drawn(each, directory, f"claim{i}") for i, each in enumerate(what.chapters, 1)]
    html = template("overview.html.jinja").render(
        what=what,
        tables=[print_table(table) for table in what.tables],
        chapters=chapters,
        closing=[print_table(table) for table in what.closing],
    )
    write_files({**_pictures(chapters), directory / PAGE: html.encode()})
    return directory / PAGE


def _drawn(chapter: Chapter, directory: Path, anchor: str) -> Drawn:
    return Drawn(
        title=chapter.title,
        note=chapter.note,
        anchor=anchor,
        plots=[plot_of(figure, directory, anchor) for figure in chapter.figures],
        tables=[print_table(table) for table in chapter.tables],
    )


def _pictures(chapters: Sequence[Drawn]) -> dict[Path, bytes]:
    plots = [plot for chapter in chapters for plot in chapter.plots]
    return {path: content for plot in plots for path, content in plot.files.items()}
