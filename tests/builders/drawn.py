"""Figures as they are drawn: where their texts stand."""

from collections.abc import Iterator
from itertools import combinations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

SLACK = 1.5
"""Pixels that two texts may share."""


def crowded(figure: Figure) -> list[str]:
    """Texts that leave the figure, and pairs of texts that stand on each other, in words."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer, whole = canvas.get_renderer(), figure.bbox
    found = [(text.get_text(), text.get_window_extent(renderer)) for text in _texts(figure)]
    outside = [
        f"{words!r} leaves the figure"
        for words, box in found
        if box.x0 < whole.x0 - SLACK or box.x1 > whole.x1 + SLACK
        or box.y0 < whole.y0 - SLACK or box.y1 > whole.y1 + SLACK
    ]  # fmt: skip
    on = [f"{a!r} stands on {b!r}" for (a, one), (b, two) in combinations(found, 2)
          if _shared(one, two)]  # fmt: skip
    return outside + on


def _texts(figure: Figure) -> Iterator[Text]:
    """All that are seen; of ticks, those within the axes."""
    hidden: set[Text] = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not (axes.axison and low <= tick.get_loc() <= high):
                    hidden |= {tick.label1, tick.label2}
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if text.get_visible() and text.get_text().strip() and text not in hidden:
            yield text


def _shared(one: Bbox, two: Bbox) -> bool:
    wide = min(one.x1, two.x1) - max(one.x0, two.x0)
    high = min(one.y1, two.y1) - max(one.y0, two.y0)
    return wide > SLACK and high > SLACK
