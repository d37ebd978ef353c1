"""The README says what is true: its example runs, its numbers are those of the committed runs."""

import doctest
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def claims_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("claims", ROOT / "docs" / "claims.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_runs_and_prints_what_it_says() -> None:
    blocks = re.findall(r"```python\n(>>> .*?)```", README, flags=re.DOTALL)
    assert blocks
    with torch.random.fork_rng():
        result = _run("\n".join(blocks))
    assert result.attempted > 5
    assert result.failed == 0


def _run(block: str) -> doctest.TestResults:
    test = doctest.DocTestParser().get_doctest(block, {}, "README", "README.md", 0)
    return doctest.DocTestRunner().run(test)


def test_the_claims_table_is_that_of_the_committed_runs() -> None:
    module = claims_module()
    assert module.readme(README) == README


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
