"""Measured tables, matrices, presets, price lists and configurations that are wrong somewhere."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import numpy as np

import mho
from fuzz.mutations import bytes_changed
from mho import experiments, fit
from mho.cli.conductances import Place, read_array
from mho.files import read_toml
from mho.hardware import Prices
from mho.physics import Preset

LIMIT = 60.0

NUMBERS = (
    "0", "-1", "1e400", "-1e400", "1e-400", "nan", "inf", "1_000", "\u0661\u0662", "162,082",
    '"162,082"', "1.234,5", "1,234.5", "1'000", "1e5", "9" * 400, "0x1f", "", "-", "\x00", "1e99",
    '"', "x" * 200_000, ",", ";", "\ud7ff", "0e9999", "True", "1 2",
)  # fmt: skip
"""What stands where a number should."""

HEADINGS = (
    "G", "G [uS]", "R [kOhm]", "[" * 20_000, "G " + "(" * 500, "pulse", "target [uS]", "time [s]",
    "I [A]", "V [V]", "device", "G1 [uS]", "G [uS" + "]" * 3000, "\N{GREEK CAPITAL LETTER OMEGA}",
)  # fmt: skip

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "latin-1", "cp1252")


def trials(random: Random, folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Read a file that was changed, and fit it where it is a table."""
    made = {
        "pulses": _pulses(random), "levels": _levels(random), "retention": _retention(random),
        "matrix": "\n".join("1e-5,2e-5,3e-5" for _ in range(4)) + "\n",
    }  # fmt: skip
    tomls = {
        "preset": mho.devices.preset("hfo2-1t1r").to_toml(),
        "prices": mho.prices.get("hfo2-130nm").to_toml(),
        "config": experiments.get("siamese").preset("quick").to_toml(),
    }
    while True:
        kind = random.choice((*made, *made, *tomls, "npy", "place"))
        if kind == "npy":
            path, words = folder / "x.npy", ""
            words, content = bytes_changed(random, _npy())
        elif kind == "place":
            yield _no_file(random, folder)
            continue
        else:
            path = folder / ("x.toml" if kind in tomls else "x.csv")
            words, text = _text_changed(random, {**made, **tomls}[kind])
            encoding = random.choice(ENCODINGS) if random.random() < 0.2 else "utf-8"
            content = text.encode(encoding, "replace")
            if random.random() < 0.3:
                more, content = bytes_changed(random, content)
                words = f"{words}; {more}"
        path.write_bytes(content)
        yield f"{kind}: {words}", lambda k=kind, p=path: _read(k, p)


def _read(kind: str, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind in ("matrix", "npy"):
            read_array(path, Place(None, 0, 0))
        elif kind == "preset":
            Preset.read(path)
        elif kind == "prices":
            Prices.from_dict(read_toml(path, "prices"))
        elif kind == "config":
            experiments.get("siamese").preset("quick").merged(read_toml(path))
        else:
            fit.fit(fit.read(path))


def _no_file(random: Random, folder: Path) -> tuple[str, Callable[[], object]]:
    """A folder, a pipe, a name that is none."""
    pipe = folder / "pipe.csv"
    if not pipe.exists():
        os.mkfifo(pipe)
    path = random.choice(
        (folder, pipe, folder / "none.csv", folder / ("n" * 300), Path("a\0b.csv"))
    )
    how = random.choice(("pulses", "matrix", "preset", "config"))
    return f"{how} from {str(path)[-20:]!r}", lambda: _read(how, path)


def _text_changed(random: Random, text: str) -> tuple[str, str]:
    """A table with fields, lines or separators that are others."""
    lines = text.splitlines()
    done = []
    for _ in range(random.choice((1, 1, 2, 4))):
        at = random.randrange(len(lines))
        cells = lines[at].split(",")
        k = random.randrange(len(cells))
        change = random.choice(("number", "heading", "double", "drop", "line", "no line", "order"))
        if change == "number":
            cells[k] = random.choice(NUMBERS)
        elif change == "heading":
            at, cells = 0, lines[0].split(",")
            cells[random.randrange(len(cells))] = random.choice(HEADINGS)
        elif change == "double":
            cells = [*cells[:k], *(cells[k : k + 1] * random.choice((2, 3, 5000))), *cells[k + 1 :]]
        elif change == "drop":
            del cells[k]
        elif change == "order":
            random.shuffle(lines)
            cells = lines[at].split(",")
        lines[at] = ",".join(cells)
        if change == "line":
            lines.insert(at, lines[at])
        elif change == "no line" and len(lines) > 1:
            del lines[at]
        done.append(f"{change} at line {at + 1}")
    out = "\n".join(lines) + "\n"
    if random.random() < 0.2:
        separator = random.choice((";", "\t", " ", "|", "\x1c"))
        out, done = out.replace(",", separator), [*done, f"separator {separator!r}"]
    return ", ".join(done), out


def _pulses(random: Random) -> str:
    rows, g = ["pulse,polarity,G [uS]"], 10.0
    for _ in range(3):
        for sign in (1, -1):
            for pulse in range(1, 13):
                g += sign * random.uniform(0.5, 1.5)
                rows.append(f"{pulse},{'SET' if sign > 0 else 'RESET'},{g:.3f}")
    return "\n".join(rows) + "\n"


def _levels(random: Random) -> str:
    targets = [10.0 + 10 * k for k in range(5)]
    rows = [f"{t},{random.gauss(t, 1):.3f}" for t in targets for _ in range(12)]
    return "target [uS],G [uS]\n" + "\n".join(rows) + "\n"


def _retention(random: Random) -> str:
    rows = [
        f"{10.0**k},{cell},{50 - k + random.gauss(0, 0.5):.3f}"
        for cell in range(8) for k in range(5)
    ]  # fmt: skip
    return "time [s],device,G [uS]\n" + "\n".join(rows) + "\n"


def _npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.full((4, 3), 1e-5))
    return file.getvalue()
