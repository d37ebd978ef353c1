"""The command `mho`: exit 0 done, 2 bad input, or a program or an instrument failed (one line),
130 interrupted."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mho.circuits.ngspice import SpiceError
from mho.cli.commands import UsageError, parse
from mho.errors import InvalidInput
from mho.hardware.instrument import InstrumentError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    try:
        parse(sys.argv[1:] if arguments is None else list(arguments)).run()
    except (UsageError, InvalidInput, InstrumentError, SpiceError, FileNotFoundError) as error:
        print(f"mho: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("mho: interrupted; go on with --resume", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    return 0


__all__ = ["main"]
