"""The shared secret: read from a file or the environment, never shown."""

from pathlib import Path

import pytest

from mho.instruments import read_token
from mho.instruments.token import VARIABLE, check_token, same_token


def test_a_file_comes_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert read_token() is None
    monkeypatch.setenv(VARIABLE, "open-sesame")
    assert read_token() == "open-sesame"
    file = tmp_path / "token"
    file.write_text("a1-b2\n")
    assert read_token(file) == "a1-b2"
    monkeypatch.setenv(VARIABLE, "")
    assert read_token() is None


@pytest.mark.parametrize("held", [b"", b"\n", b"two words", b"x" * 257, b"x" * 9999, b"\xff", b"\0",
                                  "schlüssel".encode(), b"two\nlines"])  # fmt: skip
def test_what_is_no_secret_is_refused_and_not_shown(
    held: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_bytes(held)
    with pytest.raises(ValueError, match="token_file = ") as refusal:
        read_token(file)
    assert "xxx" not in str(refusal.value)
    assert "words" not in str(refusal.value)
    if len(held) > 0 and b"\0" not in held and (text := held.decode(errors="replace")).strip():
        monkeypatch.setenv(VARIABLE, text)
        with pytest.raises(ValueError, match=VARIABLE):
            read_token()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none"):
        read_token(tmp_path / "none")
    with pytest.raises(ValueError, match="folder"):
        read_token(tmp_path)


def test_tokens_are_compared_as_a_whole() -> None:
    assert same_token("abc", "abc")
    for other in ("", "ab", "abcd", "abd", "\ufffd"):
        assert not same_token("abc", other)
    assert check_token("token", "!~") == "!~"
