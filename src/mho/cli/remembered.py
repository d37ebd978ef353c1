"""Names that take seconds to find, kept for the shell that waits for them.

They are in one file of the user's cache, with a digest of the sources that they were found in: what
other sources say is found anew. A file that cannot be read or written is no more than slow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any

import click

import mho
from mho.files import read_json, user_cache, write_json

Names = Callable[[click.Context], Iterable[str]]


def remembered(about: Callable[[click.Context], str]) -> Callable[[Names], Names]:
    """Find names once for all that is asked with the same words.

    Args:
        about: what the names depend on besides mho.
    """

    def with_memory(find: Names) -> Names:
        @wraps(find)
        def recall(context: click.Context) -> Iterable[str]:
            key, digest = f"{find.__name__} {about(context)}".rstrip(), _of_sources()
            known: dict[str, Any] = {"of": digest}
            with suppress(OSError, ValueError):
                kept = read_json(_file())
                known = kept if kept.get("of") == digest else known
            if not isinstance(known.get(key), list):
                known[key] = [*find(context)]
                with suppress(OSError):
                    _file().parent.mkdir(parents=True, exist_ok=True)
                    write_json(_file(), known, to_disk=False)
            return map(str, known[key])

        return recall

    return with_memory


def _file() -> Path:
    return user_cache() / "names.json"


def _of_sources() -> str:
    """Digest of where the package is, and of which files, how large and how old."""
    folder = Path(mho.__file__).parent
    files = sorted(file for file in folder.rglob("*.py"))
    stats = [(str(file), (seen := file.stat()).st_size, seen.st_mtime_ns) for file in files]
    return hashlib.sha256(repr(stats).encode()).hexdigest()
