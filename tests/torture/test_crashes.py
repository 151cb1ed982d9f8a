"""R01–R06, R26: kills at every step and at random under load, system calls that fail, a full disk. KEFUD_TORTURE=N is the count."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile.poison import GOOD_PAPER
from hostile.station import Station, environment, kefud
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


def children(pid: int) -> list[int]:
    import psutil

    try:
        return [p.pid for p in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def strace(call: str, n: int, fault: str, place: Path) -> tuple[str, ...]:
    return ("strace", "-f", "-q", "-o", "/dev/null", "-P", str(place), "-e", f"inject={call}:{fault}:when={n}")


FAULTS = [
    (call, error)
    for call in ("fsync,fdatasync", "write,pwrite64", "rename", "openat")
    for error in ("error=EIO", "error=ENOSPC", "signal=KILL")
]


@pytest.mark.parametrize(("call", "fault"), FAULTS)
def test_the_nth_system_call_on_the_store_fails(crashes: Crashes, call: str, fault: str) -> None:
    """R03: for n = 1, 2, 3 … of each call on the database, its log or the originals: no loss, no false success."""
    spool = Path(crashes.office.loaded.spool)
    crashes.settle()
    for n in range(1, ROUNDS + 1):
        crashes.write(RUDE, large=True)
        place = {"rename": spool / "blobs", "openat": spool / "blobs"}.get(
            call, crashes.office.home / ("kefud.db-wal" if n % 2 else "kefud.db")
        )
        status = crashes.run("", *strace(call, n, fault, place), timeout=180)
        assert status != 0 or len(crashes.office.tickets) >= len(crashes.senders), (
            "success was reported for what did not happen"
        )
    crashes.settle()
    crashes.check(repeats=ROUNDS)


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


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """R04 on a file system of one mebibyte, where this user may mount one; else its quota is played by EFBIG above."""
    small = tmp_path / "small"
    small.mkdir()
    inside = "mount -t tmpfs -o size=1200k none {0} && exec {1}"
    with ScriptedSmtp() as smtp:
        office = Station(tmp_path, smtp=smtp, folders=("calls", "box"))
        office.path.write_text(
            office.path.read_text("utf-8")
            .replace('spool = "var"', 'spool = "small"')
            .replace(f"{tmp_path}/kefud.db", f"{small}/kefud.db"),
            "utf-8",
        )
        crashes = Crashes(office)
        for _ in range(12):
            crashes.write(RUDE, large=True)
        command = " ".join(kefud(office.path, "run", "--once"))
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", inside.format(small, command)],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode != 0
        assert "No space left" in done.stderr or "full" in done.stderr or "Operation not permitted" in done.stderr, done.stderr[
            -500:
        ]
        left = list((tmp_path / "mail" / "new").iterdir())
        assert left, "what could not be stored is still new"


@pytest.mark.parametrize(
    "how", [(signal.SIGTERM,), (signal.SIGTERM, signal.SIGTERM), (signal.SIGHUP, signal.SIGTERM), (signal.SIGINT,)]
)
def test_told_to_end_under_load(crashes: Crashes, how: tuple[signal.Signals, ...]) -> None:
    """R26: ends within thirty seconds with status 0; nothing is sent twice."""
    chance = random.Random(len(how))
    for _ in range(ROUNDS):
        for _ in range(3):
            crashes.write(RUDE)
        child = subprocess.Popen(kefud(crashes.office.path, "run"), env=environment(), stderr=subprocess.DEVNULL)
        try:
            child.wait(1.5 + chance.random() * 3)
        except subprocess.TimeoutExpired:
            pass
        for signum in how:
            child.send_signal(signum)
        assert child.wait(30) == 0
    crashes.settle()
    crashes.check(repeats=0)
