"""Places to write to are looked at before any work, and left as they were."""

import os
import socket
from pathlib import Path

import pytest

from mho.files import check_output


@pytest.mark.parametrize("name", ["", ".", "/", ".."])
@pytest.mark.parametrize("folder", [False, True])
def test_names_that_are_none(name: str, folder: bool) -> None:
    with pytest.raises(ValueError, match=r"out = .*expected the name of a f"):
        check_output(Path(name), folder=folder)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("kind", ["folder", "link", "pipe", "socket", "device"])
def test_only_regular_files_are_replaced(
    tmp_path: Path, kind: str, overwrite: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    place = Path("place")
    if kind == "folder":
        place.mkdir()
    elif kind == "link":
        Path("file").touch()
        place.symlink_to("file")
    elif kind == "pipe":
        os.mkfifo(place)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(place))
    else:
        place = Path(os.devnull)
    with pytest.raises(ValueError, match=f"expected the name of a file; this is a {kind}"):
        check_output(place, overwrite=overwrite)
    assert kind == "device" or os.path.lexists(place)


def test_a_file_is_replaced_where_that_is_said(tmp_path: Path) -> None:
    place = tmp_path / "x"
    check_output(place)
    place.write_text("old")
    with pytest.raises(ValueError, match="--overwrite replaces it"):
        check_output(place)
    check_output(place, overwrite=True)
    assert place.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_what_the_system_refuses_names_the_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place, folder, error in (
        (tmp_path / "none" / "x", False, FileNotFoundError),
        (tmp_path / "file" / "x", False, NotADirectoryError),
        (tmp_path / "file" / "x", True, NotADirectoryError),
        (tmp_path / "file", True, NotADirectoryError),
        (tmp_path / ("n" * 300), False, OSError),
        (tmp_path / ("n" * 300), True, OSError),
        (Path("/proc/x"), False, OSError),
        (Path("/proc/x"), True, OSError),
    ):
        with pytest.raises(error) as refusal:
            check_output(place, folder=folder)
        assert refusal.value.filename


def test_a_folder_may_be_there_or_be_made_with_those_above_it(tmp_path: Path) -> None:
    check_output(tmp_path, folder=True)
    check_output(tmp_path / "a" / "b", folder=True)
    (tmp_path / "link").symlink_to(tmp_path)
    check_output(tmp_path / "link", folder=True)
    assert [p.name for p in tmp_path.iterdir()] == ["link"]


def test_a_nul_in_a_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not the name of a file"):
        check_output(tmp_path / "a\0b")
