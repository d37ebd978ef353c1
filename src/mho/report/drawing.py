"""Figures of the page for those who have the numbers at hand and no run folder."""

from matplotlib.figure import Figure

from mho.report.axes import entitle, style
from mho.report.circuits import draw_figure
from mho.results import Circuit


def draw_circuit(what: Circuit) -> Figure:
    """Currents and voltages of an array, drawn on it; its title, if it has one, stands above."""
    with style():
        figure = draw_figure(what)
        if what.title:
            entitle(figure, what.title)
    figure.set_facecolor("white")
    return figure
