"""`mho list`: no name is broken, whatever the width, and whatever is listed can be used."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch

import mho
from mho.choices import REQUIRED
from mho.cli import main
from mho.cli.names import SUBJECTS
from mho.data import SOURCES
from mho.errors import InvalidInput
from mho.experiments import EXPERIMENTS
from mho.experiments.bmcnn.mitigation import mitigation
from mho.experiments.settings import key_and_value, nested
from mho.hardware.price_lists import PRICES
from mho.physics.devices import PRESETS
from mho.physics.dynamics import MODELS

LISTED = [[], *([name] for name in (*SUBJECTS, *EXPERIMENTS)), *(
    [name, "--set"] for name in (*EXPERIMENTS, "hfo2-1t1r", "stanford-pku", "hfo2-130nm")
)]  # fmt: skip


def printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["list", *words]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("words", LISTED, ids=" ".join)
@pytest.mark.parametrize("columns", [80, 200, 40, 10])
def test_no_name_is_broken(
    words: list[str], columns: int, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("COLUMNS", str(columns))
    found = json.loads(printed([*words, "--json"], capsys))
    rows = [next(iter(record.values())) for record in found]
    for way in ([], ["--long"]):
        lines = printed([*words, *way], capsys).splitlines()
        heads = [line for line in lines if not line.startswith(" ")]
        short = "--set" in words and not way
        for name in rows:
            there = any(line == name or line.startswith(f"{name} ") for line in heads)
            assert there or short, name
        for line in lines:
            fits = len(line) <= columns or len(line.split()) <= 2
            assert fits or columns < 40, line


def test_without_a_terminal_each_row_is_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    lines = printed(["schemes"], capsys).splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == list(EXPERIMENTS["siamese"].schemes)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_settings_are_short_by_default_and_all_can_be_seen(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    keys = [key for key, _, _ in EXPERIMENTS[name].preset("quick").settings()]
    short = printed([name, "--set"], capsys).splitlines()
    assert len(short) <= len(keys) + 4, "a line each"
    listed = json.loads(printed([name, "--set", "--json"], capsys))
    assert [each["setting"] for each in listed if "of" not in each] == keys
    deepest = max(keys, key=lambda key: key.count("."))
    assert deepest in printed([name, deepest, "--set"], capsys)


TAKES: dict[str, Callable[[str], Any]] = {
    "experiments": mho.experiments.get,
    "devices": mho.devices.get,
    "dynamics": lambda name: mho.dynamics.get(name),
    "datasets": lambda name: EXPERIMENTS["siamese"].preset("quick").replace(data=name),
    "prices": lambda name: EXPERIMENTS["siamese"].preset("quick").replace(prices=name),
    "mitigations": mitigation,
    "schemes": lambda name: EXPERIMENTS["siamese"].preset("quick").replace(schemes=(name,)),
    "rules": lambda name: EXPERIMENTS["metaplastic"].preset("quick").replace(schemes=(name,)),
    "layers": lambda name: None,
    "studies": lambda name: next(e for e in EXPERIMENTS.values() if name in e.studies),
}


@pytest.mark.parametrize("what", SUBJECTS)
def test_what_is_listed_can_be_used(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(printed([what, "--json"], capsys))
    assert found
    for record in found:
        TAKES[what](next(iter(record.values())))


@pytest.mark.parametrize("name", [*PRESETS, *MODELS, *PRICES, *EXPERIMENTS])
def test_what_is_listed_can_be_shown(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    if name not in EXPERIMENTS:
        assert main(["show", name]) == 0
    assert printed([name], capsys)


def test_a_listed_layer_can_be_converted(capsys: pytest.CaptureFixture[str]) -> None:
    names = [each["layer"] for each in json.loads(printed(["layers", "--json"], capsys))]
    assert "torch.nn.Linear" in names
    for name in names:
        if name.startswith("torch.nn."):
            assert issubclass(getattr(torch.nn, name.removeprefix("torch.nn.")), torch.nn.Module)


def test_all_data_sets_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(SOURCES) == {
        each["name"] for each in json.loads(printed(["datasets", "--json"], capsys))
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["devises"], "did you mean 'devices'?"),
        (["devices", "zzz"], "WORD = 'zzz': expected a word in a row of mho list devices"),
        (["devices", "--set"], "unknown"),
    ],
)
def test_what_is_not_there_is_said(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_what_may_be_chosen_is_listed_and_can_be_set(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every kind in place of another by its name alone, unless it needs more; then its fields."""
    listed = json.loads(printed([name, "--set", "--json"], capsys))
    config = EXPERIMENTS[name].preset("quick")
    others = [each for each in listed if "of" in each]
    heads = [each["of"] for each in others if each["setting"] == each["of"]]
    assert len(heads) == len({*heads})
    assert any(each.endswith("hardware.adc=sar") for each in heads) == (name != "bmcnn")
    refused: list[str] = []
    for head in heads:
        own = [e for e in others if e["of"] == head and e["setting"] != head]
        if any(each["value"] == REQUIRED for each in own):
            continue
        try:
            chosen = config.merged(nested(*key_and_value(head)))
        except InvalidInput as error:  # of a device or a way to write that others do not go with
            refused.append(f"{head}: {error}")
            continue
        there = {key: value for key, value, _ in chosen.settings()}
        assert there[head.partition("=")[0]] == head.partition("=")[2]
        assert {e["setting"]: e["value"] for e in own}.items() <= there.items(), head
    assert len(refused) <= len(heads) / 3, refused
    assert not any("unknown" in each or "expected a" in each for each in refused), refused
