"""What three runs of other seeds found, a little of everything."""

from builders.wired_array import wired_array
from mho.results import (
    Bars,
    Circuit,
    Column,
    Curve,
    Map,
    MeanStd,
    Result,
    Table,
    bar_group,
    claim,
    series,
)

VALUES = {0: [97.0, 98.0, 99.0], 1: [96.0, 98.5], 5: [95.0, 95.5, 96.0, 99.5]}


def result(seed: int) -> Result:
    values = VALUES[seed]
    return Result(
        experiment="bmcnn", preset="quick", seed=seed, wall_s=2.0, title="t",
        claims=[
            claim("mean", "mean accuracy", values, "%", note=f"seed {seed}"),
            claim("worst", "worst", values, "%", pooled="lowest"),
            claim("most", "most", values, "", pooled="highest"),
        ],
        curves=[Curve("c", "t", "x", "y", [
            series("line", [1, 2], [values, values]), series(f"only {seed}", [1], [values]),
        ]), Curve("dots", "t", "x", "y", [series("a", [seed], [[seed / 2]])], pooled="points")],
        tables=[
            Table("plain", "t", [Column("what"), Column("n"), Column("same")],
                  [["row", seed, 7], ["gap", None if seed else 1, 7]]),
            Table("spread", "with spread", [Column("n")], [[MeanStd(seed, 1.0)]]),
        ],
        bars=[
            Bars("b", "both", "energy [J]", ["a", "b"], [
                bar_group("spread", [values, []]), bar_group("alone", [[seed], [2.0]]),
            ]),
            Bars("other", "others", "v", [f"seed {seed}"], [bar_group("", [[seed]])]),
        ],
        maps=[Map("m", "t", "x", "y", "v", [1, 2], ["a"], [[float(seed), None]])],
        circuits=[Circuit(**wired_array(2, 3, ohms=1.0 + seed))],
    )  # fmt: skip
