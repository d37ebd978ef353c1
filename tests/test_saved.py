"""Saved files: what they hold comes back, and what is wrong with one is said in a few words."""

from pathlib import Path

import pytest
import torch

from mho.saved import read_saved


class Other:
    """Something that is no plain value."""


def test_tensors_and_plain_values_come_back(tmp_path: Path) -> None:
    held = {"a": torch.arange(3), "b": [1, 2.5, "c"]}
    torch.save(held, tmp_path / "s.pt")
    read = read_saved(tmp_path / "s.pt")
    assert torch.equal(read["a"], held["a"])
    assert read["b"] == held["b"]


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    path = tmp_path / "s.pt"
    torch.save({"a": torch.arange(1000)}, path)
    whole = path.read_bytes()
    odd = {
        b"": "empty",
        b"hello, world": r"not written by torch\.save",
        whole[: len(whole) // 2]: "its end is missing",
        whole.replace(b"torch", b"touch"): "damaged",
    }
    for content, said in odd.items():
        path.write_bytes(content)
        with pytest.raises(ValueError, match=said):
            read_saved(path)


def test_nothing_is_run(tmp_path: Path) -> None:
    torch.save(Other(), tmp_path / "s.pt")
    with pytest.raises(ValueError, match="more than tensors and plain values"):
        read_saved(tmp_path / "s.pt")
    with pytest.raises(FileNotFoundError):
        read_saved(tmp_path / "none.pt")
