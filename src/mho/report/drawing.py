"""Figures of the page for those who have the numbers at hand and no run folder."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from mho.report.axes import entitle, style
from mho.report.circuits import draw_figure
from mho.report.node import Node
from mho.report.schema_circuit import read_circuit


def draw_circuit(fields: Mapping[str, Any]) -> Figure:
    """Currents and voltages of an array, drawn on it.

    `fields` is an entry of `"circuits"` in a `result.json`: `word_voltage`, `bit_voltage` [V],
    `word_current`, `bit_current`, `cell_current` [A] (rows, cols), `input` [V] (rows), `output` and
    `ideal` [A] (cols), `wire_resistance` [ohm]. Lists, arrays or tensors; a `title` stands above.

    Raises:
        ValueError: a field is missing, of another shape or not finite; the message names it.
    """
    plain = {k: v.tolist() if hasattr(v, "tolist") else v for k, v in fields.items()}
    rows = plain.get("input")
    known = {"id": "circuit", "title": "", "rows": len(rows) if isinstance(rows, list) else 1}
    what = read_circuit(Node("circuit", known | plain))
    with style():
        figure = draw_figure(what)
        if what.title:
            entitle(figure, what.title)
    figure.set_facecolor("white")
    return figure
