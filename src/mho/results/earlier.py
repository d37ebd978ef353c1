"""Names that schemes had in earlier versions, and those that they have now.

The one table of them. Results, settings and saved states that hold an earlier name are given that
of today when they are read: results by `result_of_today`, all else by `mho.experiments.earlier`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from mho.results.record import id_of

NAMES: dict[str, dict[str, str]] = {
    "siamese": {
        "level change": "on level change",
        "hysteresis": "fixed threshold",
        "frugal": "falling threshold",
        "frugal, verified": "falling threshold with verify",
        "sparse": "large threshold",
        "read-back": "large threshold with read-back",
        "compensated": "falling threshold with rewrites",
        "every few batches": "falling threshold every few batches",
        "summed gradients": "falling threshold on summed gradients",
        "budget": "write budget",
        "accumulated": "mixed precision in larger steps",
        "probabilistic": "stochastic rounding",
        "coarse probabilistic": "stochastic rounding to larger steps",
        "stochastic sparse": "random sparse updates",
        "sign": "sign of the gradient",
    },
    "metaplastic": {
        "gated importance": "path importance with gates",
        "software": "path importance with gates on ideal chip",
        "importance": "path importance",
        "one state": "path importance with one batch norm",
        "interval": "interval rule",
        "binarized": "binarized network",
        "none": "no protection",
        "gates": "gates alone",
        "gated EWC": "EWC with gates",
        "gated SI": "SI with gates",
        "random": "shuffled path importance",
        "Bayesian": "Bayesian steps",
        "joint": "joint training",
        "apart": "separate networks",
    },
}
"""By experiment: the earlier name of a scheme, and its name of today."""

NO_SCHEMES = {"metaplastic": ("forms", "imperfections")}
"""By experiment: studies whose points are not named by schemes, but have names that schemes had."""

TEXTS = {
    "siamese": {"Frugal writes, ": "Falling threshold, "},
    "metaplastic": {"Of one state and joint no": "Of path importance with one batch norm and joint "
                    "training no"},
}  # fmt: skip
"""By experiment: parts of sentences that hold earlier names."""

_SHOWN = ("what", "note", "title", "summary", "name", "categories", "rows")
"""Fields of a result whose texts name schemes."""


def name_of_today(name: Any, family: str) -> Any:
    """The name of today of a scheme of an experiment; anything else as it is."""
    return NAMES.get(family, {}).get(name, name) if isinstance(name, str) else name


def text_of_today(text: str, family: str) -> str:
    """A text with the names of today where a scheme is named between commas, colons and the
    like."""
    if family not in NAMES:
        return text
    for earlier, now in TEXTS[family].items():
        text = text.replace(earlier, now)
    return _pattern(family).sub(lambda found: NAMES[family][found[0]], text)


def result_of_today(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a result.json of this version or an earlier one holds, with the names of today."""
    family = content.get("experiment")
    if family not in NAMES:
        return content
    studies, title = NO_SCHEMES.get(family, ()), str(content.get("title"))
    alone = title.rpartition(": ")[2]
    of_study = str(content.get("summary")).startswith(f"{alone} alone, ")
    if of_study and alone in studies:
        return content
    out = _renamed(content, family, {*studies, *(f"study_{study}" for study in studies)})
    return out | ({"title": content["title"]} if of_study else {})


@cache
def _pattern(family: str) -> re.Pattern[str]:
    names = "|".join(map(re.escape, sorted(NAMES[family], key=len, reverse=True)))
    return re.compile(rf"(?:(?<![\s\S])|(?<=[,:;] )|(?<= over ))(?:{names})(?=[,:;]|$| over | \()")


def _renamed(value: Any, family: str, but: set[str]) -> Any:
    """JSON values with the names of today, but for those of some ids."""
    if isinstance(value, list):
        return [_renamed(each, family, but) for each in value]
    if not isinstance(value, dict) or str(value.get("id")) in but:
        return value
    out = {
        key: _texts(each, family) if key in _SHOWN else
        each if key == "columns" else _renamed(each, family, but)
        for key, each in value.items()
    }  # fmt: skip
    return out | _id(value, out, family)


def _texts(value: Any, family: str) -> Any:
    """All texts of lists within lists."""
    if isinstance(value, list):
        return [_texts(each, family) for each in value]
    return text_of_today(value, family) if isinstance(value, str) else value


def _id(before: Mapping[str, Any], now: Mapping[str, Any], family: str) -> dict[str, str]:
    """The id of a claim or figure that is made of the name of its scheme."""
    own = before.get("id")
    for earlier, name in NAMES[family].items():
        if own == id_of(earlier) and before.get("what") != now.get("what"):
            return {"id": id_of(name)}
        if str(own).endswith(end := f"_layers_{id_of(earlier)}"):
            return {"id": f"{str(own).removesuffix(end)}_layers_{id_of(name)}"}
    return {}
