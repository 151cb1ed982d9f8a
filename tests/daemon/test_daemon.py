"""The daemon as a process: ready, reload, stop, a second one, a kill."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from line.office import Line, mail
from servers.dovecot import Dovecot
from servers.scripted_smtp import ScriptedSmtp

from kefud.daemon import Orders
from kefud.store.invariants import violations


class Process:
    """A running `kefud run`, with systemd's end of the notify socket."""

    def __init__(self, config: Path, home: Path) -> None:
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(home / "notify"))
        self.notify.settimeout(30)
        self.said: list[str] = []
        self.log = (home / "log").open("ab")
        environment = {**os.environ, "NOTIFY_SOCKET": str(home / "notify"), "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-m", "kefud", "-c", str(config), "run"]
        self.child = subprocess.Popen(command, stderr=self.log, env=environment)

    def wait_for(self, word: str) -> None:
        while not any(word in x for x in self.said):
            self.said.append(self.notify.recv(4096).decode())

    def stop(self, how: int = signal.SIGTERM) -> int:
        self.child.send_signal(how)
        return self.child.wait(40)


@pytest.fixture
def office(tmp_path: Path, imap_server: Dovecot) -> Iterator[Line]:
    with ScriptedSmtp() as smtp:
        yield Line(tmp_path, f"sqlite:///{tmp_path}/kefud.db", imap_server.mailbox(), smtp)


@pytest.fixture
def run(office: Line, tmp_path: Path) -> Iterator[Callable[[], Process]]:
    started: list[Process] = []

    def start() -> Process:
        for old in started:
            old.notify.close()
        (tmp_path / "notify").unlink(missing_ok=True)
        started.append(Process(office.path, tmp_path))
        return started[-1]

    yield start
    for process in started:
        process.child.kill()
        process.child.wait()
        process.notify.close()
        process.log.close()


def eventually(what: Callable[[], Any], seconds: float = 30) -> Any:
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)
    return found


LEAK = "5号楼1单元201何样板,电话13800000201。厨房水龙头坏了,一直滴水,请派人来修。"


def test_a_mail_becomes_a_delivered_answer_while_the_daemon_runs(office: Line, run: Callable[[], Process]) -> None:
    process = run()
    process.wait_for("READY=1")
    process.wait_for("WATCHDOG=1")
    office.put(mail(LEAK))
    eventually(lambda: office.delivered("heyangban@mail.example.com"))
    assert process.stop() == 0
    assert any("STOPPING=1" in x for x in process.said) or process.wait_for("STOPPING=1") is None


def test_a_second_daemon_on_the_same_store_ends_at_once_with_75(office: Line, run: Callable[[], Process]) -> None:
    run().wait_for("READY=1")
    command = [sys.executable, "-m", "kefud", "-c", str(office.path), "run"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert second.returncode == 75
    assert "another daemon holds this store" in second.stderr


def test_a_bad_new_configuration_leaves_the_old_one_running(office: Line, run: Callable[[], Process], tmp_path: Path) -> None:
    process = run()
    process.wait_for("READY=1")
    good = office.path.read_text("utf-8")
    office.path.write_text(good.replace('tls = "none"', 'tls = "maybe"\nnonsense =', 1), "utf-8")
    process.child.send_signal(signal.SIGHUP)
    eventually(lambda: "reload-refused" in (tmp_path / "log").read_text())
    assert "kefud.toml:" in (tmp_path / "log").read_text()
    office.put(mail(LEAK))
    eventually(lambda: office.delivered("heyangban@mail.example.com"))
    assert process.stop() == 0


def test_nothing_is_lost_or_doubled_when_every_process_is_killed(office: Line, run: Callable[[], Process]) -> None:
    """R02 in small: mails keep coming while the daemon is killed again and again.

    They come now, by the daemon's clock: a matter of long ago would be told of its progress, too.
    """
    now = datetime.now(UTC)
    senders = [f"owner{i}@mail.example.com" for i in range(24)]
    for index, sender in enumerate(senders):
        office.put(mail(f"{index + 10}号楼1单元201,厨房水龙头坏了,请派人来修。", sender=sender, name=f"业主{index}", received=now))
        if index % 6 == 5:
            process = run()
            process.wait_for("READY=1")
            time.sleep(0.4 + 0.35 * (index // 6))
            process.child.kill()
            process.child.wait()
    process = run()
    process.wait_for("READY=1")
    eventually(lambda: all(office.delivered(s) for s in senders), 60)
    assert process.stop() == 0
    went = Counter(m["Message-ID"] for s in senders for m in office.delivered(s))
    assert len(went) == len(senders)
    assert went.total() - len(senders) <= 4, "at most the letter under way is repeated, once for each kill"
    assert sum(len(t.arrivals) for t in office.tickets) == len(senders)
    assert [str(v) for v in violations(office.office.db, Path(office.loaded.spool))] == []


def test_status_is_one_json_document(office: Line, run: Callable[[], Process]) -> None:
    run().wait_for("READY=1")
    command = [sys.executable, "-m", "kefud", "-c", str(office.path), "status", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    report = json.loads(done.stdout)
    assert report["channels"][0]["id"] == "kefu"
    assert report["daemon"]["pid"] > 0


def test_an_end_asked_for_during_a_reload_is_not_forgotten(office: Line, run: Callable[[], Process]) -> None:
    """SIGTERM right behind SIGHUP, and while the old line goes and the new one comes."""
    for pause in (0.0, 0.3, 1.0):
        process = run()
        process.wait_for("READY=1")
        process.child.send_signal(signal.SIGHUP)
        time.sleep(pause)
        assert process.stop() == 0


def test_an_order_from_a_signal_handler_is_heard_at_once_wherever_it_interrupts() -> None:
    """Handlers run between any two steps of the main thread: they may wait for nothing that it holds, nor come too late to wake it."""
    orders = Orders()
    orders.listen()
    try:
        for _ in range(300):
            orders.again = False
            threading.Timer(0.0, os.kill, (os.getpid(), signal.SIGHUP)).start()
            began = time.monotonic()
            while not orders.again:
                orders.wait(20)
            assert time.monotonic() - began < 15
    finally:
        signal.set_wakeup_fd(-1)
        for signum in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        orders.close()
