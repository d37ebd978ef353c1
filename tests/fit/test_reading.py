"""One measurement written in many ways is read back as the same table."""

import io
import random
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from scipy.io import savemat

from mho.errors import InvalidInput
from mho.fit import Table, parse, read, recognise

V = np.round(np.linspace(-0.5, 0.5, 21), 3)
I = np.round(1e-6 * np.sinh(V / 0.25), 12)  # noqa: E741
TIME = np.round(0.31 + 0.028 * np.arange(21), 4)

PREAMBLES = {
    "none": [],
    "words": ["Keithley 4200A-SCS", "Operator: nobody", ""],
    "settings": ["TestParameter, Measurement.Primary.Count, 20", "SetupTitle, IV", "Points, 21"],
    "comments": ["# made by a script", "# v_step = 0.05"],
}
HEADINGS = {
    "units": ("Time [s]", "Voltage [V]", "Current [uA]"),
    "stroke": ("time/s", "Ewe/V", "<I>/uA"),
    "parentheses": ("Time (s)", "Potential applied (V)", "WE(1).Current (uA)"),
    "bare": ("Time", "AV", "AI"),
    "script": ("Smu1.Time[1][1]", "Smu1.V[1][1]", "Smu1.I[1][1]"),
    "line of units": ("Time", "Voltage", "Current"),
    "after a hash": ("# t [s]", "V [V]", "I [uA]"),
}
FORMATS = ("{:.6e}", "{:.12g}", "engineering")


def number(value: float, form: str, mark: str) -> str:
    """A number as an instrument writes it."""
    if form == "engineering":
        power = 0 if value == 0 else int(3 * np.floor(np.log10(abs(value)) / 3))
        text = f"{value / 10.0**power:.6f}E{power:+d}"
    else:
        text = form.format(value)
    return text.replace(".", mark)


def written(draw: random.Random) -> tuple[str, str]:
    """A sweep in one way of writing, and what the way is."""
    style, preamble = draw.choice(list(HEADINGS)), draw.choice(list(PREAMBLES))
    separator = draw.choice((",", ";", "\t", "  ") if style not in ("parentheses",) else ";\t,")
    mark = "." if separator in (",", "  ") else draw.choice(".,")
    form, end = draw.choice(FORMATS), draw.choice(("\n", "\r\n"))
    scale = 1.0 if style in ("bare", "script") else 1e6
    heads = list(HEADINGS[style])
    columns = [TIME, V, I * scale]
    order = draw.sample(range(3), 3) if style != "after a hash" else [0, 1, 2]
    lines = list(PREAMBLES[preamble])
    lines.append(separator.join(heads[k] for k in order))
    if style == "line of units":
        lines.append(separator.join(("s", "V", "uA")[k] for k in order))
    lines += [separator.join(number(columns[k][r], form, mark) for k in order) for r in range(21)]
    how = f"{style}, {preamble}, {separator!r}, {mark}, {form}, {order}"
    return draw.choice(("", "\ufeff")) + end.join(lines) + end, how


def assert_is_the_sweep(table: Table, how: str) -> None:
    assert recognise(table) == "iv", how
    np.testing.assert_allclose(table.numbers["voltage"], V, atol=1e-9, err_msg=how)
    np.testing.assert_allclose(table.numbers["current"], I, rtol=1e-5, atol=1e-15, err_msg=how)
    np.testing.assert_allclose(table.numbers["time"], TIME, rtol=1e-6, err_msg=how)


@pytest.mark.parametrize("seed", range(100))
def test_a_sweep_in_any_writing_is_the_same_table(seed: int) -> None:
    text, how = written(random.Random(seed))
    assert_is_the_sweep(parse(text, "x.csv"), how)


def test_spreadsheets_and_matlab_files_are_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    first = book.active
    assert first is not None
    first.title = "Settings"
    first.append(["Test", "IV"])
    sheet = book.create_sheet("Data")
    sheet.append(["Time", "AI", "AV", "NOTE"])
    for row in zip(TIME, I, V, strict=True):
        sheet.append([*map(float, row), "#REF"])
    book.save(tmp_path / "x.xlsx")
    table = read(tmp_path / "x.xlsx")
    assert_is_the_sweep(table, "xlsx")
    assert "sheet 'Data' is read; --sheet chooses another: Settings" in table.remarks
    savemat(tmp_path / "x.mat", {"time": TIME, "voltage": V, "current": I})
    assert_is_the_sweep(read(tmp_path / "x.mat"), "mat")
    with pytest.raises(InvalidInput, match="Settings"):
        read(tmp_path / "x.xlsx", sheet="Daten")


