"""Pulse trains: which reads follow one another on one device, and how many pulses lie between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mho.errors import invalid
from mho.fit.reading.table import Table

SET_WORDS = frozenset({"set", "+", "p", "pot", "potentiation", "ltp", "up", "pos", "positive",
                       "on", "increase"})  # fmt: skip
RESET_WORDS = frozenset({"reset", "rst", "-", "d", "dep", "depression", "ltd", "down", "neg",
                         "negative", "off", "decrease"})  # fmt: skip


@dataclass(frozen=True)
class Trains:
    """Reads in chains, padded at the end; a chain is what is known to follow one another."""

    g: np.ndarray
    """(chains, reads) conductance [S], nan: not read, or past the end."""
    pulses: np.ndarray
    """(chains, reads) pulses since the read before [1]."""
    up: np.ndarray
    """(chains, reads) whether they were SET pulses."""
    row: np.ndarray
    """(chains, reads) row of the table; -1: past the end."""
    device: np.ndarray
    """(chains,) number of the device."""

    @property
    def devices(self) -> int:
        """How many there are."""
        return int(self.device.max()) + 1

    def without(self, mask: np.ndarray) -> Trains:
        """Some reads taken out; the pulses before them stay."""
        return Trains(np.where(mask, np.nan, self.g), self.pulses, self.up, self.row, self.device)

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Conductances [S] at the end of each RESET train and of each SET train."""
        seen = np.isfinite(self.g)
        low, high = [], []
        for g, up, on, row in zip(self.g, self.up, seen, self.row, strict=True):
            length = int((row >= 0).sum())
            for k in range(length):
                if on[k] and (k + 1 == length or up[k + 1] != up[k]):
                    (high if up[k] else low).append(g[k])
                if on[k] and k == 0 and length > 1 and up[0] == up[1] and up[0]:
                    low.append(g[k])
        return np.array(low), np.array(high)

    def transitions(self) -> tuple[np.ndarray, ...]:
        """From read to read: before, after [S], pulses, up, device, chain, position of the later.

        Reads with nothing in between and bursts of two directions are left out.
        """
        out: list[tuple[float, ...]] = []
        for c in range(len(self.g)):
            last, burst, mixed, up = None, 0, False, False
            for k in range(int((self.row[c] >= 0).sum())):
                if last is not None and self.pulses[c, k] > 0:
                    mixed |= burst > 0 and up != self.up[c, k]
                    up = bool(self.up[c, k])
                    burst += int(self.pulses[c, k])
                if np.isfinite(self.g[c, k]):
                    if last is not None and burst > 0 and not mixed:
                        out.append((last, self.g[c, k], burst, up, self.device[c], c, k))
                    last, burst, mixed = self.g[c, k], 0, False
        columns = np.array(out, dtype=float).reshape(-1, 7).T
        before, after, pulses, up_, device, chain, at = columns
        return before, after, pulses, up_ > 0, device.astype(int), chain.astype(int), at.astype(int)


def trains(table: Table, g: np.ndarray) -> Trains:
    """Chains of a table of pulse number, polarity, and perhaps device and cycle.

    The pulse number counts on, or starts again at 0 or 1 where the polarity changes. Where it
    starts again under the same polarity, and in another cycle, what came before is not known.
    """
    up = polarity(table)
    number = table.numbers["pulse"]
    _whole(table, number)
    device, cycle = table.labels("device"), table.labels("device", "cycle")
    chains: list[list[tuple[int, int]]] = []
    last: dict[int, int] = {}
    where: dict[int, list[tuple[int, int]]] = {}
    for i in range(len(table)):
        key, k = int(cycle[i]), int(number[i])
        j = last.get(key)
        n = None if j is None else _between(k, int(number[j]), bool(up[i] == up[j]))
        if n is None:
            where[key] = [(i, 0)]
            chains.append(where[key])
        else:
            where[key].append((i, n))
        last[key] = i
    length = max(map(len, chains))
    row = np.full((len(chains), length), -1)
    pulses = np.zeros((len(chains), length), dtype=int)
    for c, chain in enumerate(chains):
        row[c, : len(chain)] = [i for i, _ in chain]
        pulses[c, : len(chain)] = [n for _, n in chain]
    padded = np.where(row >= 0, g[row], np.nan)
    ups = np.where(row >= 0, up[row], False)
    return Trains(padded, pulses, ups, row, device[row[:, 0]])


def polarity(table: Table) -> np.ndarray:
    """Whether each row's pulses are SET pulses."""
    if "polarity" not in table:
        volts = table.numbers["v_pulse"]
        bad = np.flatnonzero(~(np.abs(volts) > 0))
        if len(bad):
            raise invalid(f"{table.where(bad[0])}, pulse voltage", float(volts[bad[0]]),
                          "a voltage above 0 (SET) or below (RESET)")  # fmt: skip
        return volts > 0
    words = table.words["polarity"]
    known: dict[str, bool] = {}
    for word in np.unique(words):
        sign = _sign(str(word).strip().lower())
        if sign is None:
            row = int(np.flatnonzero(words == word)[0])
            raise invalid(f"{table.where(row)}, polarity", str(word), "SET, RESET, +1 or -1")
        known[str(word)] = sign
    return np.array([known[str(word)] for word in words])


def _sign(word: str) -> bool | None:
    """True: SET; a number counts by its sign, 0 is RESET."""
    if word in SET_WORDS or word in RESET_WORDS:
        return word in SET_WORDS
    try:
        return float(word.replace(",", ".").replace("\N{MINUS SIGN}", "-")) > 0
    except ValueError:
        return None


def _whole(table: Table, number: np.ndarray) -> None:
    bad = np.flatnonzero(~((number >= 0) & (number <= 1e9) & (number == np.round(number))))
    if len(bad):
        where = f"{table.where(bad[0])}, pulse"
        raise invalid(where, float(number[bad[0]]), "a whole number, 0 to 1e9")


def _between(now: int, before: int, same: bool) -> int | None:
    """Pulses between two reads; None: not known."""
    if now > before or (same and now == before):
        return now - before
    return now if not same and now <= 1 else None
