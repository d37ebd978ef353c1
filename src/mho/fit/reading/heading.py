"""What the heading of a column says: a quantity and the factor that brings it to SI units."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mho.errors import invalid

NAMES: dict[str, tuple[str, ...]] = {
    "target": ("target", "g target", "target g", "goal", "setpoint", "desired", "r target",
               "target r", "target conductance", "conductance target", "target resistance"),
    "v_read": ("v read", "read voltage", "vread", "u read"),
    "v_pulse": ("v pulse", "pulse voltage", "vpulse", "amplitude", "pulse amplitude", "v prog",
                "v write", "write voltage"),
    "conductance": ("g", "conductance", "g read", "gread", "read g", "leitwert", "read back",
                    "readback", "read", "measured", "g meas", "measured g",
                    "measured conductance", "read conductance"),
    "resistance": ("r", "resistance", "r read", "rread", "r meas", "resistivity", "widerstand",
                   "measured resistance", "read resistance", "r cell"),
    "current": ("i", "current", "i read", "iread", "read current", "strom", "id", "i meas",
                "measured current", "i cell", "i d", "abs i"),
    "voltage": ("v", "voltage", "u", "bias", "spannung", "v bias", "applied voltage", "v d", "vd"),
    "pulse": ("pulse", "pulse number", "pulses", "pulse no", "pulse nr", "pulse index", "n pulse",
              "n pulses", "number of pulses", "pulse count", "n", "puls", "pulse num"),
    "polarity": ("polarity", "direction", "operation", "op", "pulse type", "type", "sign",
                 "set reset", "ltp ltd"),
    "time": ("time", "t", "elapsed", "elapsed time", "zeit", "delay", "retention time",
             "time after"),
    "device": ("device", "cell", "dut", "sample", "device id", "cell id", "dev", "device no",
               "device number", "bauteil", "die", "address"),
    "cycle": ("cycle", "repetition", "run", "loop", "sweep", "cycle no", "cycle number", "trial",
              "zyklus", "train"),
    "state": ("state", "lrs hrs", "on off", "bit", "resistance state", "zustand"),
    "level": ("level", "target level", "level index"),
}  # fmt: skip
"""Names of each quantity, lower case, single blanks."""

UNITS = {
    "target": "S",
    "v_read": "V",
    "v_pulse": "V",
    "conductance": "S",
    "resistance": "ohm",
    "current": "A",
    "voltage": "V",
    "time": "s",
}
"""SI unit of each quantity that has one."""

_ALIKE = str.maketrans(
    {
        "\N{MICRO SIGN}": "u",
        "\N{GREEK SMALL LETTER MU}": "u",
        "\N{GREEK CAPITAL LETTER OMEGA}": "ohm",
        "\N{OHM SIGN}": "ohm",
    }
)
_PREFIX = {"": 1.0, "f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "K": 1e3,
           "M": 1e6, "G": 1e9}  # fmt: skip
_SYMBOLS = {"S": "S", "mho": "S", "siemens": "S", "ohm": "ohm", "ohms": "ohm", "Ohm": "ohm",
            "Ohms": "ohm", "A": "A", "V": "V", "s": "s", "sec": "s", "volt": "V",
            "ampere": "A", "amp": "A", "1/ohm": "S", "A/V": "S", "seconds": "s"}  # fmt: skip
_LONG = {"min": 60.0, "minutes": 60.0, "h": 3600.0, "hour": 3600.0, "hours": 3600.0,
         "d": 86400.0, "days": 86400.0}  # fmt: skip
LONGEST = 200
"""Characters of a heading, at most; what is longer names nothing."""

_UNIT_AT_END = re.compile(
    r"^(.*?)\s*(?:[\[({]\s*([^\])}]*?)\s*[\])}]|[/,]\s*(\S+)|\sin\s+(\S+))\s*$"
)


@dataclass(frozen=True)
class Heading:
    """What a column holds."""

    text: str
    """As in the file."""
    quantity: str
    """One of `NAMES`."""
    unit: str | None
    """SI unit its numbers are brought to; None: none is given."""
    factor: float
    """SI unit over the file's unit."""
    tag: str = ""
    """What tells columns of one quantity apart: "3" of "G3 [uS]"."""


