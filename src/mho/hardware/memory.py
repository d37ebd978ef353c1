"""Memory of a device: what it has, and what nothing uses."""

from __future__ import annotations

import os
from pathlib import Path

import torch

_CGROUPS = (("memory.max", "memory.current"),
            ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))  # fmt: skip
"""Files in which Linux says what a container may use, and what it does; of both its versions."""


def available(device: torch.device) -> int:
    """Bytes of memory that a device has: all that the machine, or its container, may use."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    limits = (_of_container(most) for most, _ in _CGROUPS)
    return min([_installed(), *(each for each in limits if each is not None)])


def unused(device: torch.device) -> int:
    """Bytes of memory of a device that nothing uses now; where that is not said, all that it has.

    What the system keeps of files counts as unused, but for a container that counts it itself.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    left = [_available_now()]
    for names in _CGROUPS:
        most, used = map(_of_container, names)
        if most is not None and used is not None:
            left.append(max(0, most - used))
    return min(left)


def _installed() -> int:
    """Bytes of memory of the machine; where it does not say, more than any has."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return 1 << 50


def _available_now() -> int:
    """Bytes that Linux takes for available; elsewhere all that are installed."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        kilobytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable"))
        return 1024 * int(kilobytes)
    except (OSError, ValueError, StopIteration):
        return _installed()


def _of_container(file: str) -> int | None:
    """A number of bytes; None: there is no container, or no limit."""
    try:
        return int(Path("/sys/fs/cgroup", file).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
