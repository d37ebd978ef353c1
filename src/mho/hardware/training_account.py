"""The account of a training: every kind of event, how often it happened, what it cost."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Literal

from mho.arguments import checked
from mho.errors import invalid, unknown
from mho.hardware.ledger import Ledger
from mho.hardware.price_lists import get
from mho.hardware.prices import Prices
from mho.hardware.share import WHOLE, Share
from mho.hardware.spending import EXACT, Spent, spent

Side = Literal["arrays", "digital"]


@dataclass(frozen=True)
class Entry:
    """One kind of event; averages over the chips."""

    what: str
    """Name of the entry."""
    side: Side
    """Whether it happens in the arrays and their converters, or in digital logic."""
    counted: str
    """What is counted."""
    count: float
    """How often it happened on one chip."""
    energy: float | None
    """What it cost [J]; None: the price list has no price for it."""
    time: float | None
    """How long it took [s], the cells of a row programmed or verified at once, one row after
    another; None: part of another entry (conversions, of the read) or not priced."""
    uncounted: bool = False
    """Whether it happens without being counted: converters that are taken as exact."""


@dataclass(frozen=True)
class TrainingAccount:
    """All entries of a training; the total is their sum.

    An account is linear in the counts: `later.since(earlier)` is what happened in between.
    """

    entries: tuple[Entry, ...]
    share: Share = WHOLE
    """How much of the network this is of; the rest is digital and not counted."""

    def __getitem__(self, what: str) -> Entry:
        """The entry of a name; raises `ValueError` for others."""
        for entry in self.entries:
            if entry.what == what:
                return entry
        raise unknown("entry", what, [entry.what for entry in self.entries])

    @property
    def energy(self) -> float:
        """Of all entries that have a price [J]."""
        return math.fsum(entry.energy or 0.0 for entry in self.entries)

    @property
    def array_energy(self) -> float:
        """Of the arrays and their converters [J]."""
        return math.fsum(e.energy or 0.0 for e in self.entries if e.side == "arrays")

    @property
    def time(self) -> float:
        """Of all entries that have one [s], one after another."""
        return math.fsum(entry.time or 0.0 for entry in self.entries)

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Entries that happened and that `energy` lacks."""
        return tuple(
            e.what for e in self.entries if (e.count > 0 or e.uncounted) and e.energy is None
        )

    def since(self, earlier: TrainingAccount) -> TrainingAccount:
        """What was added since an earlier account of the same network and prices.

        Raises:
            ValueError: the earlier account has other entries or other prices.
        """
        pairs = list(zip(self.entries, earlier.entries, strict=False))
        alike = [(a.what, a.energy is None) == (b.what, b.energy is None) for a, b in pairs]
        if len(self.entries) != len(earlier.entries) or not all(alike):
            raise invalid("earlier", "another account", "one of the same network and prices")
        return replace(self, entries=tuple(_less(a, b) for a, b in pairs))

    def items(self) -> list[dict[str, str | float | None]]:
        """Rows for a table, one an entry, the total last."""
        rows: list[dict[str, str | float | None]] = [asdict(entry) for entry in self.entries]
        whole = {"energy": self.energy, "time": self.time}
        return [*rows, {"what": "total", "side": "", "counted": "", "count": None, **whole}]


@checked
def training_account(ledger: Ledger, prices: Prices | str) -> TrainingAccount:
    """What a network's chips did and what it cost, entry by entry: a pure function of counts.

    Forward reads are those of every forward pass, also of calibrations and evaluations; take the
    difference of two accounts to leave these out. Backward reads are those of errors that go back
    through the arrays. Digital entries are multiplications and additions for the gradient of the
    weights, the optimizer's updates of them (there is one shadow weight for all chips), and sums of
    conversions; all else that a processor does is not counted.

    Args:
        ledger: of `mho.ledger(net)`.
        prices: a price list, or the name of one of `mho.prices.PRICES`.

    Raises:
        ValueError: there is no list of that name.
    """
    if isinstance(prices, str):
        prices = get(prices)
    chips, total, took = ledger.chips, ledger.totals(), spent(ledger, prices)

    def count(*names: str) -> float:
        return sum(total[name] for name in names) / chips

    def arrays(what: str, counted: str, number: float, *kinds: str, time: str = "") -> Entry:
        lasted = took.lasting(time) if time else None
        lasted = None if lasted is None or math.isnan(lasted) else lasted
        exact = any(took.missing.get(kind, "").startswith(EXACT) for kind in kinds)
        return Entry(what, "arrays", counted, number, _energy(took, kinds), lasted, exact)

    def digital(what: str, counted: str, number: float, energy: float | None) -> Entry:
        return Entry(what, "digital", counted, number, energy, None)

    def each(number: float, price: float | None) -> float | None:
        return None if price is None else number * price

    products, updates = count("gradient_products"), float(total["weight_updates"])
    sums = count("digital_sums", "input_sums")
    summed = _energy(took, ("sums", "backward_sums"))
    return TrainingAccount((
        arrays("forward reads", "cell reads", count("cell_reads"), "cells", time="vectors"),
        arrays("backward reads", "cell reads", count("backward_cell_reads"), "backward_cells",
               time="backward_vectors"),
        arrays("writes", "SET and RESET pulses", count("set_pulses", "reset_pulses"),
               "set", "reset", time="rows pulses"),
        arrays("verify reads", "cell reads", count("verify_reads"), "verify",
               time="rows verifies"),
        arrays("DAC conversions", "conversions",
               count("dac_conversions", "backward_dac_conversions"), "drives", "backward_drives"),
        arrays("ADC conversions", "conversions",
               count("adc_conversions", "backward_adc_conversions"),
               "conversions", "backward_conversions"),
        digital("weight gradients", "multiplications and additions", products,
                each(products, prices.mac_energy)),
        digital("weight updates", "weights", updates, each(updates, prices.update_energy)),
        digital("digital sums", "additions", sums,
                None if prices.sum_energy is None else summed),
        digital("buffers", "vectors", count("vectors", "backward_vectors"),
                _energy(took, ("buffers", "backward_buffers"))),
    ), ledger.share)  # fmt: skip


def _energy(took: Spent, kinds: tuple[str, ...]) -> float | None:
    """Energy of some kinds [J]; None: not priced."""
    found = took.of(*kinds)
    return None if math.isnan(found) else found


def _less(now: Entry, before: Entry) -> Entry:
    """The difference of two entries of one name."""

    def less(a: float | None, b: float | None) -> float | None:
        return None if a is None or b is None else a - b

    return replace(
        now,
        count=now.count - before.count,
        energy=less(now.energy, before.energy),
        time=less(now.time, before.time),
    )
