"""R19 in small: hosts that share a PostgreSQL, one of which falls silent and comes back. With real processes: tests/torture."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hostile.station import Station, environment, kefud
from line.office import mail
from nursery import shared
from servers.scripted_smtp import ScriptedSmtp
from sqlalchemy import text

from kefud.daemon import run_until_idle
from kefud.desk.dispatch import Dispatch, Sent
from kefud.outbox import Outbox
from kefud.store import arrivals, letters, settings, tickets
from kefud.wiring import Office, Patience

RUDE = "西门保安态度恶劣,骂人,我要投诉,请给我一个说法。"


class Pair:
    """Two hosts of one store. ``silence`` is what happens while the first says nothing."""

    def __init__(self, home: Path, database: str, smtp: ScriptedSmtp) -> None:
        self.station = Station(home, smtp=smtp, database=database)
        self.first = self.station.office
        self.second = Office(self.station.loaded, clock=self.station.clock)

    def receive(self, count: int = 3) -> None:
        for n in range(count):
            words = f"{n + 1}号楼1单元101业主,电话1380000{n:04d}。{RUDE}"
            self.station.put(mail(words, sender=f"a{n}@mail.example.com", name=f"业主{n}"))
        self.fetch()

    def fetch(self) -> None:
        """By the host that holds the channel's lease."""
        for receiver in self.first.receivers(lambda: None):
            receiver.empty(lambda seconds: None)

    def desks(self, office: Office) -> list[Any]:
        return office.desks(lambda: None)

    def take_over(self) -> None:
        with self.second.db.write() as tx:
            arrivals.take_over(tx, [self.first.owner])
            letters.take_over(tx, self.station.now, [self.first.owner])


@pytest.fixture
def pair(tmp_path: Path, database_url: str) -> Iterator[Pair]:
    with ScriptedSmtp() as smtp:
        made = Pair(tmp_path, database_url, smtp)
        with made.first, made.second:
            yield made
            assert made.station.broken() == []


@pytest.fixture
def database_url(postgres_server: str) -> str:
    from sqlalchemy import create_engine, make_url

    admin = make_url(postgres_server).set(drivername="postgresql+psycopg")
    engine = create_engine(admin, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("drop database if exists kefud_pair with (force)"))
        connection.execute(text("create database kefud_pair"))
    engine.dispose()
    return admin.set(database="kefud_pair").render_as_string(hide_password=False)


def during(target: Any, method: str, what: Callable[[], None]) -> None:
    """Let ``what`` happen right after the next call of a method."""
    usual = getattr(target, method)

    def once(*args: Any, **named: Any) -> Any:
        result = usual(*args, **named)
        setattr(target, method, usual)
        what()
        return result

    setattr(target, method, once)


def test_what_another_host_filed_is_not_filed_again(pair: Pair) -> None:
    pair.receive()

    def meanwhile() -> None:
        pair.take_over()
        run_until_idle(pair.desks(pair.second))

    [desk] = pair.desks(pair.first)
    during(desk._reader, "read", meanwhile)
    run_until_idle([desk])
    assert len(pair.station.tickets) == 3
    assert sum(len(t.arrivals) for t in pair.station.tickets) == 3


def test_a_mail_in_two_mailboxes_is_one_ticket_even_on_two_hosts(pair: Pair) -> None:
    """R14: the copy that the other host files in the same moment counts."""
    raw = mail(RUDE, sender="a@mail.example.com")
    pair.station.put(raw)
    pair.fetch()
    [desk], [other] = pair.desks(pair.first), pair.desks(pair.second)

    def meanwhile() -> None:
        pair.station.put(b"Received: from elsewhere by mx.estate.example.com; Mon, 3 Mar 2025 10:00:01 +0800\r\n" + raw)
        pair.fetch()
        run_until_idle([other])

    during(pair.first.casework.judges, "judge", meanwhile)
    run_until_idle([desk])
    pair.station.pass_time(seconds=6)
    run_until_idle([desk])
    assert len(pair.station.tickets) == 1
    assert pair.station.arrivals == {"filed": 1, "ignored": 1}


