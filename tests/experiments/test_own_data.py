"""The systems on users' own data: what fits is learnt, what does not is refused at once."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mho
from builders.own_data import SHAPES, arrays, folder, npz
from mho import experiments
from mho.cli import main
from mho.data import dataset, load
from mho.experiments.own_data import check_data
from mho.experiments.rehearsal import Rehearsal
from mho.results import Result

MLP: dict[str, dict[str, Any]] = {
    "siamese": {"networks": ("mlp",)},
    "bmcnn": {"architecture": {"network": "mlp", "hidden": (8,)}, "studies": ("alone",)},
    "metaplastic": {"studies": ("precision", "stream"), "permuted": {"tasks": 2}},
}
"""Settings of each system for samples of any shape."""
CNN: dict[str, dict[str, Any]] = {
    "siamese": {"networks": ("mlp", "cnn"), "studies": ()},
    "bmcnn": {"studies": ("networks",)},
    "metaplastic": {"studies": ("convolution", "split"), "permuted": {"tasks": 0}},
}
"""Settings with all convolutions."""


def on(system: str, data: str, changes: dict[str, Any]) -> Any:
    """Settings of a run in small of a system on data."""
    if system == "metaplastic":
        changes = {**changes, "tasks": (data,)}
        changes["permuted"] = {"data": data, **changes.get("permuted", {})}
        changes["study"] = {"split": data}
    else:
        changes = {**changes, "data": data}
    return experiments.get(system).preset("quick").merged(changes)


def rehearsed(system: str, config: Any) -> Result:
    """Check the settings, then run in small on the data themselves."""
    experiments.get(system).check(config)
    small = config.in_small()
    check_data(small)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of so few samples ranges are not known well
        found = experiments.get(system).run(small, Rehearsal())
    assert isinstance(found, Result)
    return found


@pytest.mark.parametrize(
    ("system", "shape", "classes"),
    [("siamese", "vectors", 2), ("siamese", "sequences", 5), ("bmcnn", "vectors", 5),
     ("bmcnn", "volumes", 2), ("metaplastic", "sequences", 4), ("metaplastic", "vectors", 7)],
)  # fmt: skip
def test_perceptrons_learn_samples_of_any_shape(
    tmp_path: Path, system: str, shape: str, classes: int
) -> None:
    path = npz(tmp_path / "own.npz", SHAPES[shape], classes, each=40)
    result = rehearsed(system, on(system, str(path), MLP[system]))
    assert "mnist" not in result.summary.lower()
    assert "own.npz" in result.summary


@pytest.mark.parametrize(
    ("system", "shape", "classes"),
    [("siamese", (3, 32, 32), 12), ("siamese", (2, 13, 18), 2), ("bmcnn", (3, 32, 32), 2),
     ("bmcnn", (1, 5, 9), 3), ("metaplastic", (3, 32, 32), 12), ("metaplastic", (1, 16, 21), 2)],
)  # fmt: skip
def test_convolutions_learn_images_of_any_size(
    tmp_path: Path, system: str, shape: tuple[int, int, int], classes: int
) -> None:
    path = npz(tmp_path / "own.npz", shape, classes, each=40, floating=False)
    rehearsed(system, on(system, str(path), CNN[system]))


def test_a_folder_of_images_is_learnt(tmp_path: Path) -> None:
    path = folder(tmp_path, (3, 12, 12), 3, each=40)
    result = rehearsed("siamese", on("siamese", str(path), CNN["siamese"]))
    assert result.claims


@pytest.mark.parametrize("system", ["wires", "sensitivity"])
def test_the_systems_within_another_experiment(tmp_path: Path, system: str) -> None:
    path = str(npz(tmp_path / "own.npz", (1, 16, 16), 4, each=40))
    config = experiments.get(system).preset("quick").merged({
        "siamese": {"data": path}, "bmcnn": {"data": path}, "metaplastic": {"tasks": (path,)},
    })  # fmt: skip
    assert config.datasets == (path,)
    small = config.in_small()
    check_data(small)
    experiment = experiments.get(system)
    warnings.simplefilter("ignore")
    (experiment.trial or experiment.run)(small, Rehearsal())


def test_what_is_learnt_is_learnt_well(tmp_path: Path) -> None:
    path = str(npz(tmp_path / "own.npz", (20,), 3, each=100))
    config = on("siamese", path, MLP["siamese"]).replace(
        hidden=16, epochs=15, schemes=(), studies=(), chips=1
    )
    warnings.simplefilter("ignore")
    claims = {c.id: c for c in experiments.get("siamese").run(config, Rehearsal()).claims}
    assert (claims["mlp_float_accuracy"].ours or 0) > 90
    assert (claims["mlp_accuracy"].ours or 0) > 80


@pytest.mark.parametrize(
    ("system", "shape", "changes", "message"),
    [
        ("siamese", (20,), {"networks": ("mlp", "cnn")}, r"\(20,\): .* 12 x 12 .*\('mlp',\)"),
        ("siamese", (1, 11, 20), {"networks": ("mlp", "cnn")}, r"\(1, 11, 20\): .*12 x 12"),
        ("bmcnn", (7, 3), {}, r"\(7, 3\): .* 4 x 4 or more; or .*network = 'mlp'"),
        ("bmcnn", (3,), MLP["bmcnn"] | {"studies": ("networks",)}, r"lack 'networks'"),
        ("bmcnn", (1, 3, 8), {}, r"\(1, 3, 8\)"),
        ("metaplastic", (9,), {"studies": ("convolution",)}, r"16 x 16 .*lack 'convolution'"),
        ("metaplastic", (9,), {"studies": ("split",)}, "groups = None: .*make no pairs"),
    ],
)  # fmt: skip
def test_what_a_network_does_not_take_is_refused_with_what_works(
    tmp_path: Path, system: str, shape: tuple[int, ...], changes: dict[str, Any], message: str
) -> None:
    path = npz(tmp_path / "own.npz", shape, 3, each=40)
    config = on(system, str(path), changes)
    with pytest.raises(ValueError, match=message) as caught:
        experiments.get(system).check(config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("system", "changes", "message"),
    [
        ("siamese", {"batch": 500}, r"SiameseConfig\.batch = 500: .*, 108"),
        ("siamese", {"per_class": 37}, r"SiameseConfig\.per_class, .* = 37: expected at most 36"),
        ("bmcnn", {"per_class": 36, "batch": 107}, r"BmcnnConfig\.batch = 107"),
        ("bmcnn", {"test_per_class": 21}, r"test_per_class, .* = 21: expected at most 20"),
        ("bmcnn", {"sweep_per_class": 5}, r"sweep_per_class, .* = 5: .*most 4.*'validation'"),
        ("bmcnn", {"calibration": 120}, r"calibration, samples of each class = 40"),
        ("metaplastic", {"per_class": 50}, r"MetaplasticConfig\.per_class, .* = 50"),
    ],
)
def test_more_samples_than_there_are_are_refused_before_anything_starts(
    tmp_path: Path, system: str, changes: dict[str, Any], message: str
) -> None:
    path = str(npz(tmp_path / "own.npz", (5,), 3, each=40))
    few = {"siamese": {}, "metaplastic": {"per_class": None, "permuted": {"tasks": 0}}, "bmcnn": {
        "per_class": None, "test_per_class": 5, "sweep_per_class": 2, "study": {"per_class": 2},
        "calibration": 30, **MLP["bmcnn"],
    }}[system]  # fmt: skip
    good = on(system, path, {**MLP[system], **few})
    assert check_data(good) == {path: dataset(path).sha256}
    with pytest.raises(ValueError, match=message):
        check_data(good.merged(changes))


def test_tasks_of_different_shapes_are_refused(tmp_path: Path) -> None:
    path = str(npz(tmp_path / "own.npz", (5,), 3, each=40))
    config = experiments.get("metaplastic").preset("quick").replace(tasks=("mnist", path))
    with pytest.raises(ValueError, match=r"tasks = 'mnist \(1, 28, 28\), .*npz \(5,\)'"):
        experiments.get("metaplastic").check(config)


@pytest.mark.parametrize("system", ["siamese", "bmcnn", "metaplastic"])
def test_settings_load_where_the_data_are_not(system: str) -> None:
    config = on(system, "gone/own.npz", MLP[system])
    assert type(config).from_toml(config.to_toml()) == config
    with pytest.raises(ValueError, match=r"data = 'gone/own\.npz'"):
        experiments.get(system).check(config)
    with pytest.raises(ValueError, match="unknown dataset 'mnits': did you mean 'mnist'"):
        experiments.get(system).check(on(system, "mnits", MLP[system]))


def test_settings_of_before_mean_mnist() -> None:
    for system in ("siamese", "bmcnn"):
        assert experiments.get(system).preset("quick").datasets == ("mnist",)
    lifelong = experiments.get("metaplastic").preset("quick")
    assert lifelong.datasets == ("mnist", "fashion-mnist")


def test_own_images_of_mnist_give_the_run_of_mnist(tmp_path: Path) -> None:
    """The same samples under another name: the same numbers."""
    whole, test = load("mnist", "train+validation", per_class=60), load("mnist", "test")
    both = {"train": whole, "test": test}
    given = {
        f"{part}_{key}": value
        for part, samples in both.items()
        for key, value in (("x", samples.inputs.numpy()), ("y", samples.labels.numpy()))
    }
    as_bytes = {k: np.round(255 * v).astype(np.uint8) if k[-1] == "x" else v
                for k, v in given.items()}  # fmt: skip
    found = []
    warnings.simplefilter("ignore")
    for name, arrays_of in (("floats", given), ("bytes", as_bytes)):
        np.savez(tmp_path / f"{name}.npz", **arrays_of)
        config = on("siamese", str(tmp_path / f"{name}.npz"), MLP["siamese"]).replace(
            hidden=8, epochs=1, schemes=(), studies=(), chips=1, per_class=20
        )
        claims = experiments.get("siamese").run(config, Rehearsal()).claims
        found.append({c.id: c.ours for c in claims})
    assert found[0] == found[1]


def test_data_sets_are_given_as_arrays_too() -> None:
    data = mho.data.Dataset.of(**arrays((4,), 3))
    assert dataset(data) is data


def test_a_run_is_resumed_on_the_same_data_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    npz(tmp_path / "own.npz", (6,), 3, each=40)
    asked = ["run", "siamese", "--set", "data=own.npz", "--chips", "1", "--set", "epochs=1",
             "--set", "schemes=[]", "--set", "studies=[]", "--set", "hidden=8",
             "--out", "out"]  # fmt: skip
    warnings.simplefilter("ignore")
    assert main(asked) == 0
    about = json.loads(Path("out/env.json").read_text())
    assert about["data"] == {"own.npz": dataset("own.npz").sha256}
    result = Path("out/result.json").read_text()
    changed = arrays((6,), 3, each=40)
    np.savez("own.npz", **changed | {"test_x": changed["test_x"] / 2})
    for name in ("", "result.json", "SHA256SUMS"):  # whether it is finished or not
        Path("out", name).unlink() if name else None
        capsys.readouterr()
        assert main([*asked, "--resume"]) == 2
        assert "SHA-256 of 'own.npz'" in capsys.readouterr().err
    assert not Path("out/result.json").exists()
    npz(tmp_path / "own.npz", (6,), 3, each=40)
    assert main([*asked, "--resume"]) == 0
    again = json.loads(Path("out/result.json").read_text())
    assert again["claims"] == json.loads(result)["claims"]


def test_what_cannot_be_learnt_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    npz(tmp_path / "own.npz", (6,), 3, each=40)
    for setting, said in (
        ('networks=["mlp", "cnn"]', "12 x 12 or more"), ("per_class=99", "at most 36"),
        ("data=other.npz", "data = 'other.npz'"), ("data=nist", "did you mean 'mnist'"),
    ):  # fmt: skip
        asked = ["run", "siamese", "--set", "data=own.npz", "--set", setting, "--out", "out"]
        assert main(asked) == 2
        assert said in capsys.readouterr().err
        assert not Path("out").exists()
