"""The area of a chip under a price list, by what takes it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from mho.hardware.ledger import LayerLedger, Ledger
from mho.hardware.prices import Prices
from mho.hardware.spending import lacking


@dataclass
class Area:
    """Area of one chip [m^2]; a part that is None is not priced."""

    parts: dict[str, float | None] = field(default_factory=dict)
    """Of "cells", "drivers", "ADCs", "adders", "buffers" and "control"."""
    missing: dict[str, str] = field(default_factory=dict)
    """Parts that are there and not priced, and why."""

    @property
    def whole(self) -> float:
        """Of all parts that are priced; nan if none is [m^2]."""
        known = [part for part in self.parts.values() if part is not None]
        return math.fsum(known) if known else math.nan


def area(ledger: Ledger, p: Prices) -> Area:
    """Area of what a ledger's chip is made of; arrays count whole, cells that are not used too."""
    out = Area()
    for layer in ledger.layers:
        for name, (each, number, why) in _parts(layer, p).items():
            if number == 0:
                value: float | None = 0.0
            elif each is None or number is None:
                value, out.missing[f"area of {name}"] = None, why
            else:
                value = each * number
            before = out.parts.get(name)
            known = [part for part in (before, value) if part is not None]
            out.parts[name] = math.fsum(known) if known else None
    return out


def _parts(layer: LayerLedger, p: Prices) -> dict[str, tuple[float | None, float | None, str]]:
    """Area of one of each part, how many there are in a layer, and what to say if that is not
    known."""
    unknown = "the ledger does not say how its arrays are built"
    whole, p = p, p.of_chip(layer.adc, layer.adc_share)
    arrays, adcs = layer.arrays, None
    if layer.converted_columns is not None:
        adcs = -(-layer.converted_columns // p.adc_share)
        adcs *= arrays if layer.adc_per_tile else layer.tiles[1]
    cells = rows = None
    if layer.array is not None:
        cells, rows = arrays * layer.array[0] * layer.array[1], arrays * layer.array[0]
    no_bits = "converters are exact: give Hardware.dac_bits and adc_bits"
    exact = layer.dac_bits is None or layer.adc_bits is None
    bits = None if exact else layer.rows * layer.dac_bits + layer.columns * layer.adc_bits  # type: ignore[operator]

    def why(price: float | None, field: str, otherwise: str = unknown) -> str:
        return f"the list has no {field}" if price is None else otherwise

    return {
        "cells": (p.cell_area, cells, why(p.cell_area, "feature_size or cell_squares")),
        "drivers": (p.dac_area, rows, why(p.dac_area, "dac_area")),
        "ADCs": (
            p.converter_area(layer.adc_bits),
            None if layer.adc_bits is None else adcs,
            no_bits if p.adc_area is not None else lacking(layer, whole, "adc_area"),
        ),
        "adders": (
            p.sum_area,
            adcs if layer.adds_conversions[0] else 0,
            why(p.sum_area, "sum_area"),
        ),
        "buffers": (p.buffer_area, bits, why(p.buffer_area, "buffer_area", no_bits)),
        "control": (p.control_area, arrays, why(p.control_area, "control_area")),
    }
