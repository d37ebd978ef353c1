"""Regular files of a bounded size are read; anything else is named."""

import os
from pathlib import Path

import pytest

from mho.files import read_bytes, read_text


def test_text_comes_back_without_its_mark(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xef\xbb\xbf\xc3\xa4\r\n")
    assert read_text(tmp_path / "x") == "ä\r\n"
    assert read_bytes(tmp_path / "x", most=7) == b"\xef\xbb\xbf\xc3\xa4\r\n"


def test_what_is_no_file_of_text_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "latin").write_bytes(b"a\xe4")
    (tmp_path / "big").write_bytes(bytes(101))
    for name, said in (
        ("none", "No such file or directory"),
        ("", "it is a folder"),
        ("pipe", "it is no regular file"),
        ("latin", "byte 1 is not"),
        ("big", "of at most 100 bytes"),
        ("big/x", "Not a directory"),
        ("a\0b", "a table"),
        ("n" * 300, "File name too long"),
    ):
        with pytest.raises(ValueError, match=said) as refusal:
            read_text(tmp_path / name, "source", most=100, wanted="a table")
        assert str(refusal.value).startswith("source = ")
    with pytest.raises(ValueError, match="it is no regular file"):
        read_bytes(Path("/dev/zero"))
