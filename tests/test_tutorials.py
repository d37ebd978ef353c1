"""The notebooks of the tutorials run, print what the pages show, and hold the same cells."""

import json
import re
from pathlib import Path

import pytest
import torch

from builders.scripts import loaded

ROOT = Path(__file__).resolve().parent.parent


SCRIPT = loaded(ROOT / "docs" / "tutorials.py")
each_page = pytest.mark.parametrize("page", SCRIPT.pages(), ids=lambda page: page.stem)


def test_there_are_three() -> None:
    assert [page.stem for page in SCRIPT.pages()] == ["my-device", "my-model", "my-rule"]


NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?")
POINTS = 10.0
"""Of accuracy: a training ends otherwise on a processor that rounds sums in another order."""


def apart(text: str) -> tuple[list[str], list[float]]:
    """Words without their numbers, and the numbers."""
    return NUMBER.sub("#", text).split(), [float(each) for each in NUMBER.findall(text)]


@each_page
def test_its_notebook_runs_and_prints_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    with torch.random.fork_rng():
        printed = SCRIPT.run(page.with_suffix(".ipynb"), tmp_path)
    (words, numbers), (said, known) = map(
        apart, (SCRIPT.shown(page, printed), page.read_text(encoding="utf-8"))
    )
    assert words == said
    for ours, theirs in zip(numbers, known, strict=True):
        assert ours == theirs or ours == pytest.approx(theirs, rel=0.3, abs=POINTS)
    pictures = SCRIPT.PICTURE.findall(page.read_text(encoding="utf-8"))
    for name in pictures:
        assert (tmp_path / name).is_file()
        assert (page.parent / name).is_file()


@each_page
def test_its_notebook_has_the_same_cells(page: Path) -> None:
    text = page.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert text == SCRIPT.notebook(page), "run python docs/tutorials.py"
    code = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert len(code) == len(SCRIPT.blocks(page))
    same = [(kind, code.strip("\n")) for kind, code in SCRIPT.blocks(page)]
    assert SCRIPT.cells(page.with_suffix(".ipynb")) == same
