"""Children end with the daemon and not a moment sooner; whichever of them is killed, the line goes on and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from hostile.station import Station, environment, house, kefud, station
from hostile.test_plugins import RULES, bad_rule
from line.office import mail
from servers.scripted_smtp import ScriptedSmtp

from kefud.errors import Busy
from kefud.supervision import Breaker, Judge
from kefud.workers import Asker, Nursery, Worker, WorkerDied, asks

LEAK = "厨房水龙头坏了,一直滴水,请派人来修。"


def eventually(what: Callable[[], object], seconds: float = 20) -> object:
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
    return found


class Served:
    """What the children of these tests serve."""

    def pid(self) -> int:
        return os.getpid()

    def breed(self, count: int) -> list[int]:
        """Processes that outlive whoever made them, as a careless plugin leaves them behind."""
        found = []
        for _ in range(count):
            pid = os.fork()
            if pid == 0:
                while True:
                    signal.pause()
            found.append(pid)
        return found

    @asks
    def ask(self, asker: Asker, count: int) -> int:
        return sum(bool(asker.ask("well?")) for _ in range(count))

    def nap(self) -> str:
        for _ in range(20):
            time.sleep(0.1)
        return "awake"

    def say(self) -> None:
        print("a plugin speaks where it should not", flush=True)

    def hang(self) -> None:
        while True:
            pass


def served() -> Served:
    return Served()


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    nursery = Nursery(("json",))
    yield nursery
    nursery.close()


def worker(nursery: Nursery) -> Worker:
    return Worker(nursery, "test", f"{__name__}:served", ())


def deeper(daemon: psutil.Popen, depth: int) -> bool:
    """Whether somebody below the daemon's grandchildren lives: what a plugin forked."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return any(len(p.parents()) > depth for p in daemon.children(recursive=True))
    return False


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def end(process: psutil.Popen) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()
    process.wait()


def test_children_outlive_the_thread_that_asked_for_them(nursery: Nursery) -> None:
    """PR_SET_PDEATHSIG speaks of threads: a nursery started by one that ends must not take everybody along."""
    child = worker(nursery)
    first: list[int] = []
    thread = threading.Thread(target=lambda: first.append(child.call("pid", timeout=20)))
    thread.start()
    thread.join()
    time.sleep(0.3)
    assert child.call("pid", timeout=20) == first[0]
    child.stop()


def test_a_question_that_is_not_answered_ends_the_child_that_asked(nursery: Nursery) -> None:
    """Else it would take the next call for the answer: a transport would go on with letters that were given back."""
    child = worker(nursery)
    first = child.call("pid", timeout=20)

    def refuses(what: str, args: object) -> bool:
        raise Busy("the database is away")

    with pytest.raises(Busy):
        child.call("ask", 3, timeout=20, asked=refuses)
    assert child.call("ask", 3, timeout=20, asked=lambda *_: True) == 3
    assert child.call("pid", timeout=20) != first
    child.stop()


def test_what_a_plugin_prints_stands_in_no_output_of_ours(capfd: pytest.CaptureFixture[str]) -> None:
    """`kefud run --once --json` prints one document, whatever plugins say."""
    nursery = Nursery(("json",))
    child = worker(nursery)
    child.call("say", timeout=20)
    child.stop()
    nursery.close()
    said = capfd.readouterr()
    assert said.out == "" and "a plugin speaks" in said.err


def test_what_a_child_forked_ends_with_it(nursery: Nursery) -> None:
    child = worker(nursery)
    bred = child.call("breed", 30, timeout=20)
    assert all(alive(pid) for pid in bred)
    with pytest.raises(WorkerDied, match="no answer"):
        child.call("hang", timeout=0.3)
    eventually(lambda: not any(alive(pid) for pid in bred))
    child.stop()


