"""A measured file as sheets of cells: text of any encoding, spreadsheets, MATLAB files."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from mho.errors import invalid
from mho.files import read_bytes
from mho.files.extras import of_extra
from mho.fit.reading.text import MOST_CELLS, SEPARATORS, Row, decoded, rows_of, separator_of

MOST_BYTES = 1 << 27
"""Largest file that is read [bytes]."""

_ZIP, _OLE, _MAT, _HDF = b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"MATLAB 5.0", b"\x89HDF"
WANTED = "a table: text as .csv, .xlsx, .xls, .ods, or .mat"


@dataclass(frozen=True)
class Sheet:
    """Rows of cells as text."""

    name: str
    """Of the sheet, or of the variable; "": the file has one."""
    rows: list[Row]
    separator: str
    """Between cells of a text; a tab in spreadsheets."""
    format: str
    """What it was, in words."""


def sheets_of(path: Path) -> list[Sheet]:
    """All sheets of a file that hold something.

    Raises:
        ValueError: it cannot be read, or is no file of a kind that is known.
    """
    raw = read_bytes(path, "source", most=MOST_BYTES, wanted="a readable file")
    if raw.startswith((_ZIP, _OLE)):
        return _spreadsheet(path, raw)
    if raw.startswith(_MAT):
        return _matlab(path, raw)
    if raw.startswith(_HDF):
        allowed = f"{WANTED} of version 7 or before (save -v7)"
        raise invalid("source", str(path), allowed)
    text = decoded(raw)
    if text is None:
        raise invalid("source", str(path), WANTED)
    return [text_sheet(text[0], str(path), text[1])]


def text_sheet(text: str, path: str, encoding: str = "text") -> Sheet:
    """The one sheet of a text."""
    text = text.removeprefix("\ufeff")
    separator = separator_of(text)
    words = f"text, {encoding}, {SEPARATORS[separator]} between cells"
    return Sheet("", rows_of(text, separator, path), separator, words)


def _spreadsheet(path: Path, raw: bytes) -> list[Sheet]:
    """Sheets of .xlsx, .xls, .ods."""
    calamine = of_extra("files", "python_calamine")
    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(raw))
        out = []
        for name in book.sheet_names:
            cells = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
            if sum(map(len, cells)) > MOST_CELLS:
                raise invalid(f"{path}, sheet {name}", "its size", f"at most {MOST_CELLS} cells")
            rows = [_row(i, row) for i, row in enumerate(cells, 1)]
            rows = [row for row in rows if any(row.cells)]
            if rows:
                out.append(Sheet(name, rows, "\t", "spreadsheet"))
    except (calamine.CalamineError, OSError, OverflowError) as error:
        raise invalid("source", str(path), f"{WANTED}; {_one_line(error)}") from error
    if not out:
        raise invalid("source", str(path), "a spreadsheet with something in it")
    return out


def _matlab(path: Path, raw: bytes) -> list[Sheet]:
    """Arrays of a .mat file: each matrix a sheet, vectors of one length together one with names."""
    from scipy.io import loadmat

    try:
        variables = loadmat(io.BytesIO(raw), squeeze_me=True, chars_as_strings=True)
    except Exception as error:  # scipy's own errors are of many kinds
        raise invalid("source", str(path), f"{WANTED}; {_one_line(error)}") from error
    arrays = dict(_arrays({k: v for k, v in variables.items() if not k.startswith("__")}))
    columns: dict[int, dict[str, np.ndarray]] = {}
    out = []
    for name, array in arrays.items():
        if array.ndim == 1 and len(array) > 1:
            columns.setdefault(len(array), {})[name] = array
        elif array.ndim == 2 and array.size <= MOST_CELLS:
            rows = [_row(i, row) for i, row in enumerate(array.tolist(), 1)]
            out.append(Sheet(name, rows, "\t", "MATLAB"))
    for vectors in columns.values():
        rows = [Row(1, list(vectors))]
        rows += [
            _row(i, row) for i, row in enumerate(np.stack(list(vectors.values()), 1).tolist(), 2)
        ]
        out.insert(0, Sheet(" ".join(vectors), rows, "\t", "MATLAB"))
    if not out:
        raise invalid("source", str(path), "a .mat file with vectors or a matrix of numbers")
    return out


def _arrays(variables: dict[str, Any], depth: int = 3) -> list[tuple[str, np.ndarray]]:
    """Numeric arrays among variables and in the fields of structures."""
    out: list[tuple[str, np.ndarray]] = []
    for name, value in variables.items():
        if isinstance(value, np.void) and value.dtype.names and depth:
            out += _arrays({n: value[n] for n in value.dtype.names}, depth - 1)
        elif isinstance(value, np.ndarray) and value.shape == () and value.dtype == object:
            out += _arrays({name: value.item()}, depth - 1) if depth else []
        elif isinstance(value, np.ndarray) and value.dtype.kind in "biufU":
            out.append((name, value))
    return out


def _row(line: int, cells: Any) -> Row:
    texts = [_cell(cell) for cell in cells]
    comment = texts[0].startswith(("#", "%")) and len(texts[0]) > 1 and not texts[0][1:].isupper()
    if comment:
        texts[0] = texts[0].lstrip("#% ")
    return Row(line, texts, comment, "\t".join(texts))


def _cell(value: object) -> str:
    """A cell as text."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(float(value))
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, timedelta):
        return repr(value.total_seconds())
    if isinstance(value, date | time):
        return value.isoformat()
    return " ".join(str(value).split())


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
