"""All that is known of a device in one record: what `mho fit` writes and `--device-file` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mho.arguments import checked
from mho.config import Config
from mho.errors import invalid
from mho.files import read_toml
from mho.physics.cell import Cell
from mho.physics.conduction import Conduction
from mho.physics.disturb import Disturb
from mho.physics.fluctuation import Flicker, Telegraph
from mho.physics.of_conductance import check_in_window
from mho.physics.retention import Retention


class Preset(Config):
    """A cell and the laws of what else it does; what is not known is None.

    As TOML each is a table of the field's name: [device], [conduction], [retention] and so on.
    """

    device: Cell | None = None
    """The cell: how it is programmed."""
    conduction: Conduction | None = None
    """How its current follows the voltage."""
    retention: Retention | None = None
    """How it relaxes."""
    flicker: Flicker | None = None
    """Its 1/f noise."""
    telegraph: Telegraph | None = None
    """Its random telegraph noise."""
    disturb: Disturb | None = None
    """What reads, and pulses on its neighbours, do to it."""
    note: str = ""
    """Where the numbers come from."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.device is not None:
            for record in (self.device, self.retention, self.flicker):
                check_in_window(record, self.device.window)

    @property
    def cell(self) -> Cell:
        """The cell.

        Raises:
            ValueError: the preset has none.
        """
        if self.device is None:
            raise invalid("Preset.device", None, "a cell; the preset has none")
        return self.device

    @classmethod
    @checked
    def read(cls, path: Path | str) -> Preset:
        """The preset of a TOML file; a file that is a cell alone, without tables, is taken too.

        Raises:
            ValueError: it cannot be read; the message names the file and the field.
        """
        data: dict[str, Any] = read_toml(Path(path), "device file")
        try:
            preset = cls.from_dict({"device": data} if "family" in data else data)
        except ValueError as error:
            raise invalid("device file", str(path), f"a preset ({error})") from error
        if preset.replace(note="") == cls():
            raise invalid("device file", str(path), "a table [device], or another law")
        return preset
