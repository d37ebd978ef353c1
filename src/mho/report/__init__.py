"""A run folder as a page to show: `write` the HTML report, or print the `claims_table`.

`draw_circuit` draws the currents and voltages of an array for those who have no run folder,
`save_card` the card of a device (`mho.card`).
"""

from mho.report.card import save_card
from mho.report.drawing import draw_circuit
from mho.report.page import write
from mho.report.terminal import claims_table

__all__ = ["claims_table", "draw_circuit", "save_card", "write"]
