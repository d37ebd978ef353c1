"""The process that works on one point: `python -m mho.sweep.worker FOLDER`.

It goes on from what is in the folder, says there every few seconds how far it is, and writes there
what goes wrong. It stops with a checkpoint when its standard input ends, as that does when the
process that started it is gone. Exit status: see `process`.
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path

import torch

from mho import experiments
from mho.errors import InvalidInput, OwnCodeFailed
from mho.experiments.execution import execute, finished
from mho.experiments.memory import check_memory
from mho.experiments.own_data import check_data
from mho.experiments.progress import Progress
from mho.experiments.trainings import Training
from mho.files import Taken, write_json
from mho.sweep.damage import begin_anew, put_result_aside
from mho.sweep.folder import Beat, PointFolder
from mho.sweep.process import DONE, FAILED, INTERRUPTED, STORAGE, TAKEN

BEAT_EVERY = 2.0
"""Seconds between two signs of life."""

OF_STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO,
              errno.EFBIG, errno.ESTALE)  # fmt: skip
"""Errors of a disk that no other try at this point mends."""


class Beating(Progress):
    """Progress that is written to the folder of a point.

    Args:
        folder: of the point.
    """

    def __init__(self, folder: PointFolder) -> None:
        super().__init__(folder.path.name, shown=False)
        self._file = folder.path / "progress.json"
        self._beat = Beat(socket.gethostname(), os.getpid(), time.time())
        self._over = threading.Event()
        self._inside = 0

    def note(self, text: str) -> None:
        """Say something, into the log of the engine."""
        with suppress(OSError):
            print(text, file=sys.stderr, flush=True)

    @contextmanager
    def bar(
        self, what: str, total: int, done: int, *, trains: bool = False, of: Training | None = None
    ) -> Iterator[Callable[[int], None]]:
        """Progress from `done` to `total`; that of a bar within another one is not told."""
        self._inside += 1
        if self._inside == 1:
            self._beat = replace(self._beat, stage=what, done=done, total=total,
                                 since=time.time(), start=done, trains=trains)  # fmt: skip

        def advance(n: int) -> None:
            if self._inside == 1:
                self._beat = replace(self._beat, done=self._beat.done + n)

        try:
            yield advance
            if trains and self._inside == 1:
                trained = self._beat.trained + 1
                self._beat = replace(self._beat, trains=False, trained=trained)
        finally:
            self._inside -= 1

    @contextmanager
    def told(self) -> Iterator[None]:
        """Give signs of life, from a thread, as long as the block lasts."""
        thread = threading.Thread(target=self._tell, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()
            with suppress(OSError):
                self._file.unlink(missing_ok=True)

    def _tell(self) -> None:
        while True:
            beat = replace(self._beat, at=time.time())  # a copy: steps are counted meanwhile
            with suppress(OSError):  # the run itself meets and names it
                write_json(self._file, asdict(beat), to_disk=False)
            if self._over.wait(BEAT_EVERY):
                return


def work(folder: PointFolder, threads: int, engine: str = "") -> int:
    """Do what is left of a point; returns the exit status."""
    place = {"host": socket.gethostname(), **({"engine": engine} if engine else {})}
    progress = Beating(folder)
    if not folder.path.is_dir():
        print(f"{folder.path} is not there on {socket.gethostname()}; a sweep on several machines "
              "needs a folder that all of them have under this name", file=sys.stderr)  # fmt: skip
        return STORAGE
    try:
        point = folder.point
        config = point.config
        put_result_aside(folder.path, progress.note)
        digests = check_data(config)
        if finished(folder.path, config, digests):
            return DONE
        torch.set_num_threads(threads)
        check_memory(experiments.get(point.experiment).memory(config), config.torch_device())

        def go_on() -> None:
            execute(point.experiment, config, folder.path, resume=True, digests=digests,
                    progress=progress, trainings=folder.trained, place=place)  # fmt: skip

        with progress.told():
            try:
                go_on()
            except Taken:
                raise
            except InvalidInput:
                if not begin_anew(folder.path, progress.note):
                    raise
                go_on()
    except KeyboardInterrupt:
        return INTERRUPTED
    except Taken as taken:
        print(taken, file=sys.stderr)
        return TAKEN
    except Exception as error:
        if isinstance(error, OSError) and error.errno in OF_STORAGE:
            print(f"{error.filename}: {error.strerror}", file=sys.stderr)
            return STORAGE
        plain = isinstance(error, InvalidInput)
        said = str(error) if plain else traceback.format_exc()
        if isinstance(error, OwnCodeFailed):
            said = f"{error}\n{error.trace}"
        print(said, file=sys.stderr)
        try:
            folder.failed(said)
        except OSError as full:
            print(f"{full.filename}: {full.strerror}", file=sys.stderr)
            return STORAGE
        return FAILED
    with suppress(OSError):
        folder.forgive()
    return DONE


def _stop_with_starter() -> None:
    """Interrupt this process when its standard input ends."""

    def wait() -> None:
        with suppress(OSError):
            while os.read(0, 1):  # not sys.stdin, whose lock would be held at exit
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--engine", default="", help="that started it, for env.json")
    parser.add_argument("--alone", action="store_true", help="standard input is not looked at")
    given = parser.parse_args(arguments)

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    for each in (signal.SIGUSR1, signal.SIGUSR2):  # Slurm tells all processes of a job that it ends
        signal.signal(each, signal.SIG_IGN)
    if not given.alone:
        _stop_with_starter()
    return work(PointFolder(given.folder), given.threads, given.engine)


if __name__ == "__main__":
    sys.exit(main())
