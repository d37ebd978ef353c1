"""System programs that some tests need: without one they are skipped, where CI is set they fail."""

import os
import shutil

import pytest


def needed(*names: str) -> str:
    """Path of the first of some programs that is installed."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        missing = f"needs {'one of the programs ' if names[1:] else ''}{', '.join(names)}"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    return found
