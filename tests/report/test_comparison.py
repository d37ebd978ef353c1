"""How a claim came out, and how it is printed on the page and in the terminal."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from mho.report import claims_table
from mho.report.comparison import Verdict, compare, judge, tally
from mho.results import Claim, Result, read
from mho.results.units import MINUS, NBSP


def claim(paper: float | None, ours: float | None, **more: object) -> Claim:
    fields = {"std": None, "n": 1, "unit": "%", "note": "", "better": "higher"} | more
    return Claim(id="a", what="accuracy", paper=paper, ours=ours, **fields)


@pytest.mark.parametrize(
    ("given_claim", "verdict"),
    [
        (claim(97.0, 97.5), Verdict.REACHED),
        (claim(97.0, 97.0), Verdict.REACHED),
        (claim(97.0, 96.9999), Verdict.REACHED),
        (claim(97.0, 96.0), Verdict.SHORT),
        (claim(97.0, 96.51), Verdict.WITHIN),
        (claim(97.0, 96.5), Verdict.SHORT),
        (claim(15.0, 14.98), Verdict.WITHIN),
        (claim(97.4, 97.36), Verdict.WITHIN),
        (claim(97.4, 97.34), Verdict.SHORT),
        (claim(100.0, 99.0), Verdict.SHORT),
        (claim(0.0, -0.2), Verdict.SHORT),
        (claim(97.0, 96.0, std=1.0), Verdict.WITHIN),
        (claim(97.0, 96.0, std=0.99), Verdict.SHORT),
        (claim(None, 96.0), Verdict.NO_PAPER),
        (claim(97.0, None), Verdict.NO_RESULT),
        (claim(5.0, 4.0, better="lower"), Verdict.REACHED),
        (claim(5.0, 6.0, better="lower"), Verdict.SHORT),
        (claim(5.0, 6.0, better="neither"), Verdict.DIFFERS),
        (claim(5.0, 6.0, better="neither", std=2.0), Verdict.WITHIN),
    ],
)
def test_the_verdict(given_claim: Claim, verdict: Verdict) -> None:
    assert judge(given_claim) is verdict


@pytest.mark.parametrize("ours", [96.0, 97.0, 98.0])
def test_a_quick_run_has_no_verdict(ours: float) -> None:
    assert judge(claim(97.0, ours), held=False) is Verdict.NOT_JUDGED
    assert judge(claim(None, ours), held=False) is Verdict.NO_PAPER


def test_decimals_follow_the_spread_and_the_prefix_is_shared() -> None:
    row = compare(claim(1.5e-6, 1.231e-6, std=2.1e-8, unit="J", better="lower"))
    assert (row.paper, row.ours, row.std, row.unit) == ("1.5", "1.231", "0.021", "µJ")
    row = compare(claim(97.4, 96.112, std=0.214))
    assert (row.ours, row.std, row.difference) == ("96.11", "0.21", f"{MINUS}1.29{NBSP}pp")
    assert compare(claim(12, 14, unit="1")).ours == "14"


@given(
    st.none() | st.floats(-1e12, 1e12),
    st.none() | st.floats(-1e12, 1e12),
    st.none() | st.floats(0, 1e12),
    st.sampled_from(["%", "J", "s", "1", "", "B"]),
    st.sampled_from(["higher", "lower", "neither"]),
)
def test_any_claim_can_be_printed(paper, ours, std, unit, better) -> None:
    row = compare(claim(paper, ours, std=std, unit=unit, better=better))
    assert (row.ours == "") == (ours is None)
    assert (row.difference == "") == (paper is None or ours is None)


def test_every_claim_is_counted_once() -> None:
    found = tally([claim(1.0, 2.0), claim(2.0, 1.0), claim(2.0, 1.0)])
    assert found == [(Verdict.REACHED, 1), (Verdict.SHORT, 2)]


def test_terminal_table_shows_paper_beside_ours(content: dict) -> None:
    content["claims"][0]["what"] = "[bold]not markup[/bold] [/x]"
    out = io.StringIO()
    Console(file=out, width=140).print(claims_table(read(Result, content, "result")))
    text = out.getvalue()
    assert "[bold]not markup[/bold] [/x]" in text
    assert "97.4" in text
    assert "96.11 ± 0.21 (32)" in text
    assert "▼ falls short of the paper" in text
    assert "µJ" in text
