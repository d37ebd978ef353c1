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
from mho.experiments.checkpoint import Checkpoint
from mho.experiments.earlier import (
    ADDED,
    MOVED,
    NEW,
    SCHEMES,
    as_before,
    check_same,
    checkpoint_of_today,
    current,
)
from mho.experiments.run import Run
from mho.experiments.settings import settings_of
from mho.files import parse_toml
from mho.results.earlier import NAMES, name_of_today

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
        system = place[:1] if place[0] in MOVED else ()
        family = (*system, settings["family"])[0]
        name, at = ".".join(place[len(system) :]), None
        for earlier, today in ({"device": "processor"} | MOVED[family]).items():
            if name == earlier or ("." in earlier and name.startswith(f"{earlier}.")):
                at = today + name.removeprefix(earlier)
        wanted = value
        if name in SCHEMES:
            several = isinstance(value, list)
            wanted = [name_of_today(each, family) for each in (value if several else [value])]
            wanted = wanted if several else wanted[0]
        assert now[(*system, *(at or name).split("."))] == wanted
    assert type(config).from_toml(config.to_toml()) == config


@pytest.mark.parametrize("family", MOVED)
def test_a_place_is_a_setting_and_an_earlier_name_at_most_a_table(family: str) -> None:
    config = experiments.get(family).preset("standard")
    for name, place in MOVED[family].items():
        assert attrgetter(place)(config) is not config
        if "." not in name:
            assert isinstance(getattr(config, name, config), Config)
        else:
            table, _, last = name.rpartition(".")
            assert last not in attrgetter(table)(config).to_dict()


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
        flat |= {} if "." in name else {name: attrgetter(place)(now)}
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


@pytest.mark.parametrize("family", NAMES)
def test_settings_with_earlier_names_of_schemes_are_those_of_today(
    family: str, tmp_path: Path
) -> None:
    now = experiments.get(family).preset("standard")
    old = as_before(now.to_dict(), family)
    assert not set(NAMES[family].values()) & set(old["schemes"])
    assert ("fixed_threshold" in str(now.to_dict()), "fixed_threshold" in str(old)) == (
        family == "siamese", False,
    )  # fmt: skip
    assert type(now).from_toml(tomli_w.dumps(old)) == now
    check_same(Path(), tomli_w.dumps(old), now.to_toml())
    (tmp_path / "old.toml").write_text(tomli_w.dumps(old))
    notes: list[str] = []
    assert settings_of(family, now, file=tmp_path / "old.toml").config(notes.append) == now
    assert notes == []
    whole = experiments.get("wires").preset("quick")
    inner = as_before(whole.to_dict(), "wires")
    assert inner[family] == as_before(whole.to_dict()[family], family)
    assert type(whole).from_toml(tomli_w.dumps(inner)) == whole


@pytest.mark.parametrize(
    ("name", "key", "given", "now"),
    [
        ("siamese", "scheme", "frugal", "falling threshold"),
        ("metaplastic", "scheme", "none", "no protection"),
        ("siamese", "schemes", ["sparse", "float"], "large threshold"),
        ("siamese", "chip", {"address": "a:1", "scheme": "sign"}, "sign of the gradient"),
        ("wires", "siamese.schemes", ["budget"], "write budget"),
    ],
)
def test_an_earlier_name_of_a_scheme_is_understood_and_told(
    name: str, key: str, given: Any, now: str
) -> None:
    notes: list[str] = []
    preset = experiments.get(name).preset("quick")
    config = settings_of(name, preset, single=[(key, given)]).config(notes.append)
    (note,) = notes
    assert note.endswith(f"is now called {now!r}")
    assert now in str(config.to_dict())
    again = settings_of(name, preset, single=[(key, attrgetter(key)(config))]).config(notes.append)
    assert (again, len(notes)) == (config, 1)


@pytest.mark.parametrize("family", NEW)
def test_settings_that_are_new_do_what_the_version_before_did(family: str) -> None:
    now = experiments.get(family).preset("quick")
    for place, value in NEW[family].items():
        today = attrgetter(place)(now)
        assert (today if place == "hidden_epochs" else today.to_dict()) == value, place
    old = {k: v for k, v in now.to_dict().items() if k not in NEW[family]}
    for place in NEW[family]:
        *tables, last = place.split(".")
        inner = old
        for table in tables:
            inner[table] = inner = dict(inner[table])
        inner.pop(last, None)
    check_same(Path(), tomli_w.dumps(without_none(old)), now.to_toml())
    assert not {place for place in NEW[family] if at(as_before(now.to_dict(), family), place)}


def without_none(table: dict[str, Any]) -> dict[str, Any]:
    """As TOML has it."""
    return {
        name: without_none(value) if isinstance(value, dict) else value
        for name, value in table.items() if value is not None
    }  # fmt: skip


def at(table: Any, place: str) -> Any:
    """What is at a dotted name, None if there is nothing."""
    for part in place.split("."):
        table = table.get(part) if isinstance(table, dict) else None
    return table


def test_an_earlier_name_in_python_is_refused_with_that_of_today() -> None:
    record = type(experiments.get("siamese").preset("quick"))
    for changes in ({"scheme": "frugal"}, {"schemes": ("frugal",)}):
        with pytest.raises(ValueError, match="did you mean 'falling threshold'"):
            record(**changes)
    with pytest.raises(ValueError, match=r"'writes.frugal': it is now 'writes.falling_threshold'"):
        record().merged({"writes": {"frugal": {"first": [1.0, 1.0]}}})


def test_what_a_checkpoint_knows_by_an_earlier_name_is_known_by_that_of_today() -> None:
    def names(family: str, before: list[str]) -> list[str]:
        known = dict.fromkeys(before, 1)
        found = checkpoint_of_today(Checkpoint(f'family = "{family}"\n', known, known))
        assert found.outcomes == found.stages
        return list(found.outcomes)

    assert names("siamese", ["mlp 0: frugal/train", "scheme: frugal, verified", "x"]) == [
        "mlp 0: falling threshold/train", "scheme: falling threshold with verify", "x",
    ]  # fmt: skip
    assert names("siamese", ["endurance: level change, 2", "programming: one attempt"]) == [
        "endurance: on level change, 2", "programming: one attempt",
    ]  # fmt: skip
    before = ["claimed 0: software/phase 1", "imperfections: none", "forms: interval, both",
              "split: class-incremental, none", "gates: 0.3"]  # fmt: skip
    assert names("metaplastic", before) == [
        "claimed 0: path importance with gates on ideal chip/phase 1", "imperfections: none",
        "forms: interval, both", "split: class-incremental, no protection", "gates: 0.3",
    ]  # fmt: skip
    assert names("bmcnn", ["a: none"]) == ["a: none"]


def test_a_run_with_earlier_names_of_schemes_resumes(tmp_path: Path) -> None:
    now = experiments.get("siamese").preset("quick")
    old = tomli_w.dumps(as_before(now.to_dict(), "siamese"))
    run = Run(tmp_path, old, resume=False, title="test")
    run.once("mlp 0: frugal", lambda: 7)
    run.close()
    run = Run(tmp_path, now.to_toml(), resume=True, title="test")
    assert run.once("mlp 0: falling threshold", lambda: 8) == 7
    run.close()
