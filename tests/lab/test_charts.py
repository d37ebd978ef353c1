import json

import numpy as np
import torch

import mho
from mho.lab import charts, fragments
from mho.lab.answer import Answer
from mho.lab.question import Question
from mho.trial.device import device

FOUND = Answer(
    question=Question(name="pcm-gst", device=mho.devices.preset("pcm-gst"), chips=2),
    in_float=0.984,
    accuracy={"as written": np.array([0.5, 0.7]), "after repair": np.array([0.97, 0.98])},
    costs=[("energy of an input", "5 nJ"), ("pulses to write a cell", "10"),
           ("can be written", "100 times, until the first cell dies"), ("prices", "a < b")],
    remarks=["1/f noise & more"],
    seconds=0.5,
    cells={"layer": torch.zeros(2, 1, 3, 4)},
)  # fmt: skip


def test_each_chip_is_a_dot_and_all_are_in_sight() -> None:
    drawn = charts.accuracies(FOUND)
    json.dumps(drawn)
    dots = [value for series in drawn["series"] for _, value in series["data"]]
    assert dots == [50.0, 70.0, 97.0, 98.0]
    assert drawn["yAxis"]["min"] < 50
    assert drawn["series"][0]["markLine"]["data"] == [{"yAxis": 98.4}]


def test_each_cell_has_its_place_and_value() -> None:
    cells = torch.tensor([[1e-6, 2e-6], [torch.nan, 25e-6]])
    drawn = charts.array(cells)
    json.dumps(drawn)
    assert drawn["series"][0]["data"] == [[0, 0, 1.0], [1, 0, 2.0], [1, 1, 25.0]]
    assert drawn["visualMap"]["text"] == ["25 µS", "1 µS"]
    assert (len(drawn["xAxis"]["data"]), len(drawn["yAxis"]["data"])) == (2, 2)


def test_an_array_without_cells_is_empty() -> None:
    assert charts.array(torch.full((2, 2), torch.nan))["series"][0]["data"] == []


def test_large_print_says_means_and_deviations() -> None:
    shown = fragments.numbers(FOUND)
    for part in ("60.0 %", "± 14.1", "97.5 %", "5 nJ", ">100<", "mean and deviation of 2 chips"):
        assert part in shown


def test_texts_of_a_device_are_no_markup() -> None:
    shown = fragments.costs(FOUND)
    assert "a &lt; b" in shown
    assert "1/f noise &amp; more" in shown


def test_a_card_is_a_picture() -> None:
    drawn = fragments.card_of(device("two-state-10k-100k"))
    assert drawn.startswith("<svg")
    assert drawn.rstrip().endswith("</svg>")
