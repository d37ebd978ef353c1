"""Numbers of a training for other programs: a protocol of two methods, and two that have it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from mho.arguments import checked
from mho.errors import invalid
from mho.files import check_output, naming, read_text
from mho.files.extras import of_extra

METRICS = "metrics.jsonl"
"""File of a run folder with what was measured while it ran."""


class Logger(Protocol):
    """Takes numbers of a training as they come; anything with these two methods is one."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Numbers by name after a training step [1], counted from 1."""
        ...

    def close(self) -> None:
        """Nothing follows: write what is left."""
        ...


class JsonLines:
    """A line of JSON for each call: {"step": 3, "accuracy": 0.97}; nan and inf are null.

    Args:
        path: the file, *.jsonl; what is there is kept, and lines are added.

    Raises:
        ValueError: another name, or a place that cannot be written to.
    """

    @checked
    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.suffix != ".jsonl":
            raise invalid("path", str(path), "a file whose name ends in .jsonl")
        _check_place(self.path, "path", folder=False)

    def log(self, values: Mapping[str, float], step: int) -> None:
        """As `Logger`."""
        line = {"step": int(step)} | {name: _finite(value) for name, value in values.items()}
        self._add(f"{json.dumps(line)}\n")

    def close(self) -> None:
        """As `Logger`; each line is in the file already."""

    def _add(self, text: str) -> None:
        with naming(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(text)


class TensorBoard:
    """Scalars for TensorBoard, by `torch.utils.tensorboard`; needs `mho[interchange]`.

    Args:
        folder: of the event files; made if missing.
        first: step from which on earlier points of the folder are dropped, as after a resume [1];
            None: none are.

    Raises:
        ValueError: TensorBoard is not installed, or the folder cannot be written.
    """

    @checked
    def __init__(self, folder: str | Path, first: int | None = None) -> None:
        _check_place(Path(folder), "folder", folder=True)
        of_extra("interchange", "tensorboard")
        self._folder, self._first, self._writer = str(folder), first, None

    def log(self, values: Mapping[str, float], step: int) -> None:
        """As `Logger`; the first call makes the folder."""
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(self._folder, purge_step=self._first)
        for name, value in values.items():
            self._writer.add_scalar(name, float(value), int(step))

    def close(self) -> None:
        """As `Logger`."""
        if self._writer is not None:
            self._writer.close()


@checked
def replay(folder: str | Path, logger: Any) -> int:
    """Give a logger what a run folder holds, finished or not; the logger stays open.

    Names are those of the stage and the number, "mlp 0: falling threshold/validation"; several
    numbers of one name are counted from 0.

    Args:
        folder: of a run, or of a point of a sweep.
        logger: a `Logger`.

    Returns:
        Lines that were given [1].

    Raises:
        ValueError: no folder of a run, or no logger.
    """
    give = listener(logger)
    path = Path(folder) / METRICS
    lines = list(_lines(path))
    for line in lines:
        give(line)
    return len(lines)


@checked
def listener(logger: Any) -> Callable[[Mapping[str, Any]], None]:
    """What gives a logger the lines of a run, one at a time, named as by `replay`; lines without a
    step are left out.

    Args:
        logger: a `Logger`.

    Raises:
        ValueError: it is none.
    """
    if not (callable(getattr(logger, "log", None)) and callable(getattr(logger, "close", None))):
        raise invalid("logger", logger, "an object with log(values, step) and close()")

    def give(line: Mapping[str, Any]) -> None:
        if "step" in line:
            stage, values = line["stage"], dict(_numbers(line))
            logger.log({f"{stage}/{name}": value for name, value in values.items()}, line["step"])

    return give


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Each line that has a step; a last line that is torn is left out."""
    text = read_text(path, "folder", wanted=f"a run folder, with {METRICS}")
    for number, line in enumerate(text.splitlines(), 1):
        try:
            given = json.loads(line)
            given |= {"stage": str(given["stage"]), "step": int(given["step"])}
        except (ValueError, KeyError, TypeError, AttributeError):
            if number > text.count("\n"):  # being written
                return
            raise invalid(f"{path}, line {number}", line[:60], "a line of a run") from None
        yield given


def _numbers(given: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Numbers of a line by name; texts and gaps are left out."""
    for name, value in given.items():
        if name in ("stage", "step"):
            continue
        several = value if isinstance(value, list) else [value]
        for at, each in enumerate(several):
            if isinstance(each, int | float) and not isinstance(each, bool):
                yield (f"{name} {at}" if isinstance(value, list) else name), float(each)


def _check_place(path: Path, field: str, *, folder: bool) -> None:
    """Refuse a file or a folder that cannot be written to."""
    try:
        check_output(path, field, overwrite=True, folder=folder)
    except OSError as error:
        allowed = f"a place that can be written to ({error.strerror})"
        raise invalid(field, str(path), allowed) from error


def _finite(value: float) -> float | None:
    """A number as JSON has it."""
    return float(value) if math.isfinite(value) else None
