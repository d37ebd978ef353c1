"""The tutorials print what their pages show, and their notebooks hold the same cells."""

import json
from pathlib import Path

import pytest
import torch

from builders.scripts import loaded

ROOT = Path(__file__).resolve().parent.parent


SCRIPT = loaded(ROOT / "docs" / "tutorials.py")
each_page = pytest.mark.parametrize("page", SCRIPT.pages(), ids=lambda page: page.stem)


def test_there_are_three() -> None:
    assert [page.stem for page in SCRIPT.pages()] == ["my-device", "my-model", "my-rule"]


@each_page
def test_a_page_shows_what_it_prints(page: Path, tmp_path: Path) -> None:
    with torch.random.fork_rng():
        printed = SCRIPT.run(page, tmp_path)
    assert SCRIPT.shown(page, printed) == page.read_text(encoding="utf-8")
    pictures = SCRIPT.PICTURE.findall(page.read_text(encoding="utf-8"))
    for name in pictures:
        assert (tmp_path / name).is_file()
        assert (page.parent / name).is_file()


@each_page
def test_its_notebook_has_the_same_cells(page: Path) -> None:
    text = page.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert text == SCRIPT.notebook(page), "run python docs/tutorials.py"
    code = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert len(code) == len(SCRIPT.BLOCK.findall(page.read_text(encoding="utf-8")))
