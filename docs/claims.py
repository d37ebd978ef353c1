"""Writes headlines, claims and their picture from the committed results.

Run: python docs/claims.py

Each system is shown with its largest committed run. The headlines stand between two markers in
README.md, all claims in docs/claims.md; the picture is docs/claims.png. A test holds both documents
to what this writes.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mho.results.earlier import result_of_today
from mho.results.units import decimals_of_percent

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "results"
SYSTEMS = ("bmcnn", "siamese", "metaplastic")
"""Those in the picture."""
REPAIRS = (
    ("plain", "none", "no repair"),
    ("plain", "layer", "a gain and offset for each layer"),
    ("plain", "batch norm", "batch normalization measured anew"),
    ("aware", "batch norm", "the same, and trained for spread"),
)
"""Curves of the first panel: training, mitigation, label."""
WRITES = {
    "closed loop": "every step (closed loop)",
    "on level change": "at every change of level",
    "falling threshold": "beyond a falling threshold",
    "large threshold": "beyond a large threshold",
    "stochastic rounding": "stochastic rounding (rival)",
    "Tiki-Taka": "Tiki-Taka (rival)",
}
"""Schemes of the second panel, and when they write."""
KEPT = {
    "path importance with gates": "path importance with gates",
    "path importance": "path importance",
    "interval rule": "interval rule",
    "EWC": "EWC (rival)",
    "SI": "SI (rival)",
    "no protection": "no protection",
    "separate networks": "a network for each task",
}
"""Schemes of the third panel."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
MARKS = "osD^vPX"

WORDS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
"""The claims that are shown, by the run that they are of, and what each says in plain words."""


def folder_of(name: str) -> Path:
    """The largest committed run of an experiment, or the run of that folder."""
    if "/" in name:
        return RESULTS / name
    folders = [RESULTS / name / preset for preset in ("paper", "standard")]
    folders.append(RESULTS / "quick" / name)
    return next(folder for folder in folders if (folder / "result.json").exists())


def read(name: str, file: str) -> dict[str, Any]:
    """A JSON file of that run."""
    found = json.loads((folder_of(name) / file).read_text(encoding="utf-8"))
    return dict(result_of_today(found)) if file == "result.json" else found


def table(name: str) -> str:
    """The claims of a run as Markdown, and the command that made it."""
    result, made = read(name, "result.json"), read(name, "env.json")
    claims = {claim["id"]: claim for claim in result["claims"]}
    lines = ["| | paper | mho | runs or chips |", "|---|---|---|---|"]
    for id, words in WORDS["runs"][name]["claims"].items():
        claim = claims[id]
        paper = "" if claim["paper"] is None else f"{claim['paper']:g} {claim['unit']}".strip()
        if "one_epoch" in WORDS["runs"][name] and "first_epoch" not in id:
            paper = ""
        ours = _number(claim["ours"], claim["std"], claim["unit"])
        lines.append(f"| {words} | {paper} | {ours} | {claim['n']} |")
    return "\n".join(lines) + f"\n\nMade by `{made['command']}`, commit {made['commit'][:7]}.\n"


def tables() -> str:
    """All of them under their headings."""
    parts = [
        f"## {run['title']}\n\n{_about(run)}\n\n{table(name)}"
        for name, run in WORDS["runs"].items()
    ]
    return "\n" + "\n".join(parts) + "\n"


def _about(run: dict[str, Any]) -> str:
    """What stands under the heading of a run."""
    return f"{run['about']} {run.get('one_epoch', '')}".strip()


def headlines() -> str:
    """One sentence about each system."""
    claims = {c["id"]: c for name in SYSTEMS for c in read(name, "result.json")["claims"]}
    numbers = {id: _number(c["ours"], None, c["unit"]) for id, c in claims.items()}
    for id in ("mlp_writes_per_weight", "mean_writes"):
        numbers[id] = f"{claims[id]['ours']:.2g}"
    for line, best, lost in (
        ("once", "ideal_accuracy", "cov100_best_accuracy"),
        ("rarely", "mlp_float_accuracy", "mlp_accuracy"),
    ):
        numbers[f"{line}_lost"] = f"{claims[best]['ours'] - claims[lost]['ours']:.1f}"
    return WORDS["headlines"].format(**numbers)


