"""Writes the README's claims table and picture from the committed results.

Run: python docs/claims.py

Each system is shown with its largest committed run. The table stands between two markers in
README.md; the picture is docs/claims.png. A test holds the README to what this writes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mho.results.units import decimals_of_percent

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "results"
MARKERS = ("<!-- claims: written by docs/claims.py -->\n", "<!-- end of claims -->\n")
SYSTEMS = ("bmcnn", "siamese", "metaplastic")
"""Those in the picture."""
REPAIRS = (
    ("plain", "none", "plain training"),
    ("plain", "layer", "tuned, a gain and offset a layer"),
    ("plain", "batch norm", "batch norm refreshed"),
    ("aware", "batch norm", "the same, variation-aware training"),
)
"""Curves of the first panel: training, mitigation, label."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000",
           "#999999", "#8c6bb1")  # fmt: skip
KEPT = (
    "gated importance", "importance", "interval", "gates", "EWC", "SI", "none", "joint", "apart",
)  # fmt: skip
"""Schemes of the third panel."""
WRITES = ("closed loop", "level change", "frugal", "sparse", "probabilistic", "Tiki-Taka")
"""Schemes of the second panel."""

SHOWN = {
    "bmcnn": (
        "ideal_accuracy",
        "cov50_raw_accuracy",
        "cov50_tuned_layer_accuracy",
        "cov50_best_accuracy",
        "cov50_worst_chip",
        "cov100_raw_accuracy",
        "cov100_best_accuracy",
        "cov100_worst_chip",
        "cov100_more_accuracy",
        "cov100_more_worst_chip",
    ),
    "siamese": (
        "mlp_float_accuracy",
        "mlp_change_accuracy",
        "mlp_change_gone",
        "mlp_accuracy",
        "mlp_gone",
        "mlp_first_epoch_accuracy",
        "mlp_first_epoch_gone",
        "mlp_sparse_accuracy",
        "mlp_sparse_gone",
        "mlp_sparse_writes_per_weight",
        "mlp_rival_accuracy",
        "mlp_rival_gone",
        "mlp_max_writes_per_cell",
        "mlp_write_ratio",
        "cnn_float_accuracy",
        "cnn_accuracy",
        "cnn_gone",
    ),
    "siamese/closed-loop": (
        "mlp_closed_loop_energy_gone",
        "mlp_closed_loop_array_energy_gone",
        "mlp_closed_loop_time_gone",
        "mlp_closed_loop_serial_time_gone",
        "mlp_closed_loop_energy_gone_verified",
        "mlp_closed_loop_time_gone_verified",
    ),
    "metaplastic": (
        "mnist_after_both",
        "fashion_after_both",
        "mnist_software",
        "fashion_software",
        "mnist_recognized",
        "fashion_recognized",
        "mnist_reverse",
        "fashion_reverse",
        "permuted10_average",
        "permuted10_ewc",
        "permuted10_si",
        "permuted10_gated_si",
        "permuted10_joint",
        "cell_ratio",
        "memory_ratio_with_hidden",
        "endurance_share_max",
    ),
    "wires": tuple(
        f"{line}_{what}"
        for line in ("bmcnn", "siamese", "metaplastic_mnist", "metaplastic_fashion_mnist")
        for what in ("unwired", "wired", "compensated", "loop")
        if (line, what) != ("bmcnn", "loop")
    ),
}
"""Claims that the README shows, of an experiment's largest run or of that of a folder; its report
shows all of them."""


def folder_of(name: str) -> Path:
    """The largest committed run of an experiment, or the run of that folder."""
    if "/" in name:
        return RESULTS / name
    folders = [RESULTS / name / preset for preset in ("paper", "standard")]
    folders.append(RESULTS / "quick" / name)
    return next(folder for folder in folders if (folder / "result.json").exists())


def read(name: str, file: str) -> dict[str, Any]:
    """A JSON file of that run."""
    return json.loads((folder_of(name) / file).read_text(encoding="utf-8"))


def table() -> str:
    """The claims as Markdown."""
    lines = ["| system | claim | paper | ours | n |", "|---|---|---|---|---|"]
    commands: dict[str, list[str]] = {}
    for name in SHOWN:
        commands.setdefault(read(name, "env.json")["command"], []).append(name)
        result = read(name, "result.json")
        claims = {claim["id"]: claim for claim in result["claims"]}
        quick = result["preset"] == "quick"  # which leaves some out
        for claim in (claims[id] for id in SHOWN[name] if id in claims or not quick):
            paper = "-" if claim["paper"] is None else f"{claim['paper']:g} {claim['unit']}"
            ours = _number(claim["ours"], claim["std"], claim["unit"])
            cells = (name.partition("/")[0], claim["what"], paper.strip(), ours, str(claim["n"]))
            lines.append("| " + " | ".join(cells) + " |")
    made = "; ".join(f"{', '.join(names)} from `{made}`" for made, names in commands.items())
    return "\n".join(lines) + f"\n\nMade by: {made}.\n"


def readme(text: str) -> str:
    """README text with the present table."""
    before, rest = text.split(MARKERS[0])
    _, after = rest.split(MARKERS[1])
    return f"{before}{MARKERS[0]}{table()}{MARKERS[1]}{after}"


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
    once.set(
        title="Write once: accuracy, held-out images [%]", xlabel="spread of R_ON and R_OFF [%]"
    )

    curves = {c["id"]: c for c in data["siamese"]["curves"]}
    points = {series["name"]: series for series in curves["frontier"]["series"]}
    for colour, name in zip(COLOURS, WRITES, strict=False):
        if name in points:
            rarely.plot(points[name]["x"], points[name]["y"], "o", color=colour, label=name)
    rarely.set(
        title="Write rarely: accuracy, held-out images [%]",
        xlabel="writes per weight, whole training",
        xscale="log",
    )

    curves = {c["id"]: c for c in data["metaplastic"]["curves"]}
    points = {series["name"]: series for series in curves["frontier"]["series"]}
    for colour, name in zip(COLOURS, KEPT, strict=True):
        if name in points:
            life.plot(points[name]["x"], points[name]["y"], "o", color=colour, label=name)
    life.plot([97], [86], "k*", markersize=11, label="paper")
    life.set(
        title="Write for life: two tasks, held-out images",
        xlabel="MNIST after both [%]",
        ylabel="Fashion-MNIST after both [%]",
    )
    for axes in (once, rarely, life):
        axes.legend(frameon=False, fontsize="small")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    return figure


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
    """Rewrite README.md and docs/claims.png."""
    path = ROOT / "README.md"
    path.write_text(readme(path.read_text(encoding="utf-8")), encoding="utf-8")
    picture().savefig(ROOT / "docs" / "claims.png", dpi=110)


if __name__ == "__main__":
    main()
