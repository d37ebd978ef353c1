"""`mho serve-chip`: the reference instrument, a simulated chip behind the protocol."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from mho.cli import names
from mho.cli.options import Option
from mho.cli.terminal import say, tell
from mho.errors import invalid, unknown

if TYPE_CHECKING:
    from mho import Hardware
    from mho.instruments.address import Address


@dataclass(frozen=True)
class ServeChip:
    """Serve a simulated chip as an instrument, until Ctrl-C.

    --protocol says how it is asked. Without a token whoever reaches the port uses the chip; nothing
    is encrypted.
    """

    protocol: bool = False
    """Print the protocol, in Markdown, and serve nothing."""
    host: Annotated[str, Option("HOST")] = "127.0.0.1"
    """Address to listen on; the default is reached from this machine alone, 0.0.0.0 and :: from
    all others."""
    port: Annotated[int, Option("PORT")] = 6047
    """Port to listen on; 0: any free one, which is printed."""
    socket: Annotated[Path | None, Option("PATH")] = None
    """Listen on a Unix socket instead, which you alone can use (mode 0600); hosts say unix:PATH."""
    token_file: Annotated[Path | None, Option("FILE")] = None
    """File with a secret that hosts must know; else that in the environment variable
    MHO_CHIP_TOKEN, else none."""
    idle: Annotated[float, Option("SECONDS")] = 600.0
    """Silence after which a connection is closed [s]; its host may come back."""
    device: Annotated[str, Option("DEVICE", complete=names.devices)] = "hfo2-1t1r"
    """Cells, one of mho list devices."""
    device_file: Annotated[Path | None, Option("FILE.toml")] = None
    """Preset of mho fit, for other cells; of its tables [device] alone counts."""
    arrays: Annotated[int, Option("N")] = 16
    """Arrays of the chip."""
    rows: Annotated[int, Option("N")] = 128
    """Rows of an array."""
    cols: Annotated[int, Option("N")] = 128
    """Columns of an array."""
    programming: Annotated[str | None, Option("WAY", complete=names.ways_to_program)] = None
    """How it programs: verify; open-loop, which never sees that a cell refuses; as-measured. If not
    given, so that cells show the spread of their numbers."""
    read_noise: Annotated[float | None, Option("SHARE")] = None
    """Standard deviation of one read of one cell, as a share of the window, 0 to 1; if not given,
    that of the cell."""
    stuck: Annotated[float | None, Option("SHARE")] = None
    """Share of cells stuck, 0 to 1, half of them at each end of the window; if not given, that of
    the cell."""
    wire_resistance: Annotated[float, Option("OHMS")] = 0.0
    """Resistance of every piece of word line and bit line [ohm]."""
    volts: Annotated[float, Option("VOLTS")] = 0.2
    """Largest voltage of a read [V]."""
    seed: Annotated[int, Option("N")] = 0
    """Seed of the chip: same seed and same requests, same numbers."""
    state: Annotated[Path | None, Option("FILE")] = None
    """Keep the chip in this file, before each answer; a server started again goes on from it."""

    def run(self) -> None:
        """Serve until interrupted, or print the protocol."""
        if self.protocol:
            text = (resources.files("mho.instruments") / "protocol.md").read_text("utf-8")
            say(text.removesuffix("\n"))
            return
        import torch

        from mho.instruments import Access, InstrumentServer, SimulatedInstrument, read_token
        from mho.instruments.state_file import StateFile

        if self.socket is not None and (self.host, self.port) != (ServeChip.host, ServeChip.port):
            raise invalid("socket", str(self.socket), "nothing with --host or --port")
        where = (self.host, self.port) if self.socket is None else (f"unix:{self.socket}", 0)
        access, token = Access(idle=self.idle), read_token(self.token_file)
        torch.set_num_threads(1)  # a sum in another order would be another number
        chip = SimulatedInstrument(self._hardware(), self.arrays, seed=self.seed, volts=self.volts)
        state = None if self.state is None else StateFile(self.state, chip)
        server = InstrumentServer(chip, *where, state, token=token, access=access, told=_log)
        if not server.address.loopback:
            _warn(server.address, token)
        arrays = f"{self.arrays} arrays of {self.rows} x {self.cols}"
        try:
            say(f"mho: {arrays} cells served on {server.address}; Ctrl-C stops")
            server.serve()
        except KeyboardInterrupt:
            say("mho: stopped")
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


def _log(text: str) -> None:
    """Who comes and goes, on stderr."""
    print(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {text}", file=sys.stderr, flush=True)


def _warn(address: Address, token: str | None) -> None:
    """Say who can reach a server that other machines reach."""
    who = "whoever reaches it uses the chip" if token is None else "the token is sent as it is"
    tell(
        f"warning: {address} is reached from other machines: {who}, and nothing is encrypted; "
        "a tunnel to 127.0.0.1 is safer, see --protocol"
    )
