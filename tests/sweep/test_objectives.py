"""What a search is for, as text and in the folder of a sweep."""

from pathlib import Path

import pytest

from mho.sweep.objectives import NAME, objective, objectives_of, write_objectives


def test_an_objective_is_a_claim_and_a_direction() -> None:
    assert objective("accuracy:max") == ("accuracy", "maximize")
    assert objective("a:b:min") == ("a:b", "minimize")


@pytest.mark.parametrize("text", ["a", "a:", "a:up", ":max"])
def test_what_is_no_objective_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="objective"):
        objective(text)


@pytest.mark.parametrize("name", ["", "new", "new/S"])
def test_objectives_are_read_as_written(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    write_objectives(folder, {"accuracy": "maximize", "writes": "minimize"})
    assert objectives_of(folder) == {"accuracy": "maximize", "writes": "minimize"}


@pytest.mark.parametrize(
    "content", [None, "", "[]", "{", '{"objectives": 3}', '{"objectives": {"a": "up", "b": []}}']
)
def test_a_damaged_file_has_no_objectives(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / NAME).write_text(content)
    assert objectives_of(tmp_path) == {}
