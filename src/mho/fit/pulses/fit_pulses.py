"""Pulse trains -> `PulseResponse` or `PulseTable`, by the likelihood of each read given the last.

The window is where pulses stop moving the cell, if the data show such ends (reads that heap up
there); else the mean of the ends of the trains, and the other numbers are relative to that. A
device that saturates smoothly has the same response seen from any window. Where the exponential
response as it is written misses the curve, tables are fitted too, and the record of the least AIC
is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import numpy as np

from mho.errors import invalid, unknown
from mho.fit.electrical import conductance, resolution
from mho.fit.free_run import Course, FreeRun, judge_free_run
from mho.fit.maximum import Maximum
from mho.fit.outcome import Fit, Picture, Rival, Series, far_out
from mho.fit.pulses.candidate import Candidate, Reads, candidate
from mho.fit.pulses.equal_pulses import equal_pulses
from mho.fit.pulses.exponential import variants
from mho.fit.pulses.model import PulseModel
from mho.fit.pulses.screening import check, heaped, noted, reference, screen
from mho.fit.pulses.tabulated import tables
from mho.fit.pulses.trains import trains
from mho.fit.reading.table import Table

FAMILIES = ("pulse-response", "pulse-table")
MISSED = 1e-3
"""p of the test of runs below which the exponential response counts as missing the curve."""
LOST = 4.0
"""AIC that a record may lose by what it cannot hold before tables are tried."""
SLOW = 3000
"""Reads from which on a fit takes more than a few seconds."""

Bar = Callable[[str, int, int], AbstractContextManager[Callable[[int], None]]]
"""Shows progress: what, of how many, how many are done -> to be called with the number of steps."""


def fit_pulses(
    table: Table,
    v_read: float | None = None,
    levels: int | None = None,
    family: str | None = None,
    *,
    amplitude: tuple[float, float] | None = None,
    bar: Bar | None = None,
) -> Fit:
    """Window, steps, noise and spread of pulsed cells.

    Args:
        table: pulse number, polarity or pulse voltage, conductance; perhaps device, cycle.
        v_read: read voltage [V], where the file has currents.
        levels: levels of the cell; None: 9, or a pulse a level.
        family: one of `FAMILIES`; None: as the data say.
        amplitude: of the SET and RESET pulses to fit [V], where the file has several.
        bar: shows progress over models, where that takes long.
    """
    if family not in (None, *FAMILIES):
        raise unknown("family of pulses", str(family), FAMILIES)
    g = conductance(table, v_read)
    foreign, remarks = equal_pulses(table, amplitude)
    chains = trains(table, g, foreign)
    check(table, chains)
    remarks += noted(table, chains)
    wild = screen(chains)
    at_ends = heaped(chains.without(wild).g)
    low, width = reference(chains.without(wild), at_ends)
    reads = Reads(chains.without(wild), low, width, resolution(table, g, v_read))
    models = variants(at_ends)
    shown = nullcontext(lambda _n: None) if bar is None or len(table) < SLOW else None
    with shown or bar("models", len(models) + 1, 0) as advance:  # type: ignore[misc]
        fits = Fits(reads, levels, advance)
        best = fits.least(models)
        late = _late(best)
        if late.any():
            wild |= late
            reads = replace(reads, chains=chains.without(wild))
            again = Fits(reads, levels, advance)
            best = again.least(models, fits.maxima)
            fits = again
        response = next(m for m in models if m == best.model)
        even = fits.add(replace(response, name=f"{response.name}, even steps", curved=False))
        curved = best
        if even is not None and not best.best.settled:
            best = min(best, even, key=_aic)
        # steps may only be even because the exponential curve that they have was not pinned down
        worse = best.written.aic() - curved.written.aic() > LOST
        if family == "pulse-table" or (family is None and (worse or _misses(best))):
            seen = int(np.isfinite(reads.chains.g).sum())
            more = tables(response, curved.best, curved.parameters[:2], low, width, seen)
            rival = fits.growing(more)
            if family:
                best = _best_of([rival], reads)
            elif rival is not None:
                best = min(best, rival, key=_aic)
    free = best.course()
    position = np.cumsum(chains.pulses, axis=1)
    free_run = judge_free_run(reads.chains.g, free, position, "pulse")
    return Fit(
        kind="pulses",
        table="device",
        record=best.record,
        parameters=best.parameters,
        goodness=replace(best.goodness(), free_run=free_run),
        rivals=[Rival(c.model.name, c.written.aic(), len(c.best.covariance)) for c in fits.found],
        picture=_picture(table, best, wild, g, free, position),
        outliers=sorted({int(n) for n in table.lines[chains.row[wild]]}),
        remarks=[*remarks, *_remarks(best, free_run)],
    )


class Fits:
    """Models fitted to the same reads, each once.

    Args:
        reads: what they are fitted to.
        levels: levels of their records; None: as many as they can have, to 9.
        advance: called with 1 when one is done.
    """

    def __init__(self, reads: Reads, levels: int | None, advance: Callable[[int], None]) -> None:
        self.found: list[Candidate] = []
        self.maxima: dict[str, Maximum] = {}
        self._reads, self._levels, self._advance = reads, levels, advance

    def add(self, model: PulseModel, near: Maximum | None = None) -> Candidate | None:
        """Fit one more, from what was found for nearly the same reads; None: it cannot be."""
        each = candidate(model, self._reads, self._levels, near)
        self._advance(1)
        if each is not None:
            self.found.append(each)
            self.maxima[model.name] = each.best
        return each

    def least(
        self, models: Sequence[PulseModel], near: dict[str, Maximum] | None = None
    ) -> Candidate:
        """That of the least AIC, of those with a clear maximum if there is one."""
        each = [self.add(model, (near or {}).get(model.name)) for model in models]
        return _best_of(each, self._reads)

    def growing(self, models: Sequence[PulseModel]) -> Candidate | None:
        """The same of models of more and more parameters, as long as more of them help; None: the
        first of them cannot be."""
        best: Candidate | None = None
        for model in models:
            each = self.add(model)
            if each is None or (best is not None and _aic(each) >= _aic(best)):
                break
            best = each
        return best


def _best_of(each: Sequence[Candidate | None], reads: Reads) -> Candidate:
    """The best of those that could be fitted.

    Raises:
        ValueError: none could.
    """
    some = [found for found in each if found is not None]
    if not some:
        allowed = "reads that equal pulses move the same way each time; no model follows these"
        raise invalid("pulse trains", f"{np.isfinite(reads.chains.g).sum()} reads", allowed)
    return min(some, key=_aic)


def _aic(each: Candidate) -> float:
    return each.written.aic() + 1e6 * (not each.best.settled)


def _misses(best: Candidate) -> bool:
    """Whether the record misses the curve of the reads, or lost much of what was found."""
    return (
        best.goodness().runs_p < MISSED or best.written.aic() - best.best.aic() > LOST
        or not best.best.settled
    )  # fmt: skip


def _remarks(best: Candidate, free_run: FreeRun) -> list[str]:
    """What is to be known of the record."""
    remarks = list(best.remarks)
    if not best.best.settled:
        remarks.append("the likelihood has no clear maximum: intervals are not to be trusted")
    if free_run.failed:
        remarks.append(
            f"the record does not tell the whole file from its first read, though it may each read "
            f"from the one before; {free_run}"
        )
    return remarks


def _late(best: Candidate) -> np.ndarray:
    """Reads that the model does not believe, the first of those in a row."""
    _, residual, _ = best.told()
    out = far_out(residual.ravel(), least=1.0).reshape(residual.shape)
    out[:, 1:] &= ~out[:, :-1]
    return out


def _picture(
    table: Table,
    best: Candidate,
    wild: np.ndarray,
    g: np.ndarray,
    free: Course,
    position: np.ndarray,
) -> Picture:
    """Reads over what was predicted from the read before and over a free run, and the standardized
    difference."""
    mean, residual, told = best.told()
    chains = best.reads.chains
    seen = np.isfinite(chains.g) & np.isfinite(mean)
    series = []
    for c in range(min(len(chains.g), 4)):
        at = seen[c]
        run = free.mean[c][at], free.low[c][at], free.high[c][at]
        x = position[c][at]
        series.append(Series(f"train {c + 1}", x, chains.g[c][at], mean[c][at], run))
    return Picture(
        "pulses",
        "G [S]",
        series,
        position[told],
        residual[told],
        left_out=(position[wild], g[chains.row[wild]]),
        device=table.devices(chains.row[told]),
    )
