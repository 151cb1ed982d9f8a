"""Letters that belong to no ticket: digests, reports, reminders. Written into the outbox in the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from kefud.api import Site
from kefud.compose import Composer
from kefud.correspondence import site_view
from kefud.desk import tokens
from kefud.desk.message import Message
from kefud.desk.ticket import chinese
from kefud.periodic.reporting import is_masked
from kefud.store import blobs, letters
from kefud.store.database import Connection, Database
from kefud.store.tickets import Ledger

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PRIORITY = 4
File = tuple[str, str, bytes]
Form = tuple[str, str, dict[str, Any]]


class Post:
    """Writes report letters of one site."""

    def __init__(
        self,
        db: Database,
        site: Site,
        composer: Composer,
        spool: Path,
        *,
        keys: Callable[[], tuple[bytes, ...]],
        nonce: Callable[[], str],
    ) -> None:
        self.db = db
        self.site = site
        self.composer = composer
        self.spool = spool
        self.site_view = site_view(site)
        self._keys = keys
        self._nonce = nonce
        self._domain = site.outgoing.address.rpartition("@")[2] or "localhost"

    def ready(self) -> None:
        """Have the keys at hand before a transaction begins: they are made in one of their own."""
        self._keys()

    def reader(self, id: str, now: datetime) -> tuple[str, str] | None:
        """Name and address of a role or party, None where nobody holds it and nothing need be written."""
        role = self.site.role(id)
        if role is not None:
            return role.person or role.name or chinese(id), role.address_on(self.site.calendar.local(now).date())
        party = self.site.party(id)
        return (party.name or chinese(id), party.address) if party else None

    def masked(self, id: str) -> bool:
        return is_masked(self.site, id)

    def write(
        self,
        tx: Connection,
        to: str,
        template: str,
        data: Mapping[str, Any],
        now: datetime,
        *,
        key: str,
        files: Sequence[File] = (),
        forms: Sequence[Form] = (),
        instead: str = "",
    ) -> bool:
        """Put a letter to a role or party into the outbox; False where nobody holds the role.

        ``files`` are enclosed as they are (name, media type, bytes), ``forms`` printed on the way out (form, name, data).
        What still waits for the same reader under a key that begins with ``instead`` is not sent any more.
        """
        found = self.reader(to, now)
        if found is None:
            return False
        name, address = found
        if instead:
            old = [x["id"] for x in letters.waiting(tx, None, to) if x["key"].startswith(instead)]
            letters.supersede(tx, old)
        self._put(tx, to, name, address, template, data, now, key=key, attachments=self._enclosed(tx, files, forms, now))
        return True

    def owner(
        self, tx: Connection, address: str, template: str, data: Mapping[str, Any], now: datetime, *, key: str
    ) -> None:
        """A letter to an owner that belongs to no ticket."""
        self._put(tx, "requester", "", address, template, data, now, key=key)

    def tell(self, address: str, role: str, kind: str, result: Mapping[str, Any], now: datetime, *, answers: Message) -> None:
        """Tell the writer of a sign-off what became of it."""
        self.ready()
        with self.db.write() as tx:
            key = f"signed.{kind}.{result['period']}"
            self.reply(tx, address, role, "reports/sign-off-result", result, now, key=key, answers=answers)

    def reply(
        self,
        tx: Connection,
        address: str,
        role: str,
        template: str,
        data: Mapping[str, Any],
        now: datetime,
        *,
        key: str,
        answers: Message,
    ) -> None:
        """Put the answer to a mail of a role into the outbox; call ``ready`` before the transaction begins."""
        found = self.reader(role, now)
        self._put(tx, role, found[0] if found else chinese(role), address, template, data, now, key=key, answers=answers)

    def _enclosed(self, tx: Connection, files: Sequence[File], forms: Sequence[Form], now: datetime) -> list[list[Any]]:
        stored = blobs.keep([content for *_, content in files], self.spool / "blobs")
        blobs.record(tx, stored, now)
        found: list[list[Any]] = [["blob", x.sha, name, kind] for x, (name, kind, _) in zip(stored, files, strict=True)]
        return found + [["form", form, name, data] for form, name, data in forms]

    def _put(
        self,
        tx: Connection,
        to: str,
        name: str,
        address: str,
        template: str,
        data: Mapping[str, Any],
        now: datetime,
        *,
        key: str,
        attachments: Sequence[list[Any]] = (),
        answers: Message | None = None,
    ) -> None:
        context = {
            "ticket": {}, "notice": {}, "site": self.site_view, "data": dict(data), "now": self.site.calendar.local(now),
            "recipient": {"name": name, "key": to},
        }  # fmt: skip
        draft = self.composer.write(template, context)
        ledger = Ledger(tx, now)
        ledger.letter(
            {
                "ticket": None, "recipient": to, "template": template, "subject": draft.subject,
                "addresses": [address] if address else [],
                "message_id": tokens.message_id(self._keys()[0], 0, self._nonce(), self._domain),
                "in_reply_to": answers.message_id if answers else "",
                "references": [*answers.references[-8:], answers.message_id] if answers and answers.message_id else [],
                "text": draft.text, "html": draft.html, "automatic": "auto-replied" if answers else "auto-generated",
                "documents": [], "attachments": list(attachments), "transport": "mail" if address else "print",
                "status": "pending", "hold": "", "key": key[:120], "meets": "", "priority": PRIORITY, "attempts": 0,
                "next_attempt": now, "owner": "", "epoch": 0, "last_answer": "", "created_at": now, "told": True,
            }
        )  # fmt: skip
        ledger.flush()
