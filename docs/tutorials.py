"""Runs the tutorials and writes what came of them into their pages and notebooks.

Run: python docs/tutorials.py [NAME ...]

A tutorial is a page of docs/tutorials: its blocks of Python share one namespace, those of sh are
commands, and all run in order in one folder, which begins with the data files beside the page. A
block of text right after one is what that printed. This script writes these blocks, the pictures of
the page, and the notebook of the same cells. A test holds the pages to what they print.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "tutorials"
BLOCK = re.compile(r"```(python|sh)\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)
"""A block that runs, and what it prints, where the page shows that."""
PICTURE = re.compile(r"!\[[^\]]*\]\(([\w.-]+\.png)\)")


def pages() -> list[Path]:
    """The tutorials."""
    return sorted(FOLDER.glob("*.md"))


def cells(notebook: Path) -> list[tuple[str, str]]:
    """The cells of code of a notebook: kind, as in a page, and code. A notebook has commands behind
    exclamation marks."""
    found = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        code = "".join(cell["source"])
        if cell["cell_type"] == "code":
            lines = code.splitlines()
            sh = lines[0].startswith("!")
            found.append(
                ("sh", code.removeprefix("!").replace("\n!", "\n")) if sh else ("python", code)
            )
    return found


def blocks(page: Path) -> list[tuple[str, str]]:
    """The blocks of a page that run: kind and code."""
    return [(kind, code) for kind, code, _ in BLOCK.findall(page.read_text(encoding="utf-8"))]


def run(page: Path, folder: Path) -> list[str]:
    """What each block of a page, or cell of a notebook, prints, run in a folder."""
    parts = cells(page) if page.suffix == ".ipynb" else blocks(page)
    for data in FOLDER.glob("*.csv"):
        shutil.copy(data, folder)
    before, printed = Path.cwd(), []
    os.chdir(folder)
    namespace: dict[str, object] = {"__name__": "__main__"}
    try:
        for number, (kind, code) in enumerate(parts):
            out = io.StringIO()
            if kind == "sh":
                for line in code.replace("\\\n", " ").splitlines():
                    out.write(_command(line))
            else:
                with contextlib.redirect_stdout(out):
                    exec(compile(code, f"{page.name}, block {number + 1}", "exec"), namespace)
            printed.append(out.getvalue())
    finally:
        os.chdir(before)
    return printed


def _command(line: str) -> str:
    """What a command of mho prints."""
    words = shlex.split(line, comments=True)
    assert words[0] == "mho", line
    plain = os.environ | {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    command = [sys.executable, "-m", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=plain)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def shown(page: Path, printed: list[str]) -> str:
    """The page with what its blocks printed, where it shows that."""
    outputs = iter(printed)

    def block(found: re.Match[str]) -> str:
        output = next(outputs)
        start = f"```{found[1]}\n{found[2]}```\n"
        return start if found[3] is None else f"{start}\n```text\n{output}```\n"

    return BLOCK.sub(block, page.read_text(encoding="utf-8"))


def notebook(page: Path) -> str:
    """The same cells as a notebook, without what they print: it runs where it is opened."""
    text, cells, at = page.read_text(encoding="utf-8"), [], 0
    for found in BLOCK.finditer(text):
        cells.append(("markdown", text[at : found.start()]))
        code = found[2].strip("\n")
        code = re.sub("^mho", "!mho", code, flags=re.M) if found[1] == "sh" else code
        cells.append(("code", code))
        at = found.end()
    cells.append(("markdown", text[at:]))
    content = {
        "cells": [
            {"cell_type": kind, "id": f"{page.stem}-{number}", "metadata": {},
             "source": source.strip("\n").splitlines(keepends=True)}
            | ({"execution_count": None, "outputs": []} if kind == "code" else {})
            for number, (kind, source) in enumerate(cells) if source.strip()
        ],
        "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python",
                                    "name": "python3"}},
        "nbformat": 4, "nbformat_minor": 5,
    }  # fmt: skip
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the tutorials that are named, or all."""
    for page in pages():
        if len(sys.argv) > 1 and page.stem not in sys.argv[1:]:
            continue
        with tempfile.TemporaryDirectory() as folder:
            page.write_text(shown(page, run(page, Path(folder))), encoding="utf-8")
            for name in PICTURE.findall(page.read_text(encoding="utf-8")):
                shutil.copy(Path(folder) / name, FOLDER / name)
        page.with_suffix(".ipynb").write_text(notebook(page), encoding="utf-8")
        print(page)


if __name__ == "__main__":
    main()
