"""What the cells of a network hold, out of it and into it, as after a measurement."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mho.arguments import checked
from mho.errors import invalid, warn
from mho.files.arrays import read_csv, read_npz, write_npz
from mho.files.tensors import SUFFIX, read_tensors, write_tensors
from mho.hardware import Crossbar
from mho.learning.evaluate import Net
from mho.learning.layers.layer import ArrayLayer, memristive_layers

BEYOND = 10.0
"""Times the highest level of a cell: what is above is odd."""

MOST_BEYOND = 0.1
"""Share of a layer's cells above that: with more, the numbers are not in siemens."""


@torch.no_grad()
@checked
def conductances(net: nn.Module) -> dict[str, Tensor]:
    """What each cell of each layer holds, (chips, tiles, rows, width), float32 [S] by layer.

    The cell itself, without wires, read noise and slow noise. Cells that hold no weight, as a tile
    may have at its edge, are nan. On an instrument it is what the host last heard of each cell; see
    `Attached.survey`.

    Raises:
        ValueError: no layer is on memristors.
    """
    found = {}
    for name, layer in memristive_layers(net).items():
        used = layer.crossbar.tiling.used().to(layer.weight.device)
        found[name] = torch.cat(layer.crossbar.of_chips(partial(_held, used)))
    return found


def _held(used: Tensor, crossbar: Crossbar) -> Tensor:
    return torch.where(used, crossbar.conductance, math.nan)


@checked
def save_conductances(net: nn.Module, path: Path | str) -> None:
    """Save `conductances(net)`, one array a layer [S], which `load_conductances` reads; a file that
    is there is replaced.

    Args:
        path: of a .npz file, which `numpy.load` reads too, or of a .safetensors file.

    Raises:
        ValueError: no layer is on memristors, the file is of another name, or the package
            safetensors is not installed.
        OSError: the file cannot be written; the error names it.
    """
    path = Path(path)
    if path.suffix == SUFFIX:
        write_tensors(path, conductances(net), {"format": "pt", "unit": "S"})
    elif path.suffix == ".npz":
        write_npz(path, {name: g.cpu().numpy() for name, g in conductances(net).items()})
    else:
        raise invalid("path", str(path), f"the name of a .npz or {SUFFIX} file")


@torch.no_grad()
@checked
def load_conductances(net: Net, source: Mapping[str, Tensor] | Path | str) -> Net:
    """Have the arrays of a network hold conductances that were measured, in place.

    No cell is programmed and nothing is counted. The weights that the arrays realize follow, behind
    the wires of the hardware too, and the arrays count as written. Each cell counts as standing at
    the level nearest to what it holds (chips share levels: to the mean over those where it is not
    stuck), so that `mho.write` then programs the weights that are off their level and leaves the
    others; with `Hardware.predistortion`, where levels of cells do not tell those of weights, each
    counts as standing at its own. Cells relax from there as after a write. What is drawn for the
    chips stays, slow noise, traits and stuck cells included; a stuck cell stays where it is put.
    Shadow weights, the window of the weights, ranges of converters and the tuning of the read-out
    stay too.

    Args:
        net: a converted network, not on an instrument.
        source: conductances [S] by layer, as `memristive_layers` names them, of some layers or all;
            or the path of a .npz or .safetensors file of them; or of a folder with a table
            `LAYER.csv` for each layer of one tile, numbers between commas, a line for a row of
            cells; or of one such table, if the network has one layer.
            A layer takes (chips, tiles, rows, width), (tiles, rows, width) for all chips alike, or
            (rows, width) if it has one tile. Cells that hold no weight are left alone; theirs may
            be nan, in a table also empty.

    Returns:
        The network.

    Raises:
        ValueError: a layer does not exist, is on an instrument or has another shape; a number is
            not finite or below 0; more than a tenth of a layer is above 10 times the highest level,
            as siemens are not; a file cannot be read. Then nothing is changed.

    Warns: a few cells are that far above, or all of a layer far below the lowest level.
    """
    layers = memristive_layers(net)
    given = source if isinstance(source, Mapping) else _read(Path(source), layers)
    if not given:
        raise invalid("source", {}, f"conductances of one layer or more: {_names(layers)}")
    taken: dict[str, Tensor] = {}
    for name, g in given.items():
        _check_known(name, layers)
        taken[name] = _taken(name, g, layers[name])
    for name, g in taken.items():
        _warn_of_units(name, g, layers[name])
    for name, g in taken.items():
        layers[name].hold(g)
    return net


