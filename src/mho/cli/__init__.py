"""The command `mho`.

Exit status: 0 done; 1 the operating system said no, as for a full disk; 2 bad input, or a program
or an instrument failed; 130 interrupted, by Ctrl-C or SIGTERM. Whatever went wrong is one line; if
the user's own code did, Python's trace of it follows.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from mho.errors import Failed, InvalidInput, OwnCodeFailed, UsageError
from mho.waiting import wait_asleep


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status.

    Args:
        arguments: None: those of this process, which then is the command's own.
    """
    if arguments is None:
        wait_asleep()
    interrupted: list[int] = []
    try:
        with _signals(interrupted):
            return _run(sys.argv[1:] if arguments is None else list(arguments))
    except KeyboardInterrupt as stop:
        return _ended(130, f"interrupted; {str(stop) or 'nothing was written'}")
    except BrokenPipeError:  # whoever reads the output has enough
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        named = isinstance(error.filename, str | bytes)
        where = f"{os.fsdecode(error.filename)}: " if named else ""
        said = f"{where}{error.strerror}" if error.strerror else str(error)
        return _ended(2 if error.errno is None else 1, said)
    except OwnCodeFailed as error:
        return _ended(2, str(error), error.trace)
    except (UsageError, InvalidInput, Failed) as error:
        return _ended(2, str(error))
    except Exception as error:
        if interrupted:  # a library that was loading has made another error of it
            return _ended(130, "interrupted; nothing was written")
        if not _is_of_memory(error):
            raise
        return _ended(1, f"there is not enough memory ({error})")


def _run(arguments: list[str]) -> int:
    # Imported here, as Ctrl-C while torch loads is Ctrl-C too.
    from mho.cli.commands import parse
    from mho.cli.terminal import any_characters, plain_warnings

    with any_characters(), plain_warnings():
        try:
            if (asked := parse(arguments)) is not None:
                asked.run()
        finally:
            sys.stdout.flush()
    return 0


@contextmanager
def _signals(received: list[int]) -> Iterator[None]:
    """Take SIGTERM as Ctrl-C, and note both; a signal that is ignored stays so."""

    def stop(number: int, _frame: object) -> None:
        received.append(number)
        raise KeyboardInterrupt

    before = {}
    with suppress(ValueError):  # not in the main thread, which alone has handlers
        for each in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(each) is not signal.SIG_IGN:
                before[each] = signal.signal(each, stop)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _ended(status: int, text: str, more: str = "") -> int:
    """Say how the command ended, in one line on standard error if there is one. Of several
    processes that do one run, all but the first say so, and nothing of an interruption.

    Args:
        status: the exit status.
        text: the line.
        more: lines below it, as they are.
    """
    rank = os.environ.get("RANK", "0") if "TORCHELASTIC_RUN_ID" in os.environ else "0"
    if rank != "0" and status == 130:
        return status
    who = "" if rank == "0" else f"process {rank}: "
    line = f"mho: {who}{' '.join(text.split())}\n{more}"
    with suppress(OSError):
        encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
        sys.stderr.write(line.encode(encoding, "replace").decode(encoding))
        sys.stderr.flush()
    return status


def _is_of_memory(error: Exception) -> bool:
    """Whether there was too little memory; torch has an error of its own for devices alone."""
    return isinstance(error, MemoryError) or any(
        sign in str(error) for sign in ("can't allocate memory", "out of memory")
    )


__all__ = ["main"]
