"""Units as people write them, and what brings a number in one of them to SI."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Unit:
    """SI value = factor x number + offset; of the power of ten where the numbers are logarithms."""

    si: str
    """S, ohm, A, V, s, K."""
    factor: float = 1.0
    offset: float = 0.0
    log: bool = False
    """Whether the numbers are decimal logarithms."""


ALIKE = str.maketrans(
    {
        "\N{MICRO SIGN}": "u",
        "\N{GREEK SMALL LETTER MU}": "u",
        "\N{GREEK CAPITAL LETTER OMEGA}": "ohm",
        "\N{OHM SIGN}": "ohm",
        "\N{MINUS SIGN}": "-",
        "\N{EN DASH}": "-",
        "\N{DEGREE CELSIUS}": "degC",
        "\N{DEGREE SIGN}": "deg",
        "\N{MASCULINE ORDINAL INDICATOR}": "deg",
        "\N{SUPERSCRIPT MINUS}": "-",
        "\N{SUPERSCRIPT ONE}": "1",
        "\N{NO-BREAK SPACE}": " ",
        "\N{MIDDLE DOT}": " ",
    }
)
"""Characters that are written in several ways."""

PREFIXES = {"": 1.0, "f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "K": 1e3,
            "M": 1e6, "G": 1e9, "micro": 1e-6, "nano": 1e-9, "milli": 1e-3,
            "kilo": 1e3}  # fmt: skip
SYMBOLS = {
    "S": "S", "mho": "S", "siemens": "S", "Siemens": "S", "1/ohm": "S", "ohm^-1": "S",
    "ohm-1": "S", "A/V": "S",
    "ohm": "ohm", "ohms": "ohm", "Ohm": "ohm", "Ohms": "ohm", "OHM": "ohm", "OHMS": "ohm",
    "V/A": "ohm",
    "A": "A", "a": "A", "amp": "A", "amps": "A", "Amp": "A", "Amps": "A", "ampere": "A",
    "Ampere": "A", "amperes": "A", "Amperes": "A",
    "V": "V", "v": "V", "volt": "V", "volts": "V", "Volt": "V", "Volts": "V",
    "s": "s", "sec": "s", "secs": "s", "Sec": "s", "second": "s", "seconds": "s", "Seconds": "s",
    "Second": "s",
}  # fmt: skip
"""SI unit of each symbol that takes prefixes."""

WHOLE = {
    "min": Unit("s", 60.0), "mins": Unit("s", 60.0), "minute": Unit("s", 60.0),
    "minutes": Unit("s", 60.0), "h": Unit("s", 3600.0), "hr": Unit("s", 3600.0),
    "hrs": Unit("s", 3600.0), "hour": Unit("s", 3600.0), "hours": Unit("s", 3600.0),
    "d": Unit("s", 86400.0), "day": Unit("s", 86400.0), "days": Unit("s", 86400.0),
    "yr": Unit("s", 31557600.0), "year": Unit("s", 31557600.0), "years": Unit("s", 31557600.0),
    "K": Unit("K"), "kelvin": Unit("K"), "Kelvin": Unit("K"),
    "C": Unit("K", 1.0, 273.15), "degC": Unit("K", 1.0, 273.15), "Celsius": Unit("K", 1.0, 273.15),
    "celsius": Unit("K", 1.0, 273.15), "deg C": Unit("K", 1.0, 273.15),
}  # fmt: skip
"""Units without prefixes."""

_POWER = re.compile(
    r"(?:x\s*|\*\s*|\u00d7\s*)?(?:10\s*(?:\^|\*\*)?\s*([+-]\s*[0-9]{1,2})|"
    r"([0-9]{1,6}(?:\.[0-9]{0,6})?(?:[eE][+-]?[0-9]{1,2})?))\s*\*?\s*(\S.*)"
)
_SUM = re.compile(r"([^+]+)\+\s*([^+]+)")
_LOG = re.compile(r"(?:log10|log|lg)\s*[(\[]?\s*([^)\]]+?)\s*[)\]]?")
_AGAINST = re.compile(r"\s+(?:vs\.?|versus|rms|dc)\b.*", re.IGNORECASE)


def unit_of(text: str) -> Unit | None:
    """A unit as people write it: "\u00b5S" is 1e-6 S; None: it is none.

    Also "10 uS" or "10^-6 A" for multiples, "5 uS + 20 uS" for a scale with an offset,
    "log10(A)" for logarithms, "V vs. Ag/AgCl".
    """
    text = text.translate(ALIKE).strip()
    if not text or len(text) > 40:
        return None
    if found := _simple(text):
        return found
    if (
        (found := _SUM.fullmatch(text))
        and (one := unit_of(found[1]))
        and (two := unit_of(found[2]))
    ):
        return Unit(one.si, one.factor, two.factor) if one.si == two.si and not one.log else None
    if (found := _LOG.fullmatch(text)) and (inner := _simple(found[1])):
        return Unit(inner.si, inner.factor, 0.0, True)
    if (found := _POWER.fullmatch(text)) and (inner := _simple(found[3])):
        scale = 10.0 ** int(found[1].replace(" ", "")) if found[1] else float(found[2])
        return Unit(inner.si, inner.factor * scale) if scale > 0 and not inner.offset else None
    shorter = _AGAINST.sub("", text)
    return _simple(shorter) if shorter != text else None


def _simple(text: str) -> Unit | None:
    """A symbol with a prefix."""
    if text in WHOLE:
        return WHOLE[text]
    for prefix, factor in PREFIXES.items():
        symbol = text.removeprefix(prefix).lstrip("-")
        if text.startswith(prefix) and symbol in SYMBOLS:
            if prefix == "K" and SYMBOLS[symbol] != "ohm":
                continue
            return Unit(SYMBOLS[symbol], factor)
    return None
