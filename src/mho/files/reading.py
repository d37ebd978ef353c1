"""Reading: a regular file, of a bounded size, or a refusal that names it and the cause."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from mho.errors import InvalidInput, invalid

MOST = 1 << 28
"""Largest text file that is read [bytes]."""


def read_bytes(path: Path, field: str = "file", *, most: int = MOST, wanted: str = "") -> bytes:
    """What a file holds.

    Args:
        field: what the file is called, as an option of a command.
        most: largest size [bytes].
        wanted: what kind of file is asked for, in words.

    Raises:
        ValueError: there is no such file, it is none (a folder, a device, a pipe), it cannot be
            read, or it is larger.
    """
    wanted = wanted or "a file that can be read"
    try:
        with open(path, "rb", opener=_opener) as file:
            content = file.read(min(most, os.fstat(file.fileno()).st_size) + 1)
    except OSError as error:
        raise invalid(field, str(path), f"{wanted} ({error.strerror})") from error
    except InvalidInput as error:
        raise invalid(field, str(path), f"{wanted} ({error})") from None
    except ValueError as error:  # a NUL in the name
        raise invalid(field, str(path), wanted) from error
    if len(content) > most:
        raise invalid(field, str(path), f"{wanted} of at most {most} bytes")
    return content


def read_text(path: Path, field: str = "file", *, most: int = MOST, wanted: str = "") -> str:
    """The text of a file in UTF-8, with or without its mark.

    Raises:
        ValueError: as `read_bytes`, or it is not UTF-8.
    """
    content = read_bytes(path, field, most=most, wanted=wanted)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        allowed = f"{wanted or 'a text file'} in UTF-8 (byte {error.start} is not)"
        raise invalid(field, str(path), allowed) from error


def _opener(path: str, flags: int) -> int:
    """Open a regular file; what would make a read wait for ever is not opened for it."""
    handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        raise InvalidInput("it is a folder" if stat.S_ISDIR(mode) else "it is no regular file")
    return handle