def _taken(name: str, given: Tensor, layer: ArrayLayer) -> Float[Tensor, "chips tiles rows width"]:
    """Conductances as the layer's arrays hold them.

    Raises:
        ValueError: they cannot be those of this layer.
    """
    field, crossbar = f"source[{name!r}]", layer.crossbar
    if crossbar.arrays is not None:
        allowed = "a layer on simulated chips; the cells of an instrument are what they are"
        raise invalid("layer on an instrument", name, allowed)
    tiles, rows, width = crossbar.tiling.shape
    shapes = [(layer.chips, tiles, rows, width), (tiles, rows, width)]
    shapes += [(rows, width)] * (tiles == 1)
    if tuple(given.shape) not in shapes:
        kinds = ("chips, tiles, rows, cells", "tiles, rows, cells of all chips", "rows, cells")
        each = (f"{shape} ({kind})" for shape, kind in zip(shapes, kinds, strict=False))
        raise invalid(f"{field}, of shape", tuple(given.shape), " or ".join(each))
    g = given.detach().to(crossbar.conductance).expand(shapes[0])
    used = crossbar.tiling.used().to(g.device).expand(shapes[0])
    wrong = (used & ~(g.isfinite() & (g >= 0))).nonzero()
    if len(wrong):
        where = tuple(wrong[0].tolist())
        allowed = "a finite conductance of 0 S or more for each cell that holds a weight"
        raise invalid(f"{field}, cell (chip, tile, row, column) {where}", g[where].item(), allowed)
    low, high = layer.hardware.device.window
    held = g[used]
    above = int((held > BEYOND * high).sum())
    if above > MOST_BEYOND * held.numel():
        most = held.max().item()
        allowed = (
            f"in siemens: the levels of its cells are {low:.3g} to {high:.3g} S, and {above} of "
            f"{held.numel()} cells are above {BEYOND:g} times that"
        )
        raise invalid(f"{field}, largest conductance [S]", most, allowed)
    return g


def _warn_of_units(name: str, g: Tensor, layer: ArrayLayer) -> None:
    """Warn of cells far outside of the window."""
    low, high = layer.hardware.device.window
    held = g[layer.crossbar.tiling.used().to(g.device).expand(g.shape)]
    above, most = int((held > BEYOND * high).sum()), held.max().item()
    window = f"its levels are {low:.3g} to {high:.3g} S"
    if above:
        warn(
            f"mho.load_conductances: layer {name!r} has {above} of {held.numel()} cells far above "
            f"the window, up to {most:.3g} S; {window}"
        )
    if most < max(low / BEYOND, high * 1e-4):
        warn(
            f"mho.load_conductances: all cells of layer {name!r} are far below the window, at most "
            f"{most:.3g} S; {window}; conductances must be in siemens"
        )


def _read(path: Path, layers: Mapping[str, ArrayLayer]) -> dict[str, Tensor]:
    """Arrays of a file or a folder by layer.

    Raises:
        ValueError: as `load_conductances`.
    """
    if path.suffix == SUFFIX:
        return {name: _real(name, g) for name, g in read_tensors(path, "source")[0].items()}
    if path.suffix == ".npz":
        arrays = read_npz(path, "source")
    elif path.suffix == ".csv" and len(layers) == 1:
        arrays = _tables(dict.fromkeys(layers, path))
    elif os.path.isdir(path):  # False of what cannot be a name, too
        files = {file.name.removesuffix(".csv"): file for file in sorted(path.glob("*.csv"))}
        if not files:
            raise invalid("source", str(path), f"a folder with a LAYER.csv: {_names(layers)}")
        for name in files:
            _check_known(name, layers)
        arrays = _tables(files)
    else:
        allowed = (
            f"a dict, a .npz or {SUFFIX} file, a folder with a LAYER.csv, or a .csv of the only "
            "layer"
        )
        raise invalid("source", str(path), allowed)
    return {name: torch.from_numpy(each.astype(np.float64)) for name, each in arrays.items()}


def _real(name: str, g: Tensor) -> Tensor:
    if g.is_complex():
        raise invalid(f"source[{name!r}]", g, "real numbers")
    return g


def _tables(files: Mapping[str, Path]) -> dict[str, np.ndarray]:
    allowed = "a conductance of 0 S or more, or nothing for a cell without a weight"
    return {name: read_csv(file, "source", allowed, 0.0, gaps=True) for name, file in files.items()}


def _check_known(name: str, layers: Mapping[str, ArrayLayer]) -> None:
    if name not in layers:
        raise invalid("source: layer", name, f"one of the layers of net: {_names(layers)}")


def _names(layers: Mapping[str, ArrayLayer]) -> str:
    return ", ".join(repr(name) if name else "'', net itself" for name in layers)
