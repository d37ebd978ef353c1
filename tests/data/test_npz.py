"""A .npz file of a user: read without pickle, or refused by name."""

import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch

from builders.own_data import SHAPES, arrays
from mho.data import Dataset, load
from mho.data.npz import read_npz


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_it_is_the_data_set_of_its_arrays(tmp_path: Path, shape: str, save) -> None:
    given = arrays(SHAPES[shape], 3, floating=shape != "colour")
    save(tmp_path / "a.npz", **given)
    found, direct = read_npz(tmp_path / "a.npz", "a"), Dataset.of(**given)
    assert found.sha256 == direct.sha256
    assert (found.name, found.shape) == ("a", SHAPES[shape])
    assert torch.equal(load(found, "train").inputs, load(direct, "train").inputs)


def test_arrays_in_fortran_order_and_names_of_classes(tmp_path: Path) -> None:
    given = arrays((3, 4), 2)
    given["train_x"] = np.asfortranarray(given["train_x"])
    np.savez(tmp_path / "a.npz", **given, classes=np.array(["cat", "dog"]))
    found = read_npz(tmp_path / "a.npz", "a")
    assert found.classes == ("cat", "dog")
    assert found.sha256 == Dataset.of(**given).sha256


def _save(path: Path, **changes: object) -> None:
    given = {**arrays((3,), 2), **changes}
    np.savez(path, **{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]


def _raw(path: Path, content: bytes) -> None:
    """A file whose train_x is of these bytes."""
    _save(path.with_suffix(".whole.npz"))
    with (
        zipfile.ZipFile(path.with_suffix(".whole.npz")) as whole,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out,
    ):
        for name in whole.namelist():
            out.writestr(name, content if name == "train_x.npy" else whole.read(name))


def _header(shape: str) -> bytes:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


BAD = {
    "text": (lambda p: p.write_text("hello"), "data = .*whole"),
    "empty": (lambda p: p.write_bytes(b""), "data = .*whole"),
    "one missing": (lambda p: _save(p, test_y=None), "arrays = .*train_x, train_y, test_x, test_y"),
    "one more": (lambda p: _save(p, valid_x=np.zeros(3)), "arrays = .*valid_x"),
    "objects": (
        lambda p: _save(p, train_x=np.array([{}] * 16, object)),
        "holds objects, or another size",
    ),
    "names that are numbers": (lambda p: _save(p, classes=np.arange(2)), "classes = 'int64"),
    "not a data set": (lambda p: _save(p, test_x=np.zeros((8, 4))), r"a\.npz: shape of a sample"),
    "claims more": (lambda p: _raw(p, _header("(9999999999999,)")), "another size"),
    "claims less": (lambda p: _raw(p, _header("(1,)") + bytes(400)), "another size"),
    "no array": (lambda p: _raw(p, b"nonsense"), "data = .*whole"),
    "bad header": (lambda p: _raw(p, b"\x93NUMPY\x01\x00\x04\x00(((("), "data = .*whole"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_none_is_refused(tmp_path: Path, case: str) -> None:
    write, message = BAD[case]
    path = tmp_path / "a.npz"
    write(path)
    with pytest.raises(ValueError, match=message) as caught:
        read_npz(path, "a")
    assert "a.npz" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cut_file_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    _save(path)
    content = path.read_bytes()
    for end in range(0, len(content), 97):
        path.write_bytes(content[:end])
        with pytest.raises(ValueError, match=r"a\.npz"):
            read_npz(path, "a")


def test_a_changed_byte_is_refused_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    _save(path)
    content = path.read_bytes()
    whole = read_npz(path, "a").sha256
    for at in range(0, len(content), 31):
        broken = bytearray(content)
        broken[at] ^= 0x55
        path.write_bytes(bytes(broken))
        found = whole
        with suppress(ValueError):
            found = read_npz(path, "a").sha256
        assert found == whole