TRAIN = {"SET": [2.0, 3.0, 4.0, 5.0], "RESET": [5.0, 4.0, 3.0, 2.0]}
LAYOUTS = {
    "rows": "pulse,polarity,G [uS]\n0,SET,2\n1,SET,3\n2,SET,4\n3,SET,5\n0,RESET,5\n1,RESET,4\n"
    "2,RESET,3\n3,RESET,2\n",
    "LTP beside LTD": "pulse,LTP [uS],LTD [uS]\n0,2,5\n1,3,4\n2,4,3\n3,5,2\n",
    "order of the rows": "G [uS],V_pulse [V]\n2,1\n3,1\n4,1\n5,1\n5,-1\n4,-1\n3,-1\n2,-1\n",
    "with headings of groups": "LTP,,LTD,\nn,G [uS],n,G [uS]\n0,2,0,5\n1,3,1,4\n2,4,2,3\n3,5,3,2\n",
    "in kilohm": "pulse,polarity,R [kOhm]\n0,+,500\n1,+,333.33333333\n2,+,250\n3,+,200\n0,-,200\n"
    "1,-,250\n2,-,333.33333333\n3,-,500\n",
    "on their side": "pulse,0,1,2,3,0,1,2,3\npolarity,SET,SET,SET,SET,RESET,RESET,RESET,RESET\n"
    "G [uS],2,3,4,5,5,4,3,2\n",
}


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS)
def test_trains_in_any_layout_are_the_same_table(text: str) -> None:
    table = parse(text, "x.csv")
    assert recognise(table) == "pulses"
    g = table.numbers.get("conductance")
    if g is None:
        g = 1 / table.numbers["resistance"]
    np.testing.assert_allclose(g * 1e6, [*TRAIN["SET"], *TRAIN["RESET"]], rtol=1e-6)


def test_states_side_by_side_are_cycles() -> None:
    table = parse("R_LRS [kOhm],R_HRS [kOhm]\n4,90\n5,80\n", "x.csv")
    assert table.words["state"].tolist() == ["LRS", "HRS", "LRS", "HRS"]
    assert table.words["cycle"].tolist() == ["1", "1", "2", "2"]
    np.testing.assert_allclose(table.numbers["resistance"], [4e3, 90e3, 5e3, 80e3])


def test_times_across_and_cells_by_row_and_column() -> None:
    table = parse("row,col,R at 1 s [kOhm],R at 1 min [kOhm]\n0,1,4,5\n2,3,6,7\n", "x.csv")
    assert table.words["device"].tolist() == ["row 0 column 1", "row 2 column 3"] * 2
    assert table.numbers["time"].tolist() == [1.0, 1.0, 60.0, 60.0]
    assert recognise(table) == "retention"


def test_clocks_are_seconds() -> None:
    text = "Timestamp;R [kOhm]\n23:59:58.5;4\n00:00:01;5\n00:00:03.5;6\n"
    assert parse(text, "x").numbers["time"].tolist() == [0.0, 2.5, 5.0]
    text = "Date,R [kOhm]\n2024-05-03 14:21:07,4\n2024-05-04 14:21:08,5\n"
    assert parse(text, "x").numbers["time"].tolist() == [0.0, 86401.0]


def test_repeated_reads_are_told_from_devices() -> None:
    noise = np.random.default_rng(1)
    rows = 10 + np.arange(12)[:, None] + 0.1 * noise.standard_normal((12, 4))
    head = "V_pulse [V]," + ",".join(f"G_{k} [uS]" for k in range(4))
    for shift, name in ((0.0, "repeat"), (5.0, "device")):
        body = [f"1,{','.join(f'{g + shift * k:.4f}' for k, g in enumerate(row))}" for row in rows]
        assert name in parse("\n".join([head, *body]), "x.csv")


def test_only_one_current_of_a_sweep_is_used() -> None:
    text = "V1,I1,I2,absI\n" + "".join(f"{v},{1e-6 * v},{1e-9},{abs(1e-6 * v)}\n" for v in V)
    table = parse(text, "x.csv")
    assert len(table) == len(V)
    assert [title for title, _ in table.unused] == ["I2", "absI"]


