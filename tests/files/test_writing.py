"""Files appear whole or not at all, and errors name them."""

import errno
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from mho.files import clear_leftovers, replacing, write_bytes, write_files, write_text


class Stop(Exception):
    """Whatever ends a writer."""


@pytest.fixture
def small_files() -> Iterator[None]:
    """The system refuses files of more than 1000 bytes, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_the_old_file_stays_if_writing_fails(tmp_path: Path) -> None:
    target = tmp_path / "x"
    write_text(target, "old")

    def work() -> None:
        with replacing(target) as temporary:
            temporary.write_text("half")
            raise Stop

    with pytest.raises(Stop):
        work()
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_what_was_there_can_be_kept(tmp_path: Path) -> None:
    target, before = tmp_path / "x", tmp_path / "y"
    for content in (b"1", b"2", b"3"):
        write_bytes(target, content, keep=before)
    assert target.read_bytes() == b"3"
    assert before.read_bytes() == b"2"


@pytest.mark.usefixtures("small_files")
def test_a_full_disk_names_the_file_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "x"
    write_bytes(target, b"old")
    with pytest.raises(OSError, match="File too large") as refusal:
        write_bytes(target, bytes(2000))
    assert refusal.value.filename == str(target)
    with pytest.raises(OSError, match="File too large") as refusal:
        write_files({tmp_path / "a": b"small", target: bytes(2000)})
    assert refusal.value.filename == str(target)
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError) as refusal:  # noqa: PT011 - its number is asserted
        write_text(tmp_path / "none" / "x", "")
    assert refusal.value.errno == errno.ENOENT
    assert refusal.value.filename == str(tmp_path / "none" / "x")


def test_the_longest_name_is_fine_and_a_longer_one_is_named(tmp_path: Path) -> None:
    write_text(tmp_path / ("n" * 255), "x")
    with pytest.raises(OSError, match="File name too long"):
        write_text(tmp_path / ("n" * 256), "x")


def test_text_is_utf_8_whatever_it_holds(tmp_path: Path) -> None:
    write_text(tmp_path / "x", "ä\udcff\n")
    assert (tmp_path / "x").read_bytes() == "ä?\n".encode()


def test_leftovers_are_cleared_and_nothing_else(tmp_path: Path) -> None:
    for name in (".0a1b2c.tmp", ".checkpoint.pt.77.tmp", "x.tmp", ".lock", "x"):
        (tmp_path / name).touch()
    clear_leftovers(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "x", "x.tmp"]


def test_leftovers_of_one_file_are_cleared_beside_those_of_others(tmp_path: Path) -> None:
    long = "x" * 250
    for path in (tmp_path / "chip.pt", tmp_path / "chip.pt.2", tmp_path / long):
        with replacing(path) as temporary:
            temporary.touch()
        path.rename(temporary)
    clear_leftovers(tmp_path, of="chip.pt")
    (tmp_path / ".chip.pt.4711.tmp").touch()
    assert len(list(tmp_path.iterdir())) == 3
    clear_leftovers(tmp_path, of="chip.pt")
    assert len(list(tmp_path.iterdir())) == 2
    clear_leftovers(tmp_path, of=long)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".chip.pt.2.")


@pytest.mark.parametrize("to_disk", [True, False])
def test_the_disk_is_waited_for_if_asked(
    to_disk: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", synced.append)
    write_text(tmp_path / "x", "new", to_disk=to_disk)
    assert (tmp_path / "x").read_text() == "new"
    assert bool(synced) is to_disk


@pytest.mark.usefixtures("small_files")
def test_folders_are_made_only_for_files_that_are_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="File too large"):
        write_files({tmp_path / "a/b/x": b"small", tmp_path / "a/y": bytes(2000)})
    assert list(tmp_path.iterdir()) == []
    write_files({tmp_path / "a/b/x": b"small", tmp_path / "a/y": b"1"})
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a", "b", "x", "y"]


def test_where_one_cannot_be_put_none_is(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    with pytest.raises(IsADirectoryError) as refusal:
        write_files({tmp_path / "a": b"1", tmp_path / "b": b"2"})
    assert refusal.value.filename == str(tmp_path / "b")
    assert [p.name for p in tmp_path.iterdir()] == ["b"]
