"""Examples in documents. As a script, with documents as arguments, it runs those with a prompt, and
those of docs/extending.md, against the mho that is installed; it needs nothing else."""

import doctest
import re
import runpy
import sys
import tempfile
from pathlib import Path


def blocks(document: Path) -> list[str]:
    """All blocks of Python."""
    return re.findall(r"```python\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)


def sessions(document: Path) -> str:
    """All examples of a document with a prompt, as one session."""
    return "\n".join(block for block in blocks(document) if block.startswith(">>> "))


def run_sessions(document: Path) -> doctest.TestResults:
    """How many examples there are, and how many print something else than they say."""
    test = doctest.DocTestParser().get_doctest(sessions(document), {}, document.name, None, 0)
    return doctest.DocTestRunner().run(test)


def run_blocks(document: Path) -> int:
    """Run all blocks as files, one after the other; returns how many."""
    found = blocks(document)
    with tempfile.TemporaryDirectory() as folder:
        for number, block in enumerate(found):
            file = Path(folder) / f"example_{number}.py"
            file.write_text(block, encoding="utf-8")
            runpy.run_path(str(file))
    return len(found)


if __name__ == "__main__":
    for document in map(Path, sys.argv[1:]):
        if document.name == "extending.md":
            print(f"{document.name}: {run_blocks(document)} examples run")
        elif sessions(document):
            failed, attempted = run_sessions(document)
            print(f"{document.name}: {attempted} examples, {failed} failed")
            if failed:
                sys.exit(1)
