"""The page: well formed, self-contained, escaped, and with everything the run holds."""

import base64
import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl

import mho.report

VOID = {"meta", "link", "br", "hr", "img", "input"}
HOSTILE = "<script>alert(1)</script> & \"q\" 'a' {{ 7*7 }} $\\frac{1}{0$ \x00\x1b \ud800 電導"


class Page(HTMLParser):
    """Checks that tags close in order, and keeps what the tests ask for."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        assert len({name for name, _ in attrs}) == len(attrs), f"attribute twice in {tag}"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> without a start"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["script"]):
            self.text += data

    def values(self, name: str) -> list[str]:
        return [value for _, key, value in self.attributes if key == name]


def read(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def test_one_run(one_page: Path) -> None:
    folder = one_page.parent
    assert one_page == folder / "report.html"
    page = read(one_page)
    assert page.tags["h1"] == 1
    assert page.tags["svg"] == page.tags["figure"] == page.tags["figcaption"] == 7
    assert page.tags["script"] == 0
    for words in (
        "falls short of the paper",
        "the paper averages over 5 measured arrays",
        "conductance [µS]",
        "SET pulses",
        "1.2\N{NO-BREAK SPACE}µJ",
        "10.1\N{NO-BREAK SPACE}years",
        "401\N{NARROW NO-BREAK SPACE}408",
        "mho run all --preset quick --seed 0 --out 'my runs'",
        "r_off = 1e6",
        "2025-03-04 14:05",
        "torch 2.13.0",
        "0123abc",
    ):
        assert words in page.text
    figures = ("accuracy", "claims", "confusion", "levels", "tasks", "wear", "wires")
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF", "csv": b""}
    files = {f"{name}.{kind}" for name in figures for kind in starts} - {"claims.csv"}
    assert {each.name for each in (folder / "figures").iterdir()} == files
    for each in (folder / "figures").iterdir():
        assert each.read_bytes().startswith(starts[each.suffix[1:]])


def test_the_files_of_a_figure_come_along_with_the_page(one_page: Path) -> None:
    page = read(one_page)
    names = [value for tag, key, value in page.attributes if (tag, key) == ("a", "download")]
    assert len(names) == 3 * 7 - 1
    addresses = [value for value in page.values("href") if value.startswith("data:text/csv")]
    numbers = base64.b64decode(addresses[0].partition(",")[2])
    assert numbers == (one_page.parent / "figures" / "accuracy.csv").read_bytes()


def test_tables_stand_after_the_claims_and_maps_between_curves_and_histograms(
    one_page: Path,
) -> None:
    text = read(one_page).text
    text = text[text.index("numbers beside ours; n counts") :]  # behind the contents
    order = (
        "numbers beside ours; n counts",
        "What each mitigation brings",
        "Figures",
        "Largest error of a column current",
        "Which digit is taken for which",
        "Conductance after program-and-verify",
    )
    found = [text.index(each) for each in order]
    assert found == sorted(found)


def test_many_runs_in_the_order_of_the_story(many_page: Path) -> None:
    page, many = read(many_page), many_page.parent
    titles = [page.text.index(each) for each in ("Write once", "Write rarely", "Write for life")]
    assert titles == sorted(titles)
    assert "The run in wires/ has no result.json" in page.text
    assert "notes/" not in page.text
    assert page.tags["article"] == 3
    assert (many / "siamese" / "figures" / "wear.png").exists()
    assert not (many / "figures").exists()


def test_ids_are_unique_and_every_reference_is_met(many_page: Path) -> None:
    page = read(many_page)
    ids = page.values("id")
    assert [name for name, times in Counter(ids).items() if times > 1] == []
    links = [value[1:] for value in page.values("href") if value.startswith("#")]
    clips = re.findall(r"url\(#([^)]*)\)", many_page.read_text(encoding="utf-8"))
    labels = page.values("aria-labelledby")
    assert links
    assert clips
    assert labels
    assert {*links, *clips, *labels} <= set(ids)


def test_nothing_is_loaded_from_anywhere(many_page: Path) -> None:
    html = many_page.read_text(encoding="utf-8")
    page = Page(html)
    assert page.values("src") == []
    assert all(value.startswith(("#", "data:")) for value in page.values("href"))
    assert "@import" not in html
    assert re.findall(r"url\((?!#)", html) == []
    assert re.findall(r"https?://", html) == []
    assert [name for _, name, _ in page.attributes if name.startswith("on")] == []


def test_figures_are_named_for_those_who_do_not_see_them(one_page: Path) -> None:
    page = read(one_page)
    named = [value for tag, key, value in page.attributes if (tag, key) == ("svg", "aria-label")]
    assert len(named) == page.tags["svg"]
    assert any("Conductance after program-and-verify" in each for each in named)


def test_hostile_text_stays_text(run_folder: Callable[..., Path], content: dict) -> None:
    content |= {"title": HOSTILE, "summary": HOSTILE, "experiment": HOSTILE, "preset": HOSTILE}
    content["claims"][0] |= {"what": HOSTILE, "note": HOSTILE, "unit": HOSTILE, "id": HOSTILE}
    content["claims"][1]["what"] = HOSTILE
    for figure in (*content["curves"], *content["histograms"], *content["maps"]):
        figure |= {"title": HOSTILE, "x_label": HOSTILE, "y_label": HOSTILE}
    content["curves"][0]["series"][0]["name"] = HOSTILE
    content["curves"][0]["marks"][0]["label"] = HOSTILE
    content["histograms"][0]["groups"][0]["name"] = HOSTILE
    content["maps"][0]["value_label"] = HOSTILE
    content["maps"][0]["x"][0] = content["maps"][0]["y"][0] = HOSTILE
    table = content["tables"][0]
    table |= {"title": HOSTILE, "note": HOSTILE, "columns": [{"name": HOSTILE, "unit": HOSTILE}]}
    table["rows"] = [[HOSTILE], [1e-6]]
    content["ledger"]["layers"][0] |= {"layer": HOSTILE, HOSTILE: 3}
    content["cost"]["items"][0] |= {"what": HOSTILE, "unit": HOSTILE}
    content["cost"]["prices"] = HOSTILE
    folder = run_folder(content)
    (folder / "config.toml").write_text("</code></pre><script>alert(1)</script>")
    (folder / "env.json").write_text(
        '{"command": ["<script>", "\\u0000"], "<b>": {"<i>": "</dl>"}}'
    )
    page = read(mho.report.write(folder))
    assert page.tags["script"] == 0
    verdicts = [value for tag, key, value in page.attributes if (tag, key) == ("li", "class")]
    assert page.tags["b"] == len(content["claims"]) + len(verdicts)
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7*7 }}" in page.text


def test_gaps_and_empty_parts_are_drawn(run_folder: Callable[..., Path], content: dict) -> None:
    content["claims"][0]["ours"] = None
    content["curves"] = [
        {"id": "none", "title": "t", "x_label": "x [s]", "y_label": "y [S]", "series": []},
        {
            "id": "gaps",
            "title": "t",
            "x_label": "x [s]",
            "y_label": "y [S]",
            "x_scale": "log",
            "y_scale": "log",
            "series": [
                {"name": "", "x": [], "y": [], "std": []},
                {"name": "nulls", "x": [1, 2], "y": [None, None], "std": [None, None]},
                {"name": "signs", "x": [0, -1, 3], "y": [0, -1, 1e-6], "std": [1, None, 1e-5]},
            ],
            "marks": [{"x": 0, "label": "start"}, {"x": 2, "label": "m" * 90}],
        },
    ]
    content["histograms"] = [
        {"id": "empty", "title": "t", "x_label": "x", "groups": []},
        {
            "id": "zeros",
            "title": "t",
            "x_label": "writes",
            "x_scale": "log",
            "y_scale": "log",
            "groups": [{"name": "all", "edges": [0, 1, 10], "counts": [0, 0]}],
        },
    ]
    content["maps"] = []
    content["tables"] = [{"id": "none", "title": "t", "columns": [{"name": "a"}], "rows": []}]
    content["ledger"] = {"layers": [], "total": {}}
    content["cost"] = {"prices": "", "items": []}
    page = read(mho.report.write(run_folder(content)))
    assert "no result" in page.text
    assert "no rows" in page.text
    assert page.tags["svg"] == 5
    assert "The leftmost bin begins at zero." in page.text


def test_a_quick_run_is_not_held_to_the_paper(
    run_folder: Callable[..., Path], content: dict
) -> None:
    text = read(mho.report.write(run_folder(content | {"preset": "quick"}))).text
    assert "not judged: a quick run" in text
    assert "reaches the paper" not in text
    assert "by more than that spread" in " ".join(text.split())  # how to read it


def test_a_run_without_its_other_files_says_so(run_folder: Callable[..., Path]) -> None:
    folder = run_folder()
    for name in ("env.json", "config.toml", "metrics.jsonl"):
        (folder / name).unlink()
    assert "not recorded" in read(mho.report.write(folder)).text


def test_writing_twice_gives_the_same_bytes_and_no_remains(
    run_folder: Callable[..., Path], content: dict
) -> None:
    folder = run_folder(content | {"curves": content["curves"][:1], "histograms": []})
    settings = dict(mpl.rcParams)
    first = mho.report.write(folder).read_bytes()
    assert mho.report.write(folder).read_bytes() == first
    assert dict(mpl.rcParams) == settings
    assert list(folder.rglob(".*")) == []
    assert not list(folder.rglob("*.tmp"))
