"""How much of a network is on arrays, and so in its ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Share:
    """The part of a network's work that is counted and priced."""

    on_arrays: float = 1.0
    """Share of it that is on arrays [1]."""
    of: Literal["multiplications", "weights"] = "weights"
    """Of what: the multiplications for one input, where these were counted, or the weights."""

    @property
    def whole(self) -> bool:
        """Whether all is on arrays."""
        return self.on_arrays >= 1

    def __str__(self) -> str:
        """In words, such as `51 % of the multiplications`; empty if all is on arrays."""
        return "" if self.whole else f"{in_percent(self.on_arrays)} of the {self.of}"

    def of_what(self, counted: str, missing: str) -> list[str]:
        """What to say below a table; nothing if all is on arrays."""
        return [] if self.whole else [f"{counted} of {self}; the rest is digital and not {missing}"]


WHOLE = Share()
"""All of a network."""


def in_percent(share: float) -> str:
    """A share in percent, which is 100 % or 0 % of all or of nothing only."""
    digits = next((d for d in range(12) if 0 < round(100 * share, d) < 100), 0)
    return f"{100 * share:.{digits}f} %" if 0 < share < 1 else f"{100 * share:.0f} %"
