"""What a ledger costs under a price list: energy, time, area, lifetime, memory."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mho.arguments import checked
from mho.hardware.area import area
from mho.hardware.ledger import Ledger
from mho.hardware.price_lists import get
from mho.hardware.prices import Prices
from mho.hardware.share import WHOLE, Share
from mho.hardware.spending import spent

_READING = ("cells", "drives", "conversions")
_DIGITAL = ("sums", "buffers")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cost of what a ledger counted; averages over its chips. Sums are of what is priced."""

    programming_energy: float
    """SET, RESET and verify [J]; nan: not priced."""
    read_energy: float
    """Vector reads of forward passes with their converters [J]; nan: not priced."""
    backward_energy: float
    """Vector reads of backward passes with their converters [J]; nan: not priced."""
    digital_energy: float = math.nan
    """Digital sums and buffers of forward and backward passes [J]; nan: not priced."""
    energy_per_input: float
    """Read energy of one input through all layers, with its digital sums and buffers where these
    have a price [J]; nan if nothing was read."""
    programming_time_serial: float
    """All pulses and verify reads one after another [s]."""
    programming_time_rows: float
    """The same with the cells of a row programmed at once, one row after another [s]."""
    read_time: float
    """All vector reads of forward passes, layer after layer [s]; nan: not priced."""
    backward_time: float
    """All vector reads of backward passes, layer after layer [s]; nan: not priced."""
    time_per_input: float = math.nan
    """Read time of one input, layer after layer [s]; nan if nothing was read, or not priced."""
    area: float = math.nan
    """Of one chip [m^2]; nan: not priced."""
    areas: tuple[tuple[str, float | None], ...] = ()
    """The same by what takes it [m^2]; None: not priced."""
    lifetime_repeats: float
    """How often the ledger's programming can be repeated until the first cell of its chips dies,
    each of its own endurance; below 1 where one is dead already, inf if none can die."""
    array_bytes: float
    """Information in the cells: log2(levels) bits each [B]."""
    hidden_bytes: float
    """Digital weights kept while learning [B]."""
    float32_bytes: float
    """The same weights as float32 [B]."""
    assumes: tuple[tuple[str, str], ...] = ()
    """What the numbers assume, by the beginning of their names in `items`."""
    unpriced: tuple[str, ...] = ()
    """What happened or is there and is in no number, with the reason."""
    share: Share = WHOLE
    """How much of the network this is of; the rest is digital and not priced."""

    def __str__(self) -> str:
        """A line a number with what it assumes, and what of the network they are of."""
        rows = self.items()
        wide = max(len(str(row["what"])) for row in rows)
        lines = []
        for row in rows:
            value, note = row["value"], row.get("note", "")
            shown = "-" if value is None else f"{value:.4g} {row['unit']}".rstrip()
            lines.append(f"{row['what']:{wide}}  {shown:12}  {note}".rstrip())
        lines += [f"not priced: {each}" for each in self.unpriced]
        return "\n".join([*lines, *self.share.of_what("energy", "priced")])

    def items(self) -> list[dict[str, object]]:
        """Rows for a result file: what, value, unit, and a note with what it assumes."""
        areas = [(f"area of {name}", value, "m^2") for name, value in self.areas]
        rows = (
            ("programming energy (per chip)", self.programming_energy, "J"),
            ("read energy (per chip)", self.read_energy, "J"),
            ("backward read energy (per chip)", self.backward_energy, "J"),
            ("digital energy (per chip)", self.digital_energy, "J"),
            ("energy per input", self.energy_per_input, "J"),
            ("programming time, cell by cell", self.programming_time_serial, "s"),
            ("programming time, row by row", self.programming_time_rows, "s"),
            ("read time", self.read_time, "s"),
            ("backward read time", self.backward_time, "s"),
            ("time per input", self.time_per_input, "s"),
            ("area (per chip)", self.area, "m^2"),
            *areas,
            ("repeats until the first cell dies", self.lifetime_repeats, ""),
            ("memory in cells", self.array_bytes, "B"),
            ("memory of hidden weights", self.hidden_bytes, "B"),
            ("memory as float32", self.float32_bytes, "B"),
        )
        notes = dict(self.assumes)
        found: list[dict[str, object]] = []
        for what, value, unit in rows:
            known = value is not None and math.isfinite(value)
            row: dict[str, object] = {"what": what, "value": value if known else None, "unit": unit}
            found.append(row | ({"note": notes[what]} if what in notes else {}))
        return found


