"""Arrays of numbers in files: tables (.csv), arrays of NumPy's (.npy) and archives of them (.npz).

`mho.files.arrays` is imported by itself, as NumPy takes time to load.
"""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from tokenize import TokenError

import numpy as np

from mho.errors import invalid
from mho.files.numbers import plain_number
from mho.files.reading import read_bytes, read_text
from mho.files.writing import write_bytes

MOST = 1 << 24
"""Numbers of a table, at most."""

_MOST_BYTES = 1 << 32
"""Bytes of a file of NumPy's, and of what an archive unpacks to, at most."""

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
"""Readers of the headers of .npy files, by version."""

_BROKEN = (
    *(ArithmeticError, EOFError, KeyError, MemoryError, RecursionError, SyntaxError),
    *(TokenError, TypeError, ValueError),
)
"""What NumPy raises on the header of a file that is damaged."""


def read_csv(
    path: Path,
    field: str,
    allowed: str = "a number",
    least: float = -math.inf,
    *,
    gaps: bool = False,
) -> np.ndarray:
    """Comma-separated numbers (rows, cols), float64; blank lines and what follows a # are skipped.

    Args:
        field: what the file is, for errors.
        allowed: what a number must be, for errors.
        least: the least of the numbers.
        gaps: whether a number may be missing, empty or "nan"; it is nan then.

    Raises:
        ValueError: the file cannot be read, or where and why it is no such table.
    """
    text = read_text(path, field, wanted="a readable text file of numbers between commas")
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        parts = line.split(",")
        if len(parts) * (len(rows) + 1) > MOST:
            allowed_size = f"at most {MOST} of them"
            raise invalid(f"{path}, line {number}", f"over {MOST} numbers", allowed_size)
        if rows and len(parts) != len(rows[0]):
            where = f"{path}, line {number}"
            raise invalid(where, f"{len(parts)} columns", f"{len(rows[0])}, as above")
        rows.append([])
        for column, part in enumerate(parts, 1):
            where = f"{path}, line {number}, column {column}"
            if gaps and part.strip().lower() in ("", "nan"):
                rows[-1].append(math.nan)
                continue
            value = plain_number(where, part, allowed)
            if value < least:
                raise invalid(where, part.strip(), allowed)
            rows[-1].append(value)
    if not rows:
        raise invalid(field, str(path), "at least one line of numbers")
    return np.array(rows)


def read_npy(path: Path, field: str) -> np.ndarray:
    """A .npy file of real numbers, no pickle.

    Raises:
        ValueError: the file cannot be read, is damaged, or holds something else.
    """
    content = read_bytes(path, field, most=1 << 30, wanted="a readable .npy file")
    try:
        values = _array(content)
    except _BROKEN:
        raise invalid(field, str(path), "a .npy file of numbers, whole") from None
    return _real(values, str(path))


def read_npz(path: Path, field: str) -> dict[str, np.ndarray]:
    """The arrays of a .npz file by name, real numbers, no pickle.

    Raises:
        ValueError: the file cannot be read, is damaged, or holds something else.
    """
    content = read_bytes(path, field, most=_MOST_BYTES, wanted="a readable .npz file")
    wanted = "a .npz file of arrays of numbers, whole, as numpy.savez writes it"
    found: dict[str, np.ndarray] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            if sum(part.file_size for part in parts) > _MOST_BYTES:
                raise ValueError("it unpacks to more than is read")
            for part in parts:
                name = part.filename.removesuffix(".npy")
                if name == part.filename or name in found:
                    raise ValueError("no array, or a name twice")
                found[name] = _array(archive.read(part))
    except (*_BROKEN, OSError, RuntimeError, zipfile.BadZipFile, zlib.error):
        raise invalid(field, str(path), wanted) from None
    return {name: _real(values, f"{path}, {name!r}") for name, values in found.items()}


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Save arrays by name, as `numpy.load` reads them; whole or not at all.

    Raises:
        OSError: the file cannot be written; the error names it.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, values in arrays.items():
            part = io.BytesIO()
            np.lib.format.write_array(part, np.ascontiguousarray(values), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), part.getvalue())
    write_bytes(path, buffer.getvalue())


def _array(content: bytes) -> np.ndarray:
    """The array in a .npy file, whose header is not to claim more numbers than follow it."""
    file = io.BytesIO(content)
    header = _HEADERS[np.lib.format.read_magic(file)]
    shape, _, dtype = header(file)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise ValueError("another size")
    return np.load(io.BytesIO(content), allow_pickle=False)


def _real(values: np.ndarray, where: str) -> np.ndarray:
    if values.dtype.kind not in "iuf":
        raise invalid(where, f"{values.dtype} {values.shape}", "real numbers")
    return values
