import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mho.data import read_idx
from mho.data.idx import DTYPES

CODES = {dtype.newbyteorder("="): code for code, dtype in DTYPES.items()}


def idx_bytes(array: np.ndarray) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, CODES[array.dtype], array.ndim, *array.shape)
    return header + array.astype(DTYPES[CODES[array.dtype]]).tobytes()


arrays = st.sampled_from(list(CODES)).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=5, min_side=0))
)


@given(arrays)
def test_what_was_written_is_read(array: np.ndarray) -> None:
    back = read_idx(idx_bytes(array), "a.idx")
    assert back.dtype == array.dtype
    assert back.dtype.isnative
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()  # bytes, because NaN differs from itself


@given(arrays, st.data())
def test_every_truncation_and_every_left_over_is_refused(
    array: np.ndarray, data: st.DataObject
) -> None:
    whole = idx_bytes(array)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(ValueError, match=rf"^a\.idx: .* is {cut} bytes.*, expected "):
        read_idx(whole[:cut], "a.idx")
    extra = data.draw(st.binary(min_size=1))
    with pytest.raises(ValueError, match=r"^a\.idx: .*left over.*, expected"):
        read_idx(whole + extra, "a.idx")


@given(st.binary(max_size=64))
def test_arbitrary_bytes_are_an_array_or_a_named_refusal(data: bytes) -> None:
    try:
        array = read_idx(data, "a.idx")
    except ValueError as err:
        message = str(err)
    else:
        assert idx_bytes(array) == data
        return
    assert message.startswith("a.idx: not a sound IDX file: ")


@pytest.mark.parametrize(
    ("position", "value", "message"),
    [
        (0, 1, "magic number is 0x01000802, expected two zero bytes at its start"),
        (1, 255, "magic number is 0x00ff0802, expected two zero bytes at its start"),
        (2, 0x0A, "element type is 0x0a, expected one of 0x08, 0x09, 0x0b, 0x0c, 0x0d, 0x0e"),
        (2, 0x0B, r"length is 18 bytes \(truncated\), expected 24 bytes .* \(2, 3\) of int16"),
        (3, 1, r"length is 18 bytes \(bytes left over\), expected 10 bytes .* \(2,\) of uint8"),
        (3, 255, "length is 18 bytes, expected at least 1024 for 255 sizes"),
        (7, 9, "length is 18 bytes .*, expected 39 bytes"),
    ],
)
def test_a_wrong_header_byte_is_named(position: int, value: int, message: str) -> None:
    data = bytearray(idx_bytes(np.arange(6, dtype=np.uint8).reshape(2, 3)))
    data[position] = value
    with pytest.raises(ValueError, match="^a.idx: not a sound IDX file: " + message):
        read_idx(bytes(data), "a.idx")


def test_a_shape_no_array_can_have_is_named() -> None:
    data = struct.pack(">BBBB5I", 0, 0, 0x0E, 5, 0, *[2**32 - 1] * 4)
    with pytest.raises(ValueError, match=r"^a\.idx: .*shape is \(0, 4294967295"):
        read_idx(data, "a.idx")
    data = struct.pack(">BBBB", 0, 0, 8, 200) + struct.pack(">I", 1) * 200 + b"\0"
    with pytest.raises(ValueError, match=r"^a\.idx: .*shape is \(1, 1"):
        read_idx(data, "a.idx")


def test_single_bytes_are_not_copied() -> None:
    data = idx_bytes(np.arange(6, dtype=np.uint8))
    array = read_idx(data, "a.idx")
    assert not array.flags.writeable
    assert np.shares_memory(array, np.frombuffer(data, np.uint8))
