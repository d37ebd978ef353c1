"""The command `mho`.

Exit status: 0 done; 1 the operating system said no, as for a full disk; 2 bad input, or a program
or an instrument failed; 130 interrupted, by Ctrl-C or SIGTERM. Whatever went wrong is one line.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from mho.errors import Failed, InvalidInput, UsageError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    try:
        with _sigterm_is_ctrl_c():
            return _run(sys.argv[1:] if arguments is None else list(arguments))
    except KeyboardInterrupt as stop:
        _tell(f"interrupted; {stop or 'nothing was written'}")
        return 130
    except BrokenPipeError:  # whoever reads the output has enough
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = (
            f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        )
        _tell(f"{where}{error.strerror}" if error.strerror else str(error))
        return 2 if error.errno is None else 1
    except (UsageError, InvalidInput, Failed) as error:
        _tell(str(error))
        return 2
    except (MemoryError, RuntimeError) as error:
        if not _is_of_memory(error):
            raise
        _tell(f"there is not enough memory ({error})")
        return 1


def _run(arguments: list[str]) -> int:
    # Imported here, as Ctrl-C while torch loads is Ctrl-C too.
    from mho.cli.commands import parse
    from mho.cli.terminal import any_characters

    with any_characters():
        try:
            parse(arguments).run()
        finally:
            sys.stdout.flush()
    return 0


@contextmanager
def _sigterm_is_ctrl_c() -> Iterator[None]:
    try:
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    except ValueError:  # not in the main thread, which alone has handlers
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(text: str) -> None:
    """One line on standard error, if there is one."""
    line = f"mho: {' '.join(text.split())}\n"
    with suppress(OSError):
        encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
        sys.stderr.write(line.encode(encoding, "replace").decode(encoding))
        sys.stderr.flush()


def _is_of_memory(error: Exception) -> bool:
    """Whether there was too little memory; torch has an error of its own for devices alone."""
    return isinstance(error, MemoryError) or any(
        sign in str(error) for sign in ("can't allocate memory", "out of memory")
    )


__all__ = ["main"]
