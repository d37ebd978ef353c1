"""Arrays read from files: a matrix (.csv, .npy), or one array of a saved network (.pt)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mho.errors import invalid, unknown
from mho.files.archive import read_archive
from mho.files.arrays import read_csv, read_npy

KEY = "crossbar.conductance"
"""How the keys of conductances end in a network's state."""


@dataclass(frozen=True)
class Place:
    """Where in a saved network an array lies."""

    layer: str | None
    """Name of the layer; None: the only one."""
    chip: int
    tile: int


def read_array(path: Path, place: Place) -> tuple[Tensor, str]:
    """Conductances (rows, cols) [S] and what they are.

    Raises:
        ValueError: the file cannot be read or has no such array; one line that says where.
    """
    if path.suffix != ".pt":
        if place != Place(None, 0, 0):
            raise invalid("source", str(path), "a .pt state where a layer, chip or tile is chosen")
        return read_matrix(path, "source", "a conductance of 0 S or more", 0.0), path.name
    layers = _layers(path)
    name = _choice(place.layer, layers)
    arrays = layers[name]
    for field, value, count in zip(
        ("chip", "tile"), (place.chip, place.tile), arrays.shape, strict=False
    ):
        if not 0 <= value < count:
            raise invalid(field, value, f"0 to {count - 1}, those of layer {name!r}")
    what = f"{path.name}, layer {name}, chip {place.chip}, tile {place.tile}"
    return arrays[place.chip, place.tile].double(), f"{what} of {arrays.shape[1]}"


def read_matrix(path: Path, field: str, allowed: str, least: float = -math.inf) -> Tensor:
    """Numbers (rows, cols) of a .csv or .npy file, `least` or more; a .npy vector is one row.

    Args:
        field: what the file is, for errors.
        allowed: what a number must be, for errors.
    """
    if path.suffix == ".csv":
        return torch.from_numpy(read_csv(path, field, allowed, least))
    if path.suffix == ".npy":
        return _npy(path, field, allowed, least)
    raise invalid(field, str(path), "a .csv or .npy file" + ", or a .pt" * (field == "source"))


def _npy(path: Path, field: str, allowed: str, least: float) -> Tensor:
    """A vector or matrix of real numbers."""
    values = read_npy(path, field)
    if values.ndim not in (1, 2) or not values.size:
        found = f"{values.dtype} {values.shape}"
        raise invalid(f"{path}", found, "real numbers of shape (rows, cols), at least 1 x 1")
    values = np.atleast_2d(values).astype(np.float64)
    bad = np.argwhere(~((values >= least) & np.isfinite(values)))
    if len(bad):
        row, column = bad[0].tolist()
        raise invalid(f"{path}[{row}, {column}]", values[row, column].item(), allowed)
    return torch.from_numpy(values)


def _layers(path: Path) -> dict[str, Tensor]:
    """Conductances (chips, tiles, rows, width) in a saved state, by layer."""
    try:
        state = read_archive(path)
    except OSError as error:
        raise invalid("source", str(path), f"a readable file ({error.strerror})") from error
    except ValueError as error:
        allowed = f"a state_dict or checkpoint saved with torch.save ({error})"
        raise invalid("source", str(path), allowed) from error
    found = dict(_conductances(state, ""))
    if not found:
        allowed = f"a state with a tensor (chips, tiles, rows, cols) named *{KEY}"
        raise invalid("source", str(path), f"{allowed}; the checkpoint of a finished run has none")
    return found


def _conductances(state: Any, path: str) -> Iterator[tuple[str, Tensor]]:
    """Conductances in nested mappings, by path."""
    if isinstance(state, Mapping):
        for key, value in state.items():
            yield from _conductances(value, f"{path}/{key}" if path else str(key))
    elif isinstance(state, Tensor) and path.endswith(KEY) and state.dim() == 4 and state.numel():
        yield path.removesuffix(KEY).removesuffix(".") or "the layer itself", state


def _choice(wanted: str | None, layers: Mapping[str, Tensor]) -> str:
    """The layer of that name or end of a path; the only one if none is named."""
    if wanted is None:
        fitting = list(layers)
    elif wanted in layers:
        return wanted
    else:
        fitting = [name for name in layers if name.endswith(f"/{wanted}")]
        if not fitting:
            raise unknown("layer", wanted, layers)
    if len(fitting) > 1:
        raise invalid("layer", wanted, "one of " + ", ".join(map(repr, sorted(fitting))))
    return fitting[0]
