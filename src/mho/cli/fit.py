"""`mho fit`: a measured file as a preset, with what speaks for and against it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from mho.cli.options import Argument, Option
from mho.cli.terminal import say
from mho.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from mho.fit import Fit as Found
    from mho.fit import Table as Measured
    from mho.physics import Preset

Volts = Annotated[float | None, Option("VOLTS")]

IN_PARTS = ("states", "endurance", "switching")
"""Kinds of several models; the first word of a rival is what it describes."""


@dataclass(frozen=True)
class Fit:
    """Fit a device to measured data, and write it as a preset.

    Other commands take it as --device-file. Data are pulse trains, program-and-read tables, reads
    of two states, I-V sweeps and switching loops, endurance logs, or retention traces.
    """

    source: Annotated[tuple[Path, ...], Argument("FILE")]
    """Measured file, as the instrument wrote it: text, .xlsx, .xls, .ods, .mat; two, if SET and
    RESET are apart. docs/fitting.md in the source distribution says what is read."""
    out: Annotated[Path | None, Option("FILE.toml")] = None
    """Preset to write; the residual plot goes beside it as .png. With --look: a .png."""
    look: bool = False
    """Fit nothing: show how the file was read, and what would be fitted."""
    columns: Annotated[str, Option("ROLE=COLUMN,...")] = ""
    """What columns are, if they do not say it: 'time=Time [s], current=AI [A]'; by number if there
    are no headings: 'G [S]=3..'; 'unused=X' ignores one."""
    unit: Annotated[str, Option("COLUMN=UNIT,...")] = ""
    """Units of columns that do not say them: 'I=uA, Time=ms'."""
    sheet: Annotated[str, Option("NAME")] = ""
    """Sheet of a spreadsheet, or several as 'Run*'; else the one of which most is understood."""
    kind: Annotated[str | None, Option("KIND")] = None
    """pulses, levels, states, endurance, iv, switching or retention; else what the columns say."""
    v_read: Volts = None
    """Read voltage [V] of a column of currents; else its own column V_read."""
    levels: Annotated[int | None, Option("N")] = None
    """Levels of the cell, from pulses or targets; else 9, or the evenly spaced targets."""
    family: Annotated[str | None, Option("FAMILY")] = None
    """Of a cell under pulses: pulse-response or pulse-table; else what the data say."""
    amplitude: Annotated[tuple[float, float] | None, Option("VOLTS VOLTS")] = None
    """Amplitudes of the SET and the RESET pulses to fit [V], where the file has pulses of several;
    else all are to be alike."""
    add: bool = False
    """Add to the preset that is there what it does not know yet."""
    overwrite: bool = False
    """Replace the file that is there."""

    def run(self) -> None:
        """Fit, print, write; or show how the file was read."""
        from mho import fit

        if not self.source:
            raise invalid("source", "none", "a measured file: mho fit FILE --out device.toml")
        before = None if self.look else self._before()
        self._check()
        table = fit.read(self.source, columns=self.columns, units=self.unit, sheet=self.sheet)
        if before is None:
            self._look(table)
            return
        self._fit(table, *before)

    def _fit(self, table: Measured, out: Path, before: Preset) -> None:
        from mho import fit
        from mho.experiments.progress import Progress
        from mho.files import encoded, write_files
        from mho.report.residuals import picture_of

        found = fit.fit(
            table,
            self.kind,
            v_read=self.v_read,
            levels=self.levels,
            family=self.family,
            amplitude=self.amplitude,
            bar=Progress("fit").bar,
        )
        preset = self._preset(before, found, out)
        picture = picture_of(found.picture, f"{self._name}: {found.kind}")
        write_files({out: encoded(preset.to_toml()), self._picture(out, found.kind): picture})
        say(*_told(found, " + ".join(map(str, self.source))), str(out))

    def _look(self, table: Measured) -> None:
        """How the file was read, what would be fitted, and a picture of the data."""
        from mho.errors import InvalidInput
        from mho.files import check_output, write_files
        from mho.fit.recognise import reason, recognise
        from mho.report.measured import picture_of

        if self.out is not None:
            if self.out.suffix != ".png":
                raise invalid("out", str(self.out), "a .png file, as --look writes no preset")
            check_output(self.out, overwrite=self.overwrite)
        kind, why = "", ""
        try:
            kind = recognise(table, self.kind)
            why = reason(table, kind)
        except InvalidInput as error:
            why = f"nothing yet: {error}"
        say(*_read(table, " + ".join(map(str, self.source))), f"would be fitted: {why}")
        if self.out is not None:
            write_files({self.out: picture_of(table, kind, f"{self._name}: as read")})
            say(str(self.out))

    @property
    def _name(self) -> str:
        return " + ".join(path.name for path in self.source)

    def _check(self) -> None:
        """Numbers, before any work."""
        if self.v_read is not None and not 0 < abs(self.v_read) < 100:
            raise invalid("v_read", self.v_read, "a voltage other than 0, below 100 V")
        if self.levels is not None and not 2 <= self.levels <= 4096:
            raise invalid("levels", self.levels, "2 to 4096")

    def _before(self) -> tuple[Path, Preset]:
        """Where to write, and the preset that is there; checked before any work."""
        from mho.files import check_output
        from mho.physics import Preset

        out = self.out
        if out is None:
            raise invalid("out", None, "--out FILE.toml, or --look to see how the file is read")
        if out.suffix != ".toml":
            raise invalid("out", str(out), "a .toml file")
        if self.add and self.overwrite:
            raise invalid("overwrite", True, "one of --add and --overwrite")
        there = out.exists()
        if there and not (self.add or self.overwrite):
            raise invalid("out", str(out), "a new file; --overwrite replaces it, --add adds")
        check_output(out, overwrite=True)
        check_output(self._picture(out), overwrite=self.add or self.overwrite)
        return out, Preset.read(out) if there and self.add else Preset()

    def _preset(self, before: Preset, found: Found, out: Path) -> Preset:
        """The preset with what was found."""
        for table in found.records:
            if getattr(before, table) is not None:
                allowed = f"a preset without [{table}]; --overwrite replaces it"
                raise invalid("out", str(out), allowed)
        today = datetime.now(UTC).date().isoformat()
        tables = ", ".join(f"[{table}]" for table in found.records)
        note = f"{tables}: mho fit {self._name}, {found.kind}, n = {found.goodness.n}, {today}."
        records = dict(found.records)
        if "device" in records:
            records["device"] = records["device"].replace(note=note)
        notes = f"{before.note} {note}".strip()
        return before.replace(**records, note=notes)

    def _picture(self, out: Path, kind: str | None = None) -> Path:
        """The residual plot beside the preset; with --add its name says the kind."""
        path = out.with_suffix(".png")
        if self.add and path.exists() and kind is not None:
            path = out.with_name(f"{out.stem}-{kind}.png")
        return path


def _read(table: Measured, source: str) -> Iterator[Table | str]:
    """Format, lines, columns, layout, first rows."""
    from rich.table import Table

    account = table.account
    assert account is not None
    yield f"{source}: {account.format}; {len(table)} rows"
    yield "; ".join(f"{what}: line {lines}" for what, lines in account.lines)
    columns = Table(box=None, pad_edge=False)
    for heading in ("column", "taken for", "unit"):
        columns.add_column(heading)
    shown = account.columns[:30]
    for each in shown:
        columns.add_row(*each)
    yield columns
    if len(account.columns) > len(shown):
        yield f"and {len(account.columns) - len(shown)} more columns"
    yield "layout: " + "; ".join(account.layout)
    rows = Table(box=None, pad_edge=False)
    units = {name: unit for name, unit in _units().items() if name in table}
    for name in ("line", *table.columns):
        rows.add_column(f"{name} [{units[name]}]" if name in units else name, justify="right")
    for k in range(min(5, len(table))):
        numbers = [f"{table.numbers[n][k]:.6g}" for n in table.numbers]
        words = [str(table.words[n][k])[:24] for n in table.words]
        rows.add_row(str(table.lines[k]), *numbers, *words)
    yield rows
    for remark in table.remarks:
        yield f"note: {remark}"


def _units() -> dict[str, str]:
    from mho.fit.reading.vocabulary import UNITS

    return UNITS


def _told(found: Found, source: str) -> Iterator[Table | str]:
    """Parameters, goodness, rivals, and what was set aside."""
    from rich.table import Table

    from mho.results.units import number, prefixed

    good = found.goodness
    yield f"{source}: {found.kind}, {good.n} points"
    table = Table(box=None, pad_edge=False)
    for heading in ("parameter", "value", "95 % interval", "unit"):
        table.add_column(heading, justify="left" if heading in ("parameter", "unit") else "right")
    for p in found.parameters:
        factor, unit = prefixed(p.value, p.unit)
        ends = "given"
        if p.low is not None and p.high is not None:
            if not (math.isfinite(p.low) and math.isfinite(p.high)):
                table.add_row(p.name, number(p.value / factor), "not known", unit)
                continue
            ends = f"{number(p.low / factor)} to {number(p.high / factor)}"
        table.add_row(p.name, number(p.value / factor), ends, "" if unit == "1" else unit)
    yield table
    tests = [("R^2", good.r_squared), ("normal residuals, p", good.normal_p),
             ("random order, p", good.runs_p)]  # fmt: skip
    told = [
        f"{name} {value:.{5 if name == 'R^2' else 2}g}" for name, value in tests if value == value
    ]
    yield "goodness of fit: " + "; ".join(told)
    if good.free_run is not None:
        yield str(good.free_run)
    rivals = Table(box=None, pad_edge=False)
    for heading in ("family", "parameters", "AIC over the least"):
        rivals.add_column(heading, justify="left" if heading == "family" else "right")
    groups: dict[str, list] = {}
    for rival in found.rivals:
        part = rival.name.partition(" ")[0]
        groups.setdefault(part if found.kind in IN_PARTS else "", []).append(rival)
    for group in groups.values():
        least = min(r.aic for r in group)
        for rival in sorted(group, key=lambda r: r.aic):
            rivals.add_row(rival.name, str(rival.parameters), f"{rival.aic - least:.1f}")
    yield rivals
    if found.outliers:
        lines = ", ".join(map(str, found.outliers[:20]))
        more = f" and {len(found.outliers) - 20} more" if len(found.outliers) > 20 else ""
        yield f"set aside as outliers: line {lines}{more}"
    for remark in found.remarks:
        yield f"note: {remark}"
