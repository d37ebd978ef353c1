"""Archives of `torch.save`: tensors and plain values, verified before anything is made of them.

What mho writes ends in the SHA-256 of all before it, as the comment of the zip archive; torch and
zip tools read such a file as any other. An archive without it, as `torch.save` writes, is held
against the sums of its parts, which `torch.load` does not look at; one of torch before 1.6 has
none.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mho.errors import InvalidInput
from mho.files.writing import write_bytes

MOST_DEEP = 50
"""Containers within containers."""

_START, _OLD = b"PK\x03\x04", b"\x80\x02"
_END, _MARK = b"PK\x05\x06", b"mho sha256 "
_COMMENT = len(_MARK) + 64
_PLAIN = (str, bytes, bool, int, float, type(None), torch.dtype, torch.device, torch.Size)


def write_archive(path: Path, value: Any, keep: Path | None = None) -> None:
    """Save tensors and plain values with their digest, whole or not at all.

    Args:
        keep: name that the file which was there takes, once the new one is whole.

    Raises:
        OSError: the file cannot be written; the error names it.
    """
    buffer = io.BytesIO()
    torch.save(value, buffer)
    content = buffer.getvalue()
    assert content[-22:-18] == _END
    assert content.endswith(b"\0\0"), "there is no comment yet"
    content = content[:-2] + _COMMENT.to_bytes(2, "little")
    write_bytes(path, content + _comment(content), keep)


def read_archive(path: Path) -> Any:
    """What an archive holds, on the CPU; nothing in it is run.

    Raises:
        OSError: it cannot be opened.
        ValueError: a few words on what is wrong with it, for a message that names the file.
    """
    return open_archive(path)[0]


def open_archive(path: Path) -> tuple[Any, bool]:
    """What `read_archive` gives, and whether the file carries its digest, as `write_archive`
    writes it."""
    if not path.is_file():
        path.stat()  # raises where there is nothing
        raise InvalidInput("it is no regular file")
    content = path.read_bytes()
    if not content:
        raise InvalidInput("it is empty")
    if not content.startswith((_START, _OLD)):
        raise InvalidInput("it was not written by torch.save")
    mark = content[-_COMMENT:]
    signed = mark.startswith(_MARK)
    if signed:
        if mark != _comment(content[:-_COMMENT]):
            raise InvalidInput("it is damaged: its digest does not fit")
    elif content.startswith(_START):
        _check_sums(content)
    try:
        value = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    except Exception as error:
        allowed = "it is damaged, or holds more than tensors and plain values"
        raise InvalidInput(allowed) from error
    _check_plain(value)
    return value, signed


def _comment(content: bytes) -> bytes:
    return _MARK + hashlib.sha256(content).hexdigest().encode()


def _check_sums(content: bytes) -> None:
    """Hold the parts of an archive against their sums; none is packed, as torch packs none."""
    if content[-22:-18] != _END:
        raise InvalidInput("its end is missing")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            if len({part.filename for part in parts}) < len(parts):
                raise InvalidInput("it is damaged: a part of it is there twice")
            if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
                raise InvalidInput("it was not written by torch.save: parts of it are packed")
            damaged = archive.testzip()
    except InvalidInput:
        raise
    except Exception as error:  # zipfile has many, struct's and its own
        raise InvalidInput("it is damaged") from error
    if damaged is not None:
        raise InvalidInput(f"it is damaged: the sum of its part {damaged!r} does not fit")


def _check_plain(value: Any) -> None:
    """Refuse all but plain values and dense tensors no larger than what is stored of them; each
    container is looked at once, as one may stand in many places, but in none of its own."""
    done: set[int] = set()
    within: set[int] = set()

    def check(value: Any, deep: int) -> None:
        if isinstance(value, Tensor):
            _check_tensor(value)
        elif isinstance(value, dict | list | tuple) and not isinstance(value, torch.Size):
            if id(value) in within or deep > MOST_DEEP:
                raise InvalidInput("it holds a container within itself, or too many in another")
            if id(value) in done:
                return
            within.add(id(value))
            if isinstance(value, dict):
                for key in value:
                    if not isinstance(key, str | int):
                        raise InvalidInput(f"it holds a key that is no text: {key!r:.40}")
            for each in value.values() if isinstance(value, dict) else value:
                check(each, deep + 1)
            within.discard(id(value))
            done.add(id(value))
        elif not isinstance(value, _PLAIN):
            kind = type(value).__name__
            raise InvalidInput(f"it holds more than tensors and plain values: a {kind}")
        elif isinstance(value, int) and value.bit_length() > 64:
            raise InvalidInput("it holds a whole number of more than 64 bits")

    check(value, 0)


def _check_tensor(tensor: Tensor) -> None:
    if tensor.is_nested or tensor.is_quantized:
        raise InvalidInput("it holds a tensor that is not dense: a nested or quantized one")
    shape = tuple(tensor.shape)
    if tensor.layout != torch.strided or tensor.device.type != "cpu":
        kind = f"{shape}, {tensor.layout} on {tensor.device}"
        raise InvalidInput(f"it holds a tensor that is not dense: {kind}")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise InvalidInput(f"it holds a tensor {shape} that is larger than what is stored of it")
