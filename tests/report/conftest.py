"""A realistic run folder."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import mho.report
from builders.sample_result import sample_result

CONFIG = 'experiment = "{name}"\nchips = 32\n\n[device]\nr_on = 5e3  # [ohm]\nr_off = 1e6\n'


ENV = {
    "date": "2025-03-04T14:05:06+00:00",
    "command": ["mho", "run", "all", "--preset", "quick", "--seed", "0", "--out", "my runs"],
    "commit": "0123abc",
    "device": "cpu",
    "threads": 2,
    "seed": 0,
    "versions": {"mho": "0.1.0", "torch": "2.13.0", "python": "3.13.1"},
    "deterministic": True,
}


def make_run(folder: Path, name: str, content: dict | None = None) -> Path:
    """Write a run folder as `mho run NAME` does."""
    folder.mkdir(parents=True)
    content = sample_result(name) if content is None else content
    (folder / "result.json").write_text(json.dumps(content), encoding="utf-8")
    (folder / "env.json").write_text(json.dumps(ENV), encoding="utf-8")
    (folder / "config.toml").write_text(CONFIG.format(name=name), encoding="utf-8")
    (folder / "metrics.jsonl").write_text('{"epoch": 1, "accuracy": 0.9}\n', encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def one_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of one run, written once and only read."""
    return mho.report.write(make_run(tmp_path_factory.mktemp("one") / "bmcnn", "bmcnn"))


@pytest.fixture(scope="session")
def many_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a folder as `mho run all` leaves it, with one run unfinished."""
    folder = tmp_path_factory.mktemp("many")
    for name in ("bmcnn", "siamese", "metaplastic"):
        make_run(folder / name, name)
    (folder / "wires").mkdir()
    (folder / "wires" / "config.toml").write_text("chips = 1\n")
    (folder / "notes").mkdir()
    return mho.report.write(folder)


@pytest.fixture
def content() -> dict:
    """A fresh result, to be bent by a test."""
    return sample_result("bmcnn")


@pytest.fixture
def run_folder(tmp_path: Path) -> Callable[..., Path]:
    """Make a run folder below `tmp_path`, with the given content or a realistic one."""

    def make(content: dict | None = None, folder: str = "bmcnn") -> Path:
        return make_run(tmp_path / folder, "bmcnn", content)

    return make
