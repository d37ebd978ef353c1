"""Rows of devices, devices far off the others, names; and what one lost cell of an array does."""

import time
from collections.abc import Callable

import numpy as np
import pytest

from builders.measurements import csv
from mho.fit import Fit, fit, parse
from mho.fit.devices import apart, listed, medians, names_of, rows_of
from mho.physics import MultiLevel, PowerLaw, TwoState

CELLS = 16
"""Rows and columns of the array."""
LOST = (3, 11)


def test_rows_and_medians_are_those_of_a_pass_over_each() -> None:
    rng = np.random.default_rng(0)
    device = rng.integers(0, 7, 100)
    y = np.where(rng.random(100) < 0.1, np.nan, rng.standard_normal(100))
    for d, rows in enumerate(rows_of(device)):
        assert rows.tolist() == np.flatnonzero(device == d).tolist()
    expected = [np.nanmedian(y[device == d]) for d in range(7)]
    np.testing.assert_allclose(medians(y, device), expected)


def test_apart_is_what_no_normal_sample_holds() -> None:
    y = np.random.default_rng(1).standard_normal(500)
    assert not apart(y).any()
    y[[4, 9]] = 12.0, -12.0
    y[7] = np.nan
    assert np.flatnonzero(apart(y)).tolist() == [4, 9]
    assert np.flatnonzero(apart(y, above=True)).tolist() == [4]
    assert not apart(np.array([0.0, 0.1, 50.0])).any()  # too few to tell


def test_names() -> None:
    table = parse("row,col,target [uS],G [uS]\n0,1,5,5\n2,0,5,6\n0,1,6,6\n", "x")
    names = names_of(table, table.labels("device"))
    assert names == ["row 0 column 1", "row 2 column 0"]
    assert listed(names, [1]) == "device row 2 column 0"
    assert listed([str(k) for k in range(9)], range(9)) == "devices 0, 1, 2, 3, 4, 5 and 3 more"
    assert names_of(parse("target [uS],G [uS]\n5,5\n", "x"), np.zeros(1, dtype=int)) == ["1"]


def _levels(lost: Callable[[np.ndarray], np.ndarray] | None, seed: int) -> str:
    """Ten targets, offsets of 0.8 uS, writes of 0.5 uS."""
    rng = np.random.default_rng(seed)
    target = np.linspace(5, 50, 10)
    g = target + 0.8 * rng.standard_normal((CELLS, CELLS, 1)) + 0.5 * rng.standard_normal(
        (CELLS, CELLS, 10)
    )  # fmt: skip
    if lost:
        g[LOST] = lost(g[LOST])
    return _table("target [uS],G [uS]", target, g)


def _states(lost: Callable[[np.ndarray], np.ndarray] | None, seed: int) -> str:
    """Five cycles of 5 and 200 kohm."""
    rng = np.random.default_rng(seed)
    own = np.exp(0.1 * rng.standard_normal((CELLS, CELLS, 1)))
    r = own * np.tile([5.0, 200.0], 5) * np.exp(0.05 * rng.standard_normal((CELLS, CELLS, 10)))
    if lost:
        r[LOST] = lost(r[LOST])
    return _table("state,R [kOhm]", np.tile(["LRS", "HRS"], 5), r)


def _retention(lost: Callable[[np.ndarray], np.ndarray] | None, seed: int) -> str:
    """Exponents of 0.05 +- 0.01, reads of 1 %."""
    rng = np.random.default_rng(seed)
    at = np.logspace(0, 5, 12)
    nu = 0.05 + 0.01 * rng.standard_normal((CELLS, CELLS, 1))
    g = rng.uniform(20, 80, (CELLS, CELLS, 1)) * at**-nu
    g *= 1 + 0.01 * rng.standard_normal(g.shape)
    if lost:
        g[LOST] = lost(g[LOST])
    return _table("time [s],G [uS]", at, g)


def _table(head: str, x: np.ndarray, y: np.ndarray) -> str:
    row, column, k = (part.ravel().tolist() for part in np.indices(y.shape))
    return csv(f"wordline,bitline,{head}", row, column, x[k].tolist(), y.ravel().tolist())


KINDS = {"levels": _levels, "states": _states, "retention": _retention}
LOSSES: list[tuple[str, str, Callable[[np.ndarray], np.ndarray]]] = [
    ("levels", "at the lower end", lambda g: 0 * g + 1.0),
    ("levels", "at the upper end", lambda g: 0 * g + 60.0),
    ("levels", "shifted", lambda g: g + 20.0),
    ("levels", "scatters", lambda g: g * np.tile([0.6, 1.5], 5)),
    ("states", "off", lambda r: 0 * r + 300.0),
    ("states", "on", lambda r: 0 * r + 5.0),
    ("states", "both high", lambda r: 20 * r),
    ("retention", "drops", lambda g: np.where(np.arange(12) > 6, 0.5, g)),
    ("retention", "falls fast", lambda g: g * np.logspace(0, -3, 12)),
    ("retention", "jumps", lambda g: g * np.tile([1.0, 6.0], 6)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "what", "lost"), LOSSES)
def test_one_lost_cell_is_named_and_moves_nothing(
    kind: str, what: str, lost: Callable[[np.ndarray], np.ndarray]
) -> None:
    good, bad = (fit(parse(KINDS[kind](each, 0), "x")) for each in (None, lost))
    assert bad.kind == good.kind == kind
    named = [r for r in bad.remarks if f"row {LOST[0]} column {LOST[1]} " in r]
    assert len(named) == 1, bad.remarks
    assert "set aside as a whole" in named[0]
    assert not any("set aside as a whole" in r for r in good.remarks)
    for parameter in good.parameters:
        if parameter.low is not None and parameter.high is not None:
            assert parameter.low <= bad[parameter.name].value <= parameter.high, what


def _spread(found: Fit) -> list[tuple[float, float]]:
    """What was put in, and what came out: from cell to cell, and from read to read."""
    record = found.record
    if isinstance(record, MultiLevel):
        return [(0.8 / 45, record.device_spread), (0.5e-6, found["sigma(g_max)"].value)]
    if isinstance(record, TwoState):
        return [(0.1, record.r_on.device.cov), (0.05, record.r_off.cycle.cov)]
    assert isinstance(record, PowerLaw)
    return [(0.01, found["nu_spread"].value), (0.01, found["error of a read, share"].value)]


@pytest.mark.parametrize("kind", KINDS)
def test_spread_from_cell_to_cell_is_told_from_that_of_reads(kind: str) -> None:
    for truth, value in _spread(fit(parse(KINDS[kind](None, 1), "x"))):
        assert value == pytest.approx(truth, rel=0.15)


@pytest.mark.parametrize("kind", KINDS)
def test_time_grows_as_the_number_of_cells(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four times the cells take less than eight times as long."""
    took = []
    for cells in (16, 32):
        monkeypatch.setitem(globals(), "CELLS", cells)
        table = parse(KINDS[kind](None, 2), "x")
        each = []
        for _ in range(2):
            started = time.process_time()
            fit(table)
            each.append(time.process_time() - started)
        took.append(min(each))
    assert took[1] < 8 * took[0]
