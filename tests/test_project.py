"""The files around the source say the same: version, checks, release notes."""

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
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "mho.__version__"}
    # A literal: what builds the package reads the text, without torch.
    assert f'\n__version__ = "{mho.__version__}"\n' in text("src/mho/__init__.py")
    assert re.findall(r"^version: (.*)$", text("CITATION.cff"), re.M) == [mho.__version__]


def test_the_changelog_has_what_is_unreleased_first_and_this_version() -> None:
    releases = re.findall(r"^## (\S+)", text("CHANGELOG.md"), re.M)
    assert releases[0] == "Unreleased"
    assert mho.__version__ in releases


def test_hooks_run_the_checks_of_make_check() -> None:
    checks = re.findall(r"^check: (.*)$", text("Makefile"), re.M)[0].split()
    hooks = re.findall(r"entry: make (\w+)$", text(".pre-commit-config.yaml"), re.M)
    assert hooks == checks
    assert "make check" in text(".ci/run").splitlines()
