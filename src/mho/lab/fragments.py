"""Parts of the page as HTML: the answer in large print, its costs, the card of the device."""

from __future__ import annotations

from functools import lru_cache
from html import escape
from threading import Lock

from mho import card
from mho.lab.answer import IMAGES, Answer
from mho.report.card import picture_of
from mho.results.units import quantity
from mho.trial.device import Device

_DRAWING = Lock()
"""matplotlib's style is one for all threads."""


def numbers(found: Answer) -> str:
    """Accuracies, energy, writes and lifetime in large print, and what they are of."""
    costs = dict(found.costs)
    large = [
        (f"{100 * each.mean():.1f} %", f"accuracy {what}, ± {100 * each.std(ddof=1):.1f}")
        for what, each in found.accuracy.items()
    ]
    repeats, _, of_what = costs["can be written"].partition(" times")
    small = [
        (costs["energy of an input"], "energy of an input"),
        (costs["pulses to write a cell"], "pulses to write a cell"),
        (repeats, "writes until the first cell dies") if of_what else ("not given", "endurance"),
    ]
    each = [
        f"<div class='number'><div class='value{kind}'>{escape(value)}</div>"
        f"<div class='soft'>{escape(label)}</div></div>"
        for values, kind in ((large, ""), (small, " words"))
        for value, label in values
    ]
    asked = found.question
    said = (
        f"mean and deviation of {asked.chips} chips, {asked.age}, on {IMAGES} held-out digits; "
        f"{100 * found.in_float:.1f} % without chips; found in {quantity(found.seconds, 's')}"
    )
    return f"<div class='numbers'>{''.join(each)}</div><p class='soft' id='said'>{said}</p>"


def costs(found: Answer) -> str:
    """All costs as a table, and what is not known of the device."""
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in found.costs
    )
    notes = "".join(f"<p class='soft'>{escape(note)}</p>" for note in found.remarks)
    return f"<table class='costs'>{rows}</table>{notes}"


@lru_cache(maxsize=32)
def card_of(given: Device) -> str:
    """The card of a device as SVG."""
    with _DRAWING:
        drawn = picture_of(card.of_preset(given.name, given.preset), "svg").decode()
    return drawn[drawn.index("<svg") :]
