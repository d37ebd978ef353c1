"""A claim against the paper: the difference, and in plain words how it came out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from mho.results import Claim
from mho.results.units import NBSP, decimals_for, decimals_of_percent, fixed, number, prefixed


class Verdict(Enum):
    """How a claim came out: a mark that survives without colour, and the words."""

    REACHED = ("✓", "reaches the paper")
    WITHIN = ("≈", "agrees within the spread")
    SHORT = ("▼", "falls short of the paper")
    DIFFERS = ("≠", "differs from the paper")
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


def compare(claim: Claim) -> Comparison:
    """Print paper, ours, spread and difference with one prefix and matching decimals."""
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
        verdict=judge(claim),
    )


def judge(claim: Claim) -> Verdict:
    """Whether ours reaches the paper, in the digits printed; one std counts as agreement."""
    if claim.ours is None:
        return Verdict.NO_RESULT
    if claim.paper is None:
        return Verdict.NO_PAPER
    factor, _, decimals = _precision(claim)
    gain = round((claim.ours - claim.paper) / factor, decimals)
    if claim.better == "lower":
        gain = -gain
    if gain == 0 or (claim.better != "neither" and gain > 0):
        return Verdict.REACHED
    if claim.std is not None and abs(claim.ours - claim.paper) <= claim.std:
        return Verdict.WITHIN
    return Verdict.DIFFERS if claim.better == "neither" else Verdict.SHORT


def tally(claims: Sequence[Claim]) -> list[tuple[Verdict, int]]:
    """How many claims came out each way, leaving out the ways that none did."""
    found = Counter(map(judge, claims))
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
