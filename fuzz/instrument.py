"""A served chip: wrong requests, strange connections, false servers, damaged files."""

from __future__ import annotations

import copy
import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import torch

import mho
from fuzz.mutations import bytes_changed, value_changed
from mho.files.archive import write_archive
from mho.instruments import (
    InstrumentError,
    InstrumentServer,
    Limits,
    RemoteInstrument,
    SimulatedInstrument,
    release,
)
from mho.instruments.session import Holder
from mho.instruments.state_file import StateFile

REFUSALS = (InstrumentError,)

CELL = mho.cells.PulseResponse(
    g_min=10e-6, g_max=90e-6, levels=9, pulses=16, cycle_spread=0.3, endurance=500.0
)
ONCE = Limits(timeout=2.0, attempts=1)

GOOD = (
    "describe", "report", "program i:0,0,0,1,2,1 f:9e-05,5e-05", "pulse i:0,0,0,1,3,2 i:5,-3",
    "program I:AAAAAAAAAAAAAAAA F:rMUnNw==", "pulse i:1,1,1 i:200",
    "read 0 2 1 f:0.2,0.1,0.1,0,0,0,0,0", "read 1 1 2 f:0.2,0.1,0.1,0,0,0,0,0",
)  # fmt: skip
"""Requests that are carried out, most of them."""

ODD = (
    "", "0", "1", "-1", "4294967296", "18446744073709551616", "9" * 400, "1e999", "nan", "inf",
    "1_0", "\0", "\xe9", "i:", "f:", "I:", "F:", "I:=", "F:AAAA", "i:" + "0," * 200, "f:1,,2", ":",
    "i:2147483648", "i:-2147483648", "1073741824", "268435456", "open", "read", "ok", "error",
    "arrays=0", "low=nan",
)  # fmt: skip
"""Words that do not belong there."""


def trials(random: Random, folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Ask a chip, in process and over a socket; ask false servers; load changed files."""
    holder = Holder(_chip(), None)
    holder.open("a", _nowhere())
    kept = _kept(folder / "kept")
    server = InstrumentServer(_chip(), f"unix:{folder / 'chip.sock'}", token="t")
    thread = threading.Thread(target=server.serve)
    thread.start()
    number = 0
    try:
        while True:
            kind = random.choice(("request", "request", "connection", "server", "file", "file"))
            if kind == "request":
                number += 1
                text = _request(random, number)
                yield f"{kind}: {text!r:.300}", partial(_ask, holder, text)
            elif kind == "connection":
                sent = _bytes(random)
                yield f"{kind}: {sent!r:.300}", partial(_connect, server, sent)
            elif kind == "server":
                answers, call = _answers(random), random.choice(tuple(CALLS))
                yield f"{kind}: {call}: {answers!r:.300}", partial(_serve_nonsense, answers, call)
            else:
                state = folder / "chip.pt"
                words, damaged = _change(random, kept, state)
                yield f"{kind}: {words}", partial(_load, state, kept if damaged else None)
    finally:
        server.close()
        thread.join()


def _chip() -> SimulatedInstrument:
    return SimulatedInstrument(mho.Hardware(device=CELL, tile=(4, 3)), 2, seed=3)


def _nowhere() -> socket.socket:
    """A connection that has ended."""
    connection = socket.socket()
    connection.close()
    return connection


# ------------------------------------------------------------------ requests


def _request(random: Random, number: int) -> str:
    """A request, with words of it replaced, left out or put in."""
    words = [str(number), *random.choice(GOOD).split(" ")]
    for _ in range(random.choice((0, 1, 1, 2, 3))):
        at, kind = random.randrange(len(words)), random.choice(("other", "gone", "more", "cut"))
        if kind == "other":
            words[at] = random.choice(ODD)
        elif kind == "gone" and len(words) > 1:
            del words[at]
        elif kind == "more":
            words.insert(at, random.choice(ODD))
        else:
            words[at] = words[at][: random.randrange(len(words[at]) + 1)]
    return " ".join(words)


def _ask(holder: Holder, text: str) -> None:
    """A request is answered by a line, and is not carried out again if it is made again."""
    answer, report = holder.answer("a", text), holder.instrument.report()
    number, verb, *rest = answer.split(" ")
    if "\n" in answer or not number.isdigit() or verb not in ("ok", "error"):
        raise AssertionError(f"answered {answer!r}")
    if verb == "error" and rest[0] != "refused":
        raise AssertionError(f"answered {answer!r}")
    if number != "0" and (again := holder.answer("a", text)) != answer and "before" not in again:
        raise AssertionError(f"answered {answer!r}, then {again!r}")
    if holder.instrument.report() != report:
        raise AssertionError("carried out twice")
    conductance = holder.instrument.crossbar.conductance  # type: ignore[attr-defined]
    if not (conductance.isfinite() & (conductance >= 0)).all():
        raise AssertionError("cells of no conductance")
    if " came before" in answer:  # a number was far ahead
        holder.release()
        holder.open("a", _nowhere())


# ------------------------------------------------------------------ connections


def _bytes(random: Random) -> bytes:
    """What a stranger, or a host whose line is bad, may send."""
    lines = [random.choice(("open a t", "open a t", "open b", "open a x", "release", "GET /", ""))]
    lines += [_request(random, n) for n in range(1, random.randrange(1, 5))]
    whole = "\n".join(lines).encode("utf-8", "replace") + b"\n"
    return bytes_changed(random, whole)[1] if random.random() < 0.6 else whole


def _connect(server: InstrumentServer, sent: bytes) -> None:
    """Whatever one connection sends, the next host is served."""
    with server.address.connected(10.0) as connection, suppress(ConnectionError):
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 16):
            pass
    release(*server.address, token="t")
    with RemoteInstrument(*server.address, token="t") as instrument:
        instrument.report()
    release(*server.address, token="t")


# ------------------------------------------------------------------ servers

CALLS: dict[str, Callable[[RemoteInstrument], object]] = {
    "describe": lambda i: i.describe(),
    "report": lambda i: i.report(),
    "program": lambda i: i.program(torch.zeros(1, 3).int(), torch.tensor([9e-5])),
    "pulse": lambda i: i.pulse(torch.zeros(1, 3).int(), torch.ones(1).int()),
    "read": lambda i: i.read(0, torch.zeros(1, 1, 4)),
}

ANSWERS = (
    "mho-chip 1", "ok 0",
    "1 ok arrays=2 rows=4 cols=3 low=1e-05 high=9e-05 levels=9 volts=0.2 pulses=1",
    "1 ok changes=0 vectors=0 set_pulses=0 reset_pulses=0 verify_reads=0",
    "1 ok f:9e-05 i:1 i:1 i:0", "2 ok f:1,2,3", "1 ok", "1 error refused no", "1 error failed no",
)  # fmt: skip


def _answers(random: Random) -> bytes:
    lines = list(ANSWERS[:2]) if random.random() < 0.9 else []
    lines += [random.choice(ANSWERS[2:]) for _ in range(random.randrange(1, 4))]
    for _ in range(random.choice((0, 1, 2))):
        at = random.randrange(len(lines))
        words = lines[at].split(" ")
        word = random.randrange(len(words))
        name, equals, value = words[word].partition("=")
        odd = random.choice((*ODD, value[:1], value * 40))
        words[word] = f"{name}={odd}" if equals else odd
        lines[at] = " ".join(words)
    whole = "\n".join(lines).encode("utf-8", "replace") + b"\n"
    return bytes_changed(random, whole)[1] if random.random() < 0.3 else whole


def _serve_nonsense(answers: bytes, call: str) -> None:
    """A client of a server that answers what it will: a result, or an `InstrumentError`."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, suppress(ConnectionError):
                connection.sendall(answers)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1 << 16):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with RemoteInstrument(*listening.getsockname(), ONCE) as instrument:
                CALLS[call](instrument)
        finally:
            thread.join()


