"""The claims of one result as a table for the terminal."""

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from mho.report.comparison import Verdict, compare
from mho.results import Result

_NOTHING = "\N{EN DASH}"
_STYLES = {
    Verdict.REACHED: "green",
    Verdict.WITHIN: "cyan",
    Verdict.SHORT: "bold yellow",
    Verdict.NO_RESULT: "bold red",
}


def claims_table(result: Result) -> Table:
    """The paper's numbers beside ours."""
    table = Table(
        title=Text(result.title),
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
    )
    table.add_column("claim", ratio=3)
    table.add_column("paper", justify="right", no_wrap=True)
    table.add_column("ours ± std (n)", justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    table.add_column("remark", ratio=4)
    for row in map(compare, result.claims):
        ours = f"{row.ours} ± {row.std}" if row.std else row.ours or _NOTHING
        remark = Text(f"{row.verdict.mark} {row.verdict.words}", _STYLES.get(row.verdict, "dim"))
        if row.difference and row.verdict is not Verdict.REACHED:
            remark.append(f" ({row.difference})")
        if row.claim.note:
            remark.append(f"\n{row.claim.note}", "dim")
        table.add_row(
            Text(row.claim.what),
            Text(row.paper or _NOTHING),
            Text(f"{ours} ({row.claim.n})"),
            Text(row.unit),
            remark,
        )
    return table
