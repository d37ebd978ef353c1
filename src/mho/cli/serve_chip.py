"""`mho serve-chip`: the reference instrument, a simulated chip behind the protocol."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mho.errors import invalid, unknown

if TYPE_CHECKING:
    from mho import Hardware


@dataclass(frozen=True)
class ServeChip:
    """Serve a simulated chip as an instrument over TCP, until Ctrl-C; --protocol says how it is
    asked. There is no authentication: whoever reaches the port uses the chip."""

    protocol: bool = False
    """Print the protocol, in Markdown, and serve nothing."""
    host: str = "127.0.0.1"
    """Address to listen on; the default is reached from this machine alone."""
    port: int = 6047
    """Port to listen on [1]; 0: any free one, which is printed."""
    device: str = "hfo2-1t1r"
    """Cells; see mho list devices."""
    device_file: Annotated[Path | None, tyro.conf.arg(metavar="FILE.toml")] = None
    """Preset of mho fit, for other cells; of its tables [device] alone counts."""
    arrays: int = 16
    """Arrays of the chip [1]."""
    rows: int = 128
    """Rows of an array [1]."""
    cols: int = 128
    """Columns of an array [1]."""
    programming: Annotated[str | None, tyro.conf.arg(metavar="STR")] = None
    """How it programs: verify; open-loop, which never sees that a cell refuses; as-measured; else
    so that cells show the spread of their numbers."""
    read_noise: Annotated[float | None, tyro.conf.arg(metavar="FLOAT")] = None
    """Standard deviation of one read of one cell, as a share of the window [1]; else the cell's."""
    stuck: Annotated[float | None, tyro.conf.arg(metavar="FLOAT")] = None
    """Share of cells stuck, half at each end of the window [1]; else the cell's."""
    wire_resistance: float = 0.0
    """Of every piece of word line and bit line [ohm]."""
    volts: float = 0.2
    """Largest voltage of a read [V]."""
    seed: int = 0
    """Seed of the chip [1]: same seed and same requests, same numbers."""
    state: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Keep the chip in this file, before each answer; a server started again goes on from it."""

    def run(self) -> None:
        """Serve until interrupted, or print the protocol."""
        if self.protocol:
            print((resources.files("mho.instruments") / "protocol.md").read_text("utf-8"), end="")
            return
        import torch

        from mho.instruments import InstrumentServer, SimulatedInstrument
        from mho.instruments.state_file import StateFile

        if not 0 <= self.port < 65536:
            raise invalid("port", self.port, "0 to 65535")
        torch.set_num_threads(1)  # a sum in another order would be another number
        chip = SimulatedInstrument(self._hardware(), self.arrays, seed=self.seed, volts=self.volts)
        state = None if self.state is None else StateFile(self.state, chip)
        server = InstrumentServer(chip, self.host, self.port, state)
        host, port = server.address
        arrays = f"{self.arrays} arrays of {self.rows} x {self.cols}"
        print(f"mho: {arrays} cells served on {host}:{port}; Ctrl-C stops", flush=True)
        try:
            server.serve()
        except KeyboardInterrupt:
            print("mho: stopped", flush=True)
        finally:
            server.close()

    def _hardware(self) -> Hardware:
        """Cells and arrays."""
        from mho import Hardware, devices
        from mho.cells import AsMeasured, OpenLoop, Verify

        ways = {way.family: way for way in (Verify(), OpenLoop(), AsMeasured())}
        if self.programming is not None and self.programming not in ways:
            raise unknown("programming", self.programming, ways)
        if self.device_file is None:
            cell = devices.get(self.device)
        else:
            cell = devices.read(self.device_file).device
            if cell is None:
                allowed = "a preset with a table [device]"
                raise invalid("device_file", str(self.device_file), allowed)
        if self.read_noise is not None:
            cell = cell.replace(read_noise=self.read_noise)
        if self.stuck is not None:
            cell = cell.replace(stuck_off=self.stuck / 2, stuck_on=self.stuck / 2)
        return Hardware(
            device=cell,
            tile=(self.rows, self.cols),
            programming=None if self.programming is None else ways[self.programming],
            wire_resistance=self.wire_resistance,
        )
