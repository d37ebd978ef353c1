"""A folder of images: one sub-folder a class, all of one size and kind, or refused by name."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from builders.own_data import arrays, folder
from mho.data import load
from mho.data.images import read_images


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 5, 9), (1, 1, 1)])
def test_grey_and_colour_of_any_size(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    found = read_images(folder(tmp_path, shape, 3), "own")
    assert found.shape == shape
    assert found.classes == ("class 0", "class 1", "class 2")
    given = arrays(shape, 3, each=4, floating=False)
    order = np.argsort(given["train_y"], kind="stable")  # by class, then by name
    assert np.array_equal(found.array("train_x"), given["train_x"][order])
    assert np.array_equal(found.array("train_y"), given["train_y"][order])
    assert len(load(found, "train")) == 9


def test_jpeg_in_any_case_and_hidden_files(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for name in ("a", "b"):
            inner = tmp_path / part / name
            inner.mkdir(parents=True)
            (inner / ".DS_Store").write_bytes(b"x")
            for k in range(2):
                Image.new("RGB", (8, 6), (200, 10 * k, 0)).save(inner / f"{k}.JPG", "JPEG")
    found = read_images(tmp_path, "own")
    assert found.shape == (3, 6, 8)
    assert abs(int(found.array("train_x")[0, 0, 3, 3]) - 200) < 4


def _image(mode: str, size: tuple[int, int], path: Path) -> None:
    Image.new(mode, size).save(path)


BAD = {
    "another size": (
        lambda d: _image("L", (9, 8), d / "train/class 1/x.png"),
        "x.png = '9 x 8, L'",
    ),
    "another kind": (
        lambda d: _image("RGB", (8, 8), d / "test/class 1/x.png"),
        "x.png = '8 x 8, R",
    ),
    "alpha": (lambda d: _image("RGBA", (8, 8), d / "train/class 0/0.png"), "0.png: mode = 'RGBA'"),
    "16 bits": (lambda d: _image("I;16", (8, 8), d / "train/class 0/0.png"), "mode = 'I;16'"),
    "no image": (lambda d: (d / "train/class 1/x.png").write_text("hi"), "image = .*x.png"),
    "another format": (
        lambda d: Image.new("L", (8, 8)).save(d / "train/class 1/x.png", "GIF"),
        "image = .*x.png",
    ),
    "other file": (
        lambda d: (d / "train/class 1/notes.txt").write_text("hi"),
        "file = .*notes.txt",
    ),
    "file among classes": (
        lambda d: (d / "test/notes.txt").write_text("hi"),
        "notes.txt = 'a file",
    ),
    "class of the test alone": (
        lambda d: (d / "test/z").mkdir() or _image("L", (8, 8), d / "test/z/x.png"),
        "class = 'z'",
    ),
    "one image of a class": (
        lambda d: (d / "train/z").mkdir() or _image("L", (8, 8), d / "train/z/x.png"),
        "training samples of class 2",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_is_named(tmp_path: Path, case: str) -> None:
    change, message = BAD[case]
    folder(tmp_path, (1, 8, 8), 2)
    change(tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        read_images(tmp_path, "own")
    assert "\n" not in str(caught.value)


def test_a_cut_image_is_named(tmp_path: Path) -> None:
    folder(tmp_path, (3, 32, 32), 2)
    victim = sorted((tmp_path / "test" / "class 1").iterdir())[-1]
    victim.write_bytes(victim.read_bytes()[:-700])
    with pytest.raises(ValueError, match=f"image = .*{victim.name}.*whole"):
        read_images(tmp_path, "own")


@pytest.mark.parametrize("inner", ["", "train", "test"])
def test_an_empty_folder_is_told_what_belongs_there(tmp_path: Path, inner: str) -> None:
    if inner:
        (tmp_path / inner).mkdir()
    with pytest.raises(ValueError, match="train/CLASS/ and test/CLASS/"):
        read_images(tmp_path, "own")
