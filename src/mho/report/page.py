"""The report: one HTML page without scripts or network access, and its figures as files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from mho.errors import invalid
from mho.files import write_files
from mho.report import provenance
from mho.report.axes import style
from mho.report.card import card_in_page
from mho.report.comparison import Comparison, Verdict, compare, counted, judged
from mho.report.figures import draw_claims
from mho.report.folder import RunFolder
from mho.report.looks import looks_of
from mho.report.outcome import answer, seeds_of, told
from mho.report.plots import Plot, plot_of, rendered
from mho.report.story import STORIES
from mho.report.tables import PrintedTable, print_table
from mho.report.templates import template
from mho.results import Ledger, Result
from mho.results.figures import RESERVED_ID
from mho.results.setup import Setup, SetupOf

# The order of the story, from write-once to lifelong; anything else follows by name.
_ORDER = ("bmcnn", "siamese", "metaplastic", "wires", "sensitivity")
# Counters that stand first in the table of events; others follow as they come.
_COUNTERS = ("cells", "writes", "set_pulses", "reset_pulses", "verify_reads", "vectors")
PAGE = "report.html"
"""Name of the page."""

_SIGNS_OF_A_RUN = ("config.toml", "env.json", "metrics.jsonl", "checkpoint.pt")


@dataclass(frozen=True, kw_only=True)
class Section:
    """One experiment of the page."""

    anchor: str
    result: Result
    question: str
    answer: str
    hardware: Sequence[tuple[str, str, str]]
    """Of the chips: setting, value, what it is."""
    card: Markup | None
    """Of their cell."""
    rows: list[Comparison]
    """Claims that the answer tells, and those with a number of the paper."""
    further: list[Comparison]
    """All others."""
    tables: list[PrintedTable]
    plots: list[Plot]
    counters: list[str]
    provenance: list[tuple[str, str]]
    command: str
    date: str
    config: str | None


def write(directory: Path, setup_of: SetupOf = lambda _config: None) -> Path:
    """Write `directory/report.html` and each run's `figures`; returns the page's path.

    `directory` is a run folder, or holds run folders as direct children; `setup_of` finds the chips
    of a run in its settings. All is read, checked and drawn before the first byte is written,
    and no file takes its name before all are on the disk.

    Raises:
        ValueError: a run cannot be read; the message names file, field and value.
        OSError: the page cannot be written.
    """
    directory = Path(directory)
    folders, unfinished = run_folders(directory)
    contents = page([RunFolder.read(f) for f in folders], directory, unfinished, setup_of)
    write_files(contents)
    return directory / PAGE


def page(
    runs: Sequence[RunFolder],
    directory: Path,
    unfinished: Sequence[str] = (),
    setup_of: SetupOf = lambda _config: None,
) -> dict[Path, bytes]:
    """The figures of runs and, last, the page on them in a directory: contents by path."""
    with style():
        sections = [
            _section(run, f"run{i}", setup_of(run.config)) for i, run in enumerate(runs, start=1)
        ]
    html = template("page.html.jinja").render(
        title=runs[0].result.title if len(runs) == 1 else "Learning on memristors",
        sections=sections,
        unfinished=unfinished,
        tally=counted(row.verdict for each in sections for row in [*each.rows, *each.further]),
    )
    plots = (plot for section in sections for plot in section.plots)
    files = {path: content for plot in plots for path, content in plot.files.items()}
    return files | {directory / PAGE: html.encode()}


def run_folders(directory: Path) -> tuple[list[Path], list[str]]:
    """The folders of finished runs in reading order, and the names of the unfinished ones."""
    if not directory.is_dir():
        raise invalid("directory", str(directory), "an existing run folder")
    if (directory / "result.json").exists():
        return [directory], []
    rank = {name: i for i, name in enumerate(_ORDER)}
    children = sorted(
        (each for each in directory.iterdir() if each.is_dir()),
        key=lambda each: (rank.get(each.name, len(rank)), each.name),
    )
    finished = [each for each in children if (each / "result.json").exists()]
    if not finished:
        wanted = "a folder with result.json, or with run folders that have one"
        raise invalid("directory", str(directory), f"{wanted}; result.json is missing")
    rest = [each for each in children if each not in finished]
    return finished, [
        each.name for each in rest if any((each / sign).exists() for sign in _SIGNS_OF_A_RUN)
    ]


def _section(run: RunFolder, anchor: str, setup: Setup | None) -> Section:
    result, events = run.result, run.result.ledger or Ledger()
    rows = [*(row.counts for row in events.layers), events.total or {}]
    present = list(dict.fromkeys(key for row in rows for key in row))
    known = [key for key in _COUNTERS if key in present]
    looks, about = looks_of(result.figures), _about(result)
    claims, shown = [compare(claim, held=judged(result)) for claim in result.claims], told(result)
    first = [c for c in claims if c.claim.id in shown or c.verdict is not Verdict.NO_PAPER]
    rest = [c for c in claims if c not in first]
    return Section(
        anchor=anchor,
        result=result,
        question=story.question if (story := STORIES.get(result.experiment)) else "",
        answer=f"{said[:1].upper()}{said[1:]}" if (said := answer(result)) else "",
        hardware=setup.hardware if setup else (),
        card=card_in_page(setup.cell, f"{anchor}-card") if setup else None,
        rows=first or rest,
        further=rest if first else [],
        tables=[print_table(table) for table in result.tables],
        plots=_at_a_glance(run, anchor)
        + [plot_of(each, run.path, anchor, looks, about) for each in result.figures],
        counters=known + [key for key in present if key not in known],
        provenance=list(provenance.lines(run)),
        command=provenance.command(run),
        date=provenance.date(run),
        config=run.config,
    )


def _at_a_glance(run: RunFolder, anchor: str) -> list[Plot]:
    """The claims in percent as one figure: how far ours lies from the paper."""
    drawing = draw_claims(run.result.claims) if judged(run.result) else None
    if drawing is None:
        return []
    title = "Ours against the paper"
    caption = "Claims in percent. Bar: ± one standard deviation. Open triangle: short or different."
    description = f"{title}: the difference in percentage points for each claim of the table."
    stem = run.path / "figures" / RESERVED_ID
    return [rendered(drawing, title, caption, description, f"{anchor}-{RESERVED_ID}", stem)]


def _about(result: Result) -> str:
    """What was run, as the captions of its figures say it."""
    size = f"preset {result.preset}, " if result.preset else ""
    return f"mho run {result.experiment}, {size}{seeds_of(result)}."
