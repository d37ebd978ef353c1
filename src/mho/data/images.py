"""A user's own data set as a folder of images: DIR/train/CLASS/*.png and DIR/test/CLASS/*.png."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mho.data.dataset import ARRAYS, Dataset
from mho.errors import InvalidInput, invalid

if TYPE_CHECKING:
    from PIL import Image

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp")
"""Endings of the files that are read."""
FORMATS = ("PNG", "JPEG", "BMP")
"""Formats that they may have."""
MODES = {"L": 1, "RGB": 3}
"""Kinds of images that are read, 8 bits a channel, and their channels."""
MOST = 1 << 34
"""Most that all images together take [bytes]."""
_LAYOUT = "a folder with train/CLASS/ and test/CLASS/ that hold images"


def files_of(folder: Path) -> dict[str, dict[str, list[Path]]]:
    """Return the images of each class of each part, "train" and "test", in the order of names.

    Hidden files are passed over.

    Raises:
        ValueError: there is no such folder, or it holds something else.
    """
    found = {part: _classes(folder / part) for part in ("train", "test")}
    classes = [name for name, files in found["train"].items() if files]
    if not classes:
        raise invalid("data", str(folder), _LAYOUT)
    for name, files in found["test"].items():
        if files and name not in classes:
            allowed = f"one of the classes of train, {', '.join(classes)}"
            raise invalid(f"{folder / 'test'}: class", name, allowed)
    return {part: {name: found[part].get(name, []) for name in classes} for part in found}


def read_images(folder: Path, name: str) -> Dataset:
    """Read a folder with one sub-folder a class, in the order of names: images of one size, grey
    (n, 1, height, width) or RGB (n, 3, height, width).

    Raises:
        ValueError: naming the file or folder: something that is no image, damaged, of another size
            or kind than the first, not grey or RGB of 8 bits, or no data set.
    """
    parts = files_of(folder)
    classes = tuple(parts["train"])
    arrays: dict[str, np.ndarray] = {}
    first = next(path for files in parts["train"].values() for path in files)
    for part, by_class in parts.items():
        files = [path for each in by_class.values() for path in each]
        labels = [k for k, each in enumerate(by_class.values()) for _ in each]
        arrays[f"{part}_x"] = _read(files, first)
        arrays[f"{part}_y"] = np.array(labels, dtype=np.int64)
    try:
        return Dataset.of(*(arrays[part] for part in ARRAYS), name=name, classes=classes)
    except InvalidInput as error:
        raise InvalidInput(f"{folder}: {error}") from error


def _classes(folder: Path) -> dict[str, list[Path]]:
    """Files of each sub-folder."""
    if not folder.is_dir():
        raise invalid("data", str(folder.parent), _LAYOUT)
    found: dict[str, list[Path]] = {}
    for inner in sorted(folder.iterdir()):
        if inner.name.startswith("."):
            continue
        if not inner.is_dir():
            raise invalid(f"{inner}", "a file", "a folder of images, one for each class")
        found[inner.name] = files = []
        for path in sorted(inner.iterdir()):
            if path.name.startswith("."):
                continue
            if path.suffix.lower() not in ENDINGS or not path.is_file():
                allowed = f"images alone in a class's folder, {', '.join(ENDINGS)}"
                raise invalid("file", str(path), allowed)
            files.append(path)
    return found


def _read(files: Sequence[Path], first: Path) -> np.ndarray:
    """Images (n, channels, height, width), uint8, all of the kind of the first."""
    with _opened(first) as image:
        mode, (width, height) = image.mode, image.size
    if mode not in MODES:
        raise invalid(f"{first}: mode", mode, f"{' or '.join(MODES)}, grey or RGB of 8 bits")
    size = len(files) * MODES[mode] * height * width
    if size > MOST:
        raise invalid(f"{first.parents[2]}: bytes", size, f"at most {MOST}, all images together")
    out = np.empty((len(files), height, width, MODES[mode]), np.uint8)
    for k, path in enumerate(files):
        with _opened(path) as image:
            if (image.mode, image.size) != (mode, (width, height)):
                found = f"{image.size[0]} x {image.size[1]}, {image.mode}"
                raise invalid(f"{path}", found, f"{width} x {height}, {mode}, as {first} is")
            try:
                out[k] = np.asarray(image).reshape(height, width, -1)
            except (OSError, SyntaxError, ValueError) as error:
                raise invalid("image", str(path), f"a whole image ({error})") from error
    return np.ascontiguousarray(out.transpose(0, 3, 1, 2))


def _opened(path: Path) -> Image.Image:
    """An image whose header has been read, and no more."""
    from PIL import Image  # imported here: `import mho.data` stays fast

    try:
        return Image.open(path, formats=FORMATS)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError,
            Image.DecompressionBombWarning) as error:  # fmt: skip
        raise invalid("image", str(path), f"an image that can be read ({error})") from error
