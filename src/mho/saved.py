"""Files that `torch.save` wrote: tensors and plain values."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import torch

ZIP, LEGACY = b"PK\x03\x04", b"\x80\x02"
"""How a file begins, and how one of torch before 1.6 does."""


def read_saved(path: Path) -> Any:
    """What a file holds, on the CPU; nothing in it is run.

    Raises:
        OSError: it cannot be opened.
        ValueError: a few words on what is wrong with it, for a message that names the file.
    """
    with path.open("rb") as file:
        head = file.read(len(ZIP))
    if not head:
        raise ValueError("it is empty")
    if not head.startswith((ZIP, LEGACY)):
        raise ValueError("it was not written by torch.save")
    if head == ZIP and not zipfile.is_zipfile(path):
        raise ValueError("its end is missing")
    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:
        raise ValueError("it is damaged, or holds more than tensors and plain values") from error
