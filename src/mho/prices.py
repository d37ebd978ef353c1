"""Price lists, and what a ledger costs under one.

cost = mho.price(mho.ledger(net), mho.prices.get("hfo2-130nm"))
"""

from mho.hardware.ledger import LayerLedger, Ledger, ledger
from mho.hardware.prices import PRICES, Cost, Prices, get, price

__all__ = ["PRICES", "Cost", "LayerLedger", "Ledger", "Prices", "get", "ledger", "price"]
