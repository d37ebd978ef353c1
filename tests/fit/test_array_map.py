"""Residuals in the places of their cells."""

from pathlib import Path

import numpy as np
import pytest

from builders.drawn import crowded
from builders.measurements import (
    LEVELS,
    PULSED,
    STATES,
    bakes,
    program_and_read,
    pulse_trains,
    traces,
    two_states,
)
from mho.cells import LogTime, PowerLaw
from mho.fit import fit, parse
from mho.fit.array_map import map_of
from mho.report.axes import style
from mho.report.residuals import draw_fit

FILES = {
    "pulses": pulse_trains(PULSED, 1, devices=6, cycles=2)[0],
    "levels": program_and_read(LEVELS, 1, devices=6, repeats=5)[0],
    "states": two_states(STATES, 1, devices=6, cycles=6)[0],
    "endurance": two_states(STATES, 1, devices=6, cycles=120)[0],
    "retention": traces(LogTime(rate=-5e-7, rate_spread=1e-7), 1, devices=6)[0],
    "retention, of bakes": bakes(PowerLaw(nu=0.05, t0=1.0, activation=1.1), 1, devices=2)[0],
}


def placed(text: str) -> str:
    """The same file, with its devices 0 to 5 in rows 3 and 4 of columns 7 to 9."""
    head, *rows = text.splitlines()
    head = head.replace("device,", "row,column,").replace("cell,", "row,column,")
    told = (row.partition(",") for row in rows)
    lines = [f"{3 + int(d) // 3},{7 + int(d) % 3},{rest}" for d, _, rest in told]
    return "\n".join([head, *lines])


@pytest.mark.parametrize("name", FILES)
def test_every_kind_with_rows_and_columns_has_a_map(name: str) -> None:
    """Whose cells are those of the file, and whose mean is that of the residuals."""
    table = parse(placed(FILES[name]), "array.csv")
    found = fit(table, name.partition(",")[0])
    array = found.picture.array
    assert array is not None
    assert array.rows.tolist() == [3, 4]
    assert array.columns.tolist() == [7, 8, 9]
    assert found.picture.device is not None
    for r in (0, 1):
        for c in (0, 1, 2):
            own = found.picture.device == f"row {3 + r} column {7 + c}"
            assert own.any()
            mean = found.picture.residual[own].mean()
            assert array.mean[r, c] == pytest.approx(mean, abs=1e-9)
    with style():
        figure = draw_fit(found.picture, name)
        assert crowded(figure) == []
    assert [axes.get_ylabel() for axes in figure.axes][2] == "row"
    plain = fit(parse(FILES[name], "devices.csv"), name.partition(",")[0])
    assert plain.picture.array is None


def test_a_cell_that_is_off_stands_out() -> None:
    device = np.array([f"row {r} column {c}" for r in range(3) for c in range(4)] * 5)
    residual = np.where(device == "row 1 column 2", 4.0, 0.0)
    found = map_of(device, residual)
    assert found is not None
    assert np.argwhere(found.mean > 1).tolist() == [[1, 2]]


@pytest.mark.parametrize(
    "names",
    [
        ["a", "b", "c", "d"],
        ["row 1 column 1", "row 1 column 2", "row 1 column 3", "row 1 column 4"],
        ["row 1 column 1", "row 2 column 2", "row 3 column 3"],
        ["die 1 row 1 column 1", "die 1 row 1 column 2", "die 2 row 2 column 1", "die 2 row 2 c"],
        ["die 1 row 1 column 1", "die 1 row 1 column 2", "die 2 row 2 column 1",
         "die 2 row 2 column 2"],
        ["row 1 column 1", "row 9999 column 2", "row 3 column 1", "row 4 column 2"],
    ],
)  # fmt: skip
def test_what_is_no_array_has_no_map(names: list[str]) -> None:
    assert map_of(np.array(names), np.zeros(len(names))) is None


def test_the_picture_of_a_file_has_it(tmp_path: Path) -> None:
    from mho.report.residuals import picture_of

    found = fit(parse(placed(FILES["levels"]), "array.csv"))
    assert picture_of(found.picture, "array").startswith(b"\x89PNG")
