"""Memory that there is, and that is left."""

from pathlib import Path

import pytest
import torch

from mho.hardware import memory
from mho.hardware.memory import available, unused

CPU = torch.device("cpu")


def test_what_is_left_is_part_of_what_there_is() -> None:
    assert 1 << 20 < unused(CPU) <= memory._installed()
    assert 1 << 28 < available(CPU) < 1 << 50


def test_a_container_may_use_less(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"memory.max": "4096\n", "memory.current": "1000\n"}

    def read(path: Path, encoding: str) -> str:
        if path.name in files and path.parent.name == "cgroup":
            return files[path.name]
        raise OSError(path)

    monkeypatch.setattr(Path, "read_text", read)
    assert available(CPU) == 4096
    assert unused(CPU) == 3096
    files["memory.max"] = "max\n"
    assert available(CPU) == memory._installed()
    assert unused(CPU) == memory._installed()  # neither says how much is left
    files |= {"memory.max": "100"}
    assert unused(CPU) == 0
