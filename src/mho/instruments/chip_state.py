"""Whether a saved state is one of a simulated chip, found before the chip changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mho.errors import InvalidInput
from mho.hardware.crossbar import UNFORMED, WORN, Crossbar

MOST = 2**62
"""Bound of everything that is counted."""

_SCALARS = range(5, 12)
"""How many scalars a crossbar's state may have; earlier versions had fewer."""

_WERE_SHORT = ("level", "misses")
"""Entries that earlier versions saved as int16."""

_MAY_LACK = ("misses", "hardware")
"""Entries that states of earlier versions lack."""


def check_chip_state(state: object, crossbar: Crossbar) -> None:
    """Refuse what is no state of the cells of a chip made alike: another layout, other kinds or
    sizes of tensors, values that no cell can have.

    Args:
        state: `made`, how the chip was made; `changes`, a count; `cells`, of the crossbar.
        crossbar: the chip's cells, of the same settings.

    Raises:
        ValueError: a few words on what is wrong, for a message that names the file.
    """
    table = fields_of(state, {"made": str, "changes": int, "cells": Mapping}, "chip")
    check_count(table["changes"], "changes")
    cells, own = table["cells"], crossbar.state_dict()
    for name in (*own, *cells):
        if name not in cells and name not in _MAY_LACK:
            raise InvalidInput(f"it lacks {name!r} of the cells")
        if name not in own and name not in _MAY_LACK:
            raise InvalidInput(f"it has {name!r} of cells, which this chip has not")
    for name, value in cells.items():
        if name == "_extra_state":
            _check_scalars(value, crossbar)
        elif name == "hardware":
            _check_tensor(name, value, torch.uint8, None)
        elif name in own:
            short = name in _WERE_SHORT and getattr(value, "dtype", None) == torch.int16
            kind = torch.int16 if short else own[name].dtype
            _check_tensor(name, value, kind, own[name].shape)
            _check_values(name, value, crossbar)
    try:
        crossbar.check_state(cells, "")
    except InvalidInput:
        raise
    except Exception as error:
        raise InvalidInput("'hardware' of the cells is no description of a chip") from error
    if cells["set_pulses"].sum() > cells["pulses"].sum():
        raise InvalidInput("more SET pulses than pulses")


def fields_of(
    value: object, kinds: Mapping[str, type], what: str, *, no_more: bool = False
) -> Mapping[str, Any]:
    """A table that has these fields, each of its kind; `no_more`: and no others.

    Raises:
        ValueError: it has not.
    """
    if not isinstance(value, Mapping):
        raise InvalidInput(f"its {what} is no table of named fields")
    for name, kind in kinds.items():
        if name not in value:
            raise InvalidInput(f"it lacks {name!r} of its {what}")
        if not isinstance(value[name], kind) or isinstance(value[name], bool):
            raise InvalidInput(f"{name!r} of its {what} is a {type(value[name]).__name__}")
    if no_more and len(value) > len(kinds):
        raise InvalidInput(f"its {what} has fields beside {', '.join(kinds)}")
    return value


def check_count(value: int, name: str) -> None:
    """Refuse what nothing is counted to.

    Raises:
        ValueError: as said.
    """
    if not 0 <= value < MOST:
        raise InvalidInput(f"{name} = {value}, which is no count")


def _check_tensor(name: str, value: object, dtype: torch.dtype, shape: torch.Size | None) -> None:
    if not isinstance(value, Tensor):
        raise InvalidInput(f"{name!r} of the cells is a {type(value).__name__}, no tensor")
    if value.dtype != dtype or (value.dim() != 1 if shape is None else value.shape != shape):
        wanted = f"{dtype} {'(n,)' if shape is None else tuple(shape)}"
        raise InvalidInput(f"{name!r} is {value.dtype} {tuple(value.shape)}, not {wanted}")


def _check_values(name: str, value: Tensor, crossbar: Crossbar) -> None:
    """Whether cells can have these values."""
    if value.dtype == torch.bool or value.numel() == 0:
        return
    least, most = value.min().item(), value.max().item()
    if name.startswith("trait_") or name == "seen":
        low, high = -torch.inf, torch.inf
    elif name == "level":
        low, high = UNFORMED, crossbar.hardware.device.states - 1
    elif name == "fault":
        low, high = 0, WORN
    else:
        low, high = 0, torch.inf if value.is_floating_point() else MOST
    if not (low <= least and most <= high and max(abs(least), abs(most)) < torch.inf):
        raise InvalidInput(f"{name!r} holds {least:g} to {most:g}, which no cell has")


def _check_scalars(value: object, crossbar: Crossbar) -> None:
    _check_tensor("_extra_state", value, torch.int64, None)
    assert isinstance(value, Tensor)
    if len(value) not in _SCALARS:
        raise InvalidInput(f"its scalars are {len(value)}")
    counts = value.tolist()
    seed, first = counts.pop(3), counts.pop(3)
    if (seed, first) != (crossbar.seed, crossbar.chips.start):
        raise InvalidInput("its cells were drawn with another seed")
    for count in counts:
        check_count(count, "a count of its cells")
