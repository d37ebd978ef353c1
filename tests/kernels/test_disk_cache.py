"""Machine code is loaded only where it is sound and of these sources; nothing stops a kernel."""

import errno
import os
import pickle
import re
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

import mho
from mho.kernels import disk_cache, philox
from mho.kernels.compiled import compiled

NAME = "kernels-0123456789abcdef"
COUNTER = (1, 2, 3, 4, 5, 6)
WORDS = philox.philox(*COUNTER)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where kernels are kept during a test, in a process that has not warned yet."""
    place = tmp_path / "cache" / "mho" / NAME
    monkeypatch.setattr(disk_cache, "folder", lambda: place)
    monkeypatch.setattr(disk_cache, "_warned", False)
    return place


def was_kept() -> bool:
    """Call a kernel as a new process does; whether its machine code was there."""
    kernel = compiled(philox.philox.py_func).made()
    assert kernel(*COUNTER) == WORDS
    hits, misses = (sum(c.values()) for c in (kernel.stats.cache_hits, kernel.stats.cache_misses))
    assert hits + misses == 1
    return hits == 1


def the_file(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


def test_code_is_compiled_once(folder: Path) -> None:
    assert not was_kept()
    assert was_kept()
    assert the_file(folder).name.startswith("philox.philox-")


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def under_a_right_digest(content: Callable[[Any, Any], object]) -> Callable[[Path], None]:
    """Replace what a file holds, its key and the parts of a compiled function, and its digest."""

    def damage(file: Path) -> None:
        data = dumps(content(*pickle.loads(file.read_bytes()[disk_cache._SIZE :])))
        file.write_bytes(disk_cache._digest(data) + data)

    return damage


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def link_to_itself(file: Path) -> None:
    file.unlink()
    file.symlink_to(file)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "truncated": truncated,
    "empty": lambda file: file.write_bytes(b""),
    "text": lambda file: file.write_text("not machine code\n" * 99),
    "longer": lambda file: file.write_bytes(file.read_bytes() + b"\0"),
    "no pickle": lambda file: file.write_bytes(disk_cache._digest(b"x") + b"x"),
    "another value": under_a_right_digest(lambda key, parts: 3),
    "another kernel": under_a_right_digest(lambda key, parts: ((key[0], "f", *key[2:]), parts)),
    "another Numba": under_a_right_digest(lambda key, parts: (key, (None,) * len(parts))),
    "missing": Path.unlink,
    "a pipe": pipe,
    "a link to itself": link_to_itself,
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_file_that_is_not_sound_is_replaced(kind: str, folder: Path) -> None:
    was_kept()
    DAMAGE[kind](the_file(folder))
    assert not was_kept()
    assert was_kept()
    assert the_file(folder).is_file()


def test_no_flipped_bit_reaches_the_processor(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    was_kept()
    file = the_file(folder)
    sound = file.read_bytes()
    kernel = compiled(philox.philox.py_func).made()
    kernel(*COUNTER)
    (sig,) = kernel.signatures
    monkeypatch.setattr(CompileResult, "_rebuild", lambda *parts: pytest.fail("was loaded"))
    for at in range(0, 8 * len(sound), 997):
        broken = bytearray(sound)
        broken[at // 8] ^= 1 << at % 8
        file.write_bytes(broken)
        assert kernel._cache.load_overload(sig, kernel.targetctx) is None


def test_a_file_that_may_not_be_read_is_replaced(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    was_kept()
    with monkeypatch.context() as only_now:
        only_now.setattr(disk_cache, "read_bytes", refuse(errno.EACCES))
        assert not was_kept()
    assert was_kept()


def refuse(number: int) -> Callable[..., None]:
    """A call that fails as the operating system's would."""

    def fail(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@contextmanager
def one_warning(saying: str) -> Iterator[None]:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        yield
    (warning,) = seen
    assert saying in str(warning.message)
    assert "NUMBA_CACHE_DIR" in str(warning.message)
    assert warning.filename == __file__  # the line of the user's that called a kernel


FAILING = [
    ("write_bytes", errno.ENOSPC), ("write_bytes", errno.EFBIG), ("write_bytes", errno.EDQUOT),
    ("write_bytes", errno.EIO), ("replace", errno.EACCES), ("mkdir", errno.EROFS),
    ("mkdir", errno.EACCES), ("mkdir", errno.ENAMETOOLONG),
]  # fmt: skip


@pytest.mark.parametrize(("call", "number"), FAILING)
def test_what_cannot_be_kept_is_used_and_said_once(
    call: str, number: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, call, refuse(number))
    with one_warning(os.strerror(number)):
        assert not was_kept()
        assert not was_kept()
    assert not list(folder.parent.rglob("*.tmp"))


@pytest.mark.parametrize("above", [0, 1, 2])
def test_a_file_in_the_way_of_a_folder_stays(above: int, folder: Path) -> None:
    way = (folder, *folder.parents)[above]
    way.parent.mkdir(parents=True, exist_ok=True)
    way.write_text("of the user")
    with one_warning(str(way)):
        assert not was_kept()
        assert not was_kept()
    assert way.read_text() == "of the user"


def test_a_folder_in_the_way_of_a_file_stays(folder: Path) -> None:
    was_kept()
    file = the_file(folder)
    file.unlink()
    (file / "of the user").mkdir(parents=True)
    with one_warning(file.name):
        assert not was_kept()
    assert (file / "of the user").is_dir()


def test_folders_that_nobody_used_for_long_go_when_one_is_made(folder: Path) -> None:
    """Two versions that are in use at once leave each other's alone."""
    names = {"kernels-00000000000000aa": False, "kernels-00000000000000bb": True}
    names |= {"kernels-of-mine": True, "mnist": True}
    for name in names:
        place = folder.parent / name
        place.mkdir(parents=True)
        (place / "file").touch()
        age = 2 if name.endswith("bb") else disk_cache.UNUSED + 60
        os.utime(place, (time.time() - age,) * 2)
    was_kept()
    assert {name: (folder.parent / name).exists() for name in names} == names


def test_a_use_is_noted(folder: Path) -> None:
    was_kept()
    os.utime(folder, (0, 0))
    assert was_kept()
    assert time.time() - folder.stat().st_mtime < 3600


# Processes of their own, with a copy of the kernels alone: what starts anew, and another version.

CALL = """
from mho.kernels.philox import philox as kernel
print(*kernel(1, 2, 3, 4, 5, 6))
print(sum(kernel.made().stats.cache_hits.values()))
"""
CALL_OF_ANOTHER_FILE = """
import numpy as np
from mho.kernels.normal import normals as kernel
out = np.empty(3, np.float32)
kernel(out, np.uint64(7), 0)
print(*out)
print(sum(kernel.made().stats.cache_hits.values()))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder to import the kernels from, alone."""
    source, place = Path(mho.__file__).parent, tmp_path / "package"
    ours = shutil.ignore_patterns("__pycache__")
    for part in ("kernels", "files"):
        shutil.copytree(source / part, place / "mho" / part, ignore=ours)
    shutil.copy(source / "errors.py", place / "mho")
    (place / "mho" / "__init__.py").touch()
    return place


def start(package: Path, script: str = CALL, **variables: str) -> subprocess.Popen[str]:
    dropped = {"NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME", "PYTHONDONTWRITEBYTECODE"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    work = package.parent / "work"
    work.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-W", "always", "-c", script], cwd=work, text=True,
        env=kept | {"PYTHONPATH": str(package)} | variables,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def result(process: subprocess.Popen[str]) -> tuple[str, int, str]:
    """The numbers, how often code was there, and what was said."""
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    numbers, hits = out.splitlines()
    return numbers, int(hits), err


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}


def test_an_edited_kernel_changes_all_that_contain_it(package: Path) -> None:
    """Also one in another file, wherever the package lies, and back again without compiling."""
    home = package.parent / "home"
    home.mkdir()
    sources = files_in(package)
    first, hits, _ = result(start(package, CALL_OF_ANOTHER_FILE, HOME=str(home)))
    assert hits == 0
    philox_file = package / "mho" / "kernels" / "philox.py"
    text = philox_file.read_text()
    philox_file.write_text(text.replace("ROUNDS = 10", "ROUNDS = 9"))
    second, hits, _ = result(start(package, CALL_OF_ANOTHER_FILE, HOME=str(home)))
    assert hits == 0
    assert second != first
    philox_file.write_text(text)
    assert result(start(package, CALL_OF_ANOTHER_FILE, HOME=str(home)))[:2] == (first, 1)
    assert files_in(package) == sources  # nothing that is compiled lies in the package
    assert len(list((home / ".cache" / "mho").iterdir())) == 2


def test_processes_that_start_at_once_do_not_disturb_each_other(
    package: Path, tmp_path: Path
) -> None:
    place = {"NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    words = " ".join(map(str, WORDS))
    for process in [start(package, **place) for _ in range(3)]:
        numbers, _, said = result(process)
        assert (numbers, said) == (words, "")
    assert result(start(package, **place)) == (words, 1, "")
    assert {Path(name).suffix for name in files_in(tmp_path / "kept")} == {".kernel"}


LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"


@pytest.mark.parametrize(
    ("before", "variables", "cause"),
    [
        ("", {"HOME": "/dev/nonexistent"}, "no home folder '/dev/nonexistent'"),
        ("", {"HOME": "", "XDG_CACHE_HOME": "here"}, "no home folder"),
        ("", {"XDG_CACHE_HOME": "/dev/null"}, "Not a directory"),
        (LIMITED, {"NUMBA_CACHE_DIR": "kept"}, "File too large"),
    ],
)
def test_kernels_run_where_nothing_can_be_kept(
    before: str, variables: dict[str, str], cause: str, package: Path
) -> None:
    _, hits, said = result(start(package, before + CALL, **variables))
    assert hits == 0
    assert len(re.findall("UserWarning", said)) == 1
    assert cause in said
    assert not Path("/dev/nonexistent").exists()
    assert not files_in(package.parent / "work")
