"""Programs and packages that some tests need: without one they are skipped, where CI is set they
fail."""

import importlib.util
import os
import shutil
from typing import NoReturn

import pytest


def needed(*names: str) -> str:
    """Path of the first of some programs that is installed."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        _missing(f"needs {'one of the programs ' if names[1:] else ''}{', '.join(names)}")
    return found


def needed_packages(*names: str) -> None:
    """Packages that are all to be installed."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        _missing(f"needs the packages {', '.join(missing)}")


def _missing(message: str) -> NoReturn:
    pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
