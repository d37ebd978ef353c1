"""Packages that come with an extra, imported when something asks for them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mho.errors import invalid


def of_extra(extra: str, module: str) -> Any:
    """A module of a package that comes with an extra.

    Args:
        extra: its name, as pip takes it.
        module: to be imported.

    Raises:
        ValueError: it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        allowed = f"what is installed, here with: pip install 'mho[{extra}]'"
        raise invalid(extra, module, allowed) from error
