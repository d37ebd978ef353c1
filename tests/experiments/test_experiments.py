"""Each system learns, keeps its own rules, and reports in the agreed form."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders.few_images import measure_on_few
from mho import experiments
from mho.experiments.bmcnn.config import STUDIES, Architecture
from mho.experiments.metaplastic.config import STUDIES as METAPLASTIC_STUDIES
from mho.experiments.run import Run
from mho.experiments.siamese.config import STUDIES as SIAMESE_STUDIES
from mho.experiments.siamese.schemes import SCHEMES
from mho.report.folder import RunFolder
from mho.results import Result

TINY: dict[str, dict[str, Any]] = {
    "bmcnn": {
        "chips": 2,
        "per_class": 120,
        "test_per_class": 5,
        "sweep_per_class": 3,
        "study": {"epochs": 1, "per_class": 2},
        "epochs": 4,
        "architecture": Architecture(channels=(4, 8), hidden=(16,)),
        "spread": {"compared": (0.0, 0.5), "claimed": (0.5,)},
        "calibration": 50,
        "studies": STUDIES,
    },
    "siamese": {
        "networks": ("mlp", "cnn"),
        "chips": 1,
        "per_class": 100,
        "epochs": 3,
        "scheme_epochs": 1,
        "study": {"epochs": 1},
        "hidden": 16,
        "cnn": {"channels": (2, 3), "dense": (8, 8), "epochs": 1},
        "schemes": tuple(SCHEMES),
        "studies": SIAMESE_STUDIES,
    },
    "metaplastic": {
        "per_class": 100,
        "epochs": 4,
        "scheme_epochs": 1,
        "permuted": {"tasks": 2, "epochs": 1},
        "study": {"epochs": 1, "per_class": 10, "parts": 2},
        "hidden": (32, 32),
        "cnn": {"channels": (2, 3), "dense": 8},
        "rules": {"fisher": 10},
        "refreshed": 100,
        "schemes": (
            "path importance with gates",
            "interval rule",
            "no protection",
            "separate networks",
        ),
        "studies": METAPLASTIC_STUDIES,
    },
}


@pytest.fixture(scope="module", params=sorted(TINY))
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    experiment = experiments.get(request.param)
    config = experiment.preset("quick").replace(processor="cpu", **TINY[request.param])
    folder = tmp_path_factory.mktemp(request.param)
    run = Run(folder, config.to_toml(), resume=False, title="test")
    with pytest.MonkeyPatch.context() as patch:
        measure_on_few(patch, 30)
        result = experiment.run(config, run)
    run.finish(result)
    run.close()
    return request.param, config, result, folder


def claims(result: Result) -> dict[str, Any]:
    return {c.id: c.ours for c in result.claims}


def test_the_result_is_what_the_report_reads(outcome: Any) -> None:
    name, config, result, folder = outcome
    read = RunFolder.read(folder).result
    assert read.wall_s is not None
    assert read.wall_s > 0
    assert replace(read, wall_s=None) == result
    assert (read.experiment, read.preset, read.seed) == (name, config.preset, config.seed)


def test_claims_are_there_and_finite(outcome: Any) -> None:
    name, _, result, _ = outcome
    expected = {
        "bmcnn": {"ideal_accuracy", "cov50_best_accuracy", "cov50_worst_chip", "cov50_yield"},
        "siamese": {
            "mlp_float_accuracy",
            "mlp_accuracy",
            "mlp_gone",
            "mlp_sparse_accuracy",
            "mlp_sparse_gone",
            "mlp_first_epoch_accuracy",
            "mlp_first_epoch_gone",
            "mlp_max_writes_per_cell",
            "mlp_write_ratio",
            "mlp_closed_loop_energy_gone",
            "cnn_accuracy",
            "cnn_gone",
        },
        "metaplastic": {
            "mnist_after_both",
            "fashion_after_both",
            "mnist_software",
            "fashion_software",
            "mnist_recognized",
            "fashion_reverse",
            "permuted2_average",
            "permuted2_ewc",
            "permuted2_si",
            "permuted2_joint",
            "cell_ratio",
            "memory_ratio_with_hidden",
            "endurance_share_max",
        },
    }[name]
    assert expected <= set(claims(result))


def test_it_learns_something(outcome: Any) -> None:
    name, _, result, _ = outcome
    best = {
        "bmcnn": "ideal_accuracy",
        "siamese": "mlp_change_accuracy",
        "metaplastic": "fashion_software",
    }[name]
    assert claims(result)[best] > 40.0


def test_the_ledger_agrees_with_itself(outcome: Any) -> None:
    name, _, result, _ = outcome
    rows, total = [row.counts for row in result.ledger.layers], result.ledger.total
    for entry, value in total.items():
        assert value == sum(row[entry] for row in rows)
    assert total["set_pulses"] + total["reset_pulses"] >= total["writes"] > 0
    if name == "bmcnn":
        assert total["writes"] == total["cells"], "write once: one event a cell"
    elif name == "siamese":
        assert total["writes"] > total["cells"]


def test_shares_have_every_weight_at_every_step_as_their_base() -> None:
    from mho.experiments.siamese.measures import by_epoch, gone, per_weight, quantile

    outcome = {
        "history": {"written": [10, 0], "pulses": [70, 75]},
        "start": {"pulses": 50},
        "weights": 100,
        "steps_per_epoch": 10,
        "writes": [[1, 90], [2, 9], [7, 1]],
    }
    assert gone(outcome) == pytest.approx(99.5)
    assert gone(outcome, 1) == pytest.approx(99.0)
    assert per_weight(outcome) == pytest.approx(0.1)
    assert by_epoch(outcome, "pulses") == [20, 5]
    assert [quantile(outcome, share) for share in (0.5, 0.9, 0.99, 1.0)] == [1, 1, 2, 7]


def test_no_choice_is_made_on_the_test_set() -> None:
    """Held-out images choose what is run on test images; further cells or writes are apart."""
    from mho.experiments.bmcnn import BmcnnConfig, claimed
    from mho.experiments.bmcnn.points import Point

    held_out = [
        Point(training, name, 0.5, 0.5)._asdict() | {"accuracy": [accuracy, accuracy]}
        for training, name, accuracy in (
            ("plain", "none", 60.0), ("plain", "batch norm", 90.0), ("aware", "batch norm", 89.0),
            ("aware", "batch norm + labels", 88.0), ("plain", "batch norm + labels", 87.0),
            ("aware", "2 copies + batch norm", 99.0), ("aware", "placement + batch norm", 98.0),
        )
    ]  # fmt: skip
    held_out += [Point("aware", "batch norm", 1.0, 1.0)._asdict() | {"accuracy": [100.0]}]
    assert claimed(BmcnnConfig(), held_out, 0.5) == {
        "free": Point("plain", "batch norm", 0.5, 0.5),
        "labelled": Point("aware", "batch norm + labels", 0.5, 0.5),
        "more": Point("aware", "2 copies + batch norm", 0.5, 0.5),
    }


@pytest.mark.parametrize("name", sorted(TINY))
@pytest.mark.parametrize("preset", experiments.PRESET_NAMES)
def test_presets_round_trip_through_toml(name: str, preset: str) -> None:
    config = experiments.get(name).preset(preset)
    assert type(config).from_toml(config.to_toml()) == config
    documented = [key for key, _, what in config.settings() if not what]
    assert documented == [], "every setting says what it is"


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'siamese'"):
        experiments.get("siames")
    with pytest.raises(ValueError, match="did you mean 'quick'"):
        experiments.get("bmcnn").preset("quik")


def test_resuming_a_finished_run_gives_the_same_result(outcome: Any, tmp_path: Path) -> None:
    name, config, result, folder = outcome
    run = Run(folder, config.to_toml(), resume=True, title="test")
    again = experiments.get(name).run(config, run)
    run.close()
    assert again == result
