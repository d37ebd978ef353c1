"""What the heading of a column says: a quantity, its unit, and what tells alike columns apart."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from mho.fit.reading.units import ALIKE, Unit, unit_of
from mho.fit.reading.vocabulary import (
    BEFORE,
    BRANCHES,
    MEASURED,
    NAMED,
    NOT,
    NOUNS,
    POLARITIES,
    QUANTITIES,
    STATES,
    UNITS,
)

LONGEST = 200
"""Characters of a heading, at most; what is longer names nothing."""


@dataclass(frozen=True)
class Heading:
    """What a column holds."""

    text: str
    """As in the file."""
    quantity: str
    """One of `QUANTITIES`."""
    unit: Unit | None
    """What brings its numbers to SI units; None: no unit is given."""
    tag: str = ""
    """Number that tells columns of one quantity apart: "3" of "G3 [uS]"."""
    numbered: str = ""
    """What the number is of: device, cycle, repeat, channel; "": not said."""
    words: dict[str, str] = field(default_factory=dict)
    """What holds for the whole column: polarity, state, branch."""
    at: dict[str, float] = field(default_factory=dict)
    """Time [s] and temperature [K] of the whole column."""
    absolute: bool = False
    """Whether the numbers are without their sign."""
    sure: bool = True
    """Whether all of the heading was understood."""

    @property
    def name(self) -> str:
        """As messages show it."""
        return self.text.strip()


_BRACKETS = re.compile(r"[\[({]\s*([^\[\](){}]*)\s*[\])}]")
_UNIT_AT_END = re.compile(r"^(.*?)\s*(?:[/,;]\s*(\S[^/,;]*)|\sin\s+(\S+))\s*$")
_LOG = re.compile(r"^\s*(?:[Ll]og_?10|LOG_?10|[Ll]og|LOG|lg)(?![a-z0-9])\s*[\s(|_]?\s*")
_ABS = re.compile(r"\babs\b|absolute|\|", re.IGNORECASE)
_NUMBERED = {
    **dict.fromkeys(("device", "dev", "cell", "dut", "sample", "die", "chip", "d"), "device"),
    **dict.fromkeys(("cycle", "cyc", "run", "sweep", "loop", "rmp", "ramp", "train", "trial",
                     "curve", "scan", "trace", "iteration", "epoch"), "cycle"),
    **dict.fromkeys(("read", "rep", "repeat", "sample"), "repeat"),
    **dict.fromkeys(("ch", "channel", "smu", "we", "port", "terminal"), "channel"),
    **dict.fromkeys(("no", "nr", "#"), ""),
}  # fmt: skip
_GLUED = re.compile(
    r"(log|abs)?([irgv])(lrs|hrs|on|off|ltp|ltd|set|reset|read|pulse|max|min|meas|"
    r"cell|dut|dev|bias|te|be|out|in|comp)"
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|#|\+")
_TIME = r"([0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\s*"
_AT_TIME = re.compile(
    rf"(?:\bat|\bafter|\bt\s*=|@|^|\s|_|\()\s*{_TIME}(fs|ps|ns|us|ms|s|secs?|min(?:utes?|s)?|"
    r"h(?:ours?|rs?)?|d(?:ays?)?|seconds?)(?=$|[\s_,;)\]@])"
)
_EVERY = re.compile(rf"\bevery\s+{_TIME}([a-z]+)")
_AT_TEMPERATURE = re.compile(
    r"(?:^|[\s_@(,=])(-?[0-9]+(?:\.[0-9]+)?)\s*(K|C|degC|deg C)(?=$|[\s_,;)\]])"
)


def read_heading(text: str) -> Heading | None:
    """The quantity and unit that a heading names; None: it names none that is known."""
    if len(text) > LONGEST:
        return None
    plain = text.translate(ALIKE).strip().strip("\"'").strip()
    name, unit = _split(plain)
    logarithm = _LOG.match(name)
    if logarithm and logarithm.end() < len(name):
        name = name[logarithm.end() :]
        unit = replace(unit, log=True) if unit else None
    absolute = bool(_ABS.search(name)) or bool(re.match(r"abs[IVR]", name))
    name = _ABS.sub(" ", re.sub(r"^abs(?=[IVR])", "", name))
    found = _meaning(text, name, unit)
    if found is None:
        return None
    if logarithm and logarithm.end() and unit is None:
        found = replace(found, unit=Unit(UNITS.get(found.quantity, "1"), log=True))
    return replace(found, absolute=absolute)


def with_unit(heading: Heading, unit: Unit) -> Heading:
    """The same in a unit that is given elsewhere."""
    log = unit.log or bool(heading.unit and heading.unit.log)
    return _heading(heading, heading.quantity, replace(unit, log=log))


def wrong_unit(heading: Heading) -> str:
    """Why a heading's unit is not one of its quantity; "" if it is, or if none is needed."""
    wanted = UNITS.get(heading.quantity)
    if wanted is None:
        return ""
    if heading.unit is None:
        return f"a heading with its unit, as in {heading.name} [{example(heading.quantity)}]"
    if heading.quantity.startswith("target") and heading.unit.si in ("ohm", "A"):
        return ""
    if heading.unit.si != wanted:
        return f"a unit of {wanted} for what is called a {heading.quantity}"
    return ""


