"""However a command ends, it says so in one line, and leaves files whole or not at all."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builders.three_runs import result
from mho.cli import main
from mho.files import check_sums
from mho.results import dumps

TINY = (
    "--set", "per_class=20", "--set", "epochs=1", "--set", "hidden=8", "--set", "threads=1",
    "--chips", "1", "--processor", "cpu", "--set", 'schemes=["float"]', "--set", "studies=[]",
)  # fmt: skip

VERBS: dict[str, tuple[Callable[[str], list[str]], str]] = {
    "run": (lambda out: ["run", "siamese", *TINY, "--out", out], ""),
    "pool": (lambda out: ["pool", "run0", "run1", "--out", out], ""),
    "netlist": (lambda out: ["netlist", "g.csv", "--out", out], ".cir"),
    "fit": (lambda out: ["fit", "states.csv", "--out", out], ".toml"),
    "show": (lambda out: ["show", "hfo2-1t1r", "--out", out], ".png"),
}
"""Commands that write, and how the names of their files end."""

FILES = ("netlist", "fit", "show")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with something for each command."""
    monkeypatch.chdir(tmp_path)
    Path("g.csv").write_text("1e-5,2e-5\n3e-5,1e-5\n")
    rows = [f"{state},{level + k % 5 / 10}" for k in range(40)
            for state, level in (("on", 100), ("off", 10))]  # fmt: skip
    Path("states.csv").write_text("\n".join(["state,G [uS]", *rows]) + "\n")
    for seed in (0, 1):
        run = Path(f"run{seed}")
        run.mkdir()
        (run / "result.json").write_text(dumps(result(seed)))
        (run / "config.toml").write_text(f"seed = {seed}\n")
        (run / "env.json").write_text('{"device": "cpu", "versions": {"torch": "2"}}')
    return tmp_path


