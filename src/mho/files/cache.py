"""The folder of mho in the user's cache: data sets that were downloaded, and compiled kernels."""

import os
import sys
from pathlib import Path


def user_cache() -> Path:
    """Return the folder, which need not exist yet.

    It is `mho` in `$XDG_CACHE_HOME`, if that is set, else in the cache of the platform:
    `%LOCALAPPDATA%` on Windows, `~/Library/Caches` on macOS, `~/.cache` elsewhere.

    Raises:
        FileNotFoundError: the user has no home folder.
    """
    for variable in ("XDG_CACHE_HOME", *(("LOCALAPPDATA",) if os.name == "nt" else ())):
        named = Path(os.environ.get(variable, ""))
        if named.is_absolute():  # what is relative is no setting, by the XDG specification
            return named / "mho"
    home = Path(os.path.expanduser("~"))
    if not (home.is_absolute() and home.is_dir() and home.parent != home):  # "/" is nobody's home
        raise FileNotFoundError(f"no home folder {str(home)!r} to hold a cache")
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "mho"
