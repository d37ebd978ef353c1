"""Addresses: read, refused, listened on, connected to."""

import os
import socket
import stat
from pathlib import Path

import pytest

from builders.instruments import PATIENT, chip, serving
from mho.instruments import InstrumentServer, RemoteInstrument
from mho.instruments.address import Address, listening_address, server_address

HAS_IPV6 = socket.has_ipv6 and Path("/proc/net/if_inet6").exists()


@pytest.mark.parametrize(
    ("given", "is_"),
    [
        (("bench.local", 6047), Address("bench.local", 6047)),
        (("bench.local:6047",), Address("bench.local", 6047)),
        (("[::1]:6047",), Address("::1", 6047)),
        (("::1", 6047), Address("::1", 6047)),
        (("[::1]", 6047), Address("::1", 6047)),
        (("fe80::1%eth0", 1), Address("fe80::1%eth0", 1)),
        (("unix:/run/chip",), Address("unix:/run/chip", 0)),
        (("unix:/run/chip", 0), Address("unix:/run/chip", 0)),
    ],
)
def test_an_address_is_read(given: tuple[str, int], is_: Address) -> None:
    assert server_address(*given) == is_
    assert server_address(str(is_)) == is_


@pytest.mark.parametrize(
    "given",
    [
        ("", 6047), (" ", 6047), ("bench",), ("bench:",), (":6047",), ("bench:x",), ("bench:-1",),
        ("bench:٣",), ("bench:0",), ("bench:65536",), ("bench", 70000), ("bench", -1), ("bench", 0),
        ("::1:6047",), ("[::1]",), ("a b:1",), ("a/b:1",), ("\0:1",), ("a..b:1",), ("x" * 70, 1),
        ("unix:",), ("unix:" + "x" * 200,), ("unix:/run/chip", 5), ("unix:a\0b",), ("[]:1",),
        ("bench:" + "1" * 5000,),
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_in_a_line(given: tuple[str, int]) -> None:
    with pytest.raises(ValueError, match="expected") as refusal:
        server_address(*given)
    assert "\n" not in str(refusal.value)
    with pytest.raises(ValueError, match="expected"):
        RemoteInstrument(*given)


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("192.168.1.7", False), ("bench.local", False),
     ("unix:/run/chip", True)],
)  # fmt: skip
def test_what_is_reached_from_this_machine_alone(host: str, alone: bool) -> None:
    assert listening_address(host, 0).loopback is alone


@pytest.mark.skipif(not HAS_IPV6, reason="no IPv6 here")
def test_ipv6() -> None:
    with (
        serving(chip(), host="::1") as server,
        RemoteInstrument(f"[::1]:{server.address.port}", limits=PATIENT) as instrument,
    ):
        assert str(server.address) == f"[::1]:{server.address.port}"
        assert instrument.report().changes == 0


def test_a_unix_socket_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "chip.sock"
    with (
        serving(chip(), host=f"unix:{path}") as server,
        RemoteInstrument(*server.address, PATIENT) as instrument,
    ):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert instrument.report().changes == 0
        with RemoteInstrument(str(server.address), limits=PATIENT) as other:
            instrument.close()
            assert other.report().changes == 0
    assert not path.exists()


def test_a_unix_socket_takes_the_place_of_one_that_is_dead_and_of_nothing_else(
    tmp_path: Path,
) -> None:
    path = tmp_path / "chip.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with serving(chip(), host=f"unix:{path}") as server:
        with pytest.raises(ValueError, match="another server listens there"):
            InstrumentServer(chip(), f"unix:{path}")
        with RemoteInstrument(*server.address, PATIENT) as instrument:
            assert instrument.report().changes == 0
    path.write_text("notes")
    with pytest.raises(ValueError, match="a file of another kind"):
        InstrumentServer(chip(), f"unix:{path}")
    assert path.read_text() == "notes"
    with pytest.raises(ValueError, match="No such file"):
        InstrumentServer(chip(), f"unix:{tmp_path / 'nowhere' / 'chip.sock'}")


def test_a_port_that_is_taken_is_refused_and_nothing_stays_open() -> None:
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for _ in range(3):
            with pytest.raises(ValueError, match="in use"):
                InstrumentServer(chip(), *taken.getsockname())
    if before:
        assert len(os.listdir("/proc/self/fd")) == before
