"""I-V sweeps: regression through the origin, the choice of the law, points that are none."""

import numpy as np
import pytest
from scipy import stats

from builders.measurements import SWEEP, changed, csv, sweeps
from mho.errors import InvalidInput
from mho.fit import fit, parse
from mho.fit.iv import fit_iv
from mho.physics import Conduction, Ohmic, Sinh, Transistor


def straight(seed: int, *conductances: float) -> tuple[str, list[np.ndarray]]:
    """Ohmic sweeps of both signs with an error of one size, and their points."""
    rng = np.random.default_rng(seed)
    rows, points = [], []
    for k, g in enumerate(conductances):
        v = np.linspace(-0.5, 0.5, 40)
        i = g * v + 2e-7 * rng.standard_normal(40)
        points.append(np.array([v, i]))
        rows += [(k, a, 1e6 * b) for a, b in zip(v.tolist(), i.tolist(), strict=True)]
    return csv("sweep,V [V],I [uA]", *zip(*rows, strict=True)), points


def test_an_ohmic_cell_is_a_regression_through_the_origin() -> None:
    text, [(v, i)] = straight(0, 5e-5)
    found = fit_iv(parse(text, "x"))
    assert found.record == Ohmic()
    g = v @ i / (v @ v)
    each = found["g of sweep 1"]
    assert each.value == pytest.approx(g, rel=1e-6)
    error = (np.sum((i - g * v) ** 2) / 39 / (v @ v)) ** 0.5
    assert each.high == pytest.approx(g * np.exp(stats.t.ppf(0.975, 39) * error / g), rel=1e-4)
    assert found.goodness.n == 40
    assert "errors of the current are taken of one size" in found.remarks
    assert any(remark.startswith("straight up to 0.5 V") for remark in found.remarks)


def test_sweeps_share_the_error_and_have_conductances_of_their_own() -> None:
    text, points = straight(1, 2e-5, 8e-5, 5e-5)
    found = fit_iv(parse(text, "x"))
    for k, (v, i) in enumerate(points):
        assert found[f"g of sweep {k + 1}"].value == pytest.approx(v @ i / (v @ v), rel=1e-6)
    assert [each.name for each in found.picture.series] == ["sweep 1", "sweep 2", "sweep 3"]
    for each in found.picture.series:
        assert (np.diff(each.x) >= 0).all()


@pytest.mark.parametrize("law", [Ohmic(), Sinh(v0=0.5), Transistor(beta=3e-4, overdrive=0.6)])
def test_the_law_is_chosen(law: Conduction) -> None:
    found = fit(parse(sweeps(law, 2, **SWEEP)[0], "x"))
    assert type(found.record) is type(law)
    assert found.goodness.r_squared > 0.99
    assert found.goodness.normal_p > 1e-3
    assert found.goodness.runs_p > 1e-3
    assert {rival.name.partition(",")[0] for rival in found.rivals} == {"ohmic", "sinh", "1t1r"}
    least = min(rival.aic for rival in found.rivals)
    (own,) = (r for r in found.rivals if r.name == f"{law.family}, errors in proportion")
    assert own.aic <= least + 2


def test_a_spike_is_set_aside_with_its_line() -> None:
    text, _ = straight(2, 5e-5)
    plain = fit_iv(parse(text, "x"))
    found = fit_iv(parse(changed(text, 12, r"[^,]+$", "90"), "x"))
    assert found.outliers == [12]
    assert found["g of sweep 1"].covers(plain["g of sweep 1"].value)
    assert found.picture.left_out[1] == pytest.approx([90e-6])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (csv("V [V],I [uA]", [0.1, 0.2, 0.3, 0.4, 0.0], [1.0, 2.0, 3.0, 4.0, 0.0]),
         "sweep 1 = '4 points'"),
        (csv("V [V],I [uA]", [0.1 * k for k in range(9)], [-1.0 * k for k in range(9)]),
         "the sign of the voltage"),
    ],
)  # fmt: skip
def test_what_is_no_sweep_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        fit_iv(parse(text, "x"))
    assert said in str(refusal.value)
