"""What the events of a ledger take under a price list, kind by kind: energy, and time."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from mho.hardware.ledger import LayerLedger, Ledger
from mho.hardware.prices import Prices

EXACT = "exact converters are not counted"
"""Why they are not priced."""


@dataclass
class Spent:
    """Energy [J] and time [s] of each kind of event, a mean over chips; None: not priced."""

    energy: dict[str, float | None] = field(default_factory=dict)
    time: dict[str, float | None] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    """Kinds that happened and are not priced, and why."""

    def of(self, *kinds: str) -> float:
        """Energy of some kinds, those that are priced; nan if none of what happened is [J]."""
        found = _whole(self.energy[kind] for kind in kinds)
        return math.nan if found is None else found

    def lasting(self, *kinds: str) -> float:
        """Time of some kinds, one after another, as `of` [s]."""
        found = _whole(self.time[kind] for kind in kinds)
        return math.nan if found is None else found


def spent(ledger: Ledger, p: Prices) -> Spent:
    """All kinds of events of a ledger, on one chip.

    Kinds are "set", "reset", "verify", and of forward and backward passes "cells", "drives",
    "conversions", "sums" and "buffers", the latter with "backward_" before.
    """
    out = Spent()
    parts = [_layer(layer, p) for layer in ledger.layers]
    for kind in parts[0].energy:
        out.energy[kind] = _whole(part.energy[kind] for part in parts)
    for kind in parts[0].time:
        out.time[kind] = _whole(part.time[kind] for part in parts)
    for part in parts:
        out.missing |= part.missing
    return out


def _layer(layer: LayerLedger, p: Prices) -> Spent:
    """Those of one layer."""
    chips, g, out, whole = layer.chips, layer.conductance, Spent(), p
    p = p.of_chip(layer.adc, layer.adc_share)
    no_cell = "the list gives no energy of it, or no voltage and pulse"
    if g is None:
        no_cell = "the list gives no energy of it, and the ledger no conductance"

    def add(kind: str, count: float, each: float | None, why: str) -> None:
        out.energy[kind] = 0.0 if count == 0 else None if each is None else count * each
        if out.energy[kind] is None:
            out.missing[kind] = why

    sets, resets = (int(n.sum()) / chips for n in (layer.set_pulses, layer.reset_pulses))
    add("set", sets, p.pulse("set", g), no_cell)
    add("reset", resets, p.pulse("reset", g), no_cell)
    verified = int(layer.verify_reads.sum()) / chips
    add("verify", verified, p.verify(g, layer.adc_bits), no_cell)
    for side, bits in (("", layer.drive_bits), ("backward_", layer.dac_bits)):
        vectors = getattr(layer, f"{side}vectors")
        drives, conversions = (
            getattr(layer, f"{side}{converter}_conversions") for converter in ("dac", "adc")
        )
        signed = layer.signed_inputs or side != ""  # errors have a sign
        each = p.cell_read(g, bits, signed)
        add(f"{side}cells", getattr(layer, f"{side}cell_reads"), each, no_cell)
        add(f"{side}drives", drives, p.drive(bits, signed), "the list has no dac_energy")
        reads = layer.reads_per_conversion if side == "" else 1
        taken_up = conversions * reads * p.steps(bits, signed) * p.integration_energy
        add(f"{side}conversions", conversions, p.conversion(layer.adc_bits),
            lacking(layer, whole, "adc_energy"))  # fmt: skip
        if out.energy[f"{side}conversions"] is not None:
            out.energy[f"{side}conversions"] += taken_up  # type: ignore[operator]
        for kind, count, name in (
            ("drives", drives, "dac_bits"), ("conversions", conversions, "adc_bits"),
        ):  # fmt: skip
            if vectors and not count:
                out.energy[f"{side}{kind}"] = None
                out.missing[f"{side}{kind}"] = f"{EXACT}: give Hardware.{name}"
        sums = conversions if layer.adds_conversions[side != ""] else 0
        sums += layer.input_sums if side == "" else 0
        add(f"{side}sums", sums, p.addition(layer.adc_bits), "the list has no sum_energy")
        _buffers(layer, side, vectors, p, out)
    backward_bits = layer.dac_bits
    conductors = (
        ("vectors", layer.vectors, layer.drive_bits, layer.reads_per_conversion),
        ("backward_vectors", layer.backward_vectors, backward_bits, 1),
    )
    for kind, count, bits, reads in conductors:
        signed = layer.signed_inputs or kind != "vectors"
        each = p.vector_time(bits, layer.adc_bits, layer.converted_columns, reads, signed)
        out.time[kind] = 0.0 if count == 0 else None if each is None else count * each
        if out.time[kind] is None:
            lacks = lacking(layer, whole, "step_time, adc_time or read_time")
            out.missing[f"time of {kind}"] = lacks
    verify = p.verify_duration(layer.adc_bits)
    row_pulses, row_reads = (int(n.sum()) / chips for n in (layer.row_pulses, layer.row_reads))
    for kind, pulses, reads in (
        ("serial", sets + resets, verified), ("rows", row_pulses, row_reads),
    ):  # fmt: skip
        out.time[f"{kind} pulses"] = pulses * p.pulse_time
        unknown = reads > 0 and verify is None
        out.time[f"{kind} verifies"] = None if unknown else reads * (verify or 0.0)
        if unknown:
            out.missing["time of verify"] = lacking(layer, whole, "verify_time")
    return out


def lacking(layer: LayerLedger, p: Prices, fields: str) -> str:
    """Why a list prices no ADC of a layer: it is of another architecture, or lacks fields."""
    if layer.adc in (None, p.adc):
        return f"the list has no {fields}"
    return f"the list's ADC is {p.adc!r}, the chip's {layer.adc!r}"


def _buffers(layer: LayerLedger, side: str, vectors: int, p: Prices, out: Spent) -> None:
    """Inputs read from a buffer and outputs written to one; the latter once an input, however many
    vectors its bits are."""
    kind = f"{side}buffers"
    serial = layer.serial and side == ""
    if not vectors:
        out.energy[kind] = 0.0
    elif layer.dac_bits is None or layer.adc_bits is None or p.buffer_energy is None:
        out.energy[kind] = None
        known = p.buffer_energy is not None
        why = "bits of inputs or outputs not known" if known else "the list has no buffer_energy"
        out.missing[kind] = why
    else:
        inputs = vectors * (1 if serial else layer.dac_bits)
        outputs = vectors / (layer.dac_bits if serial else 1) * layer.adc_bits
        there, back = layer.rows, layer.columns
        if side:
            there, back = back, there
        out.energy[kind] = p.buffer_energy * (inputs * there + outputs * back)


def _whole(values: Iterable[float | None]) -> float | None:
    """The sum of those that are known; None if one is not and the others are nothing."""
    values = list(values)
    found = math.fsum(v for v in values if v is not None)
    return None if found == 0 and None in values else found
