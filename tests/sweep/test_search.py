"""Searching: what is proposed, what is told, and what a folder that is there already brings."""

import json
from pathlib import Path
from typing import Any

import pytest

from mho import devices
from mho.cli import main
from mho.hardware import price_lists
from mho.results import Result, claim, dumps
from mho.sweep import plan
from mho.sweep.driver import Standing, drive
from mho.sweep.folder import PointFolder, SweepFolder
from mho.sweep.process import DONE, FAILED
from mho.sweep.search import Choice, Search, Span, span_or_choice
from sweep.test_sweep import Pretended

pytest.importorskip("optuna")

OVER = dict(map(span_or_choice, ["writes.fixed_threshold=0.5:1.0", "batch=1:1000:log",
                                 "hardware.adc_bits=4,6,8"]))  # fmt: skip
WANTED = {"good": "maximize", "cheap": "minimize"}


def of(point: PointFolder) -> tuple[float, float]:
    """What a pretended point comes to: the best are those of a threshold of 0.7."""
    settings = point.point.settings
    good = -abs(settings["writes.fixed_threshold"] - 0.7) + settings["seed"] / 1000
    return good, settings["hardware.adc_bits"]


def work(point: PointFolder) -> tuple[int, str]:
    claims = [claim(name, name, [value], "") for name, value in zip(WANTED, of(point), strict=True)]
    result = Result(experiment="siamese", seed=0, title="made up", claims=claims)
    (point.path / "result.json").write_bytes(dumps(result).encode())
    return DONE, ""


def search(folder: Path, trials: int = 12, seeds: int = 2, **more: Any) -> Search:
    given = {"over": OVER, "objectives": WANTED} | more
    return Search(plan.make("siamese", seeds=seeds), given["over"], given["objectives"], trials,
                  SweepFolder(folder))  # fmt: skip


def test_spans_and_choices() -> None:
    assert {"writes.fixed_threshold": Span(0.5, 1.0), "batch": Span(1, 1000, log=True),
                    "hardware.adc_bits": Choice((4, 6, 8))} == OVER  # fmt: skip
    assert span_or_choice("hardware.device=pcm-gst,rram")[1] == Choice(("pcm-gst", "rram"))


