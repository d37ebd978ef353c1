"""Numbers of runs in the files of other programs."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from builders.programs import needed_packages
from mho.interchange import JsonLines, TensorBoard, replay

LINES = (
    {"stage": "mlp 0: falling threshold", "step": 10, "validation": 96.5, "weights_written": 7},
    {"stage": "tasks", "step": 20, "task": "mnist", "validation": [94.0, None]},
)


class Kept:
    """A logger of one's own."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, dict[str, float]]] = []

    def log(self, values: Mapping[str, float], step: int) -> None:
        self.lines.append((step, dict(values)))

    def close(self) -> None:
        pass


@pytest.fixture
def run(tmp_path: Path) -> Path:
    text = "".join(f"{json.dumps(line)}\n" for line in LINES)
    (tmp_path / "metrics.jsonl").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_run_is_told_to_any_logger(run: Path) -> None:
    logger = Kept()
    assert replay(run, logger) == 2
    assert logger.lines == [
        (
            10,
            {
                "mlp 0: falling threshold/validation": 96.5,
                "mlp 0: falling threshold/weights_written": 7.0,
            },
        ),
        (20, {"tasks/validation 0": 94.0}),
    ]


def test_a_line_that_is_being_written_is_left_out_and_a_damaged_one_refused(run: Path) -> None:
    file = run / "metrics.jsonl"
    whole = file.read_text(encoding="utf-8")
    file.write_text(f'{whole}{{"stage": "a", "st', encoding="utf-8")
    assert replay(run, Kept()) == 2
    file.write_text(f'{{"stage": "a", "st\n{whole}', encoding="utf-8")
    logger = Kept()
    with pytest.raises(ValueError, match=r"metrics\.jsonl, line 1"):
        replay(run, logger)
    assert logger.lines == []


def test_what_is_no_run_or_no_logger_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a run folder, with metrics\.jsonl"):
        replay(tmp_path / "none", Kept())
    with pytest.raises(ValueError, match=r"log\(values, step\) and close"):
        replay(run, object())


def test_lines_of_json(tmp_path: Path) -> None:
    logger = JsonLines(tmp_path / "log.jsonl")
    logger.log({"accuracy": 0.5, "loss": float("nan")}, 1)
    logger.log({"accuracy": 0.75}, 2)
    logger.close()
    lines = (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"step": 1, "accuracy": 0.5, "loss": None},
        {"step": 2, "accuracy": 0.75},
    ]
    with pytest.raises(ValueError, match="none"):
        JsonLines(tmp_path / "none" / "log.jsonl")


@pytest.mark.filterwarnings("ignore")  # of TensorBoard's own packages
def test_tensorboard_reads_what_was_written(run: Path, tmp_path: Path) -> None:
    needed_packages("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = TensorBoard(tmp_path / "events")
    replay(run, logger)
    logger.close()
    found = EventAccumulator(str(tmp_path / "events")).Reload()
    (point,) = found.Scalars("mlp 0: falling threshold/validation")
    assert (point.step, point.value) == (10, 96.5)
