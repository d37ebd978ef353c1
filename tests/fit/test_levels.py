"""Program-and-read tables: two targets in closed form, windows, levels, offsets of devices."""

import numpy as np
import pytest

from builders.measurements import LEVELS, changed, csv, program_and_read
from mho.errors import InvalidInput
from mho.fit import Fit, fit, parse
from mho.fit.levels import fit_levels
from mho.physics import MultiLevel

TEXT = program_and_read(LEVELS, 11, devices=8, repeats=5)[0]


def record(found: Fit) -> MultiLevel:
    assert isinstance(found.record, MultiLevel)
    return found.record


def test_two_targets_have_two_deviations() -> None:
    """A straight sigma(G) through two targets: at each the root mean square of its reads."""
    rng = np.random.default_rng(0)
    off = {20.0: 1.0 * rng.standard_normal(60), 80.0: 3.0 * rng.standard_normal(40)}
    rows = [(target, target + float(each)) for target, all_ in off.items() for each in all_]
    found = fit_levels(parse(csv("target [uS],read [uS]", *zip(*rows, strict=True)), "x"))
    cell = record(found)
    for name, target in (("g_min", 20.0), ("g_max", 80.0)):
        rms = 1e-6 * float(np.sqrt(np.mean(off[target] ** 2)))
        each = found[f"sigma({name})"]
        assert each.value == pytest.approx(rms, rel=1e-4)
        error = (2 * len(off[target])) ** -0.5  # of ln(sigma), its mean known
        assert each.high == pytest.approx(rms * np.exp(1.96 * error), rel=1e-2)
        at = 1e-6 * target
        line = sum(c * at**k for k, c in enumerate(cell.sigma))
        assert line == pytest.approx(rms, rel=1e-4)
    assert cell.levels == 2
    assert cell.window == pytest.approx((20e-6, 80e-6))
    assert cell.device_spread == 0.0
    assert found["g_min"].low is None  # set by the experiment


def test_levels_and_window_are_those_of_the_targets() -> None:
    found = fit(parse(TEXT, "x"))
    assert record(found).levels == 9
    assert record(found).window == pytest.approx(LEVELS.window)
    assert found["levels"].low is None
    shifted = TEXT.replace("read [S]", "read [mS]")
    with pytest.raises(InvalidInput):
        fit(parse(shifted, "x"), "states")
    assert record(fit(parse(TEXT, "x"), levels=17)).levels == 17


def test_uneven_targets_do_not_say_the_levels() -> None:
    rows = [(t, t + 0.1 * (-1) ** k) for k in range(8) for t in (1.0, 2.0, 5.0)]
    found = fit_levels(parse(csv("target [uS],read [uS]", *zip(*rows, strict=True)), "x"))
    assert record(found).levels == 9
    assert "3 targets, not evenly spaced" in found.remarks[0]


def test_offsets_belong_to_devices() -> None:
    rng = np.random.default_rng(1)
    rows = []
    for device, offset in enumerate((-4.0, 0.0, 4.0, 1.0, -1.0)):
        rows += [(device, t, t + offset + 0.5 * rng.standard_normal())
                 for t in (20.0, 50.0, 80.0) for _ in range(10)]  # fmt: skip
    found = fit_levels(parse(csv("device,target [uS],read [uS]", *zip(*rows, strict=True)), "x"))
    spread = np.std([-4, 0, 4, 1, -1], ddof=1) / 60
    assert found["device_spread"].value == pytest.approx(spread, rel=0.05)
    assert found["sigma(g_min)"].covers(0.5e-6)
    assert record(found).device_spread == found["device_spread"].value
    assert found.remarks == []


def test_a_shift_of_all_reads_is_told() -> None:
    rng = np.random.default_rng(2)
    rows = [(t, t + 1.0 + 0.5 * rng.standard_normal()) for t in (20.0, 80.0) for _ in range(30)]
    found = fit_levels(parse(csv("target [uS],read [uS]", *zip(*rows, strict=True)), "x"))
    (remark,) = found.remarks
    assert "S above their targets on average" in remark


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\n".join(TEXT.splitlines()[:8]), "x, target and read = 7: expected at least 10 pairs"),
        (csv("target [uS],read [uS]", [5.0] * 20, [5.0] * 20), "at least two targets"),
        (changed(TEXT, 5, r"^0,[^,]+", "0,-1e-6"), "line 5, column 'target [S]' = '-1e-6'"),
    ],
)
def test_what_says_nothing_of_levels_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        fit(parse(text, "x"), "levels")
    assert said in str(refusal.value)


def test_reads_at_later_times_are_no_writes() -> None:
    """The same file is a table of levels, and with --kind retention traces of each target."""
    rng = np.random.default_rng(3)
    rows = [(d, t, s, (t + 0.5 * e) * s**-0.05 * (1 + 0.002 * rng.standard_normal()))
            for d in range(10) for t in (20.0, 40.0, 60.0, 80.0)
            for e in [rng.standard_normal()] for s in (1.0, 10.0, 100.0, 1000.0)]  # fmt: skip
    table = parse(csv("device,target [uS],time [s],G [uS]", *zip(*rows, strict=True)), "x")
    found = fit(table)
    assert found.kind == "levels"
    assert found.goodness.n == 40
    assert found["sigma(g_max)"].value == pytest.approx(0.5e-6, rel=0.5)
    assert any(r.startswith("120 reads at later times are left out") for r in found.remarks)
    relaxed = fit(table, "retention")
    assert relaxed["nu"].value == pytest.approx(0.05, rel=0.05)
    assert relaxed.goodness.n == 160
