"""Pulse trains: which reads follow one another on one device, and how many pulses lie between."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

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
        """Conductances [S] at the end of each RESET train and of each SET train; where the
        last read is missing, the farthest beside the gap."""
        low, high = [], []
        runs = self.runs()
        for run, (c, begin, end) in enumerate(runs):
            seen = begin + np.flatnonzero(np.isfinite(self.g[c, begin:end]))
            if len(seen) == 0:
                continue
            up, last = bool(self.up[c, begin]), float(self.g[c, seen[-1]])
            if seen[-1] + 1 < end and run + 1 < len(runs) and runs[run + 1][:2] == (c, end):
                later = self.g[c, end : runs[run + 1][2]]  # the way back began beyond
                if np.isfinite(later).any():
                    last = (max if up else min)(last, float(later[np.isfinite(later)][0]))
            (high if up else low).append(last)
            if begin == 0 and seen[0] == 0 and up and end > 1:
                low.append(self.g[c, 0])
        return np.array(low), np.array(high)

    def runs(self) -> list[tuple[int, int, int]]:
        """Reads after pulses of one direction that follow one another: chain, first, past the
        last."""
        out = []
        for c in range(len(self.g)):
            length = int((self.row[c] >= 0).sum())
            turns = 1 + np.flatnonzero(np.diff(self.up[c, :length]))
            bounds = [0, *turns.tolist(), length]
            out += [(c, begin, end) for begin, end in pairwise(bounds)]
        return out

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


def trains(table: Table, g: np.ndarray, foreign: np.ndarray | None = None) -> Trains:
    """Chains of a table of pulse number, polarity, and perhaps device and cycle.

    The pulse number counts on, or starts again at 0 or 1 where the polarity changes; one number in
    all rows is that of the pulses before each read. Where it starts again under the same polarity,
    and in another cycle, what came before is not known.

    Args:
        g: (n,) conductances [S].
        foreign: (n,) rows whose pulses are of another kind: a chain starts with their read.
    """
    up = polarity(table)
    number = table.numbers["pulse"]
    _whole(table, number)
    foreign = np.zeros(len(table), dtype=bool) if foreign is None else foreign
    each = counts_each(number)
    device, cycle = table.labels("device"), table.labels("device", "cycle")
    chains: list[list[tuple[int, int]]] = []
    last: dict[int, int] = {}
    where: dict[int, list[tuple[int, int]]] = {}
    for i in range(len(table)):
        key, k = int(cycle[i]), int(number[i])
        j = last.get(key)
        n = None
        if j is not None and not foreign[i]:
            n = k if each else _between(k, int(number[j]), bool(up[i] == up[j]))
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


def counts_each(number: np.ndarray) -> bool:
    """Whether the column says how many pulses come before each read, always as many."""
    return len(number) > 1 and number[0] > 0 and bool((number == number[0]).all())


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
