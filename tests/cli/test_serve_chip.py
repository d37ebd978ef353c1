"""`mho serve-chip` as a lab meets it: served, stopped, started again; refusals of one line."""

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import pytest
import torch

import mho
from builders.instruments import PATIENT, serving
from mho.cli import main
from mho.instruments import (
    InstrumentError,
    InstrumentRefused,
    InstrumentServer,
    RemoteInstrument,
    SimulatedInstrument,
)

CELL = mho.cells.PulseResponse(g_min=10e-6, g_max=90e-6, levels=9, pulses=64, cycle_spread=0.3)
HAS_IPV6 = socket.has_ipv6 and Path("/proc/net/if_inet6").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--device", "hfo2"], "did you mean 'hfo2-1t1r'?"),
        (["--device-file", "none.toml"], "none.toml"),
        (["--port", "70000"], "port = 70000: expected 0 to 65535"),
        (["--host", "256.0.0.1", "--port", "0"], "an address to listen on"),
        (["--arrays", "0"], "Chip.arrays = 0"),
        (["--rows", "0"], "Hardware.tile = (0, 128)"),
        (["--volts", "-1"], "Chip.volts = -1.0"),
        (["--programming", "verfy"], "did you mean 'verify'?"),
        (["--stuck", "1.5"], "stuck_off"),
        (["--state", "nowhere/chip.pt"], "a file in a folder that exists"),
        (["--state", "."], "the name of a file"),
        (["--state", "/dev/null"], "this is a device"),
        (["--host", ""], "host = '': expected the name or number of a machine; 0.0.0.0 or ::"),
        (["--host", " "], "host = ' '"),
        (["--idle", "0"], "Access.idle = 0"),
        (["--idle", "nan"], "Access.idle = nan"),
        (["--token-file", "none"], "token_file = 'none'"),
        (["--socket", "a", "--port", "1"], "nothing with --host or --port"),
        (["--socket", "nowhere/a"], "an address to listen on (No such file or directory)"),
        (["--socket", "x" * 200], "unix: and a path"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["serve-chip", *arguments]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


class Served:
    """`mho serve-chip` in a process of its own, of one array of 4 x 3 cells that pulses move."""

    def __init__(self, folder: Path, *more: str, **environment: str) -> None:
        (folder / "cell.toml").write_text(f"[device]\n{CELL.to_toml()}")
        command = [sys.executable, "-m", "mho", "serve-chip", "--arrays", "1", "--rows", "4",
                   "--cols", "3", "--device-file", str(folder / "cell.toml"), *more]  # fmt: skip
        if "--socket" not in more and "--port" not in more:
            command += ["--port", "0"]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **environment},
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        said = re.search(r"4 x 3 cells served on (\S+); Ctrl-C", line)
        assert said is not None, self.process.communicate()[1]
        self.address = said[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def stopped(self, how: signal.Signals = signal.SIGINT) -> tuple[int, str, list[str]]:
        """Status, output, and what was logged, after a signal."""
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=600)
        return self.process.returncode, out, err.splitlines()


@contextmanager
def asked(address: str, name: str = "5f3a") -> Iterator[Callable[[str], str]]:
    """A session, line by line."""
    host, _, port = address.rpartition(":")
    with (
        socket.create_connection((host, int(port)), 60) as connection,
        connection.makefile("rw", newline="\n") as both,
    ):

        def ask(text: str) -> str:
            both.write(f"{text}\n")
            both.flush()
            return both.readline().rstrip("\n")

        assert both.readline() == "mho-chip 1\n"
        assert ask(f"open {name}").startswith("ok ")
        yield ask


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of another process")
def test_a_full_disk_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    """A pulse that cannot be kept has not happened; the same request, once there is room, is
    carried out once, and a server that is killed then has it."""
    state, pulse = tmp_path / "chip.pt", "pulse i:0,0,0 i:"
    with Served(tmp_path, "--state", str(state)) as server:
        with asked(server.address) as ask:
            assert ask(f"1 {pulse}4") == "1 ok"
            kept = sorted(tmp_path.iterdir())
            unlimited = resource.RLIM_INFINITY
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (64, unlimited))
            for request in (f"2 {pulse}8", f"2 {pulse}8", f"3 {pulse}8", "4 read 0 1 1 f:0,0,0,0"):
                said = ask(request)
                assert said.startswith(f"{request[0]} error failed nothing was done")
                assert "File too large" in said
            assert sorted(tmp_path.iterdir()) == kept
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))
            for _ in range(2):
                assert ask(f"5 {pulse}8") == "5 ok"
        server.process.kill()
    with Served(tmp_path, "--state", str(state)) as server, asked(server.address) as ask:
        assert ask(f"5 {pulse}8") == "5 ok"
        assert ask("6 report").startswith("6 ok changes=2 vectors=0 set_pulses=12")


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of another process")
def test_no_file_descriptors_left_and_the_host_at_work_goes_on(tmp_path: Path) -> None:
    state = ["--state", str(tmp_path / "chip.pt")]
    with Served(tmp_path, *state) as server, asked(server.address) as ask:
        assert ask("1 pulse i:0,0,0 i:1") == "1 ok"  # has loaded what it needs
        used = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (used + 8, used + 8))
        host, port = server.address.rsplit(":", 1)
        others = [socket.create_connection((host, int(port)), 60) for _ in range(14)]
        for number in range(2, 30):
            assert ask(f"{number} pulse i:0,0,0 i:1") == f"{number} ok"
        for other in others:
            other.close()
        assert ask("30 report").startswith("30 ok changes=29")
        with asked(server.address) as again:
            assert again("30 report").startswith("30 ok changes=29")
        status, out, log = server.stopped()
    assert (status, out) == (0, "mho: stopped\n")
    assert any("new connections have to wait: Too many open files" in line for line in log)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_in_order_while_a_host_is_at_work(tmp_path: Path, how: signal.Signals) -> None:
    state = ["--state", str(tmp_path / "chip.pt")]
    with (
        Served(tmp_path, *state) as server,
        RemoteInstrument(server.address, limits=PATIENT.replace(attempts=1)) as instrument,
    ):
        going, done = threading.Event(), []

        def work() -> None:
            with suppress(InstrumentError):
                while True:
                    instrument.pulse(torch.zeros(1, 3).int(), torch.ones(1).int())
                    done.append(1)
                    going.set()

        thread = threading.Thread(target=work)
        thread.start()
        assert going.wait(600)
        status, out, log = server.stopped(how)
        thread.join()
    assert (status, out) == (0, "mho: stopped\n")
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S+ 127.0.0.1:", line) for line in log)
    assert ["taken the chip" in log[0], "has left" in log[-1]] == [True, True]
    with (
        Served(tmp_path, *state) as server,
        RemoteInstrument(server.address, limits=PATIENT) as instrument,
    ):
        assert instrument.report().changes in (len(done), len(done) + 1)


