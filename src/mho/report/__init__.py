"""A run folder as a page to show: `write` the HTML report, or print the `claims_table`."""

from mho.report.page import write
from mho.report.terminal import claims_table

__all__ = ["claims_table", "write"]
