"""Places that no other beats."""

import random

from mho import prices
from mho.hardware import price
from mho.sweep.front import ENERGIES, front


def test_the_front_is_what_nothing_beats() -> None:
    draw = random.Random(0)
    pairs = [(draw.randrange(20), draw.randrange(20)) for _ in range(60)]

    def beaten(cost: int, gain: int) -> bool:
        return any(c <= cost and g >= gain and (c, g) != (cost, gain) for c, g in pairs)

    found = [pairs[i] for i in front([(cost, -gain) for cost, gain in pairs])]
    assert sorted(set(found)) == sorted({pair for pair in pairs if not beaten(*pair)})
    assert found == sorted(found)
    assert front([]) == []


def test_energies_are_named_as_prices_name_them() -> None:
    import torch

    import mho

    net = mho.convert(torch.nn.Sequential(torch.nn.Linear(3, 2)), mho.Hardware(device="hfo2-1t1r"))
    cost = price(mho.ledger(net), prices.get("hfo2-130nm"))
    assert set(ENERGIES) <= {item["what"] for item in cost.items()}
