"""The invariants of the store, checked: nothing lost, nothing doubled, numbers without gaps, history untouched."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, select

from kefud.store.database import Database
from kefud.store.numbers import IMPORTED
from kefud.store.personal import ERASED, broken_accesses
from kefud.store.tables import (
    ArrivalRow,
    ArrivalTicket,
    Blob,
    Counter,
    DeadlineRow,
    DocumentRow,
    HistoryRow,
    LetterRow,
    TaskRow,
    TicketRow,
)  # fmt: skip
from kefud.store.tickets import CLOSED, link_hash


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that should not be: which invariant, where, what."""

    invariant: str
    where: str
    what: str


def violations(db: Database, spool: Path, tick: Callable[[str], None] = lambda name: None) -> list[Violation]:
    """Check I1–I8; ``tick`` is told each check's name before it runs."""
    found: list[Violation] = []
    with db.read() as tx:
        for name, check in CHECKS.items():
            tick(name)
            found += [Violation(name, where, what) for where, what in check(tx, spool)]
    return found


Found = Iterator[tuple[str, str]]


def _i1_accounted(tx: Connection, spool: Path) -> Found:
    linked = select(ArrivalTicket.arrival)
    lost = select(ArrivalRow.id, ArrivalRow.channel).where(ArrivalRow.status == "filed", ArrivalRow.id.not_in(linked))
    for id, channel in tx.execute(lost):
        yield f"arrival {id} of {channel}", "is filed but belongs to no ticket"
    known = ("received", "filed", "ignored", "shelved", "discarded")
    for id, status in tx.execute(select(ArrivalRow.id, ArrivalRow.status).where(ArrivalRow.status.not_in(known))):
        yield f"arrival {id}", f"has the unknown status {status}"
    twins = (
        select(ArrivalRow.digest, func.count())
        .where(ArrivalRow.status == "filed", ArrivalRow.digest != "")
        .group_by(ArrivalRow.digest)
        .having(func.count() > 1)
    )
    for digest, count in tx.execute(twins):
        yield f"content {digest[:12]}", f"was filed {count} times"


def _i2_originals(tx: Connection, spool: Path) -> Found:
    missing = select(ArrivalRow.id).where(ArrivalRow.blob.not_in(select(Blob.sha)), ArrivalRow.disposition != ERASED)
    for id in tx.scalars(missing):
        yield f"arrival {id}", "has no original"
    for sha, data, path in tx.execute(select(Blob.sha, Blob.data, Blob.path)):
        try:
            content = data if data is not None else (spool / "blobs" / str(path)).read_bytes()
        except OSError as error:
            yield f"original {sha[:12]}", f"cannot be read: {error.strerror}"
            continue
        if hashlib.sha256(content).hexdigest() != sha:
            yield f"original {sha[:12]}", "was changed: it does not match its name"


def _i3_letters(tx: Connection, spool: Path) -> Found:
    states = ("pending", "leased", "sent", "failed", "held", "superseded")
    for id, status in tx.execute(select(LetterRow.id, LetterRow.status).where(LetterRow.status.not_in(states))):
        yield f"letter {id}", f"has the unknown status {status}"
    for id in tx.scalars(select(LetterRow.id).where(LetterRow.status == "sent", LetterRow.sent_at.is_(None))):
        yield f"letter {id}", "is sent but has no time of sending"


def _i5_history(tx: Connection, spool: Path) -> Found:
    last: dict[int, tuple[int, str]] = {}
    status: dict[int, str] = {}
    for row in tx.execute(select(HistoryRow).order_by(HistoryRow.ticket, HistoryRow.seq)):
        seq, previous = last.get(row.ticket, (0, ""))
        values = {k: getattr(row, k) for k in ("ticket", "seq", "at", "who", "what", "why", "data")}
        if row.seq != seq + 1:
            yield f"history of ticket {row.ticket}", f"jumps from {seq} to {row.seq}"
        if link_hash(previous, values) != row.hash:
            yield f"history of ticket {row.ticket}", f"row {row.seq} was changed"
        last[row.ticket] = (row.seq, row.hash)
        if row.what.startswith("status:"):
            status[row.ticket] = row.what.removeprefix("status:")
    for id, number, now in tx.execute(select(TicketRow.id, TicketRow.number, TicketRow.status)):
        if status.get(id, "registered") != now:
            yield f"ticket {number}", f"is {now} but its history says {status.get(id, 'registered')}"


