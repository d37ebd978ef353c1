"""A figure of a result as it stands in a page, and as files beside it."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from matplotlib.figure import Figure as Drawing

from mho.report import bars, circuits, maps, ranking
from mho.report.axes import entitle
from mho.report.figure_data import csv_of
from mho.report.figures import draw_curve, draw_histogram
from mho.report.looks import Looks
from mho.report.svg import inline
from mho.results import Bars, Circuit, Curve, Group, Histogram, Map, Ranking, Series
from mho.results import Figure as Shown


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A figure ready for the page and for the folder of its run."""

    title: str
    caption: str
    svg: Markup
    files: Mapping[Path, bytes]
    """The picture as PNG, SVG and PDF, and its numbers as CSV if it has some."""

    @property
    def links(self) -> list[tuple[str, str, str]]:
        """Kind, name and content, as an address, of the files that a page takes along."""
        return [
            (
                path.suffix[1:].upper(),
                path.name,
                f"data:{KINDS[path.suffix]};base64,{_text(content)}",
            )
            for path, content in self.files.items()
            if path.suffix in KINDS
        ]


KINDS = {".svg": "image/svg+xml", ".pdf": "application/pdf", ".csv": "text/csv"}
"""Files that are part of the page, so that they come along when it is sent."""


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def plot_of(
    what: Shown, folder: Path, anchor: str, looks: Looks | None = None, about: str = ""
) -> Plot:
    """A figure drawn.

    Args:
        what: the figure.
        folder: the picture is to stand in its `figures`.
        anchor: what the ids of the drawing begin with.
        looks: of the series and groups of the page, by name; None: of this figure alone.
        about: what was run, in a few words.
    """
    if isinstance(what, Ranking):
        drawing, kind = ranking.draw_ranking(what), "Ranking"
        holds, notes = ranking.in_words(what), ranking.notes_on(what)
    elif isinstance(what, Map):
        drawing, kind = maps.draw_map(what), "Map"
        holds, notes = maps.in_words(what), maps.notes_on(what)
    elif isinstance(what, Circuit):
        drawing, kind = circuits.draw_figure(what), "Array"
        holds, notes = circuits.in_words(what), circuits.notes_on(what)
    elif isinstance(what, Bars):
        drawing, kind = bars.draw_bars(what, looks), "Bars"
        holds, notes = bars.in_words(what), bars.notes_on(what)
    elif isinstance(what, Curve):
        drawing, kind, notes = draw_curve(what, looks), "Curves", []
        holds = f"{what.y_label} over {what.x_label}; {_names(what.series)}"
        kinds = {"Band" if each.joined else "Bar" for each in what.series if each.std is not None}
        notes += [f"{each}: ± one standard deviation." for each in sorted(kinds)]
    else:
        assert isinstance(what, Histogram)
        drawing, kind, notes = draw_histogram(what, looks), "Histogram", []
        holds = f"{what.y_label} over {what.x_label}; {_names(what.groups)}"
        if what.x_scale == "log" and any(each.edges[0] <= 0 for each in what.groups):
            notes.append("The leftmost bin begins at zero.")
    description = f"{kind}: {what.title}. {holds}."
    notes += [about] if about else []
    stem = folder / "figures" / what.id
    name = f"{anchor}-{what.id}"
    return rendered(drawing, what.title, " ".join(notes), description, name, stem, csv_of(what))


def _names(parts: Sequence[Series | Group]) -> str:
    return ", ".join(each.name for each in parts)


def rendered(
    drawing: Drawing, title: str, caption: str, description: str, name: str, stem: Path,
    numbers: str = "",
) -> Plot:  # fmt: skip
    """A drawing for the page and as files.

    Args:
        name: what the ids of the drawing begin with.
        stem: of the files, which differ in their suffix.
        numbers: of the figure, as CSV.
    """
    svg = Markup(inline(drawing, name, description))  # matplotlib escapes every text
    entitle(drawing, title)
    files = {
        stem.with_name(f"{stem.name}.{kind}"): _saved(drawing, kind)
        for kind in ("png", "svg", "pdf")
    }
    if numbers:
        files[stem.with_name(f"{stem.name}.csv")] = numbers.encode(errors="replace")
    return Plot(title=title, caption=caption, svg=svg, files=files)


def _saved(drawing: Drawing, kind: str) -> bytes:
    """A drawing as a file, the same whenever it is made."""
    buffer = io.BytesIO()
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None, "ModDate": None}}
    drawing.savefig(buffer, format=kind, dpi=160, facecolor="white", metadata=dates.get(kind))
    return buffer.getvalue()
