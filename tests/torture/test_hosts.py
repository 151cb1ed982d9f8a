"""R19: daemons as processes on one PostgreSQL share the work; when one is silent another takes over; nothing goes twice."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile.station import Station, environment, house, kefud
from line.office import mail
from servers.scripted_smtp import ScriptedSmtp
from sqlalchemy import text
from torture.crash import RUDE, count, message_id

LEAK = "厨房水龙头坏了,一直滴水,请派人来修。"
MINUTE = 60.0
IN_HAND = text(
    "select clock_timestamp(),"
    " (select count(*) from lease where starts_with(owner, :its))"
    " + (select count(*) from arrival where starts_with(owner, :its) and status = 'received' and lease_until is not null)"
    " + (select count(*) from letter where starts_with(owner, :its) and status = 'leased'),"
    " (select count(*) from lease where name = 'channel.kefu' and not starts_with(owner, :its) and until > clock_timestamp())"
)


def name_of(host: subprocess.Popen[bytes]) -> str:
    return f"{socket.gethostname()}.{host.pid}."


def handed_over(office: Station, silent: subprocess.Popen[bytes]) -> float:
    """Seconds by the database's clock, from now, until other hosts have the channel and all that this one had in hand."""
    began = None
    while True:
        with office.office.db.read() as tx:
            now, left, held = tx.execute(IN_HAND, {"its": name_of(silent)}).one()
        began = began or now
        took: float = (now - began).total_seconds()
        if held and not left:
            return took
        assert took < 3 * MINUTE, "nobody takes over"
        time.sleep(0.3)


def reader_of_mail(office: Station, hosts: list[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """The host that has the channel."""
    def found() -> list[subprocess.Popen[bytes]]:
        with office.office.db.read() as tx:
            owner = tx.scalar(text("select owner from lease where name = 'channel.kefu' and until > clock_timestamp()")) or ""
        return [host for host in hosts if owner.startswith(name_of(host))]

    [host] = eventually(found, MINUTE)
    return host


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


def started(office: Station) -> subprocess.Popen[bytes]:
    """A host that is ready; one that finds the database away ends with 75 and is started again, as systemd does."""
    log = office.home / "log"
    before = log.read_text("utf-8").count(" ready ") if log.exists() else 0
    host = start(office)
    end = time.monotonic() + 90
    while log.read_text("utf-8").count(" ready ") == before:
        assert time.monotonic() < end, "it does not start"
        if host.poll() is not None:
            assert host.returncode == 75
            host = start(office)
        time.sleep(0.2)
    return host


def terminate_backends(office: Station) -> None:
    with office.office.db.write() as tx:
        others = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        tx.execute(text(f"select pg_terminate_backend(pid) {others}"))


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
                victim = reader_of_mail(office, [first, second])
                victim.kill()
                victim.wait()
                write(4)
                assert handed_over(office, victim) <= MINUTE
                eventually(lambda: all(office.delivered(s) for s in senders), 60)
                [other] = {first, second} - {victim}
                other.terminate()
                assert other.wait(40) == 0
            finally:
                second.kill()
                second.wait()
        finally:
            first.kill()
            first.wait()
        went = Counter(message_id(letter.content) for letter in smtp.letters)
        assert sum(went.values()) - len(went) <= 1, "the one that was under way when one was killed"
        assert sorted(t.requester.email for t in office.tickets) == sorted(senders)
        assert office.broken() == []
        office.office.db.close()


def test_hosts_that_die_freeze_and_come_back(tmp_path: Path, database: str) -> None:
    """Three daemons; in each round one is frozen for longer than its lease lasts and woken up again, or the one that reads the
    mail is killed, under load. Others have its work within a minute.

    A letter may go twice for each death or freeze, the one that was under way, and with the same Message-ID.
    """
    chance = random.Random(19)
    senders: list[str] = []

    def write(mails: int) -> None:
        for _ in range(mails):
            n = len(senders)
            senders.append(f"o{n}@mail.example.com")
            office.put(mail(f"{house(n)},{LEAK}第{n}件", sender=senders[-1], name=f"业主{n}"))

    def answered() -> bool:
        reached = {r for letter in list(smtp.letters) for r in letter.recipients}
        return reached.issuperset(senders)

    rounds = max(2, count(200) // 40)
    with ScriptedSmtp() as smtp:
        office = Station(tmp_path, smtp=smtp, database=database)
        hosts = [started(office) for _ in range(3)]
        try:
            for round in range(rounds):
                write(12)
                time.sleep(chance.uniform(0.2, 2.0))
                freeze = round % 2 == 0
                victim = hosts[chance.randrange(3)] if freeze else reader_of_mail(office, hosts)
                os.kill(victim.pid, signal.SIGSTOP if freeze else signal.SIGKILL)
                since = time.monotonic()
                write(12)
                assert handed_over(office, victim) <= MINUTE
                eventually(answered, 110)
                if freeze:
                    time.sleep(max(0.0, 50 - (time.monotonic() - since)))
                    victim.send_signal(signal.SIGCONT)
                else:
                    victim.wait()
                    hosts[hosts.index(victim)] = started(office)
                if round % 3 == 2:
                    crash_of_the_database(office)
            write(6)
            eventually(answered, 110)
            time.sleep(5)
            assert [host.poll() for host in hosts] == [None] * 3, "neither a freeze nor a crash of the database ends a daemon"
            for host in hosts:
                host.terminate()
            assert [host.wait(60) for host in hosts] == [0, 0, 0]
        finally:
            for host in hosts:
                host.kill()
                host.wait()
        went = Counter(message_id(letter.content) for letter in smtp.letters)
        assert sum(went.values()) - len(went) <= rounds + rounds // 3, went.most_common(5)
        assert sorted(t.requester.email for t in office.tickets) == sorted(senders)
        replies = [x for x in office.letters if x["template"].startswith("replies/")]
        known = Counter((x["ticket"], x["recipient"], x["template"]) for x in replies)
        assert max(known.values()) == 1
        assert office.broken() == []
        office.office.db.close()


def crash_of_the_database(office: Station) -> None:
    """kill -9 of one server process: PostgreSQL ends all others and recovers, as after a restart."""
    import psutil

    with office.office.db.read() as tx:
        others = "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() limit 1"
        pid = tx.scalar(text(others))
    psutil.Process(pid).kill()


def test_two_hosts_have_one_line_of_deadlines(tmp_path: Path, database: str) -> None:
    """What the clock makes is made once, whoever has the lease: each step of each deadline, each report."""
    with ScriptedSmtp() as smtp:
        office = Station(tmp_path, smtp=smtp, database=database)
        hosts = [start(office), start(office)]
        try:
            for n in range(8):
                office.put(mail(f"{n + 1}号楼1单元101业主。{RUDE}", sender=f"o{n}@mail.example.com", name=f"业主{n}"))
            eventually(lambda: all(office.delivered(f"o{n}@mail.example.com") for n in range(8)), 60)
            time.sleep(40)
            for host in hosts:
                host.terminate()
            assert [host.wait(60) for host in hosts] == [0, 0]
        finally:
            for host in hosts:
                host.kill()
                host.wait()
        keys = Counter((x["ticket"], x["key"]) for x in office.letters if x["key"])
        assert keys and max(keys.values()) == 1
        for ticket in office.tickets:
            steps = Counter((h["what"], h["why"]) for h in office.history(ticket) if h["what"].startswith("due:"))
            assert steps and max(steps.values()) == 1, "the mails are old: their deadlines have passed"
        went = Counter(message_id(letter.content) for letter in smtp.letters)
        assert max(went.values()) == 1
        assert office.broken() == []
        office.office.db.close()
