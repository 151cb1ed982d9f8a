"""Each stage of the line by itself in this process, so that a profiler sees plugin code too: `run.py --profile`."""

from __future__ import annotations

import cProfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.daemon import Kefud
from kefud import hosts
from kefud.casework import Casework
from kefud.compose import Press
from kefud.config import load
from kefud.desk.arrival import Arrival
from kefud.outbox import Outbox
from kefud.shipped import shipped
from kefud.store import arrivals, blobs
from kefud.wiring import Office

BATCH = 25


class _Nowhere:
    """A transport that says yes to everything."""

    def send(self, parcel: Any) -> str:
        return "250 ok"

    def finish(self) -> None:
        return None


class _Sends:
    """The transport host without its process."""

    def __init__(self, host: hosts.TransportHost) -> None:
        self._host = host

    def send(self, batch: Sequence[Any], asked: Callable[[str, tuple[Any, ...]], Any]) -> int:
        for dispatch in batch:
            asked("result", ((self._host.one(dispatch),), True))
        return len(batch)

    def finish(self) -> None:
        return None


def profiled(mails: Sequence[bytes], kefud: Kefud, into: Path) -> list[Path]:
    """Run ``mails`` through every stage; returns the profiles, one for each stage."""
    (kefud.home / "kefud.toml").write_text((kefud.home / "kefud.toml").read_text() + _CHANNEL)
    with Office(load(str(kefud.home / "kefud.toml"))) as office:
        room = hosts.ReadingRoom(office.site, [office.plugins["imap_mailbox"]], office.enabled_rules())
        room.load()
        casework = Casework(office.db, office.site, office.composer, room, clock=office.clock, nonce=office._nonce)
        office._casework = casework
        press = Press([str(shipped("templates"))])
        host = hosts.TransportHost(_Nowhere(), press, office.spool / "papers")  # type: ignore[arg-type]
        outbox = Outbox(
            "mail", ["mail"], _Sends(host), office.db, office.site, office.spool, clock=office.clock, owner="bench",
            stopping=lambda: False, wake=lambda: None,
        )  # fmt: skip
        stages = _Stages(office, room, casework, outbox, mails)
        return [_profile(name, getattr(stages, name), into) for name in ("take", "read", "file", "send", "tell")]


_CHANNEL = """
[[channel]]
id = "bench"
plugin = "imap_mailbox"
host = "127.0.0.1"
tls = "none"
username = "bench"
password = { file = "password" }
"""


class _Stages:
    def __init__(self, office: Office, room: Any, casework: Casework, outbox: Outbox, mails: Sequence[bytes]) -> None:
        self._office = office
        self._room = room
        self._casework = casework
        self._outbox = outbox
        self._now = datetime.now(UTC)
        self._arrivals = [Arrival(f"INBOX/1/{n}", self._now, content) for n, content in enumerate(mails, 1)]
        self._readings: list[Any] = []

    def take(self) -> None:
        """Originals made durable, rows committed."""
        for start in range(0, len(self._arrivals), 50):
            batch = self._arrivals[start : start + 50]
            stored = blobs.keep([a.content for a in batch], self._office.spool / "blobs")
            with self._office.db.write() as tx:
                arrivals.take(tx, "bench", batch, stored, self._now)

    def read(self) -> None:
        """Claimed, read, and sorted by the rules asked about arrivals."""
        later, db = self._now + timedelta(seconds=1), self._office.db
        while True:
            with db.write() as tx:
                waiting = arrivals.claim(
                    tx, "bench", later, lease=timedelta(minutes=9), most=BATCH, channels=["bench"], spool=self._office.spool
                )
            if not waiting:
                return
            items = [(w.id, w.channel, w.arrival, w.path, w.transcript) for w in waiting]
            self._readings.append(self._room.read(items, later))

    def file(self) -> None:
        """Tickets found or opened, rules asked, history and letters written."""
        for batch in self._readings:
            self._casework.file(batch)

    def send(self) -> None:
        """Letters leased, papers printed, mails built, answers recorded."""
        while self._outbox.step():
            pass

    def tell(self) -> None:
        """Tickets told what became of their letters."""
        while self._casework.tell():
            pass


def _profile(name: str, stage: Callable[[], None], into: Path) -> Path:
    profiler = cProfile.Profile()
    profiler.runcall(stage)
    path = into / f"{name}.prof"
    profiler.dump_stats(path)
    return path
