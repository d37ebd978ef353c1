"""Text of files: encodings, separators, and which lines count."""

from pathlib import Path

import pytest

from mho.errors import InvalidInput
from mho.fit import read
from mho.fit.reading.source import sheets_of
from mho.fit.reading.text import rows_of, separator_of


def test_utf16_and_latin1(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    for encoding in ("utf-16", "latin-1", "utf-8-sig"):
        path.write_bytes("time [s],G [µS]\n1,10\n".encode(encoding))
        assert read(path).numbers["conductance"][0] == pytest.approx(10e-6)


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("a,b,c\n1,2,3\n", ","),
        ("a;b\n1,5;2,5\n3,5;4,5\n", ";"),  # decimal commas
        ("a\tb\n1,5\t2\n", "\t"),
        ("a b\n1 2\n", " "),
        ("a,b\n1,2\nremark; with one\n3,4\n5,6\n", ","),
        ("# x;y;z\na,b\n1,2\n", ","),  # comments have no say
        ("", " "),
    ],
)
def test_the_separator_is_what_most_lines_agree_on(text: str, separator: str) -> None:
    assert separator_of(text) == separator


def test_blank_lines_are_counted_and_left_out_and_comments_marked() -> None:
    text = '# run 3\n\na, b\n% note\n1,"2,5"\n // end\n,\n'
    rows = [(row.line, row.cells) for row in rows_of(text, ",") if not row.comment]
    assert rows == [(3, ["a", "b"]), (5, ["1", "2,5"])]
    assert [row.line for row in rows_of(text, ",") if row.comment] == [1, 4, 6]
    assert rows_of("a  b\tc\n", " ")[0].cells == ["a", "b", "c"]


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    for name, content in {"x.bin": b"PK\x03\x00\x00", "x.xlsx": b"PK\x03\x04 no zip"}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InvalidInput, match=r"a table: text as \.csv"):
            sheets_of(tmp_path / name)
    with pytest.raises(InvalidInput, match="a readable file"):
        sheets_of(tmp_path / "none.csv")
