"""Letter → transport; try again with growing distance, or give it to a person. Every answer of a server is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from kefud import log
from kefud.api import Site
from kefud.desk.dispatch import Dispatch, Sent
from kefud.desk.message import Address
from kefud.errors import KefudError, NotStarted
from kefud.failpoints import reached
from kefud.journal import Journal
from kefud.store import arrivals, blobs, letters
from kefud.store.database import Database

BATCH = 25
LARGEST_BATCH = 100
MOST_IN_A_BURST, LONGEST_BURST = 2000, timedelta(seconds=60)
"""A child is given no more letters after so many, or so long: its call ends, its journal is cleared, the stage shows life."""
QUICK = timedelta(seconds=1)
"""A batch that took no longer is followed by one twice as large: an urgent letter never waits long behind it."""
LEASE_SECONDS = 900.0
RETRY_MINUTES = (1, 5, 15, 60, 120, 240)
GIVE_UP = timedelta(days=5)
INTERRUPTED = timedelta(seconds=10)
OFTEN = 3


class Sends(Protocol):
    """A transport in its child process."""

    def send(self, batch: Sequence[Dispatch], asked: Callable[[str, tuple[Any, ...]], Any]) -> int: ...

    def finish(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Heard:
    """What became of a letter, and when we heard; ``leased`` is None where only the journal knew."""

    sent: Sent
    at: datetime
    leased: letters.Leased | None = None


class _Batch:
    """Leased letters: those nobody has heard of yet, in order, and what was heard but not recorded."""

    def __init__(self, leased: Sequence[letters.Leased], now: datetime, full: bool) -> None:
        self.open: dict[int, letters.Leased] = {}
        self.count = 0
        self.begun = now
        self._heard: list[_Heard] = []
        self.add(leased, now, full)

    def add(self, leased: Sequence[letters.Leased], now: datetime, full: bool) -> None:
        """``full``: there were as many as were asked for."""
        self.open |= {x.id: x for x in leased}
        self.count += len(leased)
        self.last, self.full = now, full

    def hear(self, sent: Sent, at: datetime) -> None:
        if leased := self.open.pop(sent.id, None):
            self._heard.append(_Heard(sent, at, leased))

    def takes_more(self, now: datetime) -> bool:
        """Not where a letter's lease has run out, in a long sleep of the machine: it would be leased twice over."""
        fresh = now - self.begun < LONGEST_BURST and self.count < MOST_IN_A_BURST
        return fresh and all(x.row["lease_until"] > now for x in self.open.values())

    def take(self) -> list[_Heard]:
        heard, self._heard = self._heard, []
        return heard


