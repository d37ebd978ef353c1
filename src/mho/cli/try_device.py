"""`mho try`: what a small network would do on a device, in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from mho.cli import names
from mho.cli.options import Argument, Option
from mho.cli.show import ending_of
from mho.cli.terminal import say
from mho.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from mho.results.trial import Trial


@dataclass(frozen=True)
class Try:
    """Try a device on a small network that was trained beforehand.

    It says the accuracy over chips and time, what limits it, writes, energy and lifetime; with
    --out all of it and the card of the device as one figure.
    """

    source: Annotated[str, Argument("DEVICE", names.devices)]
    """A device of mho list devices, a file of mho fit, or a measured file as mho fit takes it."""
    out: Annotated[Path | None, Option("FILE")] = None
    """Figure to write: .png, .svg or .pdf."""
    chips: Annotated[int, Option("N")] = 8
    """Chips, each drawn anew."""
    seed: Annotated[int, Option("N")] = 0
    """Seed of everything that is drawn."""
    v_read: Annotated[float | None, Option("VOLTS")] = None
    """Read voltage of a measured file's currents [V]; else its own column V_read."""
    prices: Annotated[str, Option("LIST", complete=names.prices)] = "hfo2-130nm"
    """Price list, of mho list prices or of a .toml file."""
    overwrite: bool = False
    """Replace the file that is there."""

    def run(self) -> None:
        """Measure, print, draw."""
        from mho import card, prices, trial
        from mho.experiments.progress import Progress
        from mho.files import write_bytes
        from mho.report.trial import picture_of
        from mho.trial.device import device

        ending = "" if self.out is None else ending_of(self.out, self.overwrite)
        prices.get(self.prices)
        if not 2 <= self.chips <= 1000:
            raise invalid("chips", self.chips, "2 to 1000")
        name, preset, fitted = device(self.source, self.v_read)
        if fitted:
            say(fitted)
        with Progress("try").bar(name, trial.steps(preset), 0) as advance:
            found = trial.of_preset(name, preset, self.chips, self.seed, self.prices, advance)
        if self.out is not None:
            picture = picture_of(found, card.of_preset(name, preset), ending)
            write_bytes(self.out, picture)
        say(*_told(found))
        if self.out is not None:
            say(str(self.out))


def _told(found: Trial) -> Iterator[Table | str]:
    """Accuracies, costs, limits, and what it comes to."""
    from rich.table import Table

    yield f"{found.name}: {found.network}; {100 * found.in_float:.1f} % in float"
    yield f"chips: {found.chips}"
    table = Table(box=None, pad_edge=False)
    table.add_column("accuracy, mean ± deviation of chips")
    for name, _ in found.times:
        table.add_column(name, justify="right")
    for what, accuracy in found.accuracy.items():
        cells = [f"{100 * a.mean():.1f} ± {100 * a.std(ddof=1):.1f} %" for a in accuracy]
        table.add_row(what, *cells)
    yield table
    limits = Table(box=None, pad_edge=False)
    limits.add_column(f"points won by mending one alone, {found.times[-1][0]} ± error")
    for what in found.limits:
        limits.add_column(what, justify="right")
    written = {limit.name: limit for limit in found.limits["as written"]}
    for repaired in found.limits["after repair"]:
        both = (written[repaired.name], repaired)
        shown = [f"{100 * limit.mean:.2f} ± {100 * limit.error:.2f}" for limit in both]
        limits.add_row(repaired.name, *shown)
    yield limits
    costs = Table(box=None, pad_edge=False, show_header=False)
    for name, value in found.costs:
        costs.add_row(name, value)
    yield costs
    yield from found.verdicts()
    for remark in found.remarks:
        yield f"note: {remark}"
