"""Numbers as tables write them: told in one strict way, or refused with what would make them clear.

A number is ASCII digits with a sign, a decimal mark and an exponent. Which of "." and "," marks
decimals, and which groups thousands, is decided by what a column and its table show: "1,5" and
"0,125" have a decimal comma, "1,234,567" and "1,234.5" a decimal point. "162,082" alone may be
either. Where nothing tells, it is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from mho.errors import InvalidInput, invalid

LONGEST = 60
"""Characters of a number, at most."""

_EXPONENT = r"(?:[eE][+-]?[0-9]{1,4})?"
_PLAIN = re.compile(rf"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+){_EXPONENT}")
_COMMA = re.compile(rf"[+-]?(?:[0-9]+,[0-9]*|,[0-9]+){_EXPONENT}")
_GROUPED = {
    mark: re.compile(rf"[+-]?[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}})+(?:{mark}[0-9]*)?{_EXPONENT}")
    for mark, group in ((r"\.", ","), (",", r"\."))
}
_OTHER = {".": ",", ",": "."}


def is_number(text: str) -> bool:
    """Whether a text is a number, whatever its decimal mark."""
    return len(text) <= LONGEST and any(
        pattern.fullmatch(text) for pattern in (_PLAIN, _COMMA, *_GROUPED.values())
    )


def plain_number(where: str, text: str, allowed: str = "a number") -> float:
    """A number with a decimal point and without groups.

    Raises:
        ValueError: it is none, or one that double precision does not hold; `where` it stands.
    """
    text = text.strip()
    if len(text) > LONGEST or not _PLAIN.fullmatch(text):
        raise invalid(where, text, allowed)
    value = float(text)
    mantissa = text.lower().partition("e")[0]
    if math.isinf(value) or (value == 0.0 and mantissa.strip("+-.0")):
        raise invalid(where, text, f"{allowed}, of 1e-300 to 1e300 or 0")
    return value


def marks_shown(texts: Iterable[str]) -> set[str]:
    """Decimal marks that some numbers show beyond doubt: none, one, or contradicting ones."""
    found = set()
    for text in texts:
        points, commas = text.count("."), text.count(",")
        if len(text) > LONGEST or not (points or commas):
            continue
        if (points and commas) or points + commas > 1:
            found |= {mark for mark in ".," if _grouped(text, mark)}
        else:
            mark = "." if points else ","
            shape = _PLAIN if points else _COMMA
            exponent = "e" in text.lower()
            if shape.fullmatch(text) and (exponent or not _grouped(text, _OTHER[mark])):
                found.add(mark)
    return found


def decimal_mark(column: Sequence[str], table: set[str], separator: str) -> str:
    """The decimal mark of a column: what it shows, else what its table shows, else the usual one.

    Args:
        column: its cells.
        table: what all columns show, see `marks_shown`.
        separator: of the cells; a table with ";" between them has decimal commas.

    Returns:
        "." or ","; "" where a comma may be either.

    Raises:
        ValueError: the column shows both.
    """
    own = marks_shown(column)
    if len(own) > 1:
        first = {
            mark: next(text for text in column if marks_shown([text]) == {mark}) for mark in ".,"
        }
        raise InvalidInput(
            f"{first['.']!r} has a decimal point and {first[',']!r} a decimal comma: expected "
            "one of them in a column"
        )
    for shown in (own, table):
        if len(shown) == 1:
            return next(iter(shown))
    commas = any("," in text for text in column)
    if separator == ";" and not table and not any("." in text for text in column):
        return ","
    return "" if commas else "."


def number(where: str, text: str, mark: str) -> tuple[str, bool]:
    """A number with a decimal point and without groups, and whether it had groups.

    Args:
        where: it stands.
        mark: see `decimal_mark`.

    Raises:
        ValueError: it is no number, or the mark is "" and it has a comma.
    """
    text = text.replace("\N{MINUS SIGN}", "-")
    if len(text) > LONGEST or not is_number(text):
        raise invalid(where, text, "a number, or nothing for a gap")
    if mark == "" and "," in text:
        group = text.replace(",", "")
        allowed = f"{group}, or {text.replace(',', '.')}: nothing in the table tells which"
        raise invalid(where, text, allowed)
    mark = mark or "."
    if _grouped(text, mark) and _OTHER[mark] in text:
        text = text.replace(_OTHER[mark], "").replace(mark, ".")
        plain_number(where, text)
        return text, True
    if _OTHER[mark] in text:
        name = "point" if mark == "." else "comma"
        raise invalid(where, text, f"a number with a decimal {name}, as the others")
    text = text.replace(mark, ".")
    plain_number(where, text)
    return text, False


def _grouped(text: str, mark: str) -> bool:
    """Whether a number has thousands in groups, its decimals after `mark`."""
    return bool(_GROUPED[r"\." if mark == "." else ","].fullmatch(text))
