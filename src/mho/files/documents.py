"""JSON and TOML: one table of named fields, or a refusal that names file, line and cause.

`write_json` writes the digest of the content as its last field, "digest": "sha256:5f0c...", and
`read_json` verifies it; files without it are read as they are.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mho.errors import InvalidInput, invalid
from mho.files.reading import read_text
from mho.files.writing import write_text

DIGEST = "digest"
"""Name of the field."""


def text_of_json(value: Mapping[str, Any]) -> str:
    """The text of a JSON file."""
    return json.dumps(value, indent=1, allow_nan=False) + "\n"


def write_json(path: Path, value: Mapping[str, Any], *, to_disk: bool = True) -> None:
    """Write a JSON file that carries its digest, whole or not at all; raises `OSError`."""
    write_text(path, text_of_json({**value, DIGEST: _digest(value)}), to_disk=to_disk)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds one table of named fields; its digest is verified and left out.

    Raises:
        ValueError: it cannot be read, is no such file, or was changed after it was written; the
            message names the file, and the line where there is one.
    """
    return parse_json(read_text(path, wanted="a readable JSON file"), str(path))


def parse_json(text: str, where: str) -> dict[str, Any]:
    """The table in a text of JSON; as `read_json`, `where` the text stands."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        what = f"{error.msg} at line {error.lineno}, column {error.colno}"
        raise invalid(where, what, "valid JSON") from error
    except RecursionError as error:
        raise invalid(where, "brackets within brackets, too deep", "valid JSON") from error
    except ValueError as error:  # an integer too long
        raise invalid(where, _short(error), "valid JSON") from error
    if not isinstance(value, dict):
        raise invalid(where, value, "a table of named fields")
    if DIGEST in value:
        said = value.pop(DIGEST)
        if said != _digest(value):
            allowed = "the content that it was written with; the file is damaged, or was edited"
            raise InvalidInput(f"{where}: its digest is wrong: expected {allowed} (to use an "
                               f"edited file, remove its field {DIGEST!r})")  # fmt: skip
    return value


def read_toml(path: Path, field: str = "config") -> dict[str, Any]:
    """A TOML file.

    Raises:
        ValueError: it cannot be read or is not TOML; the message names the file and the line.
    """
    return parse_toml(read_text(path, field, wanted="a readable TOML file"), str(path), field)


def parse_toml(text: str, where: str, field: str = "config") -> dict[str, Any]:
    """The table in a text of TOML; as `read_toml`, `where` the text stands."""
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise invalid(field, where, "a TOML file (brackets within brackets, too deep)") from error
    except ValueError as error:  # of the syntax, or an integer too long
        raise invalid(field, where, f"a TOML file ({_short(error)})") from error


def _digest(value: Mapping[str, Any]) -> str:
    """Of the content of a table, however it is laid out."""
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    except RecursionError:
        return ""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _short(error: Exception) -> str:
    return str(error).partition(";")[0]


def flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a document by key, with dots between tables: {"a": {"b": 1}} is {"a.b": 1}.

    Raises:
        ValueError: a value is there twice, as in {"a.b": 2, "a": {"b": 1}}.
    """
    out: dict[str, Any] = {}
    for key, value in settings.items():
        tables = isinstance(value, Mapping)
        inside = {f"{key}.{name}": v for name, v in flat(value).items()} if tables else {key: value}
        if twice := out.keys() & inside.keys():
            name = min(twice)
            raise invalid(name, [out[name], inside[name]], "one value; this key is there twice")
        out |= inside
    return out