def example(quantity: str) -> str:
    """A unit of a quantity, as files give it."""
    return QUANTITIES[quantity].example


def _meaning(text: str, name: str, unit: Unit | None) -> Heading | None:
    """By the whole name, else by its words."""
    lower = _plain(name)
    for whole in (lower, lower.replace("#", "").strip(), " ".join(_tokens(name))):
        if whole in NAMED:
            return _heading(Heading(text, "", unit), NAMED[whole], unit)
    if not lower and unit and unit.si in ("S", "ohm"):
        return _heading(Heading(text, "", unit, sure=False), "conductance", unit)
    at, name = _times(name)
    tokens = _tokens(name)
    words: dict[str, str] = {}
    if BEFORE & set(tokens) and "time" not in at:
        at["time"] = 0.0
    tokens = [t for t in tokens if t not in BEFORE and not (at and t in ("at", "after", "bake"))]
    tokens, tag, numbered = _number(tokens)
    if len(tokens) > 3:
        tokens = [t for t in tokens if t not in ("on", "off")]  # no states in a sentence
    whole = " ".join(tokens)
    if tag and whole in NAMED and NAMED[whole] not in ("device", "cycle", "repeat"):
        found = Heading(text, "", unit, tag, numbered, {}, at)
        return _heading(found, NAMED[whole], unit)
    if any(t in table for t in tokens for table in (POLARITIES, STATES, BRANCHES)):
        for table, key in ((POLARITIES, "polarity"), (STATES, "state"), (BRANCHES, "branch")):
            of = {table[t] for t in tokens if t in table}
            if len(of) > 1:
                return None
            if of:
                words[key] = of.pop()
        rest = [t for t in tokens if t not in POLARITIES and t not in STATES and t not in BRANCHES]
    else:
        rest = tokens
    found = Heading(text, "", unit, tag, numbered, words, at)
    whole = " ".join(rest)
    if whole in NAMED and (rest != tokens or at or tag):
        quantity = NAMED[whole]
        several = (*MEASURED, "time", "pulse", "v_pulse")
        plain = quantity == "voltage" and not {"polarity", "state"} & set(words)
        return _heading(found, quantity, unit) if quantity in several or plain else None
    nouns = {NOUNS[t] for t in rest if t in NOUNS}
    if "t" in rest and unit and unit.si == "K":
        nouns = {"temperature"}
    if set(rest) & NOT or (words.get("state") and nouns == {"voltage"}):
        return None
    if words.get("polarity") and nouns == {"voltage"}:
        return None  # a voltage at which it switches
    if len(nouns) == 1 and len(rest) <= 6:
        quantity = nouns.pop()
        if unit and unit.si != UNITS[quantity] and not {unit.si, UNITS[quantity]} <= {"S", "ohm"}:
            return None
        return _heading(replace(found, sure=False), quantity, unit)
    if nouns or not unit or unit.si not in ("S", "ohm", "A"):
        return None
    sure = not rest and bool(words or at)
    return _heading(replace(found, sure=sure), "conductance", unit)


