"""`python -m fuzz`: the trials of all modules, a table, and each fault with its number."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import resource
import sys
from datetime import UTC, datetime
from pathlib import Path

import torch

import fuzz
from fuzz.breaking import DONE
from fuzz.runner import run

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))  # for its builders

MODULES = sorted(
    each.name for each in pkgutil.iter_modules(fuzz.__path__)
    if each.name not in ("__main__", "breaking", "mutations", "runner")
)  # fmt: skip
"""Modules with trials: all beside these."""
BY_NAME = ("two_hosts",)
"""Of these, those that run only where they are named, for what they need."""


def main() -> int:
    """Run; returns 1 where there are faults."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=fuzz.__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(MODULES)}; else all")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each of them")
    parser.add_argument("--most", type=int, help="trials of each of them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--gigabytes", type=float, default=16.0, help="of address space")
    parser.add_argument("--out", type=Path, help="file for the table")
    given = parser.parse_args()
    if unknown := set(given.names) - set(MODULES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    torch.set_num_threads(1)
    most = int(given.gigabytes * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    lines = _heading()
    faults = 0
    for name in given.names or [each for each in MODULES if each not in BY_NAME]:
        module = importlib.import_module(f"fuzz.{name}")
        done = run(module, given.seed, seconds=given.seconds, most=given.most)
        for fault in done.faults:
            print(fault, flush=True)
        faults += len(done.faults)
        lines.append(f"{name:12} {done.trials:8} {done.refused:8} {len(done.faults):8}")
        print(lines[-1], flush=True)
    if DONE:
        lines += ["", f"{sum(DONE.values())} times broken off"]
        lines += [f"{count:8}  {kind}" for kind, count in sorted(DONE.items()) if count]
        print("\n".join(lines[-len(DONE) - 1 :]), flush=True)
    text = "\n".join(lines) + "\n"
    if given.out is not None:
        given.out.write_text(text, encoding="utf-8")
    return int(faults > 0)


def _heading() -> list[str]:
    from mho.experiments.provenance import environment

    made = environment("cpu", 0)
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    return [
        f"python -m fuzz {' '.join(sys.argv[1:])}",
        f"{datetime.now(UTC).isoformat(timespec='seconds')}, commit {made['commit']}, {versions}",
        "",
        f"{'':12} {'trials':>8} {'refused':>8} {'faults':>8}",
    ]


if __name__ == "__main__":
    sys.exit(main())
