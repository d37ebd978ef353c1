"""`mho show`: the card of a device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mho.cli.terminal import say
from mho.errors import invalid, unknown

if TYPE_CHECKING:
    from mho.results.card import Card


@dataclass(frozen=True)
class Show:
    """Show what is known of a device: its numbers, and with --out its card as one figure."""

    source: Annotated[str, tyro.conf.Positional]
    """A device of mho list devices, a dynamic model, or a file of mho fit."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Figure to write: .png, .svg or .pdf."""
    overwrite: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Replace the file that is there."""

    def run(self) -> None:
        """Print the numbers, draw the figure."""
        from mho.files import write_bytes
        from mho.report.card import picture_of

        ending = "" if self.out is None else ending_of(self.out, self.overwrite)
        card = self._card()
        if self.out is not None:
            write_bytes(self.out, picture_of(card, ending))
        _say(card)
        if self.out is not None:
            say(str(self.out))

    def _card(self) -> Card:
        from mho import card
        from mho.physics import devices, dynamics

        name = self.source
        if name in devices.PRESETS:
            return card.of_preset(name, devices.preset(name))
        if name in dynamics.MODELS:
            return card.of_model(name, dynamics.get(name))
        path = Path(name)
        if path.suffix == ".toml" or path.is_file():
            return card.of_preset(path.stem, devices.read(path))
        raise unknown("device", name, [*devices.PRESETS, *dynamics.MODELS])


def ending_of(out: Path, overwrite: bool) -> str:
    """Kind of a figure that is to be written, checked before any work."""
    from mho.files import check_output
    from mho.report.card import FORMATS

    check_output(out, overwrite=overwrite)
    ending = out.suffix.removeprefix(".").lower()
    if ending not in FORMATS:
        raise invalid("out", str(out), "a file that ends in .png, .svg or .pdf")
    return ending


def _say(card: Card) -> None:
    """The column of numbers."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False, title=None)
    for name, value in card.numbers:
        table.add_row(name, Text(value))
    say(Text(card.name, "bold"), table, *([Text(card.note)] if card.note else []))
