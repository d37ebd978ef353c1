"""A data set by its name, file or folder."""

import os
from pathlib import Path

import numpy as np
import pytest

from builders.own_data import arrays, folder, npz
from mho.data import SOURCES, Dataset, Task, dataset, load
from mho.data.named import label


@pytest.mark.parametrize("name", SOURCES)
def test_of_a_public_one_all_but_the_samples_is_known_without_reading(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mho.data.named.locate", None)
    found = dataset(name)
    assert found.shape == SOURCES[name].shape
    assert found.classes == SOURCES[name].classes
    assert label(name) == SOURCES[name].label


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_what_is_known_is_what_the_files_hold(name: str) -> None:
    found = dataset(name)
    assert found.array("train_x").shape == (60_000, *found.shape)
    assert len(load(name, "train")) == found.training
    assert found.sha256 == dataset(name).sha256


def test_a_file_a_folder_and_a_data_set(tmp_path: Path) -> None:
    file = npz(tmp_path / "mine.npz", (1, 6, 6), 3, floating=False, each=4)
    pictures = folder(tmp_path / "pictures", (1, 6, 6), 3)
    for given in (file, str(file), pictures, str(pictures), dataset(file)):
        found = dataset(given)
        assert (found.shape, len(found.classes)) == ((1, 6, 6), 3)
        assert len(load(given, "test")) == 6
        assert Task(name="a", dataset=given).load("test").name == "a/test"
    assert label(str(file)) == "mine.npz"
    assert dataset(file).name == str(file)


def test_a_file_that_changes_is_read_anew_and_one_that_does_not_is_kept(tmp_path: Path) -> None:
    for path in (npz(tmp_path / "a.npz", (3,), 2), folder(tmp_path / "b", (1, 4, 4), 2)):
        first = dataset(path)
        assert dataset(path) is first
        if path.is_dir():
            next((path / "test" / "class 0").iterdir()).unlink()
        else:
            changed = arrays((3,), 2)
            changed["test_x"] = changed["test_x"] / 2
            np.savez(path, **changed)
            os.utime(path, (1, 1))
        assert dataset(path).sha256 != first.sha256


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnits", "unknown dataset 'mnits': did you mean 'mnist'"),
        ("missing.npz", r"data = 'missing\.npz': expected one of mnist, .* a folder of images"),
        ("no/such/folder", "data = 'no/such/folder'"),
        ("/dev/null", "data = '/dev/null'"),
        ("", "unknown dataset ''"),
        ("src", r"data = 'src': expected a folder with a / in its name, as \./src"),
    ],
)
def test_what_has_no_data_is_refused(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataset(name)


def test_another_kind_of_argument_is_refused() -> None:
    with pytest.raises(ValueError, match="data = 3"):
        dataset(3)  # type: ignore[arg-type]
    assert isinstance(dataset("mnist"), Dataset)
