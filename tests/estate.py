"""A small office without servers: mail comes in through a maildir, letters go out into a folder, the test owns the clock."""

from __future__ import annotations

import email
import email.policy
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from faces import share_faces
from nursery import shared

from kefud.config import load
from kefud.desk.ticket import Ticket
from kefud.store import letters, tickets
from kefud.testing import NOON, mail
from kefud.wiring import Office


class Estate:
    """``more`` is further configuration; ``service`` further keys of [service]."""

    def __init__(self, home: Path, more: str = "", *, service: str = "", now: datetime = NOON) -> None:
        self.home = home
        self.now = now
        (home / "plugins").mkdir(parents=True, exist_ok=True)
        for part in ("tmp", "new", "cur"):
            (home / "mail" / part).mkdir(parents=True)
        self.file = home / "kefud.toml"
        share_faces(home / "var")
        self.configure(more, service=service)
        self._count = 0

    def configure(self, more: str, *, service: str = "") -> None:
        start = '[service]\nhotline = "400-000-0000"\nspool = "var"\nplugins = ["plugins"]\n'
        channel = '[[channel]]\nid = "mail"\nplugin = "maildir"\npath = "mail"\n'
        self.file.write_text(f"{start}{service}\n{channel}{more}", "utf-8")

    def plugin(self, name: str, code: str) -> None:
        (self.home / "plugins" / name).mkdir()
        (self.home / "plugins" / name / "__init__.py").write_text(code, "utf-8")

    def open(self) -> Office:
        return Office(load(self.file), clock=lambda: self.now, nursery=shared())

    def put(self, text: str, sender: str = "owner@example.com", subject: str = "来信", **more: Any) -> bytes:
        """A mail as our own server would have put it there just now."""
        self._count += 1
        content = mail(text, sender=sender, subject=subject, date=self.now, **more)
        place = self.home / "mail" / "new" / f"{int(self.now.timestamp())}.{self._count}"
        place.write_bytes(content)
        return content

    def work(self, **later: float) -> None:
        """What a new daemon would do after so much time."""
        self.now += timedelta(**later)
        with self.open() as office:
            office.run_once()

    @property
    def tickets(self) -> list[Ticket]:
        """All tickets, oldest first."""
        with self.open() as office, office.db.read() as tx:
            return sorted(tickets.load(tx, tickets.search(tx)).values(), key=lambda t: t.id)

    @property
    def letters(self) -> list[dict[str, Any]]:
        """All letters, oldest first."""
        with self.open() as office, office.db.read() as tx:
            return list(reversed(letters.listed(tx, most=1000)))

    @property
    def sent(self) -> list[EmailMessage]:
        """What lies in the folder "out" of a print_folder, as a mail program reads it."""
        files = sorted((self.home / "out").glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
        return [email.message_from_bytes(f.read_bytes(), policy=email.policy.default) for f in files]  # type: ignore[misc]

    @property
    def history(self) -> list[str]:
        """Ticket and change of every line of the history, in order."""
        with self.open() as office, office.db.read() as tx:
            changes = tickets.changes(tx, 0, [], 1000)
            known = tickets.load(tx, {ticket for _, ticket, _ in changes})
        return [f"{known[ticket].number} {what}" for _, ticket, what in changes]
