"""Where something is to be written: looked at before any work."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from mho.errors import InvalidInput, invalid
from mho.files.writing import naming, replacing

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISLNK, "a link"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def check_output(
    path: Path, field: str = "out", *, overwrite: bool = False, folder: bool = False
) -> None:
    """Refuse a place that a file, or a folder of files, cannot or should not be written to.

    Args:
        field: what the place is called, as an option of a command.
        overwrite: whether a regular file that is there may be replaced.
        folder: whether a folder is to be written to: one that exists, or one that can be made.

    Raises:
        ValueError: the name is none, or what is there is not to be replaced.
        OSError: the operating system says no: no such folder, no permission, a read-only disk.
    """
    wanted = "the name of a folder" if folder else "the name of a file"
    if path.name in ("", ".."):
        raise invalid(field, str(path), f"{wanted}, other than '', '.', '..' and '/'")
    kind = kind_of(path)
    if folder:
        _check_folder(path, field, kind)
        return
    if kind is not None and kind != "a file":
        raise invalid(field, str(path), f"{wanted}; this is {kind}")
    if kind == "a file" and not overwrite:
        raise invalid(field, str(path), "a new file; --overwrite replaces it")
    _try(path)


def kind_of(path: Path) -> str | None:
    """What a path is, a link not followed: "a file", "a folder", ...; None: nothing is there.

    Raises:
        ValueError: there can be no such path.
        OSError: the system does not tell; the error names the path.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    except ValueError:  # a NUL in the name
        raise InvalidInput(f"{str(path)!r} is not the name of a file") from None
    return next((name for test, name in _KINDS if test(mode)), "a file")


def _check_folder(path: Path, field: str, kind: str | None) -> None:
    if kind == "a link" and path.is_dir():
        kind = "a folder"
    if kind not in (None, "a folder"):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    existing, new = path, path / "new"
    while kind_of(existing) is None:
        existing, new = existing.parent, existing
    if not existing.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(existing))
    with naming(path):
        _try(new)


def _try(path: Path) -> None:
    """Write and remove a file beside `path`, as only the system knows whether that goes."""
    if kind_of(path.parent) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
    try:
        with replacing(path) as temporary:
            temporary.touch()
            raise _Stop
    except _Stop:
        return


class _Stop(Exception):
    """Enough is known."""
