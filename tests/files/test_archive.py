"""Archives come back, or are refused for what is wrong with them; nothing in them is run."""

import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mho.files.archive import open_archive, read_archive, write_archive

HELD = {
    "a": torch.arange(300.0),
    "b": [1, 2.5, "c", None, (True, 2)],
    "deep": {"x": {"y": torch.zeros(2, 3, dtype=torch.int16).T}},
    3: torch.Size([1, 2]),
}


class Other:
    """Something that is no plain value."""


def same(value: Any, other: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return torch.equal(value, other) and value.dtype == other.dtype
    if isinstance(value, dict):
        return value.keys() == other.keys() and all(same(value[k], other[k]) for k in value)
    return value == other


def test_what_was_written_comes_back_and_torch_reads_it_too(tmp_path: Path) -> None:
    path = tmp_path / "s.pt"
    write_archive(path, HELD)
    held, signed = open_archive(path)
    assert signed
    assert same(held, HELD)
    assert same(torch.load(path, weights_only=True), HELD)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    torch.save(HELD, path)
    held, signed = open_archive(path)
    assert not signed
    assert same(held, HELD)
    torch.save(HELD, path, _use_new_zipfile_serialization=False)  # as torch before 1.6 did
    assert same(read_archive(path), HELD)


@pytest.mark.parametrize("signed", [True, False])
def test_a_flipped_bit_is_seen_or_changes_nothing(tmp_path: Path, signed: bool) -> None:
    path = tmp_path / "s.pt"
    if signed:
        write_archive(path, HELD)
    else:
        torch.save(HELD, path)
    whole, drawn, seen = path.read_bytes(), random.Random(0), 0
    for _ in range(400):
        changed = bytearray(whole)
        changed[drawn.randrange(len(whole))] ^= 1 << drawn.randrange(8)
        path.write_bytes(changed)
        try:
            assert same(read_archive(path), HELD)
        except ValueError:
            seen += 1
    assert seen > (395 if signed else 200), "between the parts of an archive lies padding"


def test_cut_off_anywhere_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.pt"
    for write in (write_archive, lambda path, held: torch.save(held, path)):
        write(path, HELD)
        whole = path.read_bytes()
        for size in {*range(0, len(whole), 37), len(whole) - 1}:
            path.write_bytes(whole[:size])
            with pytest.raises(ValueError, match=r"it is|it was|its end is missing"):
                read_archive(path)


def itself() -> dict[str, Any]:
    held: dict[str, Any] = {}
    held["again"] = held
    return held


def deep() -> list[Any]:
    held: list[Any] = []
    for _ in range(200):
        held = [held]
    return held


def wide() -> list[Any]:
    """Few containers that come to 2 to the power of 40 on all paths."""
    held: list[Any] = [1]
    for _ in range(40):
        held = [held, held]
    return held


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "a class": (Other, "more than tensors and plain values"),
    "a module": (lambda: {"run": nn.Linear(1, 1)}, "more than tensors and plain values"),
    "itself": (itself, "within itself"),
    "deep": (deep, "too many in another"),
    "stride 0": (lambda: torch.zeros(1).expand(200_000, 100_000), "larger than what is stored"),
    "sparse": (lambda: torch.eye(3).to_sparse(), "not dense"),
    "meta": (lambda: torch.zeros(3, device="meta"), "not dense"),
    "quantized": (lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), "not de"),
    "nested": (lambda: torch.nested.nested_tensor([torch.ones(2)]), "not dense|damaged"),
    "a key": (lambda: {(1, 2): 3}, "a key that is no text"),
    "a set": (lambda: {1, 2}, "more than tensors and plain values"),
    "a number": (lambda: 1 << 70, "more than 64 bits"),
}


@pytest.mark.filterwarnings("ignore")  # of torch, on what it will leave off
@pytest.mark.parametrize("what", WRONG)
def test_what_no_state_is_made_of_is_refused(tmp_path: Path, what: str) -> None:
    make, said = WRONG[what]
    torch.save(make(), tmp_path / "s.pt")
    with pytest.raises(ValueError, match=said):
        read_archive(tmp_path / "s.pt")


def test_one_container_in_many_places_is_looked_at_once(tmp_path: Path) -> None:
    torch.save(wide(), tmp_path / "s.pt")
    assert len(read_archive(tmp_path / "s.pt")) == 2


def test_what_is_no_archive_is_said(tmp_path: Path) -> None:
    path = tmp_path / "s.pt"
    torch.save(HELD, path)
    whole = path.read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(1 << 20))
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as archive:
        archive.writestr("archive/data.pkl", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("archive/data.pkl", b"2")
    odd = {
        b"": "it is empty",
        b"hello, world": r"not written by torch\.save",
        whole[: len(whole) // 2]: "its end is missing",
        whole.replace(b"torch", b"touch"): "damaged",
        packed.getvalue(): "parts of it are packed",
        twice.getvalue(): "a part of it is there twice",
    }
    for content, said in odd.items():
        path.write_bytes(content)
        with pytest.raises(ValueError, match=said):
            read_archive(path)
    with pytest.raises(FileNotFoundError):
        read_archive(tmp_path / "none.pt")
    with pytest.raises(ValueError, match="no regular file"):
        read_archive(tmp_path)
