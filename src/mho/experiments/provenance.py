"""What a result was made with: command, code, computer, versions; of every session of a run."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from mho.errors import InvalidInput, invalid
from mho.experiments.processes import here
from mho.files import read_json, text_of_json, write_text
from mho.results.environment import checked

NAME = "env.json"
"""File of a run folder."""

LIBRARIES = ("torch", "numpy", "numba", "scipy")
"""Libraries that numbers depend on."""

TOLD = ("commit", "versions", "device", "processes")
"""What is told where runs, or sessions of one, differ in it."""

PLACE = ("host", "engine")
"""Where a session was; one somewhere else is kept apart, and not told, as numbers do not depend on
it."""


def environment(device: Any, seed: int, data: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What is computed with from now on, on a torch device or its name; `data`: SHA-256 of each
    data set, by name."""
    import torch

    import mho

    device = torch.device(device)
    computer = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    versions = {"mho": mho.__version__, "python": platform.python_version()}
    return {
        "command": "mho " + shlex.join(sys.argv[1:]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "device": f"{device.type}: {computer}",
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        **({"processes": many} if (many := here().count) > 1 else {}),
        "seed": seed,
        "versions": versions | {name: metadata.version(name) for name in LIBRARIES},
        **({"data": dict(data)} if data else {}),
    }


def record(folder: Path, now: Mapping[str, Any]) -> list[str]:
    """Write `env.json`: this session, and under `earlier` those before it that were made with
    something else; returns what this one differs in from the last, in words.

    Raises:
        ValueError: a data set is not the one that the sessions before had.
        OSError: it cannot be written.
    """
    path, earlier = folder / NAME, []
    differs: list[str] = []
    if path.exists():
        try:
            before = checked(read_json(path), str(path))
        except InvalidInput as error:
            differs = [f"what earlier sessions were made with is lost ({error})"]
        else:
            _compare(folder, before.get("data", {}), now.get("data", {}))
            earlier = before.pop("earlier", [])
            differs = differences([before, now])
            if differs or any(before.get(key) != now.get(key) for key in PLACE if key in now):
                earlier = [*earlier, before]
    write_text(path, text_of_json({**now, "earlier": earlier} if earlier else now))
    return differs


def check_same_data(folder: Path, now: Mapping[str, str]) -> None:
    """Refuse to take what a run folder holds for a run on data, or with code, that it is not of.

    Args:
        folder: of the run; nothing is known of one without a readable `env.json`.
        now: SHA-256 of each data set and file of code, by name.

    Raises:
        ValueError: one was another when the run was made.
    """
    path, before = folder / NAME, {}
    with suppress(InvalidInput):
        before = checked(read_json(path), str(path)).get("data", {})
    _compare(folder, before, now)


def _compare(folder: Path, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    for name, digest in now.items():
        if (known := before.get(name, digest)) != digest:
            allowed = (
                f"{known}, as the run in {folder} has it: its content has changed since; give what "
                "is new another name, or another folder for its runs"
            )
            raise invalid(f"SHA-256 of {name!r}", digest, allowed)


def differences(environments: Sequence[Mapping[str, Any]]) -> list[str]:
    """What records differ in of commit, versions, device and data, as "torch 2.12.0, 2.13.0"."""
    told: list[str] = []
    digests = [each.get("data", {}) for each in environments]
    for name in dict.fromkeys(name for each in digests for name in each):
        _tell(told, f"SHA-256 of {name}", [each[name] for each in digests if name in each])
    for name in TOLD:
        # one process is not worth an entry
        values = [each.get(name, 1 if name == "processes" else None) for each in environments]
        if name == "versions":
            tables = [value if isinstance(value, Mapping) else {} for value in values]
            for library in dict.fromkeys(key for table in tables for key in table):
                _tell(told, library, [table.get(library) for table in tables])
        else:
            _tell(told, name, values)
    return told


def commit() -> str | None:
    """Commit of mho's own code, with + if it was changed; None where it is not known."""
    here = Path(__file__).resolve()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}

    def git(*words: str) -> str | None:
        command = ("git", "-C", str(here.parent), *words)
        try:
            done = subprocess.run(command, capture_output=True, env=clean, timeout=30)
        except (OSError, subprocess.SubprocessError):
            return None
        return None if done.returncode else done.stdout.decode("utf-8", "replace").strip()

    if git("ls-files", "--error-unmatch", here.name) is not None:
        head, changed = git("rev-parse", "HEAD"), git("status", "--porcelain", "-uno")
        return None if head is None else head + ("+" if changed else "")
    return _commit_installed()


def _commit_installed() -> str | None:
    """Commit that the package was installed from, as installers note it down (PEP 610)."""
    try:
        noted = metadata.distribution("mho").read_text("direct_url.json")
        return json.loads(noted or "{}").get("vcs_info", {}).get("commit_id")
    except (metadata.PackageNotFoundError, ValueError, AttributeError):
        return None


def _tell(told: list[str], name: str, values: Sequence[Any]) -> None:
    shown = list(dict.fromkeys("not recorded" if v is None else str(v) for v in values))
    if len(shown) > 1:
        told.append(f"{name} {', '.join(shown)}")


def _processor() -> str:
    """Name of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration, ValueError):
        return platform.machine()
