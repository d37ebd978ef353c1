"""What the points of a study are to the figures and tables made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]
"""Fields of a point, and the accuracy [%] of its chips."""


def pooled(rows: Sequence[Row], training: str, name: str, cov: float) -> list[float]:
    """Accuracy of all chips of all trainings at a point."""
    wanted = (training, name, cov)
    return [
        a
        for r in rows
        if (r["training"], r["mitigation"], r["cov_on"]) == wanted
        for a in r["accuracy"]
    ]
