"""Names are found once, and anew where mho, or what is kept of them, has changed."""

from collections.abc import Callable, Iterable
from pathlib import Path

import click
import pytest

from mho.cli import remembered
from mho.files import read_json, write_json

HERE = click.Context(click.Command("mho"), info_name="mho")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mho" / "names.json"


@pytest.fixture
def asked() -> list[str]:
    """What was looked for, in order."""
    return []


@pytest.fixture
def names(asked: list[str]) -> Callable[[str], list[str]]:
    """Names of a subject, as the shell asks for them."""

    def of(subject: str) -> list[str]:
        @remembered.remembered(lambda _context: subject)
        def some(_context: click.Context) -> Iterable[str]:
            asked.append(subject)
            return (f"{subject} {n}" for n in range(2))

        return [*some(HERE)]

    return of


def test_names_are_found_once_for_each_subject(
    file: Path, names: Callable[[str], list[str]], asked: list[str]
) -> None:
    for subject in ("a", "b", "a", "b", "a"):
        assert names(subject) == [f"{subject} 0", f"{subject} 1"]
    assert asked == ["a", "b"]
    assert file.is_file()


def test_names_of_other_sources_are_found_anew(
    file: Path, names: Callable[[str], list[str]], asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names("a"), names("b")
    monkeypatch.setattr(remembered, "_of_sources", lambda: "others")
    assert names("a") == ["a 0", "a 1"]
    assert asked == ["a", "b", "a"]
    assert set(read_json(file)) == {"of", "some a"}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"of": 3}', b"[1]"])
def test_a_damaged_file_is_replaced(
    content: bytes, file: Path, names: Callable[[str], list[str]], asked: list[str]
) -> None:
    names("a")
    file.write_bytes(content)
    assert [names("a"), names("a")] == [["a 0", "a 1"]] * 2
    assert asked == ["a", "a"]


def test_what_is_no_list_is_found_anew(
    file: Path, names: Callable[[str], list[str]], asked: list[str]
) -> None:
    names("a")
    write_json(file, read_json(file) | {"some a": "abc"})
    assert names("a") == ["a 0", "a 1"]


def test_names_are_found_where_nothing_can_be_kept(
    tmp_path: Path, names: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert names("a") == ["a 0", "a 1"]
