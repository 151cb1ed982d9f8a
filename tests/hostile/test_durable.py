"""R07, I4, I6, P11: what must be on disk, in which order, and who is talked to, read from the system calls of a run."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hostile.station import Station, environment, kefud
from servers.scripted_smtp import ScriptedSmtp
from torture.crash import RUDE, Crashes
from torture.test_crashes import fail_the_nth

CALL = re.compile(r"^(?P<pid>\d+)\s+(?P<name>\w+)\((?P<args>.*)\)\s+= (?P<result>-?\d+)")
TRACED = "openat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,mkdir,sendto,connect"
ABROAD = re.compile(r'connect\(.*sa_family=AF_INET6?, sin6?_port=htons\((\d+)\)[^"\n]*"([^"\n]+)"')


@dataclass(frozen=True)
class Call:
    name: str
    args: str

    def on(self, path: str) -> bool:
        """Whether the call is about a descriptor of ``path`` (strace -y), or names it."""
        return f"<{path}>" in self.args or f'"{path}"' in self.args


def calls(trace: str) -> list[Call]:
    """Calls that succeeded, in order; those that were interrupted in the print are joined."""
    begun: dict[str, str] = {}
    found = []
    for line in trace.splitlines():
        pid = line.split(maxsplit=1)[0]
        if line.endswith("<unfinished ...>"):
            begun[pid] = line.removesuffix(" <unfinished ...>")
            continue
        if " resumed>" in line:
            line = begun.pop(pid, "") + line.partition(" resumed>")[2]
        if (match := CALL.match(line)) and int(match["result"]) >= 0:
            found.append(Call(match["name"], match["args"]))
    return found


def faults(done: Sequence[Call], blobs: Path, database: Path) -> Iterator[str]:
    """Where the order would not survive a power cut."""
    wal = f"{database}-wal"
    for index, call in enumerate(done):
        names = re.findall(r'"([^"]+)"', call.args)
        if not call.name.startswith("rename") or not names[-1].startswith(str(blobs)):
            continue
        temporary, target = names[-2], Path(names[-1])
        written = max(i for i, c in enumerate(done[:index]) if c.name.startswith(("write", "pwrite")) and c.on(temporary))
        if not any(c.name.startswith(("fsync", "fdatasync")) and c.on(temporary) for c in done[written:index]):
            yield f"{target} was renamed before its content was on disk"
        commit = next(i for i, c in enumerate(done) if i > index and c.name.startswith(("fsync", "fdatasync")) and c.on(wal))
        for directory in (target.parent, blobs, blobs.parent):
            if not any(c.name == "fsync" and c.on(str(directory)) for c in done[index:commit]):
                yield f"{directory} was not on disk when a row named {target.name}"


def acknowledged(done: Sequence[Call], mail: Path, database: Path) -> Iterator[str]:
    """Mails whose source was told before the row was committed (I4)."""
    synced = [i for i, c in enumerate(done) if c.name.startswith(("fsync", "fdatasync")) and c.on(f"{database}-wal")]
    first_new = next((i for i, c in enumerate(done) if c.name == "openat" and f"{mail}/new" in c.args), len(done))
    for index, call in enumerate(done):
        if call.name.startswith("rename") and f"{mail}/new" in call.args:
            if not any(first_new < i < index for i in synced):
                yield f"{call.args} before any commit"


@pytest.fixture
def crashes(tmp_path: Path) -> Iterator[Crashes]:
    with ScriptedSmtp() as smtp:
        office = Station(tmp_path, smtp=smtp)
        yield Crashes(office)
        office.office.db.close()


def traced(crashes: Crashes) -> list[Call]:
    trace = crashes.office.home / "trace"
    command = ["strace", "-f", "-y", "-s", "300", "-o", str(trace), "-e", f"trace={TRACED}"]
    command += kefud(crashes.office.path, "run", "--once")
    subprocess.run(command, env=environment(), capture_output=True, timeout=120, check=False)
    return calls(trace.read_text("utf-8", "replace"))


def test_nothing_is_named_or_acknowledged_before_it_is_on_disk(crashes: Crashes) -> None:
    crashes.settle()
    for _ in range(3):
        crashes.write(RUDE, large=True)
    crashes.write()
    done = traced(crashes)
    office = crashes.office
    blobs, database = Path(office.loaded.spool) / "blobs", office.home / "kefud.db"
    renames = [c for c in done if c.name.startswith("rename")]
    assert sum(str(blobs) in c.args for c in renames) == 3
    assert sum("/mail/new" in c.args for c in renames) >= 4
    assert list(faults(done, blobs, database)) == []
    assert list(acknowledged(done, office.home / "mail", database)) == []
    talked = ABROAD.findall((office.home / "trace").read_text("utf-8", "replace"))
    assert set(talked) == {(str(office.smtp.port), "127.0.0.1")}, "only servers of the configuration are talked to (P11)"
    crashes.check(repeats=0)
    would_be_seen(done, blobs, database, office.home / "mail")


def would_be_seen(done: Sequence[Call], blobs: Path, database: Path, mail: Path) -> None:
    """The same run without some of its calls is found at fault, else the checks show nothing."""
    careless = [c for c in done if not (c.name == "fsync" and "blobs" in c.args)]
    assert len(list(faults(careless, blobs, database))) >= 3
    wal = [c for c in done if not (c.name.startswith("f") and "-wal" in c.args)]
    assert list(acknowledged(wal, mail, database))


def test_a_disk_that_does_not_keep_its_promise_loses_nothing(crashes: Crashes) -> None:
    """R03 in small: the first fsync of the database, then the first of its log, answers EIO."""
    fail_the_nth(crashes, "fsync,fdatasync", "error=EIO", 1)
