"""The machine gives no process or no descriptor for a while: the line pauses, says so, and goes on."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from hostile.station import station
from hostile.test_away import Daemon, Started, started  # noqa: F401
from hostile.test_children import eventually
from line.office import mail

from kefud.daemon import run_until_idle
from kefud.errors import NotStarted
from kefud.intake import ReadingDesk
from kefud.journal import Journal
from kefud.outbox import Outbox
from kefud.preload import PRELOAD
from kefud.workers import Nursery, Worker

RUDE = "西门保安态度恶劣,骂人,我要投诉,请给我一个说法。"


class Served:
    def pid(self) -> int:
        return os.getpid()


def served() -> Served:
    return Served()


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    made = Nursery(("kefud.workers", __name__, "hostile.poor"))
    yield made
    made.close()


@contextmanager
def limited(pid: int, what: int, most: int) -> Iterator[None]:
    soft, hard = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (most, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, what, (soft, hard))


def a_worker(nursery: Nursery) -> Worker:
    return Worker(nursery, "test", f"{__name__}:served", ())


@contextmanager
def poor(pid: int, how: signal.Signals) -> Iterator[None]:
    """A process that imported `hostile.poor`, without processes (SIGUSR1) or without descriptors (SIGUSR2)."""
    limits = Path(f"/proc/{pid}/limits")
    rich = limits.read_text()
    os.kill(pid, how)
    eventually(lambda: limits.read_text() != rich)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGHUP)
        eventually(lambda: limits.read_text() == rich)


@pytest.mark.parametrize("how", [signal.SIGUSR1, signal.SIGUSR2])
def test_a_nursery_that_cannot_fork_ends_nobody(nursery: Nursery, how: signal.Signals) -> None:
    """Who lives is served on; who is not born yet is born when it is possible."""
    first, second = a_worker(nursery), a_worker(nursery)
    lives = first.call("pid", timeout=20)
    with poor(psutil.Process(lives).ppid(), how):
        for _ in range(2):
            with pytest.raises(NotStarted, match="no child can be started"):
                second.call("pid", timeout=20)
            assert first.call("pid", timeout=20) == lives
    assert second.call("pid", timeout=20) != lives
    assert first.call("pid", timeout=20) == lives
    first.stop()
    second.stop()


class Poor(Nursery):
    """Gives no child while ``refuses``."""

    def __init__(self) -> None:
        super().__init__(PRELOAD)
        self.refuses = False

    def fork(self, spec: dict[str, Any], fds: Sequence[int]) -> int:
        if self.refuses:
            raise NotStarted("no child can be started: Resource temporarily unavailable")
        return super().fork(spec, fds)


def test_what_was_in_hand_is_given_back_at_once(tmp_path: Path) -> None:
    """Neither an arrival nor a letter keeps a lease, a mark or an attempt of work that never began."""
    nursery = Poor()
    with station(tmp_path, nursery=nursery) as office:
        office.put(mail(f"1号楼1单元101业主。{RUDE}", sender="a@mail.example.com"))
        [receiver], [desk], [outbox] = parts(office)
        receiver.empty(lambda seconds: None)
        nursery.refuses = True
        with pytest.raises(NotStarted):
            desk.step()
        nursery.refuses = False
        run_until_idle([desk])
        assert len(office.tickets) == 1, "read at the next look, not when a lease has ended"
        nursery.refuses = True
        assert outbox.step()
        waiting = [x for x in office.letters if x["transport"] == "mail"]
        assert {(x["status"], x["attempts"]) for x in waiting} == {("pending", 0)}
        assert not outbox.step(), "it rests"
        nursery.refuses = False
        office.pass_time(seconds=6)
        run_until_idle([outbox])
        assert office.delivered("a@mail.example.com")
    nursery.close()


def parts(office: Any) -> tuple[list[Any], list[Any], list[Any]]:
    made = office.office
    return made.receivers(lambda: None), made.desks(lambda: None), made.outboxes(lambda: None, lambda: False)


class Locks:
    """A reader, or a way out, that cannot be started the first time, while somebody locks the store; then as usual."""

    def __init__(self, store: Path, usual: Any) -> None:
        self._other = sqlite3.connect(store, isolation_level=None)
        self._usual = usual
        self._asked = 0

    def read(self, *args: Any) -> Any:
        self._lock()
        return self._usual.read(*args)

    def send(self, *args: Any) -> Any:
        self._lock()
        return self._usual.send(*args)

    def finish(self) -> None:
        self._usual.finish()

    def _lock(self) -> None:
        self._asked += 1
        if self._asked == 1:
            self._other.execute("BEGIN EXCLUSIVE")
            raise NotStarted("no child can be started")

    def unlock(self) -> None:
        self._other.execute("COMMIT")
        self._other.close()


def test_what_was_in_hand_when_the_store_went_away_is_given_back_when_it_returns(tmp_path: Path) -> None:
    """At once, not when a lease has ended."""
    with station(tmp_path, busy=0.2) as office:
        office.put(mail(f"1号楼1单元101业主。{RUDE}", sender="a@mail.example.com"))
        [receiver], [usual_desk], [usual_box] = parts(office)
        receiver.empty(lambda seconds: None)
        made, store = office.office, tmp_path / "kefud.db"
        known: dict[str, Any] = {"clock": office.clock, "owner": made.owner, "wake": lambda: None}
        reader = Locks(store, usual_desk._reader)
        desk = ReadingDesk("reading", ["kefu"], reader, made.casework, made.db, made.spool, **known)
        with pytest.raises(NotStarted):
            desk.step()
        reader.unlock()
        run_until_idle([desk])
        assert len(office.tickets) == 1
        way_out = Locks(store, usual_box._sends)
        journal = Journal(made.spool / "outbox" / "mail.sent")
        box = Outbox(
            "mail", ["mail"], way_out, made.db, made.site, made.spool, stopping=lambda: False, journal=journal, **known
        )
        assert box.step()
        assert "leased" in {x["status"] for x in office.letters}, "nobody could be told that it was not sent"
        way_out.unlock()
        office.pass_time(seconds=6)
        run_until_idle([box])
        assert office.delivered("a@mail.example.com")
        assert {x["attempts"] for x in office.letters if x["transport"] == "mail"} == {1}


def test_without_descriptors_the_daemon_pauses_and_goes_on(started: Started) -> None:  # noqa: F811
    daemon = started()
    daemon.write(2)
    eventually(daemon.answered, 90)
    [nurse] = daemon.process.children()
    before = daemon.said()
    with limited(daemon.process.pid, resource.RLIMIT_NOFILE, 3), limited(nurse.pid, resource.RLIMIT_NOFILE, 3):
        for child in nurse.children():
            child.kill()
        daemon.write(3)
        eventually(lambda: "cannot be started: Too many open files" in daemon.said()[len(before) :], 30)
        assert not daemon.answered() and daemon.process.is_running()
    eventually(daemon.answered, 120)
    daemon.ends_well(repeats=1)
