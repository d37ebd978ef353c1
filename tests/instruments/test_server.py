"""The transcript of the document is what the reference server says."""

import re
import socket
from contextlib import closing
from importlib import resources

import mho
from builders.instruments import chip, serving

DOCUMENT = resources.files("mho.instruments") / "protocol.md"
CELL = mho.cells.PulseResponse(g_min=10e-6, g_max=90e-6, levels=9, pulses=16)


def test_the_transcript_is_what_the_server_says() -> None:
    (block,) = re.findall(r"```\n(S: .*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.split(": ", 1) for line in block.splitlines()]
    assert len(lines) > 15
    with (
        serving(chip(CELL, tile=(2, 3), arrays=2)) as server,
        closing(socket.create_connection(server.address, 5)) as connection,
        connection.makefile("rw", newline="\n") as both,
    ):
        for who, text in lines:
            if who == "C":
                both.write(f"{text}\n")
                both.flush()
            else:
                assert both.readline() == f"{text}\n"
