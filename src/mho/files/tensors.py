"""Tensors by name in .safetensors files, which many tools read and in which no code can hide.

What mho writes carries the SHA-256 of names, types, numbers and words, among its words; a file of
another program, which lacks it, is read as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mho.errors import invalid
from mho.files.extras import of_extra
from mho.files.reading import read_bytes
from mho.files.writing import write_bytes

SUFFIX = ".safetensors"

WORDS = "__metadata__"
"""Key of the header under which the format keeps texts; no tensor has that name."""

DIGEST = "sha256"
"""The text that holds the digest."""

_MOST_BYTES = 1 << 34
_WANTED = f"a whole {SUFFIX} file"


def write_tensors(path: Path, tensors: Mapping[str, Tensor], words: Mapping[str, str]) -> None:
    """Save dense tensors, of any device, and texts by name; whole or not at all.

    Raises:
        ValueError: a tensor is not dense or of a type that the format lacks, or the package
            safetensors is not installed.
        OSError: the file cannot be written; the error names it.
    """
    package = of_extra("interchange", "safetensors.torch")
    held: dict[str, Tensor] = {}
    places: set[int] = set()
    for name, tensor in tensors.items():
        if name == WORDS or tensor.layout != torch.strided or tensor.is_quantized:
            raise invalid(name, tensor, f"a dense tensor of another name than {WORDS!r}")
        each = tensor.detach().cpu().contiguous()
        place = each.untyped_storage().data_ptr()  # the format has no tensors that share numbers
        held[name] = each.clone() if place in places else each
        places.add(place)
    try:
        header, numbers = _parts(package.save(held))
    except (KeyError, ValueError) as error:
        allowed = f"tensors of types that {SUFFIX} files know"
        raise invalid(path.name, str(error), allowed) from error
    said = dict(sorted(words.items()))
    said[DIGEST] = _digest(header | {WORDS: said}, numbers)
    text = json.dumps({WORDS: said, **header}).encode()
    text += b" " * (-len(text) % 8)
    write_bytes(path, len(text).to_bytes(8, "little") + text + numbers)


def read_tensors(path: Path, field: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file, on the CPU, and its texts, both by name.

    Args:
        field: what the file is, for errors.

    Raises:
        ValueError: the file cannot be read, is damaged or no such file, or the package safetensors
            is not installed.
    """
    package = of_extra("interchange", "safetensors.torch")
    content = read_bytes(path, field, most=_MOST_BYTES, wanted=f"a readable {SUFFIX} file")
    try:
        tensors = package.load(content)
        header, numbers = _parts(content)
    except Exception as error:  # the package has its own, and others where a type is not known
        raise invalid(field, str(path), _WANTED) from error
    words = header.get(WORDS, {})
    if DIGEST in words and words[DIGEST] != _digest(header, numbers):
        raise invalid(field, str(path), f"{_WANTED}; its digest does not fit")
    return tensors, {name: text for name, text in words.items() if name != DIGEST}


def _parts(content: bytes) -> tuple[dict[str, Any], memoryview]:
    """Header and numbers of a file that the package has made or verified."""
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), memoryview(content)[end:]


def _digest(header: Mapping[str, Any], numbers: memoryview) -> str:
    words = {name: text for name, text in header.get(WORDS, {}).items() if name != DIGEST}
    digest = hashlib.sha256(json.dumps({**header, WORDS: words}, sort_keys=True).encode())
    digest.update(numbers)
    return digest.hexdigest()
