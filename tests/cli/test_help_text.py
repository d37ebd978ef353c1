"""Help of every command: it fits the terminal, has no noise, and breaks no name."""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from mho.cli import main, names
from mho.cli.commands import COMPLETE, MHO, SHELLS

COMMANDS = [[], *([name] for name in MHO.commands)]

NOISE = ("STR", "INT", "FLOAT", "TEXT", "INTEGER", "None", "False", "True", "[1]", "''")


def shown(words: list[str], columns: int, monkeypatch: pytest.MonkeyPatch,
          capsys: pytest.CaptureFixture[str]) -> str:  # fmt: skip
    """Help at so many columns."""
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main([*words, "--help"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("columns", [80, 200, 60, 40, 10])
def test_help_fits_and_breaks_no_word(
    words: list[str], columns: int, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    said = shown(words, columns, monkeypatch, capsys)
    for line in said.splitlines():
        fits = len(line) <= min(columns, 80)
        assert fits or columns < 40 or line.startswith("    mho "), line
    command: click.Command = MHO.commands[words[0]] if words else MHO
    texts = [command.help or "", *(getattr(each, "help", None) or "" for each in command.params)]
    known = {word for text in texts for word in text.split()}
    known |= {flag for each in command.params for flag in each.opts if flag.startswith("--")}
    assert known - set(said.split()) == set()


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_has_no_noise(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = shown(words, 80, monkeypatch, capsys)
    found = [word for word in NOISE if re.search(rf"(?<![\w.]){re.escape(word)}(?!\w)", said)]
    assert found == []


@pytest.mark.parametrize("words", COMMANDS[1:], ids=" ".join)
def test_every_option_has_a_text_and_says_what_its_value_is(words: list[str]) -> None:
    for each in MHO.commands[words[0]].params:
        assert each.help, each.name
        if isinstance(each, click.Option) and not each.is_flag:
            assert each.metavar, each.name


def test_the_first_lines_say_how_to_begin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = shown([], 80, monkeypatch, capsys)
    assert main([]) == 0
    assert capsys.readouterr().out == said
    assert "mho run siamese" in "".join(said.splitlines()[:8])
    assert len(said.splitlines()) <= 40


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_is_told_how_to_complete(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--print-completion", shell]) == 0
    assert COMPLETE in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("mho r", "run"),
        ("mho run si", "siamese"),
        ("mho run siamese --pre", "--preset"),
        ("mho run siamese --preset st", "standard"),
        ("mho run siamese --set hardware.adc_b", "hardware.adc_bits="),
        ("mho sweep siamese --set scheme_e", "scheme_epochs="),
        ("mho try hfo2-1t1r-", "hfo2-1t1r-relaxed"),
        ("mho show neurosim-rram-", "neurosim-rram-1.5"),
        ("mho list dev", "devices"),
        ("mho sweep siamese --engine sl", "slurm"),
        ("mho netlist g.csv --law si", "sinh"),
    ],
)
def test_names_are_completed(
    line: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(COMPLETE, "bash_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
    assert main([]) == 0
    assert f"plain,{found}\n" in capsys.readouterr().out


def test_names_that_stand_here_are_those_there_are() -> None:
    from mho.experiments import EXPERIMENTS, PRESET_NAMES

    assert [*EXPERIMENTS] == [*names.EXPERIMENTS]
    assert PRESET_NAMES == names.SIZES


SLOW = ("torch", "numba", "numpy", "scipy", "matplotlib", "PIL", "jinja2", "jaxtyping")
"""Packages that take long to import."""

COMMAND_LINE = f"""
import sys
from mho.cli import main
status = main(sys.argv[1:])
print("imported:", *(name for name in {SLOW} if name in sys.modules))
sys.exit(status)
"""


def imported(*words: str, **variables: str) -> list[str]:
    """Which packages a command line imports."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND_LINE, *words], env=os.environ | variables, text=True,
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()[-1].split()[1:]


@pytest.mark.parametrize(
    "line",
    [
        "--help", "--version", "--print-completion bash", "list", "list --json",
        *(f"{name} --help" for name in MHO.commands),
    ],
)  # fmt: skip
def test_what_needs_no_torch_does_not_wait_for_it(line: str) -> None:
    assert imported(*line.split()) == []


def test_a_shell_waits_for_names_once(tmp_path: Path) -> None:
    asked = {
        COMPLETE: "bash_complete", "COMP_WORDS": "mho try hfo2", "COMP_CWORD": "2",
        "XDG_CACHE_HOME": str(tmp_path),
    }  # fmt: skip
    assert "torch" in imported(**asked)
    assert imported(**asked) == []
    assert imported(**(asked | {"COMP_WORDS": "mho run siamese --pre", "COMP_CWORD": "3"})) == []


def test_verbs_come_without_compiler_and_figures() -> None:
    script = f"import sys, mho; mho.convert; print(*(n for n in {SLOW} if n in sys.modules))"
    said = subprocess.run([sys.executable, "-c", script], text=True, stdout=subprocess.PIPE)
    assert said.stdout.split() == ["torch", "numpy", "jaxtyping"]
