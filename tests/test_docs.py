"""The documents say what is true: their examples run, and the files that they name exist."""

import doctest
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import mho
from builders import examples, typed_calls
from builders.examples import blocks, run_sessions, sessions

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "examples/README.md")]
DOCUMENTS += sorted(p for p in (ROOT / "docs").rglob("*.md") if p.parent.name != "generated")
DOCUMENTS += sorted((ROOT / "src").rglob("*.md"))
EXTENDING = ROOT / "docs" / "extending.md"


each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.stem)


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if sessions(d)], ids=lambda p: p.stem)
def test_sessions_print_what_they_say(document: Path) -> None:
    with torch.random.fork_rng():
        result = run_sessions(document)
    assert result.attempted > 0
    assert result.failed == 0


def test_the_readme_has_a_session() -> None:
    assert ">>> net = mho.convert" in sessions(ROOT / "README.md")


def test_the_gallery_shows_every_device() -> None:
    page = (ROOT / "docs" / "gallery" / "gallery.md").read_text(encoding="utf-8")
    for name in (*mho.devices.PRESETS, *mho.dynamics.MODELS):
        assert f"![Card of {name}]({name}.png)" in page, "mho show all --out docs/gallery"
        assert (ROOT / "docs" / "gallery" / f"{name}.png").is_file()


def test_every_way_to_extend_has_an_example_of_about_thirty_lines() -> None:
    lengths = {
        part.splitlines()[0]: len(part.split("```python\n")[1].split("```")[0].splitlines())
        for part in EXTENDING.read_text(encoding="utf-8").split("\n## ")[1:]
    }
    assert {"A cell", "An update rule", "A write policy", "A mapping", "A study"} <= set(lengths)
    assert max(lengths.values()) <= 50, lengths


def test_examples_of_extending_run_as_they_stand() -> None:
    """In a process of their own: they add to tables that the other tests go through."""
    done = subprocess.run(
        [sys.executable, examples.__file__, str(EXTENDING)],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{len(blocks(EXTENDING))} examples run" in done.stdout


def test_calls_that_are_described_run(tmp_path: Path) -> None:
    assert all(isinstance(device, mho.cells.Cell) for device in typed_calls.devices())
    assert all(isinstance(numbers, tuple) for numbers in typed_calls.cells())
    assert typed_calls.tiles() == (64, 64)
    typed_calls.files(str(tmp_path))


def test_type_checkers_take_what_documents_show(tmp_path: Path) -> None:
    """All blocks of Python, with the names that only the text around them has left out."""
    for document in DOCUMENTS:
        parser, found = doctest.DocTestParser(), {"session": sessions(document)}
        parts = {n: "".join(e.source for e in parser.get_examples(t)) for n, t in found.items()}
        parts |= {f"{k}": b for k, b in enumerate(blocks(document)) if not b.startswith(">>> ")}
        for name, code in parts.items():
            file = tmp_path / f"{document.parent.name}_{document.stem}_{name}.py"
            file.write_text(f"import mho\nimport torch\n{code}", encoding="utf-8")
    calls = ROOT / "tests" / "builders" / "typed_calls.py"
    (tmp_path / calls.name).write_text(calls.read_text(encoding="utf-8"), encoding="utf-8")
    checks = ("ArgumentType", "CallIssue", "AssignmentType", "ReturnType", "MissingImports")
    settings = {"typeCheckingMode": "off", "extraPaths": [str(ROOT / "src")]}
    settings |= {f"report{check}": "error" for check in checks} | {"reportUndefinedVariable": False}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "-p", str(tmp_path), "--pythonpath", sys.executable],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@each_document
def test_files_that_are_named_exist(document: Path) -> None:
    """Paths in back quotes, from the repository or from `src/mho`, and links beside the text."""
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"`([\w.-]+/[\w./-]*\.(?:py|md|txt|toml|cff))`", text)
    named += re.findall(r"`((?:src|tests|docs|datasets|experiments)/[\w./-]*)`", text)
    places = (ROOT, ROOT / "src" / "mho")
    missing = [path for path in named if not any((at / path).exists() for at in places)]
    links = re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", text)
    missing += [path for path in links if not (document.parent / path).exists()]
    assert not missing, missing


@each_document
def test_names_of_mho_that_are_used_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    missing = []
    for name in sorted(set(re.findall(r"\bmho\.[A-Za-z_][\w.]*\w", text))):
        found: object = mho
        for part in name.split(".")[1:]:
            found = getattr(found, part, None) or _module(f"{found.__name__}.{part}")  # type: ignore[attr-defined]
            if found is None:
                missing.append(name)
                break
    assert not missing, missing


def _module(name: str) -> object:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


@pytest.mark.parametrize("folder", ["hardware", "kernels", "learning"])
def test_the_design_names_every_file_in_the_middle(folder: str) -> None:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    source = ROOT / "src" / "mho"
    files = [p for p in (source / folder).rglob("*.py") if p.name != "__init__.py"]
    assert files
    missing = [p for p in files if f"`{p.relative_to(source).as_posix()}`" not in text]
    assert not missing, missing


def test_links_within_a_document_lead_to_its_headings() -> None:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-")
        for line in re.findall(r"^#+ (.*)$", text, re.M)
    }
    links = re.findall(r"\]\(#([\w-]+)\)", text)
    assert links
    assert set(links) <= headings
