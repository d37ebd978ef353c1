"""What every engine promises, with workers that end as told; and the same numbers with real ones.

The worker is replaced by a script in `sitecustomize.py`, which also the processes of Ray and of
submitit find: `act` in the folder of a point says what it does.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

import mho.sweep
from mho.errors import InvalidInput
from mho.sweep import plan
from mho.sweep.driver import drive
from mho.sweep.engines import ENGINES, Ended, Engine, engine_of
from mho.sweep.folder import PointFolder, SweepFolder
from mho.sweep.process import DONE, FAILED, INTERRUPTED, PATIENCE, TAKEN

PRETENDED = """
import sys
if "mho.sweep.worker" in sys.orig_argv:
    import os, pathlib, signal
    folder = pathlib.Path(sys.orig_argv[3])
    act = (folder / "act").read_text()
    with (folder / "tries").open("a") as tries:
        tries.write(f"{os.getpid()}\\n")
    again = len((folder / "tries").read_text().split()) > 1
    print("last words", flush=True)
    if act == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if act == "run" or (act == "run once" and not again):
        def stop(*_):
            (folder / "checkpoint.pt").write_text("")
            os._exit(130)
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        while os.read(0, 1):
            pass
        stop()
    if act in ("done", "run once"):
        (folder / "result.json").write_text("{}")
        os._exit(0)
    os._exit({"fail": 2, "taken": 3}[act])
"""

SETTINGS = {
    "local": ["processes=8"],
    "ray": ["cpus=0.1"],
    "slurm": ["executor=local"],
}
"""Of engines that are tried on one machine."""

NEEDS = {"ray": "ray", "slurm": "submitit"}

CLAIMED = ("float", "falling threshold", "on level change", "large threshold")
"""Schemes without which the smallest experiment is refused."""

LONG = 600.0
"""Longest time that anything is waited for [s], also on a machine that does much else."""

OURS = {"RAY_memory_monitor_refresh_ms": "0", "RAY_DEDUP_LOGS": "0"}

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # processes that are left on purpose
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(params=ENGINES)
def name(request: pytest.FixtureRequest) -> str:
    """Of an engine that can be tried here."""
    missing(request.param)
    return request.param


def missing(engine: str) -> None:
    if engine in NEEDS and find_spec(NEEDS[engine]) is None:
        pytest.skip(f"{NEEDS[engine]} is not installed")


@pytest.fixture
def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have workers do what their folder says."""
    stub = tmp_path / "stub"
    stub.mkdir()
    (stub / "sitecustomize.py").write_text(PRETENDED)
    source = str(Path(plan.__file__).parents[2])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(stub), source]))
    for key, value in OURS.items():
        monkeypatch.setenv(key, value)


@pytest.fixture
def made(name: str) -> Iterator[Callable[[], Engine]]:
    """Makes engines, which are stopped at the end."""
    engines = []

    def make() -> Engine:
        engines.append(engine_of(name, SETTINGS[name]))
        return engines[-1]

    yield make
    for engine in engines:
        engine.stop()


def folder_of(path: Path, act: str) -> PointFolder:
    folder = PointFolder(path / "points" / act.replace(" ", "-"))
    folder.path.mkdir(parents=True)
    (folder.path / "act").write_text(act)
    return folder


def until(condition: Callable[[], bool], seconds: float = LONG) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def gathered(engine: Engine, count: int) -> list[Ended]:
    ended: list[Ended] = []
    end = time.monotonic() + LONG
    while len(ended) < count:
        assert time.monotonic() < end, ended
        ended += engine.ended(0.5)
    return ended


@pytest.mark.usefixtures("pretended")
def test_how_a_worker_ends_is_told_and_a_stop_leaves_a_checkpoint(
    tmp_path: Path, made: Callable[[], Engine]
) -> None:
    engine = made()
    assert engine.room() > 0
    assert engine.ended(0.0) == []
    points = {act: folder_of(tmp_path, act) for act in ("done", "fail", "taken", "die", "run")}
    before = engine.room()
    for point in points.values():
        assert not engine.found(point)
        engine.start(point)
    assert engine.room() == before - len(points)
    ended = {each.folder.path.name: each for each in gathered(engine, 4)}
    assert ended["done"].status == DONE
    assert ended["done"].folder is points["done"]
    assert ended["fail"].status == FAILED
    assert ended["fail"].said == "last words"
    assert ended["taken"].status == TAKEN
    assert ended["die"].status not in (DONE, FAILED, TAKEN, INTERRUPTED)
    until(lambda: (points["run"].path / "tries").exists())
    assert engine.ended(0.1) == []
    (last,) = engine.stop()
    assert (last.folder, last.status) == (points["run"], INTERRUPTED)
    assert (points["run"].path / "checkpoint.pt").exists()
    assert engine.stop() == []


DRIVER = """
import sys, time
from pathlib import Path
from mho.sweep.engines import engine_of
from mho.sweep.folder import PointFolder
engine = engine_of(sys.argv[1], sys.argv[3:])
engine.start(PointFolder(Path(sys.argv[2])))
while True:
    engine.ended(1.0)
"""


