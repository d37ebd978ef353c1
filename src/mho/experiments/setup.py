"""The chips of a run as its settings describe them: a table of the hardware, a card of the cell."""

from __future__ import annotations

import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import tomli_w

import mho.card
from mho import report
from mho.config import Config
from mho.documented import field_docs, first_sentence
from mho.files import flat
from mho.hardware import Hardware
from mho.physics import Preset
from mho.results.setup import Setup

LAWS = ("device", "retention", "flicker", "telegraph", "disturb")
"""Fields of hardware that the card shows."""


def write_page(directory: Path) -> Path:
    """Write the page of finished runs with their chips; see `mho.report.write`."""
    return report.write(directory, setup_of)


def setup_of(config: str | None) -> Setup | None:
    """The chips of a run.

    Args:
        config: text of its `config.toml`; None, or settings without hardware, have no setup.
    """
    try:
        given = tomllib.loads(config or "").get("hardware")
        hardware = Hardware.from_toml(tomli_w.dumps(given)) if given else None
    except ValueError:  # made by another version, whose page is written without
        return None
    if hardware is None:
        return None
    docs = field_docs(Hardware)
    rows = [
        (each.name, _text(value), first_sentence(docs.get(each.name, "")))
        for each in fields(hardware)
        if each.name not in LAWS and _said(value := getattr(hardware, each.name))
    ]
    laws = {name: getattr(hardware, name) for name in LAWS}
    card = mho.card.of_preset("The cell", Preset(**laws))
    return Setup(rows, replace(card, note=""))


def _said(value: Any) -> bool:
    """Whether a value says more than that there is nothing."""
    return value is not None and value is not False and value != ()


def _text(value: Any) -> str:
    if value is True:
        return "yes"
    if isinstance(value, Config):
        return ", ".join(f"{k} {v}" for k, v in flat(tomllib.loads(value.to_toml())).items())
    if isinstance(value, tuple):
        return " x ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
