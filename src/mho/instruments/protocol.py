"""The text of the protocol: requests and replies are lines of words, numbers come in blocks.

A block is a letter, a colon and numbers: `i:` whole numbers and `f:` floats in decimal between
commas, or `I:` and `F:` the same as base64 of little-endian int32 and float32. Nine decimal digits
tell every float32 from its neighbours, so both forms are exact.
"""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

PROTOCOL = "mho-chip 1"
"""First line that a server sends."""

MAX_LINE = 1 << 26
"""Longest line [bytes]."""

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
        Garbled: it does not begin with a number and a word.
    """
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


def numbers(word: str, kind: str, shape: tuple[int, ...]) -> Tensor:
    """The numbers of a block, `kind` "i" or "f", in a shape; -1 in it is what fits.

    Raises:
        Garbled: it is no such block, or of another size.
    """
    letter, colon, body = word.partition(":")
    if not colon or letter.lower() != kind:
        raise Garbled(f"a block {kind}: or {kind.upper()}:, not {word[:20]!r}")
    try:
        if letter == kind:
            parts = body.split(",") if body else []
            given = [int(p) if kind == "i" else float(p) for p in parts]
            array = np.array(given, dtype=_KINDS[kind])
        else:
            array = np.frombuffer(base64.b64decode(body, validate=True), _KINDS[kind]).copy()
    except (ValueError, OverflowError, binascii.Error):
        raise Garbled(f"numbers in the block {word[:20]!r}") from None
    known = int(np.prod([n for n in shape if n >= 0]))
    if (array.size % max(known, 1)) if -1 in shape else array.size != known:
        raise Garbled(f"a block of {' x '.join(map(str, shape))} numbers, not {array.size}")
    native = torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))
    return native.reshape(shape)


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
