"""Sweeps and trainings on two hosts, one of which is lost: the results are those of one host.

The hosts are namespaces of this machine, each with a network, a name and a table of mounts of its
own. The second one sees the folder of the first through SSHFS, a network file system whose locks
do not reach other hosts. Needs Linux, root and `TOOLS`; run by name: `python -m fuzz two_hosts`.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

from fuzz.breaking import DONE, below, check_same, send, started
from fuzz.sweeps import SETTINGS, SWEEP

__all__ = ["DONE", "LIMIT", "trials"]

LIMIT = 1200.0
"""Longest time of a trial [s]: some twenty processes that load torch."""

TOOLS = ("ip", "unshare", "nsenter", "sshd", "ssh-keygen", "sshfs", "ray")
SUBNET = "10.77.0"
OUTAGE = 60.0
"""Time for which a host has no network [s], twice that after which others take its points."""


class Host(NamedTuple):
    """One of the two."""

    name: str
    address: str
    interface: str
    process: int
    """Holds its namespaces."""

    def started(self, words: list[str], **environment: str) -> subprocess.Popen[bytes]:
        """A command of Python on it."""
        enter = ["nsenter", f"--target={self.process}", "--mount", "--net", "--uts"]
        own = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": self.interface}
        own |= {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0", **environment}
        return subprocess.Popen(
            [*enter, sys.executable, *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=own,
        )  # fmt: skip


def trials(random: Random, folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Lose the second host once in each kind of work, in turn."""
    if missing := [tool for tool in TOOLS if _path(tool) is None]:
        raise SystemExit(f"fuzz two_hosts needs {', '.join(missing)}")
    if os.geteuid() != 0:
        raise SystemExit("fuzz two_hosts needs root, for the namespaces")
    sweep, training = folder / "sweep", folder / "training"
    began = time.monotonic()
    assert started(["-m", "mho", *SWEEP, "--out", str(sweep)]).wait() == 0, "one host"
    took = time.monotonic() - began
    alone = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    assert started([*alone, *_run(training)]).wait() == 0, "one host"
    with _hosts(folder) as (first, second, shared):
        for number in itertools.count():
            kind = (_outage, _ray, _torchrun)[number % 3]
            after = random.uniform(0.3, 0.8) * took
            out = shared / str(number)
            yield (
                f"{kind.__doc__} after {after:.1f} s",
                lambda kind=kind, out=out, after=after: kind(
                    first, second, out, after, training if kind is _torchrun else sweep
                ),
            )
            shutil.rmtree(out, ignore_errors=True)


# ------------------------------------------------------------------ what is done, and lost


def _outage(first: Host, second: Host, out: Path, after: float, whole: Path) -> None:
    """a sweep by a driver on each host, the second without network"""
    command = ["-m", "mho", *SWEEP, "--out", str(out), "--engine-set", "processes=1"]
    drivers = [host.started(command) for host in (first, second)]
    time.sleep(after)
    _ip(second.name, "link", "set", second.interface, "down")
    DONE["two hosts: no network"] += 1
    time.sleep(OUTAGE)
    _ip(second.name, "link", "set", second.interface, "up")
    assert [driver.wait() for driver in drivers] == [0, 0]
    _check_sweep(out, whole)


def _ray(first: Host, second: Host, out: Path, after: float, whole: Path) -> None:
    """a sweep on a cluster of Ray, the node of the second host killed"""
    ray = ["-m", "ray.scripts.scripts", "start", "--num-cpus=1", "--object-store-memory=100000000"]
    heads = ["--head", f"--node-ip-address={first.address}", "--port=6379"]
    try:
        assert first.started([*ray, *heads, "--include-dashboard=false"]).wait() == 0
        joins = [f"--address={first.address}:6379", f"--node-ip-address={second.address}"]
        assert second.started([*ray, *joins]).wait() == 0
        engine = ["--engine", "ray", "--engine-set", "address=auto"]
        driver = first.started(["-m", "mho", *SWEEP, "--out", str(out), *engine])
        time.sleep(after)
        send(_on(second), signal.SIGKILL, "two hosts: kill a node of Ray")
        assert driver.wait() == 0
    finally:
        _kill([*_on(first), *_on(second)])
    _check_sweep(out, whole)


