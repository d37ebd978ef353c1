"""The README says what is true: its numbers are those of the committed runs, its commands exist.

Its examples are run by `test_docs.py`.
"""

import json
import re
from pathlib import Path

import pytest

from builders.scripts import loaded

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_headlines_and_claims_are_those_of_the_committed_runs() -> None:
    for path, text in loaded(ROOT / "docs" / "claims.py").documents().items():
        assert path.read_text(encoding="utf-8") == text, "run python docs/claims.py"


@pytest.mark.parametrize(
    "folder",
    sorted(p.parent for p in (ROOT / "results").rglob("result.json")),
    ids=lambda p: "-".join(p.relative_to(ROOT / "results").parts),
)
def test_committed_results_say_how_they_were_made(folder: Path) -> None:
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    environment = json.loads((folder / "env.json").read_text(encoding="utf-8"))
    assert environment["command"].startswith(("mho run", "mho pool"))
    assert {"versions", "seed", "date", "commit", "threads"} <= set(environment)
    assert (folder / "config.toml").is_file()
    assert result["claims"]


def test_commands_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    used = set(re.findall(r"^make (\w+)", README, re.M))
    assert used
    assert used <= targets