def temperature_of(text: str) -> float | None:
    """Temperature that a text holds [K]: "cells at 85 C"; None: it holds none."""
    found = _AT_TEMPERATURE.search(text)
    unit = unit_of(found[2]) if found else None
    if found is None or unit is None or not (unit.offset or float(found[1]) > 50):
        return None
    return float(found[1]) + unit.offset


def _times(name: str) -> tuple[dict[str, float], str]:
    """Time and temperature that a name holds, and the rest of it."""
    at: dict[str, float] = {}
    kelvin = temperature_of(name)
    if kelvin is not None:
        at["temperature"] = kelvin
        name = _AT_TEMPERATURE.sub(" ", name, count=1)
    every = _EVERY.search(name)
    if found := every or _AT_TIME.search(name):
        unit = unit_of(found[2])
        if unit is not None and unit.si == "s":
            at["every" if every else "time"] = float(found[1]) * unit.factor
            name = name[: found.start()] + " " + name[found.end() :]
    return at, name


def _tokens(name: str) -> list[str]:
    """Words and numbers of a name, lower case: "ReadVoltage1" -> read voltage 1."""
    out = []
    for token in _WORD.findall(name):
        lower = token.lower()
        glued = _GLUED.fullmatch(lower)
        out += [g for g in glued.groups() if g] if glued and lower not in NAMED else [lower]
    return out


def _number(tokens: list[str]) -> tuple[list[str], str, str]:
    """The words, the number that tells columns apart, and what it counts."""
    channel = {"ch", "channel", "smu", "smua", "smub", "nvbuffer", "we", "port", "terminal"}
    kept: list[str] = []
    tag, numbered, k = "", "", 0
    while k < len(tokens):
        token = tokens[k]
        digits = k + 1 < len(tokens) and tokens[k + 1].isdigit()
        if token in channel:
            numbered = numbered or "channel"
            if digits:
                tag, k = tag or tokens[k + 1], k + 1
        elif token in _NUMBERED and digits:
            numbered, tag, k = _NUMBERED[token] or numbered, tokens[k + 1], k + 1
        elif token.isdigit():
            tag = tag if numbered == "channel" and tag else token
        elif token != "#":
            kept.append(token)
        k += 1
    if not kept and tag and not numbered:
        return tokens, "", ""
    return kept, tag[:9], numbered


def _heading(heading: Heading, quantity: str, unit: Unit | None) -> Heading:
    """A heading whose quantity its unit may correct: a read-back in ohm is a resistance."""
    if unit and quantity in MEASURED:
        quantity = {"S": "conductance", "ohm": "resistance", "A": "current"}.get(unit.si, quantity)
    if unit and quantity == "time" and unit.si == "S":
        unit = replace(unit, si="s")
    if unit and quantity == "time" and unit.si == "K":
        quantity = "temperature"
    return replace(heading, quantity=quantity, unit=unit)


def _split(text: str) -> tuple[str, Unit | None]:
    """Name and unit: "I_read/\u00b5A", "G (uS)", "R [kOhm]", "G_uS", "t in h", "Time[ns]_LTP"."""
    for found in reversed(list(_BRACKETS.finditer(text))):
        if unit := unit_of(found[1]):
            return f"{text[: found.start()]} {text[found.end() :]}".strip(), unit
    found = _UNIT_AT_END.match(text)
    if found and (unit := unit_of(next((g for g in found.groups()[1:] if g is not None), ""))):
        return found[1], unit
    if _plain(text) in NAMED or _AT_TIME.search(text) or _AT_TEMPERATURE.search(text):
        return text, None
    for mark, shortest in (("_", 1), (" ", 2)):
        name, _, last = text.rpartition(mark)
        unit = unit_of(last) if name and len(last) >= shortest else None
        if unit and (last != "min" or NAMED.get(_plain(name)) == "time"):
            return name, unit
    return text, None


def _plain(name: str) -> str:
    """Lower case, words apart by one blank."""
    return " ".join(re.sub(r"[^a-z0-9#]+", " ", name.lower()).split())
