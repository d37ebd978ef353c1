"""One folder for all that mho keeps for a user, where there can be one."""

import os
import sys
from pathlib import Path

import pytest

from mho.files import user_cache


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


def test_the_folder_that_is_set_comes_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "x"))
    assert user_cache() == home / "x" / "mho"
    assert not (home / "x").exists()


@pytest.mark.parametrize("value", ["", "relative", "./here"])
def test_what_is_not_absolute_is_not_set(
    value: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    monkeypatch.setattr(sys, "platform", "linux")
    assert user_cache() == home / ".cache" / "mho"


def test_other_platforms_have_their_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert user_cache() == home / "Library" / "Caches" / "mho"
    monkeypatch.setenv("LOCALAPPDATA", str(home / "local"))
    assert user_cache() == home / "Library" / "Caches" / "mho"  # a variable of Windows alone


@pytest.mark.parametrize("value", ["", "/", "/nonexistent", "relative"])
def test_without_a_home_folder_there_is_none(
    value: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", value)
    with pytest.raises(FileNotFoundError, match="no home folder"):
        user_cache()


def test_a_user_without_an_entry_has_no_home_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    with pytest.raises(FileNotFoundError, match="no home folder"):
        user_cache()
