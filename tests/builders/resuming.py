"""A training that is broken off and taken up again."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mho.experiments.run import Run

Work = Callable[[Run], Any]


def done(folder: Path, toml: str, work: Work, *, resume: bool = False) -> Any:
    """What a piece of work in a run folder comes to."""
    run = Run(folder, toml, resume=resume, title="test")
    try:
        return work(run)
    finally:
        run.close()


def unbroken_and_resumed(folder: Path, toml: str, work: Work) -> tuple[Any, Any]:
    """The same work done in one go, and broken off after two thirds of its steps."""
    unbroken = done(folder / "one", toml, work)
    run = Run(folder / "two", toml, resume=False, title="test")
    plain = run.steps

    def broken(key: str, total: int, state: Any, **options: Any) -> Any:
        for steps, step in enumerate(plain(key, total, state, **options), 1):
            yield step
            if steps == total * 2 // 3:
                run.keep(run.name_of(key), step + 1, state)
                raise KeyboardInterrupt

    run.steps = broken  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        work(run)
    run.close()
    resumed = done(folder / "two", toml, work, resume=True)
    assert kept(folder / "two") == kept(folder / "one"), "all state, to the bit"
    return unbroken, resumed


def kept(folder: Path) -> dict[str, Any]:
    """Leaves of what the checkpoint in a folder keeps of its stages, by path; tensors as bytes."""
    return {
        path: (value.dtype, value.shape, value.numpy().tobytes())
        if isinstance(value, torch.Tensor)
        else value
        for path, value in leaves(stages(folder))
    }


def stages(folder: Path) -> dict[str, Any]:
    """What the checkpoint in a folder keeps of its stages."""
    return torch.load(folder / "checkpoint.pt", weights_only=True)["stages"]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """What is in nested tables and lists, by path."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}/{name}")
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from leaves(inner, f"{path}/{number}")
    else:
        yield path, value
