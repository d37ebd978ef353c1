"""Messy files: read for what they say, or refused with the line."""

import numpy as np
import pytest

from mho.errors import InvalidInput
from mho.fit import fit, parse, recognise

PLAIN = "pulse,polarity,G [uS]\n0,SET,10\n1,SET,12.5\n2,SET,\n1,RESET,11\n"

MESSY = {
    "semicolons and decimal commas": "pulse;polarity;G [uS]\n0;SET;10,0\n1;SET;12,5\n2;SET;\n"
    "1;RESET;11\n",
    "tabs": PLAIN.replace(",", "\t"),
    "a byte-order mark": "\ufeff" + PLAIN,
    "Windows line ends": PLAIN.replace("\n", "\r\n"),
    "comments, blank lines, a preamble": "Keithley 4200\n# run 7\n\n" + PLAIN,
    "headings that come again": PLAIN.replace("1,RESET", "pulse,polarity,G [uS]\n1,RESET"),
    "a line of units": PLAIN.replace("G [uS]", "G").replace("\n0,", "\n,,uS\n0,", 1),
    "other names": PLAIN.replace("pulse,", "Pulse number,").replace("G [uS]", "Conductance (µS)"),
    "a unit after a stroke": PLAIN.replace("G [uS]", "G/μS"),
    "a unit after an underscore": PLAIN.replace("G [uS]", "G_uS"),
    "a gap in words": PLAIN.replace("2,SET,", "2,SET,n/a"),
    "quotes": 'pulse,polarity,"G [uS]"\n0,SET,"10,0"\n1,SET,"12,5"\n2,SET,\n1,RESET,"11"\n',
    "exponents": PLAIN.replace("G [uS]", "G [S]").replace("12.5", "1.25e-5").replace(
        "SET,10", "SET,10E-6").replace("11\n", "1.1e-5\n"),
    "a column more": PLAIN.replace("\n", ",x\n"),
}  # fmt: skip


@pytest.mark.parametrize("text", MESSY.values(), ids=MESSY)
def test_a_messy_file_says_the_same(text: str) -> None:
    table = parse(text, "x.csv")
    assert recognise(table) == "pulses"
    np.testing.assert_allclose(
        table.numbers["conductance"], [10e-6, 12.5e-6, np.nan, 11e-6], rtol=1e-12
    )
    np.testing.assert_array_equal(table.numbers["pulse"], [0, 1, 2, 1])
    assert table.words["polarity"].tolist() == ["SET", "SET", "SET", "RESET"]
    assert [text.splitlines()[n - 1].split(",")[0][0] for n in table.lines] == list("0121")


def test_columns_of_one_quantity_are_devices_or_cycles() -> None:
    table = parse("pulse,polarity,G1 [uS],G2 [uS]\n1,+,10,20\n2,+,11,21\n", "x.csv")
    assert table.words["device"].tolist() == ["1", "1", "2", "2"]
    np.testing.assert_allclose(table.numbers["conductance"], [10e-6, 11e-6, 20e-6, 21e-6])
    assert table.lines.tolist() == [2, 3, 2, 3]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pulse,polarity,G [uS]\n1,SET,10\n2,SET,1o\n", "line 3, column 'G [uS]' = '1o'"),
        ("# a\npulse,polarity,G\n1,SET,10\n", "column 3 = 'G': expected a heading with"),
        ("pulse,polarity,G [V]\n1,SET,10\n", "a unit of S"),
        ("pulse,polarity,G [uS]\n1,SET,10\n2,SET,10,5\n", "line 3 = '4 columns'"),
        ("pulse,polarity,G [uS]\n", "and numbers below"),
        ("1,2,3\n4,5,6\n", "headings that say what the columns hold, or --columns"),
        ("", "a line of headings"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        recognise(parse(text, "x.csv"))
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'time [s],G [nS]\n1,"162,082"\n',
            "line 2, column 'G [nS]' = '162,082': expected 162082,",
        ),
        ("time [s],G [nS]\n1,1_000\n", "= '1_000': expected a number"),
        ("time [s],G [nS]\n1,\u0661\u0662\n", "expected a number"),
        ("time [s];G [nS]\n1,5;1\n2.5;1\n", "'2.5' has a decimal point and '1,5' a decimal comma"),
        ("time [s],G [S]\n1,0\n", "= '0': expected a conductance that a cell can have"),
        ("time [s],G [S]\n1,-1\n", "= '-1': expected a conductance"),
        ("time [s],R [ohm]\n1,0\n", "= '0': expected a resistance that a cell can have"),
        ("time [s],target [S],G [uS]\n1,-1,1\n", "= '-1': expected a target"),
        ("time [s],G [S]\n1,1e400\n", "= '1e400': expected a number, of 1e-300 to 1e300"),
        ("time [s],G [S]\n1," + 2_000_000 * "9" + "\n", "line 2 = '2000002 characters': expected"),
        ("time [s],G [S]\n" + 30_000 * "1," + "\n", "line 2 = '30001 columns': expected"),
        ("[" * 20_000 + ",G [S]\n1,1\n", "not understood"),
    ],
)
def test_numbers_that_are_none_are_refused_with_their_line(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        fit(parse(text, "x.csv"))
    assert said in str(refusal.value)
    assert len(str(refusal.value)) < 1000


def test_thousands_are_told_by_the_rest_of_the_table_and_said() -> None:
    table = parse('time [s],G [nS]\n0.5,"162,082"\n1.5,"1,162,082"\n', "x.csv")
    np.testing.assert_allclose(table.numbers["conductance"], [162_082e-9, 1_162_082e-9])
    assert table.remarks == [
        "column 'G [nS]': commas are taken for separators of thousands, as points mark decimals"
    ]
    table = parse("time [s];G [nS]\n0,5;162,082\n1,5;1.162,5\n", "x.csv")
    np.testing.assert_allclose(table.numbers["conductance"], [162.082e-9, 1162.5e-9])


def test_rows_are_grouped_by_what_their_words_say() -> None:
    table = parse("device,cycle,G [uS]\nb,1,1\na,1,2\nb,2,3\nb,1,4\n", "x")
    assert table.labels("device").tolist() == [0, 1, 0, 0]
    assert table.labels("device", "cycle").tolist() == [0, 1, 2, 0]
    assert table.labels("state").tolist() == [0, 0, 0, 0]
    some = table.kept(np.array([1, 3]))
    assert some.numbers["conductance"] == pytest.approx([2e-6, 4e-6])
    assert some.where(1) == "x, line 5"
    assert len(some) == 2
    assert "device" in some
    assert some.columns == ["conductance", "device", "cycle"]


def test_the_last_digit_is_the_finest_of_a_column() -> None:
    table = parse("time [s],G [uS]\n1,10\n2,10.25\n3,1.1e1\n", "x")
    assert table.resolution["conductance"] == pytest.approx(0.01e-6)
    assert table.resolution["time"] == 1.0
