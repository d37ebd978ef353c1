"""Converted networks as .safetensors files: their whole state, and how they were converted."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from torch import Tensor, nn

import mho
from mho.arguments import checked
from mho.errors import InvalidInput, invalid
from mho.files.tensors import SUFFIX, read_tensors, write_tensors
from mho.hardware import Hardware
from mho.learning.convert import convert
from mho.learning.layers.chips import Chips
from mho.learning.layers.layer import ArrayLayer

Net = TypeVar("Net", bound=nn.Module)


class SavedNetwork(NamedTuple):
    """What a file says of the network in it."""

    version: str
    """Of mho, that wrote the file; empty: another program did."""
    hardware: dict[str, Hardware | None]
    """Kind of chip by layer, as `mho.convert` takes it; empty: the network is on no chips."""
    chips: int | None
    """Number of chips, as `mho.convert` takes it."""


@checked
def save_network(net: nn.Module, path: Path | str) -> None:
    """Save the whole state of a network as a .safetensors file: all that `net.state_dict()` holds,
    to the bit, and as texts mho's version, the hardware in TOML and the number of chips. A file
    that is there is replaced.

    Args:
        net: converted or not.
        path: its name ends in .safetensors.

    Raises:
        ValueError: the file is of another name, an entry of the state is no dense tensor, or the
            package safetensors is not installed.
        OSError: the file cannot be written; the error names it.
    """
    path = _named(path)
    state = net.state_dict()
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise invalid(f"state_dict[{name!r}]", value, "a tensor; torch.save takes other things")
    write_tensors(path, state, _words(net))


@checked
def describe(path: Path | str) -> SavedNetwork:
    """What a file of `save_network` says of its network.

    Raises:
        ValueError: the file cannot be read or is damaged.
    """
    return _described(read_tensors(_named(path), "path")[1], path)


@checked
def load_network(model: nn.Module, path: Path | str) -> nn.Module:
    """A network as it was saved: a plain one is converted with the hardware and the chips that the
    file names, then takes its state.

    Args:
        model: a plain torch network of the same architecture; it is not changed.
        path: of a file that `save_network` wrote of a converted network.

    Returns:
        The converted network.

    Raises:
        ValueError: the file cannot be read, is damaged, says no hardware, or is of a network of
            another architecture.
    """
    state, words = read_tensors(_named(path), "path")
    saved = _described(words, path)
    if not saved.hardware:
        allowed = "a file that names its hardware; load_state loads states without"
        raise invalid("path", str(path), allowed)
    try:
        return _loaded(convert(model, saved.hardware, saved.chips), state, strict=True)
    except InvalidInput as error:
        allowed = f"a plain network of the architecture that was saved ({error})"
        raise invalid("model", model, allowed) from error


@checked
def load_state(net: Net, path: Path | str, *, strict: bool = True) -> Net:
    """Load a saved state into a network, in place, as `net.load_state_dict` does, but whole or not
    at all.

    Args:
        net: converted or not, of the same architecture, hardware and number of chips; or a
            converted one, and a file of the weights of its plain network.
        path: of a .safetensors file, of mho or of another program.
        strict: whether the file must hold all entries of the network, and no others.

    Returns:
        The network.

    Raises:
        ValueError: the file cannot be read, is damaged, or is of another network or other hardware.
            Then nothing is changed.
    """
    return _loaded(net, read_tensors(_named(path), "path")[0], strict=strict)


def _loaded(net: Net, state: dict[str, Tensor], *, strict: bool) -> Net:
    before = copy.deepcopy(net.state_dict())
    try:
        net.load_state_dict(state, strict=strict)
    except InvalidInput:
        raise
    except (RuntimeError, TypeError) as error:  # torch has loaded some of it by now
        net.load_state_dict(before)
        why = " ".join(str(error).split("\n\t")[-1].split())
        raise invalid("state", "of another network", f"one of this network ({why})") from error
    return net


def _named(path: Path | str) -> Path:
    path = Path(path)
    if path.suffix != SUFFIX:
        raise invalid("path", str(path), f"the name of a {SUFFIX} file")
    return path


def _words(net: nn.Module) -> dict[str, str]:
    """What is said of a network beside its state."""
    inner = net.net if isinstance(net, Chips) else net
    layers = {name: m for name, m in inner.named_modules() if isinstance(m, ArrayLayer)}
    kinds = {name: layer.hardware for name, layer in layers.items()}
    words = {"format": "pt", "mho": mho.__version__}
    if not kinds:
        return words
    first = next(iter(kinds.values()))
    words |= {"layers": json.dumps([*kinds]), "hardware": first.to_toml()}
    words |= {f"hardware.{name}": kind.to_toml() for name, kind in kinds.items() if kind != first}
    return words | ({"chips": str(net.chips)} if isinstance(net, Chips) else {})


def _described(words: Mapping[str, str], path: Path | str) -> SavedNetwork:
    try:
        names: Any = json.loads(words.get("layers", "[]"))
        texts = {name: words.get(f"hardware.{name}", words.get("hardware", "")) for name in names}
        kinds = {name: Hardware.from_toml(text) for name, text in texts.items()}
        chips = int(words["chips"]) if "chips" in words else None
    except (TypeError, ValueError) as error:
        allowed = f"a file whose texts are those of a network of mho ({error})"
        raise invalid("path", str(path), allowed) from error
    hardware = {**kinds, "*": None} if kinds else {}
    return SavedNetwork(words.get("mho", ""), hardware, chips)
