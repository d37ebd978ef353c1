"""`mho fit`: a measured file as a preset, with what speaks for and against it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mho.cli.terminal import say
from mho.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from mho.fit import Fit as Found
    from mho.physics import Preset

Volts = Annotated[float | None, tyro.conf.arg(metavar="V")]


@dataclass(frozen=True)
class Fit:
    """Fit a device to measured data: pulse trains, program-and-read tables, reads of two states,
    I-V sweeps, retention traces; write it as a preset for --device-file."""

    source: Annotated[Path, tyro.conf.Positional]
    """Text table with a line of headings and their units, as pulse; polarity; G [uS]."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.toml")]
    """Preset to write; the residual plot goes beside it as .png."""
    kind: Annotated[str | None, tyro.conf.arg(metavar="STR")] = None
    """pulses, levels, states, iv or retention; else what the columns say."""
    v_read: Volts = None
    """Read voltage [V] of a column of currents; else its own column V_read."""
    levels: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Levels of the cell [1], from pulses or targets; else 9, or the evenly spaced targets."""
    family: Annotated[str | None, tyro.conf.arg(metavar="STR")] = None
    """Of a cell under pulses: pulse-response or pulse-table; else what the data say."""
    amplitude: Annotated[tuple[float, float] | None, tyro.conf.arg(metavar="V V")] = None
    """Amplitudes of the SET and the RESET pulses to fit [V], where the file has pulses of several;
    else all are to be alike."""
    add: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Add to the preset that is there what it does not know yet."""
    overwrite: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Replace the file that is there."""

    def run(self) -> None:
        """Fit, print, write."""
        from mho import fit
        from mho.experiments.progress import Progress
        from mho.files import encoded, write_files
        from mho.report.residuals import picture_of

        before = self._before()
        found = fit.fit(
            fit.read(self.source),
            self.kind,
            v_read=self.v_read,
            levels=self.levels,
            family=self.family,
            amplitude=self.amplitude,
            bar=Progress("fit").bar,
        )
        preset = self._preset(before, found)
        picture = picture_of(found.picture, f"{self.source.name}: {found.kind}")
        write_files({self.out: encoded(preset.to_toml()), self._picture(found.kind): picture})
        say(*_told(found, str(self.source)), str(self.out))

    def _before(self) -> Preset:
        """The preset that is there, checked before any work."""
        from mho.files import check_output
        from mho.physics import Preset

        if self.out.suffix != ".toml":
            raise invalid("out", str(self.out), "a .toml file")
        if self.add and self.overwrite:
            raise invalid("overwrite", True, "one of --add and --overwrite")
        if self.v_read is not None and not 0 < abs(self.v_read) < 100:
            raise invalid("v_read", self.v_read, "a voltage other than 0, below 100 V")
        if self.levels is not None and not 2 <= self.levels <= 4096:
            raise invalid("levels", self.levels, "2 to 4096")
        there = self.out.exists()
        if there and not (self.add or self.overwrite):
            raise invalid("out", str(self.out), "a new file; --overwrite replaces it, --add adds")
        check_output(self.out, overwrite=True)
        check_output(self._picture(), overwrite=self.add or self.overwrite)
        return Preset.read(self.out) if there and self.add else Preset()

    def _preset(self, before: Preset, found: Found) -> Preset:
        """The preset with what was found."""
        if getattr(before, found.table) is not None:
            allowed = f"a preset without [{found.table}]; --overwrite replaces it"
            raise invalid("out", str(self.out), allowed)
        today = datetime.now(UTC).date().isoformat()
        note = (
            f"[{found.table}]: mho fit {self.source.name}, {found.kind}, "
            f"n = {found.goodness.n}, {today}."
        )
        record = found.record
        if found.table == "device":
            record = record.replace(note=note)
        notes = f"{before.note} {note}".strip()
        return before.replace(**{found.table: record, "note": notes})

    def _picture(self, kind: str | None = None) -> Path:
        """The residual plot beside the preset; with --add its name says the kind."""
        path = self.out.with_suffix(".png")
        if self.add and path.exists() and kind is not None:
            path = self.out.with_name(f"{self.out.stem}-{kind}.png")
        return path


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
        state = rival.name.partition(" ")[0]
        groups.setdefault(state if found.kind == "states" else "", []).append(rival)
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
