"""A run folder is read whole; a bad one is refused in one sentence that names file and field."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import mho.report
from mho.report.folder import RunFolder
from mho.results import MeanStd


def test_a_realistic_run_is_read(run_folder: Callable[..., Path]) -> None:
    run = RunFolder.read(run_folder())
    result = run.result
    assert result.title.startswith("Write once")
    assert result.claims[4].better == "lower"
    assert [each.better for each in result.claims[:2]] == ["higher", "higher"]
    assert result.ledger is not None
    assert result.ledger.layers[0].counts["adc_conversions"] > 0
    assert "layer" not in result.ledger.layers[1].counts
    assert run.env["commit"] == "0123abc"
    assert run.config is not None
    assert "chips = 32" in run.config
    assert [each.id for each in result.figures][3:] == ["confusion", "levels", "wear"]
    assert result.maps[0].text
    assert result.tables[0].rows[1][1] == MeanStd(97.9)
    assert result.tables[0].rows[2][2:] == (None, "not counted")


def test_a_minimal_run_is_enough(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(
        '{"experiment": "x", "title": "t", "seed": 0, "claims": [], "curves": [], "extra": 1}'
    )
    assert mho.report.write(tmp_path).exists()


def test_nothing_is_written_where_a_field_is_wrong(
    run_folder: Callable[..., Path], content: dict
) -> None:
    content["claims"][0]["ours"] = "98"
    folder = run_folder(content)
    with pytest.raises(ValueError, match=r"result\.json: claims\[0\]\.ours = '98'"):
        mho.report.write(folder)
    assert not (folder / "report.html").exists()
    assert not (folder / "figures").exists()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "line 1, column 1"),
        (b'{"title": ', "line 1, column 11"),
        (b"[]", "a table of named fields"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"[" * 100_000, "valid JSON"),
        (b'{"seed": ' + b"9" * 5_000 + b"}", "valid JSON"),
    ],
)
@pytest.mark.parametrize("name", ["result.json", "env.json"])
def test_a_corrupt_file_is_named(
    run_folder: Callable[..., Path], name: str, raw: bytes, words: str
) -> None:
    folder = run_folder()
    (folder / name).write_bytes(raw)
    with pytest.raises(ValueError, match=name) as refusal:
        mho.report.write(folder)
    assert words in str(refusal.value)


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"result.json is missing"):
        mho.report.write(tmp_path)
    with pytest.raises(ValueError, match="an existing run folder"):
        mho.report.write(tmp_path / "nowhere")


def test_nan_as_json_writes_it_is_refused_in_place(run_folder: Callable[..., Path]) -> None:
    folder = run_folder()
    text = (folder / "result.json").read_text()
    (folder / "result.json").write_text(text.replace('"ours": 98.71', '"ours": NaN'))
    assert "NaN" in (folder / "result.json").read_text()
    with pytest.raises(ValueError, match=r"claims\[0\].ours = nan"):
        mho.report.write(folder)
    assert json.loads(text)["claims"][0]["ours"] == 98.71
