"""R19: two daemons as processes on one PostgreSQL share the work; when one is killed the other takes over, and nothing goes twice."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile.station import Station, environment, kefud
from line.office import mail
from servers.scripted_smtp import ScriptedSmtp
from torture.crash import message_id

LEAK = "厨房水龙头坏了,一直滴水,请派人来修。"


@pytest.fixture
def database(postgres_server: str) -> str:
    from sqlalchemy import create_engine, make_url, text

    admin = make_url(postgres_server).set(drivername="postgresql+psycopg")
    engine = create_engine(admin, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("drop database if exists kefud_hosts with (force)"))
        connection.execute(text("create database kefud_hosts"))
    engine.dispose()
    return admin.set(database="kefud_hosts").render_as_string(hide_password=False)


def eventually(what: Callable[[], Any], seconds: float) -> Any:
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)
    return found


def start(office: Station) -> subprocess.Popen[bytes]:
    log = (office.home / "log").open("ab")
    return subprocess.Popen(kefud(office.path, "run"), env=environment(), stderr=log)


def terminate_backends(office: Station) -> None:
    from sqlalchemy import text

    with office.office.db.write() as tx:
        tx.execute(
            text(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
            )
        )


def test_a_dead_host_is_taken_over_and_nothing_goes_twice(tmp_path: Path, database: str) -> None:
    senders: list[str] = []

    def write(count: int) -> None:
        for _ in range(count):
            n = len(senders)
            senders.append(f"o{n}@mail.example.com")
            office.put(mail(f"{n + 1}号楼1单元101,{LEAK}", sender=senders[-1], name=f"业主{n}"))

    with ScriptedSmtp() as smtp:
        office = Station(tmp_path, smtp=smtp, database=database)
        write(4)
        first = start(office)
        try:
            eventually(lambda: all(office.delivered(s) for s in senders), 60)
            second = start(office)
            try:
                write(4)
                eventually(lambda: all(office.delivered(s) for s in senders), 60)
                terminate_backends(office)
                write(2)
                eventually(lambda: all(office.delivered(s) for s in senders), 90)
                first.kill()
                first.wait()
                killed = time.monotonic()
                write(4)
                eventually(lambda: all(office.delivered(s) for s in senders), 100)
                assert time.monotonic() - killed < 75, "a lease of a minute, and the work itself"
                second.terminate()
                assert second.wait(40) == 0
            finally:
                second.kill()
                second.wait()
        finally:
            first.kill()
            first.wait()
        went = Counter(message_id(letter.content) for letter in smtp.letters)
        assert max(went.values()) == 1
        assert sorted(t.requester.email for t in office.tickets) == sorted(senders)
        assert office.broken() == []
        office.office.db.close()
