"""Arrays in files: what is written is read back, and what is damaged or none is refused."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mho.errors import InvalidInput
from mho.files.arrays import read_csv, read_npy, read_npz, write_npz

ARRAYS = {
    "0": np.linspace(0, 1, 6, dtype=np.float32).reshape(1, 2, 3),
    "features.conv.1": np.array([[1.0, np.nan]]),
    "file": np.arange(3),
    "": np.zeros((2, 2)),
}


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(
        a[k].dtype == b[k].dtype and np.array_equal(a[k], b[k], equal_nan=a[k].dtype.kind == "f")
        for k in a
    )


def test_what_is_written_is_read_back_and_by_numpy_too(tmp_path: Path) -> None:
    path = tmp_path / "g.npz"
    write_npz(path, ARRAYS)
    assert same(read_npz(path, "source"), ARRAYS)
    with np.load(path) as theirs:
        assert same(dict(theirs), ARRAYS)
    first = path.read_bytes()
    write_npz(path, ARRAYS)
    assert path.read_bytes() == first


@pytest.mark.parametrize("packed", [False, True])
def test_archives_of_numpy(tmp_path: Path, packed: bool) -> None:
    path, named = tmp_path / "g.npz", {k: v for k, v in ARRAYS.items() if k != "file"}
    (np.savez_compressed if packed else np.savez)(path, **named)  # type: ignore[arg-type]
    assert same(read_npz(path, "source"), named)


def npz(**parts: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def npy(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=True)
    return buffer.getvalue()


WHOLE = npy(np.ones(40))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "whole, as numpy.savez"),
        (b"nothing of the kind", "whole, as numpy.savez"),
        (npz(**{"a.npy": WHOLE})[:-30], "whole, as numpy.savez"),
        (npz(**{"a.npy": WHOLE}).replace(WHOLE[-20:], b"1" * 20), "whole, as numpy.savez"),
        (npz(**{"a.txt": b"1"}), "whole, as numpy.savez"),
        (npz(**{"a.npy": WHOLE[:-8]}), "whole, as numpy.savez"),
        (npz(**{"a.npy": npy(np.array([{}], dtype=object))}), "whole, as numpy.savez"),
        (npz(**{"a.npy": npy(np.array(["x"]))}), "expected real numbers"),
        (npz(**{"a.npy": npy(np.array([1j]))}), "'a' = 'complex128 (1,)': expected real numbers"),
    ],
)
def test_damaged_archives_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "g.npz"
    path.write_bytes(content)
    with pytest.raises(InvalidInput) as refusal:
        read_npz(path, "source")
    assert said in str(refusal.value)
    assert str(path) in str(refusal.value)


def test_single_arrays(tmp_path: Path) -> None:
    path = tmp_path / "g.npy"
    np.save(path, ARRAYS["0"])
    assert np.array_equal(read_npy(path, "source"), ARRAYS["0"])
    path.write_bytes(WHOLE[:-8])
    with pytest.raises(InvalidInput, match=r"expected a \.npy file of numbers, whole"):
        read_npy(path, "source")


def test_gaps_of_tables_are_nan_where_they_may_be(tmp_path: Path) -> None:
    path = tmp_path / "g.csv"
    path.write_text("1e-5, nan\n# of row 2\n,2e-5\n")
    expected = [[1e-5, np.nan], [np.nan, 2e-5]]
    assert np.array_equal(read_csv(path, "source", gaps=True), expected, equal_nan=True)
    with pytest.raises(InvalidInput, match=r"line 1, column 2 = 'nan': expected a number"):
        read_csv(path, "source")
