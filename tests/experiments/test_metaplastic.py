"""Write for life: its schemes, its studies, and what is read off a training."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

import mho
from builders.few_images import measure_on_few
from builders.resuming import done, unbroken_and_resumed
from mho.experiments.metaplastic import MetaplasticConfig, measures, studies
from mho.experiments.metaplastic.network import chips, network, perfect
from mho.experiments.metaplastic.phases import Mixed, phases
from mho.experiments.metaplastic.schemes import SCHEMES, HiddenOnly, Rules
from mho.experiments.metaplastic.training import Job, learn
from mho.experiments.study import Point
from mho.learning.layers.layer import memristive_layers

TINY: dict[str, Any] = {
    "per_class": 20, "hidden": (16, 12), "cnn": {"channels": (2, 3), "dense": 8},
    "processor": "cpu", "batch": 20, "transfer": 20, "rules": {"fisher": 10}, "refreshed": 100,
    "permuted": {"tasks": 3}, "study": {"parts": 3},
}  # fmt: skip
TASKS = mho.data.sequential(("mnist", "fashion-mnist"))


def config(**changes: Any) -> MetaplasticConfig:
    return MetaplasticConfig().replace(**(TINY | changes))


def of(name: Any, config: MetaplasticConfig) -> dict[str, Point[Job]]:
    """The points of a study."""
    (study,) = studies.STUDY[name](config)
    return dict(study.points)


def learnt(folder: Path, job: Job) -> Any:
    return done(folder, job.config.to_toml(), lambda run: learn(run, job))


# ------------------------------------------------------------------ settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schemes": ("EWG",)}, "did you mean 'EWC'"),
        ({"schemes": ("SI", "SI")}, "each name once"),
        ({"tasks": ("mnist", "mnist")}, "each name once"),
        ({"studies": ("leves",)}, "levels"),
        ({"transfer": 30}, "a multiple of the 20 images of a batch"),
        ({"share": 0.0}, r"share = 0\.0: expected a finite number in \[1e-06, 1\]"),
        ({"rules": {"hidden_bits": 17}}, r"\[2, 16\]"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config(**changes)


def test_the_software_baseline_holds_each_level_exactly() -> None:
    for name in ("ag-asi", "two-state-10k-100k", "hfo2-1t1r"):
        cell = mho.devices.get(name)
        device = perfect(mho.Hardware(device=cell)).device
        assert not device.remembers
        assert (device.window, device.states) == (cell.window, cell.states)
        assert all(each.value == 0 for each in device.imperfections().values())


def test_a_point_of_a_study_changes_what_it_names_and_nothing_else() -> None:
    whole = config()
    plain = of("gates", whole)["0.5"].job
    assert plain.config == whole.replace(epochs=whole.study.epochs)
    setting = {"m": "rules.m", "gates": "share", "period": "transfer",
               "precision": "rules.hidden_bits"}  # fmt: skip
    for study, changed in setting.items():
        for name, (job, x, _) in of(study, whole).items():
            assert x == float(name)
            found = {key: value for key, value, _ in job.config.settings()}
            standard = {key: value for key, value, _ in plain.config.settings()}
            assert {key for key in found if found[key] != standard[key]} <= {changed}
            assert (
                found[changed] == "none" if name == "32" else float(found[changed]) == float(name)
            )
    for name, (job, x, what) in of("imperfections", whole).items():
        if x is not None:
            value = name.removeprefix(f"{what}, ")
            device = job.config.hardware.device
            low, high = device.window
            assert job.config.replace(hardware=whole.hardware) == plain.config
            assert {
                "write spread": device.sigma[0] / (high - low),
                "read noise": device.read_noise,
                "stuck cells": device.stuck_on + device.stuck_off,
            }[what] == pytest.approx(float(value))
            assert job.config.hardware.writing.verifies is (what != "write spread")
    for name, (job, _, _) in of("levels", whole).items():
        assert job.config.hardware.device.states == int(name)
    fewer = of("m", MetaplasticConfig())["0"].job.config
    assert (fewer.per_class, fewer.rules.m) == (1000, 0.0)


# ------------------------------------------------------------------ training


def test_the_last_layer_is_neither_gated_nor_bounded() -> None:
    tasks = mho.data.sequential(["mnist"])
    for name in ("mlp", "cnn"):
        layers = list(network(config(), name, SCHEMES["no protection"], tasks))  # type: ignore[arg-type]
        assert isinstance(layers[-1], torch.nn.BatchNorm1d)
        gates = [layer for layer in layers if isinstance(layer, mho.nn.Gate)]
        assert len(gates) == {"mlp": 2, "cnn": 3}[name]


def test_the_software_baseline_has_no_imperfection() -> None:
    ideal = perfect(config().hardware)
    model = torch.nn.Linear(4, 3, bias=False)
    net = mho.convert(model, ideal)
    layer = next(iter(memristive_layers(net).values()))
    levels = torch.linspace(-layer.full_scale, layer.full_scale, ideal.levels)
    off = (layer.effective.flatten().unsqueeze(1) - levels).abs().amin(1)
    assert off.max() < 1e-5
    x = torch.rand(5, 4)
    assert torch.equal(net(x), net(x))


def test_phases_follow_one_another() -> None:
    one_by_one = phases(config(epochs=3), TASKS, joint=False)
    assert [(p.start, p.end, p.epoch) for p in one_by_one] == [(0, 30, 10), (30, 60, 10)]
    assert one_by_one[1].ends_epoch(39)
    assert not one_by_one[1].ends_epoch(38)
    (at_once,) = phases(config(epochs=3), TASKS, joint=True)
    assert (at_once.start, at_once.end, at_once.epoch) == (0, 60, 20)
    feed = at_once.feed(config(), 7, torch.device("cpu"))
    x, y = feed.at(19)
    assert len(x) == len(y) == 20
    other = one_by_one[0].feed(config(), 7, torch.device("cpu"))
    assert isinstance(other, Mixed)
    seen = torch.cat([other.at(k)[0] for k in range(10)]).flatten(1)
    images = TASKS[0].load("train", per_class=20).flat
    assert torch.equal(seen.sum(1).sort().values, images.sum(1).sort().values), "each image once"


@pytest.mark.parametrize(
    ("per_class", "scheme"), [(10, "no protection"), (10, "joint training"), (101, "no protection")]
)
def test_odd_numbers_of_images_leave_no_batch_of_one(
    per_class: int, scheme: str, tmp_path: Path
) -> None:
    """100 images in batches of 33, three tasks at once; refreshed from a thousand and one."""
    whole = config(epochs=1, per_class=per_class, batch=33, transfer=33, refreshed=1001)
    tasks = mho.data.permuted("mnist", 3, seed=1)
    feed = phases(whole, tasks[:1], joint=False)[0].feed(whole, 0, torch.device("cpu"))
    assert len(feed.at(per_class * 10 // 33)[0]) > 1
    outcome = learnt(tmp_path, Job(scheme, tasks, whole))
    assert len(outcome["held_out"]["told"]) == 3


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_scheme_resumes_to_the_same_numbers(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken off in the second task, with all that is kept of the first to bring back; one of them
    with few bits and on cells that time changes."""
    whole = config(epochs=2)
    if scheme == "path importance with gates":
        hardware = whole.hardware.over_time(mho.devices.preset("pcm-gst"))
        rules = whole.rules.replace(hidden_bits=12)
        whole = whole.replace(rules=rules, hardware=hardware, pause=100.0)
    job = Job(scheme, TASKS, whole, tested=True)
    measure_on_few(monkeypatch, 20)
    unbroken, resumed = unbroken_and_resumed(tmp_path, whole.to_toml(), lambda run: learn(run, job))
    assert resumed == unbroken
    assert len(unbroken["test"]["told"]) == len(TASKS)
    assert all(0 <= value <= 100 for column in unbroken["test"].values() for value in column)


