"""An office of one test that reads a maildir: no mail server to wait for, a clock that the test owns."""

from __future__ import annotations

import email
import email.policy
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from faces import share_faces
from line.office import MONDAY, PARTIES, ROLES
from nursery import shared
from servers.scripted_smtp import ScriptedSmtp

from kefud.config import load
from kefud.desk.ticket import Ticket
from kefud.reports.settings import ROLES as REPORTS
from kefud.store import arrivals, letters, tickets
from kefud.store.invariants import violations
from kefud.wiring import Office
from kefud.workers import Nursery

OWN = "kefu@estate.example.com"
VOUCHING = "mx.estate.example.com"
CHANNELS = {
    "calls": '[[channel]]\nid = "calls"\nplugin = "phone_log"\nfolder = "calls"\nsettle = "10ms"\nunclosed = "50ms"\nlate = "100ms"\n',
    "box": '[[channel]]\nid = "box"\nplugin = "complaint_box"\nfolder = "box"\nsettle = "10ms"\n',
}
MAILDIR = 'plugin = "maildir"\npath = "mail"\nevery = "100ms"\nretry = "100ms"'


class Station:
    """Put mails and files in, let it work, look at what came of it."""

    def __init__(
        self,
        home: Path,
        *,
        smtp: ScriptedSmtp,
        service: str = f'authserv_id = "{VOUCHING}"',
        more: str = "",
        folders: Sequence[str] = (),
        database: str = "",
        address: str = OWN,
        plugins: Path | None = None,
        off: Sequence[str] = tuple(REPORTS),
        nursery: Nursery | None = None,
        busy: float = 0.0,
        parties: str = PARTIES,
        channel: str = MAILDIR,
    ) -> None:
        self.home = home
        self.smtp = smtp
        self.now = MONDAY
        self._mails = 0
        for place in ("mail/new", "mail/cur", "mail/tmp", *folders):
            (home / place).mkdir(parents=True, exist_ok=True)
        self.path = home / "kefud.toml"
        self.path.write_text(
            f"""
[service]
name = "示范地产客户服务中心"
hotline = "400-000-0000"
spool = "var"
database = "{database or f"sqlite:///{home}/kefud.db"}"
own_addresses = ["{address}"]
{f'plugins = ["{plugins}"]' if plugins else ""}
{service}
outgoing = {{ name = "客户服务中心", address = "{address}" }}
[[channel]]
id = "kefu"
{channel}
{"".join(CHANNELS[f] for f in folders)}
[[transport]]
id = "mail"
plugin = "smtp"
host = "127.0.0.1"
port = {smtp.port}
tls = "none"
{more}
[plugin.reports]
off = {json.dumps(list(off))}
{parties}{ROLES}""",
            "utf-8",
        )
        share_faces(home / "var")
        self.loaded = load(self.path)
        self._started = time.monotonic()
        self._runs = bool(folders)
        self.office = Office(self.loaded, clock=self.clock, nursery=nursery or shared(), busy=busy)

    def clock(self) -> datetime:
        """The test's own time; it also runs where folders are watched, for files settle by it."""
        return self.now + timedelta(seconds=time.monotonic() - self._started) if self._runs else self.now

    def put(self, mail: bytes) -> None:
        self._mails += 1
        name = f"{self._mails:06d}.test"
        (self.home / "mail" / "tmp" / name).write_bytes(mail)
        (self.home / "mail" / "tmp" / name).rename(self.home / "mail" / "new" / name)

    def work(self) -> dict[str, int]:
        return self.office.run_once()

    def pass_time(self, **delta: float) -> None:
        self.now += timedelta(**delta)

    @property
    def tickets(self) -> list[Ticket]:
        """All tickets, oldest first."""
        with self.office.db.read() as tx:
            return [t for _, t in sorted(tickets.load(tx, tickets.search(tx, most=100_000)).items())]

    def ticket(self, number: str) -> Ticket:
        with self.office.db.read() as tx:
            found = tickets.by_number(tx, number)
        assert found is not None
        return found

    def history(self, ticket: Ticket) -> list[dict[str, Any]]:
        with self.office.db.read() as tx:
            return tickets.history_of(tx, ticket.id)

    @property
    def letters(self) -> list[dict[str, Any]]:
        """All letters, oldest first."""
        with self.office.db.read() as tx:
            return list(reversed(letters.listed(tx, most=100_000)))

    @property
    def arrivals(self) -> Counter[str]:
        """How many arrivals stand in each status."""
        with self.office.db.read() as tx:
            return Counter(arrivals.counts(tx))

    @property
    def shelf(self) -> list[arrivals.ShelfEntry]:
        with self.office.db.read() as tx:
            return arrivals.shelf(tx)

    def delivered(self, to: str) -> list[EmailMessage]:
        """Mails that the SMTP server took for an address, as a mail program reads them."""
        found = [x.content for x in self.smtp.letters if to in x.recipients]
        return [email.message_from_bytes(x, policy=email.policy.default) for x in found]  # type: ignore[misc]

    def broken(self) -> list[str]:
        return [f"{v.invariant}: {v.where} {v.what}" for v in violations(self.office.db, Path(self.loaded.spool))]


@contextmanager
def station(home: Path, smtp: ScriptedSmtp | None = None, **options: Any) -> Iterator[Station]:
    """An office that works, and whose store is whole at the end."""
    with smtp or ScriptedSmtp() as server:
        made = Station(home, smtp=server, **options)
        with made.office:
            yield made
            broken = made.broken()
            assert not broken, "\n".join(broken)


def vouched(sender: str, verdict: str = "pass") -> tuple[str, str]:
    """What our mail server writes about a sender."""
    domain = sender.rpartition("@")[2]
    return ("Authentication-Results", f"{VOUCHING}; dmarc={verdict} header.from={domain}; spf={verdict} smtp.mailfrom={sender}")


def everything_sent(smtp: ScriptedSmtp) -> str:
    """The text of all letters that went out, decoded as a reader sees it, headers included."""
    parts: list[str] = []
    for letter in smtp.letters:
        seen = email.message_from_bytes(letter.content, policy=email.policy.default)
        parts += [f"{k}: {v}" for k, v in seen.items()]
        parts += [p.get_content() for p in seen.walk() if p.get_content_maintype() == "text"]
    return "\n".join(parts)


def house(n: int) -> str:
    """The n-th of seven thousand houses: no two households tell of the same matter by chance."""
    return f"{n % 90 + 1}号楼{n // 90 % 4 + 1}单元{n // 360 % 20 + 1}01"


def kefud(config: Path, *arguments: str) -> list[str]:
    """The command line that runs kefud as a process of its own."""
    return [sys.executable, "-P", "-m", "kefud", "-c", str(config), *arguments]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), **more}


def body(mail: EmailMessage) -> str:
    found = mail.get_body(("plain",))
    return found.get_content() if found else ""


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
