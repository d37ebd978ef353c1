"""One value of a JSON document that knows where it stands, so that errors can say so."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mho.errors import invalid

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_MISSING = object()


def clean(text: str) -> str:
    """`text` with the characters that neither XML nor UTF-8 can carry replaced by U+FFFD."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


@dataclass(frozen=True)
class Node:
    """A JSON value and its place, e.g. `runs/bmcnn/result.json: claims[2].ours`.

    Every reader returns a checked plain value or raises `ValueError` naming that place.
    """

    place: str
    value: Any

    @classmethod
    def load(cls, path: Path) -> "Node":
        """Read a JSON file that holds one table of named fields."""
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise invalid(str(path), error.strerror, "a readable JSON file") from error
        except UnicodeDecodeError as error:
            raise invalid(str(path), "bytes that are not UTF-8", "a UTF-8 JSON file") from error
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            what = f"{error.msg} at line {error.lineno}, column {error.colno}"
            raise invalid(str(path), what, "valid JSON") from error
        except (RecursionError, ValueError) as error:  # too deep, or an integer too long
            raise invalid(str(path), str(error), "valid JSON") from error
        node = cls(str(path), value)
        node.fields()
        return node

    def fields(self) -> list[str]:
        if not isinstance(self.value, dict):
            raise self.error("a table of named fields")
        return list(self.value)

    def get(self, key: str, default: Any = _MISSING) -> "Node":
        """The field `key`; without a default it must be there."""
        if key not in self.fields():
            if default is _MISSING:
                raise invalid(self._joined(key), "missing", "a value; the field is required")
            return Node(self._joined(key), default)
        return Node(self._joined(key), self.value[key])

    def items(self) -> Iterator["Node"]:
        if not isinstance(self.value, list):
            raise self.error("a list")
        return (Node(f"{self.place}[{i}]", each) for i, each in enumerate(self.value))

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.error("a string")
        return clean(self.value)

    def identifier(self, reserved: str = "") -> str:
        """Text that can name a file and a place in the page, other than `reserved`."""
        if not _ID.fullmatch(self.text()) or self.value.lower() == reserved:
            other = f", other than {reserved!r}" if reserved else ""
            raise self.error(f"at most 80 letters, digits, '.', '_' and '-'{other}")
        return self.value

    def boolean(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.error("true or false")
        return self.value

    def integer(self) -> int:
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise self.error("an integer")
        return self.value

    def number(self) -> float:
        """A finite number, an integer staying one."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise self.error("a number")
        if not abs(self.value) <= 1e300:  # NaN compares false
            raise self.error("a finite number, or null")
        return self.value

    def optional_number(self) -> float | None:
        return None if self.value is None else self.number()

    def optional_std(self) -> float | None:
        found = self.optional_number()
        if found is not None and found < 0:
            raise self.error("at least 0, or null")
        return found

    def numbers(self) -> list[float]:
        """A list of numbers, with NaN for null."""
        found = (each.optional_number() for each in self.items())
        return [math.nan if each is None else float(each) for each in found]

    def choice(self, *allowed: str) -> str:
        if self.value not in allowed:
            raise self.error(" or ".join(repr(each) for each in allowed))
        return self.value

    def error(self, allowed: str) -> ValueError:
        shown = repr(self.value)
        return invalid(self.place, self.value if len(shown) < 60 else f"{shown[:56]} ...", allowed)

    def _joined(self, key: str) -> str:
        # The file stands before the first ": ", fields of fields follow with dots.
        return f"{self.place}{'.' if ': ' in self.place else ': '}{key}"
