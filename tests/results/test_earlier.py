"""Schemes have their names of today in results of earlier versions; nothing else changes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mho import experiments
from mho.results import Result, load
from mho.results.earlier import NAMES, NO_SCHEMES, name_of_today, result_of_today, text_of_today

RESULTS = Path(__file__).parents[2] / "results"
COMMITTED = sorted(RESULTS.rglob("result.json"))


def texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """All texts of a JSON value, with the field that they are of."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from texts(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each, key)


def without_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_texts(each) for key, each in value.items()}
    if isinstance(value, list):
        return [without_texts(each) for each in value]
    return "" if isinstance(value, str) else value


@pytest.mark.parametrize("family", NAMES)
def test_the_names_of_today_are_schemes_and_the_earlier_ones_are_not(family: str) -> None:
    schemes = experiments.EXPERIMENTS[family].schemes
    assert set(NAMES[family].values()) <= set(schemes)
    assert len(set(NAMES[family].values())) == len(NAMES[family])
    assert not set(NAMES[family]) & set(schemes)
    assert not any("," in name for name in schemes), "names are listed with commas between them"


@pytest.mark.parametrize("family", NAMES)
def test_a_name_of_today_stays_as_it_is(family: str) -> None:
    for name in experiments.EXPERIMENTS[family].schemes:
        assert name_of_today(name, family) == name
        assert text_of_today(f"accuracy, {name}", family) == f"accuracy, {name}"
    for earlier, now in NAMES[family].items():
        assert text_of_today(f"MLP: {earlier}, 2 epochs", family) == f"MLP: {now}, 2 epochs"


@pytest.mark.parametrize(
    ("text", "now"),
    [
        ("writes, level change over frugal", "writes, on level change over falling threshold"),
        ("saved, frugal, verified", "saved, falling threshold with verify"),
        ("reads; frugal (blind), 3 epochs", "reads; falling threshold (blind), 3 epochs"),
        ("written on every level change", "written on every level change"),
        ("sign", "sign of the gradient"),
        ("a sign, and a budget of it", "a sign, and a budget of it"),
        ("Frugal writes, 2 epoch(s)", "Falling threshold, 2 epoch(s)"),
    ],
)
def test_names_are_found_between_commas_and_colons(text: str, now: str) -> None:
    assert text_of_today(text, "siamese") == now
    assert text_of_today(text, "wires") == text


@pytest.mark.parametrize("path", COMMITTED, ids=lambda p: "-".join(p.parts[-3:-1]))
def test_committed_results_show_the_names_of_today(path: Path) -> None:
    before = json.loads(path.read_text(encoding="utf-8"))
    now = json.loads(json.dumps(result_of_today(before)))
    assert without_texts(now) == without_texts(before)
    assert result_of_today(now) == now
    if before["experiment"] != "siamese":
        return
    distinct = re.compile("frugal|coarse probabilistic|stochastic sparse|compensated", re.I)
    assert any(distinct.search(text) for _, text in texts(before))
    assert not [text for _, text in texts(now) if distinct.search(text)]
    drawn = {each.name for curve in load(Result, path).curves for each in curve.series}
    assert "falling threshold" in drawn
    assert "frugal" not in drawn


def test_points_of_studies_that_no_scheme_names_stay() -> None:
    before = json.loads((RESULTS / "metaplastic/standard/result.json").read_text(encoding="utf-8"))
    now = result_of_today(before)
    tables = {each["id"]: [row[0] for row in each["rows"]] for each in now["tables"]}
    assert tables["study_imperfections"][0] == "none"
    assert tables["study_forms"][0] == "interval, toward-threshold"
    assert tables["stream"] == ["path importance", "interval rule", "Bayesian steps",
                                "no protection", "at once"]  # fmt: skip
    assert "Of path importance with one batch norm and joint training no task" in str(now)
    assert set(NO_SCHEMES["metaplastic"]) < set(experiments.EXPERIMENTS["metaplastic"].studies)


def part(family: str, title: str, summary: str, what: str, id: str) -> dict[str, Any]:
    """What a run of one part of an experiment left."""
    claim = {"id": id, "what": what, "paper": None, "ours": 1.0}
    return {"experiment": family, "seed": 0, "title": f"Write: {title}", "summary": summary,
            "claims": [claim], "maps": [{"id": f"mlp_layers_{id}", "title": what}]}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "title", "id"),
    [
        (("siamese", "frugal", "under one scheme, frugal, on", "frugal: accuracy", "frugal"),
         "falling threshold", "falling_threshold"),
        (("siamese", "schemes", "schemes alone, of", "frugal, verified: x", "frugal_verified"),
         "schemes", "falling_threshold_with_verify"),
        (("metaplastic", "gates", "gates alone, of", "0.5: x", "0_5"), "gates", "0_5"),
        (("metaplastic", "gates", "under one scheme, gates, on", "gates: x", "scheme_mnist"),
         "gates alone", "scheme_mnist"),
        (("metaplastic", "imperfections", "imperfections alone, of", "none: x", "none"),
         "imperfections", "none"),
        (("bmcnn", "sign", "sign alone, of", "sign: x", "sign"), "sign", "sign"),
    ],
)  # fmt: skip
def test_a_part_alone_has_the_ids_of_today(given: Any, title: str, id: str) -> None:
    now = result_of_today(part(*given))
    assert now["title"] == f"Write: {title}"
    assert now["claims"][0]["id"] == id
    assert now["maps"][0]["id"] == f"mlp_layers_{id}"