def test_nothing_outlives_a_daemon_that_was_killed(tmp_path: Path) -> None:
    """Not even what a plugin forked, nor a child that hangs in one."""
    leaves = "import signal\nif os.fork() == 0:\n    while True: signal.pause()\nwhile True: pass"
    with ScriptedSmtp() as smtp:
        more = f"[rules]\norder = {RULES}\n[limits]\nworker_seconds = 60\n"
        office = Station(tmp_path, smtp=smtp, plugins=bad_rule(tmp_path, leaves), more=more)
        office.put(mail(LEAK))
        daemon = psutil.Popen(kefud(office.path, "run"), env=environment(), stderr=subprocess.DEVNULL)
        depth = len(daemon.parents()) + 2
        try:
            eventually(lambda: deeper(daemon, depth), 40)
            family = daemon.children(recursive=True)
            assert len(family) >= 4, "the nursery, its children, and what the plugin forked"
        finally:
            end(daemon)
        eventually(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in family))
        office.office.db.close()


NAPS = f"""
from kefud.workers import Nursery, Worker
nursery = Nursery(("json",))
child = Worker(nursery, "test", "{__name__}:served", ())
child.call("pid", timeout=20)
print("born", flush=True)
print(child.call("nap", timeout=4), flush=True)
nursery.close()
"""


def test_who_was_frozen_with_its_child_does_not_take_it_for_dead() -> None:
    """R22: `systemctl freeze`, a snapshot of a virtual machine. A call has its time when everybody is awake again."""
    asks = psutil.Popen([sys.executable, "-c", NAPS], env=environment(), stdout=subprocess.PIPE, text=True)
    try:
        assert asks.stdout.readline() == "born\n"
        time.sleep(0.3)
        family = [asks, *asks.children(recursive=True)]
        assert len(family) == 3
        for process in family:
            process.suspend()
        time.sleep(5)
        for process in family:
            process.resume()
        assert asks.stdout.read() == "awake\n"
    finally:
        end(asks)


class Dies:
    """A judge's child that ends once for a reason that no rule can help, and then works."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.asked: list[tuple[str, ...]] = []

    def call(self, method: str, batch: object, off: tuple[str, ...], *, timeout: float) -> list[object]:
        self.asked.append(off)
        if len(self.asked) == 1:
            raise WorkerDied("judge", self.reason, "routing")
        return []


@pytest.mark.parametrize("reason", ["killed by SIGKILL", "ended with its nursery", "replaced"])
def test_no_rule_is_blamed_for_what_came_from_outside(tmp_path: Path, reason: str) -> None:
    with station(tmp_path) as office:
        child = Dies(reason)
        Judge(child, Breaker(office.office.db, office.clock), seconds=1).judge([])  # type: ignore[arg-type]
        assert child.asked == [(), ()], "asked again with every rule"


def test_whichever_process_is_killed_the_work_goes_on(tmp_path: Path) -> None:
    kill_one_after_the_other(tmp_path, 8)


def kill_one_after_the_other(home: Path, rounds: int) -> None:
    """Every child of a running daemon in turn, while mails come in: each mail one ticket, one answer, nothing switched off."""
    senders = []
    with ScriptedSmtp() as smtp:
        office = Station(home, smtp=smtp)
        log = (home / "log").open("wb")
        daemon = psutil.Popen(kefud(office.path, "run"), env=environment(), stderr=log)
        try:
            for n in range(rounds):
                senders.append(f"owner{n}@mail.example.com")
                text = f"{house(n)},{LEAK}第{n}件"
                office.put(mail(text, sender=senders[-1], name=f"业主{n}", received=datetime.now(UTC)))  # no progress is due
                time.sleep(0.15 + n % 7 / 10)
                family = sorted(daemon.children(recursive=True), key=lambda p: p.pid)
                if family:
                    family[n % len(family)].kill()
            eventually(lambda: all(office.delivered(s) for s in senders), 120)
            daemon.terminate()
            assert daemon.wait(40) == 0
        finally:
            end(daemon)
            log.close()
        assert sorted(t.requester.email for t in office.tickets) == sorted(senders)
        assert all(t.department and t.deadlines for t in office.tickets), "no rule lost its say"
        went = Counter(str(m["Message-ID"]) for s in senders for m in office.delivered(s))
        assert sum(went.values()) - len(went) <= rounds and len(went) == len(senders)
        assert office.broken() == []
        office.office.db.close()
