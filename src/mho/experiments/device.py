"""Another device in the settings of a run, and what follows it: levels of weights, how cells are
written, what time does to them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import mho
from mho.config import Config, over
from mho.errors import InvalidInput, invalid, silent
from mho.experiments.cells import Varied, fitting, in_words, left_out
from mho.hardware.hardware import OVER_TIME
from mho.physics import Cell, Preset, devices

C = TypeVar("C", bound=Config)

DEVICE = "device_file"
"""Given like a setting: a file of `mho fit`, whose cell replaces that of the chips."""


class Asks(NamedTuple):
    """A device that settings ask for."""

    setting: str
    source: str
    """Its name, its file, or where its fields are set."""
    device: Preset | Cell
    """A preset; or the cell that there was with some of its fields changed."""

    def refused(self, error: ValueError) -> InvalidInput:
        """That it does not suit, and why."""
        cell = self.device.cell if isinstance(self.device, Preset) else self.device
        allowed = f"another cell, or none ({error})"
        return invalid(self.setting, f"{self.source} ({in_words(cell)})", allowed)


def asks(setting: str, device: Any) -> Asks:
    """The device that a setting gives: a preset or a cell, its name, its file, or its table."""
    known = isinstance(device, str | Path)
    return Asks(setting, str(device) if known else setting, preset_of(device))


def preset_of(device: Preset | Cell | Mapping[str, Any] | str | Path) -> Preset:
    """The preset that a device is: itself, or by its name, its file or as a table; or with a cell
    alone.

    Raises:
        ValueError: there is none of that name, or it has no cell.
    """
    if isinstance(device, Cell):
        return Preset(device=device)
    if isinstance(device, Mapping):
        return Preset.from_dict(device)
    if isinstance(device, Preset):
        return device
    if not isinstance(device, str | Path):
        raise invalid("device", device, "a name (mho list devices) or the path of a .toml file")
    if isinstance(device, str) and not device.endswith(".toml"):
        return devices.preset(device)
    return of_file(Path(device))


def of_file(path: Path) -> Preset:
    """The preset of a file, which has a cell.

    Raises:
        ValueError: it cannot be read, or has none.
    """
    preset = Preset.read(path)
    if preset.device is None:
        found = " and ".join(f"[{name}]" for name in preset.to_dict() if name != "note")
        allowed = (
            f"a preset with a table [device]; this one has only {found}. mho fit FILE --add adds a "
            "cell from measured pulses, targets, states, endurance or switching"
        )
        raise invalid(DEVICE, str(path), allowed)
    return preset


def is_preset(table: Mapping[str, Any]) -> bool:
    """Whether a table is a preset, with a cell in it, not a cell."""
    return "family" not in table and "device" in table


def refined(device: Preset | Cell, fields: Mapping[str, Any]) -> Preset | Cell:
    """A device with fields of its cell changed; of another family it is another device."""
    cell = device.cell if isinstance(device, Preset) else device
    changed = Cell.from_table("device", over(cell.to_dict(), fields), (Cell,))
    assert isinstance(changed, Cell)
    if isinstance(device, Preset):
        return device.replace(device=changed)
    return changed if changed.family == cell.family else Preset(device=changed)


def apart(table: Mapping[str, Any], key: str) -> tuple[Any, dict[str, Any]]:
    """The value of a key with dots, None: there is none; and the table without it."""
    first, _, rest = key.partition(".")
    out = dict(table)
    if not rest:
        return out.pop(first, None), out
    if not isinstance(out.get(first), Mapping):
        return None, out
    value, out[first] = apart(out[first], rest)
    return value, out


def with_cells(
    hardware: mho.Hardware, device: Preset | Cell, by_hand: Mapping[str, Any] | None = None
) -> tuple[mho.Hardware, list[str]]:
    """Chips with another device, and what follows it, in words.

    Of a preset come also what it says of time and noise. Weights take all levels that the cells
    offer where their own number does not fit; cells whose numbers are of whole writes are written
    so, and cells that pulses move are verified.

    Args:
        hardware: the chips.
        device: a preset, which has a cell; or the chips' own cell with some of its fields changed.
        by_hand: settings of the chips, which are laid over them and do not follow the device.

    Raises:
        ValueError: the cells do not suit the chips, or what is set by hand.
    """
    by_hand = {} if by_hand is None else by_hand
    whole = isinstance(device, Preset)
    cell, table = (device.cell if whole else device), hardware.to_dict()
    notes = without(device, "conduction") if whole else []
    for name in ("device", "weight_levels", "programming", *(OVER_TIME if whole else ())):
        table.pop(name, None)
    if whole:
        laws = {name: getattr(device, name) for name in OVER_TIME}
        table |= {name: law.to_dict() for name, law in laws.items() if law is not None}
    with silent():  # what is doubtful in the end is said in the end
        chips = mho.Hardware.from_dict({**over(table, by_hand), "device": cell})
    levels = chips.weight_levels
    if "weight_levels" not in by_hand and (levels := hardware.weight_levels) is not None:
        most = chips.cells.weight_levels(cell.states)
        if (most - 1) % (levels - 1):
            notes.append(f"weights have {most} levels, all that these cells offer, not {levels}")
            levels = None
    programming = chips.programming
    if "programming" not in by_hand:
        programming, told = _programming(hardware, cell, whole)
        notes += told
    return chips.replace(weight_levels=levels, programming=programming), notes


def _programming(
    hardware: mho.Hardware, cell: Cell, whole: bool
) -> tuple[mho.physics.Programming | None, list[str]]:
    """How cells of another device are written, and why not as those before were."""
    programming = hardware.programming
    if whole and cell.written is not None:
        told = (
            "cells are written as in the measurement of their spread: "
            f"{cell.written.pulses} pulses and {cell.written.verify_reads} reads for each write"
        )
        return None, [told]
    if cell.remembers and programming is not None and not programming.verifies and whole:
        told = (
            f"writes are verified by reads, not {programming.family}: pulses move these cells from "
            "their present conductance, which programming without reads does not know"
        )
        return None, [told]
    return programming, []


def without(preset: Preset, *laws: str) -> list[str]:
    """Which of some laws of a preset a run does not use, in words."""
    return [f"[{law}] is not used" for law in laws if getattr(preset, law) is not None]


def with_fitting_studies(
    config: C, device: Preset | Cell, by_hand: Mapping[str, Any], varied: Mapping[Any, Varied]
) -> tuple[C, list[str]]:
    """Settings with another device in `hardware`, and without the `studies` that cannot vary it but
    for those set by hand; and what follows the device or is left out, in words.

    Args:
        config: of an experiment with `hardware` and `studies`.
        device: as `with_cells` takes it.
        by_hand: settings that are laid over it and do not follow the device.
        varied: of studies that vary the chips, by name; others suit all.

    Raises:
        ValueError: as `with_cells`.
    """
    chips, rest = apart(by_hand, "hardware")
    whole: Any = config
    hardware, notes = with_cells(whole.hardware, device, chips)
    whole = whole.merged(rest)
    if "studies" in rest:
        return whole.replace(hardware=hardware), notes
    studies, reasons = fitting(whole.studies, hardware, varied)
    return whole.replace(hardware=hardware, studies=studies), notes + left_out(reasons)
