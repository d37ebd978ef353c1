"""A run folder as a page to show: `write` the HTML report (or take what it would write, `page`), or
print the `claims_table`, or as much of it as fits a screen, the `outcome`. `write_overview` writes
the page on many runs.

`draw_circuit` draws the currents and voltages of an array for those who have no run folder,
`save_card` the card of a device (`mho.card`).
"""

from mho.report.card import save_card
from mho.report.drawing import draw_circuit
from mho.report.outcome import outcome
from mho.report.overview import write_overview
from mho.report.page import PAGE, page, run_folders, write
from mho.report.terminal import claims_table

__all__ = [
    "PAGE",
    "claims_table",
    "draw_circuit",
    "outcome",
    "page",
    "run_folders",
    "save_card",
    "write",
    "write_overview",
]
