"""A simulated chip in a file, so that a server that was stopped goes on where it was."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mho.errors import InvalidInput, invalid
from mho.files.archive import read_archive
from mho.instruments.simulated import SimulatedInstrument

FORMAT = 1
"""Version of the file's layout."""


class StateFile:
    """Keeps a simulated chip and the session of its host; replaced atomically, never unpickled.

    Cells lie in the file, which is written when one changes; what a read changes, a count, lies in
    a small file beside it, `*.reads`, with the serial number of the file it belongs to. A server
    that dies loses nothing that it has answered; a machine that loses power may lose the last
    second, as no file is forced to disk.

    Args:
        path: the file; made at the first change.
        instrument: what is kept.
    """

    def __init__(self, path: Path, instrument: SimulatedInstrument) -> None:
        self.path, self._instrument = path, instrument
        self._reads = path.with_name(f"{path.name}.reads")
        self._serial = 0

    def load(self) -> tuple[str, int, str] | None:
        """Bring the chip to the state of the file; returns the session, None if there is no file.

        Raises:
            ValueError: the file cannot be read, or is that of a chip made otherwise.
        """
        if not self.path.exists():
            if not self.path.parent.is_dir():
                raise invalid("state", str(self.path), "a file in a folder that exists")
            return None
        try:
            state = read_archive(self.path)
            if not (isinstance(state, dict) and state.get("format") == FORMAT):
                raise ValueError(f"its layout is not version {FORMAT}")
            self._instrument.load_state_dict(state["chip"])
            self._serial, session = state["serial"], state["session"]
        except (OSError, ValueError) as error:
            raise _no_state(self.path, str(error)) from error
        except Exception as error:
            raise _no_state(self.path, "parts of it are missing or of another kind") from error
        if self._reads.exists():
            try:
                since = json.loads(self._reads.read_text(encoding="ascii"))
                if since["serial"] == self._serial:
                    self._instrument.vectors, session = since["vectors"], since["session"]
            except Exception as error:
                raise _no_state(self._reads, "it is damaged") from error
        return tuple(session)

    def save(self, session: tuple[str, int, str], *, changed: bool) -> None:
        """Keep the session, the count of reads, and the cells if one may have changed."""
        if changed or not self.path.exists():
            self._serial += 1
            state: dict[str, Any] = {
                "format": FORMAT,
                "serial": self._serial,
                "chip": self._instrument.state_dict(),
                "session": list(session),
            }
            _replace(self.path, lambda path: torch.save(state, path))
            return
        since = {"serial": self._serial, "vectors": self._instrument.vectors}
        text = json.dumps(since | {"session": list(session)})
        _replace(self._reads, lambda path: path.write_text(text, encoding="ascii"))


def _no_state(path: Path, why: str) -> InvalidInput:
    return invalid("state", str(path), f"the state of this chip ({why})")


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside `path`, then put it in its place in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
