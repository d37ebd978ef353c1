"""One writer: a second process that would write the same is refused, on whatever file system.

The lock of the operating system comes first. Not every shared file system has it, and some keep it
to one machine; so the lock's file also says who writes, and how often he has said so: a number that
grows as long as he does. Clocks of machines are never compared.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mho.errors import InvalidInput, invalid
from mho.files.writing import naming

if TYPE_CHECKING:
    from filelock import FileLock

SAID_EVERY = 5.0
"""Seconds between two signs of life of a writer."""

SILENT = 30.0
"""Seconds without one after which a writer on another machine counts as gone."""

SETTLE = 1.0
"""Seconds until who wrote his name last has it, where there is no lock of the system."""

UNSUPPORTED = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)
"""Errors of file systems without locks."""


class Taken(InvalidInput):
    """Another process writes it."""


@dataclass(frozen=True)
class _Writer:
    """Who writes, as the lock's file says."""

    token: str
    host: str
    """Machine, as `machine` names it."""
    pid: int
    said: int = 0
    """Signs of life so far."""


class Writing:
    """The right to write something, as long as `only_writer` lasts."""

    def __init__(self, path: Path, writer: _Writer, refusal: Taken) -> None:
        self._path, self._writer, self._refusal = path, writer, refusal
        self._over = threading.Event()

    def check(self) -> None:
        """Refuse to write on if another process has taken over, as after a long sleep.

        Raises:
            Taken: it has.
        """
        now = _read(self._path)
        if now is not None and now.token != self._writer.token:
            raise self._refusal

    def _say(self) -> None:
        while not self._over.wait(SAID_EVERY):
            with suppress(OSError, Taken):
                self.check()
                self._writer = replace(self._writer, said=self._writer.said + 1)
                _write(self._path, self._writer)


@contextmanager
def only_writer(path: Path, field: str, value: object) -> Iterator[Writing]:
    """Be the only process that writes something, for as long as the block lasts.

    A process that ends, in whatever way, keeps no lock; one on another machine that has ended
    without a word is waited for, `SILENT` seconds.

    Args:
        path: the lock, a file that is made and stays.
        field: what is to be written, as an option of a command.
        value: its value.

    Raises:
        Taken: another process writes it.
        OSError: the lock cannot be made.
    """
    from filelock import FileLock  # slow to import

    allowed = "one that no other process is writing to; wait for its end, or stop it"
    refusal = Taken(str(invalid(field, str(value), allowed)))
    own = _Writer(secrets.token_hex(8), machine(), os.getpid())
    lock = FileLock(path, timeout=0)
    locked = _locked(lock, path, refusal)
    try:
        if _is_written(path, own, locked):
            raise refusal
        with naming(path):
            _write(path, own)
        if not locked:
            time.sleep(SETTLE)
        writing = Writing(path, own, refusal)
        writing.check()
        thread = threading.Thread(target=writing._say, daemon=True)
        thread.start()
        try:
            yield writing
        finally:
            writing._over.set()
            thread.join()
            with suppress(OSError, Taken):
                writing.check()
                _write(path, None)
    finally:
        if locked:
            lock.release()


def _locked(lock: FileLock, path: Path, refusal: Taken) -> bool:
    """Take the lock of the system; False: the file system has none."""
    from filelock import Timeout

    try:
        with naming(path):
            lock.acquire()
    except Timeout:
        raise refusal from None
    except NotImplementedError:
        return False
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        return False
    return True


def _is_written(path: Path, own: _Writer, locked: bool) -> bool:
    """Whether another process is at it, as far as the lock of the system does not say."""
    writer = _read(path)
    if writer is None:
        return False
    if writer.host == own.host and (locked or not is_alive(writer.pid)):
        return False
    # One that is there may be another process, which has the number since the machine was started.
    until = time.monotonic() + SILENT
    while time.monotonic() < until:
        time.sleep(min(1.0, SILENT))
        if _read(path) != writer:
            return True
    return False


@cache
def machine() -> str:
    """This machine since it was started: its name, and a number, as several may have one name."""
    try:
        number = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # not on every system
        number = f"{uuid.getnode():x}"
    return f"{socket.gethostname()} {number}"


def is_alive(pid: int) -> bool:
    """Whether there is a process of this number on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is there, and another user's
        return True
    return True


def _read(path: Path) -> _Writer | None:
    """Who writes; None: nobody, or the file says nothing that can be read."""
    try:
        return _Writer(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _write(path: Path, writer: _Writer | None) -> None:
    """Say who writes, in the file itself: another one of its name would be no lock."""
    text = "" if writer is None else json.dumps(asdict(writer))
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
    try:
        os.write(handle, text.encode())
        os.truncate(handle, len(text.encode()))
    finally:
        os.close(handle)
