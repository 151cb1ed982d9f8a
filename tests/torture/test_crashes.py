"""R01–R06, R26: kills at every step and at random under load, system calls that fail, a full disk. KEFUD_TORTURE=N counts."""

from __future__ import annotations

import os
import random
import resource
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile.poison import GOOD_PAPER
from hostile.station import Station, environment, kefud
from hostile.test_children import kill_one_after_the_other
from servers.scripted_smtp import ScriptedSmtp
from torture.crash import RUDE, Crashes, count

from kefud import failpoints

PER_STEP = max(1, count(200) // 10)
ROUNDS = max(2, count(200) // 20)


@pytest.fixture
def crashes(tmp_path: Path) -> Iterator[Crashes]:
    with ScriptedSmtp() as smtp:
        office = Station(tmp_path, smtp=smtp, folders=("calls", "box"))
        yield Crashes(office)
        office.office.db.close()


@pytest.mark.parametrize("step", failpoints.STEPS)
def test_killed_at_one_step_again_and_again(crashes: Crashes, step: str) -> None:
    """0 lost, 0 doubled tickets; a letter twice only around the final dot, once for each kill, with the same Message-ID."""
    for n in range(PER_STEP):
        crashes.write(RUDE if n % 2 else "厨房水龙头坏了,请派人来修。", large=True)
        assert crashes.die_at(step), f"{step} was not met in round {n}"
    crashes.settle()
    crashes.check(repeats=PER_STEP if step == "letter.sent" else 0)


def test_killed_at_random_under_load(crashes: Crashes) -> None:
    """Mails and telephone logs keep coming while the whole process tree is killed after a random time."""
    chance = random.Random(20250303)
    for _ in range(count(200)):
        for _ in range(chance.randrange(4)):
            crashes.write(RUDE if chance.random() < 0.4 else "厨房水龙头坏了,请派人来修。", large=chance.random() < 0.2)
        if chance.random() < 0.3:
            crashes.call()
        child = subprocess.Popen(
            kefud(crashes.office.path, "run"), env=environment(), stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            child.wait(chance.expovariate(1 / 2.5))
        except subprocess.TimeoutExpired:
            pass
        victims = [child.pid, *children(child.pid)] if chance.random() < 0.5 else children(child.pid)[-3:] + [child.pid]
        for pid in victims:
            try:
                os.kill(pid, chance.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)))
            except ProcessLookupError:
                pass
        child.kill()
        child.wait()
        crashes.kills += 1
    (crashes.office.home / "box" / "paper.pdf").write_bytes(GOOD_PAPER)
    crashes.settle()
    crashes.calls += 1  # the paper
    crashes.check(repeats=crashes.kills)


def test_one_process_after_the_other_is_killed_while_the_daemon_runs(tmp_path: Path) -> None:
    """Nursery, reading room, channel host, transport: the daemon makes them anew, and no rule loses its say."""
    kill_one_after_the_other(tmp_path, count(200))


def children(pid: int) -> list[int]:
    import psutil

    try:
        return [p.pid for p in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def strace(trace: Path, call: str, n: int, fault: str, place: Path | None) -> tuple[str, ...]:
    where = ("-P", str(place)) if place else ()
    return ("strace", "-f", "-q", "-o", str(trace), *where, "-e", f"inject={call}:{fault}:when={n}")


FAULTS = [
    (call, error)
    for call in ("fsync,fdatasync", "write,pwrite64", "rename", "openat")
    for error in ("error=EIO", "error=ENOSPC", "signal=KILL")
]
FORKS, DESCRIPTORS = "clone,clone3,fork,vfork", "socketpair,memfd_create,dup,pipe2"
FAULTS += [(FORKS, "error=EAGAIN"), (DESCRIPTORS, "error=EMFILE")]
PLACES = {"rename": ("",), "openat": ("",), FORKS: ("",), DESCRIPTORS: ("",)}
"""Calls that are counted wherever they go; the others are counted on the database and on its log."""


@pytest.mark.parametrize(("call", "fault"), FAULTS)
def test_the_nth_system_call_fails(crashes: Crashes, call: str, fault: str) -> None:
    """R03: for n = 1, 2, 3 … of each call, until a run is through before it comes to that: no loss, no false success."""
    fail_the_nth(crashes, call, fault, ROUNDS)


def fail_the_nth(crashes: Crashes, call: str, fault: str, rounds: int) -> None:
    """Letters are counted loosely: whoever cannot write down that one went out sends it again."""
    crashes.settle()
    met = 0
    for n in range(rounds):
        crashes.write(RUDE, large=True)
        for name in PLACES.get(call, ("kefud.db", "kefud.db-wal")):
            trace = crashes.office.home / "trace"
            place = crashes.office.home / name if name else None
            nth = (n + 1) * (37 if call == "openat" else 1)  # a program's start alone opens a thousand files
            status = crashes.run("", *strace(trace, call, nth, fault, place), timeout=180)
            seen = trace.read_text("utf-8", "replace")
            met += "(INJECTED)" in seen or "killed by SIGKILL" in seen
            made = len(crashes.office.tickets)
            assert status != 0 or made >= len(crashes.senders), "success was reported for what did not happen"
    assert met, "the fault was never met, so this showed nothing"
    crashes.settle()
    crashes.check(repeats=2 * rounds)


@pytest.mark.parametrize("limit", [64 << 10, 256 << 10, 1 << 20])
def test_files_may_not_grow(crashes: Crashes, limit: int) -> None:
    """R04 without a file system of our own: beyond ``limit`` bytes every file answers EFBIG, database and originals alike."""
    crashes.settle()
    for _ in range(6):
        crashes.write(RUDE, large=True)
    command = kefud(crashes.office.path, "run", "--once")
    done = subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=180,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert done.returncode != 0 or len(crashes.office.tickets) == len(crashes.senders)
    crashes.settle()
    crashes.check(repeats=1)


FULL = """set -e
mount -t tmpfs -o size=1200k none {small}
{kefud} >{home}/first 2>&1 && exit 3
ls {home}/mail/new | wc -l >{home}/left
mount -o remount,size=64m {small}
{settle}
{kefud} >{home}/second 2>&1
cp -a {small} {home}/kept
"""
READ_ONLY = """set -e
mount -t tmpfs -o size=64m none {small}
{kefud} >{home}/first 2>&1
cp {home}/more/* {home}/mail/new/
mount -o remount,ro {small}
{kefud} >{home}/refused 2>&1 && exit 3
ls {home}/mail/new | wc -l >{home}/left
mount -o remount,rw {small}
{settle}
{kefud} >{home}/second 2>&1
cp -a {small} {home}/kept
"""


@pytest.mark.parametrize("script", [FULL, READ_ONLY], ids=["full", "read-only"])
def test_a_disk_that_takes_nothing_for_a_while(tmp_path: Path, script: str) -> None:
    """R04, R05 on a file system of our own: what could not be stored stays new; with space again everything comes in, once."""
    small = tmp_path / "small"
    small.mkdir()
    with ScriptedSmtp() as smtp:
        office = Station(tmp_path, smtp=smtp, folders=("calls", "box"))
        text = office.path.read_text("utf-8").replace('spool = "var"', 'spool = "small"')
        office.path.write_text(text.replace(f"{tmp_path}/kefud.db", f"{small}/kefud.db"), "utf-8")
        crashes = Crashes(office)
        for _ in range(12):
            crashes.write(RUDE, large=True)
        if script is READ_ONLY:
            (tmp_path / "more").mkdir()
            for mail in sorted((tmp_path / "mail" / "new").iterdir())[6:]:
                mail.rename(tmp_path / "more" / mail.name)
        unlease = shlex.join([sys.executable, "-c", UNLEASED, f"{small}/kefud.db"])
        command = shlex.join(kefud(office.path, "run", "--once"))
        lines = script.format(small=small, home=tmp_path, kefud=command, settle=unlease)
        own = ["unshare", "-m", "sh", "-c", lines]
        done = subprocess.run(own, env=environment(), capture_output=True, text=True, timeout=300)
        said = "".join((tmp_path / name).read_text() for name in ("first", "refused", "second") if (tmp_path / name).exists())
        assert done.returncode == 0, done.stderr + said[-2000:]
        assert int((tmp_path / "left").read_text()) > 0, "what could not be stored is still new"
        text = office.path.read_text("utf-8").replace(f"{small}/", f"{tmp_path}/kept/")
        office.path.write_text(text.replace('"small"', '"kept"'), "utf-8")
        crashes.office = reopened(office)
        crashes.check(repeats=1)
        crashes.office.office.db.close()


UNLEASED = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("update letter set status = 'pending', next_attempt = created_at where status in ('pending', 'leased')")
db.execute("update arrival set next_attempt = taken_at where status = 'received'")
db.commit()
"""


def reopened(office: Station) -> Station:
    from kefud.config import load
    from kefud.wiring import Office

    office.office.db.close()
    office.loaded = load(office.path)
    office.office = Office(office.loaded, clock=office.clock)
    return office


@pytest.mark.parametrize(
    "how", [(signal.SIGTERM,), (signal.SIGTERM, signal.SIGTERM), (signal.SIGHUP, signal.SIGTERM), (signal.SIGINT,)]
)
def test_told_to_end_under_load(crashes: Crashes, how: tuple[signal.Signals, ...]) -> None:
    """R26: ends within thirty seconds with status 0; nothing is sent twice."""
    chance = random.Random(len(how))
    for _ in range(ROUNDS):
        for _ in range(3):
            crashes.write(RUDE)
        child = subprocess.Popen(kefud(crashes.office.path, "run"), env=environment(), stderr=subprocess.PIPE, text=True)
        assert child.stderr
        next(line for line in child.stderr if " ready" in line)
        threading.Thread(target=child.stderr.read, daemon=True).start()
        try:
            child.wait(chance.random() * 4)
        except subprocess.TimeoutExpired:
            pass
        for signum in how:
            child.send_signal(signum)
        assert child.wait(30) == 0
    crashes.settle()
    crashes.check(repeats=0)