@checked
def price(ledger: Ledger, prices: Prices | str) -> Cost:
    """Price a ledger: a pure function, so a changed price never needs a new run.

    Args:
        ledger: counts, as `mho.ledger(net)` reads them.
        prices: a price list, the name of one of `PRICES`, or a TOML file of one.

    Raises:
        ValueError: there is no list of that name, or the file is none.
    """
    p = get(prices) if isinstance(prices, str) else prices
    took, built = spent(ledger, p), area(ledger, p)
    inputs, weights = ledger.layers[0].inputs, ledger.totals()["weights"]
    used = max(layer.endurance_used for layer in ledger.layers)
    back_digital = tuple(f"backward_{kind}" for kind in _DIGITAL)
    read_time = took.lasting("vectors")
    per_input = took.of(*_READING, *_DIGITAL) / inputs if inputs else math.nan
    unpriced = [f"{_WORDS.get(k, k)} ({why})" for k, why in (took.missing | built.missing).items()]
    return Cost(
        programming_energy=took.of("set", "reset", "verify"),
        read_energy=took.of(*_READING),
        backward_energy=took.of(*(f"backward_{kind}" for kind in _READING)),
        digital_energy=took.of(*_DIGITAL, *back_digital),
        energy_per_input=per_input,
        programming_time_serial=took.lasting("serial pulses", "serial verifies"),
        programming_time_rows=took.lasting("rows pulses", "rows verifies"),
        read_time=read_time,
        backward_time=took.lasting("backward_vectors"),
        time_per_input=read_time / inputs if inputs else math.nan,
        area=built.whole,
        areas=tuple(built.parts.items()),
        lifetime_repeats=1 / used if used > 0 else math.inf,
        array_bytes=sum(layer.cells * math.log2(layer.states) for layer in ledger.layers) / 8,
        hidden_bytes=weights * p.hidden_bits / 8,
        float32_bytes=weights * 4.0,
        assumes=_assumes(ledger, p),
        unpriced=tuple(unpriced),
        share=ledger.share,
    )


_WORDS = {
    "set": "SET pulses", "reset": "RESET pulses", "verify": "verify reads", "cells": "cell reads",
    "drives": "row drivers", "conversions": "ADC conversions", "sums": "digital sums",
    "buffers": "buffers", "backward_cells": "backward cell reads",
    "backward_drives": "backward drivers", "backward_conversions": "backward ADC conversions",
    "backward_sums": "backward digital sums", "backward_buffers": "backward buffers",
}  # fmt: skip
"""Kinds of events in words."""


def _assumes(ledger: Ledger, p: Prices) -> tuple[tuple[str, str], ...]:
    """What the numbers of a cost assume, in words."""
    known = [layer.conductance for layer in ledger.layers if layer.conductance is not None]
    g = "unknown G" if not known else f"mean G {min(known) * 1e6:.3g}"
    if known and max(known) > min(known):
        g += f" to {max(known) * 1e6:.3g}"
    g += " uS" if known else ""
    ways = []
    for way in ("set", "reset"):
        energy, voltage = (
            (p.set_energy, p.set_voltage) if way == "set" else (p.reset_energy, p.reset_voltage)
        )
        if energy is not None:
            ways.append(f"{way.upper()} {energy:.3g} J whatever the cell")
        elif voltage is not None:
            ways.append(f"{way.upper()} V^2 G t, {voltage:g} V, {p.pulse_time:.3g} s, {g}")
    if p.read_energy is not None:
        cell = f"cells {p.read_energy:.3g} J whatever they hold"
    elif p.read_voltage is not None and p.read_pulse is not None:
        law = "" if p.conduction is None else f" by {p.conduction.family}"
        cell = f"cells V I t{law}, {p.read_voltage:g} V, {p.read_pulse:.3g} s, {g}"
        cell += f", activity {p.activity:g}"
    else:
        cell = ""
    ins = sorted({f"{layer.drive_bits}" for layer in ledger.layers if layer.drive_bits})
    outs = sorted({f"{layer.adc_bits}" for layer in ledger.layers if layer.adc_bits})
    drive = f"driver {p.driver!r}, {' and '.join(ins)} bits" if ins else ""
    kinds = sorted({layer.adc or p.adc for layer in ledger.layers})
    convert = f"{' and '.join(kinds)} ADC, {' and '.join(outs)} bits" if outs else ""
    read = "; ".join(filter(None, (cell, drive, convert)))
    if p.read_time is None:
        each = sorted({layer.adc_share or p.adc_share for layer in ledger.layers})
        shares = " and ".join(map(str, each))
        time = "; ".join(filter(None, (drive, convert, f"up to {shares} columns an ADC")))
    else:
        time = f"{p.read_time:.3g} s a vector whatever its bits"
    sums = "of 8-bit numbers" if p.adc_bits == 8 else f"of {p.adc_bits}-bit numbers"
    digital = []
    if p.sum_energy is not None:
        digital.append(f"{p.sum_energy:.3g} J an addition {sums}, in proportion to bits")
    if p.buffer_energy is not None:
        digital.append(f"{p.buffer_energy:.3g} J a bit of a buffer")
    notes = {
        "programming energy (per chip)": "; ".join(ways),
        "read energy (per chip)": read,
        "backward read energy (per chip)": read,
        "digital energy (per chip)": "; ".join(digital),
        "energy per input": "forward read and digital energy, all inputs alike",
        "programming time, cell by cell": f"{p.pulse_time:.3g} s a pulse",
        "programming time, row by row": "the cells of a row at once",
        "read time": time + "; arrays of a layer at once, layers one after another",
        "time per input": "read time over inputs",
        "area (per chip)": "whole arrays; each layer has arrays of its own",
    }
    sources = {
        "area of cells": "cell_squares", "area of drivers": "dac_area", "area of ADCs": "adc_area",
        "area of adders": "sum_area", "area of buffers": "buffer_area",
        "area of control": "control_area",
    }  # fmt: skip
    notes |= {what: p.source(field) for what, field in sources.items()}
    return tuple((what, words) for what, words in notes.items() if words)
