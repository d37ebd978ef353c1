"""The programs in examples/ run, and their README shows what their committed results say."""

import importlib
import json
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES, RESULTS = ROOT / "examples", ROOT / "results" / "examples"


@pytest.fixture(autouse=True)
def _beside_the_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small colour images, 10 classes."""
    random, path = np.random.default_rng(0), tmp_path_factory.mktemp("data") / "images.npz"
    arrays = {}
    for part, n in (("train", 200), ("test", 20)):
        arrays[f"{part}_x"] = random.integers(256, size=(n, 3, 16, 16), dtype=np.uint8)
        arrays[f"{part}_y"] = np.arange(n) % 10
    np.savez(path, **arrays)
    return path


def run(monkeypatch: pytest.MonkeyPatch, program: str, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", [f"examples/{program}.py", *map(str, arguments)])
    runpy.run_path(str(EXAMPLES / f"{program}.py"), run_name="__main__")


@pytest.mark.filterwarnings("ignore:.*saturate")
@pytest.mark.parametrize("network", ["resnet8-separable", "lstm", "vit"])
def test_quick_runs_say_all_that_a_result_says(
    network: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--quick", "--test", "--out", tmp_path / "out", "--work", tmp_path / "work"]
    if network.startswith("resnet"):
        options += [network, "--data", images, "--label", "colours"]
    run(monkeypatch, network.partition("8")[0], *options)
    result = json.loads((tmp_path / "out" / f"{network}.json").read_text())
    assert result["data"] == ("colours" if network.startswith("resnet") else "Fashion-MNIST")
    (found,) = result["found"]
    assert [(row["training"], row["repair"]) for row in found["on chips"]] == [
        (training, repair) for training in ("float", "noise-aware")
        for repair in ("none", "label-free")
    ]  # fmt: skip
    for row in found["on chips"]:
        assert np.shape(row["accuracy (times, chips)"]) == (3, 2)
    assert found["share of the multiplications on arrays"] > 0.9
    text = (tmp_path / "out" / f"{network}.txt").read_text()
    assert text.count("noise-aware  ") >= 2
    trained = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "work").iterdir()}
    assert {f"{network}-0-start.pt", f"{network}-0-float.pt"} < set(trained)


@pytest.mark.filterwarnings("ignore:.*saturate")
def test_what_is_lost_is_told_imperfection_by_imperfection(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--epochs", 1, "--training", 4, "--per-class", 1, "--work", tmp_path]
    run(monkeypatch, "losses", *options, "--data", images, "--out", tmp_path)
    text = (tmp_path / "losses.txt").read_text()
    rows = {line[:38].strip(): line[38:].split() for line in text.splitlines()}
    off = {name: [float(e.rstrip("%")) for e in row[:2]] for name, row in rows.items()
           if len(row) == 8}  # fmt: skip
    every, *others, alone = off
    assert (every, alone) == ("all", "converters alone")
    assert off["without converters"] == off["all"]
    for name in set(others) - {"without converters", "without spread of drift"}:
        assert off[name][0] < off["all"][0], name
    assert off["without spread of drift"][1] < off["all"][1]
    assert off["all"][0] < off["all"][1]


def test_what_repairs_are_given_is_of_all_classes_of_a_sorted_data_set() -> None:
    drawn = importlib.import_module("chips_over_time").drawn
    samples = torch.arange(2000).div(200, rounding_mode="floor")
    counts = drawn(samples, 100, seed=0).bincount(minlength=10)
    assert counts.sum() == 100
    assert counts.min() > 0
    assert drawn(samples, 5000, seed=1).bincount().equal(torch.full((10,), 200))


def test_trainings_go_on_where_they_were_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = importlib.import_module("chips_over_time")
    plan = shared.quick(importlib.import_module("lstm").PLAN)
    x, y = torch.rand(64, 28, 28), torch.arange(64) % 10
    kept = {"training": (x, y), "plan": plan, "seed": 0,
            "progress": shared.Progress("test", shown=False)}  # fmt: skip

    def fresh() -> torch.nn.Module:
        torch.manual_seed(0)
        return shared.mho.noise_aware(plan.network(), plan.hardware(plan.kinds[0]))

    whole, parts = fresh(), fresh()
    shared.train(whole, "whole", 3, 1e-2, file=tmp_path / "whole.pt", **kept)

    class Killed(Exception):
        """What ends a training after its second epoch."""

    replace, saved = shared.os.replace, []

    def once_more(source: Path, target: Path) -> None:
        replace(source, target)
        saved.append(target)
        if len(saved) == 2:
            raise Killed

    monkeypatch.setattr(shared.os, "replace", once_more)
    with pytest.raises(Killed):
        shared.train(parts, "parts", 3, 1e-2, file=tmp_path / "parts.pt", **kept)
    resumed = fresh()
    shared.train(resumed, "parts", 3, 1e-2, file=tmp_path / "parts.pt", **kept)
    assert len(saved) == 3
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name


def test_the_readme_shows_the_committed_results() -> None:
    table = importlib.import_module("table")
    text = table.README.read_text(encoding="utf-8")
    assert table.readme(text) == text


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda p: p.stem)
def test_committed_results_say_how_they_were_made(path: Path) -> None:
    result = json.loads(path.read_text(encoding="utf-8"))
    assert result["command"].startswith("python examples/")
    assert "--test" in result["command"]
    assert re.fullmatch(r"[0-9a-f]{40}\+?", result["commit"])
    assert re.fullmatch(r"[0-9a-f]{64}", result["SHA-256 of the data"])
    assert {"versions", "seeds", "date", "threads", "epochs", "samples"} <= set(result)
    assert result["measured on"] == "test"
    shared = importlib.import_module("chips_over_time")
    assert path.with_suffix(".txt").read_text(encoding="utf-8") == shared.as_text(result)
