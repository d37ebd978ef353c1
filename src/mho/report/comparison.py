"""A claim against the paper: the difference, and in plain words how it came out."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from mho.results import Claim, Result
from mho.results.units import NBSP, decimals_for, decimals_of_percent, fixed, number, prefixed


class Verdict(Enum):
    """How a claim came out: a mark that survives without colour, and the words."""

    REACHED = ("✓", "reaches the paper")
    WITHIN = ("≈", "agrees within spread or rounding")
    SHORT = ("▼", "falls short of the paper")
    DIFFERS = ("≠", "differs from the paper")
    NOT_JUDGED = ("\N{MIDDLE DOT}", "not judged: a quick run")
    NO_PAPER = ("\N{EN DASH}", "no number in the paper")
    NO_RESULT = ("✗", "no result")

    @property
    def mark(self) -> str:
        return self.value[0]

    @property
    def words(self) -> str:
        return self.value[1]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One row of a claims table, every number already text in the same unit."""

    claim: Claim
    paper: str
    ours: str
    std: str
    difference: str
    unit: str
    verdict: Verdict


def compare(claim: Claim, *, held: bool = True) -> Comparison:
    """Print paper, ours, spread and difference with one prefix and matching decimals.

    Args:
        held: False: the run is much smaller than the paper's, and is not held to it.
    """
    ours, std, paper = claim.ours, claim.std, claim.paper
    factor, unit, decimals = _precision(claim)
    difference = ""
    if ours is not None and paper is not None:
        points = f"{NBSP}pp" if claim.unit == "%" else ""
        difference = fixed((ours - paper) / factor, decimals, sign=True) + points
    return Comparison(
        claim=claim,
        paper="" if paper is None else number(paper / factor, 9),
        ours="" if ours is None else fixed(ours / factor, decimals),
        std="" if std is None or ours is None else fixed(std / factor, decimals),
        difference=difference,
        unit="" if unit == "1" else unit,
        verdict=judge(claim, held=held),
    )


def judge(claim: Claim, *, held: bool = True) -> Verdict:
    """Whether ours reaches the paper, in the digits printed.

    One standard deviation counts as agreement, and so does half a digit of the paper's number.
    """
    if claim.ours is None:
        return Verdict.NO_RESULT
    if claim.paper is None:
        return Verdict.NO_PAPER
    if not held:
        return Verdict.NOT_JUDGED
    factor, _, decimals = _precision(claim)
    gain = round((claim.ours - claim.paper) / factor, decimals)
    if claim.better == "lower":
        gain = -gain
    if gain == 0 or (claim.better != "neither" and gain > 0):
        return Verdict.REACHED
    off = abs(claim.ours - claim.paper)
    if off < rounding(claim.paper) or (claim.std is not None and off <= claim.std):
        return Verdict.WITHIN
    return Verdict.DIFFERS if claim.better == "neither" else Verdict.SHORT


def rounding(paper: float) -> float:
    """Half of the last digit that a number was printed with: 0.5 of 97 and 0.05 of 97.4."""
    _, digits, exponent = Decimal(repr(float(paper))).normalize().as_tuple()
    assert isinstance(exponent, int)
    whole = min(exponent, 0)  # 100 is taken as three digits, not as one
    return 0.0 if digits == (0,) else 0.5 * 10.0**whole


def judged(result: Result) -> bool:
    """Whether a run is held to the paper: not one that is much smaller."""
    return result.preset != "quick"


def tally(claims: Sequence[Claim], *, held: bool = True) -> list[tuple[Verdict, int]]:
    """How many claims came out each way, leaving out the ways that none did."""
    return counted(judge(claim, held=held) for claim in claims)


def counted(verdicts: Iterable[Verdict]) -> list[tuple[Verdict, int]]:
    """How often each came."""
    found = Counter(verdicts)
    return [(verdict, found[verdict]) for verdict in Verdict if found[verdict]]


def _precision(claim: Claim) -> tuple[float, str, int]:
    """The factor, the prefixed unit and the decimals a claim is printed with."""
    size = next((each for each in (claim.ours, claim.paper) if each), 0.0)
    factor, unit = prefixed(size, claim.unit)
    numbers = [each for each in (claim.ours, claim.paper) if each is not None]
    if claim.std:
        decimals = decimals_for(claim.std / factor, 2)
    elif factor == 1.0 and all(isinstance(each, int) for each in numbers):
        decimals = 0
    else:
        decimals = decimals_for(size / factor, 4)
        if claim.unit == "%":
            decimals = max(decimals, decimals_of_percent(size))
    return factor, unit, decimals