def test_gates_and_states_keep_the_first_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure_on_few(monkeypatch, 100)
    whole = config(epochs=6, per_class=100, hidden=(48, 48), refreshed=1000)
    gated, none = (
        learnt(tmp_path / name, Job(name, TASKS, whole))
        for name in ("path importance with gates", "no protection")
    )
    kept = [o["held_out"]["told"][0] - measures.matrix(o)[0][0] for o in (gated, none)]
    assert kept[0] > -3 > kept[1], "points lost on the first task while learning the second"
    assert gated["held_out"]["told"][1] > 60
    assert min(gated["held_out"]["right"]) > 90, "an image says which task it is from"
    assert gated["held_out"]["recognized"] == pytest.approx(gated["held_out"]["told"], abs=6)
    _, _, _, backward, _, forgetting = measures.summary(gated)
    assert backward == pytest.approx(kept[0], abs=1)  # each read is noisy
    assert forgetting == pytest.approx(-backward)


@pytest.mark.parametrize("scheme", ["interval rule with SGD", "interval rule with SGD and gates"])
def test_a_synapse_stores_its_hidden_weight_alone(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure_on_few(monkeypatch, 100)
    whole = config(epochs=6, per_class=100, hidden=(48, 48), refreshed=1000)
    outcomes = [
        learnt(tmp_path / name, Job(name, TASKS, whole)) for name in (scheme, "no protection")
    ]
    hidden, none = (o["held_out"]["told"][0] - measures.matrix(o)[0][0] for o in outcomes)
    assert hidden > none, "points lost on the first task while learning the second"
    own, other = (measures.memory(o) for o in outcomes)
    assert outcomes[0]["stored"] == []
    assert own.rule == 0
    assert (own.hidden, own.tasks) == (other.hidden, other.tasks)
    assert outcomes[0]["states"] == 3, "of nine that a cell has, for five values of a weight"
    assert own.cells == pytest.approx(outcomes[0]["cells"] * math.log2(3))


def test_initial_weights_of_the_hidden_schemes_are_shares_of_the_full_scale() -> None:
    for spread in (0.2, 1.0):
        own = HiddenOnly(spread=spread)
        whole = config(rules=Rules(hidden_only=own), hidden=(256, 256))
        scheme = SCHEMES["interval rule with SGD"]
        net = network(whole, "mlp", scheme, TASKS)
        converted = mho.convert(net, chips(whole.hardware, scheme, whole.rules))
        for layer in memristive_layers(converted).values():
            assert layer.full_scale == pytest.approx(1, abs=0.05)
            assert layer.weight.abs().max().item() == pytest.approx(spread, rel=0.01)


def test_cells_are_written_every_k_images(tmp_path: Path) -> None:
    whole = config(epochs=2, per_class=50)
    often, seldom = (
        learnt(tmp_path / str(k), Job("no protection", TASKS[:1], whole.replace(transfer=k)))
        for k in (20, 200)
    )
    assert seldom["mean_writes"] < often["mean_writes"]
    assert seldom["max_writes"] <= 1 + 50 * 10 * 2 // 200


def test_a_stream_is_measured_on_the_whole_data_set(tmp_path: Path) -> None:
    whole = config(study={"epochs": 1, "parts": 3})
    jobs = {name: point.job for name, point in of("stream", whole).items()}
    outcome = learnt(tmp_path, jobs["path importance"])
    assert len(set(outcome["held_out"]["told"])) == 1
    rows = measures.matrix(outcome)
    assert [[not math.isnan(v) for v in row] for row in rows] == torch.eye(3).bool().tolist()
    assert rows[-1][-1] == pytest.approx(outcome["held_out"]["told"][-1], abs=2)
    assert jobs["at once"].tasks == mho.data.sequential(("fashion-mnist",))


# ------------------------------------------------------------------ memory


def test_memory_is_counted_bit_by_bit() -> None:
    outcome = {
        "weights": 668_672, "cells": 1_337_344, "tasks": ["a", "b"], "values_for_tasks": 100,
        "stored": ["path", "importance", "anchor"], "states": 9, "in_turn": True,
        "max_pulses": 500, "endurance_used": 5e-4,
    }  # fmt: skip
    ours = measures.memory(outcome)
    assert ours.cells == pytest.approx(1_337_344 * math.log2(9))
    assert (ours.hidden, ours.rule, ours.tasks) == (668_672 * 16, 3 * 668_672 * 16, 1600)
    theirs = measures.reference(tasks=2)
    assert theirs.cells == 20_029_440
    assert theirs.cells / outcome["cells"] == pytest.approx(14.977, abs=1e-3)
    assert theirs.total == theirs.cells + theirs.hidden + theirs.tasks
    assert measures.tasks_to_first_death(outcome) == pytest.approx(1e6 * 2 / 500)
    assert measures.tasks_to_first_death(outcome | {"endurance_used": 0.0}) is None
    assert measures.tasks_to_first_death(outcome | {"in_turn": False}) is None
