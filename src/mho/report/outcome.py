"""What a run found, on one screen: the answer in a sentence, then as many claims as fit."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from rich.text import Text

from mho.report.comparison import Comparison, Verdict, compare, judged, tally
from mho.report.ranking import in_words
from mho.report.story import STORIES
from mho.results import Claim, Result
from mho.results.units import NBSP

STYLES = {
    Verdict.REACHED: "green",
    Verdict.WITHIN: "cyan",
    Verdict.SHORT: "bold yellow",
    Verdict.NO_RESULT: "bold red",
}

LEAST = 26
"""Columns that the name of a claim needs; with fewer, its numbers stand under it."""

NOTHING = "\N{EN DASH}"


def outcome(result: Result, *, width: int = 80, lines: int = 22, more: str = "") -> list[Text]:
    """The lines of a result.

    Args:
        result: what was found.
        width: columns that there are.
        lines: lines that there are.
        more: where the claims that do not fit are to be seen.
    """
    said = f"{result.experiment} {result.preset}, {seeds_of(result)}: {answer(result)}"
    head = [line.replace(NBSP, " ") for line in textwrap.wrap(said, width, break_on_hyphens=False)]
    verdicts = ", ".join(
        f"{verdict.mark} {verdict.words} {count}"
        for verdict, count in tally(result.claims, held=judged(result))
        if verdict is not Verdict.NO_PAPER
    )
    foot = textwrap.wrap(verdicts, width)
    first = sorted(result.claims, key=lambda each: each.paper is None)  # in order otherwise
    known = [compare(claim, held=judged(result)) for claim in first]
    each = len(_rows(known, width)[0])
    room = max(lines - len(head) - len(foot) - 2 - each, 1)  # with a blank line, "and so many"
    shown = known[: max(room // each, 1)]
    out = [Text(line, "bold") for line in head]
    out += [Text(), *(line for row in _rows(shown, width) for line in row), *map(Text, foot)]
    if left := len(known) - len(shown):
        many = f"and {left} more claim{'s' if left > 1 else ''}"
        out.append(Text(f"{many}: {more}" if more else many))
    for line in out:
        line.no_wrap, line.overflow = True, "ignore"
    return out


def answer(result: Result) -> str:
    """The sentences of its story that a result has all numbers for; else its first two claims."""
    said = list(_said(result).values())
    said += [f"{in_words(ranking)}." for ranking in result.rankings]
    return " ".join(said or [f"{claim.what}: {value(claim)}." for claim in result.claims[:2]])


def told(result: Result) -> set[str]:
    """Ids of the claims that the answer tells."""
    claims, names = _by_id(result), re.findall(r"\{([^}]+)\}", "".join(_said(result)))
    found = (_found(name, claims) for name in names)
    return {claim.id for claim in found if claim is not None}


def _by_id(result: Result) -> dict[str, Claim]:
    """Claims by their ids."""
    return {claim.id: claim for claim in result.claims}


def _said(result: Result) -> dict[str, str]:
    """The sentences of its story that a result has all numbers for, and what each says."""
    claims = _by_id(result)
    sentences = STORIES[result.experiment].answer if result.experiment in STORIES else ()
    filled = ((each, _filled(each, claims)) for each in sentences)
    return {each: text for each, text in filled if text is not None}


def seeds_of(result: Result) -> str:
    """The seed of a result, or the seeds that it is pooled over."""
    return f"seeds {', '.join(map(str, result.seeds))}" if result.seeds else f"seed {result.seed}"


def value(claim: Claim) -> str:
    """A claim's number with its spread, its unit and how many values it is of."""
    row = compare(claim)
    if not row.ours:
        return "no result"
    spread = f" ± {row.std}" if row.std else ""
    unit = f" {row.unit}" if row.unit else ""
    return f"{row.ours}{spread}{unit} (n = {claim.n})".replace(" ", NBSP)


def _filled(sentence: str, claims: Mapping[str, Claim]) -> str | None:
    """A sentence with the numbers of claims; None: one is not there."""
    missing = False

    def number(found: re.Match[str]) -> str:
        nonlocal missing
        claim = _found(found[1], claims)
        missing = missing or claim is None
        return "" if claim is None else value(claim)

    filled = re.sub(r"\{([^}]+)\}", number, sentence)
    return None if missing else filled


def _found(pattern: str, claims: Mapping[str, Claim]) -> Claim | None:
    """The first claim of an id, which may have stars."""
    return next((c for name, c in claims.items() if fnmatchcase(name, pattern)), None)


def _rows(compared: Sequence[Comparison], width: int) -> list[list[Text]]:
    """A heading and a row for each claim, of one line or, where it is narrow, of more."""
    texts = [("paper", "ours ± std", "n", "")]
    for row in compared:
        ours = f"{row.ours} ± {row.std}" if row.std else row.ours or NOTHING
        unit = f" {row.unit}" if row.unit else ""
        mark = "" if row.verdict is Verdict.NO_PAPER else row.verdict.mark
        texts.append((row.paper or NOTHING, f"{ours}{unit}", str(row.claim.n), mark))
    widths = [max(len(text[n]) for text in texts) for n in range(4)]
    names = ["claim", *(row.claim.what for row in compared)]
    beside = width - sum(widths) - 2 * 4
    styles = ["dim", *(STYLES.get(row.verdict, "dim") for row in compared)]
    column = min(beside, max(map(len, names))) if beside >= LEAST else width
    out: list[list[Text]] = []
    for name, text, style in zip(_cut(names, column), texts, styles, strict=True):
        numbers = "  ".join(cell.rjust(each) for cell, each in zip(text, widths, strict=True))
        if beside >= LEAST:
            out.append([Text.assemble(name.ljust(column), "  ", (numbers.rstrip(), style))])
        else:
            out.append([Text(name), Text(f"  {numbers.strip()}", style)])
    return out


def _cut(names: Sequence[str], width: int) -> list[str]:
    """Names in so many columns: cut at the end, or in the middle if that tells more of them
    apart."""
    ends = [name if len(name) <= width else f"{_words(name, width - 4)} ..." for name in names]
    middles = []
    for name, cut in zip(names, ends, strict=True):
        end = _words(name[::-1], (width - 3) // 2)[::-1]
        middles.append(f"{_words(name, width - 3 - len(end))}...{end}" if cut != name else name)
    return [
        middle if ends.count(end) > middles.count(middle) else end
        for end, middle in zip(ends, middles, strict=True)
    ]


def _words(text: str, width: int) -> str:
    """The beginning of a text, up to the end of a word if that is near."""
    cut = text[: max(width, 0)]
    at = cut.rfind(" ")
    return cut[:at] if at > 0.6 * len(cut) else cut
