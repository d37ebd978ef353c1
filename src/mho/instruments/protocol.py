"""The text of the protocol: requests and replies are lines of words, numbers come in blocks.

A block is a letter, a colon and numbers: `i:` whole numbers and `f:` floats in decimal between
commas, or `I:` and `F:` the same as base64 of little-endian int32 and float32. Nine decimal digits
tell every float32 from its neighbours, so both forms are exact.
"""

from __future__ import annotations

import base64
import binascii
import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

PROTOCOL = "mho-chip 1"
"""First line that a server sends."""

MAX_LINE = 1 << 26
"""Longest line [bytes]."""

MAX_WORDS = 256
"""Most words of a line."""

_KINDS = {"i": np.dtype("<i4"), "f": np.dtype("<f4")}


class Garbled(ValueError):
    """A line that does not follow the protocol."""


class Line(NamedTuple):
    """A request, or a reply."""

    id: int
    """Number of the request."""
    verb: str
    """What is asked; in a reply `ok` or `error`."""
    words: list[str]
    """The rest."""


def parse(text: str) -> Line:
    """The parts of a line.

    Raises:
        Garbled: it does not begin with a number and a word, or has too many.
    """
    if text.count(" ") >= MAX_WORDS:
        raise Garbled(f"a line of at most {MAX_WORDS} words")
    number, *rest = text.split(" ")
    if not (number.isascii() and number.isdigit() and len(number) < 19 and rest and rest[0]):
        raise Garbled(f"a line of an id, a word and blocks, not {text[:40]!r}")
    return Line(int(number), rest[0], rest[1:])


def block(values: Tensor, *, plain: bool) -> str:
    """Numbers as a block, in their order."""
    kind = "f" if values.is_floating_point() else "i"
    array = values.detach().cpu().contiguous().numpy().astype(_KINDS[kind]).reshape(-1)
    if not plain:
        return f"{kind.upper()}:{base64.b64encode(array.tobytes()).decode()}"
    form = "{:.9g}" if kind == "f" else "{}"
    return f"{kind}:" + ",".join(map(form.format, array.tolist()))


def numbers(word: str, kind: str, shape: tuple[int, ...], most: int | None = None) -> Tensor:
    """The numbers of a block, `kind` "i" or "f", in a shape; -1 in it is what fits.

    How many there are is found before any is read.

    Args:
        word: the block.
        kind: of its numbers.
        shape: of the tensor.
        most: largest size of the dimension -1.

    Raises:
        Garbled: it is no such block, or of another size.
    """
    letter, colon, body = word.partition(":")
    if not colon or letter.lower() != kind:
        raise Garbled(f"a block {kind}: or {kind.upper()}:, not {word[:20]!r}")
    size = _count(body) if letter == kind else _size_of_base64(body)
    known = math.prod(n for n in shape if n >= 0)
    if (size % max(known, 1)) if -1 in shape else size != known:
        raise Garbled(f"a block of {' x '.join(map(str, shape))} numbers, not {size}")
    if most is not None and size > most * known:
        raise Garbled(f"a block of at most {most} x {known} numbers, not {size}")
    try:
        if letter == kind:
            array = _read_decimal(body, kind)
        else:
            array = np.frombuffer(base64.b64decode(body, validate=True), _KINDS[kind]).copy()
    except (ValueError, ArithmeticError, binascii.Error):
        raise Garbled(f"numbers in the block {word[:20]!r}") from None
    native = torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))
    return native.reshape(shape)


def _count(body: str) -> int:
    """How many numbers stand between commas."""
    return body.count(",") + 1 if body else 0


def _size_of_base64(body: str) -> int:
    """How many numbers of four bytes a text holds."""
    size = 3 * (len(body) // 4) - body[-2:].count("=")
    if len(body) % 4 or size % 4:
        raise Garbled(f"base64 of numbers of 4 bytes, not {len(body)} characters")
    return size // 4


def _read_decimal(body: str, kind: str) -> np.ndarray:
    """Numbers between commas.

    Raises:
        ValueError, ArithmeticError: some are none, or too large.
    """
    if not (body.isascii() and body.isprintable()) or "_" in body or " " in body:
        raise ValueError  # Python would take these
    parts = body.split(",") if body else []
    given = [int(p) if kind == "i" else float(p) for p in parts]
    with np.errstate(over="raise"):
        return np.array(given, dtype=_KINDS[kind])


def is_plain(words: list[str]) -> bool:
    """Whether the blocks of a request are in decimal; its reply is written likewise."""
    return not any(word[:2] in ("I:", "F:") for word in words)


def fields(words: list[str]) -> dict[str, str]:
    """`name=value` words as a table.

    Raises:
        Garbled: a word is none.
    """
    pairs = [word.partition("=") for word in words]
    if not all(name and equals for name, equals, _ in pairs):
        raise Garbled("words of the form name=value")
    return {name: value for name, _, value in pairs}


def one_line(error: Exception) -> str:
    """What an error says, as words of a line."""
    return " ".join(str(error).split())[:1000]
