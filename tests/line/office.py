"""A whole office on loopback servers, with a clock that the test owns."""

from __future__ import annotations

import email
import email.policy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from faces import share_faces
from nursery import shared
from servers.dovecot import Dovecot, Mailbox
from servers.scripted_smtp import ScriptedSmtp

from kefud.config import load
from kefud.desk.ticket import Ticket
from kefud.store import letters, tickets
from kefud.store.invariants import violations
from kefud.wiring import Office

CHINA = timezone(timedelta(hours=8))
MONDAY = datetime(2025, 3, 3, 9, 0, tzinfo=CHINA)

PARTIES = """
[[party]]
id = "property_company"
name = "样例物业服务有限公司"
kind = "property_company"
addresses = ["wuye@property.example.com"]
fallback = "wuye-backup@property.example.com"
[[party]]
id = "engineering"
name = "工程部"
addresses = ["engineering@estate.example.com"]
[[party]]
id = "contractor-a"
name = "示例防水维修队"
kind = "contractor"
addresses = ["contractor-a@repair-a.example.com"]
[[house]]
id = "5-1-201"
owner = "何样板"
phone = "13800000201"
[[house]]
id = "8-2-1201"
owner = "魏占空"
phone = "13800000207"
"""
ROLES = "".join(
    f'[[role]]\nid = "{role}"\naddress = "{role.replace("_", "-")}@roles.example.com"\n'
    for role in (
        "cs_clerk", "cs_specialist", "cs_supervisor", "cs_manager", "leader_in_charge", "leadership", "property_supervisor",
        "property_manager", "pm_dept_manager", "director", "duty_officer", "service_inspector",
    )
)  # fmt: skip


class Line:
    """The office of one test: put mails in, let it work, look at what came of it."""

    def __init__(self, home: Path, database: str, mailbox: Mailbox, smtp: ScriptedSmtp, more: str = "", service: str = "") -> None:
        self.mailbox = mailbox
        self.smtp = smtp
        self._now, self._since = MONDAY, time.monotonic()
        (home / "pw").write_text("pw")
        (home / "pw").chmod(0o600)
        self.path = home / "kefud.toml"
        self.path.write_text(
            f"""
[service]
name = "示范地产客户服务中心"
hotline = "400-000-0000"
spool = "var"
database = "{database}"
own_addresses = ["kefu@estate.example.com"]
{service or "trust_internal_mail = true"}
outgoing = {{ name = "客户服务中心", address = "kefu@estate.example.com" }}
[[channel]]
id = "kefu"
plugin = "imap_mailbox"
every = "2s"
retry = "200ms"
host = "127.0.0.1"
port = {mailbox.port}
tls = "none"
username = "{mailbox.user}"
password = {{ file = "pw" }}
folder = "INBOX"
processed_folder = "done"
[[transport]]
id = "mail"
plugin = "smtp"
host = "127.0.0.1"
port = {smtp.port}
tls = "none"
{more}
{PARTIES}{ROLES}""",
            "utf-8",
        )
        share_faces(home / "var")
        self.loaded = load(self.path)
        self.office = Office(self.loaded, clock=lambda: self.now, nursery=shared())

    @property
    def now(self) -> datetime:
        """Runs at the usual speed from wherever `pass_time` put it."""
        return self._now + timedelta(seconds=time.monotonic() - self._since)

    def work(self) -> dict[str, int]:
        return self.office.run_once()

    def put(self, mail: bytes) -> None:
        self.mailbox.put(mail)

    def pass_time(self, **delta: float) -> None:
        self._now += timedelta(**delta)

    @property
    def tickets(self) -> list[Ticket]:
        """All tickets, oldest first."""
        with self.office.db.read() as tx:
            return list(reversed([t for t in tickets.load(tx, tickets.search(tx)).values()]))

    @property
    def letters(self) -> list[dict[str, Any]]:
        """All letters, oldest first."""
        with self.office.db.read() as tx:
            return list(reversed(letters.listed(tx, most=1000)))

    def ticket(self, number: str) -> Ticket:
        with self.office.db.read() as tx:
            found = tickets.by_number(tx, number)
        assert found is not None
        return found

    def delivered(self, to: str) -> list[EmailMessage]:
        """Mails that the SMTP server took for an address, as a mail program reads them."""
        found = [x for x in self.smtp.letters if to in x.recipients]
        return [email.message_from_bytes(x.content, policy=email.policy.default) for x in found]  # type: ignore[misc]

    def broken(self) -> list[str]:
        return [f"{v.invariant}: {v.where} {v.what}" for v in violations(self.office.db, Path(self.loaded.spool))]


@contextmanager
def line(
    home: Path, database: str, server: Dovecot, more: str = "", service: str = "", smtp: ScriptedSmtp | None = None
) -> Iterator[Line]:
    with smtp or ScriptedSmtp() as sink:
        made = Line(home, database, server.mailbox(), sink, more, service)
        with made.office:
            yield made
        for worker in made.office.workers:
            assert worker.pid == 0


def mail(
    text: str,
    *,
    subject: str = "",
    sender: str = "heyangban@mail.example.com",
    name: str = "何样板",
    received: datetime = MONDAY,
    message_id: str = "",
    to: str = "kefu@estate.example.com",
    answers: Any = None,
    headers: tuple[tuple[str, str], ...] = (),
) -> bytes:
    """A mail as our server would have put it into the mailbox. ``answers`` is a mail of ours that it replies to."""
    m = EmailMessage(policy=email.policy.SMTP)
    m["Received"] = f"from mx.example.com by mx.estate.example.com; {email.utils.format_datetime(received)}"
    m["Date"] = email.utils.format_datetime(received)
    m["From"] = f"{name} <{sender}>" if name else sender
    m["To"] = to
    m["Subject"] = subject or (f"Re: {answers['Subject']}" if answers else "来信")
    m["Message-ID"] = message_id or email.utils.make_msgid(domain="mail.example.com")
    if answers:
        m["In-Reply-To"] = answers["Message-ID"]
        m["References"] = f"{answers['References'] or ''} {answers['Message-ID']}".strip()
    for key, value in headers:
        m[key] = value
    m.set_content(text)
    return m.as_bytes()