def test_two_servers_of_one_state_are_one_too_many(tmp_path: Path) -> None:
    state = str(tmp_path / "chip.pt")
    with Served(tmp_path, "--state", state) as server:
        command = [sys.executable, "-m", "mho", "serve-chip", "--port", "0", "--state", state]
        second = subprocess.run(command, capture_output=True, text=True, timeout=600)
        assert second.returncode == 2
        assert second.stderr.startswith(f"mho: state = {state!r}")
        assert second.stderr.count("\n") == 1
        server.process.kill()
        server.process.wait()
        with Served(tmp_path, "--state", state):
            pass


def test_a_socket_and_a_token(tmp_path: Path) -> None:
    path = tmp_path / "chip.sock"
    with Served(tmp_path, "--socket", str(path), MHO_CHIP_TOKEN="open-sesame") as server:
        assert server.address == f"unix:{path}"
        assert path.stat().st_mode & 0o777 == 0o600
        with RemoteInstrument(server.address, limits=PATIENT, token="open-sesame") as instrument:
            assert instrument.report().changes == 0
        with (
            RemoteInstrument(server.address, limits=PATIENT) as instrument,
            pytest.raises(InstrumentRefused, match="asks for a token"),
        ):
            instrument.report()
        status, _, log = server.stopped()
    assert status == 0
    assert not path.exists()
    assert "warning" not in "\n".join(log)
    assert "sesame" not in "\n".join(log)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_listening_to_other_machines_is_warned_of(
    host: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if host == "::" and not HAS_IPV6:
        pytest.skip("no IPv6 here")
    monkeypatch.setattr(InstrumentServer, "serve", lambda _self: None)
    monkeypatch.delenv("MHO_CHIP_TOKEN", raising=False)
    (tmp_path / "token").write_text("open-sesame")
    small = ["serve-chip", "--port", "0", "--rows", "2", "--cols", "2"]
    for more, who in (
        ([], "whoever reaches it uses the chip"),
        (["--token-file", str(tmp_path / "token")], "the token is sent as it is"),
    ):
        assert main([*small, "--host", host, *more]) == 0
        err = capsys.readouterr().err
        assert err.startswith(f"mho: warning: {'[::]' if host == '::' else host}:")
        assert who in err
        assert "nothing is encrypted" in err
    for local in ("127.0.0.1", "localhost", "::1" if HAS_IPV6 else "127.0.0.2"):
        assert main([*small, "--host", local]) == 0
        assert capsys.readouterr().err == ""


def test_a_server_that_is_killed_goes_on(tmp_path: Path) -> None:
    state, cell = tmp_path / "chip.pt", torch.tensor([[0, 3, 1]], dtype=torch.int32)
    command = [sys.executable, "-m", "mho", "serve-chip", "--arrays", "1", "--rows", "4",
               "--cols", "3", "--state", str(state), "--port", "0"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        said = re.search(r"4 x 3 cells served on 127.0.0.1:(\d+)", server.stdout.readline())
        assert said is not None
        instrument = RemoteInstrument("127.0.0.1", int(said[1]), PATIENT)
        before = instrument.program(cell, torch.tensor([50e-6])).conductance.item()
        server.kill()
    hardware = mho.Hardware(device=mho.devices.get("hfo2-1t1r"), tile=(4, 3))
    same = SimulatedInstrument(hardware, 1)
    with instrument, serving(same, state=state, port=int(said[1])):
        assert instrument.report().changes == 1
        assert same.crossbar.conductance[0, 0, 3, 1].item() == pytest.approx(before)


def test_ctrl_c_stops_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_self: InstrumentServer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(InstrumentServer, "serve", interrupted)
    assert main(["serve-chip", "--port", "0", "--rows", "2", "--cols", "2"]) == 0
    assert "mho: stopped" in capsys.readouterr().out


def test_the_protocol_is_printed_from_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve-chip", "--protocol", "--port", "70000"]) == 0
    assert capsys.readouterr().out == Path(mho.__file__).with_name("instruments").joinpath(
        "protocol.md"
    ).read_text(encoding="utf-8")
