"""Engine and transactions: SQLite (WAL, FULL) by default, PostgreSQL by URL; one way to use both.

On SQLite every write transaction begins IMMEDIATE and the threads of this process take turns, so that nobody waits in
SQLite's own busy loop.
"""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from kefud.errors import Busy, KefudError
from kefud.turns import Turns

__all__ = ["Connection", "Database"]


_GIVES_UP = {
    "connect_timeout": 10, "keepalives": 1, "keepalives_idle": 20, "keepalives_interval": 5, "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}  # fmt: skip
"""A PostgreSQL behind a network that swallows everything is given up within a minute, not after the kernel's quarter of an hour."""


KEPT_STATEMENTS = 64
"""Statements each SQLite connection keeps prepared, 11 KB each; Python's 128 are filled by lists of every length."""


class Database:
    """One database. Constructing it opens nothing.

    ``busy`` is how many seconds to wait for a lock that another process holds.
    """

    def __init__(self, url: str, *, busy: float = 30.0) -> None:
        self.url = url
        self.sqlite = url.startswith("sqlite")
        self._opening = threading.Lock()
        self._turns = Turns()
        self._busy = busy
        self._engine: Engine | None = None
        self._writer: Engine | None = None

    @property
    def engine(self) -> Engine:
        if self._engine is None:
            with self._opening:
                self._engine = self._engine or self._open()
                self._writer = self._engine.execution_options(immediate=True)
        return self._engine

    @property
    def path(self) -> Path | None:
        """The file of an SQLite database, None elsewhere."""
        return Path(self.url.removeprefix("sqlite:///")) if self.sqlite else None

    def _open(self) -> Engine:
        if not self.sqlite:
            patience = {key: value for key, value in _GIVES_UP.items() if key not in make_url(self.url).query}
            shared = create_engine(
                self.url, pool_pre_ping=True, pool_size=10, max_overflow=20, json_serializer=_json, connect_args=patience
            )
            event.listen(shared, "begin", _begin_shared)
            return shared
        assert self.path is not None
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        engine = create_engine(
            self.url,
            connect_args={"timeout": self._busy, "check_same_thread": False, "cached_statements": KEPT_STATEMENTS},
            json_serializer=_json,
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that commits at the end, or leaves nothing. Raises Busy where the store is locked for too long."""
        engine = self.engine
        with self._turns if self.sqlite else nullcontext(), _clear_errors():
            with (self._writer or engine).begin() as connection:
                yield connection

    @contextmanager
    def rebuild(self) -> Iterator[Connection]:
        """A transaction that may replace tables others refer to. Where a reference leads nowhere at its end, it leaves nothing."""
        if not self.sqlite:
            with self.write() as connection:
                yield connection
            return
        with self._turns, _clear_errors(), self.engine.connect() as connection:
            connection.execution_options(immediate=True)
            _pragma(connection, "foreign_keys=OFF")  # SQLite knows no other way, and heeds it outside of transactions only
            try:
                with connection.begin():
                    yield connection
                    lost = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
                    if lost:
                        raise KefudError(f"{len(lost)} references would lead nowhere, the first in table {lost[0][0]}")
            finally:
                _pragma(connection, "foreign_keys=ON")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction for looking only."""
        with _clear_errors(), self.engine.connect() as connection:
            yield connection

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def reachable(self) -> None:
        """Raise KefudError with the database's own words when it cannot be opened."""
        with self.read() as connection:
            connection.execute(text("select 1"))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY", "cache_size=-320"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _pragma(connection: Connection, words: str) -> None:
    raw: Any = connection.connection.driver_connection
    raw.execute(f"PRAGMA {words}").close()


def _begin_sqlite(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("immediate")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _begin_shared(connection: Connection) -> None:
    """A host that freezes in the middle of a transaction must not hold up the others: its locks end before its lease."""
    if connection.get_execution_options().get("immediate"):
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '20s'")


_PASSING = (
    "disk i/o", "full", "readonly", "read-only", "unable to open", "no space", "connection", "starting up", "shutting down",
    "recovery mode",
)  # fmt: skip
"""Words of a database that is out of order for now: no fault of what is being stored, which waits for as long as it takes."""


@contextmanager
def _clear_errors() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        words = str(error.orig)
        if "locked" in words or "busy" in words:
            raise Busy(f"the database is locked by another process: {words}") from error
        passes = error.connection_invalidated or any(word in words.lower() for word in _PASSING)
        raise (Busy if passes else KefudError)(f"database: {words}") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Busy(f"database connection lost: {error.orig}") from error
        raise
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise Busy(f"database: {error.strerror}") from error
        raise
