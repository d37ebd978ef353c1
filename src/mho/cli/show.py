"""`mho show`: the card of a device, or of all; the numbers of a price list."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from mho.cli import names
from mho.cli.options import Argument, Option
from mho.cli.terminal import say
from mho.errors import invalid, unknown

if TYPE_CHECKING:
    from mho.hardware import Prices
    from mho.results.card import Card

ALL = "all"
"""What stands for every device."""


@dataclass(frozen=True)
class Show:
    """Show what is known of a device, or of a price list.

    Of a device its numbers, and with --out its card as one figure; of all, a page with the cards of
    all devices and dynamic models; of a price list each number, with its source or assumption.
    """

    source: Annotated[str, Argument("NAME", names.shown)]
    """A device of mho list devices, a dynamic model, a file of mho fit, or all; a price list of mho
    list prices, or a file of one."""
    out: Annotated[Path | None, Option("FILE")] = None
    """Figure to write: .png, .svg or .pdf; of all: a folder, with a page in Markdown."""
    overwrite: bool = False
    """Replace what is there."""

    def run(self) -> None:
        """Print the numbers, draw the figure."""
        if self.source == ALL:
            _show_all(self.out, self.overwrite)
            return
        from mho.files import write_bytes
        from mho.report.card import picture_of

        if (prices := self._prices()) is not None:
            if self.out is not None:
                raise invalid("out", str(self.out), "nothing: a price list has no figure")
            say(*_listed(self.source, prices))
            return
        ending = "" if self.out is None else ending_of(self.out, self.overwrite)
        card = self._card()
        if self.out is not None:
            write_bytes(self.out, picture_of(card, ending))
        _say(card)
        if self.out is not None:
            say(str(self.out))

    def _prices(self) -> Prices | None:
        """The price list of that name or file; None: it is something else."""
        from mho.files import read_toml
        from mho.hardware.price_lists import PRICES, get
        from mho.hardware.prices import Prices
        from mho.physics import Preset

        path = Path(self.source)
        if self.source in PRICES:
            return get(self.source)
        if path.suffix != ".toml" or not path.is_file():
            return None
        only = set(Prices.__dataclass_fields__) - set(Preset.__dataclass_fields__) - {"doi"}
        return get(self.source) if only & set(read_toml(path)) else None

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
        from mho.hardware.price_lists import PRICES

        raise unknown("device", name, [*devices.PRESETS, *dynamics.MODELS, *PRICES])


def _show_all(out: Path | None, overwrite: bool) -> None:
    """Write the page of all cards."""
    from mho import card
    from mho.experiments.progress import Progress
    from mho.files import check_output, write_files
    from mho.physics import devices, dynamics
    from mho.report.gallery import PAGE, gallery

    if out is None:
        raise invalid("out", None, f"a folder, as in mho show {ALL} --out gallery")
    check_output(out, folder=True)
    if out.is_dir():
        check_output(out / PAGE, overwrite=overwrite)
    cards = itertools.chain(
        (card.of_preset(name, preset) for name, preset in devices.PRESETS.items()),
        (card.of_model(name, dynamics.get(name)) for name in dynamics.MODELS),
    )
    total = len(devices.PRESETS) + len(dynamics.MODELS)
    with Progress("show").bar("cards", total, 0) as advance:
        files = gallery("Devices", cards, advance)
    write_files({out / name: content for name, content in files.items()})
    say(str(out / PAGE))


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


def _listed(name: str, prices: Prices) -> list[Any]:
    """The numbers of a price list: value, what it is and its unit, source or assumption."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in ("number", "value", "what", "source or assumption"):
        table.add_column(column, overflow="fold")
    for key, value, what in prices.settings():
        if key in ("doi", "note", "assumptions"):
            continue
        shown = "not priced" if value == "none" else value
        table.add_row(key, Text(shown), Text(what), Text(prices.source(key)))
    return [Text(name, "bold"), table, Text(f"{prices.note} {prices.doi}".strip())]
