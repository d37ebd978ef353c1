"""What is distributed: the sources as git has them, a wheel that needs nothing beside itself."""

import ast
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from importlib import metadata
from pathlib import Path

import pytest

import mho
from builders.programs import needed_packages

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "mho"
NAME = f"mho-{mho.__version__}"

NOTICES = {"LICENSE", "datasets/NOTICE.md"}
INSTALLED_AS = {"tomli_w": "tomli-w", "PIL": "pillow"}
"""Modules that are named unlike their package."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution and the wheel."""
    needed_packages("hatchling", "hatch_fancy_pypi_readme")
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def wheel(built: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(built / f"{NAME}-py3-none-any.whl")


@pytest.fixture
def description(wheel: zipfile.ZipFile) -> Message:
    return Parser().parsestr(wheel.read(f"{NAME}.dist-info/METADATA").decode())


def tracked() -> set[str]:
    """Files that git tracks or, in a tree that is being worked on, would track."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a checkout")
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    out = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {name for name in out.split("\0") if name and (ROOT / name).exists()}


def test_the_source_distribution_is_what_git_tracks(built: Path) -> None:
    with tarfile.open(built / f"{NAME}.tar.gz") as archive:
        held = {name.removeprefix(f"{NAME}/") for name in archive.getnames()}
    assert held == tracked() | {"PKG-INFO"}
    assert {"tests/conftest.py", "docs/design.md", "CHANGELOG.md", "CITATION.cff"} <= held


def test_the_wheel_is_the_package_and_its_notices(wheel: zipfile.ZipFile) -> None:
    package = {p.relative_to(SOURCE.parent).as_posix() for p in SOURCE.rglob("*") if p.is_file()}
    package = {name for name in package if "__pycache__" not in name}
    about = {"METADATA", "RECORD", "WHEEL", "entry_points.txt"}
    about |= {f"licenses/{name}" for name in NOTICES}
    assert set(wheel.namelist()) == package | {f"{NAME}.dist-info/{name}" for name in about}
    assert {"mho/py.typed", "mho/instruments/protocol.md"} <= package
    assert {n for n in wheel.namelist() if n.endswith(".jinja")}
    for name in NOTICES:
        held = wheel.read(f"{NAME}.dist-info/licenses/{name}")
        assert held == (ROOT / name).read_bytes()


def test_the_description_leads_nowhere_that_an_index_has_not(description: Message) -> None:
    text = description.get_payload()
    assert isinstance(text, str)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    relative = r"\]\((?!https?:)[^)]*\)"
    assert re.search(relative, readme)
    assert not re.findall(relative, text)
    assert not re.findall(r"!\[", text)
    assert "[" not in re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
    assert "the first page (`docs/index.md`)" in text.replace("\n", " ")
    assert text.count("\n| a ") == readme.count("\n| a ") == 3


def test_the_metadata_is_that_of_the_project(description: Message) -> None:
    assert description["Version"] == mho.__version__
    assert description["License-Expression"] == "Apache-2.0"
    assert set(description.get_all("License-File", [])) == NOTICES
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    papers = set(re.findall(r"doi: (\S+)|arXiv (\S+)", citation))
    addresses = " ".join(description.get_all("Project-URL", []))
    assert len(papers) == 3
    for paper in papers:
        assert "".join(paper) in addresses


def test_the_installed_version_is_that_of_the_code() -> None:
    assert metadata.version("mho") == mho.__version__


WRITTEN = {"gallery.md"}
"""Documents that a command writes."""


def test_a_document_that_the_code_names_is_in_the_wheel_or_said_to_be_elsewhere() -> None:
    named = 0
    for file in SOURCE.rglob("*.py"):
        text = re.sub(r"\s+", " ", file.read_text(encoding="utf-8"))
        for match in re.finditer(r"(?<![\w/])[\w./-]+\.md\b", text):
            named += 1
            if match[0] in WRITTEN:
                continue
            held = any(SOURCE.rglob(match[0]))
            told = text[match.end() :].startswith(" in the source distribution")
            assert held or told, f"{file}: {match[0]}"
    assert named > 2


def test_what_is_imported_is_required() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = {re.split(r"[<>=\[]", each)[0] for each in project["dependencies"]}
    imported = set()
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    others = imported - set(sys.stdlib_module_names) - {"mho"}
    assert {INSTALLED_AS.get(name, name) for name in others} == required
