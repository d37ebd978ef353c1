"""Numbers as a physicist prints them: SI prefixes, thin thousand separators, real minus signs."""

import math
import re
from collections.abc import Iterable

MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"
THIN = "\N{NARROW NO-BREAK SPACE}"
NBSP = "\N{NO-BREAK SPACE}"
PREFIXES = dict(zip(range(-18, 19, 3), (*"afpnµm", "", *"kMGTPE"), strict=True))

_LONG_TIMES = ((31_557_600.0, "years"), (86_400.0, "days"), (3_600.0, "h"), (60.0, "min"))
_SYMBOLS = {"ohm": "Ω", "ohms": "Ω", "bytes": "B", "byte": "B"}
_BASE = r"ohms?|bytes?|Hz|[JsSVAWFmCBΩ]"
_LEADING = re.compile(rf"^({_BASE})(?=$|[ /·])")
_BRACKETED = re.compile(rf"([\[(])({_BASE})([\])])")
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def prefixed(value: float, unit: str) -> tuple[float, str]:
    """The factor and the unit to print `value` in: (1e-6, "µJ") for 1.2e-6 J.

    Only units that start with an SI symbol (or bytes) get a prefix. Long times go to
    minutes, hours, days and years; bytes never go below one byte. Anything else: (1.0, unit).
    """
    found = _LEADING.match(unit)
    if not found:
        return 1.0, unit
    symbol, rest = found.group(1), unit[found.end() :]
    symbol = _SYMBOLS.get(symbol, symbol)
    if symbol == "s":
        for factor, name in _LONG_TIMES:
            if float(f"{abs(value):.2e}") >= factor:
                return factor, name + rest
    exponent = 0 if value == 0 else _exponent(value) // 3 * 3
    top = 0 if symbol == "s" else 18
    exponent = max(0 if symbol == "B" else -18, min(top, exponent))
    return float(f"1e{exponent}"), PREFIXES[exponent] + symbol + rest


def quantity(value: float, unit: str) -> str:
    """`value` to three significant digits with its prefixed unit: 1.2e-6, "J" -> 1.2 µJ."""
    if unit == "%":
        return f"{number(value)}{NBSP}%"
    if not _LEADING.match(unit):
        text = count(value) if isinstance(value, int) else number(value)
        return text if unit in ("", "1") else f"{text}{NBSP}{unit}"
    factor, label = prefixed(value, unit)
    return f"{number(value / factor, 3)}{NBSP}{label}"


def number(value: float, digits: int = 4, *, top: int = 9) -> str:
    """`value` to `digits` significant digits, trailing zeros dropped: 12 345.6 -> 12 350.

    Below 1e-4 and from 10**`top` on it is a power of ten: 10⁻⁷.
    """
    if value == 0:
        return "0"
    exponent = _exponent(value, digits)
    if not -4 <= exponent < top:
        mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
        if "." in mantissa:
            mantissa = mantissa.rstrip("0").rstrip(".")
        times = "" if mantissa in ("1", "-1") else f"{mantissa}{TIMES}"
        sign = "-" if mantissa == "-1" else ""
        return f"{sign}{times}10{str(int(power)).translate(_SUPERSCRIPT)}".replace("-", MINUS)
    decimals = max(0, digits - 1 - exponent)
    text = fixed(round(value, digits - 1 - exponent), decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text


def fixed(value: float, decimals: int, *, sign: bool = False) -> str:
    """`value` with a fixed number of decimals; a rounded zero carries no sign."""
    text = f"{value:+,.{decimals}f}" if sign else f"{value:,.{decimals}f}"
    if not text.strip("+-0.,"):
        text = text.lstrip("+-")
    return text.replace(",", THIN).replace("-", MINUS)


def count(value: float) -> str:
    """An integer with thin thousand separators: 1234567 -> 1 234 567."""
    return fixed(value, 0)


def decimals_for(value: float, digits: int) -> int:
    """Decimals that show `digits` significant digits of `value`, between 0 and 9."""
    return 2 if value == 0 else min(9, max(0, digits - 1 - _exponent(value, digits)))


def decimals_of_percent(value: float) -> int:
    """Decimals of a percentage: two, or what shows two digits of what is missing to 100."""
    return max(2, decimals_for(100 - value, 2)) if 99 < value < 100 else 2


def decimals_needed(values: Iterable[float], most: int) -> int:
    """The decimals, at most `most`, that leave out no digit but a zero of any value."""
    tails = (fixed(each, most).partition(".")[2].rstrip("0") for each in values)
    return max(map(len, tails), default=0)


def unit_of(label: str) -> str:
    """The SI unit or % that stands in brackets in a label: "energy [J]" -> "J"; else ""."""
    found = _BRACKETED.search(label)
    return found.group(2) if found else "%" * ("[%]" in label or "(%)" in label)


def axis_unit(label: str, largest: float) -> tuple[float, str]:
    """The factor to divide an axis by, and its label: ("G [S]", 8e-5) -> (1e-6, "G [µS]").

    A label without a bracketed SI unit is left alone, and so is a time above one second.
    """
    found = _BRACKETED.search(label)
    if not found or not largest or not math.isfinite(largest):
        return 1.0, label
    if found.group(2) == "s" and largest >= 1:
        return 1.0, label
    factor, unit = prefixed(largest, found.group(2))
    return factor, label[: found.start(2)] + unit + label[found.end(2) :]


def _exponent(value: float, digits: int = 3) -> int:
    """The decimal exponent after rounding to `digits` significant digits."""
    return int(f"{abs(value):.{digits - 1}e}".partition("e")[2])
