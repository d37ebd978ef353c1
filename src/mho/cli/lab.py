"""`mho lab`: a device on a small network, in the browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mho.cli import names
from mho.cli.options import Argument, Option
from mho.cli.terminal import say


@dataclass(frozen=True)
class Lab:
    """Try devices and arrays in the browser.

    A page on this machine alone, until Ctrl-C: choose a device or drop a measured file, move
    converters, arrays, wires and levels, and see accuracy, energy, writes and lifetime, in about a
    second. It needs pip install 'mho[lab]'.
    """

    source: Annotated[str, Argument("DEVICE", names.devices)] = "hfo2-1t1r"
    """What the page begins with: a device of mho list devices, a file of mho fit, or a measured
    file as mho fit takes it."""
    v_read: Annotated[float | None, Option("VOLTS")] = None
    """Read voltage of a measured file's currents [V]; else its own column V_read."""
    port: Annotated[int, Option("N")] = 8047
    """Port of the page."""
    no_browser: bool = False
    """Say the address, and open no browser."""

    def run(self) -> None:
        """Serve the page."""
        from mho.files.extras import of_extra
        from mho.lab import server
        from mho.trial.device import device

        of_extra("lab", "nicegui")
        server.check_port(self.port)
        first = device(self.source, self.v_read)
        say(f"http://127.0.0.1:{self.port} until Ctrl-C")
        server.serve(first, self.port, opened=not self.no_browser)
