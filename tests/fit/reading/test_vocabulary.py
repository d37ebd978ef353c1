"""Names of quantities: each means one, and the documents list them all."""

from collections import Counter
from pathlib import Path

from mho.fit.reading.heading import read_heading
from mho.fit.reading.vocabulary import QUANTITIES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "fitting.md"


def test_a_name_means_one_quantity() -> None:
    names = Counter(name for each in QUANTITIES.values() for name in set(each.names))
    assert [name for name, count in names.items() if count > 1] == []


def test_every_name_is_understood() -> None:
    for quantity, each in QUANTITIES.items():
        for name in each.names:
            heading = read_heading(f"{name} [{each.example}]" if each.example else name)
            assert heading is not None, name
            assert heading.quantity == quantity, name


def test_the_page_lists_every_quantity_with_its_unit_and_first_names() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, each in QUANTITIES.items():
        unit = each.unit or ("words" if each.words else "1")
        assert f"| `{name}` | {each.what} | {unit} | {', '.join(each.names[:5])} |" in page
