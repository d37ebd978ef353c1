"""The five requests of the protocol, carried out on an instrument."""

from __future__ import annotations

from mho.hardware.instrument import Chip, Instrument, InstrumentError, InstrumentRefused
from mho.instruments.protocol import MAX_LINE, Garbled, Line, block, is_plain, numbers, one_line

WORDS = {"describe": 0, "program": 2, "pulse": 2, "read": 4, "report": 0}
"""Verbs, and how many words follow."""

CHANGING = ("program", "pulse")
"""Verbs that change cells."""

_LONGEST_NUMBER = 17
"""Characters that a number takes in an answer, at most."""


def carried_out(instrument: Instrument, request: Line) -> str:
    """`ok` and the result, or `error`, its kind and what was wrong; never raises."""
    try:
        return " ".join(["ok", *_result(instrument, request)])
    except Garbled as error:
        return f"error refused expected {one_line(error)}"
    except (ValueError, InstrumentRefused) as error:
        return f"error refused {one_line(error)}"
    except InstrumentError as error:
        return f"error failed {one_line(error)}"
    except Exception as error:  # of an instrument that somebody wrote: the host must be told
        return f"error failed {type(error).__name__}: {one_line(error)}"


def _result(instrument: Instrument, request: Line) -> list[str]:
    """The words after `ok`."""
    _, verb, words = request
    if verb not in WORDS:
        raise Garbled(f"one of {', '.join(WORDS)}, not {verb[:20]!r}")
    if len(words) != WORDS[verb]:
        raise Garbled(f"{WORDS[verb]} words after {verb}, not {len(words)}")
    if verb == "report":
        return [f"{k}={v}" for k, v in instrument.report()._asdict().items()]
    chip, plain = instrument.describe(), is_plain(words)
    if verb == "describe":
        table = chip.to_dict() | {"pulses": int(chip.pulses)}
        return [f"{name}={value!r}" for name, value in table.items()]
    if verb == "read":
        return [_read(instrument, chip, words, plain)]
    cells = numbers(words[0], "i", (-1, 3), chip.cells)
    if verb == "pulse":
        instrument.pulse(cells, numbers(words[1], "i", (len(cells),)))
        return []
    done = instrument.program(cells, numbers(words[1], "f", (len(cells),)))
    conductance, *counts = done
    return [block(conductance, plain=plain), *(block(c.int(), plain=plain) for c in counts)]


def _read(instrument: Instrument, chip: Chip, words: list[str], plain: bool) -> str:
    """Currents."""
    first, arrays, vectors = (int(numbers(f"i:{word}", "i", ())) for word in words[:3])
    if min(arrays, vectors) < 0:
        raise Garbled("counts of 0 or more")
    chip.check_size(first, arrays, vectors)
    if arrays * vectors * chip.cols * _LONGEST_NUMBER > MAX_LINE:
        raise Garbled(f"fewer vectors: the answer is a line of at most {MAX_LINE} bytes")
    volts = numbers(words[3], "f", (vectors, arrays, chip.rows))
    return block(instrument.read(first, volts), plain=plain)