def test_the_user_says_what_the_file_does_not() -> None:
    text = "0.1,1,10\n0.2,2,20\n0.3,3,30\n"
    with pytest.raises(InvalidInput, match=r"--columns 'conductance=1 \[uS\]' --look"):
        recognise(parse(text, "x.csv"))
    table = parse(text, "x.csv", columns="t [min]=1, G SET [uS]=2, G RESET [uS]=3")
    assert table.words["polarity"].tolist() == ["SET"] * 3 + ["RESET"] * 3
    assert table.numbers["time"][0] == pytest.approx(6.0)
    some = parse("Time;X7\n1;5\n2;6\n", "x.csv", columns="R=X7", units="X7=kOhm, time=h")
    assert some.numbers["resistance"].tolist() == [5e3, 6e3]
    assert some.numbers["time"].tolist() == [3600.0, 7200.0]
    for wrong in ({"columns": "time"}, {"columns": "R [ohm]=Y"}, {"units": "Time=furlong"}):
        with pytest.raises(InvalidInput):
            parse("Time;X7\n1;5\n2;6\n", "x.csv", **wrong)


def test_a_voltage_that_is_not_understood_is_no_retention() -> None:
    rows = "".join(f"{t},{v},{1e-6 * v + 2e-6}\n" for t, v in zip(TIME, V, strict=True))
    table = parse("Time (s),Bias ramp (V),Current (A)\n" + rows, "x.csv")
    with pytest.raises(InvalidInput, match=r"--columns 'voltage=Bias ramp \(V\) \[V\]'"):
        recognise(table)


def test_two_files_are_set_and_reset(tmp_path: Path) -> None:
    for name, sign in (("a", 1), ("b", -1)):
        lines = [f"{50 + sign * k}" for k in range(12)]
        (tmp_path / f"{name}.csv").write_text(
            "\n".join(["cycle,G [uS]", *(f"1,{g}" for g in lines)])
        )
    table = read([tmp_path / "b.csv", tmp_path / "a.csv"])
    assert recognise(table) == "pulses"
    assert table.words["polarity"].tolist() == ["RESET"] * 12 + ["SET"] * 12


@pytest.mark.parametrize("seed", range(40))
def test_garbage_is_read_or_refused_in_one_line(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    text, _ = written(draw)
    raw = bytearray(text.encode())
    for _ in range(draw.choice((1, 5, 50))):
        raw[draw.randrange(len(raw))] = draw.choice(b",;\t\n\"'#%[]()-+eE.0159 \x00\xff")
    del raw[draw.randrange(len(raw)) :]
    path = tmp_path / "x.csv"
    path.write_bytes(io.BytesIO(bytes(raw)).getvalue())
    said = ""
    try:
        recognise(read(path))
    except InvalidInput as error:
        said = str(error)
    assert "\n" not in said


def test_records_below_one_another_are_sweeps() -> None:
    head = "SetupTitle, a\nDataName, Vte, Ite\n"
    rows = "".join(f"DataValue, {v}, {i}\n" for v, i in zip(V, I, strict=True))
    table = parse(head + rows + head + rows, "x.csv")
    assert len(table) == 2 * len(V)
    assert len(set(table.words["cycle"].tolist())) == 2


def test_times_across_as_numbers_take_the_quantity_that_is_said() -> None:
    text = "device\\time (s),1,10,100,1000\nd0,10,11,12,13\nd1,20,21,22,23\n"
    table = parse(text, "x.csv", columns="R [kOhm]=2..")
    assert table.numbers["time"].tolist() == [1.0, 1.0, 10.0, 10.0, 100.0, 100.0, 1e3, 1e3]
    assert table.words["device"].tolist() == ["d0", "d1"] * 4


def test_columns_side_by_side_are_what_the_user_says() -> None:
    noise = np.random.default_rng(1)
    rows = 10 + np.arange(12)[:, None] + 0.1 * noise.standard_normal((12, 4))
    head = "V_pulse [V]," + ",".join(f"G_{k} [uS]" for k in range(4))
    text = "\n".join([head, *(f"1,{','.join(f'{g:.4f}' for g in row)}" for row in rows)])
    for name in ("device", "cycle", "repeat"):
        assert name in parse(text, "x.csv", columns=f"G of {name}=G_*")