def between(text: str, part: str, content: str) -> str:
    """A document with what stands between the markers of a part exchanged."""
    start, end = f"<!-- {part}: written by docs/claims.py -->\n", f"<!-- end of {part} -->\n"
    before, rest = text.split(start)
    return f"{before}{start}{content}{end}{rest.split(end)[1]}"


def documents() -> dict[Path, str]:
    """What the documents should say, by their paths."""
    parts = ((ROOT / "README.md", "headlines", headlines()),
             (ROOT / "docs" / "claims.md", "claims", tables()))  # fmt: skip
    return {p: between(p.read_text(encoding="utf-8"), part, new) for p, part, new in parts}


def picture() -> Figure:
    """Three panels: one system each."""
    data = {name: read(name, "result.json") for name in SYSTEMS}
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    once, rarely, life = figure.subplots(1, 3)

    curves = {c["id"]: c for c in data["bmcnn"]["curves"]}
    lines = []
    for training, mitigation, label in REPAIRS:
        rows = curves[f"both_{training}"]["series"]
        lines.append(next(r for r in rows if r["name"] == mitigation) | {"name": label})
    _lines(once, lines)
    once.set(title="Write once", xlabel="spread of the resistances [% of their mean]")
    _points(rarely, data["siamese"], WRITES)
    rarely.set(title="Write rarely", xlabel="writes for each weight in the training", xscale="log")
    for axes in (once, rarely):
        axes.set_ylabel("MNIST accuracy [%]")
    _points(life, data["metaplastic"], KEPT)
    life.plot([97], [86], "k*", markersize=11, label="the paper")
    life.set(
        title="Write for life",
        xlabel="MNIST after both tasks [%]",
        ylabel="Fashion-MNIST after both [%]",
    )
    for axes in (once, rarely, life):
        axes.legend(frameon=False, fontsize="small")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    caption = (
        "Accuracy on held-out images. Left: mean and standard deviation over chips. "
        "Middle, right: one point for each seed."
    )
    figure.supxlabel(caption, fontsize=9)
    return figure


def _points(axes: Axes, result: dict[str, Any], names: dict[str, str]) -> None:
    """Both axes of a result's frontier, a mark for each scheme."""
    curve = next(curve for curve in result["curves"] if curve["id"] == "frontier")
    points = {series["name"]: series for series in curve["series"]}
    for colour, mark, (name, label) in zip(COLOURS, MARKS, names.items(), strict=False):
        if name in points:
            x, y = points[name]["x"], points[name]["y"]
            axes.plot(x, y, mark, color=colour, label=label, markersize=5)


def _lines(axes: Axes, rows: list[dict[str, Any]]) -> None:
    for colour, series in zip(COLOURS, rows, strict=False):
        axes.plot(series["x"], series["y"], "o-", color=colour, label=series["name"])
        if series["std"]:
            low = [y - s for y, s in zip(series["y"], series["std"], strict=True)]
            high = [y + s for y, s in zip(series["y"], series["std"], strict=True)]
            axes.fill_between(series["x"], low, high, color=colour, alpha=0.15, linewidth=0)


def _number(value: float, std: float | None, unit: str) -> str:
    """A number with its spread, two digits beyond what matters."""
    digits = decimals_of_percent(value) if unit == "%" else 2
    digits = 0 if value == round(value) else digits
    digits = 4 if abs(value) < 0.5 and value else digits
    spread = "" if std is None else f" ± {std:.{max(digits, 1)}f}"
    return f"{value:.{digits}f}{spread} {unit}".strip()


def main() -> None:
    """Rewrite the documents and docs/claims.png."""
    for path, text in documents().items():
        path.write_text(text, encoding="utf-8")
    picture().savefig(ROOT / "docs" / "claims.png", dpi=110)


if __name__ == "__main__":
    main()
