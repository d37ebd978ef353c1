"""A figure of a result as it stands in a page, and as PNG beside it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from matplotlib.figure import Figure as Drawing

from mho.report import bars, circuits, maps, ranking
from mho.report.axes import entitle
from mho.report.figures import draw_curve, draw_histogram
from mho.report.svg import inline
from mho.results import Bars, Circuit, Curve, Group, Histogram, Map, Ranking, Series
from mho.results import Figure as Shown


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A figure ready for the page and for the folder of its run."""

    title: str
    caption: str
    svg: Markup
    png: bytes
    path: Path


def plot_of(what: Shown, folder: Path, anchor: str) -> Plot:
    """A figure drawn.

    Args:
        what: the figure.
        folder: the picture is to stand in its `figures`.
        anchor: what the ids of the drawing begin with.
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
        drawing, kind = bars.draw_bars(what), "Bars"
        holds, notes = bars.in_words(what), bars.notes_on(what)
    elif isinstance(what, Curve):
        drawing, kind, notes = draw_curve(what), "Curves", []
        holds = f"{what.y_label} over {what.x_label}; {_names(what.series)}"
        kinds = {"Band" if each.joined else "Bar" for each in what.series if each.std is not None}
        notes += [f"{each}: ± one standard deviation." for each in sorted(kinds)]
    else:
        assert isinstance(what, Histogram)
        drawing, kind, notes = draw_histogram(what), "Histogram", []
        holds = f"{what.y_label} over {what.x_label}; {_names(what.groups)}"
        if what.x_scale == "log" and any(each.edges[0] <= 0 for each in what.groups):
            notes.append("The leftmost bin begins at zero.")
    description = f"{kind}: {what.title}. {holds}."
    path = folder / "figures" / f"{what.id}.png"
    return rendered(drawing, what.title, " ".join(notes), description, f"{anchor}-{what.id}", path)


def _names(parts: Sequence[Series | Group]) -> str:
    return ", ".join(each.name for each in parts)


def rendered(
    drawing: Drawing, title: str, caption: str, description: str, name: str, path: Path
) -> Plot:
    """A drawing for the page and as PNG."""
    svg = Markup(inline(drawing, name, description))  # matplotlib escapes every text
    entitle(drawing, title)
    buffer = io.BytesIO()
    drawing.savefig(buffer, format="png", dpi=160, facecolor="white")
    return Plot(title=title, caption=caption, svg=svg, png=buffer.getvalue(), path=path)
