"""What a run found, as records: read from JSON and written to it, drawn by `mho.report`.

from mho.results import Result, load
result = load(Result, Path("runs/mine/result.json"))
result.claims[0].ours
"""

from mho.results.circuit import Circuit
from mho.results.figures import (
    BarGroup,
    Bars,
    Curve,
    Figure,
    Group,
    Histogram,
    Map,
    Mark,
    Series,
)
from mho.results.pool import pooled
from mho.results.ranking import Rank, Ranking, RankPanel
from mho.results.record import Record, dumps, id_of, load, plain, read
from mho.results.repeats import (
    bar_group,
    claim,
    histogram,
    mean_std,
    over_all,
    series,
    whole_edges,
)
from mho.results.result import Claim, Cost, CostItem, Ledger, LedgerRow, Result
from mho.results.tables import Cell, Column, MeanStd, Table

__all__ = [
    "BarGroup",
    "Bars",
    "Cell",
    "Circuit",
    "Claim",
    "Column",
    "Cost",
    "CostItem",
    "Curve",
    "Figure",
    "Group",
    "Histogram",
    "Ledger",
    "LedgerRow",
    "Map",
    "Mark",
    "MeanStd",
    "Rank",
    "RankPanel",
    "Ranking",
    "Record",
    "Result",
    "Series",
    "Table",
    "bar_group",
    "claim",
    "dumps",
    "histogram",
    "id_of",
    "load",
    "mean_std",
    "over_all",
    "plain",
    "pooled",
    "read",
    "series",
    "whole_edges",
]
