"""Data sets of users, of many shapes: the same for all tests of own data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SHAPES = {
    "vectors": (5,),
    "sequences": (7, 3),
    "grey": (1, 28, 28),
    "colour": (3, 32, 32),
    "narrow": (2, 9, 4),
    "volumes": (1, 3, 4, 5),
}
"""Of one sample."""
CLASSES = {"two": 2, "odd": 5, "hundred": 100}
"""Numbers of classes."""


def arrays(
    shape: tuple[int, ...], classes: int, *, each: int = 8, floating: bool = True
) -> dict[str, np.ndarray]:
    """Four arrays in mixed order, so many training samples of each class and half of that test
    ones; samples of a class are alike."""
    rng = np.random.default_rng(classes)
    out: dict[str, np.ndarray] = {}
    middles = rng.random((classes, *shape))
    for part, many in (("train", each), ("test", each // 2)):
        y = rng.permutation(np.arange(classes * many) % classes)
        x = np.clip(middles[y] + 0.1 * rng.standard_normal((len(y), *shape)), 0, 1)
        out[f"{part}_x"] = x.astype(np.float32) if floating else np.round(255 * x).astype(np.uint8)
        out[f"{part}_y"] = y
    return out


def npz(path: Path, shape: tuple[int, ...], classes: int, **options: int | bool) -> Path:
    """The same in a file."""
    np.savez(path, **arrays(shape, classes, **options))  # type: ignore[arg-type]
    return path


def folder(path: Path, shape: tuple[int, int, int], classes: int, *, each: int = 4) -> Path:
    """The same as a folder of PNG files, classes called "class 0" and so on."""
    from PIL import Image

    found = arrays(shape, classes, each=each, floating=False)
    for part in ("train", "test"):
        for k, (x, y) in enumerate(zip(found[f"{part}_x"], found[f"{part}_y"], strict=True)):
            inner = path / part / f"class {y}"
            inner.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray(x[0] if shape[0] == 1 else x.transpose(1, 2, 0))
            image.save(inner / f"{k:04}.png")
    return path
