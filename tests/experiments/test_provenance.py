"""What a result was made with: of every session, and of mho's own code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mho
from mho.experiments import provenance
from mho.experiments.provenance import commit, differences, environment, record


def session(torch: str = "2.13", code: str = "a") -> dict[str, object]:
    versions = {"torch": torch, "numba": "0.62"}
    return {"command": "x", "commit": code, "device": "cpu", "versions": versions}


def test_all_that_numbers_depend_on_is_recorded() -> None:
    found = environment("cpu", 3)
    assert found["versions"].keys() == {"mho", "python", "torch", "numpy", "numba", "scipy"}
    assert found["versions"]["mho"] == mho.__version__
    assert found["seed"] == 3


def test_sessions_that_differ_are_all_recorded(tmp_path: Path) -> None:
    assert record(tmp_path, session()) == []
    assert record(tmp_path, session()) == []
    assert "earlier" not in json.loads((tmp_path / "env.json").read_text())
    assert record(tmp_path, session("2.14")) == ["torch 2.13, 2.14"]
    assert record(tmp_path, session("2.14")) == []
    assert record(tmp_path, session("2.14", "b")) == ["commit a, b"]
    held = json.loads((tmp_path / "env.json").read_text())
    assert [each["versions"]["torch"] for each in held["earlier"]] == ["2.13", "2.14"]
    assert held["commit"] == "b"
    (tmp_path / "env.json").write_text("{")
    assert "is lost" in record(tmp_path, session())[0]


def test_a_session_on_another_host_is_kept_and_not_told(tmp_path: Path) -> None:
    assert record(tmp_path, session()) == []  # of an earlier version, which did not record it
    for host in ("a", "a", "b", "b"):
        assert record(tmp_path, session() | {"host": host, "engine": "ray"}) == []
    held = json.loads((tmp_path / "env.json").read_text())
    assert held["host"] == "b"
    assert [each.get("host") for each in held["earlier"]] == [None, "a"]


def test_what_runs_differ_in_is_told() -> None:
    old = {"commit": "a", "device": "cpu", "versions": {"torch": "2.13"}}
    assert differences([session(), session()]) == []
    assert differences([old, session(code="b"), session()]) == [
        "commit a, b",
        "numba not recorded, 0.62",
    ]
    assert differences([{}, session()])[0] == "commit not recorded, a"


def test_the_data_are_recorded_and_other_data_are_refused(tmp_path: Path) -> None:
    assert "data" not in environment("cpu", 0)
    found = environment("cpu", 0, {"mine.npz": "ab", "mnist": "cd"})
    assert found["data"] == {"mine.npz": "ab", "mnist": "cd"}
    assert record(tmp_path, session()) == []  # of an earlier version, which did not record them
    assert record(tmp_path, session() | {"data": {"mine.npz": "ab"}}) == []
    kept = (tmp_path / "env.json").read_text()
    with pytest.raises(ValueError, match=r"SHA-256 of 'mine\.npz' = 'ef': expected ab,"):
        record(tmp_path, session() | {"data": {"mine.npz": "ef"}})
    assert (tmp_path / "env.json").read_text() == kept
    runs = [session() | {"data": {"mine.npz": digest}} for digest in ("ab", "ef", "ab")]
    assert differences([*runs, session()]) == ["SHA-256 of mine.npz ab, ef"]


def copied(folder: Path) -> Path:
    """A copy of this package's provenance in a project of others, where there is a repository."""
    place = folder / "lib" / "mho"
    place.mkdir(parents=True)
    (place / "provenance.py").write_bytes(Path(provenance.__file__).read_bytes())
    for command in (
        ("init", "--quiet"),
        ("-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "--allow-empty",
         "-m", "x"),
    ):  # fmt: skip
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    return place / "provenance.py"


def test_the_commit_is_not_that_of_a_project_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = commit()
    file = copied(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    assert commit() == own
    monkeypatch.setattr(provenance, "__file__", str(file))
    assert commit() is None


def test_a_package_without_git_has_no_commit(tmp_path: Path) -> None:
    code = "from mho.experiments.provenance import commit; commit()"
    environment = {**os.environ, "PATH": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