def _i6_files(tx: Connection, spool: Path) -> Found:
    named = {str(path) for path in tx.scalars(select(Blob.path).where(Blob.path.is_not(None)))}
    root = spool / "blobs"
    for file in root.rglob("*") if root.is_dir() else ():
        if file.is_file() and not file.name.startswith(".") and len(file.name) != 64:
            yield str(file.relative_to(root)), "is no original of ours"
    for path in named:
        if not (root / path).is_file():
            yield path, "is named but missing"


def _i8_nothing_forgotten(tx: Connection, spool: Path) -> Found:
    asleep = select(ArrivalRow.id).where(ArrivalRow.status == "received", ArrivalRow.next_attempt.is_(None))
    for id in tx.scalars(asleep):
        yield f"arrival {id}", "waits but has no next attempt"
    for id in tx.scalars(select(LetterRow.id).where(LetterRow.status == "pending", LetterRow.next_attempt.is_(None))):
        yield f"letter {id}", "waits but has no next attempt"
    cared = [
        select(DeadlineRow.ticket).where(DeadlineRow.met.is_(None), DeadlineRow.dropped == ""),
        select(TaskRow.ticket).where(TaskRow.done_at.is_(None)),
        select(LetterRow.ticket).where(LetterRow.status.in_(("pending", "leased", "held")), LetterRow.ticket.is_not(None)),
    ]
    forgotten = select(TicketRow.number).where(TicketRow.status.not_in(CLOSED))
    for query in cared:
        forgotten = forgotten.where(TicketRow.id.not_in(query))
    for number in tx.scalars(forgotten):
        yield f"ticket {number}", "is open but has no deadline, task or letter that would remind anybody"


def _numbers(tx: Connection, spool: Path) -> Found:
    given: dict[str, list[int]] = defaultdict(list)
    for number in tx.scalars(select(TicketRow.number)):
        day, _, serial = number.removeprefix("KF").partition("-")
        given[f"ticket.{day}"].append(int(serial))
    rows = tx.execute(select(DocumentRow.form, DocumentRow.number).where(DocumentRow.number != ""))
    for form, number in rows:
        year, serial = number[number.find("〔") + 1 : number.find("〕")], number[number.find("〕") + 1 : -1]
        if year.isdigit() and serial.isdigit():
            given[f"{form}.{year}"].append(int(serial))
    counters = {name: value for name, value in tx.execute(select(Counter.name, Counter.value))}
    for name, serials in given.items():
        if len(set(serials)) != len(serials):
            yield name, "a number was given twice"
        if counters.get(name, 0) < max(serials):
            yield name, f"number {max(serials)} is above the counter {counters.get(name, 0)}"
    for name, value in counters.items():
        drawn = set(given.get(name, ()))
        imported = len(drawn) < value and name.startswith("ticket.")
        own = set(range(counters.get(f"{IMPORTED}{name}", 0) + 1, value + 1))
        if drawn and not imported and not own <= drawn:
            missing = sorted(own - drawn)
            yield name, f"numbers missing: {missing[:5]}"


def _accesses(tx: Connection, spool: Path) -> Found:
    for id in broken_accesses(tx):
        yield f"access log, row {id}", "was changed, or one before it is missing"


CHECKS: dict[str, Callable[[Connection, Path], Found]] = {
    "I1 every arrival accounted for": _i1_accounted,
    "I2 originals whole": _i2_originals,
    "I3 letters in a known state": _i3_letters,
    "I5 history unbroken": _i5_history,
    "I6 files named and durable": _i6_files,
    "I8 nothing forgotten": _i8_nothing_forgotten,
    "numbers without gaps": _numbers,
    "access log unbroken": _accesses,
}
