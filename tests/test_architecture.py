"""Imports go one way: physics <- circuits <- hardware <- learning <- experiments <- cli.

Results stand beside them: results <- report, card, experiments.
"""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import mho
from mho.config import Config
from mho.physics import Cell, Conduction, LandingCell, Programming, PulsedCell, Retention
from mho.physics.dynamics import DynamicModel

SOURCE = Path(mho.__file__).parent
ORDER = ("physics", "circuits", "hardware", "learning", "fit", "instruments", "card")
EVERYWHERE = {
    "arguments",
    "config",
    "documented",
    "errors",
    "files",
    "kernels",
    "kinds",
    "quantities",
}
ALLOWED: dict[str, set[str]] = {
    "config": {"documented", "errors", "files", "kinds"},
    "documented": set(),
    "errors": set(),
    "kinds": {"errors"},
    "kernels": {"errors", "files"},
    "files": {"errors"},
    "arguments": {"errors", "kinds"},
    "quantities": {"config", "kinds"},
    "data": {"arguments", "errors", "files", "kinds"},
    "results": {"config", "errors", "files"},
    "report": {"errors", "files", "results"},
    "physics": set(),
    "circuits": {"physics"},
    "hardware": {"physics", "circuits"},
    "learning": {"physics", "circuits", "hardware"},
    "fit": {"physics"},
    "instruments": {"physics", "hardware"},
    "card": {"physics", "results"},
}
"""What a part may import besides itself, config and errors; parts not named stand at the top."""

ANSWER_THEMSELVES = (Cell, Conduction, DynamicModel, Programming, Retention)
"""Families of these are asked, never told apart outside physics."""


def parts_imported(file: Path) -> set[str]:
    """Parts of mho (`physics`, `config`, ...) that a file imports, at any depth of its code."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names = [alias.name for alias in node.names]
            found |= {f"mho.{name}" for name in names} if node.module == "mho" else {node.module}
    return {name.split(".")[1] for name in found if name and name.startswith("mho.")}


@pytest.mark.parametrize("part", ALLOWED)
def test_a_part_imports_only_to_its_left(part: str) -> None:
    files = [SOURCE / f"{part}.py"] if (SOURCE / f"{part}.py").exists() else []
    files += sorted((SOURCE / part).rglob("*.py"))
    assert files
    shared = EVERYWHERE if part in ORDER else set()
    for file in files:
        beyond = parts_imported(file) - ALLOWED[part] - shared - {part}
        assert not beyond, f"{file.relative_to(SOURCE)} imports {sorted(beyond)}"


def test_no_file_imports_one_that_imports_it() -> None:
    """Type checking counts too."""
    names = {
        ".".join(("mho", *file.relative_to(SOURCE).with_suffix("").parts)).removesuffix(
            ".__init__"
        ): file
        for file in SOURCE.rglob("*.py")
    }
    graph: dict[str, set[str]] = {}
    for name, file in names.items():
        found = set()
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= {each if each in names else node.module for each in inner}
        graph[name] = (found & set(names)) - {name}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_imports_are_seen() -> None:
    assert parts_imported(SOURCE / "hardware" / "programming.py") >= {"hardware", "physics"}
    assert "physics" in parts_imported(SOURCE / "physics" / "__init__.py")


def below(record: type[Config]) -> set[str]:
    """Names of all classes of mho that are derived from a record."""
    own = {record.__name__} if record.__module__.startswith("mho.") else set()
    return own.union(*map(below, record.__subclasses__()))


def told_apart(file: Path) -> set[str]:
    """Classes that a file asks an object's type for: isinstance, issubclass, type() is, match."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass"):
            found |= {ast.unparse(each).split(".")[-1] for each in ast.walk(node.args[1])
                      if isinstance(each, ast.Name | ast.Attribute)}  # fmt: skip
        if isinstance(node, ast.MatchClass):
            found.add(ast.unparse(node.cls).split(".")[-1])
        if isinstance(node, ast.Compare) and ast.unparse(node.left).startswith("type("):
            found |= {ast.unparse(each).split(".")[-1] for each in node.comparators}
    return found


def test_cells_laws_and_programming_answer_for_themselves() -> None:
    """A family that is added needs no line outside of physics."""
    families = set().union(*(below(base) for base in ANSWER_THEMSELVES))
    families -= {base.__name__ for base in ANSWER_THEMSELVES}
    assert {LandingCell.__name__, PulsedCell.__name__, "TwoState", "Sinh", "Verify"} <= families
    assert told_apart(SOURCE / "physics" / "verify.py") >= {"LandingCell", "PulsedCell"}
    for file in SOURCE.rglob("*.py"):
        name = file.relative_to(SOURCE).as_posix()
        if not name.startswith("physics/"):
            assert not told_apart(file) & families, f"{name} tells families apart"
