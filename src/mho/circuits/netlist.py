"""An array of programmed cells as a SPICE deck: sources, wires, cells, ammeters; text only."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Shaped
from torch import Tensor

from mho.arguments import checked
from mho.circuits.wiring import Wires
from mho.errors import invalid
from mho.physics import Conduction, Ohmic

OPEN = 1e-300
"""Conductance up to which a cell is open [S]: its resistance is hardly a number any more."""

_HEAD = """\
* {title}
* {arrays}{rows} rows (inputs, word lines) x {cols} columns (outputs, bit lines); {law} cells.
* Volts, ohms, amperes. Cell i, j lies between node u<i>_<j> of its word line and w<i>_<j> of its
* bit line:
*   in<i> -Rs- d<i> -Rr- u<i>_0 -Rr- u<i>_1 ...   the right end is {right}
*   w0_<j> -Rc- w1_<j> ... -Rc- e<j> -Re- out<j>  -Vout<j>- 0 V; the upper end is open
* Wires: row {wires.row!r}, col {wires.col!r}, source {wires.source!r}, sense {wires.sense!r} ohm.
{pairs}* Nodes that 0 ohm would join are one node, named as the nearest to source or ground.
* Open cells are left out. Results: i(vout<j>), the current out of column j.
"""

_TAIL = """\
.options reltol=1e-9 vntol=1e-12 abstol=1e-18 gmin=1e-30 itl1=500
.control
set numdgt=17
op
{prints}
quit
.endc
.end
"""


_GATED_HEAD = """\
* {title}
* {arrays}{rows} rows (word lines to gates) x {cols} columns (bit lines); {law} cells.
* Volts, ohms, amperes. Cell i, j lies between node s<i>_<j> of its source line and w<i>_<j> of its
* bit line; those of rows whose gates are off are left out:
*   in<j> -Rs- d<j> -Rl- s0_<j> -Rl- s1_<j> ...   the lower end is open
*   w0_<j> -Rc- w1_<j> ... -Rc- e<j> -Re- out<j>  -Vout<j>- 0 V; the upper end is open
* Wires: source line {wires.source_line!r}, col {wires.col!r}, source {wires.source!r}, sense \
{wires.sense!r} ohm.
* Nodes that 0 ohm would join are one node, named as the nearest to source or ground.
* Open cells are left out. Results: i(vout<j>), the current out of column j.
"""


@checked
def netlist(
    g: Shaped[Tensor, "*_ rows cols"],
    v: Shaped[Tensor, "*_ inputs"],
    wires: Wires | None = None,
    conduction: Conduction | None = None,
    title: str = "memristor array",
) -> str:
    """SPICE deck of an array at its operating point; `ngspice -b` prints its output currents.

    Rows and columns lie as in `effective_conductance`; with `wires.both_ends` a second source
    feeds each row behind its last cell. Cells are

        ohmic: a resistor of 1 / g,
        sinh: a source of current g v0 sinh(v / v0),
        1T1R: a resistor of 1 / g and a level-1 NMOS of KP W / L = beta on the bit line's side,
            its gate held at the threshold plus the overdrive above the bit line. Its junctions
            leak nothing: their substrate lies below all other voltages, and IS is 1e-30 A.

    Where word lines drive gates (`wires.source_line`), source lines run beside bit lines as in
    `gated_current`, at the voltage of the rows that are on; rows at 0 V are off.

    Several arrays (tiles, rows, cols) make one deck: they share ground only, and the names of
    array k end in _t<k>.

    Args:
        g: conductance of the cells [S], (rows, cols) or (tiles, rows, cols); 0: an open cell.
        v: voltage of the row drivers [V], (rows,) or (tiles, rows); with source lines 0 or that of
            theirs.
        wires: resistances of the lines; None: none.
        conduction: law of the cells; None: ohmic.
        title: first line.

    Raises:
        ValueError: shapes do not fit, a number is not finite, a conductance is negative, or the law
            has no SPICE model here; rows that are on have several voltages where word lines drive
            gates.
    """
    wires, conduction = wires or Wires(), conduction or Ohmic()
    _check(g, v)
    low = min(0.0, v.min().item()) - 1.0
    lines, prints = conduction.spice_shared(low), []
    array = _gated_array if wires.gated else _array
    for k, (cells, volts) in enumerate(zip(*_tiles(g, v), strict=True)):
        tile = f"_t{k}" if g.dim() == 3 else ""
        lines += array(cells, volts, wires, conduction, tile)
        prints += [f"print i(vout{j}{tile})" for j in range(g.shape[-1])]
    head = (_GATED_HEAD if wires.gated else _HEAD).format(
        title=" ".join(title.split()),
        arrays=f"{g.shape[0]} arrays, numbered by _t<k>, each of " if g.dim() == 3 else "",
        rows=g.shape[-2],
        cols=g.shape[-1],
        law=conduction.family,
        right="driven as the left one, by inr<i>" if wires.both_ends else "open",
        wires=wires,
        pairs="* Rows 0 and 1, 2 and 3, ... meet each bit line at one point.\n" * wires.paired,
    )
    return head + "\n".join(lines) + "\n" + _TAIL.format(prints="\n".join(prints))


def _array(
    g: list[list[float]], v: list[float], wires: Wires, conduction: Conduction, tile: str
) -> Iterator[str]:
    """Elements of one array, whose names end in `tile`."""
    rows, cols = len(g), len(g[0])
    drivers = [_joined(f"d{i}{tile}", f"in{i}{tile}", wires.source) for i in range(rows)]
    ends = [_joined(f"e{j}{tile}", f"out{j}{tile}", wires.sense) for j in range(cols)]
    word = [
        [_joined(f"u{i}_{j}{tile}", driver, wires.row) for j in range(cols)]
        for i, driver in enumerate(drivers)
    ]
    ohms, bit = wires.below(rows), [ends]
    for i in reversed(range(rows)):
        below = enumerate(bit[0])
        bit.insert(0, [_joined(f"w{i}_{j}{tile}", end, ohms[i]) for j, end in below])
    bit.pop()
    yield f"* inputs{tile}"
    for i, volt in enumerate(v):
        yield f"Vin{i}{tile} in{i}{tile} 0 {volt!r}"
        yield from _wire(f"Rs{i}{tile}", f"in{i}{tile}", drivers[i], wires.source)
    if wires.both_ends and wires.row + wires.source > 0:
        for i, volt in enumerate(v):
            source = f"inr{i}{tile}"
            driver = _joined(f"dr{i}{tile}", source, wires.source) if wires.row else word[i][-1]
            yield f"Vinr{i}{tile} {source} 0 {volt!r}"
            yield from _wire(f"Rsr{i}{tile}", source, driver, wires.source)
            yield from _wire(f"Rr{i}_{cols}{tile}", driver, word[i][-1], wires.row)
    yield f"* word lines{tile}"
    for i, nodes in enumerate(word):
        for j, (left, right) in enumerate(zip([drivers[i], *nodes], nodes, strict=False)):
            yield from _wire(f"Rr{i}_{j}{tile}", left, right, wires.row)
    yield f"* bit lines{tile}"
    for i, nodes in enumerate(bit):
        below = bit[i + 1] if i + 1 < rows else ends
        for j, (upper, lower) in enumerate(zip(nodes, below, strict=True)):
            yield from _wire(f"Rc{i}_{j}{tile}", upper, lower, ohms[i])
    yield f"* cells{tile}"
    for i, row in enumerate(g):
        for j, cell in enumerate(row):
            if cell > OPEN:
                yield from conduction.spice(f"{i}_{j}{tile}", word[i][j], bit[i][j], cell)
    yield f"* outputs{tile}"
    for j, end in enumerate(ends):
        yield from _wire(f"Re{j}{tile}", end, f"out{j}{tile}", wires.sense)
        yield f"Vout{j}{tile} out{j}{tile} 0 0"


def _gated_array(
    g: list[list[float]], v: list[float], wires: Wires, conduction: Conduction, tile: str
) -> Iterator[str]:
    """Elements of one array with source lines, whose names end in `tile`."""
    rows, cols, line = len(g), len(g[0]), wires.source_line or 0.0
    supplies = {volt for volt in v if volt}
    if len(supplies) > 1:
        allowed = "one voltage, that of the source lines, or 0 where a row is off"
        raise invalid("v", sorted(supplies), allowed)
    supply = supplies.pop() if supplies else 0.0
    yield f"* columns{tile}: source line, bit line, cells, output"
    for j in range(cols):
        name = f"{j}{tile}"
        driver = _joined(f"d{name}", f"in{name}", wires.source)
        end = _joined(f"e{name}", f"out{name}", wires.sense)
        yield f"Vin{name} in{name} 0 {supply!r}"
        yield from _wire(f"Rs{name}", f"in{name}", driver, wires.source)
        above, source, bit, lower = driver, [], [end] * rows, end
        for i in range(rows):
            source.append(_joined(f"s{i}_{name}", above, line))
            yield from _wire(f"Rl{i}_{name}", above, source[i], line)
            above = source[i]
        for i in reversed(range(rows)):
            bit[i] = _joined(f"w{i}_{name}", lower, wires.col)
            yield from _wire(f"Rc{i}_{name}", bit[i], lower, wires.col)
            lower = bit[i]
        for i in range(rows):
            if g[i][j] > OPEN and v[i]:
                yield from conduction.spice(f"{i}_{name}", source[i], bit[i], g[i][j])
        yield from _wire(f"Re{name}", end, f"out{name}", wires.sense)
        yield f"Vout{name} out{name} 0 0"


def _joined(node: str, to: str, r: float) -> str:
    """A node that a resistance separates from another, or that other one."""
    return node if r > 0 else to


def _wire(name: str, a: str, b: str, r: float) -> Iterator[str]:
    """A piece of wire, unless it is none."""
    if r > 0:
        yield f"{name} {a} {b} {r!r}"


def _tiles(g: Tensor, v: Tensor) -> tuple[list[list[list[float]]], list[list[float]]]:
    """Numbers of all arrays, be it one."""
    return (
        g.double().reshape(-1, *g.shape[-2:]).tolist(),
        v.double().reshape(-1, v.shape[-1]).tolist(),
    )


def _check(g: Tensor, v: Tensor) -> None:
    """Refuse what is no array with inputs."""
    if g.dim() not in (2, 3) or min(g.shape) < 1:
        allowed = "(rows, cols) or (tiles, rows, cols), at least 1 each"
        raise invalid("g.shape", tuple(g.shape), allowed)
    if v.shape != g.shape[:-1]:
        allowed = f"{tuple(g.shape[:-1])}, a voltage for each row"
        raise invalid("v.shape", tuple(v.shape), allowed)
    for name, values, good, allowed in (
        ("g", g, (g >= 0) & (g < torch.inf), "0 S or more, and finite"),
        ("v", v, v.isfinite(), "a finite voltage"),
    ):
        if not good.all():
            index = (~good).nonzero()[0].tolist()
            raise invalid(f"{name}{index}", values[tuple(index)].item(), allowed)
