"""The secret that a server and its hosts share."""

from __future__ import annotations

import hmac
import os
from pathlib import Path

from mho.arguments import checked
from mho.errors import invalid
from mho.files import read_text

VARIABLE = "MHO_CHIP_TOKEN"
"""Environment variable that holds it, where no file is named."""

LONGEST = 256
"""Most characters."""


@checked
def read_token(path: Path | str | None = None) -> str | None:
    """The secret in a file, or else in the environment; None if there is none.

    Raises:
        ValueError: the file cannot be read, or what it holds is no secret.
    """
    if path is not None:
        return check_token("token_file", read_text(Path(path), "token_file", most=4096).strip())
    given = os.environ.get(VARIABLE, "")
    return check_token(VARIABLE, given) if given else None


def check_token(field: str, token: str) -> str:
    """Refuse what is no secret; the message does not show it.

    Raises:
        ValueError: as said.
    """
    printable = token.isascii() and token.isprintable() and " " not in token
    if not (printable and 0 < len(token) <= LONGEST):
        allowed = f"one word of 1 to {LONGEST} printable ASCII characters"
        raise invalid(field, f"a text of {len(token)} characters", allowed)
    return token


def same_token(one: str, other: str) -> bool:
    """Whether two are the same, found in a time that does not tell how much of them is."""
    return hmac.compare_digest(one.encode(), other.encode())