@pytest.mark.parametrize("text", ["a", "a=", "=1:2", "a=2:1", "a=0:1:log", "a=1:2:lin"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="over"):
        span_or_choice(text)


def test_all_seeds_of_a_trial_are_tried_and_the_front_is_of_their_means(tmp_path: Path) -> None:
    searched = search(tmp_path)
    standing = drive((), Pretended(work, most=3), searched.more)
    assert len(standing.done) == len(SweepFolder(tmp_path).points()) == 24
    values = {}
    for point in SweepFolder(tmp_path).points():
        settings = {k: point.point.settings[k] for k in OVER}
        values.setdefault(json.dumps(settings, sort_keys=True), []).append(of(point))
    means = [tuple(sum(each) / len(each) for each in zip(*found, strict=True))
             for found in values.values()]  # fmt: skip
    front = {(a, b) for a, b in means
             if not any((c >= a and d <= b) and (c, d) != (a, b) for c, d in means)}  # fmt: skip
    assert sorted(found for _, found in searched.best()) == [
        pytest.approx(found) for found in sorted(front)
    ]


def test_a_search_goes_on_with_what_the_folder_holds(tmp_path: Path) -> None:
    drive((), Pretended(work), search(tmp_path, trials=5).more)
    half_done = SweepFolder(tmp_path).points()[0]
    (half_done.path / "result.json").unlink()
    worked: list[str] = []

    def counted(point: PointFolder) -> tuple[int, str]:
        worked.append(point.path.name)
        return work(point)

    standing = drive((), Pretended(counted), search(tmp_path, trials=8).more)
    assert len(SweepFolder(tmp_path).points()) == len(standing.done) == 16
    assert len(worked) == 1 + 6
    assert half_done.path.name in worked


def test_devices_and_prices_are_known_again_by_their_content(tmp_path: Path) -> None:
    """By name or by file, alone and beside a setting of theirs; and of a changed file they are
    others."""
    files = [tmp_path / f"{name}.toml" for name in ("pcm-gst", "cmo-hfox")]
    for file in files:
        file.write_text(devices.preset(file.stem).to_toml())
    (prices := tmp_path / "mine.toml").write_text(
        price_lists.get("hfo2-130nm").replace(set_energy=3e-12).to_toml()
    )
    choices = {
        "device_file": Choice(tuple(map(str, files))),
        "hardware.device": Choice(("pcm-gst", "ag-asi")),
        "prices": Choice((str(prices), "hfo2-130nm")),
        "hardware.wire_resistance": Choice((0.0, {"row": 1.0, "col": 2.0})),
    }
    beside = {"hardware.device.read_noise": Span(0.01, 0.02)}
    for key, choice in choices.items():
        more = beside if "device" in key else {}
        searched = search(tmp_path / key, seeds=1, over={key: choice} | more)
        for value in choice.values:
            at = {key: value} | dict.fromkeys(more, 0.015)
            (folder,) = searched.sweep.add(searched.plan.at(at))
            assert searched._parameters(folder) == {key: json.dumps(value)} | dict.fromkeys(
                more, 0.015
            )
    (folder,) = SweepFolder(tmp_path / "device_file").add(
        search(tmp_path, seeds=1).plan.at({"device_file": str(files[0])})
    )
    files[0].write_text(devices.preset("ag-asi").to_toml())
    over = {"device_file": choices["device_file"]}
    assert search(tmp_path / "device_file", over=over)._parameters(folder) is None


def test_points_of_other_settings_are_not_of_the_search(tmp_path: Path) -> None:
    SweepFolder(tmp_path).add(plan.make("siamese", seeds=3).points())
    SweepFolder(tmp_path).add(
        plan.make("siamese", grid={"hardware.adc_bits": [4], "batch": [2000]}).points()
    )
    searched = search(tmp_path, trials=1, seeds=1)
    (first,) = searched.more()
    assert first.point.settings["batch"] <= 1000


def test_a_trial_that_fails_is_told_as_failed_and_the_rest_goes_on(tmp_path: Path) -> None:
    def failing(point: PointFolder) -> tuple[int, str]:
        if point.point.settings["hardware.adc_bits"] == 6:
            point.failed("ValueError: no")
            return FAILED, ""
        return work(point)

    searched = search(tmp_path, trials=9, seeds=1)
    standing = drive((), Pretended(failing), searched.more)
    assert standing.parked
    assert len(standing.parked) + len(standing.done) == 9
    assert all(settings["hardware.adc_bits"] != 6 for settings, _ in searched.best())


def test_few_values_are_not_repeated(tmp_path: Path) -> None:
    over = {"hardware.adc_bits": Choice((4, 6))}
    wide = {"writes.fixed_threshold": Choice((0.7,))}
    searched = search(tmp_path, trials=10, seeds=1, over=over | wide)
    assert len(drive((), Pretended(work), searched.more).done) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "over"),
        (["--over", "batch=1:10"], "objective"),
        (["--over", "batsh=1:10", "--objective", "a:max"], "batsh"),
        (["--over", "batch=0:10", "--objective", "a:max"], "batch = 0"),
        (["--over", "batch=1:10", "--objective", "a:max", "--trials", "0"], "trials"),
        (["--over", "batch=9:10", "--objective", "mlp_acuracy:max"], "did you mean 'mlp_accuracy'"),
    ],
)
def test_the_command_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert main(["search", "siamese", *options, "--out", str(tmp_path / "s")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_the_command_begins_in_a_folder_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def driven(*_points: Any, **_how: Any) -> Standing:
        _, _, more = _points
        return Standing(done=list(more(Standing())))

    monkeypatch.setattr("mho.sweep.driver.drive", driven)
    monkeypatch.setattr("mho.sweep.check.check", lambda *_, **__: [])
    options = ["--over", "rate=0.01:0.1", "--objective", "accuracy:max", "--trials", "1"]
    assert main(["search", "siamese", *options, "--out", str(tmp_path / "new" / "s")]) == 0
    assert len(SweepFolder(tmp_path / "new" / "s").points()) == 1
