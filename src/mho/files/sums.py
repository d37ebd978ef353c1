"""Sums of the files of a folder, in the file SHA256SUMS: `sha256sum -c SHA256SUMS` verifies them.

A folder without that file, as of earlier versions, is read as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from mho.errors import InvalidInput
from mho.files.reading import read_bytes, read_text

SUMS = "SHA256SUMS"
"""Name of the file."""


def sums_of(contents: Mapping[str, bytes]) -> bytes:
    """Content of SHA256SUMS for files by name."""
    lines = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in
             contents.items())  # fmt: skip
    return "".join(lines).encode()


def check_sums(folder: Path, *names: str) -> None:
    """Hold files of a folder against its SHA256SUMS, as far as it lists them.

    Raises:
        ValueError: one is damaged, was changed after it was written, or is missing.
    """
    if not (folder / SUMS).is_file():
        return
    listed = {}
    for line in read_text(folder / SUMS, "sums").splitlines():
        digest, _, name = line.partition("  ")
        listed[name] = digest
    for name in names:
        if name in listed:
            content = read_bytes(folder / name, wanted=f"the file that {SUMS} lists")
            if hashlib.sha256(content).hexdigest() != listed[name]:
                raise InvalidInput(
                    f"{folder / name}: its SHA-256 is not the one in {SUMS}: the file is damaged "
                    f"or was changed; if you changed it on purpose, remove its line from {SUMS}"
                )