@pytest.fixture
def small_files() -> Iterator[Callable[[int], None]]:
    """Have the system refuse large files, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda most: resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def held(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def one_line(said: str) -> str:
    assert said.startswith("mho: ")
    assert len(said.splitlines()) == 1
    return said


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", ["", ".", "..", "/"])
def test_a_name_that_is_none_is_refused(
    verb: str, name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = held(folder)
    assert main(VERBS[verb][0](name)) == 2
    assert "out = " in one_line(capsys.readouterr().err)
    assert held(folder) == before


@pytest.mark.parametrize(
    ("verb", "name"),
    [
        (verb, name)
        for verb in VERBS
        for name in ("file/x", "none/x" if verb in FILES else "file", "long", "/proc/x")
    ],
)
def test_what_the_system_refuses_is_one_line_with_the_path(
    verb: str, name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, ending = VERBS[verb]
    if name == "long":
        name = "n" * 300
    Path("file").write_text("mine")
    before = held(folder)
    assert main(arguments(name + ending)) == 1
    said = one_line(capsys.readouterr().err)
    assert name.split("/")[0] in said or name in said
    assert held(folder) == before


@pytest.mark.parametrize("verb", FILES)
def test_no_file_is_replaced_unless_that_is_said(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, ending = VERBS[verb]
    out = Path(f"mine{ending}")
    out.write_text("mine")
    assert main(arguments(str(out))) == 2
    assert "--overwrite replaces it" in one_line(capsys.readouterr().err)
    assert out.read_text() == "mine"
    assert main([*arguments(str(out)), "--overwrite"]) == 0
    assert out.read_bytes() != b"mine"
    capsys.readouterr()

    link = Path(f"link{ending}")
    link.symlink_to(out)
    assert main([*arguments(str(link)), "--overwrite"]) == 2
    assert "this is a link" in one_line(capsys.readouterr().err)


@pytest.mark.parametrize("verb", [*FILES, "pool"])
@pytest.mark.parametrize("most", [10, 600, 5000])
def test_on_a_full_disk_a_command_leaves_nothing(
    verb: str, most: int, folder: Path, capsys: pytest.CaptureFixture[str],
    small_files: Callable[[int], None],
) -> None:  # fmt: skip
    arguments, ending = VERBS[verb]
    before = held(folder)
    small_files(most)
    status = main(arguments(f"new{ending}"))
    if status == 0:
        assert verb == "netlist", "whose file is small"
        return
    assert status == 1
    assert "new" in (said := one_line(capsys.readouterr().err))
    assert said.strip().endswith("File too large")
    assert held(folder) == before
    assert not Path("new").exists()


@pytest.mark.parametrize("most", [10, 2000, 9000])
def test_a_run_whose_disk_was_full_goes_on_to_the_same_result(
    most: int, capsys: pytest.CaptureFixture[str], small_files: Callable[[int], None]
) -> None:
    whole = VERBS["run"][0]("whole")
    assert main(whole) == 0
    capsys.readouterr()
    small_files(most)
    assert main(VERBS["run"][0]("full")) == 1
    said = one_line("".join(x for x in capsys.readouterr().err.splitlines(True) if "mho: " in x))
    assert "full/" in said
    assert said.strip().endswith("File too large")
    small_files(resource.RLIM_INFINITY)
    assert main([*VERBS["run"][0]("full"), "--resume"]) == 0
    check_sums(Path("full"), "result.json", "config.toml", "env.json", "metrics.jsonl")
    lines = [Path(name, "metrics.jsonl").read_text() for name in ("whole", "full")]
    assert lines[0] == lines[1]


def test_two_pools_that_differ_in_what_made_them_say_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("run1/env.json").write_text('{"device": "cpu", "versions": {"torch": "3"}}')
    assert main(["pool", "run0", "run1", "--out", "pooled"]) == 0
    assert "not made alike: torch 2, 3" in capsys.readouterr().err
    assert "not made alike: torch 2, 3" in Path("pooled/result.json").read_text()
    check_sums(Path("pooled"), "result.json", "config.toml", "env.json")


def test_a_damaged_file_of_a_run_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pool", "run0", "run1", "--out", "pooled"]) == 0
    capsys.readouterr()
    for name in ("result.json", "config.toml", "env.json"):
        path = Path("pooled", name)
        whole = path.read_bytes()
        path.write_bytes(whole.replace(b"1", b"7", 1).replace(b"0", b"1", 1))
        assert main(["report", "pooled"]) == 2
        assert f"{path}: its SHA-256" in one_line(capsys.readouterr().err)
        path.write_bytes(whole)


# ------------------------------------------------------------------ what is printed


def command(*arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **options.pop("env", {})}  # type: ignore
    return subprocess.run(
        [sys.executable, "-m", "mho", *arguments], env=environment, timeout=600, **options
    )  # type: ignore[call-overload]


def test_a_terminal_without_the_characters_gets_others() -> None:
    shutil.copy("states.csv", "ä±.csv")
    for encoding in ("ascii", "latin-1"):
        done = command("fit", "ä±.csv", "--out", f"{encoding}.toml", capture_output=True,
                       env={"PYTHONIOENCODING": encoding})  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert b"Traceback" not in done.stderr
        assert Path(f"{encoding}.png").exists()


def test_where_nothing_can_be_printed_the_files_are_there() -> None:
    with open("/dev/full", "wb") as full:
        done = command("report", "run0", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == b"mho: standard output: No space left on device\n"
    assert Path("run0/report.html").exists()
    with open("/dev/full", "wb") as full:
        done = command("report", "run1", stdout=subprocess.PIPE, stderr=full)
    assert done.returncode == 0
    closed = [sys.executable, "-c", "import os, sys; os.close(1); os.close(2); os.execv("
              "sys.executable, [sys.executable, '-m', 'mho', 'report', 'run1'])"]  # fmt: skip
    assert subprocess.run(closed, timeout=600).returncode == 0


def test_a_reader_that_has_enough_is_no_error() -> None:
    shell = f"{sys.executable} -m mho list siamese | head -1 > /dev/null; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, timeout=600)
    assert done.stdout == b"0\n"
    assert done.stderr == b""


def test_names_and_headings_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    text = Path("states.csv").read_text().replace("G [uS]", "G[red] [uS]")
    name = "x[bold][\\y].csv"
    Path(name).write_text(text.replace("G[red]", "G"))
    assert main(["fit", name, "--out", "x[red].toml"]) == 0
    said = capsys.readouterr().out
    assert f"{name}: states" in said
    assert said.endswith("x[red].toml\n")
    assert Path("x[red].toml").exists()
    Path("odd\udcff.csv").write_text("state,G [uS]\non,[/s]\n")
    assert main(["fit", "odd\udcff.csv", "--out", "odd.toml"]) == 2
    assert "mho: " in capsys.readouterr().err


# ------------------------------------------------------------------ signals


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after", [0.2, 0.8])
@pytest.mark.parametrize("verb", ["fit", "report"])
def test_interrupted_a_command_says_what_is_true(how: int, after: float, verb: str) -> None:
    arguments = VERBS["fit"][0]("new.toml") if verb == "fit" else ["report", "run0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "mho", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    time.sleep(after)
    process.send_signal(how)
    _, said = process.communicate(timeout=600)
    if process.returncode == 0 or not said:  # it was done, or Python had not begun
        return
    # Python ends as by SIGINT, 130 in a shell, where it was in code made at run time.
    assert process.returncode in (130, -signal.SIGINT)
    assert said == b"mho: interrupted; nothing was written\n"
    assert not Path("new.toml").exists()
    assert not Path("run0/report.html").exists()
