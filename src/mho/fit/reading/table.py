"""A measured file as columns in SI units, each row with its line number."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from mho.arguments import checked
from mho.errors import InvalidInput


@dataclass(frozen=True)
class Account:
    """How a file was read, for its user to check."""

    format: str
    """Kind of file, encoding, separator."""
    lines: list[tuple[str, str]]
    """What lines are: preamble, headings, units, values."""
    columns: list[tuple[str, str, str]]
    """Of each column: its heading; what it is taken for, or "unused"; unit, or why."""
    layout: list[str]
    """How rows of the table come from lines of the file."""


@dataclass
class Table:
    """Columns of equal length in SI units; gaps are nan, or "" in a column of words."""

    path: str
    lines: np.ndarray
    """Line of the file that each row stands in, from 1."""
    header: int
    """Line of the headings."""
    numbers: dict[str, np.ndarray]
    words: dict[str, np.ndarray]
    resolution: dict[str, float] = field(default_factory=dict)
    """Last digit given of each measured quantity [SI unit]."""
    remarks: list[str] = field(default_factory=list)
    refused: dict[str, InvalidInput] = field(default_factory=dict)
    """What to say where a quantity is needed that the file has, but not in a form to be used."""
    unused: list[tuple[str, str]] = field(default_factory=list)
    """Headings of columns that are not used, and why."""
    account: Account | None = None

    def __contains__(self, name: str) -> bool:
        return name in self.numbers or name in self.words

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def columns(self) -> list[str]:
        """Names of what is there."""
        return [*self.numbers, *self.words]

    @checked
    def where(self, row: int) -> str:
        """A row, for errors."""
        return f"{self.path}, line {self.lines[row]}"

    def kept(self, rows: np.ndarray) -> Table:
        """Some of the rows, by a mask or by indices."""
        return replace(
            self,
            lines=self.lines[rows],
            numbers={k: v[rows] for k, v in self.numbers.items()},
            words={k: v[rows] for k, v in self.words.items()},
        )

    def devices(self, rows: np.ndarray) -> np.ndarray | None:
        """Names of the devices of some of the rows, by a mask or by indices; None: it has none."""
        return self.words["device"][rows] if "device" in self.words else None

    def labels(self, *names: str) -> np.ndarray:
        """Group of each row, numbered as first met: rows alike in the columns that are there."""
        keys = list(zip(*(self.words[n].tolist() for n in names if n in self.words), strict=True))
        if not keys:
            return np.zeros(len(self), dtype=int)
        order = {key: i for i, key in enumerate(dict.fromkeys(keys))}
        return np.array([order[key] for key in keys])
