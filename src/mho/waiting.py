"""How threads of a process of mho's own wait for each other: asleep, not looking again and again.

Two runs of two threads each on two cores are slower side by side than one after the other where
threads spin: each waits for one that has no core, and keeps it from getting one.
"""

from __future__ import annotations

import os

ASLEEP = {"OMP_WAIT_POLICY": "passive", "KMP_BLOCKTIME": "0"}
"""Environment variables of OpenMP, GNU's and Intel's; they are read when torch is loaded."""


def wait_asleep() -> None:
    """Have threads of this process wait asleep, where the user has not said how they are to wait;
    of no effect once torch is loaded."""
    for name, value in ASLEEP.items():
        os.environ.setdefault(name, value)
