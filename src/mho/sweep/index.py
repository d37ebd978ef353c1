"""What is known of the points of a sweep, kept in one SQLite file: S/index.sqlite.

A row holds the record of a point and the stamps of the files that it was read from. Only points
whose files have other stamps now are read again. The folders are the truth: the file can be
deleted at any time, a row that was damaged is not believed, and a file that cannot be opened or
written only costs the time to read the folders.

To look into it: `sqlite3 S/index.sqlite 'select * from headline'`.
"""

from __future__ import annotations

import gc
import json
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from mho.sweep.folder import POINTS, PointFolder, SweepFolder
from mho.sweep.record import PointRecord, key_of, record_of

NAME = "index.sqlite"
"""Of the file."""

READ = ("config.toml", "result.json", "env.json", "SHA256SUMS", "failures.json", "progress.json")
"""Files of a point that its record is read from; of `checkpoint.pt`, only whether it is there."""

LAYOUT = 3
"""Of the table and of a record's JSON; a file of another layout is made anew."""

DAMAGED = (ValueError, TypeError, KeyError, AttributeError)
"""What a damaged row raises; it is read anew then."""

OUT_OF_REACH = (
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH,
)  # fmt: skip
"""Errors of SQLite that say nothing of what is in the file: another process writes, or the disk is
full or cannot be written."""

PATIENCE = 1.0
"""Seconds that another process may take to write."""

TABLES = """
create table points(
    id text primary key, stamps text, status text, seed integer, seconds real,
    record text, sum integer
) without rowid;
create table shared(key text primary key, content text) without rowid;
create view headline as select
    points.id, status, seed, seconds, json_extract(content, '$[0]') as claim,
    json_extract(value, '$[1]') as ours, json_extract(value, '$[2]') as std,
    json_extract(value, '$[3]') as n, json_extract(content, '$[1]') as unit
from points, json_each(points.record, '$.claims')
join shared on shared.key = json_extract(value, '$[0]');
"""
"""`shared`: the words of claims and what points were made with, by the digest of the content."""


class _Known(NamedTuple):
    """A row: what it was read from, and what was read."""

    stamps: str
    record: PointRecord