@pytest.mark.usefixtures("pretended")
def test_a_driver_that_is_killed_leaves_no_worker_that_nobody_can_stop(
    tmp_path: Path, name: str, made: Callable[[], Engine]
) -> None:
    point = folder_of(tmp_path, "run")
    tries, checkpoint = point.path / "tries", point.path / "checkpoint.pt"
    command = [sys.executable, "-c", DRIVER, name, str(point.path), *SETTINGS[name]]
    driver = subprocess.Popen(command)
    until(lambda: tries.exists() and tries.read_text().endswith("\n"))
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    worker = Path("/proc") / tries.read_text().strip()
    if name == "slurm":  # its queue outlives the driver
        engine = made()
        until(lambda: (point.path / "job.json").exists())
        assert worker.exists()
        assert engine.found(point)
        assert [each.status for each in engine.stop()] == [INTERRUPTED]
        assert not (point.path / "job.json").exists()
        assert checkpoint.exists()
        assert len(tries.read_text().split()) == 1
    until(lambda: not worker.exists())
    if name == "local":
        assert checkpoint.exists()


@pytest.mark.usefixtures("pretended")
def test_a_stop_works_for_a_command_in_the_background_of_a_script(
    tmp_path: Path, made: Callable[[], Engine]
) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as shells do; children inherit it
    try:
        engine = made()
        point = folder_of(tmp_path, "run")
        engine.start(point)
        engine.ended(0.0)
        until(lambda: (point.path / "tries").exists())
        began = time.monotonic()
        assert [each.status for each in engine.stop()] == [INTERRUPTED]
        assert time.monotonic() - began < PATIENCE  # after which it would be killed
        assert (point.path / "checkpoint.pt").exists()
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("pretended")
def test_a_job_that_is_preempted_stops_with_a_checkpoint_and_is_queued_again(
    tmp_path: Path,
) -> None:
    missing("slurm")
    point = folder_of(tmp_path, "run once")
    engine = engine_of("slurm", SETTINGS["slurm"])
    engine.start(point)
    engine.ended(0.0)
    until(lambda: (point.path / "tries").exists())
    worker = int((point.path / "tries").read_text())
    stat = Path(f"/proc/{worker}/stat").read_text()
    job = int(stat.rpartition(")")[2].split()[1])  # the parent of the worker
    os.kill(job, signal.SIGUSR2)
    (ended,) = gathered(engine, 1)
    assert ended.status == DONE
    assert (point.path / "checkpoint.pt").exists()
    assert len((point.path / "tries").read_text().split()) == 2
    assert engine.stop() == []


@pytest.mark.usefixtures("pretended")
def test_a_node_of_ray_that_dies_takes_no_point_along(tmp_path: Path) -> None:
    missing("ray")
    from ray.cluster_utils import Cluster

    soon = {
        "health_check_initial_delay_ms": 0,
        "health_check_period_ms": 200,
        "health_check_failure_threshold": 3,
    }
    head = {"num_cpus": 0, "_system_config": soon}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        first = cluster.add_node(num_cpus=1)
        engine = engine_of("ray", [f"address={cluster.address}"])
        point = folder_of(tmp_path, "run once")
        engine.start(point)
        until(lambda: (point.path / "tries").exists())
        cluster.remove_node(first, allow_graceful=False)
        cluster.add_node(num_cpus=1)
        (ended,) = gathered(engine, 1)
        assert ended.status == DONE
        assert len((point.path / "tries").read_text().split()) == 2
        engine.stop()
    finally:
        cluster.shutdown()


def test_all_engines_compute_the_same_numbers(tmp_path: Path) -> None:
    set_ = {
        "epochs": 1,
        "per_class": 10,
        "studies": [],
        "networks": ["mlp"],
        "claimed": list(CLAIMED),
    }
    results = {}
    for name in ENGINES:
        if name in NEEDS and find_spec(NEEDS[name]) is None:
            continue
        points = plan.make("siamese", single=list(set_.items())).points()
        (folder,) = SweepFolder(tmp_path / name).add(points)
        assert len(drive([folder], engine_of(name, SETTINGS[name])).done) == 1
        found = json.loads((folder.path / "result.json").read_text())
        assert found.pop("wall_s") > 0
        results[name] = json.dumps(found)
        made = json.loads((folder.path / "env.json").read_text())
        assert (made["host"], made["engine"]) == (socket.gethostname(), name)
        (record,) = mho.sweep.load(tmp_path / name)
        assert (record.host, record.engine) == (made["host"], made["engine"])
    assert len(set(results.values())) == 1


@pytest.mark.parametrize("engine", NEEDS)
def test_an_engine_that_is_not_installed_is_refused_with_what_installs_it(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, NEEDS[engine], None)
    with pytest.raises(InvalidInput, match=rf"pip install 'mho\[{engine}\]'"):
        engine_of(engine)


@pytest.mark.parametrize(
    ("engine", "settings", "said"),
    [
        ("ray", ["gpus=-1"], "RaySettings.gpus"),
        ("ray", ["cpu=1"], "did you mean 'cpus'"),
        ("slurm", ["time=1"], "SlurmSettings.time"),
        ("slurm", ["executor=sluurm"], "SlurmSettings.executor"),
        ("slurm", ["sbatch=low"], "SlurmSettings.sbatch"),
    ],
)
def test_settings_that_are_not_allowed_are_refused(
    engine: str, settings: list[str], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        engine_of(engine, settings)


def test_slurm_is_refused_where_it_is_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    missing("slurm")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidInput, match="squeue"):
        engine_of("slurm")


def test_neither_ray_nor_submitit_is_loaded_unless_asked_for() -> None:
    code = "import sys, mho.sweep.engines; assert not {'ray', 'submitit'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