_QUANTITY = {name: quantity for quantity in reversed(NAMES) for name in NAMES[quantity]}
_ANY = f"({'|'.join(re.escape(name) for names in NAMES.values() for name in names)})"
_NAME = re.compile(rf"{_ANY}()")
_NAME_AND_TAG = re.compile(
    rf"{_ANY}\s*(?:device|dev|cell|dut|cycle|run|sweep|no|nr|#)?\s*#?\s*([0-9]{{1,9}})"
)


def unit_of(text: str) -> tuple[str, float] | None:
    """SI unit and factor of a unit as people write it: "µS" -> ("S", 1e-6); None: it is none."""
    text = text.translate(_ALIKE).strip()
    if text in _LONG:
        return "s", _LONG[text]
    for prefix, factor in _PREFIX.items():
        symbol = text.removeprefix(prefix)
        if text.startswith(prefix) and symbol in _SYMBOLS:
            return _SYMBOLS[symbol], factor
    return None


def read_heading(text: str) -> Heading | None:
    """The quantity and unit that a heading names; None: it names none that is known."""
    if len(text) > LONGEST:
        return None
    name, unit = _split(text)
    plain = _plain(name)
    if found := _NAME.fullmatch(plain) or _NAME_AND_TAG.fullmatch(plain):
        return _heading(text, _QUANTITY[found[1]], unit, found[2] or "")
    return None


def with_unit(heading: Heading, text: str) -> Heading:
    """The same with the unit that stands in a line of its own below."""
    return _heading(heading.text, heading.quantity, unit_of(text), heading.tag)


def check_unit(heading: Heading, where: str) -> None:
    """Refuse a quantity without a unit, or with that of another one."""
    wanted = UNITS.get(heading.quantity)
    if wanted and heading.unit is None:
        allowed = f"a heading with its unit, as in {heading.text.strip()} [{_EXAMPLE[wanted]}]"
        raise invalid(where, heading.text.strip(), allowed)
    if heading.quantity == "target" and heading.unit == "ohm":
        return  # its inverse is the target
    if wanted and heading.unit != wanted:
        allowed = f"a unit of {wanted} for what is called a {heading.quantity}"
        raise invalid(where, heading.text.strip(), allowed)


_EXAMPLE = {"S": "uS", "ohm": "kOhm", "A": "uA", "V": "V", "s": "s"}


def _heading(text: str, quantity: str, unit: tuple[str, float] | None, tag: str) -> Heading:
    """A heading; a target or read-back in ohm is a resistance."""
    symbol, factor = unit or (None, 1.0)
    if symbol == "ohm" and quantity == "conductance":
        quantity = "resistance"
    if symbol == "S" and quantity == "resistance":
        quantity = "conductance"
    if symbol == "A" and quantity == "conductance":
        quantity = "current"
    return Heading(text, quantity, symbol, factor, tag)


def _split(text: str) -> tuple[str, tuple[str, float] | None]:
    """Name and unit: "I_read/µA", "G (uS)", "R [kOhm]", "G_uS", "t in h"."""
    found = _UNIT_AT_END.match(text)
    if found:
        unit = next((g for g in found.groups()[1:] if g is not None), "")
        if unit_of(unit):
            return found.group(1), unit_of(unit)
        if text.rstrip().endswith(("]", ")", "}")):
            return found.group(1), None
    name, _, last = text.strip().rpartition("_")
    if name and unit_of(last):
        return name, unit_of(last)
    return text, None


def _plain(name: str) -> str:
    """Lower case, words apart by one blank; |I| is I."""
    return " ".join(re.sub(r"[^a-z0-9#]+", " ", name.lower()).split())