# ------------------------------------------------------------------ files


def _kept(folder: Path) -> Path:
    """A state file of a chip that was programmed, pulsed and read."""
    folder.mkdir()
    instrument = _chip()
    state = StateFile(folder / "chip.pt", instrument)
    holder = Holder(instrument, state)
    holder.open("a", _nowhere())
    for number, text in enumerate(GOOD, 1):
        holder.answer("a", f"{number} {text}")
    holder.close()
    return state.path


def _change(random: Random, kept: Path, path: Path) -> tuple[str, bool]:
    """A copy of it of which something is changed; and whether that is damage, which must be found,
    or another content, as if it had been written so."""
    reads = path.with_name(f"{path.name}.reads")
    for file, source in ((path, kept), (reads, kept.with_name(f"{kept.name}.reads"))):
        shutil.copy(source, file)
    which = random.choice((path, path, reads))
    if random.random() < 0.4:
        words, content = bytes_changed(random, which.read_bytes())
        which.write_bytes(content)
        return f"{which.name}: {words}", True
    if which == reads:
        since = json.loads(reads.read_text())
        since.pop("digest")
        words, since = value_changed(random, since)
        reads.write_text(json.dumps(since), encoding="utf-8", errors="surrogatepass")
        return f"{which.name}: {words}", False
    words, state = value_changed(random, torch.load(path, weights_only=True))
    try:
        write_archive(path, state)
    except Exception:  # torch itself refuses some
        words = f"left as it was, for {words}"
    return f"{which.name}: {words}", False


def _load(path: Path, whole: Path | None) -> None:
    """What is taken is a chip that works; what is damaged is not taken, or changed nothing."""
    instrument = _chip()
    before = copy.deepcopy(instrument.state_dict())
    holder = None
    try:
        holder = Holder(instrument, StateFile(path, instrument))
    except ValueError:
        if not _same(instrument.state_dict(), before):
            raise AssertionError("refused, but the chip was changed") from None
        raise
    try:
        if whole is not None:
            expected = _chip()
            StateFile(whole, expected).load()
            if not _same(instrument.state_dict(), expected.state_dict()):
                raise AssertionError("a damaged file was taken")
        holder.open("b", _nowhere())
        for number, text in enumerate(GOOD, 1):
            _ask_of(holder, f"{number} {text}")
    finally:
        holder.close()


def _ask_of(holder: Holder, text: str) -> None:
    answer = holder.answer("b", text)
    if " error failed" in answer:
        raise AssertionError(f"{text!r} answered {answer!r}")


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    return one.equal(other) if isinstance(one, torch.Tensor) else one == other
