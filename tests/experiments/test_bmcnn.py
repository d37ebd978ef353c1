"""Write once: the family of networks, mitigations that compose, figures that say what was run."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import mho
from mho import experiments
from mho.experiments import run as run_module
from mho.experiments.bmcnn import points as points_module
from mho.experiments.bmcnn.config import (
    PRESETS,
    Architecture,
    BmcnnConfig,
    Cells,
    Spreads,
    StudySettings,
)
from mho.experiments.bmcnn.mitigation import PARTS, Known, effort, mitigation
from mho.experiments.bmcnn.network import TRAININGS, by_layer, network, on_arrays
from mho.experiments.bmcnn.points import Bench, Point
from mho.experiments.bmcnn.studies import STUDY, compared, variants
from mho.experiments.run import Run
from mho.learning import in_chunks as in_chunks_module
from mho.report.folder import RunFolder
from mho.results import Result

SMALL = Architecture(channels=(3, 4), hidden=(6,))


@pytest.mark.parametrize("architecture", variants(SMALL).values(), ids=variants(SMALL).keys())
@pytest.mark.parametrize("pool", [False, True])
def test_every_architecture_classifies(architecture: Architecture, pool: bool) -> None:
    architecture = architecture.replace(pool=pool)
    net = network(architecture, mho.data.dataset("mnist")).eval()
    assert net(torch.rand(5, 1, 28, 28)).shape == (5, 10)
    names = [n for n, m in net.named_children() if on_arrays(architecture, net)(n, m)]
    if architecture.network == "mlp":
        assert names == ["dense1", "dense2", "output"]
    elif architecture.classifier == "binary":
        assert names == ["conv1", "conv2", "dense1", "output"]
    else:
        assert names == ["conv1", "conv2"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"architecture": {"kernel": 4}}, r"Architecture\.kernel = 4: expected an odd number"),
        ({"architecture": {"hidden": []}}, r"Architecture\.hidden"),
        ({"architecture": {"bits": 1}}, r"Architecture\.bits = 1"),
        ({"spread": {"claimed": [0.3]}}, r"Spreads\.claimed"),
        ({"spread": {"compared": []}}, r"Spreads\.compared"),
        ({"spread": {"compared": [0.0, 0.5, 0.5, 1.0]}}, "each value once"),
        (
            {"spread": {"compared": [0.5, 0.501], "claimed": [0.5, 0.501]}},
            "different whole percents",
        ),
        ({"spread": {"maps": [0.0]}}, r"Spreads\.maps"),
        ({"further": ["none"]}, "each name once"),
        ({"further": ["65 copies"]}, r"Hardware\.copies = 65"),
        ({"architecture": {"classifier": "binary"}}, "architecture.classifier is 'binary'"),
        ({"per_class": 10, "batch": 99}, r"BmcnnConfig\.batch = 99"),
        ({"calibration": 0}, r"BmcnnConfig\.calibration"),
        ({"spread": {"compared": [-0.1]}}, r"Spreads\.compared"),
        ({"cells": {"r_on": 1e6}}, "below r_off.mean"),
        ({"mitigations": []}, r"BmcnnConfig\.mitigations"),
        ({"mitigations": ["batch nrm"]}, "did you mean 'batch norm'"),
        ({"further": ["layer + layer"]}, "each part once"),
        ({"further": ["2 copies + 3 copies"]}, "each part once"),
        ({"studies": ["map"]}, r"BmcnnConfig\.studies"),
    ],
)
def test_impossible_settings_are_refused(change: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PRESETS["quick"].merged(change)


def test_the_name_of_a_mitigation_is_its_parts() -> None:
    choice = mitigation("placement + 3 copies + column moments + labels")
    assert choice.parts == ("placement", "3 copies", "column moments", "labels")
    assert choice.copies == 3
    assert not choice.label_free
    assert choice.measures
    hardware = choice.hardware(Cells().hardware(0.5, 0.5))
    assert hardware.copies == 3
    assert hardware.placement == mho.Placement()
    free = mitigation("expected batch norm + gain")
    assert free.label_free
    assert not free.measures


def mapped(hardware: mho.Hardware) -> tuple[nn.Module, Known]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = network(SMALL, mho.data.dataset("mnist")).eval()
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(40, 1, 28, 28, generator=generator)
    labels = torch.randint(10, (40,), generator=generator)
    known = Known(x, labels, torch.full((40, 10), 0.1), None, 0.1, 20)
    chips = mho.convert(net, by_layer(SMALL, net, hardware), 3, generator=generator)
    return chips.eval(), known


@pytest.mark.parametrize("name", [name for name, part in PARTS.items() if part.act])
def test_no_repair_writes_a_cell(name: str) -> None:
    chips, known = mapped(Cells().hardware(0.5, 0.5))
    with torch.no_grad():
        before, after = chips(known.inputs), None
        mitigation(name).apply(chips, known)
        after = chips(known.inputs)
    assert not torch.allclose(before, after)
    counts = mho.ledger(chips)
    assert counts.totals()["writes"] == counts.totals()["cells"]
    assert counts.totals()["verify_reads"] == counts.totals()["cells"]


def test_the_effort_counts_what_a_mitigation_stores() -> None:
    hardware = Cells().hardware(0.5, 0.5)

    def of(name: str) -> dict[str, float]:
        choice = mitigation(name)
        chips, known = mapped(choice.hardware(hardware))
        choice.apply(chips, known)
        return vars(effort(choice, chips, 40))

    assert of("none") == {"images": 0, "operations": 0, "stored": 0, "writes": 1.0, "cells": 1}
    assert of("gain")["images"] == 0
    assert of("layer")["stored"] == 4
    assert of("column")["stored"] == 2 * (3 + 4)
    assert of("batch norm")["stored"] == 2 * (3 + 4 + 6)
    assert of("batch norm + labels")["stored"] == 2 * (3 + 4 + 6) + 10 * 7
    assert of("layer")["images"] == 40
    assert of("layer")["operations"] > of("batch norm")["operations"] > 0
    assert of("placement")["writes"] > 2
    assert of("2 copies + batch norm")["cells"] == 2


@pytest.mark.parametrize("preset", PRESETS)
def test_points_of_a_study_differ_in_name(preset: str) -> None:
    config = PRESETS[preset]
    for points in (
        compared(config, 0),
        compared(config, 1),
        *([at.job for at in s.points.values()] for of in STUDY.values() for s in of(config)),
    ):
        names = [point.name for point in points]
        assert len(set(names)) == len(names)
        assert len(points) > 0


def test_the_descendants_convention_is_normal_and_clamped_at_one_ohm() -> None:
    config = BmcnnConfig()
    pair = Cells(r_on=200.0, r_off=500.0)
    device = pair.hardware(0.5, 0.4, shape="clamped").device
    for state, cov in ((device.r_on, 0.5), (device.r_off, 0.4)):
        assert state.device.distribution == "normal"
        assert state.device.cov == cov
        assert state.mean * state.device.lower == pytest.approx(1.0)
    own = config.cells.hardware(0.5, 0.4).device
    assert own.r_on.device.distribution == "truncated-normal"
    assert own.r_off.device.distribution == "lognormal"
    pairs = [at.job for study in STUDY["pairs"](config) for at in study.points.values()]
    assert all(
        p.cov_off * p.r_off == pytest.approx(2 * p.cov_on * p.r_on) and p.shape == "clamped"
        for p in pairs
    )


TINY = PRESETS["quick"].replace(
    architecture=SMALL, chips=2, processor="cpu", per_class=60, test_per_class=3, sweep_per_class=2,
    study=StudySettings(epochs=1, per_class=1), epochs=1,
    spread=Spreads(compared=(0.0, 0.5), claimed=(0.5,)), calibration=30, studies=(),
    further=(), mitigations=("none", "batch norm"),
)  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"mitigation": "batch norm + distilled", "training": "aware"},
        {"mitigation": "column + labels", "converter_bits": 5},
        {"mitigation": "placement + 2 copies + expected batch norm + gain", "stuck": 0.02},
        {"mitigation": "layer moments + batch norm", "wire_resistance": 2.0, "tile": 32},
    ],
    ids=str,
)
def test_chips_are_the_same_however_many_are_made_at_a_time(
    changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TINY.replace(chips=7, calibration=40)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        nets = {kind: network(SMALL, mho.data.dataset("mnist")).eval() for kind in TRAININGS}
    images = mho.data.load("mnist", "validation", per_class=3)
    point = Point(**{"training": "plain", "cov_on": 0.3, "cov_off": 0.6, **changes})
    made: list[int] = []
    in_chunks, found = mho.in_chunks, []

    for most in (1, 3, 7):

        def chunks(*args: Any, _most: int = most, **named: Any) -> Iterator[nn.Module]:
            for net in in_chunks(*args, **named | {"most": _most}):
                made.append(net.chips)
                yield net

        monkeypatch.setattr(mho, "in_chunks", chunks)
        run = Run(tmp_path / str(most), config.to_toml(), resume=False, title="test")
        bench = Bench(config, run, 0, SMALL, nets)
        found.append((bench.accuracy(point, images), bench.confusion(point, images)))
        run.close()
    assert made == [*[1] * 14, 3, 3, 1, 3, 3, 1, 7, 7]
    assert found[0] == found[1] == found[2]
    assert len(set(found[0][0])) > 1


def test_formats_are_common_to_as_many_chips_as_are_ever_made_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    architecture = SMALL.replace(classifier="fixed")
    config = TINY.replace(chips=5, architecture=architecture)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        nets = {"plain": network(architecture, mho.data.dataset("mnist")).eval()}
    monkeypatch.setattr(points_module, "MOST_AT_ONCE", 2)
    monkeypatch.setattr(in_chunks_module, "unused", lambda _device: 1)
    run = Run(tmp_path / "run", config.to_toml(), resume=False, title="test")
    bench = Bench(config, run, 0, architecture, nets)
    point = Point("plain", "batch norm", 0.3, 0.6)
    assert [net.chips for net in bench.chips(point)] == [2, 2, 1]
    assert bench.formats(point) == mho.formats(next(bench.chips(point)))
    run.close()


def finished(config: BmcnnConfig, folder: Path) -> Result:
    run = Run(folder, config.to_toml(), resume=True, title="test")
    try:
        result = experiments.get("bmcnn").run(config, run)
        run.finish(result)
    finally:
        run.close()
    read = RunFolder.read(folder).result
    assert replace(read, wall_s=None) == result
    return result


@pytest.mark.parametrize(
    "change",
    [
        {"chips": 1, "mitigations": ("none", "batch norm + labels"), "further": ("gain",)},
        {"architecture": SMALL.replace(classifier="binary", activation="sign")},
        {"architecture": SMALL.replace(classifier="fixed"), "further": ("distilled",)},
        {"architecture": SMALL.replace(network="mlp"), "trainings": 2},
        {"architecture": SMALL.replace(stochastic=True, pool=True)},
        {"mitigations": ("none",), "spread": Spreads(compared=(0.5,), claimed=(0.5,))},
    ],
    ids=["one chip", "binary", "fixed", "mlp", "stochastic", "one mitigation"],
)
def test_every_setting_runs_to_a_result_that_the_report_reads(
    change: dict[str, Any], tmp_path: Path
) -> None:
    result = finished(TINY.replace(**change), tmp_path)
    claims = {c.id: c for c in result.claims}
    chips = change.get("chips", TINY.chips) * change.get("trainings", 1)
    assert claims["cov50_best_accuracy"].n == chips
    worst, best = claims["cov50_worst_chip"].ours, claims["cov50_best_accuracy"].ours
    assert worst is not None
    assert best is not None
    assert worst <= best


def test_a_broken_run_resumes_to_the_result_of_an_unbroken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TINY.replace(studies=("stuck",))
    whole = finished(config, tmp_path / "whole")
    monkeypatch.setattr(run_module, "SAVE_EVERY", 0.0)
    accuracy, calls = Bench.accuracy, []

    def dying(self: Bench, point: Point, samples: Any) -> list[float]:
        calls.append(point)
        if len(calls) in (3, 9):
            raise KeyboardInterrupt
        return accuracy(self, point, samples)

    monkeypatch.setattr(Bench, "accuracy", dying)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            finished(config, tmp_path / "broken")
    assert finished(config, tmp_path / "broken") == whole
    lines = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "broken")]
    assert lines[0] == lines[1]
