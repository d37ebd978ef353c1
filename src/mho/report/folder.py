"""A run folder: its result, and what it recorded of its settings and where it ran."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mho.results import Result
from mho.results.record import clean, load, load_json


@dataclass(frozen=True)
class RunFolder:
    """A finished run, read and checked."""

    path: Path
    result: Result
    config: str | None
    """Text of `config.toml`, if there is one."""
    env: dict[str, Any]
    """What `env.json` holds, if there is one."""

    @classmethod
    def read(cls, path: Path) -> "RunFolder":
        """Read a folder; `ValueError` names the file, the field and what is wrong."""
        result, config, env = (path / name for name in ("result.json", "config.toml", "env.json"))
        return cls(
            path,
            load(Result, result),
            clean(config.read_text(encoding="utf-8", errors="replace"))
            if config.exists()
            else None,
            load_json(env) if env.exists() else {},
        )
