"""The index: never wrong, whatever becomes of its file, and only what changed is read."""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from builders.sweeps import made_up, result_of
from mho.sweep import index as module
from mho.sweep.folder import PointFolder, SweepFolder
from mho.sweep.index import NAME, Index
from mho.sweep.record import PointRecord, record_of


@pytest.fixture
def sweep(tmp_path: Path) -> SweepFolder:
    return made_up(tmp_path / "s", unfinished=1)


def truth(sweep: SweepFolder) -> list[PointRecord]:
    """The records as a fresh index without a file has them."""
    (aside := sweep.path.with_name("aside")).exists() and shutil.rmtree(aside)
    shutil.copytree(sweep.path, aside, ignore=shutil.ignore_patterns(NAME))
    return Index(SweepFolder(aside)).look()


def indexed(sweep: SweepFolder) -> list[PointRecord]:
    """The records by an index that knows the file alone."""
    index = Index(sweep)
    found = index.look()
    index.keep()
    return found


def without_paths(records: list[PointRecord], sweep: SweepFolder) -> str:
    return (
        repr(records).replace(str(sweep.path), "S").replace(str(sweep.path.with_name("aside")), "S")
    )


def hold(sweep: SweepFolder) -> None:
    expected = without_paths(truth(sweep), sweep)
    for _ in range(2):
        assert without_paths(indexed(sweep), sweep) == expected


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the points whose folders are read from now on."""
    read: list[str] = []

    def reading(folder: PointFolder) -> PointRecord:
        read.append(folder.path.name)
        return record_of(folder)

    monkeypatch.setattr(module, "record_of", reading)
    return read


def test_only_what_changed_is_read(sweep: SweepFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    read = counted(monkeypatch)
    first = indexed(sweep)
    assert len(read) == len(first)
    read.clear()
    assert indexed(sweep) == first
    assert not read
    point = sweep.points()[0]
    (point.path / "result.json").write_text(json.dumps(result_of(point.point, 7.0)))
    assert indexed(sweep)[0].claims["accuracy"].ours == 7.0
    assert read == [point.path.name]


def _result_gone(folder: Path) -> None:
    (folder / "result.json").unlink()


def _result_damaged(folder: Path) -> None:
    text = (folder / "result.json").read_text()
    (folder / "result.json").write_text(text[: len(text) // 2])


def _result_of_another_kind(folder: Path) -> None:
    (folder / "result.json").write_text('{"claims": 3, "ledger": []}')


def _settings_damaged(folder: Path) -> None:
    (folder / "config.toml").write_text("family = ")


def _folder_gone(folder: Path) -> None:
    shutil.rmtree(folder)


def _failed(folder: Path) -> None:
    (folder / "result.json").unlink()
    PointFolder(folder).failed("Traceback\nKeyError: 3")


def _failures_damaged(folder: Path) -> None:
    (folder / "failures.json").write_text("{}")


def _same_size_and_time(folder: Path) -> None:
    file = folder / "result.json"
    was, text = file.stat(), file.read_text()
    other = folder / "other"
    other.write_text(text.replace("70.0", "71.0"))
    os.utime(other, ns=(was.st_atime_ns, was.st_mtime_ns))
    other.replace(file)


CHANGES = (_result_gone, _result_damaged, _result_of_another_kind, _settings_damaged, _folder_gone,
           _failed, _failures_damaged, _same_size_and_time)  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_folder_that_changes_is_seen(sweep: SweepFolder, change: Callable[[Path], None]) -> None:
    indexed(sweep)
    before = without_paths(indexed(sweep), sweep)
    change(sweep.points()[0].path)
    hold(sweep)
    if change is not _failures_damaged:
        assert without_paths(indexed(sweep), sweep) != before


def _deleted(file: Path) -> None:
    file.unlink()


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:3000])


def _nonsense(file: Path) -> None:
    file.write_bytes(b"nonsense" * 4000)


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _of_another_layout(file: Path) -> None:
    with sqlite3.connect(file) as database:
        database.execute("pragma user_version = 99")
    database.close()


def _without_its_table(file: Path) -> None:
    with sqlite3.connect(file) as database:
        database.execute("drop table points")
    database.close()


def _other_numbers(file: Path) -> None:
    with sqlite3.connect(file) as database:
        database.execute("update points set record = replace(record, '70.', '90.')")
    database.close()


def _other_words(file: Path) -> None:
    with sqlite3.connect(file) as database:
        database.execute("update shared set content = replace(content, 'accuracy', 'energy')")
    database.close()


def _a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


DAMAGES = (_deleted, _cut, _nonsense, _empty, _of_another_layout, _without_its_table,
           _other_numbers, _other_words, _a_folder)  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_not_believed_and_made_anew(
    sweep: SweepFolder, damage: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    indexed(sweep)
    damage(sweep.path / NAME)
    hold(sweep)
    read = counted(monkeypatch)
    indexed(sweep)
    assert not read or damage is _a_folder


@pytest.mark.parametrize("seed", range(12))
def test_bytes_that_are_changed_at_random_change_nothing(sweep: SweepFolder, seed: int) -> None:
    import random

    indexed(sweep)
    draw, content = random.Random(seed), bytearray((sweep.path / NAME).read_bytes())
    for _ in range(40):
        content[draw.randrange(len(content))] = draw.randrange(256)
    (sweep.path / NAME).write_bytes(content)
    hold(sweep)


def test_a_file_that_another_process_writes_is_left_to_it(sweep: SweepFolder) -> None:
    expected = indexed(sweep)
    other = sqlite3.connect(sweep.path / NAME, isolation_level=None)
    other.execute("begin exclusive")
    module_patience, module.PATIENCE = module.PATIENCE, 0.01
    try:
        index = Index(sweep)
        assert index.look() == expected
        _result_gone(sweep.points()[0].path)
        assert index.look() != expected
        assert not index.keep()
    finally:
        module.PATIENCE = module_patience
        other.close()
    hold(sweep)


def test_a_sweep_that_cannot_be_written_is_read(
    sweep: SweepFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_given: object) -> None:
        raise sqlite3.OperationalError("attempt to write a readonly database")

    monkeypatch.setattr(Index, "_write", refuse)
    index = Index(sweep)
    assert len(index.look()) == len(sweep.points())
    index.keep()
    assert not (sweep.path / NAME).exists()


def test_the_file_can_be_asked_without_mho(sweep: SweepFolder) -> None:
    indexed(sweep)
    with sqlite3.connect(sweep.path / NAME) as database:
        query = "select ours, std, n, unit from headline where claim = 'accuracy' and id = ?"
        found = database.execute(query, [sweep.points()[0].path.name]).fetchall()
    database.close()
    assert found == [(70.0, 1.5, 4, "%")]
