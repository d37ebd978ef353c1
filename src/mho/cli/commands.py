"""Parsing: dataclasses are the commands, click reads them, errors are one line."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click
from click.shell_completion import get_completion_class, shell_complete

from mho.cli.catalogue import List
from mho.cli.compare import Compare
from mho.cli.demo import Demo
from mho.cli.fit import Fit
from mho.cli.help_text import Context
from mho.cli.lab import Lab
from mho.cli.netlist import Netlist
from mho.cli.options import Runs, command
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
from mho.documented import first_sentence
from mho.errors import UsageError, unknown

SECTIONS: dict[str, dict[str, type[Runs]]] = {
    "Experiments": {
        "demo": Demo,
        "list": List,
        "run": Run,
        "report": Report,
        "compare": Compare,
        "pool": Pool,
    },
    "Many runs": {"sweep": Sweep, "search": Search},
    "Devices and arrays": {"fit": Fit, "show": Show, "try": Try, "lab": Lab, "netlist": Netlist},
    "Instruments": {"serve-chip": ServeChip, "release-chip": ReleaseChip},
}
"""Commands, as `mho --help` shows them."""

SHELLS = ("bash", "zsh", "fish")

COMPLETE = "_MHO_COMPLETE"
"""Environment variable by which a shell asks for completions."""

INTRODUCTION = """Learning on memristors: devices, crossbars, write rules, in PyTorch.

  mho demo                    a first answer, in half a minute
  mho list                    what there is to choose from
  mho run siamese             run an experiment, in minutes
  mho try hfo2-1t1r           what a small network would do on a device

mho COMMAND --help shows the options of a command.
"""


class Commands(click.Group):
    """All commands, in sections."""

    context_class = Context

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """A line for each."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(name, self.commands[name].get_short_help_str(200)) for name in commands]
                )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names."""
        if args[0] not in self.commands and not args[0].startswith("-"):
            raise unknown("command", args[0], self.commands)
        return super().resolve_command(ctx, args)


def _version(context: click.Context, _option: click.Parameter, given: bool) -> None:
    if given:
        from mho import __version__

        say(f"mho {__version__}")
        context.exit()


def _completion(context: click.Context, _option: click.Parameter, shell: str | None) -> None:
    if shell is not None:
        of_shell = get_completion_class(shell)
        assert of_shell is not None
        say(of_shell(MHO, {}, "mho", COMPLETE).source())
        context.exit()


MHO = Commands(
    "mho",
    commands={
        name: command(name, record)
        for commands in SECTIONS.values()
        for name, record in commands.items()
    },
    help=INTRODUCTION,
    subcommand_metavar="COMMAND ...",
    context_settings={"help_option_names": ["-h", "--help"]},
    params=[
        click.Option(["--version"], is_flag=True, is_eager=True, expose_value=False,
                     callback=_version, help="Print the version."),
        click.Option(["--print-completion"], type=click.Choice(SHELLS), metavar="SHELL",
                     is_eager=True, expose_value=False, callback=_completion,
                     help="Print what has bash, zsh or fish complete commands, options and names; "
                     'in ~/.bashrc: eval "$(mho --print-completion bash)"'),
    ],
)  # fmt: skip


def parse(arguments: Sequence[str]) -> Runs | None:
    """The command that a command line asks for; None: help, the version or completions, which have
    been printed.

    Raises:
        UsageError, ValueError: it cannot be understood; the message is one line.
    """
    if asked := os.environ.get(COMPLETE):
        shell_complete(MHO, {}, "mho", COMPLETE, asked)
        return None
    try:
        with MHO.make_context("mho", list(arguments) or ["--help"]) as context:
            return MHO.invoke(context)
    except click.exceptions.Exit:
        return None
    except click.UsageError as error:
        raise UsageError(_one_line(error)) from None


def _one_line(error: click.UsageError) -> str:
    """What is wrong, what would be right, and where more stands."""
    said = error.format_message()
    if isinstance(error, click.MissingParameter) and isinstance(error.param, click.Argument):
        said = f"{error.param.metavar} is missing: {first_sentence(error.param.help or '')}"
    where = error.ctx.command_path if error.ctx is not None else "mho"
    return f"{' '.join(said.split()).rstrip('.')}; see {where} --help"
