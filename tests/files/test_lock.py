"""One process writes; the others are told, and a dead one keeps nothing."""

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mho.files import Taken, lock, only_writer

HOLD = """
import sys
from pathlib import Path
from mho.files import only_writer
with only_writer(Path(sys.argv[1]), "out", "runs/x"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_writer_is_refused_and_a_dead_one_keeps_no_lock(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        refused = pytest.raises(ValueError, match=r"out = 'runs/x': .*no other process")
        with refused, only_writer(path, "out", "runs/x"):
            pytest.fail("both write")
        other.send_signal(signal.SIGKILL)
        other.wait()
        with only_writer(path, "out", "runs/x"):
            pass
    refused = pytest.raises(ValueError, match="no other process")
    with only_writer(path, "out", "runs/x"), refused, only_writer(path, "out", "y"):
        pytest.fail("twice in one process")


def test_where_no_lock_can_be_the_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = pytest.raises(OSError)  # noqa: PT011 - the name is what counts
    with refused as refusal, only_writer(tmp_path / "file" / ".lock", "out", "x"):
        pass
    assert "file" in str(refusal.value.filename)


@pytest.fixture(params=["not there", errno.ENOLCK, errno.ENOSYS])
def without_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that has no locks."""

    def acquire(_lock: object) -> None:
        if isinstance(request.param, int):
            raise OSError(request.param, os.strerror(request.param))
        raise NotImplementedError

    monkeypatch.setattr("filelock.FileLock.acquire", acquire)
    monkeypatch.setattr(lock, "SETTLE", 0.0)
    monkeypatch.setattr(lock, "SAID_EVERY", 0.01)


def said(path: Path, host: str, pid: int) -> None:
    path.write_text(json.dumps({"token": "other", "host": host, "pid": pid, "said": 7}))


@pytest.mark.usefixtures("without_locks")
def test_without_locks_of_the_system_a_second_writer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with only_writer(path, "out", "x"), pytest.raises(Taken), only_writer(path, "out", "y"):
        pytest.fail("both write")
    with only_writer(path, "out", "x"):
        pass
    assert path.read_text() == ""
    said(path, lock.machine(), 1 << 22)  # no process of that number
    with only_writer(path, "out", "x"):
        pass


def test_a_writer_on_another_machine_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, naps = tmp_path / ".lock", 0
    monkeypatch.setattr(lock, "SILENT", 0.1)
    said(path, "elsewhere", 1)
    with only_writer(path, "out", "x"):
        pass
    said(path, "elsewhere", 1)

    def sleep(_seconds: float) -> None:
        nonlocal naps
        naps += 1
        path.write_text(path.read_text().replace('"said": 7', '"said": 8'))

    monkeypatch.setattr("time.sleep", sleep)
    with pytest.raises(Taken), only_writer(path, "out", "x"):
        pytest.fail("both write")
    assert naps == 1


@pytest.fixture
def two_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each writer is on another machine of one name, whose locks do not reach the others."""
    names = (f"node {number}" for number in itertools.count())
    monkeypatch.setattr(lock, "machine", lambda: next(names))
    monkeypatch.setattr("filelock.FileLock.acquire", lambda _lock: None)
    monkeypatch.setattr("filelock.FileLock.release", lambda _lock: None)
    monkeypatch.setattr(lock, "SAID_EVERY", 0.01)


@pytest.mark.usefixtures("two_machines")
def test_a_lock_that_ends_at_the_machine_is_no_lock(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with only_writer(path, "out", "x") as first:
        for _ in range(2):
            with pytest.raises(Taken), only_writer(path, "out", "x"):
                pytest.fail("both write")
        first.check()
    with only_writer(path, "out", "x"):
        pass


@pytest.mark.usefixtures("two_machines")
def test_of_two_that_begin_at_once_the_last_to_say_so_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "_is_written", lambda *_: False)  # neither had said so yet
    path = tmp_path / ".lock"
    with only_writer(path, "out", "x") as first, only_writer(path, "out", "x") as last:
        last.check()
        with pytest.raises(Taken):
            first.check()
        until = time.monotonic() + 600
        while json.loads(path.read_text() or "{}").get("said", 0) < 3:  # it is not written over
            assert time.monotonic() < until
        last.check()


def test_a_writer_that_slept_while_another_took_over_writes_no_more(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with only_writer(path, "out", "x") as writing:
        writing.check()
        said(path, "elsewhere", 1)
        with pytest.raises(Taken):
            writing.check()
    assert "elsewhere" in path.read_text(), "what the other wrote is left"


def test_a_writer_says_that_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "SAID_EVERY", 0.01)
    path = tmp_path / ".lock"
    with only_writer(path, "out", "x"):
        until = time.monotonic() + 600
        while json.loads(path.read_text() or "{}").get("said", 0) < 2:
            assert time.monotonic() < until
