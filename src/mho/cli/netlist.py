"""`mho netlist`: one array as a SPICE deck, and what ngspice and mho make of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from mho.cli import names
from mho.cli.options import Argument, Option
from mho.cli.terminal import say
from mho.errors import invalid, unknown

if TYPE_CHECKING:
    from torch import Tensor

    from mho.circuits import Wires
    from mho.physics import Conduction

Ohms = Annotated[float | None, Option("OHMS")]
Parameter = Annotated[float | None, Option("VALUE")]


@dataclass(frozen=True)
class Netlist:
    """Write a programmed array as a SPICE deck; --run has ngspice answer it."""

    source: Annotated[Path, Argument("FILE")]
    """Conductances [S] as .csv or .npy, rows inputs, columns outputs; or a .pt: the state_dict of
    a network, or the checkpoint of a run that was broken off."""
    out: Annotated[Path | None, Option("FILE.cir")] = None
    """Deck to write; else it is printed, unless --run."""
    layer: Annotated[str | None, Option("NAME")] = None
    """Layer of a .pt; else its only one."""
    chip: Annotated[int, Option("N")] = 0
    """Chip of a .pt, from 0."""
    tile: Annotated[int, Option("N")] = 0
    """Array of that layer, from 0."""
    input: Annotated[str, Option("V,V,...|FILE")] = "0.2"
    """Voltage of all rows [V], or of each, separated by commas; or a .csv or .npy with one for each
    row."""
    wire_resistance: Annotated[float, Option("OHMS")] = 0.0
    """Resistance of each piece of word line and bit line from cell to cell [ohm]."""
    r_row: Ohms = None
    """That of word lines, if another [ohm]."""
    r_col: Ohms = None
    """That of bit lines, if another [ohm]."""
    r_source: Annotated[float, Option("OHMS")] = 0.0
    """Resistance of the driver of each row [ohm]."""
    r_sense: Annotated[float, Option("OHMS")] = 0.0
    """Resistance of the amplifier of each column [ohm]."""
    both_ends: bool = False
    """Drive each row from its right end too."""
    interleaved: bool = False
    """Rows lie in pairs that meet each bit line at one point, as with Hardware.interleaved; --input
    is that of each pair, whose second row is driven the other way."""
    source_line: Ohms = None
    """Resistance of each piece of source line [ohm], of arrays whose word lines drive gates; rows
    are on where --input is not 0."""
    law: Annotated[str, Option("LAW", complete=names.laws)] = "ohmic"
    """How cells conduct: ohmic, sinh, or 1t1r."""
    v0: Parameter = None
    """Of sinh: voltage that sets how soon the current bends [V]."""
    beta: Parameter = None
    """Of 1t1r: transconductance parameter of the transistor [A/V^2]."""
    overdrive: Parameter = None
    """Of 1t1r: gate-source voltage above the threshold [V]."""
    overwrite: bool = False
    """Replace the file that is there."""
    simulate: Annotated[bool, Option(name="run")] = False
    """Run ngspice and print the column currents."""

    def run(self) -> None:
        """Write, or print, the deck; run it if asked."""
        from mho.circuits.netlist import netlist
        from mho.circuits.ngspice import ngspice, simulate
        from mho.cli.conductances import Place, read_array
        from mho.files import check_output, write_text

        if self.out is not None:
            check_output(self.out, overwrite=self.overwrite)
        law, wires = self._law(), self._wires()
        if self.simulate and wires.gated and law.family != "ohmic":
            allowed = "ohmic with --source-line and --run: mho solves no others there"
            raise invalid("law", law.family, allowed)
        g, what = read_array(self.source, Place(self.layer, self.chip, self.tile))
        v = self._inputs(len(g))
        deck = netlist(g, v, wires, law, what)
        if self.simulate:
            ngspice()  # before anything is written
        if self.out is not None:
            write_text(self.out, deck)
        elif not self.simulate:
            say(deck.removesuffix("\n"))
        if self.simulate:
            _show(simulate(deck), _own(g, v, wires, law))

    def _inputs(self, rows: int) -> Tensor:
        """Voltages of the rows [V]."""
        if not self.interleaved:
            return _voltages(self.input, rows)
        if rows % 2:
            raise invalid("interleaved", f"{rows} rows", "an even number of rows, in pairs")
        v = _voltages(self.input, rows // 2, "pairs of rows")
        return v.repeat_interleave(2) * v.new_tensor([1.0, -1.0]).repeat(len(v))

    def _law(self) -> Conduction:
        """Law of conduction with the parameters given."""
        from mho.config import families
        from mho.physics import Conduction

        laws = {law.family: law for law in families(Conduction)}
        if self.law not in laws:
            raise unknown("law", self.law, laws)
        law = laws[self.law]
        given = {name: getattr(self, name) for name in ("v0", "beta", "overdrive")}
        given = {name: value for name, value in given.items() if value is not None}
        for name, value in given.items():
            if name not in law.__dataclass_fields__:
                raise invalid(name, value, f"nothing: {self.law} cells have no such parameter")
        return law.from_dict(given)

    def _wires(self) -> Wires:
        """The wires, as a record."""
        from mho.circuits import Wires

        both = self.wire_resistance
        along = 0.0 if self.source_line is not None else both  # word lines to gates carry nothing
        return Wires(
            row=along if self.r_row is None else self.r_row,
            col=both if self.r_col is None else self.r_col,
            source=self.r_source,
            sense=self.r_sense,
            both_ends=self.both_ends,
            paired=self.interleaved,
            source_line=self.source_line,
        )


def _voltages(given: str, rows: int, what: str = "rows") -> Tensor:
    """Voltages (rows,) [V] of numbers or a file."""
    import torch

    from mho.cli.conductances import read_matrix

    allowed = "a finite voltage"
    try:
        volts = torch.tensor([float(text) for text in given.split(",")], dtype=torch.float64)
    except ValueError:
        if "," in given:
            raise invalid(
                "input", given, "numbers with commas between them, or one file [V]"
            ) from None
        volts = read_matrix(Path(given), "input", allowed).flatten()
    else:
        if not volts.isfinite().all():
            raise invalid("input", given, allowed)
        volts = volts.expand(rows) if len(volts) == 1 else volts
    if len(volts) != rows:
        raise invalid("input", f"{len(volts)} voltages", f"one for each of the {rows} {what}")
    return volts


def _own(g: Tensor, v: Tensor, wires: Wires, law: Conduction) -> Tensor:
    """What mho computes (cols,) [A]."""
    from mho.circuits import gated_current, operating_point

    if wires.source_line is not None:
        lines = (wires.source_line, wires.col, wires.source, wires.sense)
        return gated_current(g, v != 0, *lines) * v.abs().max() * v.sum().sign()
    return operating_point(g, v, **wires.arguments(g.shape[-2]), conduction=law).output_current


def _show(spice: Tensor, own: Tensor) -> None:
    """A table of the currents of the columns."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("column", "ngspice [A]", "mho [A]", "apart"):
        table.add_column(heading, justify="right")
    for j, (current, mine) in enumerate(zip(spice.tolist(), own.tolist(), strict=True)):
        apart = abs(mine - current) / abs(current) if current else abs(mine)
        table.add_row(str(j), f"{current:.9e}", f"{mine:.9e}", f"{apart:.1e}")
    say(table)
