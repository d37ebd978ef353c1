"""Rankings: what a result may say, and where it is drawn."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from matplotlib.colors import to_hex

from mho.report import write
from mho.report.axes import style
from mho.report.ranking import draw_ranking, in_words, notes_on
from mho.results import Ranking
from mho.results import read as read_record


def row(name: str, index: float, **changes: Any) -> dict[str, Any]:
    ends = {"low": 0.5 * index, "high": 1.5 * index}
    return {"name": name, "value": index, **ends, "side": [1.0, -2.0],
            "side_std": [0.5, None]} | changes  # fmt: skip


def ranking(**changes: Any) -> dict[str, Any]:
    panels = [
        {"name": "once", "floor": 0.1, "rows": [row("wires", 0.8), row("noise", 0.05)]},
        {"name": "for life", "floor": 0.3, "rows": [row("drift", 0.6)]},
    ]
    return {"id": "where", "title": "Where to spend", "value_label": "index",
            "side_label": "points lost", "side_names": ["now", "later"],
            "panels": panels} | changes  # fmt: skip


def read(**changes: Any) -> Ranking:
    return read_record(Ranking, ranking(**changes), "result.json")


def panel(**changes: Any) -> list[dict[str, Any]]:
    return [{"name": "once", "floor": 0.1, "rows": [row("wires", 0.8, **changes)]}]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"panels": []}, "panels.*at least one"),
        ({"panels": [{"name": "a", "floor": 0, "rows": []}]}, r"panels\[0\]\.rows.*at least one"),
        ({"side_names": ["now"]}, r"side.*2 values.*1 values, as many as side_names"),
        ({"panels": panel(low=2.0, high=1.0)}, "at most high = 1"),
        ({"panels": panel(side_std=[0.1])}, "side_std.*1 values"),
        ({"panels": panel(value="much")}, "value"),
    ],
)
def test_what_is_no_ranking_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read(**changes)


def test_dots_bars_and_the_floor_stand_where_the_numbers_say() -> None:
    with style():
        figure = draw_ranking(read())
        figure.draw_without_rendering()
    once, lost, life, _ = figure.axes
    (dots,) = once.lines
    assert list(dots.get_xdata()) == [0.8, 0.05]
    assert [text.get_text() for text in once.get_yticklabels()] == ["wires", "noise"]
    (lines,) = (c for c in once.collections if len(c.get_paths()) == 2)
    assert [path.vertices[:, 0].tolist() for path in lines.get_paths()] == [
        pytest.approx([0.4, 1.2]), pytest.approx([0.025, 0.075]),
    ]  # fmt: skip
    assert [bar.get_width() for bar in lost.patches] == [1.0, 1.0, -2.0, -2.0]
    assert len({to_hex(bar.get_facecolor()) for bar in lost.patches}) == 2
    floor = life.patches[0].get_extents().transformed(life.transData.inverted())
    assert floor.x1 == pytest.approx(0.3)
    assert once.get_xlim() == life.get_xlim()
    assert once.get_xlim()[1] > 1.2


def test_an_endless_interval_does_not_hide_the_rest() -> None:
    with style():
        figure = draw_ranking(read(panels=panel(high=1e27)))
    assert figure.axes[0].get_xlim()[1] < 2
    cut = "Some intervals extend beyond the axis."
    assert cut in notes_on(read(panels=panel(high=1e27)))
    assert cut not in notes_on(read())


def test_the_page_shows_it_first_and_says_what_leads(
    run_folder: Callable[..., Path], content: dict[str, Any]
) -> None:
    folder = run_folder(content | {"rankings": [ranking()]})
    page = write(folder).read_text()
    assert in_words(read()) == "index, largest of each: once wires 0.8, for life drift 0.6"
    assert "largest of each: once wires 0.8" in page
    assert page.index("Where to spend") < page.index(content["curves"][0]["title"])
    assert (folder / "figures" / "where.png").stat().st_size > 1000
