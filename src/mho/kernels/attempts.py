"""Program-and-verify on cells that land: the first attempt, and the last one of cells that miss.

What is drawn in closed form needs logarithms and normal distribution functions. These are torch's,
so that both ways give the same bits; kernels do what lies between. A cell lands at
`max(line[0] + line[1] level + spread[level] z, 0)`, beside that by its offset at the first attempt.
"""

from __future__ import annotations

import numpy as np

from mho.kernels.compiled import compiled


@compiled
def first_attempts(
    z: np.ndarray,
    level: np.ndarray,
    offset: np.ndarray,
    line: tuple[float, float],
    spread: np.ndarray,
    tolerance: float,
    missed: np.ndarray,
) -> int:
    """Replace z (chips, n) by where the first attempts land [S].

    Args:
        level: (n,) float32, whole.
        offset: of each device (chips, n) [S], or empty.
        line, spread: as above, float32.
        tolerance: accepted distance from the level [S].
        missed: receives the flat positions of those beyond it, int64; room for all.

    Returns:
        How many these are.

    Raises:
        IndexError: a level is not one of those.
    """
    chips, n = z.shape
    low, step, far, count = np.float32(line[0]), np.float32(line[1]), np.float32(tolerance), 0
    for k in range(n):
        if not 0 <= level[k] < spread.size:
            raise IndexError("a cell cannot be programmed to a level that it does not have")
    for chip in range(chips):
        for k in range(n):
            g = low + step * level[k]
            centre = g + offset[chip, k] if offset.size else g
            landed = max(centre + spread[int(level[k])] * z[chip, k], np.float32(0))
            z[chip, k] = landed
            if abs(landed - g) > far:
                missed[count] = chip * n + k
                count += 1
    return count


@compiled
def edges(
    missed: np.ndarray,
    level: np.ndarray,
    line: tuple[float, float],
    spread: np.ndarray,
    least: float,
    tolerance: float,
    scores: np.ndarray,
) -> None:
    """Scores of the ends of the tolerance around the levels of some cells, into scores (2, m).

    An end at or below 0 S is at -inf, for no attempt lands there.

    Args:
        missed: flat positions (m,) among (chips, n) cells.
        level, line, spread, tolerance: as in `first_attempts`.
        least: a smaller spread counts as that [S].
    """
    low, step, n = np.float32(line[0]), np.float32(line[1]), level.size
    least_spread, far = np.float32(least), np.float32(tolerance)
    for i in range(missed.size):
        own = level[missed[i] % n]
        g = low + step * own
        deviation = max(spread[int(own)], least_spread)
        for side in range(2):
            end = g + far if side else g - far
            scores[side, i] = (end - g) / deviation if end > 0 else np.float32(-np.inf)


@compiled
def chances(below: np.ndarray, miss: np.ndarray) -> None:
    """Share of attempts that is accepted, at least 1e-30, times -1: log1p of it is the logarithm of
    the chance to miss.

    Args:
        below: shares of attempts (2, m) below either end of the tolerance.
        miss: receives it (m,).
    """
    for i in range(miss.size):
        accept = min(max(below[1, i] - below[0, i], np.float32(0)), np.float32(1))
        miss[i] = -max(accept, np.float32(1e-30))


@compiled
def last_places(
    below: np.ndarray,
    log_u: np.ndarray,
    log_miss: np.ndarray,
    v: np.ndarray,
    most: int,
    places: np.ndarray,
    further: np.ndarray,
) -> None:
    """Where in its distribution the last attempt of each cell lies, and which attempt it is.

    Args:
        below: as in `chances`.
        log_u, log_miss: logarithms (m,) of a uniform number, and of the chance to miss.
        v: further uniform numbers (m,).
        most: attempts after the first.
        places: receives shares of attempts that land below the last one (m,).
        further: receives attempts after the first (m,), int32, at most `most`.
    """
    one, cap = np.float32(1), np.float32(most)
    least, greatest = np.float32(2.0**-25), np.float32(1 - 2.0**-24)
    for i in range(places.size):
        accept = min(max(below[1, i] - below[0, i], np.float32(0)), one)
        needed = np.floor(log_u[i] / log_miss[i]) + one
        if needed > cap:
            outside = v[i] * (one - accept)
            place = outside + accept if outside > below[0, i] else outside
        else:
            place = below[0, i] + v[i] * accept
        places[i] = min(max(place, least), greatest)
        further[i] = np.int32(min(needed, cap))


@compiled
def last_attempts(
    missed: np.ndarray,
    z: np.ndarray,
    level: np.ndarray,
    line: tuple[float, float],
    spread: np.ndarray,
    further: np.ndarray,
    landed: np.ndarray,
    pulses: np.ndarray,
) -> None:
    """Have some cells land anew around their level, after further attempts.

    Args:
        missed, level, line, spread: as in `edges`.
        z: standard normal numbers (m,).
        further: as in `last_places`.
        landed: (chips, n) [S], changed there.
        pulses: (chips, n) int32, added to there.
    """
    low, step, n = np.float32(line[0]), np.float32(line[1]), level.size
    for i in range(missed.size):
        chip, k = missed[i] // n, missed[i] % n
        g = low + step * level[k]
        landed[chip, k] = max(g + spread[int(level[k])] * z[i], np.float32(0))
        pulses[chip, k] += further[i]
