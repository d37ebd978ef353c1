"""A user's own data set in a .npz file of NumPy, read without pickle."""

import math
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError

import numpy as np

from mho.data.dataset import ARRAYS, Dataset
from mho.errors import InvalidInput, invalid

MOST = 1 << 34
"""Largest array that is read [bytes]."""
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_WANTED = f"a .npz file with {', '.join(ARRAYS)}, and classes if they have names"


def read_npz(path: Path, name: str) -> Dataset:
    """Read a data set out of a .npz file, as ``np.savez`` writes it.

    It holds train_x, train_y, test_x and test_y as `Dataset.of` takes them, and may hold classes,
    their names.

    Raises:
        ValueError: naming the file: it is none such, is damaged, holds other arrays, objects or
            arrays of another size than they say, or they are not a data set.
    """
    try:
        with zipfile.ZipFile(path) as file:
            members = {m.filename.removesuffix(".npy"): m for m in file.infolist()}
            _check_members(path, members)
            arrays = {key: _array(file, member) for key, member in members.items()}
    except InvalidInput:
        raise
    except (zipfile.BadZipFile, zlib.error, ArithmeticError, EOFError, KeyError, MemoryError,
            NotImplementedError, OSError, RuntimeError, SyntaxError, TokenError, TypeError,
            ValueError) as error:  # fmt: skip
        raise invalid("data", str(path), f"{_WANTED}, whole ({error})") from error
    classes = arrays.pop("classes", None)
    if classes is not None and (classes.ndim != 1 or classes.dtype.kind != "U"):
        found = f"{classes.dtype} {classes.shape}"
        raise invalid(f"{path}: classes", found, "texts (k,), one a class")
    names = None if classes is None else classes.tolist()
    try:
        return Dataset.of(*(arrays[part] for part in ARRAYS), name=name, classes=names)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from error


def _check_members(path: Path, members: dict[str, zipfile.ZipInfo]) -> None:
    if not {*ARRAYS} <= {*members} <= {*ARRAYS, "classes"}:
        raise invalid(f"{path}: arrays", tuple(members), _WANTED)


def _array(file: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """One array, whose header is not to claim another number of bytes than follow it."""
    if member.file_size > MOST:
        raise ValueError(f"{member.filename} has {member.file_size} bytes, more than {MOST}")
    with file.open(member) as content:
        shape, _, dtype = _HEADERS[np.lib.format.read_magic(content)](content)
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject or size != member.file_size - content.tell():
            raise ValueError(f"{member.filename} holds objects, or another size than it says")
    with file.open(member) as content:
        return np.lib.format.read_array(content, allow_pickle=False)
