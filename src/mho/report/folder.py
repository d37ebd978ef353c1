"""A run folder: its result, and what it recorded of its settings and where it ran."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mho.files import check_sums, read_bytes, read_json
from mho.results import Result, environment
from mho.results.record import clean, load

RESULT, CONFIG, ENV = "result.json", "config.toml", "env.json"
"""Names of the files."""


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
        check_sums(path, RESULT, CONFIG, ENV)
        config, env = path / CONFIG, path / ENV
        return cls(
            path,
            load(Result, path / RESULT),
            clean(read_bytes(config).decode("utf-8", "replace")) if config.exists() else None,
            environment.checked(read_json(env), str(env)) if env.exists() else {},
        )
