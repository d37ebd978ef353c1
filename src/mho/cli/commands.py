"""Parsing: dataclasses are the commands, tyro writes the help, errors are one line."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Annotated, Protocol

import tyro

from mho.cli.catalogue import List
from mho.cli.demo import Demo
from mho.cli.fit import Fit
from mho.cli.netlist import Netlist
from mho.cli.pool import Pool
from mho.cli.release_chip import ReleaseChip
from mho.cli.report import Report
from mho.cli.run import Run
from mho.cli.search import Search
from mho.cli.serve_chip import ServeChip
from mho.cli.show import Show
from mho.cli.sweep import Sweep
from mho.cli.terminal import say
from mho.cli.try_device import Try
from mho.errors import UsageError, unknown

Command = (
    Annotated[Demo, tyro.conf.subcommand("demo")]
    | Annotated[Run, tyro.conf.subcommand("run")]
    | Annotated[Sweep, tyro.conf.subcommand("sweep")]
    | Annotated[Search, tyro.conf.subcommand("search")]
    | Annotated[List, tyro.conf.subcommand("list")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[Pool, tyro.conf.subcommand("pool")]
    | Annotated[Netlist, tyro.conf.subcommand("netlist")]
    | Annotated[Fit, tyro.conf.subcommand("fit")]
    | Annotated[Show, tyro.conf.subcommand("show")]
    | Annotated[Try, tyro.conf.subcommand("try")]
    | Annotated[ServeChip, tyro.conf.subcommand("serve-chip")]
    | Annotated[ReleaseChip, tyro.conf.subcommand("release-chip")]
)

VERBS = (
    "demo", "run", "sweep", "search", "list", "report", "pool", "netlist", "fit", "show", "try",
    "serve-chip", "release-chip",
)  # fmt: skip


class Runs(Protocol):
    """A command with its options."""

    def run(self) -> None:
        """Do it."""
        ...


def parse(arguments: Sequence[str]) -> Runs:
    """The command that a command line asks for.

    Raises:
        UsageError, ValueError: it cannot be understood; the message is one line.
        SystemExit: help or the version was asked for.
    """
    if list(arguments) == ["--version"]:
        from mho import __version__

        say(__version__)
        raise SystemExit(0)
    if arguments and not arguments[0].startswith("-") and arguments[0] not in VERBS:
        raise unknown("command", arguments[0], VERBS)
    if not arguments:
        arguments = ["--help"]
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(
                Command,  # type: ignore[arg-type]
                prog="mho",
                description="Learning on memristors, from write-once to lifelong.",
                args=list(arguments),
                config=(tyro.conf.OmitArgPrefixes,),
            )
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise UsageError(_one_line(complaint.getvalue())) from None


def _one_line(box: str) -> str:
    """What a boxed complaint says, without the box and without the pages of help after it."""
    lines = [line.strip("│ \n") for line in box.splitlines()]
    told: list[str] = []
    for line in lines:
        if line.startswith("──") and told:
            break
        if line and line[0] not in "╭╰─":
            told.append(line)
    return " ".join(told) or "the command line cannot be understood; see mho --help"
