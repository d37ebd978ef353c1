"""One writer: a second process that would write the same is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from mho.errors import InvalidInput, invalid
from mho.files.writing import naming


class Taken(InvalidInput):
    """Another process writes it."""


@contextmanager
def only_writer(path: Path, field: str, value: object) -> Iterator[None]:
    """Be the only process that writes something, for as long as the block lasts.

    A process that ends, in whatever way, keeps no lock.

    Args:
        path: the lock, a file that is made and stays.
        field: what is to be written, as an option of a command.
        value: its value.

    Raises:
        Taken: another process writes it.
        OSError: the lock cannot be made.
    """
    lock = FileLock(path, timeout=0)
    try:
        with naming(path):
            lock.acquire()
    except Timeout:
        allowed = "one that no other process is writing to; wait for its end, or stop it"
        raise Taken(str(invalid(field, str(value), allowed))) from None
    try:
        yield
    finally:
        lock.release()
