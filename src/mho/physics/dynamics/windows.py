"""Windows: how drift slows down where a state variable comes near an end of its range."""

from __future__ import annotations

from typing import Annotated, ClassVar

from jaxtyping import Bool, Float
from torch import Tensor

from mho.config import Config, Range


class Joglekar(Config):
    """f = 1 - (2 x - 1)^(2 p): 1 in the middle, 0 at both ends.

    At an end nothing moves the state away again, so a device has to start inside. (Joglekar and
    Wolf, 10.1088/0143-0807/30/4/001, eq. 11.)
    """

    family: ClassVar[str] = "joglekar"

    p: Annotated[float, Range(least=1.0, most=100.0)] = 1.0
    """Exponent: the larger, the closer to the ends drift stays linear [1]."""

    def factor(self, x: Float[Tensor, "*#n"], rising: Bool[Tensor, "*#n"]) -> Float[Tensor, "*#n"]:
        """Factor on the rate at x in [0, 1], whichever way it moves."""
        return 1 - (2 * x - 1).abs() ** (2 * self.p)


class Biolek(Config):
    """f = 1 - x^(2 p) where x rises, 1 - (1 - x)^(2 p) where it falls: 0 at the end ahead.

    Away from an end drift is not slowed. (Biolek, Biolek and Biolkova, Radioengineering 18 (2009)
    210, eq. 4.)
    """

    family: ClassVar[str] = "biolek"

    p: Annotated[float, Range(least=1.0, most=100.0)] = 1.0
    """Exponent: the larger, the closer to the end ahead drift stays linear [1]."""

    def factor(self, x: Float[Tensor, "*#n"], rising: Bool[Tensor, "*#n"]) -> Float[Tensor, "*#n"]:
        """Factor on the rate at x in [0, 1]."""
        return 1 - (x - (~rising).to(x.dtype)).abs() ** (2 * self.p)


Window = Joglekar | Biolek
"""Any window; a model without one drifts undiminished up to the ends of its range."""