def _torchrun(first: Host, second: Host, out: Path, after: float, whole: Path) -> None:
    """a training of two processes, that of the second host killed"""
    meet = ["--rdzv-backend=c10d", f"--rdzv-endpoint={first.address}:29400", "--max-restarts=4"]

    def begin(host: Host) -> subprocess.Popen[bytes]:
        torchrun = ["-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", *meet]
        words = [*torchrun, f"--rdzv-id={out.name}", f"--local-addr={host.address}", *_run(out)]
        return host.started(words, TORCH_DISABLE_SHARE_RDZV_TCP_STORE="1")

    stays, goes = begin(first), begin(second)
    time.sleep(after)
    send(_on(second), signal.SIGKILL, "two hosts: kill torchrun and its process")
    goes.wait()
    statuses = [begin(second).wait(), stays.wait()]
    if statuses != [0, 0]:  # the first one had given up: the same command on both
        statuses = [each.wait() for each in (begin(first), begin(second))]
    assert statuses == [0, 0]
    check_same(out, whole)


def _run(out: Path) -> list[str]:
    return ["-m", "mho", "run", "siamese", *SETTINGS, "--out", str(out), "--resume"]


def _check_sweep(out: Path, whole: Path) -> None:
    points = sorted(each.name for each in (whole / "points").iterdir())
    assert sorted(each.name for each in (out / "points").iterdir()) == points
    for point in points:
        check_same(out / "points" / point, whole / "points" / point)


# ------------------------------------------------------------------ the hosts


@contextmanager
def _hosts(folder: Path) -> Iterator[tuple[Host, Host, Path]]:
    """Two hosts and a folder that both see under one name."""
    names = [f"mho{os.getpid()}{which}" for which in "ab"]
    ends = ["mho0", "mho1"]
    shared = folder / "shared"
    shared.mkdir()
    known = folder / "hosts"
    own = Path("/etc/hosts").read_text()
    table = [f"{SUBNET}.{n} {name}" for n, name in enumerate(names, 1)]
    known.write_text("\n".join([own, *table, ""]))
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    holders: list[subprocess.Popen[bytes]] = []
    try:
        for name in names:
            subprocess.run(["ip", "netns", "add", name], check=True)
        _ip(names[0], "link", "add", ends[0], "type", "veth", "peer", ends[1], "netns", names[1])
        for n, (name, end) in enumerate(zip(names, ends, strict=True), 1):
            _ip(name, "addr", "add", f"{SUBNET}.{n}/24", "dev", end)
            _ip(name, "link", "set", "lo", "up")
            _ip(name, "link", "set", end, "up")
        sshd = f"{_path('sshd')} -D -f /dev/null -h {key} -p 2222 -o StrictModes=no " \
            f"-o AuthorizedKeysFile={key}.pub -o PermitRootLogin=yes " \
            "-o Subsystem='sftp internal-sftp'"  # fmt: skip
        mount = f"sshfs -o port=2222,IdentityFile={key},StrictHostKeyChecking=no," \
            f"UserKnownHostsFile=/dev/null,reconnect root@{SUBNET}.1:{shared} {shared}"  # fmt: skip
        for name, first in zip(names, (f"mkdir -p /run/sshd; {sshd} &", mount), strict=True):
            script = f"hostname {name}; mount --bind {known} /etc/hosts; {first}\nexec sleep 1e9"
            enter = ["ip", "netns", "exec", name, "unshare", "--mount", "--uts"]
            holders.append(
                subprocess.Popen([*enter, "sh", "-c", script], stderr=subprocess.DEVNULL)
            )
            time.sleep(3)
        first, second = (
            Host(name, f"{SUBNET}.{n}", end, holder.pid)
            for n, (name, end, holder) in enumerate(zip(names, ends, holders, strict=True), 1)
        )
        (shared / "seen").touch()
        seen = second.started(["-c", f"open({str(shared / 'seen')!r})"]).wait()
        assert seen == 0, "the second host does not see the folder"
        yield first, second, shared
    finally:
        for name in names:
            _kill(_in(name))
            subprocess.run(["ip", "netns", "del", name], check=False)


def _in(name: str) -> list[int]:
    listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
    return [int(pid) for pid in listed.stdout.split()]


def _on(host: Host) -> list[int]:
    """What runs on a host, but for what makes it one."""
    keep = {host.process, *below(host.process)}
    return [pid for pid in _in(host.name) if pid not in keep and not _serves(pid)]


def _kill(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _serves(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().startswith(("ssh", "sftp"))
    return True


def _ip(name: str, *words: str) -> None:
    subprocess.run(["ip", "-n", name, *words], check=True)


def _path(tool: str) -> str | None:
    if tool == "ray":
        found = Path(sys.executable).with_name("ray")
        return str(found) if found.exists() else None
    return shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