class Silent:
    """A transport that lets something happen before its first letter is told of."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self.meanwhile = meanwhile
        self.sent: list[str] = []

    def send(self, batch: Sequence[Dispatch], asked: Callable[[str, tuple[Any, ...]], Any]) -> int:
        for dispatch in batch:
            self.sent.append(dispatch.message_id)
            if len(self.sent) == 1:
                self.meanwhile()
            if not asked("result", ((Sent(dispatch.id, dispatch.epoch, True, 250, "250 ok"),), False))[0]:
                break
        return len(batch)

    def finish(self) -> None:
        pass


def outbox(pair: Pair, office: Office, sends: Any) -> Outbox:
    return Outbox(
        "mail", ["mail"], sends, office.db, office.site, office.spool, clock=pair.station.clock, owner=office.owner,
        stopping=lambda: False, wake=lambda: None,
    )  # fmt: skip


def test_a_batch_that_was_taken_over_is_not_sent_on(pair: Pair) -> None:
    """After the silence one letter may have gone twice, the one that was under way; not the rest of the batch."""
    pair.receive(4)
    run_until_idle(pair.desks(pair.first))
    other = Silent(lambda: None)

    def meanwhile() -> None:
        pair.take_over()
        run_until_idle([outbox(pair, pair.second, other)])

    first = Silent(meanwhile)
    run_until_idle([outbox(pair, pair.first, first)])
    went = Counter([*first.sent, *other.sent])
    assert len(went) >= 8 and set(went) == {x["message_id"] for x in pair.station.letters if x["transport"] == "mail"}
    assert len(first.sent) == 1 and len(other.sent) == len(went)
    assert sum(went.values()) - len(went) <= 1


def test_a_deadline_that_another_host_followed_is_let_be(pair: Pair) -> None:
    pair.receive(1)
    run_until_idle(pair.desks(pair.first))
    pair.station.pass_time(days=2)
    casework, usual, done = pair.first.casework, tickets.due_deadlines, []

    def slow(*args: Any) -> Any:
        found = usual(*args)
        if not done:
            done.append(True)
            pair.second.casework.wake()
        return found

    tickets.due_deadlines = slow  # type: ignore[assignment]
    try:
        casework.wake()
    finally:
        tickets.due_deadlines = usual
    told = [h["what"] for h in pair.station.history(pair.station.tickets[0]) if h["what"].startswith("due:")]
    assert told and max(Counter(told).values()) == 1


def ended(pair: Pair, office: Office) -> None:
    """The office has given no sign of life for too long; what else it holds has not ended yet."""
    with pair.first.db.write() as tx:
        past = "update lease set until = now() - interval '1 second' where name = :its"
        tx.execute(text(past), {"its": f"node.{office.owner}"})


def test_where_the_database_was_away_nobody_has_died(pair: Pair) -> None:
    """Whoever reaches the store first finds the leases of all others ended, and waits for their next sign of life."""
    pair.receive(1)
    pair.first.look_after_others()
    assert pair.first.holds("channel.kefu")
    ended(pair, pair.first)
    pair.second.look_after_others()
    with pair.second.db.read() as tx:
        assert settings.lease_of(tx, f"node.{pair.first.owner}") is not None
        assert settings.lease_of(tx, "channel.kefu") is not None


def test_a_dead_host_is_buried_with_all_it_held(pair: Pair) -> None:
    pair.receive(2)
    pair.first.look_after_others()
    assert pair.first.holds("channel.kefu")
    with pair.first.db.write() as tx:
        args: dict[str, Any] = {"lease": timedelta(minutes=10), "most": 5, "channels": ["kefu"], "spool": pair.station.home}
        assert len(arrivals.claim(tx, pair.first.owner, pair.station.now, **args)) == 2
    survivor = Office(pair.station.loaded, clock=pair.station.clock, nursery=shared(), patience=Patience(grace=0.0))
    with survivor:
        survivor.look_after_others()
        assert not survivor.holds("channel.kefu")
        ended(pair, pair.first)
        survivor.look_after_others()
        assert survivor.holds("channel.kefu"), "not only when the lease of the channel has ended, too"
        run_until_idle(pair.desks(survivor))
        assert len(pair.station.tickets) == 2


def test_others_are_given_time_after_each_silence_of_the_store() -> None:
    patience = Patience(gap=25, grace=25)
    looks = [1000, 1010, 1020, 1030, 1040, 1100, 1110, 1120, 1130]
    assert [patience.over(now) for now in looks] == [False, False, False, True, True, False, False, False, True]


def test_of_daemons_started_at_once_on_one_store_one_stays(tmp_path: Path) -> None:
    """R19: the others end with 75, before they opened anything."""
    with ScriptedSmtp() as smtp:
        office = Station(tmp_path, smtp=smtp)
        office.office.open()
        office.office.close()
        command = kefud(office.path, "run")
        started = [subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True) for _ in range(4)]
        try:
            end = time.monotonic() + 60
            while sum(process.poll() is not None for process in started) < 3:
                assert time.monotonic() < end, "they wait for each other"
                time.sleep(0.1)
            assert [process.returncode for process in started if process.poll() is not None] == [75] * 3
        finally:
            for process in started:
                process.terminate()
                process.communicate(timeout=40)
        assert smtp.connections == 0
        office.office.db.close()


class Away(Silent):
    """Takes letters while the store does not answer."""


def test_what_went_out_while_the_store_was_away_is_recorded_later(pair: Pair) -> None:
    """Neither sent again, nor left as if it were still under way."""
    from kefud.errors import Busy

    pair.receive(1)
    run_until_idle(pair.desks(pair.first))
    usual, refused = letters.sent, []

    def away(*args: Any) -> Any:
        if len(refused) < 2:
            refused.append(True)
            raise Busy("database connection lost")
        return usual(*args)

    sends = Away(lambda: None)
    box = outbox(pair, pair.first, sends)
    letters.sent = away  # type: ignore[assignment]
    try:
        with pytest.raises(Busy):
            box.step()
        pair.station.pass_time(minutes=2)
        run_until_idle([box])
    finally:
        letters.sent = usual
    assert len(sends.sent) == len(set(sends.sent)) and len(refused) == 2
    assert {x["status"] for x in pair.station.letters if x["transport"] == "mail"} == {"sent"}


def test_a_host_that_freezes_in_a_transaction_holds_up_nobody_for_long(pair: Pair) -> None:
    with pair.first.db.write() as tx:
        [seconds] = tx.exec_driver_sql("show idle_in_transaction_session_timeout").one()
    assert seconds == "20s", "less than the lease of a minute"
