"""Writes the table of examples/README.md from results/examples.

Run: python examples/table.py
"""

from __future__ import annotations

import json
from pathlib import Path

from chips_over_time import TIMES, in_float, rows, share

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "examples" / "README.md"
NETWORKS = ("resnet8", "resnet8-separable", "lstm", "vit")
MARKERS = ("<!-- results: written by examples/table.py -->\n", "<!-- end of results -->\n")


def table() -> str:
    """The results as Markdown, a table for each network that has one."""
    parts = []
    for name in NETWORKS:
        path = ROOT / "results" / "examples" / f"{name}.json"
        if not path.exists():
            continue
        result = json.loads(path.read_text(encoding="utf-8"))
        head = (
            f"**{name}**, {result['data']}: {in_float(result)} in float; {share(result)} of the "
            f"multiplications on arrays. `{result['command']}`"
        )
        lines = ["| chips | training | repair | " + " | ".join(TIMES) + " |", "|---" * 6 + "|"]
        lines += ["| " + " | ".join(row) + " |" for row in rows(result)]
        parts.append("\n".join([head, "", *lines, ""]))
    return "\n".join(parts)


def readme(text: str) -> str:
    """Text of the README with the present tables."""
    before, rest = text.split(MARKERS[0])
    _, after = rest.split(MARKERS[1])
    return f"{before}{MARKERS[0]}{table()}{MARKERS[1]}{after}"


if __name__ == "__main__":
    README.write_text(readme(README.read_text(encoding="utf-8")), encoding="utf-8")
