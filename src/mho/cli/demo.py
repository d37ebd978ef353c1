"""`mho demo`: a first answer in half a minute."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.table import Table
from rich.text import Text

from mho.cli.options import Option
from mho.cli.terminal import say, tell
from mho.files import check_output

if TYPE_CHECKING:
    from mho.results import Claim

SHOWN = {
    "(in float, no arrays)": ("mlp_float_accuracy", None),
    "whenever its level changes": (
        "mlp_change_accuracy",
        "mlp_change_writes_per_weight",
    ),
    "beyond a falling threshold": ("mlp_accuracy", "mlp_writes_per_weight"),
    "beyond a large threshold": ("mlp_sparse_accuracy", "mlp_sparse_writes_per_weight"),
}
"""Lines of the figure: what was trained, the claims with its accuracy and its writes."""
SMALLER = {
    "per_class": 3000,
    "epochs": 2,
    "chips": 1,
    "schemes": (),
    "studies": (),
    "claimed": ("float", "on level change", "falling threshold", "large threshold"),
    "threads": 1,
}
"""What is less than in `mho run siamese`."""
BAR = 20
"""Characters of the longest bar [1]."""


@dataclass(frozen=True)
class Demo:
    """A first answer in half a minute: how often must a network in training write its cells?"""

    out: Annotated[Path, Option("DIR")] = Path("runs/demo")
    """Run folder; a demo that was stopped goes on there."""

    def run(self) -> None:
        """Train, and show what came of it."""
        from mho import experiments
        from mho.experiments.checkpoint import exists
        from mho.experiments.execution import execute, finished
        from mho.experiments.own_data import check_data
        from mho.experiments.setup import write_page
        from mho.results import Result, load

        config = experiments.get("siamese").preset("quick").replace(**SMALLER)
        check_output(self.out, folder=True)
        digests = check_data(config)
        if not finished(self.out, config, digests):
            tell(
                "a network of 784, 128 and 10 units learns handwritten digits (MNIST) on memristor "
                "arrays: cells of 50 to 225 uS with spread, read noise and stuck cells, 8-bit "
                "converters; how often must its cells be written?"
            )
            execute("siamese", config, self.out, resume=exists(self.out), digests=digests)
        claims = {claim.id: claim for claim in load(Result, self.out / "result.json").claims}
        say("", _figure(claims), "", Text(_answer(claims)), "")
        say(
            f"The page of this run: {write_page(self.out)}\n"
            "Next: mho try pcm-gst    a small network on a published device\n"
            "      mho run all        all three systems, with everything they are compared with"
        )


def _figure(claims: dict[str, Claim]) -> Table:
    """Accuracy and writes of each way to train, as bars."""
    table = Table(box=None, pad_edge=False)
    table.add_column("a cell is written")
    table.add_column("accuracy", justify="right")
    table.add_column("writes for each weight")
    most = max(claims[writes].ours or 0.0 for _, writes in SHOWN.values() if writes)
    for words, (accuracy, writes) in SHOWN.items():
        number = (claims[writes].ours or 0.0) if writes else None
        bar = "" if number is None else f"{'█' * max(1, round(BAR * number / most))} {number:.2f}"
        table.add_row(words, f"{claims[accuracy].ours:.1f} %", bar)
    return table


def _answer(claims: dict[str, Claim]) -> str:
    """The figure in a sentence."""
    number = {id: claim.ours or 0.0 for id, claim in claims.items()}
    lost = number["mlp_float_accuracy"] - number["mlp_accuracy"]
    return (
        "If weights are written beyond a falling threshold, the network reaches "
        f"{number['mlp_accuracy']:.1f} % on test images, {lost:.1f} points below float. "
        f"{number['mlp_gone']:.2f} % of the writes are saved, relative to one write of each weight "
        "at each training step."
    )
