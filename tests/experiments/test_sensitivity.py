"""Sensitivity: indices against closed forms, chips of all families, and a run of stub systems."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import mho
from builders.resuming import done
from mho.experiments import sensitivity
from mho.experiments.run import Run
from mho.experiments.sensitivity.config import PRESETS, SensitivityConfig, System
from mho.experiments.sensitivity.imperfections import chips, imperfections
from mho.experiments.sensitivity.indices import Design, Indices, design, indices
from mho.experiments.sensitivity.plan import Found, Point, analyse
from mho.experiments.sensitivity.systems import MEASURES
from mho.report.folder import RunFolder

TINY: dict[str, Any] = {
    "processor": "cpu", "chips": 2, "samples": 4, "repeats": 2, "steps": (1.0,), "tile": 32,
    "bmcnn": {"epochs": 1, "per_class": 20, "sweep_per_class": 3, "calibration": 20,
              "architecture": {"channels": [3, 4], "hidden": [6]}},
    "siamese": {"epochs": 1, "per_class": 20, "hidden": 12, "calibration": 20},
    "metaplastic": {"epochs": 1, "per_class": 10, "hidden": [12, 8], "batch": 20, "transfer": 20,
                    "refreshed": 50},
}  # fmt: skip
CELLS = ("hfo2-1t1r", "cmo-hfox", "pcm-gst", "ag-asi", "hfox-stellar", "hfo2-weak-reset",
         "stanford-pku-states")  # fmt: skip
Model = Callable[[np.ndarray], np.ndarray]


def config(**changes: Any) -> SensitivityConfig:
    return PRESETS["quick"].merged(TINY | changes)


def of(model: Model, points: Design, seed: int = 0) -> Indices:
    crossed = np.array([model(points.crossed(i)) for i in range(points.a.shape[1])])
    return indices(model(points.a), model(points.b), crossed, seed)


def ishigami(u: np.ndarray) -> np.ndarray:
    x = math.pi * (2 * u - 1)
    return np.sin(x[:, 0]) * (1 + 0.1 * x[:, 2] ** 4) + 7 * np.sin(x[:, 1]) ** 2


def values(found: list[Any]) -> list[float]:
    return [each.value for each in found]


def test_indices_of_the_ishigami_function() -> None:
    """Closed form: V = a^2 / 8 + b pi^4 / 5 + b^2 pi^8 / 18 + 1 / 2 for a = 7, b = 0.1."""
    a, b = 7.0, 0.1
    alone = (0.5 * (1 + b * math.pi**4 / 5) ** 2, a**2 / 8, 0.0)
    together = 8 * b**2 * math.pi**8 / 225
    variance = sum(alone) + together
    found = of(ishigami, design(1024, 3, seed=1))
    assert found.variance == pytest.approx(variance, rel=0.02)
    total = [alone[0] + together, alone[1], together]
    for index, exact in zip(found.first + found.total, [*alone, *total], strict=True):
        assert index.value == pytest.approx(exact / variance, abs=0.03)
        assert index.low <= exact / variance <= index.high


def test_indices_are_those_of_scipy_on_the_same_sample() -> None:
    uniform = [stats.uniform()] * 3
    theirs = stats.sobol_indices(
        func=lambda x: ishigami(x.T), n=64, dists=uniform, rng=np.random.default_rng(3)
    )
    ours = of(ishigami, design(64, 3, seed=3))
    assert values(ours.first) == pytest.approx(theirs.first_order, rel=1e-9)
    assert values(ours.total) == pytest.approx(theirs.total_order, rel=1e-9)


def test_inputs_that_change_place_take_their_indices_along() -> None:
    points, order = design(32, 3, seed=0), [2, 0, 1]
    moved = Design(points.a[:, order], points.b[:, order])
    plain = of(ishigami, points)
    other = of(lambda u: ishigami(u[:, np.argsort(order)]), moved)
    for here, there in ((other.first, plain.first), (other.total, plain.total)):
        assert np.allclose(here, [there[i] for i in order])  # the intervals too


def test_an_input_without_effect_and_a_model_without_variance() -> None:
    found = of(lambda u: 3 * u[:, 0] + u[:, 2], design(64, 3, seed=0))
    assert found.total[1] == (0.0, 0.0, 0.0)
    assert values(found.total) == pytest.approx([0.9, 0.0, 0.1], abs=0.02)
    flat = of(lambda u: np.full(len(u), 93.0), design(8, 2, seed=0))
    assert flat.variance == 0
    assert values(flat.first + flat.total) == [0, 0, 0, 0]


def systems_of(cell: str) -> tuple[System, ...]:
    two_states = isinstance(mho.devices.get(cell), mho.cells.TwoState)
    return ("bmcnn",) if two_states else ("bmcnn", "siamese", "metaplastic")


def read_off(whole: SensitivityConfig, system: System, hardware: mho.Hardware) -> Any:
    """The imperfections of a device like these chips."""
    preset = mho.physics.Preset(device=hardware.device, retention=hardware.retention)
    return imperfections(whole.replace(cell=preset), system)


@pytest.mark.parametrize("cell", CELLS)
def test_chips_have_what_the_device_has_times_what_is_asked_for(cell: str) -> None:
    whole = config(cell=cell, systems=systems_of(cell))
    for system in whole.systems:
        known = imperfections(whole, system)
        assert known["drift"].given is (mho.devices.preset(cell).retention is not None)
        ideal = chips(whole, system, dict.fromkeys(known, 0.0))
        assert not any(each.given for each in read_off(whole, system, ideal).values())
        assert (ideal.dac_bits, ideal.adc_bits, ideal.wire_resistance) == (None, None, 0.0)
        assert ideal.retention is None
        for times in (1.0, 2.0):
            found = read_off(whole, system, chips(whole, system, dict.fromkeys(known, times)))
            for name in set(known) - {"wires", "converters"}:
                assert found[name].value == pytest.approx(times * known[name].value)
                assert found[name].given


def test_a_device_as_it_is_has_its_own_numbers() -> None:
    whole = config(cell="cmo-hfox")
    given = {name: float(each.given) for name, each in imperfections(whole, "siamese").items()}
    hardware, preset = chips(whole, "siamese", given), mho.devices.preset("cmo-hfox")
    cell, own = hardware.device, preset.device
    assert isinstance(cell, mho.cells.MultiLevel)
    assert isinstance(own, mho.cells.MultiLevel)
    assert cell.sigma == pytest.approx(own.sigma)
    assert cell.replace(sigma=own.sigma) == own
    assert hardware.retention == preset.retention
    pair = chips(config(cell="ag-asi"), "siamese", dict.fromkeys(
        imperfections(config(cell="ag-asi"), "siamese"), 1.0
    )).device.to_dict()  # fmt: skip
    for field in ("nonlinearity", "reset_ratio", "cycle_spread"):
        assert pair[field] == pytest.approx(mho.devices.get("ag-asi").to_dict()[field])


def test_the_device_of_a_file_is_kept_in_the_settings() -> None:
    whole = config(cell=mho.devices.preset("cmo-hfox").to_dict())
    assert SensitivityConfig.from_toml(whole.to_toml()) == whole
    named = config(cell="cmo-hfox")
    for name, each in imperfections(whole, "siamese").items():
        assert each.value == imperfections(named, "siamese")[name].value


def test_converters_take_the_nearest_number_of_bits() -> None:
    known = dict.fromkeys(imperfections(config(), "siamese"), 0.0)
    bits = [
        chips(config(), "siamese", known | {"converters": times}).adc_bits
        for times in (0.001, 0.5, 0.7, 0.71, 1.0, 2.0, 4.0)
    ]
    assert bits == [16, 7, 7, 6, 6, 5, 4]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cell": "hfo2-1t1"}, "did you mean 'hfo2-1t1r'"),
        ({"cell": {"retention": {"family": "power-law"}}}, r"a preset with a table \[device\]"),
        ({"steps": [0.5, 2.0]}, "rising numbers, 1 among them"),
        ({"steps": [2.0, 1.0]}, "rising numbers, 1 among them"),
        ({"samples": 12}, "SensitivityConfig.samples = 12: expected a power of two"),
        ({"systems": []}, "at least one system"),
        ({"mitigation": "expected batch norm"}, "acts on the chips themselves"),
        ({"cell": "pcm-gst", "seconds": 20.0}, "above t0 = 20 s"),
    ],
)
def test_impossible_settings_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        config(**change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"cell": "hfo2-weak-reset"},
            r"'two-state cells of 2 levels': expected .*siamese\.hardware\.full_scale = 2",
        ),
        ({"steps": [1.0, 50.0]}, r"at most 20 times the device spread of hfo2-1t1r, .* = 2\.5"),
    ],
)
def test_what_only_the_whole_tells_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        sensitivity.check(config(**change))
    with pytest.raises(ValueError, match=said):
        sensitivity.run(config(**change), None)  # type: ignore[arg-type]


COSTS = {"write spread": 2.0, "read noise": 1.0, "wires": 0.0}


class Stub:
    """A system that loses points in proportion, breaking off after so many evaluations."""

    def __init__(self, most: int = 10**9) -> None:
        self.most, self.seen = most, 0

    def __call__(self, point: Point) -> float:
        self.seen += 1
        if self.seen > self.most:
            raise InterruptedError
        lost = sum(c * t for c, t in zip(COSTS.values(), point.times, strict=True))
        return 90.0 - lost - 0.1 * point.repeat


def stubbed(folder: Path, stub: Stub, *, resume: bool = False, **changes: Any) -> Found:
    whole = config(**{"samples": 16, "steps": (1.0, 2.0)} | changes)
    return done(
        folder, whole.to_toml(), lambda run: analyse(whole, run, "siamese", [*COSTS], stub),
        resume=resume,
    )  # fmt: skip


def test_a_known_system_gives_what_is_known_of_it(tmp_path: Path) -> None:
    found = stubbed(tmp_path, Stub(), samples=64)
    assert found.ideal == pytest.approx([90.0, 89.9])
    assert found.lost("write spread", 2.0) == pytest.approx([4.0, 4.0])
    assert found.won("read noise") == pytest.approx([1.0, 1.0])
    assert [name for name, _ in found.ranking] == ["write spread", "read noise", "wires"]
    assert values(found.indices.total) == pytest.approx([0.8, 0.2, 0.0], abs=0.05)
    assert found.indices.variance == pytest.approx(5 * 2**2 / 12, rel=0.1)
    assert found.floor == pytest.approx(0.005 / found.indices.variance)


def test_a_broken_analysis_goes_on_to_the_same_result(tmp_path: Path) -> None:
    whole = stubbed(tmp_path / "one", first := Stub())
    with pytest.raises(InterruptedError):
        stubbed(tmp_path / "two", Stub(most=50))
    rest = Stub()
    assert stubbed(tmp_path / "two", rest, resume=True) == whole
    assert rest.seen == first.seen - 50


@pytest.mark.parametrize("system", MEASURES)
def test_a_system_is_the_same_in_every_run_and_suffers_from_drift(
    system: System, tmp_path: Path
) -> None:
    whole = config(assumed={"drift": 0.4})
    none = dict.fromkeys(imperfections(whole, system), 0.0)

    def work(run: Run) -> list[float]:
        measure = MEASURES[system](whole, run)
        kinds = [chips(whole, system, none | {"drift": times}) for times in (0.0, 0.0, 1.0)]
        return [run.once(str(k), lambda c=c: measure(c, 0)) for k, c in enumerate(kinds)]

    first, again, drifted = done(tmp_path, whole.to_toml(), work)
    assert first == again
    assert drifted != first


def test_chips_are_the_same_however_many_are_made_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = config(chips=7, assumed={"drift": 0.4})
    kind = chips(whole, "bmcnn", dict.fromkeys(imperfections(whole, "bmcnn"), 1.0))

    in_chunks = mho.in_chunks

    def measured(run: Run) -> list[float]:
        measure = MEASURES["bmcnn"](whole, run)

        def at_most(most: int) -> float:
            limited = lambda *a, **k: in_chunks(*a, **k | {"most": most})  # noqa: E731
            monkeypatch.setattr(mho, "in_chunks", limited)
            return measure(kind, 0)

        return [at_most(most) for most in (1, 3, 7)]

    found = done(tmp_path, whole.to_toml(), measured)
    assert found[0] == found[1] == found[2]


def test_a_run_says_where_to_spend(tmp_path: Path) -> None:
    whole = config(systems=("bmcnn",), cell="two-state-10k-100k")
    result = done(tmp_path, whole.to_toml(), lambda run: sensitivity.run(whole, run))
    assert [c.id for c in result.claims] == [
        f"bmcnn_{what}" for what in ("ideal", "device", "index", "lost", "won")
    ]
    (panel,) = result.rankings[0].panels
    ranked = [row.value for row in panel.rows]
    assert ranked == sorted(ranked, reverse=True)
    assert {row.name for row in panel.rows} == set(imperfections(whole, "bmcnn"))
    ranges = {row[0]: row for row in result.tables[0].rows}
    assert ranges["device spread"][2] == "6 %"  # 10 % of R_ON, 2 % of R_OFF
    assert ranges["device spread"][4] == "the device's preset"
    assert ranges["wires"][2:] == ("1 ohm", "1 ohm", "assumed here")
    run = Run(tmp_path, whole.to_toml(), resume=True, title="sensitivity")
    run.finish(result)
    run.close()
    assert RunFolder.read(tmp_path).result.figures[0].id == "where_to_spend"