class Outbox:
    """One way out: leases letters that are due, sends them in order, records the answers.

    With a ``journal``, where the store is this host's alone, the answers of a batch are recorded together; without one each
    is recorded before the next letter leaves, so that another host that takes over knows what went out. ``keyed`` gives the
    addresses that a letter (id) of a ticket (id, 0 for none) comes back to and is answered to, "" for the usual one.
    """

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
        keyed: Callable[[int, int], tuple[str, str]] = lambda letter, ticket: ("", ""),
        journal: Journal | None = None,
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
        self._keyed = keyed
        self._journal = journal
        self._settled = False
        self._most = BATCH
        self._unrecorded: list[_Heard] = []
        self._owed: list[tuple[int, int]] = []
        self._down_until: datetime | None = None
        self._failures = 0
        self._burst = False

    def step(self) -> bool:
        """Send a batch of due letters. True if there was one; at the end of a burst the connection is closed."""
        now = self._clock()
        if self._stopping() or (self._down_until and now < self._down_until):
            return False
        self._settle()
        leased, dispatches, full = self._lease(now)
        if not leased:
            self._end_of_burst()
            return full
        self._burst = True
        reached("letter.leased")
        batch = _Batch(leased, now, full)
        self._send(batch, dispatches)
        self._learn_size(batch, QUICK)
        self._wake()
        return True

    def _lease(self, now: datetime) -> tuple[list[letters.Leased], list[Dispatch], bool]:
        """The letters to be sent next, by urgency and age; and whether there may be more. What cannot be sent is recorded."""
        until = now + timedelta(seconds=LEASE_SECONDS)
        leased: list[letters.Leased] = []
        with self._db.write() as tx:
            for medium in self._media:
                leased += letters.lease(tx, self._owner, now, until=until, most=self._most, transport=medium)
            dispatches, unfit = self._dispatches(tx, leased, now)
        ready = {x.id for x in dispatches}
        fit = [x for x in leased if x.id in ready]
        try:
            self._record(unfit)
        except KefudError:
            self._owed += [(x.id, x.epoch) for x in fit]
            raise
        return fit, dispatches, len(leased) >= self._most

    def _further(self, batch: _Batch) -> list[Dispatch]:
        """More letters for a child that has not many left: it need not wait while what it has sent is recorded."""
        now = self._clock()
        if 2 * len(batch.open) > self._most or not batch.takes_more(now):
            return []
        try:
            self._record(batch.take())
            self._learn_size(batch, QUICK / 2)
            leased, dispatches, full = self._lease(now)
        except KefudError as error:  # the store is away for now; there is another chance with the next answer
            log.warn("no-further-letters", transport=self.name, reason=error)
            return []
        batch.full = False
        if leased:
            batch.add(leased, now, full)
            self._wake()
        return dispatches

    def _learn_size(self, batch: _Batch, quick: timedelta) -> None:
        """Whether as many letters as were asked for went quickly enough for twice as many."""
        if batch.full:
            self._most = min(2 * self._most, LARGEST_BATCH) if self._clock() - batch.last <= quick else BATCH

    def _settle(self) -> None:
        """Record what we or the journal know and the store does not: a process ended, or the store refused, in between."""
        self._give_back()
        self._record(())
        if self._journal is None or self._settled:
            return
        self._journal.create()
        found, noted = self._journal.read()
        if found:
            at = min(noted, self._clock())
            self._record([_Heard(sent, at) for sent in found])
            log.warn("letters-recorded-late", transport=self.name, letters=len(found))
        self._journal.clear()
        self._settled = True

    def _send(self, batch: _Batch, dispatches: Sequence[Dispatch]) -> None:
        def asked(what: str, args: tuple[Any, ...]) -> tuple[bool, list[Dispatch]]:
            results, noted = args
            for result in results:
                batch.hear(result, self._clock())
            reached("letter.heard")
            goes_on = (noted or self._record(batch.take())) and not self._stopping()
            return goes_on, self._further(batch) if goes_on and noted else []

        self._settled = self._journal is None
        try:
            try:
                self._sends.send(dispatches, asked)
            except NotStarted as error:
                log.warn("transport-failed", transport=self.name, reason=error)
                self._rest(self._clock())
            except KefudError as error:
                log.warn("transport-failed", transport=self.name, reason=error)
                self._fall(batch, str(error), self._clock())
            self._record(batch.take())
            if self._journal:
                self._journal.clear()
            self._settled = True
        finally:
            self._owed += [(x.id, x.epoch) for x in batch.open.values()]
            self._give_back()

    def _give_back(self) -> None:
        """Letters that were never begun are due again; where the store is away, as soon as it is back."""
        if self._owed:
            with suppress(KefudError):
                with self._db.write() as tx:
                    letters.give_back(tx, self._owed, self._clock())
                self._owed = []

    def _fall(self, batch: _Batch, reason: str, now: datetime) -> None:
        """The child ended in the middle: one letter may be out and waits a little, the later ones were never begun."""
        noted, at = self._journal.read() if self._journal else ([], now)
        for sent in noted:
            batch.hear(sent, min(at, now))
        under_way = next(iter(batch.open.values()), None)
        if under_way is not None:
            batch.hear(Sent(under_way.id, under_way.epoch, False, None, reason, interrupted=True), now)
        self._rest(now)

    def _record(self, news: Sequence[_Heard]) -> bool:
        """Write down what became of letters. False where the rest of the batch had better wait (the server is away)."""
        news = [*self._unrecorded, *news]
        if not news:
            return True
        self._unrecorded = news  # until it is committed: what went out is not forgotten because the store is away
        accepted = [
            letters.Accepted(x.sent.id, x.sent.epoch, x.sent.code, x.sent.answer, x.at, told=x.leased is not None and quiet(x.leased))
            for x in news if x.sent.ok
        ]  # fmt: skip
        with self._db.write() as tx:
            ours = letters.sent(tx, accepted)
            ours |= {x.sent.id for x in news if not x.sent.ok and self._not_sent(tx, x)}
            letters.keep_paths(tx, [paper for x in news for paper in x.sent.papers])
        self._unrecorded = []
        reached("letter.recorded")
        return all([self._report(x, x.sent.id in ours) for x in news])

    def _not_sent(self, tx: Any, heard: _Heard) -> bool:
        sent, leased = heard.sent, heard.leased
        again = None if sent.permanent or leased is None else self._again(leased, heard.at, sent.interrupted)
        return letters.not_sent(tx, sent.id, sent.epoch, heard.at, code=sent.code, answer=sent.answer, again=again)

    def _report(self, heard: _Heard, ours: bool) -> bool:
        sent, leased = heard.sent, heard.leased
        if not ours:
            if leased:  # we were silent for so long that another host has taken the whole batch over
                log.warn("letters-taken-over", letter=sent.id, transport=self.name)
            return False
        if sent.ok:
            self._failures = 0
            log.event("sent", letter=sent.id, ticket=leased.row["ticket_number"] if leased else None, code=sent.code)
            return True
        log.warn("not-sent", letter=sent.id, code=sent.code, answer=sent.answer, final=sent.permanent)
        if sent.code is None and not sent.permanent and not sent.ours:
            self._rest(heard.at)
            return False
        return True

    def _again(self, leased: letters.Leased, now: datetime, interrupted: bool = False) -> datetime | None:
        """When to try a letter again: 1, 5, 15, 60, 120 minutes, then every four hours for five days (RFC 5321 §4.5.4.1).

        No server has refused a letter whose child ended: it goes again soon, unless that happens to it again and again.
        """
        if interrupted and leased.attempts <= OFTEN:
            return now + INTERRUPTED
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

    def _dispatches(self, tx: Any, leased: Sequence[letters.Leased], now: datetime) -> tuple[list[Dispatch], list[_Heard]]:
        """What the child is given, and what became of letters whose enclosures cannot be read: they hold up no other."""
        wanted = {(form, number) for x in leased for form, number in x.row["documents"]}
        papers = letters.documents_numbered(tx, wanted)
        fit, unfit = [], []
        for x in leased:
            try:
                fit.append(self._dispatch(tx, x, papers))
            except KefudError as error:
                unfit.append(_Heard(Sent(x.id, x.epoch, False, None, f"an enclosure is missing: {error}", ours=True), now, x))
        return fit, unfit

    def _dispatch(self, tx: Any, leased: letters.Leased, papers: Mapping[tuple[str, str], Mapping[str, Any]]) -> Dispatch:
        row = leased.row
        outgoing = self._site.outgoing
        back_to, reply_to = self._keyed(leased.id, row["ticket"] or 0)
        prints = [(0, form, path, data) for _, form, path, data in _of_kind(row, "form")]
        for form, number in row["documents"]:
            if paper := papers.get((form, number)):
                prints.append((paper["id"], form, paper_path(row["ticket_number"], form, number), paper["data"]))
        return Dispatch(
            id=leased.id, epoch=leased.epoch, message_id=row["message_id"], ticket=row["ticket_number"] or "",
            sender=Address(outgoing.name, outgoing.address), addresses=tuple(Address("", a) for a in row["addresses"]),
            subject=row["subject"], text=row["text"], html=row["html"], date=row["created_at"],
            in_reply_to=row["in_reply_to"], references=tuple(row["references"]), automatic=row["automatic"],
            envelope=back_to or outgoing.address, reply_to=reply_to,
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


def quiet(leased: letters.Leased) -> bool:
    """A letter of which its ticket need not hear that it went out: it encloses no paper and keeps no promise."""
    return not leased.row["documents"] and not leased.row["meets"]


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
