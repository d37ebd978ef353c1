"""One part of an experiment alone, as the command runs it."""

import json
from pathlib import Path
from typing import Any

import pytest

from mho.cli import main
from mho.data.stand_in import stand_ins
from mho.experiments import EXPERIMENTS
from mho.experiments.rehearsal import rehearse

EACH = [(name, e.preset("quick")) for name, e in EXPERIMENTS.items()]
PARTS = [(name, part) for name, config in EACH for part in config.parts_there()]
SCHEMES = [(name, scheme) for name, e in EXPERIMENTS.items() for scheme in e.schemes]


def in_small(name: str, **settings: Any) -> Any:
    """The result of a part, with numbers that mean nothing."""
    experiment = EXPERIMENTS[name]
    return rehearse(experiment.preset("quick").replace(**settings), experiment.run)


def test_every_study_is_a_part() -> None:
    for experiment in EXPERIMENTS.values():
        parts = experiment.preset("quick").parts_there()
        assert parts
        assert set(experiment.studies) <= set(parts)
        assert experiment.preset("quick").all_schemes == tuple(experiment.schemes)


@pytest.mark.parametrize(("name", "part"), [
    ("siamese", "claims"), ("siamese", "schemes"), ("siamese", "levels"),
    ("metaplastic", "precision"), ("bmcnn", "bits"), ("bmcnn", "networks"),
])  # fmt: skip
def test_a_part_has_what_the_whole_has_of_it(name: str, part: str) -> None:
    found = in_small(name, only=part)
    assert found.claims
    assert found.curves or found.tables
    ids = [claim.id for claim in found.claims]
    assert len(set(ids)) == len(ids)
    if part != "claims":
        whole = {claim.id for claim in in_small(name, only="claims").claims}
        assert not whole & set(ids)


@pytest.mark.parametrize(("name", "scheme"), [
    ("siamese", "float"), ("siamese", "falling threshold"), ("siamese", "Tiki-Taka"),
    ("metaplastic", "no protection"), ("metaplastic", "separate networks"),
    ("metaplastic", "joint training"),
    ("metaplastic", "path importance with gates"),
])  # fmt: skip
def test_a_scheme_alone_is_trained_and_tested(name: str, scheme: str) -> None:
    found = in_small(name, scheme=scheme)
    assert found.claims[0].what.startswith(f"{scheme}: ")
    assert found.claims[0].unit == "%"


@pytest.mark.parametrize(("name", "part"), PARTS)
def test_the_trainings_of_a_part_are_fewer(name: str, part: str) -> None:
    experiment = EXPERIMENTS[name]
    whole = experiment.preset("standard")
    every = {each.id for each in experiment.trainings(whole)}
    own = {each.id for each in experiment.trainings(whole.replace(only=part))}
    assert own <= every
    assert own or name == "sensitivity", "which measures untrained networks but for one"


@pytest.mark.parametrize(("name", "scheme"), SCHEMES)
def test_a_scheme_needs_its_own_training_alone(name: str, scheme: str) -> None:
    config = EXPERIMENTS[name].preset("quick").replace(scheme=scheme, chips=2)
    count = len(EXPERIMENTS[name].trainings(config))
    assert count == 2 * (2 if scheme == "separate networks" else 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["siamese", "--only", "level"], "unknown part of siamese 'level': did you mean 'levels'?"),
        (["siamese", "--scheme", "closed lop"], "unknown scheme of siamese 'closed lop': did you"),
        (["metaplastic", "--scheme", "EW"], "'EWC'"),
        (["bmcnn", "--scheme", "EWC"], "scheme = 'EWC': expected nothing: bmcnn has no"),
        (["wires", "--only", "claims"], "expected one of bmcnn, metaplastic, siamese"),
        (["siamese", "--only", "claims", "--scheme", "float"], "only = 'claims': expected no"),
        (["all", "--only", "claims"], "one experiment where --only is given"),
        (["wires", "--set", "siamese.only=levels"], "siamese.only = 'levels': expected nothing"),
    ],
)  # fmt: skip
def test_a_wrong_part_lists_the_right_ones(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with stand_ins():
        assert main(["run", *words]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_one_scheme_has_a_folder_of_its_own_and_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    small = ["--chips", "1", "--processor", "cpu", "--set", "per_class=10", "--set", "epochs=1"]
    run = ["run", "siamese", "--scheme", "falling threshold", *small, "--set", "hidden=8"]
    with stand_ins():
        assert main(run) == 0
        said = capsys.readouterr().out.splitlines()
        assert said[0].startswith(
            "siamese quick, seed 0: falling threshold: accuracy on test images"
        )
        assert len(said) <= 24
        (folder,) = Path("runs").iterdir()
        assert folder.name == "siamese-falling_threshold-quick-0"
        ids = [each["id"] for each in json.loads((folder / "result.json").read_text())["claims"]]
        assert ids[:2] == ["scheme_accuracy", "scheme_gone"]
        assert main([*run, "--resume"]) == 0
        other = ["--scheme", "large threshold", "--resume", "--out", str(folder)]
        assert main([*run, *other]) == 2
    assert "scheme is 'large threshold', was 'falling threshold'" in capsys.readouterr().err
