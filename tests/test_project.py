"""The files around the source say the same: version, checks, release notes."""

import importlib
import re
import tomllib
from pathlib import Path

import mho

ROOT = Path(__file__).resolve().parent.parent


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_version_stands_in_one_place_and_the_citation_agrees() -> None:
    project = tomllib.loads(text("pyproject.toml"))
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["hatch"]["version"] == {"path": "src/mho/__init__.py"}
    # A literal: what builds the package reads the text, without torch.
    assert f'\n__version__ = "{mho.__version__}"\n' in text("src/mho/__init__.py")
    assert re.findall(r"^version: (.*)$", text("CITATION.cff"), re.M) == [mho.__version__]


def test_the_changelog_has_this_version() -> None:
    assert f"({mho.__version__})" in re.findall(r"^## (.*)$", text("CHANGELOG.md"), re.M)[0]


def test_former_names_of_the_changelog_are_still_found_and_lie_where_it_says() -> None:
    table = text("CHANGELOG.md").split("| names | now in |")[1].split("\n\n")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines()[2:]]
    moved = [(name, where) for names, where in rows for name in re.findall(r"`(\w+)`", names)]
    assert len(moved) > 40
    for name, where in moved:
        module = importlib.import_module(where.strip(" `"))
        assert getattr(mho, name) is getattr(module, name)
        assert name in module.__all__


def test_hooks_run_the_checks_of_make_check() -> None:
    checks = re.findall(r"^check: (.*)$", text("Makefile"), re.M)[0].split()
    hooks = re.findall(r"entry: make (\w+)$", text(".pre-commit-config.yaml"), re.M)
    assert hooks == checks
    assert "make check" in text(".ci/run").splitlines()
