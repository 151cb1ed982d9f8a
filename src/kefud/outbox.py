"""Letter → transport; try again with growing distance, or give it to a person. Every answer of a server is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from kefud import log
from kefud.api import Site
from kefud.desk.dispatch import Dispatch, Sent
from kefud.desk.message import Address
from kefud.errors import KefudError
from kefud.failpoints import reached
from kefud.store import arrivals, blobs, letters
from kefud.store.database import Database

BATCH = 25
LEASE_SECONDS = 900.0
RETRY_MINUTES = (1, 5, 15, 60, 120, 240)
GIVE_UP = timedelta(days=5)


class Sends(Protocol):
    """A transport in its child process."""

    def send(self, batch: Sequence[Dispatch], asked: Callable[[str, tuple[Any, ...]], Any]) -> int: ...

    def finish(self) -> None: ...


class Outbox:
    """One way out: leases letters that are due, sends them in order, records each answer before the next letter."""

    def __init__(
        self,
        transport: str,
        media: Sequence[str],
        sends: Sends,
        db: Database,
        site: Site,
        spool: Path,
        *,
        clock: Callable[[], datetime],
        owner: str,
        stopping: Callable[[], bool],
        wake: Callable[[], None],
        reply_to: Callable[[int], str] = lambda ticket: "",
    ) -> None:
        self.name = f"outbox {transport}"
        self._media = media
        self._sends = sends
        self._db = db
        self._site = site
        self._spool = spool
        self._clock = clock
        self._owner = owner
        self._stopping = stopping
        self._wake = wake
        self._reply_to = reply_to
        self._down_until: datetime | None = None
        self._failures = 0
        self._burst = False

    def step(self) -> bool:
        """Send a batch of due letters. True if there was one; at the end of a burst the connection is closed."""
        now = self._clock()
        if self._stopping() or (self._down_until and now < self._down_until):
            return False
        until = now + timedelta(seconds=LEASE_SECONDS)
        leased: list[letters.Leased] = []
        with self._db.write() as tx:
            for medium in self._media:
                leased += letters.lease(tx, self._owner, now, until=until, most=BATCH, transport=medium)
            batch = [self._dispatch(tx, x) for x in leased]
        if not leased:
            self._end_of_burst()
            return False
        self._burst = True
        reached("letter.leased")
        self._send(leased, batch, now)
        self._wake()
        return True

    def _send(self, leased: Sequence[letters.Leased], batch: Sequence[Dispatch], now: datetime) -> None:
        rows = {x.id: x for x in leased}
        open_ids = {x.id for x in leased}

        def asked(what: str, args: tuple[Any, ...]) -> bool:
            result: Sent = args[0]
            open_ids.discard(result.id)
            return self._record(rows[result.id], result) and not self._stopping()

        try:
            self._sends.send(batch, asked)
        except KefudError as error:
            log.warn("transport-failed", transport=self.name, reason=error)
            self._one_unknown(rows, open_ids, str(error))
            self._rest(now)
        finally:
            if open_ids:
                with self._db.write() as tx:
                    letters.give_back(tx, [(i, rows[i].epoch) for i in open_ids], self._clock())

    def _one_unknown(self, rows: dict[int, letters.Leased], open_ids: set[int], reason: str) -> None:
        """The child ended while a letter was under way: that one waits a minute, the others were never begun."""
        first = min(open_ids, key=list(rows).index, default=None)
        if first is not None:
            open_ids.discard(first)
            self._record(rows[first], Sent(first, rows[first].epoch, False, None, reason))

    def _record(self, leased: letters.Leased, result: Sent) -> bool:
        """Write down what became of a letter. False where the rest of the batch had better wait (the server is away)."""
        now = self._clock()
        with self._db.write() as tx:
            if result.ok:
                ours = bool(letters.sent(tx, [(result.id, result.epoch, result.code, result.answer)], now))
            else:
                again = None if result.permanent else self._again(leased, now)
                ours = letters.not_sent(
                    tx, result.id, result.epoch, now, code=result.code, answer=result.answer, again=again
                )
            for document, path in result.papers:
                letters.keep_path(tx, document, path)
        reached("letter.recorded")
        if not ours:  # we were silent for so long that another host has taken the whole batch over
            log.warn("letters-taken-over", letter=result.id, transport=self.name)
            return False
        if result.ok:
            self._failures = 0
            log.event("sent", letter=result.id, ticket=leased.row["ticket_number"], code=result.code)
            return True
        log.warn("not-sent", letter=result.id, code=result.code, answer=result.answer, final=result.permanent)
        if result.code is None and not result.permanent and not result.ours:
            self._rest(now)
            return False
        return True

    def _again(self, leased: letters.Leased, now: datetime) -> datetime | None:
        """When to try a letter again: 1, 5, 15, 60, 120 minutes, then every four hours for five days (RFC 5321 §4.5.4.1)."""
        if now - leased.row["created_at"] > GIVE_UP:
            return None
        minutes = RETRY_MINUTES[min(leased.attempts - 1, len(RETRY_MINUTES) - 1)]
        return now + timedelta(minutes=minutes)

    def _rest(self, now: datetime) -> None:
        self._failures += 1
        self._down_until = now + timedelta(seconds=min(300.0, 5.0 * 2 ** (self._failures - 1)))

    def _end_of_burst(self) -> None:
        if self._burst:
            self._burst = False
            try:
                self._sends.finish()
            except KefudError as error:
                log.warn("transport-failed", transport=self.name, reason=error)

    def _dispatch(self, tx: Any, leased: letters.Leased) -> Dispatch:
        row = leased.row
        outgoing = self._site.outgoing
        prints = [(0, form, path, data) for _, form, path, data in _of_kind(row, "form")]
        for form, number in row["documents"]:
            for document in letters.documents_numbered(tx, form, number):
                prints.append((document["id"], form, paper_path(row["ticket_number"], form, number), document["data"]))
        return Dispatch(
            id=leased.id, epoch=leased.epoch, message_id=row["message_id"], ticket=row["ticket_number"] or "",
            sender=Address(outgoing.name, outgoing.address), addresses=tuple(Address("", a) for a in row["addresses"]),
            subject=row["subject"], text=row["text"], html=row["html"], date=row["created_at"],
            in_reply_to=row["in_reply_to"], references=tuple(row["references"]), automatic=row["automatic"],
            envelope=reply_to or outgoing.address, reply_to=reply_to,
            prints=tuple(prints), files=tuple(self._files(tx, row)),
        )  # fmt: skip

    def _files(self, tx: Any, row: dict[str, Any]) -> list[tuple[str, str, bytes]]:
        """What to enclose: the scan a person is asked to read, the workbook of a report."""
        files = []
        for _, id in _of_kind(row, "scan"):
            for entry in arrivals.shelf(tx, id):
                content = blobs.fetch(tx, entry.blob, self._spool / "blobs")
                files.append((*scan_name(entry.id, content), content))
        for _, sha, name, media_type in _of_kind(row, "blob"):
            files.append((name, media_type, blobs.fetch(tx, sha, self._spool / "blobs")))
        return files


def _of_kind(row: dict[str, Any], kind: str) -> list[list[Any]]:
    """The attachments of one kind: ["scan", arrival], ["blob", sha, name, type] or ["form", form, path, data]."""
    return [x for x in row["attachments"] if x[0] == kind]


def paper_path(ticket: str | None, form: str, number: str) -> str:
    """Where a printed paper lies below the papers' directory: 2025/KF20250303-0001/notice-客联〔2025〕001号."""
    year = (ticket or "KF0000")[2:6]
    clean = "".join(c for c in number if c.isalnum() or c in "-_〔〕")
    return f"{year}/{ticket or 'none'}/{form}-{clean}"


def scan_name(arrival: int, content: bytes) -> tuple[str, str]:
    """File name and media type of an original by its first bytes."""
    kinds = (
        (b"%PDF", "pdf", "application/pdf"), (b"\x89PNG", "png", "image/png"), (b"\xff\xd8", "jpg", "image/jpeg"),
        (b"II*\0", "tif", "image/tiff"), (b"MM\0*", "tif", "image/tiff"), (b"PK", "zip", "application/zip"),
    )  # fmt: skip
    for magic, ending, media_type in kinds:
        if content.startswith(magic):
            return f"scan-{arrival}.{ending}", media_type
    return f"scan-{arrival}.bin", "application/octet-stream"
        reply_to = self._reply_to(row["ticket"]) if row["ticket"] else ""  # what comes back undelivered comes there, too (VERP)
