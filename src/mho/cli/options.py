"""Dataclasses as commands of click: a field is an option or an argument, its docstring the help.

    @dataclass(frozen=True)
    class Show:
        \"\"\"Show what is known of a device.\"\"\"

        device: Annotated[str, Argument("DEVICE", complete=devices)]
        \"\"\"A device of mho list devices.\"\"\"
        out: Annotated[Path | None, Option("FILE")] = None
        \"\"\"Figure to write.\"\"\"
        overwrite: bool = False
        \"\"\"Replace what is there.\"\"\"

        def run(self) -> None: ...

A bool is a flag. A tuple is an option that may be given several times, or an argument that takes
several values; of a fixed length, an option of so many values.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar, get_args, get_origin

import click
from click.shell_completion import CompletionItem

from mho.cli.help_text import Context
from mho.documented import field_docs, first_sentence
from mho.errors import invalid

T = TypeVar("T")

Names = Callable[[click.Context], Iterable[str]]
"""Names that a shell completes a value with."""


class Option(NamedTuple):
    """How an option appears on the command line."""

    metavar: str = ""
    """What stands for its value; else its type."""
    name: str = ""
    """Its name; else that of the field."""
    complete: Names | None = None


class Argument(NamedTuple):
    """How an argument appears on the command line."""

    metavar: str
    complete: Names | None = None


class Runs(Protocol):
    """A command with its options."""

    def run(self) -> None:
        """Do it."""
        ...


class Value(click.ParamType):
    """A text, completed with names; files too where it may be one."""

    name = "text"

    def __init__(self, names: Names) -> None:
        self._names = names

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Names that begin as the value does."""
        found = [name for name in self._names(ctx) if name.startswith(incomplete)]
        return [CompletionItem(name) for name in found] or [CompletionItem(incomplete, "file")]


class Command(click.Command):
    """A command with help as `HelpText` has it."""

    context_class = Context


def command(name: str, record: type[Runs]) -> Command:
    """The command of a dataclass; invoked, it gives the record with what was given."""
    hints = typing.get_type_hints(record, include_extras=True)
    docs = field_docs(record)
    params = [
        _parameter(each, hints[each.name], docs.get(each.name, ""))
        for each in dataclasses.fields(record)  # type: ignore[arg-type]
    ]
    params.sort(key=lambda each: isinstance(each, click.Option))
    text = record.__doc__ or ""
    return Command(
        name, params=params, callback=record, help=text, short_help=first_sentence(text),
        context_settings={"help_option_names": ["-h", "--help"]},
    )  # fmt: skip


def _parameter(field: dataclasses.Field[Any], hint: Any, doc: str) -> click.Parameter:
    """A field as click has it."""
    shown: Option | Argument = Option()
    if hasattr(hint, "__metadata__"):
        shown = next(each for each in hint.__metadata__ if isinstance(each, Option | Argument))
        hint = get_args(hint)[0]
    given: dict[str, Any] = {"metavar": shown.metavar or None, "help": doc}
    required = field.default is dataclasses.MISSING
    if not required:
        given["default"] = field.default
    if get_origin(hint) in (typing.Union, types.UnionType):
        (hint,) = (each for each in get_args(hint) if each is not types.NoneType)
    several = get_origin(hint) is tuple
    if several:
        hint, *more = get_args(hint)
        if more != [...]:
            given["nargs"], several = 1 + len(more), False
    given["type"] = click.Path(path_type=Path) if hint is Path else hint
    if shown.complete is not None:
        given["type"] = Value(shown.complete)
    if isinstance(shown, Argument):
        if several:
            given |= {"nargs": -1, "metavar": f"{shown.metavar}..."}
        if not required:
            given["metavar"] = f"[{shown.metavar}]"
        return click.Argument([field.name], required=required, **given)
    if hint is bool:
        given = {"is_flag": True, "default": False, "help": doc}
    elif several:
        given["multiple"] = True
    shows = not required and field.default not in (None, False, "", ())
    flag = f"--{(shown.name or field.name).replace('_', '-')}"
    return click.Option([flag, field.name], required=required, show_default=shows, **given)


def by_key(option: str, given: Iterable[tuple[str, T]]) -> dict[str, T]:
    """What an option that may be given several times says of each key.

    Args:
        option: its name.
        given: each key with what is said of it.

    Raises:
        ValueError: a key is given twice.
    """
    found: dict[str, T] = {}
    for key, value in given:
        if key in found:
            raise invalid(option, key, f"each key once: --{option} has {key} twice")
        found[key] = value
    return found
