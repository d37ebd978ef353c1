"""What a device does, as data to draw: of a cell with its laws, or of a dynamic model.

card = mho.card.of_preset("cmo-hfox", mho.devices.preset("cmo-hfox"))
mho.report.save_card(card, Path("card.png"), "png")
"""

from mho.card.cell import of_preset
from mho.card.model import of_model
from mho.results.card import Card

__all__ = ["Card", "of_model", "of_preset"]
