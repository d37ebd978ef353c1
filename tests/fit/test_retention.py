"""Retention traces: lines in ln t against scipy's, the choice of the law, reads that are none."""

import numpy as np
import pytest
from scipy import stats

from builders.measurements import changed, csv, traces
from mho.errors import InvalidInput
from mho.fit import fit, parse
from mho.fit.retention import fit_retention
from mho.physics import LogTime, PowerLaw

TIME = np.logspace(0.5, 5, 25)


def trace(seed: int, kind: str) -> tuple[str, np.ndarray]:
    """One trace that is straight in ln t on the conductance or on its logarithm."""
    error = np.random.default_rng(seed).standard_normal(len(TIME))
    x = np.log(TIME / TIME[0])
    g = 50.0 - 1.5 * x + 0.2 * error
    if kind == "power-law":
        g = 50.0 * np.exp(-0.08 * x + 0.01 * error)
    return csv("time [s],G [uS]", TIME.tolist(), g.tolist()), g


@pytest.mark.parametrize("kind", ["power-law", "log-time"])
def test_one_trace_is_a_linear_regression(kind: str) -> None:
    text, g = trace(1, kind)
    found = fit_retention(parse(text, "x"))
    assert found.record.family == kind
    y, sign, unit = (np.log(g), -1, 1.0) if kind == "power-law" else (g, 1, 1e-6)
    line = stats.linregress(np.log(TIME), y)
    rate = found["nu" if kind == "power-law" else "rate"]
    assert rate.value == pytest.approx(sign * unit * line.slope, rel=1e-6)
    wide = stats.t.ppf(0.975, len(TIME) - 2) * line.stderr * unit
    assert rate.high == pytest.approx(rate.value + wide, rel=1e-5)
    assert rate.low == pytest.approx(rate.value - wide, rel=1e-5)
    assert found["t0"].value == pytest.approx(TIME[0])
    assert found.remarks == ["one trace: how rates spread between cells is not known"]


def test_the_criterion_is_that_of_the_densities() -> None:
    """Of normal errors on g, and of normal errors on ln g, as densities of g."""
    text, g = trace(2, "log-time")
    found = fit_retention(parse(text, "x"))
    aic = {rival.name: rival.aic for rival in found.rivals}
    x, g = np.log(TIME), 1e-6 * g
    for kind, y, shift in (("log-time", g, 0.0), ("power-law", np.log(g), np.log(g).sum())):
        left = y - np.polyval(np.polyfit(x, y, 1), x)
        density = stats.norm.logpdf(left, scale=np.sqrt(np.mean(left**2))).sum() - shift
        assert aic[kind] == pytest.approx(2 * 3 - 2 * density)


def test_rates_spread_between_cells() -> None:
    law = LogTime(rate=-1e-6, rate_spread=4e-7)
    text, truth = traces(law, 3, devices=30)
    found = fit_retention(parse(text, "x"))
    assert found["rate_spread"].covers(truth["rate_spread"])
    assert found["rate"].covers(truth["rate"])
    assert found.record.to_dict()["rate_spread"] == found["rate_spread"].value
    assert len(found.picture.series) == 6


@pytest.mark.parametrize(
    "law", [PowerLaw(nu=0.1, nu_spread=0.01), LogTime(rate=-1e-6, rate_spread=1e-7)]
)
def test_the_law_is_chosen(law: PowerLaw | LogTime) -> None:
    found = fit(parse(traces(law, 2, devices=5)[0], "x"))
    assert type(found.record) is type(law)
    assert found.goodness.r_squared > 0.99
    assert found.goodness.normal_p > 1e-3
    assert found.goodness.runs_p > 1e-3


def test_levels_are_traces_of_their_own() -> None:
    text, g = trace(4, "log-time")
    rows = [(level, t, x + 20 * level) for level in (0, 1)
            for t, x in zip(TIME.tolist(), g.tolist(), strict=True)]  # fmt: skip
    found = fit_retention(parse(csv("level,time [s],G [uS]", *zip(*rows, strict=True)), "x"))
    assert len(found.picture.series) == 2
    assert found["rate_spread"].value == pytest.approx(0.0, abs=1e-9)
    assert found["rate"].value == pytest.approx(fit_retention(parse(text, "x"))["rate"].value)


def test_reads_at_time_zero_are_left_out_and_told() -> None:
    text, _ = trace(5, "log-time")
    found = fit_retention(parse(text + "0,50\n", "x"))
    assert found.remarks[0].endswith(f"line {len(TIME) + 2}")
    assert found["rate"] == fit_retention(parse(text, "x"))["rate"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (changed(trace(6, "log-time")[0], 4, r"[^,]+$", "-2"), "line 4, column 'G [uS]' = '-2'"),
        (csv("time [s],G [uS]", [1.0, 1.0, 9.0], [5.0, 5.0, 6.0]), "at least 3 different times"),
        (csv("time [s],G [uS]", [0.0, 0.0], [5.0, 5.0]), "reads at times above 0"),
    ],
)
def test_what_is_no_trace_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        fit_retention(parse(text, "x"))
    assert said in str(refusal.value)
