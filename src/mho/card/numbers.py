"""The numbers of a card, with units; what a preset does not give is said to be not given."""

from __future__ import annotations

from mho.physics import Entry, Preset, Quantity
from mho.physics.of_conductance import Number, none_of, shown
from mho.results.units import number, quantity

NOT_GIVEN = "not given"
WINDOW = (1e-5, 1e-4)
"""Conductances at which laws without a cell are shown [S]."""
Numbers = list[tuple[str, str]]


def numbers(preset: Preset) -> Numbers:
    """Names and values of a preset, as text."""
    cell = preset.device
    if cell is None:
        return [("cell", NOT_GIVEN), *_laws(preset)]
    sheet = [(entry.name, text(entry)) for entry in cell.datasheet()]
    doi = cell.doi or NOT_GIVEN
    return [("cell", cell.family), *sheet, *_laws(preset), ("DOI", doi)]


def text(entry: Entry) -> str:
    """A line of a data sheet without its name."""
    return entry.text.format(*map(_shown, entry.values)) or NOT_GIVEN


def known(preset: Preset) -> list[str]:
    """What a preset gives besides its cell."""
    cell = preset.device
    laws = {
        "I-V": preset.conduction,
        "retention": preset.retention,
        "white noise": None if cell is None or none_of(cell.read_noise) else cell.read_noise,
        "1/f noise": preset.flicker,
        "telegraph noise": preset.telegraph,
        "disturb": preset.disturb,
    }
    return [name for name, law in laws.items() if law is not None]


def _laws(preset: Preset) -> Numbers:
    cell, flicker, trap = preset.device, preset.flicker, preset.telegraph
    window = WINDOW if cell is None else cell.window
    white, disturb = 0.0 if cell is None else cell.read_noise, preset.disturb
    iv = Entry("I-V") if preset.conduction is None else preset.conduction.datasheet()
    drift = Entry("retention") if preset.retention is None else preset.retention.datasheet(window)
    return [
        ("I-V", text(iv)),
        ("retention", text(drift)),
        ("white noise", NOT_GIVEN if none_of(white) else f"{_share(white, window)} of the window"),
        ("1/f noise", NOT_GIVEN if flicker is None
         else f"{_share(flicker.amplitude, window)} of G in a factor e of frequency"),
        ("telegraph noise", NOT_GIVEN if trap is None
         else f"up to {_percent(trap.depth)} of G; full {quantity(trap.full, 's')}, "
         f"empty {quantity(trap.empty, 's')}"),
        ("disturb", NOT_GIVEN if disturb is None
         else f"{number(disturb.read, 2)} a read, {number(disturb.half_select, 2)} a half select"),
    ]  # fmt: skip


def _shown(given: Quantity) -> str:
    value, unit = given
    if unit == "%":
        return _percent(value)
    return number(value, 3) if unit == "1" else quantity(value, unit)


def _share(given: Number, window: tuple[float, float]) -> str:
    words, values = shown(given, window, "%")
    return words.format(*map(_shown, values))


def _percent(share: float) -> str:
    return f"{number(100 * share, 3)} %"
