"""Reads of one write are told from writes: sigma is that of writes, noise that of reads."""

import numpy as np
import pytest

from builders.measurements import csv
from mho.fit import fit, parse
from mho.fit.repeats import writes_of
from mho.physics import MultiLevel


def reads(seed: int, *, writes: int = 1, repeats: int = 6) -> str:
    """30 cells at 8 targets of 10 to 80 uS: writes within 1.5 uS, reads within 0.8 uS."""
    rng = np.random.default_rng(seed)
    rows = []
    for cell in range(30):
        for target in np.linspace(10, 80, 8).tolist():
            for _ in range(writes):
                g = target + 1.5 * rng.standard_normal()
                rows += [(0, cell, k, target, g + 0.8 * rng.standard_normal())
                         for k in range(repeats)]  # fmt: skip
    return csv("row,col,read number,target [uS],G [uS]", *zip(*rows, strict=True))


@pytest.mark.parametrize("writes", [1, 3])
def test_write_and_read_are_told_apart(writes: int) -> None:
    held = {"sigma(g_max)": 0, "noise of a read": 0}
    for seed in range(8):
        found = fit(parse(reads(seed, writes=writes), "x"))
        assert found.goodness.n == 240 * writes
        held["sigma(g_max)"] += found["sigma(g_max)"].covers(1.5e-6)
        held["noise of a read"] += found["noise of a read"].covers(0.8e-6)
        record = found.record
        assert isinstance(record, MultiLevel)
        assert record.read_noise == pytest.approx(0.8 / 70, rel=0.1)
    assert min(held.values()) >= 5, held


def test_one_glitch_is_set_aside_alone() -> None:
    lines = reads(9).splitlines()
    lines[100] = f"{lines[100].rpartition(',')[0]},400"
    found = fit(parse("\n".join(lines), "x"))
    assert found.outliers == [101]
    assert found["noise of a read"].value == pytest.approx(0.8e-6, rel=0.1)


def test_without_numbers_of_reads_each_row_is_a_write() -> None:
    table = parse("target [uS],G [uS]\n" + "5,6\n7,8\n" * 6, "x")
    g = table.numbers["conductance"]
    writes = writes_of(table, g, table.numbers["target"])
    assert writes.read is g
    assert writes.noise is None