class Index:
    """Records of all points of a sweep.

    Args:
        sweep: its folder.
    """

    def __init__(self, sweep: SweepFolder) -> None:
        self.sweep = sweep
        self._known: dict[str, _Known] = {}
        self._statuses: dict[str, str] = {}
        self._kept: dict[str, tuple[str, str]] | None = None
        """Stamps and status in the file, by point; None: it was not read yet."""
        self._usable = True
        """False: the file is to be made anew."""

    def look(self) -> list[PointRecord]:
        """The records of all points as they are now, by name; only what changed is read.

        Raises:
            ValueError: it is no folder of a sweep.
        """
        if self._kept is None:
            self._read()
        found, records = {}, []
        with _uncollected():
            for path, stamps in self._stamped():
                known = self._known.get(path.name)
                if known is None or known.stamps != stamps:
                    known = _read_anew(path, stamps)
                record = known.record
                status = record.status_if(record.beat is not None and PointFolder(path).running)
                if not record.problem:  # which may pass without a trace on the files
                    found[path.name] = known
                if record.status != status:
                    record = replace(record, status=status)
                records.append(record)
        self._known = found
        self._statuses = {record.id: record.status for record in records}
        return records

    def keep(self) -> bool:
        """Write what the file has not yet; returns whether it has all now."""
        if self._kept is None:
            self.look()
        for _ in range(2):
            kept = self._kept if self._usable and self._kept else {}
            now = {name: (each.stamps, self._statuses[name]) for name, each in self._known.items()}
            changed = [name for name, each in now.items() if kept.get(name) != each]
            gone = [name for name in kept if name not in now]
            if self._usable and not changed and not gone:
                return True
            try:
                self._write(changed, gone)
            except OSError:
                return False
            except sqlite3.Error as error:
                if not self._usable or not _is_damage(error):
                    return False
                self._usable = False
            else:
                self._kept, self._usable = now, True
        return True

    @property
    def path(self) -> Path:
        """Of the file."""
        return self.sweep.path / NAME

    def _stamped(self) -> Iterator[tuple[Path, str]]:
        """The folders of all points by name, each with the stamps of its files."""
        self.sweep.check_exists()
        with os.scandir(self.sweep.path / POINTS) as inside:
            names = sorted(each.path for each in inside)
        for name in names:
            try:
                with os.scandir(name) as inside:
                    files = {each.name: each for each in inside}
            except (NotADirectoryError, FileNotFoundError):  # gone meanwhile
                continue
            except OSError:
                yield Path(name), ""  # its record says what is wrong
                continue
            if "config.toml" in files:
                yield Path(name), _stamps(files)

    def _read(self) -> None:
        """Take over what the file holds, as far as it is whole."""
        self._kept = {}
        try:
            with _opened(self.path, "ro") as database:
                if database.execute("pragma user_version").fetchone() != (LAYOUT,):
                    self._usable = False
                    return
                query = "select id, stamps, status, record, sum from points"
                rows = database.execute(query).fetchall()
                contents = database.execute("select key, content from shared").fetchall()
        except sqlite3.Error as error:
            self._usable = not _is_damage(error)
            return
        shared = {}
        with _uncollected():
            for key, content in contents:
                with suppress(*DAMAGED):
                    if key_of(content.decode()) == key.decode():
                        shared[key.decode()] = json.loads(content)
            for name, stamps, status, text, total in rows:
                with suppress(*DAMAGED):
                    if _sum(name, stamps, text) == total:
                        record = PointRecord.of_json(json.loads(text), shared)
                        self._known[name.decode()] = _Known(stamps.decode(), record)
                        self._kept[name.decode()] = (stamps.decode(), status.decode())
        self._usable = len(self._kept) == len(rows)

    def _write(self, changed: Iterable[str], gone: Iterable[str]) -> None:
        if not self._usable:
            for end in ("", "-journal", "-wal", "-shm"):
                self.path.with_name(f"{NAME}{end}").unlink(missing_ok=True)
        with _opened(self.path, "rwc") as database:
            # No journal: what a crash leaves is not believed, see `_read`.
            database.executescript("pragma journal_mode = memory; pragma synchronous = off")
            database.execute("begin immediate")
            if not database.execute("select 1 from sqlite_master where name = 'points'").fetchone():
                for statement in filter(str.strip, TABLES.split(";")):
                    database.execute(statement)
                database.execute(f"pragma user_version = {LAYOUT}")
            database.executemany("delete from points where id = ?", [(name,) for name in gone])
            shared: dict[str, str] = {}
            rows = [self._row(name, self._known[name], shared) for name in changed]
            database.executemany("insert or replace into shared values (?, ?)", shared.items())
            places = ", ".join("?" * len(rows[0])) if rows else ""
            database.executemany(f"insert or replace into points values ({places})", rows)
            database.execute("commit")

    def _row(self, name: str, known: _Known, shared: dict[str, str]) -> tuple[object, ...]:
        record = known.record
        text = json.dumps(record.to_json(shared), separators=(",", ":"))
        total = _sum(name.encode(), known.stamps.encode(), text.encode())
        return (name, known.stamps, self._statuses[name], record.seed, record.seconds, text,
                total)  # fmt: skip


def _is_damage(error: sqlite3.Error) -> bool:
    """Whether a file is to be made anew, and not only out of reach."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF not in OUT_OF_REACH


@contextmanager
def _opened(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    """The file, its texts as bytes."""
    address = f"{path.absolute().as_uri()}?mode={mode}"
    database = sqlite3.connect(address, PATIENCE, isolation_level=None, uri=True)
    with closing(database):
        database.text_factory = bytes
        yield database


@contextmanager
def _uncollected() -> Iterator[None]:
    """No search for garbage while many records are made, which takes longer than making them."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _read_anew(path: Path, stamps: str) -> _Known:
    """Read the folder of a point; through JSON, so that a record is the same from either."""
    shared: dict[str, str] = {}
    text = json.dumps(record_of(PointFolder(path)).to_json(shared))
    words = {key: json.loads(each) for key, each in shared.items()}
    return _Known(stamps, PointRecord.of_json(json.loads(text), words))


def _stamps(files: Mapping[str, os.DirEntry[str]]) -> str:
    """What changes when a file does: size, time and place on the disk of each."""
    parts = ["begun" if "checkpoint.pt" in files else ""]
    for name in READ:
        if (file := files.get(name)) is not None:
            with suppress(OSError):  # gone meanwhile
                is_ = file.stat()
                parts.append(f"{name}:{is_.st_size}:{is_.st_mtime_ns}:{is_.st_ino}")
    return " ".join(parts)


def _sum(name: bytes, stamps: bytes, text: bytes) -> int:
    return zlib.crc32(text, zlib.crc32(b"%s\n%s\n" % (name, stamps)))
