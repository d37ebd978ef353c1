"""The IDX file format: a typed array behind a header of a few bytes.

Two zero bytes, one byte for the element type, one byte for the number of dimensions, then every
dimension as a big-endian 32-bit integer, then the elements, big-endian, last dimension fastest.
"""

import math

import numpy as np

from mho.arguments import checked
from mho.errors import InvalidInput

# element-type byte -> big-endian NumPy type
DTYPES = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_HEADER = 4  # [bytes] before the dimensions
_DIM = np.dtype(">u4")


def _corrupt(name: str, what: str, found: object, expected: object) -> InvalidInput:
    return InvalidInput(f"{name}: not a sound IDX file: {what} is {found}, expected {expected}")


@checked
def read_idx(data: bytes, name: str) -> np.ndarray:
    """Read the one array in the (uncompressed) bytes of an IDX file.

    The array has the shape in the header and the machine's own byte order. Single-byte types are
    a read-only view of ``data``; nothing is copied.

    Raises:
        ValueError: naming ``name``, what was found and what was expected, when the magic number,
            the element type or the length is wrong (truncated, or bytes left over).
    """
    if len(data) < _HEADER:
        raise _corrupt(name, "length", f"{len(data)} bytes", f"at least {_HEADER}")
    if data[:2] != b"\0\0":
        raise _corrupt(name, "magic number", f"0x{data[:4].hex()}", "two zero bytes at its start")
    code, ndim = data[2], data[3]
    if code not in DTYPES:
        allowed = ", ".join(f"0x{c:02x}" for c in DTYPES)
        raise _corrupt(name, "element type", f"0x{code:02x}", f"one of {allowed}")
    start = _HEADER + ndim * _DIM.itemsize
    if len(data) < start:
        raise _corrupt(name, "length", f"{len(data)} bytes", f"at least {start} for {ndim} sizes")

    shape = tuple(np.frombuffer(data, _DIM, count=ndim, offset=_HEADER).tolist())
    dtype = DTYPES[code]
    expected = start + math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        found = f"{len(data)} bytes ({'truncated' if len(data) < expected else 'bytes left over'})"
        raise _corrupt(name, "length", found, f"{expected} bytes for shape {shape} of {dtype.name}")
    try:
        array = np.frombuffer(data, dtype, offset=start).reshape(shape)
    except ValueError as err:  # more dimensions, or larger empty ones, than an array can have
        raise _corrupt(name, "shape", shape, f"one that an array can have ({err})") from err
    return array.astype(dtype.newbyteorder("="), copy=False)
