"""Names keep their looks throughout a page, and no two of one figure look alike."""

from mho.report.looks import MOST, look, looks_of
from mho.results import Curve, Series


def curve(id: str, *names: str) -> Curve:
    series = [Series(name=name, x=[1.0], y=[2.0]) for name in names]
    return Curve(id=id, title="t", x_label="x", y_label="y", series=series)


def test_a_name_looks_alike_in_all_figures() -> None:
    looks = looks_of([curve("a", "float", "ours"), curve("b", "rival", "ours", "float")])
    assert list(looks) == ["float", "ours", "rival"]
    assert looks["ours"] == look(1)


def test_more_names_than_colours_differ_in_mark_and_dash() -> None:
    several = [look(i) for i in range(4 * MOST)]
    assert len(set(several)) == len(several)
    assert len({each.colour for each in several[:MOST]}) == MOST
    for i in range(MOST):
        assert several[i].marker != several[i + MOST].marker
