"""Writing: a file appears whole, under its name, or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

SUFFIX = ".tmp"
"""End of the names of temporary files; they begin with a dot."""

_SHOWN = 40
"""Letters of a file's name in that of its temporary file, of up to 4 bytes each."""


@contextmanager
def replacing(path: Path, keep: Path | None = None, *, to_disk: bool = True) -> Iterator[Path]:
    """Write a file beside `path`, then put it in its place in one step.

    Args:
        keep: name that the file which was there takes, once the new one is whole.
        to_disk: whether to wait for the disk, so that the file outlives a loss of power.

    Raises:
        OSError: it cannot be written; the error names `path`. What was there is unchanged.
    """
    temporary = _beside(path)
    try:
        with naming(path):
            yield temporary
            if to_disk:
                _to_disk(temporary)
            if keep is not None and path.exists():
                path.replace(keep)
            temporary.replace(path)
            if to_disk:
                _to_disk(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(
    path: Path, content: bytes, keep: Path | None = None, *, to_disk: bool = True
) -> None:
    """Write a file; raises `OSError`, as `replacing` does."""
    with replacing(path, keep, to_disk=to_disk) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str, *, to_disk: bool = True) -> None:
    """Write a text file in UTF-8, lines as they are; a character that UTF-8 has no bytes for (of a
    file name in another encoding) becomes a question mark."""
    write_bytes(path, encoded(text), to_disk=to_disk)


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Write several files: all are on the disk before the first takes its name; folders that are
    missing are made.

    Raises:
        OSError: one cannot be written; none has changed then, and no folder was made, unless the
            last step, giving them their names, failed in the middle.
    """
    written: dict[Path, Path] = {}
    made: list[Path] = []
    try:
        for folder in {path.parent for path in contents}:
            made += _make(folder)
        for path, content in contents.items():
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            temporary = written[path] = _beside(path)
            with naming(path):
                temporary.write_bytes(content)
                _to_disk(temporary)
        try:
            for path, temporary in written.items():
                with naming(path):
                    temporary.replace(path)
        except KeyboardInterrupt:
            told = "the files are written in part; the same command writes them again"
            raise KeyboardInterrupt(told) from None
        for folder in {path.parent for path in written}:
            _to_disk(folder)
    finally:
        for temporary in written.values():
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        for folder in reversed(made):
            with suppress(OSError):  # it holds what was written
                folder.rmdir()


def clear_leftovers(folder: Path, of: str | None = None) -> None:
    """Remove the temporary files of writers that were killed.

    Args:
        folder: where they are.
        of: name of a file, for its only writer; None: all, for the only writer of the folder.
    """
    own = r"(?s:.*)" if of is None else rf"\.{re.escape(of[:_SHOWN])}\.[0-9a-f]+"
    for file in folder.glob(f".*{SUFFIX}"):
        if re.fullmatch(own, file.name.removesuffix(SUFFIX)):
            with suppress(OSError):
                file.unlink()


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have errors of the operating system name the file that was asked for."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


def encoded(text: str) -> bytes:
    """Text in UTF-8, whatever it holds."""
    return text.encode("utf-8", "replace")


def _make(folder: Path) -> list[Path]:
    """Make a folder and those above it; returns the new ones, the topmost first."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        with naming(each):
            each.mkdir()
    return missing[::-1]


def _beside(path: Path) -> Path:
    # Not the whole name, as that may have all the letters that the file system allows.
    return path.with_name(f".{path.name[:_SHOWN]}.{secrets.token_hex(6)}{SUFFIX}")


def _to_disk(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        if not path.is_dir():  # some file systems know no such call on folders
            raise
    finally:
        os.close(handle)
