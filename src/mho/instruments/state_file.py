"""A simulated chip kept in a file, with the session of its host."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mho.errors import InvalidInput, invalid
from mho.files import check_output, clear_leftovers, only_writer, read_json, write_json
from mho.files.archive import read_archive, write_archive
from mho.instruments.chip_state import check_count, fields_of
from mho.instruments.simulated import SimulatedInstrument

FORMAT = 1
"""Version of the file's layout."""


class StateFile:
    """Keeps a simulated chip and the session of its host; replaced atomically, never unpickled.

    Cells lie in the file, which is written when one changes, and forced to disk; what a read
    changes, a count, lies in a small file beside it, `*.reads`, with the serial number of the file
    it belongs to. A server that dies loses nothing that it has answered; a machine that loses power
    may lose the count of the last reads. Both carry digests.

    Args:
        path: the file; made at the first change.
        instrument: what is kept.
    """

    def __init__(self, path: Path | str, instrument: SimulatedInstrument) -> None:
        self.path, self._instrument = Path(path), instrument
        self._serial = 0
        self._lock = ExitStack()

    @property
    def _reads(self) -> Path:
        return self.path.with_name(f"{self.path.name}.reads")

    def start(self) -> tuple[str, int, str] | None:
        """Become the file's only writer until `stop`, and bring the chip to its state.

        Returns:
            The session; None if there is no file.

        Raises:
            ValueError: another server keeps its chip there, it cannot be written, or as `load`.
        """
        try:
            check_output(self.path, "state", overwrite=True)
            lock = self.path.with_name(f"{self.path.name}.lock")
            self._lock.enter_context(only_writer(lock, "state", self.path))
        except OSError as error:
            allowed = f"a file in a folder that exists, and that can be written ({error.strerror})"
            raise invalid("state", str(self.path), allowed) from error
        try:
            for path in (self.path, self._reads):
                clear_leftovers(path.parent, of=path.name)
            return self.load()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Let others write the file."""
        self._lock.close()

    def load(self) -> tuple[str, int, str] | None:
        """Bring the chip to the state of the file; returns the session, None if there is no file.

        Raises:
            ValueError: the file cannot be read, or is that of a chip made otherwise; then the chip
                is as it was.
        """
        if not self.path.exists():
            return None
        try:
            kinds = {"format": int, "serial": int, "chip": dict, "session": list}
            state = read_archive(self.path)
            if not (isinstance(state, dict) and state.get("format") == FORMAT):
                raise InvalidInput(f"its layout is not version {FORMAT}")
            state = fields_of(state, kinds, "content")
            check_count(state["serial"], "serial")
            session = _checked_session(state["session"])
            self._instrument.check_state(state["chip"])
        except (OSError, ValueError) as error:
            raise _no_state(self.path, str(error)) from error
        vectors = None
        if self._reads.exists():
            try:
                kinds = {"serial": int, "vectors": int, "session": list}
                since = fields_of(read_json(self._reads), kinds, "content", no_more=True)
                check_count(since["vectors"], "vectors")
                later = _checked_session(since["session"])
            except (OSError, ValueError) as error:
                go_on = f"without it the chip goes on from {self.path.name}, less its last reads"
                raise _no_state(self._reads, f"it is damaged; {go_on}") from error
            if since["serial"] == state["serial"]:
                vectors, session = since["vectors"], later
        self._instrument.load_state_dict(state["chip"])
        self._serial = state["serial"]
        if vectors is not None:
            self._instrument.vectors = vectors
        return session

    def snapshot(self, *, changed: bool) -> Callable[[], None]:
        """What puts the chip back to where it is now, from memory: all of it if a cell may change,
        else the count of reads."""
        chip, vectors = self._instrument, self._instrument.vectors
        if not changed:
            return lambda: setattr(chip, "vectors", vectors)
        state = chip.state_dict()
        cells = {name: value.clone() for name, value in state["cells"].items()}
        return lambda: chip.load_state_dict({**state, "cells": cells})

    def save(self, session: tuple[str, int, str], *, changed: bool) -> None:
        """Keep the session, the count of reads, and the cells if one may have changed.

        Raises:
            OSError: it cannot be kept; the files are as they were.
        """
        if changed or not self.path.exists():
            state: dict[str, Any] = {
                "format": FORMAT,
                "serial": self._serial + 1,
                "chip": self._instrument.state_dict(),
                "session": list(session),
            }
            write_archive(self.path, state)
            self._serial += 1
            return
        since = {"serial": self._serial, "vectors": self._instrument.vectors}
        write_json(self._reads, since | {"session": list(session)}, to_disk=False)


def _checked_session(session: list[Any]) -> tuple[str, int, str]:
    """Name, number and reply.

    Raises:
        ValueError: they are none.
    """
    if list(map(type, session)) != [str, int, str]:
        raise InvalidInput("its session is not a name, a number and a reply")
    name, last, reply = session
    check_count(last, "the number of the last request")
    named = name == "" or (name.isascii() and name.isalnum())
    replied = reply.isascii() and "\n" not in reply and reply.startswith(f"{last} " * (last > 0))
    if not (named and replied):
        raise InvalidInput("its session is not that of a host")
    return name, last, reply


def _no_state(path: Path, why: str) -> InvalidInput:
    return invalid("state", str(path), f"the state of this chip ({why})")
