"""Which cells an experiment can run on: asked of its settings alone, before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from torch import nn

import mho
from mho.errors import InvalidInput, invalid, silent
from mho.hardware.full_scale import full_scale_of
from mho.physics import Cell

S = TypeVar("S", bound=str)
"""Name of a study."""

Varied = Callable[[mho.Hardware], Iterable[mho.Hardware]]
"""The chips that a study makes of those of a run."""

_NAMED = 3
"""Devices that a refusal names."""


def in_words(cell: Cell) -> str:
    """A cell as refusals name it."""
    return f"{cell.family} cells of {cell.states} levels"


def with_levels(cell: Cell, levels: int) -> Cell:
    """The same cell with so many levels.

    Raises:
        ValueError: cells of its family have a fixed number, or cannot have so many.
    """
    if "levels" not in type(cell).__dataclass_fields__:
        raise InvalidInput(f"{cell.family} cells have {cell.states} levels, not {levels}")
    return cell.replace(levels=levels)


def check_start(
    nets: Iterable[nn.Module],
    hardware: mho.Hardware,
    setting: str = "hardware.device",
    full_scale: str = "hardware.full_scale",
) -> None:
    """Refuse cells on which all weights of a layer would be 0 at the start, and nothing be learnt.

    Args:
        nets: networks before their training, not on chips.
        hardware: the chips.
        setting: where the cells are set.
        full_scale: where the full scale of weights is set.

    Raises:
        ValueError: as said.
    """
    layers = (named for net in nets for named in net.named_modules())
    for name, layer in layers:
        if not isinstance(layer, nn.Linear | nn.Conv2d) or hardware.levels % 2 == 0:
            continue
        weight = layer.weight.detach().flatten(1)
        full, largest = full_scale_of(weight, hardware, name), weight.abs().max().item()
        if largest > full / (hardware.levels - 1):
            continue
        fewest = int(full / largest) + 2
        narrower = f"{full_scale} = {hardware.levels - 1}"
        allowed = (
            f"cells whose weights take {fewest} values or more{_such_as(hardware, fewest)}, or "
            f"{narrower}: with {hardware.levels} values, the outer ones at {hardware.full_scale:g} "
            "standard deviations of the weights, a layer would begin with all weights at 0"
        )
        raise invalid(setting, in_words(hardware.device), allowed)


def check_reads(setting: str, hardware: mho.Hardware, reading: Sequence[str]) -> None:
    """Refuse blind bursts on cells that pulses move, where schemes go by what was read.

    Args:
        setting: where the way of programming is set.
        hardware: the chips.
        reading: schemes that do, of those that are trained.

    Raises:
        ValueError: as said.
    """
    if reading and hardware.device.remembers and not hardware.writing.verifies:
        allowed = (
            f"'verify' for {', '.join(map(repr, reading))} on {in_words(hardware.device)}: a blind "
            "burst starts from where such a cell is believed to stand, not from where it was read; "
            "or other schemes"
        )
        raise invalid(setting, hardware.writing.family, allowed)


def check_studies(
    setting: str, studies: Sequence[S], hardware: mho.Hardware, varied: Mapping[S, Varied]
) -> None:
    """Refuse studies whose chips cannot be made of the cells of a run.

    Raises:
        ValueError: names the first of them, and why.
    """
    _, reasons = fitting(studies, hardware, varied)
    for study, why in reasons.items():
        others = [each for each in studies if each not in reasons]
        allowed = f"{others} on {in_words(hardware.device)}: {study!r} cannot vary them ({why})"
        raise invalid(setting, list(studies), allowed)


def fitting(
    studies: Sequence[S], hardware: mho.Hardware, varied: Mapping[S, Varied]
) -> tuple[tuple[S, ...], dict[S, str]]:
    """Studies whose chips can be made of those of a run, and why those of others cannot.

    Args:
        studies: all, by name.
        hardware: the chips of the run.
        varied: of studies that vary the chips, by name; others suit all.
    """
    reasons: dict[S, str] = {}
    for study in studies:
        try:
            with silent():
                list(varied[study](hardware) if study in varied else ())
        except InvalidInput as error:
            reasons[study] = str(error)
    return tuple(study for study in studies if study not in reasons), reasons


def left_out(reasons: Mapping[S, str]) -> list[str]:
    """What is said of studies that do not suit the cells of a device."""
    return [f"study {study} left out, it cannot vary these cells ({why})"
            for study, why in reasons.items()]  # fmt: skip


def _such_as(hardware: mho.Hardware, fewest: int) -> str:
    """Published devices that offer so many values of a weight, in words."""
    found = [
        name
        for name, cell in mho.devices.DEVICES.items()
        if hardware.cells.weight_levels(cell.states) >= fewest
    ]
    return f", such as {', '.join(found[:_NAMED])} (mho list devices)" if found else ""
