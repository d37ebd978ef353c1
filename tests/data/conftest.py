"""A tiny data set of its own, so that a test can break its files without touching the real ones."""

import gzip
import hashlib
import struct
from pathlib import Path
from types import SimpleNamespace

import pytest

from mho.data import Source, source

FILE = "train-labels-idx1-ubyte"
LABELS = bytes(byte % 10 for byte in hashlib.shake_128(b"tiny").digest(2000))
CONTENT = struct.pack(">BBBBI", 0, 0, 8, 1, len(LABELS)) + LABELS


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Make "tiny" the only data set, with no file anywhere and every root under tmp_path."""
    entry = Source(
        label="Tiny",
        title="Tiny",
        shape=(1, 28, 28),
        training=1,
        files={FILE: hashlib.sha256(CONTENT).hexdigest()},
        classes=("a", "b"),
        url="http://127.0.0.1:9/",  # the discard port: nobody answers
        home="",
        doi="",
        licence="",
    )
    roots = {name: tmp_path / name for name in ("named", "checkout", "xdg")}
    for root in roots.values():
        root.mkdir()
    monkeypatch.setattr(source, "SOURCES", {"tiny": entry})
    monkeypatch.setattr(source, "_checkout", lambda: roots["checkout"])
    monkeypatch.setenv("MHO_DATA", str(roots["named"]))
    monkeypatch.setenv("XDG_CACHE_HOME", str(roots["xdg"]))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    roots["cache"] = roots["xdg"] / "mho"
    return SimpleNamespace(
        file=FILE, content=CONTENT, zipped=gzip.compress(CONTENT), entry=entry, **roots
    )
