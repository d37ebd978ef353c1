"""What a run found, on one screen."""

import json
from pathlib import Path

import pytest

from mho.experiments import EXPERIMENTS
from mho.report.outcome import answer, outcome, told, value
from mho.report.story import STORIES, Story
from mho.results import Claim, Result, load
from mho.results.units import NBSP

RESULTS = Path(__file__).parents[2] / "results"
WHOLE = [name for name in EXPERIMENTS if (RESULTS / name / "standard" / "result.json").exists()]


def result(name: str) -> Result:
    return load(Result, RESULTS / name / "standard" / "result.json")


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("width", [80, 120, 60, 40])
def test_a_result_fits_one_screen(name: str, width: int) -> None:
    lines = outcome(result(name), width=width, lines=22, more="mho report")
    texts = [line.plain for line in lines]
    assert max(map(len, texts)) <= width
    assert len(texts) <= (22 if width >= 60 else 40)
    assert any("more claims: mho report" in text for text in texts) or len(texts) <= 22


@pytest.mark.parametrize("name", WHOLE)
def test_the_answer_comes_first_with_its_spread(name: str) -> None:
    found = result(name)
    said = answer(found).replace(NBSP, " ")
    assert " ± " in said
    assert "(n = " in said
    assert "{" not in said
    lines = [line.plain for line in outcome(found)]
    first = " ".join(lines[: lines.index("")])
    assert first.startswith(f"{name} standard, seed")
    assert first.endswith(f": {said}")
    assert told(found) <= {claim.id for claim in found.claims}
    assert told(found)


def of(claims: list[Claim]) -> Result:
    return Result(experiment="x", preset="quick", seed=3, title="X", claims=claims)


def test_sentences_without_all_their_numbers_are_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Claim("a", "accuracy", 97.0, 98.0, std=0.5, n=4, unit="%")
    found = of([one])
    number = "98.00 ± 0.50 % (n = 4)".replace(" ", NBSP)
    monkeypatch.setitem(STORIES, "x", Story("?", ("it reaches {a}.", "and {b}.")))
    assert answer(found) == f"it reaches {number}."
    assert told(found) == {"a"}
    monkeypatch.setitem(STORIES, "x", Story("?", ("it reaches {b}.",)))
    assert answer(found) == f"accuracy: {number}."
    assert told(found) == set()
    assert value(Claim("a", "accuracy", None, None)) == "no result"


def test_claims_of_the_paper_come_first_and_long_names_keep_both_ends() -> None:
    long = (
        "programming energy gone against the closed loop of every weight at every step, "
        "falling threshold"
    )
    claims = [
        Claim("a", "free", None, 1.0),
        Claim("b", long, 98.0, 97.0),
        Claim("c", "x", 1.0, 2.0),
        Claim("d", f"{long}, verified", 98.0, 99.0),
    ]
    texts = [line.plain for line in outcome(of(claims))]
    rows = texts[texts.index("") + 2 :]
    assert rows[0].startswith("programming energy gone")
    assert "threshold  " in rows[0]
    assert rows[1].startswith("x ")
    assert "verified  " in rows[2]
    assert rows[3].startswith("free ")
    assert "·  not judged: a quick run 3".replace("  ", " ") in texts[-1]


def test_what_is_shown_of_a_screen_of_few_lines() -> None:
    claims = [Claim(f"c{n}", f"claim {n}", None, float(n)) for n in range(30)]
    texts = [line.plain for line in outcome(of(claims), lines=9, more="mho report r --long")]
    assert len(texts) <= 9
    assert texts[-1].endswith("more claims: mho report r --long")


def test_names_in_answers_are_claims_of_the_experiments() -> None:
    import re
    from fnmatch import fnmatchcase

    for name in WHOLE:
        ids = [each["id"] for each in json.loads(
            (RESULTS / name / "standard" / "result.json").read_text()
        )["claims"]]  # fmt: skip
        for sentence in STORIES[name].answer:
            for pattern in re.findall(r"\{([^}]+)\}", sentence):
                there = any(fnmatchcase(each, pattern) for each in ids)
                assert there or pattern.startswith("chip_"), pattern
