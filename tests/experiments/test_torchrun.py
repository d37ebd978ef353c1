"""Processes that torchrun starts meet, whatever earlier ones have left in its store.

Runs under torchrun are in test_processes.py.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from torch._C._distributed_c10d import HashStore

from mho.errors import Failed
from mho.experiments import torchrun
from mho.experiments.torchrun import meet, name_of_meeting


def test_processes_meet_though_earlier_ones_left_their_questions_and_answers() -> None:
    store, names = HashStore(), set[str]()
    store.set_timeout(timedelta(minutes=5))
    for count in (3, 3, 2, 4):
        store.set("process 1 asks", "0123456789abcdef")  # one that ended before it was answered
        with ThreadPoolExecutor(count) as pool:
            asked = pool.map(lambda rank, n=count: name_of_meeting(store, rank, n), range(count))
            (name,) = set(asked)
        names.add(name)
    assert len(names) == 4


def test_a_process_that_does_not_come_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torchrun, "PATIENCE", timedelta(0))
    with pytest.raises(Failed, match="another process"):
        name_of_meeting(HashStore(), 0, 2)


def test_a_port_that_torchrun_did_not_choose_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_PORT", "0")
    with pytest.raises(ValueError, match=r"MASTER_PORT = 0: .*--standalone"):
        meet("gloo", 0, 2)
