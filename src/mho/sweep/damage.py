"""Damaged files of a point: put aside, so that the point goes on from what is whole.

Nothing in the folder of a point is made by hand. What was damaged is left beside it, as
NAME.damaged.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mho.errors import InvalidInput
from mho.experiments import checkpoint
from mho.experiments.run import FINISHED
from mho.files import check_sums, naming, only_writer, read_json
from mho.files.sums import SUMS

RESULT = "result.json"


def of_result(folder: Path) -> str:
    """What is wrong with the result of a point, or with what its run leaves beside it; "" if
    nothing is, or there is none."""
    if not (folder / RESULT).exists():
        return ""
    try:
        check_sums(folder, RESULT, *FINISHED)
        read_json(folder / RESULT)
    except InvalidInput as error:
        return str(error)
    return ""


def put_result_aside(folder: Path, told: Callable[[str], None]) -> None:
    """Have a point whose result is damaged count as one that is not done.

    Raises:
        Taken: another process works on it.
        OSError: the folder cannot be written.
    """
    if of_result(folder):
        with only_writer(folder / ".lock", "point", folder):
            if why := of_result(folder):  # another process may have done so
                told(f"{why}; made again from the checkpoint")
                _put_aside(folder, RESULT, SUMS)


def begin_anew(folder: Path, told: Callable[[str], None]) -> bool:
    """Where checkpoints are there and none is whole: put them aside; returns whether it was so.

    Raises:
        Taken: another process works on the point.
        OSError: the folder cannot be written.
    """
    with only_writer(folder / ".lock", "point", folder):
        if not checkpoint.exists(folder):
            return False
        try:
            checkpoint.newest(folder)
        except InvalidInput as error:
            told(f"{error}; begun anew")
            _put_aside(folder, checkpoint.NAME, checkpoint.PREVIOUS, checkpoint.METRICS)
            return True
    return False


def _put_aside(folder: Path, *names: str) -> None:
    for name in names:
        aside = folder / f"{name}.damaged"
        with naming(folder / name), suppress(FileNotFoundError):
            if aside.is_dir():  # one that came in the place of a file
                aside = folder / f"{name}.{secrets.token_hex(6)}.damaged"
            (folder / name).replace(aside)
