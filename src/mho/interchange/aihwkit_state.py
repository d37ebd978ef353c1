"""Trained networks of aihwkit as plain torch networks, by the names of their saved states.

Source: aihwkit 1.1.0, `simulator/tiles/base.py` and `simulator/tiles/periphery.py`: a layer `name`
saves its tile as `name.analog_module.analog_tile_state`, with the weights (out, in) under
`analog_tile_weights`, a bias in the last column if it is analog, and beside the tile the factors of
outputs `mapping_scales` and `out_scaling_alpha`, and a digital `bias`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mho.arguments import checked
from mho.errors import invalid
from mho.files.archive import read_archive
from mho.files.tensors import SUFFIX, read_tensors

EXPORT = (
    "plain tensors, written where aihwkit is: from aihwkit.nn.conversion import "
    'convert_to_digital; torch.save(convert_to_digital(model).state_dict(), "plain.pt")'
)
"""What is asked for where a file holds objects of aihwkit."""

MODULE = "analog_module."
TILE, WEIGHTS = "analog_tile_state", "analog_tile_weights"
SCALES = ("mapping_scales", "out_scaling_alpha")


@torch.no_grad()
@checked
def load_aihwkit(model: nn.Module, path: Path | str) -> nn.Module:
    """A copy of a plain torch network with the weights of its trained twin in aihwkit, which
    `mho.convert` puts on chips.

    Args:
        model: the network that `convert_to_analog` was given; linear and convolutional layers, with
            any digital ones between them. It is not changed.
        path: of a .pt or .safetensors file: the state of `convert_to_digital(model)`, or that of
            the analog network if it holds tensors and plain values alone. Objects of aihwkit, such
            as its `rpu_config`, are never unpickled.

    Returns:
        The copy.

    Raises:
        ValueError: the file cannot be read, holds more than tensors and plain values, or is of
            another network.
    """
    state = _plain(_read(Path(path)), str(path))
    made = copy.deepcopy(model)
    own = made.state_dict()
    lacking = [name for name in own if name not in state]
    odd = [name for name in state if name not in own]
    if lacking or odd:
        name, why = (lacking[0], "is not there") if lacking else (odd[0], "is none of its entries")
        raise invalid("path", str(path), f"a state of this network; {name} {why}; {EXPORT}")
    for name, value in own.items():
        if state[name].numel() != value.numel() or state[name].shape[:1] != value.shape[:1]:
            allowed = f"{tuple(value.shape)}, as in model"
            raise invalid(f"path: {name}, of shape", tuple(state[name].shape), allowed)
    made.load_state_dict({name: state[name].view_as(value) for name, value in own.items()})
    return made


def _read(path: Path) -> Mapping[str, Any]:
    if path.suffix == SUFFIX:
        return read_tensors(path, "path")[0]
    try:
        state = read_archive(path)
    except OSError as error:
        raise invalid("path", str(path), f"a readable file ({error.strerror})") from error
    except ValueError as error:
        raise invalid("path", str(path), f"{EXPORT} ({error})") from error
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
        raise invalid("path", str(path), EXPORT)
    return state


def _plain(state: Mapping[str, Any], path: str) -> dict[str, Tensor]:
    """Entries of the plain network: those of tiles as weights and biases of their layers."""
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        layer, inside, entry = name.rpartition(MODULE)
        if not inside:
            if not isinstance(value, Tensor):
                raise invalid(f"path: {name}", value, f"a tensor; {EXPORT}")
            found[name] = value
        elif entry == TILE:
            scales = [state[each] for s in SCALES if (each := layer + MODULE + s) in state]
            bias = state.get(f"{layer}{MODULE}bias")
            found |= _layer(layer, value, scales, bias, path)
    return found


def _layer(layer: str, tile: Any, scales: list[Any], bias: Any, path: str) -> dict[str, Tensor]:
    """Weight and bias of a layer."""
    weights = tile.get(WEIGHTS) if isinstance(tile, Mapping) else None
    sound = isinstance(weights, Tensor) and weights.dim() == 2
    sound = sound and all(isinstance(each, Tensor | None) for each in (bias, *scales))
    if not sound:
        raise invalid(f"path: {layer}{MODULE}{TILE}", tile, f"a tile with {WEIGHTS}; {EXPORT}")
    assert isinstance(weights, Tensor)
    for scale in scales:
        if scale.numel() not in (1, len(weights)):
            which = f"path: {layer}{MODULE}{' or '.join(SCALES)}, of shape"
            allowed = f"one number or {len(weights)}, one for each output"
            raise invalid(which, tuple(scale.shape), allowed)
        weights = weights * scale.view(-1, 1)
    if tile.get("analog_bias", False):
        weights, bias = weights[:, :-1], weights[:, -1]
    return {f"{layer}weight": weights} | ({} if bias is None else {f"{layer}bias": bias})
