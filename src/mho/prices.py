"""Price lists, and what a ledger costs under one.

cost = mho.price(mho.ledger(net), mho.prices.get("hfo2-130nm"))
account = mho.prices.training_account(mho.ledger(net), mho.prices.get("hfo2-130nm"))
mine = mho.price(mho.ledger(net), "my-prices.toml")
"""

from mho.hardware.cost import Cost, price
from mho.hardware.ledger import LayerLedger, Ledger
from mho.hardware.price_lists import PRICES, get
from mho.hardware.prices import Prices
from mho.hardware.training_account import TrainingAccount, training_account

__all__ = [
    "PRICES",
    "Cost",
    "LayerLedger",
    "Ledger",
    "Prices",
    "TrainingAccount",
    "get",
    "price",
    "training_account",
]
