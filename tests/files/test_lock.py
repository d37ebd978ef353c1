"""One process writes; the others are told, and a dead one keeps nothing."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mho.files import only_writer

HOLD = """
import sys
from pathlib import Path
from mho.files import only_writer
with only_writer(Path(sys.argv[1]), "out", "runs/x"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_writer_is_refused_and_a_dead_one_keeps_no_lock(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        refused = pytest.raises(ValueError, match=r"out = 'runs/x': .*no other process")
        with refused, only_writer(lock, "out", "runs/x"):
            pytest.fail("both write")
        other.send_signal(signal.SIGKILL)
        other.wait()
        with only_writer(lock, "out", "runs/x"):
            pass
    refused = pytest.raises(ValueError, match="no other process")
    with only_writer(lock, "out", "runs/x"), refused, only_writer(lock, "out", "y"):
        pytest.fail("twice in one process")


def test_where_no_lock_can_be_the_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = pytest.raises(OSError)  # noqa: PT011 - the name is what counts
    with refused as refusal, only_writer(tmp_path / "file" / ".lock", "out", "x"):
        pass
    assert "file" in str(refusal.value.filename)
