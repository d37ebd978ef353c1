"""JSON and TOML come back, or what is wrong with them is said with file and line."""

import json
from pathlib import Path

import pytest

from mho.files import flat, parse_json, parse_toml, read_json, read_toml, text_of_json, write_json

TABLE = {"a": [1, 2.5, None, "ä"], "b": {"c": True}}


def test_a_table_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, TABLE)
    assert "digest" in json.loads(path.read_text())
    assert read_json(path) == TABLE
    path.write_text(text_of_json(TABLE))
    assert read_json(path) == TABLE, "without a digest too"
    path.write_text(json.dumps(json.loads(path.read_text())))
    assert read_json(path) == TABLE, "laid out otherwise"


def test_every_flipped_bit_is_seen_or_without_effect(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, TABLE)
    whole = path.read_bytes()
    for at in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[at // 8] ^= 1 << at % 8
        path.write_bytes(changed)
        try:
            found = read_json(path)
        except ValueError:
            continue
        assert {k: v for k, v in found.items() if k in TABLE} == TABLE


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", r"x = \[1, 2\]: expected a table of named fields"),
        ("", "line 1, column 1"),
        ('{"a": 1,\n "b": }', "line 2"),
        ('{"a": ' + "[" * 3000 + "]" * 3000 + "}", "too deep"),
        ('{"a": ' + "1" * 5000 + "}", "Exceeds the limit"),
        ('{"a": 1, "digest": "sha256:0"}', "its digest is wrong"),
        ('{"a": 1, "digest": [[]]}', "its digest is wrong"),
    ],
)
def test_json_that_is_none(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refusal:
        parse_json(text, "x")
    assert str(refusal.value).startswith("x")
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = 1\nb = = 2", "line 2"),
        ("a = " + "[" * 3000 + "]" * 3000, "too deep"),
        ("a = " + "1" * 5000, "Exceeds the limit"),
        ("a.b = 1\na = 2", "line 2|end of document"),
    ],
)
def test_toml_that_is_none(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said) as refusal:
        parse_toml(text, "x.toml")
    assert str(refusal.value).startswith("config = 'x.toml'")
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(ValueError, match=said):
        read_toml(tmp_path / "x.toml")
    (tmp_path / "x.toml").write_text("label = 'ä'\n", encoding="utf-8")
    assert read_toml(tmp_path / "x.toml") == {"label": "ä"}


@pytest.mark.parametrize("content", [b"label = \n", b"a = 1\na = 2\n", b"label = '\xff'\n"])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.toml").write_bytes(content)
    with pytest.raises(ValueError, match=r"config = .*bad\.toml"):
        read_toml(tmp_path / "bad.toml")
    with pytest.raises(ValueError, match=r"none\.toml.*No such file"):
        read_toml(tmp_path / "none.toml")


def test_tables_in_tables_by_their_whole_key() -> None:
    assert flat({"a": 1, "b": {"c": 2, "d": {"e": [3]}}}) == {"a": 1, "b.c": 2, "b.d.e": [3]}
    with pytest.raises(ValueError, match=r"b\.c = \[1, 2\]: .* twice"):
        flat({"b.c": 1, "b": {"c": 2}})
