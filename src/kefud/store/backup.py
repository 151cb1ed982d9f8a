"""A copy of the store that can be carried on with elsewhere, made while the daemon runs."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from datetime import date
from pathlib import Path

from kefud.errors import KefudError
from kefud.store import letters, numbers, settings
from kefud.store.database import Connection, Database

RESTORED = "restored"


def back_up(db: Database, spool: Path, target: Path, *, files: bool = True) -> int:
    """Copy database and originals to ``target``; returns how many files were copied.

    The database is copied first: every original it names was durable before, so the copy is never ahead of its files.
    Letters that wait are held in the copy: this store will send them, and whoever carries on with the copy must not.
    Until all is there the copy is called TARGET.part.
    """
    part = target.with_name(f"{target.name}.part")
    if part.is_dir():
        shutil.rmtree(part)
    for left in (part, part.with_name(f"{part.name}-journal")):  # of a copy that was killed
        left.unlink(missing_ok=True)
    count = _copy(db, spool, part) if files else _copy_sqlite(db, part)
    part.rename(target)
    return count


def _copy(db: Database, spool: Path, target: Path) -> int:
    target.mkdir(parents=True, mode=0o700)
    if db.sqlite:
        _copy_sqlite(db, target / "kefud.db")
        hold_letters(Database(f"sqlite:///{target}/kefud.db"))
    else:
        _dump_postgres(db, target / "kefud.dump")
    return _copy_files(spool / "blobs", target / "blobs")


def hold_letters(copy: Database) -> int:
    """In a store that was restored: hold what waited when the backup was made. It may have gone out since.

    Whoever carries on with it leaves out some numbers, for they may have been given out since (RULES §7).
    """
    with copy.write() as tx:
        count = letters.hold_all(tx, "恢复自备份:备份之后可能已经发出,请核对后放行")
        settings.keep_setting(tx, RESTORED, "1")
    copy.close()
    return count


def is_restored(tx: Connection) -> bool:
    """Whether nobody has carried on yet with this copy."""
    return bool(settings.setting(tx, RESTORED))


def carry_on(tx: Connection, day: date) -> None:
    """The first use of a store that was restored: count on beyond what may have been given out since, once."""
    if is_restored(tx):
        numbers.leave_out(tx, day)
        settings.keep_setting(tx, RESTORED, "")


def _copy_sqlite(db: Database, target: Path) -> int:
    assert db.path is not None
    source, copy = sqlite3.connect(db.path), sqlite3.connect(target)
    try:
        source.backup(copy, pages=1000)
    finally:
        copy.close()
        source.close()
    os.chmod(target, 0o600)
    return 0


def _dump_postgres(db: Database, target: Path) -> None:
    url = db.engine.url
    environment = {**os.environ, "PGPASSWORD": str(url.password or "")}
    plain = url.set(drivername="postgresql", password=None).render_as_string()
    command = ["pg_dump", "--format=custom", f"--file={target}", f"--dbname={plain}"]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=3600)
    except FileNotFoundError:
        raise KefudError("pg_dump is not installed; install the PostgreSQL client tools") from None
    if done.returncode:
        raise KefudError(f"pg_dump failed: {done.stderr.strip()[-300:]}")


def _copy_files(source: Path, target: Path) -> int:
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    count = 0
    for file in sorted(source.rglob("*")) if source.is_dir() else ():
        if file.is_file() and not file.name.startswith("."):
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.copy2(file, copy)
            count += 1
    return count
