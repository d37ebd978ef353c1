"""What the page draws, as options of ECharts: accuracies of chips, and the cells of an array."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from mho.lab.answer import Answer
from mho.report.axes import colours
from mho.results.units import prefixed

GREY = "#8a8a8a"
"""Of text and lines, seen on white and on black."""
SCALE = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
"""From the lowest to the highest conductance: viridis."""


def accuracies(answer: Answer) -> dict[str, Any]:
    """A dot for each chip, as written and after repair, and the network without any chip."""
    every = [100 * float(v) for each in answer.accuracy.values() for v in each]
    least = max(0.0, math.floor(min(*every, 100 * answer.in_float) - 1))
    marks = {"symbol": "none", "lineStyle": {"color": GREY, "type": "dashed"},
             "label": {"formatter": "without chips", "color": GREY, "position": "insideEndTop"},
             "data": [{"yAxis": round(100 * answer.in_float, 2)}]}  # fmt: skip
    series = [
        {
            "type": "scatter", "name": what, "symbolSize": 11, "color": colour,
            "data": [[what, round(100 * float(value), 2)] for value in accuracy],
            "itemStyle": {"opacity": 0.75},
        }
        for (what, accuracy), colour in zip(answer.accuracy.items(), colours(2), strict=True)
    ]  # fmt: skip
    series[0]["markLine"] = marks
    return {
        "animation": False,
        "grid": {"left": 48, "right": 16, "top": 28, "bottom": 28},
        "tooltip": {"formatter": "{c}"},
        "xAxis": {"type": "category", "data": [*answer.accuracy], "axisLabel": {"color": GREY}},
        "yAxis": {
            "type": "value", "min": least, "max": 100, "name": "accuracy [%]",
            "nameTextStyle": {"color": GREY, "align": "left"}, "axisLabel": {"color": GREY},
            "splitLine": {"lineStyle": {"color": GREY, "opacity": 0.3}},
        },
        "series": series,
    }  # fmt: skip


def array(cells: Tensor) -> dict[str, Any]:
    """Cells of one array (rows, width) [S] as a picture that says the value under the pointer.

    Places without a cell of a weight, which are nan, stay empty.
    """
    rows, width = cells.shape
    factor, unit = prefixed(cells.nan_to_num(0.0).max().item(), "S")
    shown = (cells / factor).tolist()
    data = [
        [col, row, float(f"{value:.4g}")]
        for row, each in enumerate(shown)
        for col, value in enumerate(each)
        if value == value  # not nan
    ]
    values = [value for *_, value in data] or [0.0]
    axis = {"type": "category", "axisLabel": {"color": GREY}, "axisTick": {"show": False},
            "axisLine": {"show": False}}  # fmt: skip
    title = {"nameLocation": "middle", "nameTextStyle": {"color": GREY}}
    return {
        "animation": False,
        "grid": {"left": 48, "right": 64, "top": 12, "bottom": 40},
        "tooltip": {":formatter": f"p => `row ${{p.value[1]}}, column ${{p.value[0]}}: "
                                  f"<b>${{p.value[2]}} {unit}</b>`"},
        "xAxis": axis | title | {"data": [*range(width)], "name": "column", "nameGap": 26},
        "yAxis": axis | title | {"data": [*range(rows)], "inverse": True, "name": "row",
                                 "nameGap": 32},
        "visualMap": {
            "min": min(values), "max": max(values), "right": 0, "top": "middle", "itemWidth": 12,
            "text": [f"{value:.3g} {unit}" for value in (max(values), min(values))],
            "textStyle": {"color": GREY}, "inRange": {"color": [*SCALE]},
        },
        "series": [{"type": "heatmap", "data": data, "progressive": 0}],
    }  # fmt: skip
