"""Processes of mho's own wait asleep; those that import it wait as they did."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mho.cli import main
from mho.sweep import process
from mho.waiting import ASLEEP

LOADED = "import torch; torch.ones(1)"


def policy(words: list[str], **variables: str) -> str:
    """How the threads of a process of Python wait, as OpenMP says when it is loaded."""
    kept = {name: value for name, value in os.environ.items() if name not in ASLEEP}
    done = subprocess.run(
        [sys.executable, *words], env=kept | {"OMP_DISPLAY_ENV": "true"} | variables, text=True,
        capture_output=True, check=True,
    )  # fmt: skip
    (said,) = set(re.findall(r"OMP_WAIT_POLICY *= *'(\w+)'", done.stderr))
    return said.lower()


def test_threads_of_the_command_wait_asleep_unless_the_user_says_otherwise() -> None:
    command = ["-m", "mho", "list", "devices"]
    assert policy(command) == "passive"
    assert policy(command, OMP_WAIT_POLICY="active") == "active"


def test_importing_changes_nothing() -> None:
    assert policy(["-c", f"import mho.cli; {LOADED}"]) == policy(["-c", LOADED])


def test_a_call_from_python_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ASLEEP:
        monkeypatch.delenv(name, raising=False)
    assert main(["--version"]) == 0
    assert not set(ASLEEP) & set(os.environ)


def test_workers_wait_asleep(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = []

    def started(*_: object, env: dict[str, str], **_options: object) -> SimpleNamespace:
        given.append(env)
        return SimpleNamespace(stdin=io.BytesIO())

    monkeypatch.setattr(process.subprocess, "Popen", started)
    monkeypatch.delenv("KMP_BLOCKTIME", raising=False)
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    process.Worker(tmp_path)._said.close()
    assert given[0]["KMP_BLOCKTIME"] == "0"
    assert given[0]["OMP_WAIT_POLICY"] == "active"
