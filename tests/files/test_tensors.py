"""Tensors in .safetensors files: read back to the bit, by other programs too; damage is refused."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from mho.errors import InvalidInput
from mho.files.tensors import DIGEST, read_tensors, write_tensors

SHARED = torch.arange(6.0)
TENSORS: dict[str, Tensor] = {
    "": torch.linspace(0, 1, 6).view(1, 2, 3),
    "features.0.weight": torch.tensor([math.nan, -0.0, math.inf, 5e-324], dtype=torch.float64),
    "half": torch.tensor([1.5], dtype=torch.bfloat16),
    "counts": torch.tensor([2**62, -1]),
    "levels": torch.tensor(3, dtype=torch.int32),
    "flags": torch.tensor([True, False]),
    "bytes": torch.arange(5, dtype=torch.uint8),
    "nothing": torch.empty(0, 3),
    "turned": torch.rand(2, 3, generator=torch.Generator().manual_seed(1)).t(),
    "wide": torch.ones(1).expand(4),
    "shared": SHARED,
    "shared too": SHARED[2:],
    "learns": torch.nn.Parameter(torch.ones(2)),
}
WORDS = {"mho": "0.1.0", "hardware": 'name = "µ"\n'}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    """The same names, types, shapes and bits."""
    return a.keys() == b.keys() and all(
        (a[k].dtype, a[k].shape) == (b[k].dtype, b[k].shape) and bits(a[k]) == bits(b[k]) for k in a
    )


def bits(tensor: Tensor) -> bytes:
    return tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "t.safetensors"


def test_what_is_written_is_read_back_and_by_others_too(path: Path) -> None:
    write_tensors(path, TENSORS, WORDS)
    tensors, words = read_tensors(path, "source")
    assert same(tensors, TENSORS)
    assert words == WORDS
    assert same(safetensors.torch.load_file(path), TENSORS)
    with safetensors.safe_open(path, "pt") as theirs:
        assert theirs.metadata().keys() == {*WORDS, DIGEST}
    first = path.read_bytes()
    write_tensors(path, TENSORS, WORDS)
    assert path.read_bytes() == first


def test_files_of_others_are_read(path: Path) -> None:
    safetensors.torch.save_file({"a": torch.ones(3)}, path)
    assert read_tensors(path, "source") == ({"a": pytest.approx(torch.ones(3))}, {})


def flipped(at: int) -> Callable[[bytes], bytes]:
    return lambda content: content[:at] + bytes([content[at] ^ 1]) + content[at:][1:]


def another_word(content: bytes) -> bytes:
    return content.replace(b'"mho": "0.1.0"', b'"mho": "0.9.0"')


def a_type_that_is_none(content: bytes) -> bytes:
    header = json.dumps({"a": {"dtype": "F3", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return len(header).to_bytes(8, "little") + header + b"1234"


@pytest.mark.parametrize(
    "damage",
    [
        flipped(-1), flipped(-200), flipped(9), flipped(0), flipped(300), another_word,
        lambda content: content[:-1], lambda content: content + b"1", lambda content: content[:50],
        lambda content: content[:5], lambda content: b"", lambda content: b"PK\x03\x04" * 100,
        lambda content: b"\xff" * 100, a_type_that_is_none,
    ],
)  # fmt: skip
def test_damaged_files_are_refused(path: Path, damage: Callable[[bytes], bytes]) -> None:
    write_tensors(path, TENSORS, WORDS)
    content = path.read_bytes()
    path.write_bytes(damage(content))
    assert path.read_bytes() != content
    with pytest.raises(InvalidInput, match=r"^source = .*: expected a whole \.safetensors file"):
        read_tensors(path, "source")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for wrong in (tmp_path, tmp_path / "none.safetensors"):
        with pytest.raises(InvalidInput, match=r"expected a readable \.safetensors file"):
            read_tensors(wrong, "source")


@pytest.mark.parametrize(
    ("name", "tensor", "said"),
    [
        ("__metadata__", torch.ones(2), "expected a dense tensor of another name"),
        ("a", torch.eye(3).to_sparse(), "expected a dense tensor"),
        ("a", torch.ones(2, dtype=torch.complex128), "tensors of types that .safetensors files"),
    ],
)
def test_what_cannot_be_saved_is_refused(path: Path, name: str, tensor: Tensor, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        write_tensors(path, {name: tensor}, {})
    assert not path.exists()
