"""Settings of earlier versions: their files load, and their names say where they are now."""

import tomllib
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from mho import experiments
from mho.cli import main
from mho.config import Config
from mho.experiments.earlier import ADDED, MOVED, check_same, current
from mho.experiments.run import Run
from mho.files import parse_toml

RESULTS = Path(__file__).resolve().parents[2] / "results"
COMMITTED = sorted(RESULTS.rglob("config.toml"))
FLAT = """
family = "metaplastic"
device = "cpu"
epochs = 2
permuted = 3
permuted_share = 0.25
m = 2.0
bayesian_rate = 0.25
"""


def leaves(value: Any, place: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """All values of nested tables, by place."""
    if not isinstance(value, dict):
        return {place: value}
    return {k: v for name, inner in value.items() for k, v in leaves(inner, (*place, name)).items()}


def config_of(settings: dict[str, Any]) -> Any:
    return experiments.get(settings["family"]).preset("quick")


@pytest.mark.parametrize("path", COMMITTED, ids=lambda p: "-".join(p.parts[-3:-1]))
def test_committed_settings_load_with_their_values(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    settings = tomllib.loads(text)
    config = type(config_of(settings)).from_toml(text)
    flat, now = leaves(settings), leaves(config.to_dict())
    for place, value in flat.items():
        *systems, name = place
        family = systems[-1] if systems and systems[-1] in MOVED else settings["family"]
        places = {"device": "processor"} | MOVED[family]
        moved = name in places and len(systems) == (family != settings["family"])
        assert now[(*systems, *(places[name].split(".") if moved else (name,)))] == value
    assert type(config).from_toml(config.to_toml()) == config


@pytest.mark.parametrize("family", MOVED)
def test_a_place_is_a_setting_and_an_earlier_name_at_most_a_table(family: str) -> None:
    config = experiments.get(family).preset("standard")
    for name, place in MOVED[family].items():
        assert attrgetter(place)(config) is not config
        assert isinstance(getattr(config, name, config), Config)


def test_flat_settings_and_tables_may_stand_in_one_file() -> None:
    given = tomllib.loads(FLAT + "[rules.bayesian]\nmemory = 10\n[rules]\nelastic = 7.0\n")
    assert current(given, "metaplastic") == {
        "family": "metaplastic", "processor": "cpu", "epochs": 2,
        "permuted": {"tasks": 3, "share": 0.25},
        "rules": {"elastic": 7.0, "m": 2.0, "bayesian": {"memory": 10, "rate": 0.25}},
    }  # fmt: skip


def test_the_file_of_an_earlier_run_is_a_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(
        "mho.experiments.execution.execute",
        lambda _name, config, *_rest, **_more: ran.append(config),
    )
    for part in ("mho.experiments.own_data.check_data", "mho.cli.run._show"):
        monkeypatch.setattr(part, lambda *_all: None)
    (tmp_path / "old.toml").write_text(FLAT)
    arguments = ["run", "metaplastic", "--config", str(tmp_path / "old.toml")]
    assert main([*arguments, "--set", "permuted.epochs=4"]) == 0
    (config,) = ran
    assert (config.processor, config.epochs, config.rules.m) == ("cpu", 2, 2.0)
    assert (config.permuted.tasks, config.permuted.share, config.permuted.epochs) == (3, 0.25, 4)


def test_a_run_of_an_earlier_version_resumes(tmp_path: Path) -> None:
    now = experiments.get("siamese").preset("quick")
    flat = now.to_dict()
    for name, place in ({"device": "processor"} | MOVED["siamese"]).items():
        flat |= {name: attrgetter(place)(now)}
    for table in ("processor", "cnn", "study", "writes"):
        del flat[table]
    run = Run(tmp_path, tomli_w.dumps(flat), resume=False, title="test")
    run.once("piece", lambda: 7)
    run.close()
    run = Run(tmp_path, now.to_toml(), resume=True, title="test")
    assert run.once("piece", lambda: 8) == 7
    run.close()
    with pytest.raises(ValueError, match="other settings: epochs is 9, was 3;"):
        Run(tmp_path, now.replace(epochs=9).to_toml(), resume=True, title="test")


@pytest.mark.parametrize("family", ["siamese", "bmcnn", "metaplastic", "wires", "sensitivity"])
def test_settings_that_came_later_are_as_they_were_before(family: str) -> None:
    now = experiments.get(family).preset("quick")

    def before(settings: dict[str, Any], name: str) -> dict[str, Any]:
        out = {k: before(v, k) if isinstance(v, dict) else v for k, v in settings.items()}
        for place in ADDED.get(name, {}):
            *tables, last = place.split(".")
            inner = out
            for table in tables:
                inner = inner[table]
            del inner[last]
        return out

    old = before(parse_toml(now.to_toml(), "now"), family)
    assert old != parse_toml(now.to_toml(), "now")
    check_same(Path(), tomli_w.dumps(old), now.to_toml())
    assert type(now).from_toml(tomli_w.dumps(old)) == now
    if family == "siamese":
        with pytest.raises(ValueError, match="data is 'fashion-mnist', was 'mnist'"):
            check_same(Path(), tomli_w.dumps(old), now.replace(data="fashion-mnist").to_toml())
