"""Personal data in the store: found, taken out, erased, accounted for; and the log of who looked (PIPL Art. 45, 47, 51, 57).

Erasing leaves a tombstone: number, kind, category and times of a ticket stay, every word about the person goes. The chain
of the ticket's history is joined anew over what is left, and an entry at its end says so and names the hash it had before.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Text, and_, cast, delete, insert, or_, select, update

from kefud.desk.ticket import Ticket
from kefud.errors import KefudError
from kefud.privacy import TOMBSTONE, Person, digest, spelled, without
from kefud.store import blobs, settings, tickets
from kefud.store.database import Database
from kefud.store.tables import (
    AccessRow,
    ArrivalRow,
    ArrivalTicket,
    AttemptRow,
    Base,
    Blob,
    DocumentRow,
    HistoryRow,
    LetterRow,
    MessageRow,
    Report,
    TaskRow,
    TicketRow,
)  # fmt: skip

KEPT_FIELDS = (
    "agreed_reply_at", "promised_at", "visit", "visit_attempts", "adoption", "extension_until", "ladder", "done_by",
    "noticed_rounds", "extension_of", "emergency_plan", "opened_by", "resumed_round",
)  # fmt: skip
"""Keys of a ticket's fields that tell of times, states and roles, not of persons."""
ERASED = "erased"
EXAMINED = 1 << 20
_TELLS_OF_SOMEBODY = re.compile(r"(?<![KF0-9])[0-9]{7}|@")
SWEPT = {
    TicketRow: ("subject", "summary", "text", "requester_name", "requester_phone", "requester_email", "fields", "effects"),
    MessageRow: ("sender", "sender_name", "subject", "text", "quoted", "message_id", "attachments"),
    LetterRow: ("addresses", "subject", "text", "html", "in_reply_to", "references", "last_answer", "attachments"),
    AttemptRow: ("answer",), TaskRow: ("text",), DocumentRow: ("data",), HistoryRow: ("why", "data"),
    ArrivalRow: ("subject", "message_id", "reason", "draft", "transcript"), Report: ("text", "data"),
}  # fmt: skip
"""Columns that may speak of anybody: other people's tickets are searched there for the person's number and address."""


def log_access(tx: Connection, who: str, what: str, subject: str, why: str, now: datetime) -> None:
    """Note that somebody looked at something; content-free."""
    last = tx.scalar(select(AccessRow.hash).order_by(AccessRow.id.desc()).limit(1)) or ""
    row = {"at": now, "who": who[:80], "what": what[:40], "subject": subject[:80], "why": why[:500]}
    tx.execute(insert(AccessRow).values(**row, hash=access_hash(last, row)))


def access_hash(previous: str, row: dict[str, Any]) -> str:
    """The hash of a row of the access log: over the hash before it and all the row says."""
    said = [round(row["at"].timestamp() * 1_000_000), row["who"], row["what"], row["subject"], row["why"]]
    return hashlib.sha256(f"{previous}{json.dumps(said, ensure_ascii=False)}".encode()).hexdigest()


def accesses(tx: Connection, since: datetime | None = None) -> list[dict[str, Any]]:
    """The access log, oldest first."""
    query = select(AccessRow).order_by(AccessRow.id)
    return [dict(r._mapping) for r in tx.execute(query.where(AccessRow.at >= since) if since else query)]


def broken_accesses(tx: Connection) -> list[int]:
    """Ids of the rows of the access log that do not fit the one before them."""
    previous, broken = "", []
    for row in tx.execute(select(AccessRow).order_by(AccessRow.id)):
        if access_hash(previous, dict(row._mapping)) != row.hash:
            broken.append(row.id)
        previous = row.hash
    return broken


@dataclass(frozen=True, slots=True)
class Found:
    """What is held about a person: who he is by all we know, the tickets that are his, and what he wrote on those of others."""

    person: Person
    tickets: tuple[int, ...]
    messages: tuple[int, ...] = ()


def find(tx: Connection, person: Person, ours: Collection[str] = ()) -> Found:
    """The tickets a person opened or wrote on, and every number, address and name he is known by there.

    What these tell of him leads on: to others of the same name with that number or address, for once it is gone from here
    nobody could find them any more. ``ours`` are numbers and addresses that are the office's own: they lead nowhere.
    """
    ids: set[int] = set()
    columns = (TicketRow.id, TicketRow.requester_phone, TicketRow.requester_email, TicketRow.requester_name)
    while True:
        wrote = select(MessageRow.ticket).where(MessageRow.sender.in_(person.emails), MessageRow.author == "requester")
        his = or_(
            TicketRow.requester_phone.in_(person.phones), TicketRow.requester_email.in_(person.emails), TicketRow.id.in_(wrote)
        )
        rows = [r for r in tx.execute(select(*columns).where(his)) if r[0] not in ids and (not ids or r[3] in {"", *person.names})]
        if not rows:
            break
        ids |= {r[0] for r in rows}
        person = person.joined((r[1] for r in rows if r[1] not in ours), (r[2] for r in rows if r[2].lower() not in ours), (r[3] for r in rows))
    own = select(ArrivalTicket.arrival).where(ArrivalTicket.ticket.in_(ids))  # of a ticket that was merged into another's
    elsewhere = select(MessageRow.id).where(
        MessageRow.ticket.not_in(ids),
        or_(
            and_(MessageRow.sender.in_(person.emails), or_(MessageRow.author.like("requester%"), MessageRow.author == "stranger")),
            and_(MessageRow.arrival.in_(own), MessageRow.author == "requester:other"),
        ),
    )  # fmt: skip
    return Found(person, tuple(sorted(ids)), tuple(sorted(tx.scalars(elsewhere))))


def held(tx: Connection, found: Found) -> list[dict[str, Any]]:
    """Everything of a person's tickets: the ticket, what was written, what went out, what is on file."""
    pages = []
    for id, ticket in tickets.load(tx, found.tickets).items():
        letters = tx.execute(select(LetterRow).where(LetterRow.ticket == id, LetterRow.recipient == "requester"))
        pages.append(
            {
                "ticket": ticket, "history": tickets.history_of(tx, id), "messages": tickets.messages_of(tx, id),
                "letters": [dict(r._mapping) for r in letters],
            }
        )  # fmt: skip
    return pages + _guest_pages(tx, found)


def _guest_pages(tx: Connection, found: Found) -> list[dict[str, Any]]:
    """What he wrote on the tickets of others, and what was written to him: of the tickets themselves no more than their numbers."""
    rows = tx.execute(select(MessageRow).where(MessageRow.id.in_(found.messages)).order_by(MessageRow.id)).all()
    told = select(TicketRow.id, TicketRow.number).where(TicketRow.id.in_({r.ticket for r in rows}))
    numbers = {id: number for id, number in tx.execute(told)}
    pages = []
    for id, number in numbers.items():
        letters = tx.execute(select(LetterRow).where(LetterRow.ticket == id)).all()
        pages.append({
            "ticket": Ticket(number=number, subject="并入他人事项一并办理"), "history": [],
            "messages": [dict(r._mapping) for r in rows if r.ticket == id],
            "letters": [dict(x._mapping) for x in letters if {a.lower() for a in x.addresses} & found.person.emails],
        })  # fmt: skip
    return pages


def other_names(tx: Connection, found: Found) -> set[str]:
    """Names on these tickets that are not the person's."""
    query = select(MessageRow.sender_name).where(MessageRow.ticket.in_(found.tickets))
    return {n for n in tx.scalars(query) if n} - found.person.names


@dataclass(slots=True)
class Erasure:
    """What an erasure did: tickets emptied, places in other tickets, originals gone; files that must still be removed."""

    tickets: int = 0
    mentions: int = 0
    originals: int = 0
    files: list[Path] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)


def erase(tx: Connection, found: Found, spool: Path, now: datetime, by: str) -> Erasure:
    """Take a person out of the store. Files named in the result are removed by the caller, after the commit."""
    done = Erasure(tickets=len(found.tickets), mentions=len(found.messages))
    arrivals = set(tx.scalars(select(ArrivalTicket.arrival).where(ArrivalTicket.ticket.in_(found.tickets))))
    his = MessageRow.id.in_(found.messages)
    arrivals |= set(tx.scalars(select(MessageRow.arrival).where(his, MessageRow.arrival.is_not(None))))
    said = tx.execute(select(MessageRow.ticket, MessageRow.sender_name, MessageRow.text).where(his)).all()
    tx.execute(update(MessageRow).where(his).values(**_BLANK_MESSAGE))
    for ticket, name, text in said:
        _unsay(tx, ticket, [name, *_SENTENCE.findall(text)], now, by)
    arrivals |= set(
        tx.scalars(select(ArrivalRow.id).where(_mentions(ArrivalRow, ("subject", "draft", "transcript"), found.person)))
    )
    arrivals |= _of_no_ticket(tx, found.person, spool)
    for id, number in tx.execute(select(TicketRow.id, TicketRow.number).where(TicketRow.id.in_(found.tickets))).all():
        done.numbers.append(number)
        done.files += _empty_ticket(tx, id, spool, now, by)
    done.originals, files = _drop_originals(tx, arrivals, spool)
    done.files += files
    words = [spelled(mark) for mark in found.person.marks]
    done.mentions += _sweep(tx, found.person, words, now, by) if words else 0
    return done


def _unsay(tx: Connection, ticket: int, said: Iterable[str], now: datetime, by: str) -> None:
    """Take somebody's name and sentences out of the ticket of another person, which goes on; what others said, too, stays."""
    texts = (select(TicketRow.text).where(TicketRow.id == ticket), select(MessageRow.text).where(MessageRow.ticket == ticket))
    kept = "\n".join(text for query in texts for text in tx.scalars(query))
    words = [re.compile(re.escape(x)) for x in sorted({x.strip() for x in said}, key=len, reverse=True) if len(x) > 1 and x not in kept]
    for table, columns in ((LetterRow, ("subject", "text", "html")), (TaskRow, ("text",)), (DocumentRow, ("data",))):
        for row in tx.execute(select(table).where(table.ticket == ticket)).all():
            values = {name: without(getattr(row, name), words) for name in columns}
            tx.execute(update(table).where(table.id == row.id).values(**values))
    _rewrite(tx, ticket, lambda row: {"why": without(row["why"], words), "data": without(row["data"], words)}, now, by)


_SENTENCE = re.compile(r"[^。;；!！?？,，\n]{6,}")
_BLANK_MESSAGE: dict[str, Any] = {
    "sender": "", "sender_name": "", "subject": TOMBSTONE, "text": TOMBSTONE, "quoted": "", "message_id": "", "attachments": [],
}  # fmt: skip


def erase_ticket(tx: Connection, id: int, spool: Path, now: datetime, by: str) -> list[Path]:
    """Empty one ticket whose time has come (retention)."""
    arrivals = set(tx.scalars(select(ArrivalTicket.arrival).where(ArrivalTicket.ticket == id)))
    files = _empty_ticket(tx, id, spool, now, by)
    return files + _drop_originals(tx, arrivals, spool)[1]


def _empty_ticket(tx: Connection, id: int, spool: Path, now: datetime, by: str) -> list[Path]:
    fields, effects = tx.execute(select(TicketRow.fields, TicketRow.effects).where(TicketRow.id == id)).one()
    kept = {k: v for k, v in (fields or {}).items() if k in KEPT_FIELDS}
    empty = {
        "house": None, "subject": TOMBSTONE, "summary": TOMBSTONE, "text": TOMBSTONE, "requester_name": "", "requester_phone": "",
        "requester_email": "", "anonymous": True, "fields": {**kept, ERASED: now.isoformat()},
        "effects": [e.partition(":")[0] if _TELLS_OF_SOMEBODY.search(e) else e for e in effects or ()],
    }  # fmt: skip
    tx.execute(update(TicketRow).where(TicketRow.id == id).values(**empty))
    tx.execute(update(MessageRow).where(MessageRow.ticket == id).values(**_BLANK_MESSAGE))
    letters = select(LetterRow.id).where(LetterRow.ticket == id)
    tx.execute(update(AttemptRow).where(AttemptRow.letter.in_(letters)).values(answer=""))
    waiting = LetterRow.status.in_(("pending", "leased", "held"))
    gone = {"status": "failed", "next_attempt": None, "lease_until": None, "hold": "", "told": True}
    tx.execute(update(LetterRow).where(LetterRow.ticket == id, waiting).values(**gone))
    blank = {
        "addresses": [],
        "subject": TOMBSTONE,
        "text": TOMBSTONE,
        "html": "",
        "in_reply_to": "",
        "references": [],
        "last_answer": "",
        "attachments": [],
    }
    tx.execute(update(LetterRow).where(LetterRow.ticket == id).values(**blank))
    tx.execute(update(TaskRow).where(TaskRow.ticket == id).values(text=TOMBSTONE))
    papers = [Path(p) for p in tx.scalars(select(DocumentRow.path).where(DocumentRow.ticket == id)) if p]
    tx.execute(update(DocumentRow).where(DocumentRow.ticket == id).values(data={ERASED: True}, path=""))
    _rewrite(
        tx, id, lambda row: {"why": TOMBSTONE if row["why"] else "", "data": {ERASED: True} if row["data"] else {}}, now, by
    )
    return papers


def _of_no_ticket(tx: Connection, person: Person, spool: Path) -> set[int]:
    """Arrivals that became no ticket and whose original names the person: nothing else would lead to them."""
    unlinked = ArrivalRow.id.not_in(select(ArrivalTicket.arrival))
    rows = tx.execute(select(ArrivalRow.id, ArrivalRow.blob).where(unlinked, ArrivalRow.disposition != ERASED)).all()
    marks = [mark.lower().encode() for mark in person.marks]
    found = set()
    for id, sha in rows:
        with suppress(KefudError):  # an original that is gone names nobody
            content = blobs.fetch(tx, sha, spool / "blobs")[:EXAMINED].lower()
            if any(mark in content for mark in marks):
                found.add(id)
    return found


def _drop_originals(tx: Connection, arrivals: Iterable[int], spool: Path) -> tuple[int, list[Path]]:
    ids = sorted(arrivals)
    blank = {"subject": TOMBSTONE, "message_id": "", "reason": "", "draft": "", "transcript": "", "disposition": ERASED}
    shas = set(tx.scalars(select(ArrivalRow.blob).where(ArrivalRow.id.in_(ids))))
    waiting = (ArrivalRow.id.in_(ids), ArrivalRow.status.in_(("received", "shelved")))
    tx.execute(update(ArrivalRow).where(*waiting).values(status="discarded", next_attempt=None))
    tx.execute(update(ArrivalRow).where(ArrivalRow.id.in_(ids)).values(**blank))
    shas -= set(tx.scalars(select(ArrivalRow.blob).where(ArrivalRow.blob.in_(shas), ArrivalRow.disposition != ERASED)))
    files = [spool / "blobs" / p for p in tx.scalars(select(Blob.path).where(Blob.sha.in_(shas))) if p]
    tx.execute(delete(Blob).where(Blob.sha.in_(shas)))
    return len(shas), files + [f for id in ids for f in (spool / "shelf").glob(f"scan-{id}.*")]


def _mentions(table: type[Base], columns: Sequence[str], person: Person) -> Any:
    """Rows that may mention the person: a coarse net, for numbers are written with spaces too."""
    found: list[Any] = []
    for name in columns:
        column = cast(getattr(table, name), Text)
        for mark in person.marks:
            if mark.isdigit():
                found.append(column.like(f"%{mark[:3]}%{mark[-4:]}%"))
            else:
                found.append(column.icontains(mark, autoescape=True))
    return or_(*found) if found else False


def _sweep(tx: Connection, person: Person, words: Sequence[Any], now: datetime, by: str) -> int:
    """Take the person's numbers and addresses out of other people's tickets; how many rows had them."""
    count = 0
    chains: set[int] = set()
    for table, columns in SWEPT.items():
        for row in tx.execute(select(table).where(_mentions(table, columns, person))).all():
            before = {name: getattr(row, name) for name in columns}
            after = {name: without(value, words) for name, value in before.items()}
            if json.dumps(after, default=str) == json.dumps(before, default=str):
                continue
            count += 1
            if table is HistoryRow:
                chains.add(row.ticket)
            else:
                tx.execute(update(table).where(table.id == row.id).values(**after))  # type: ignore[attr-defined]
    for ticket in chains:
        _rewrite(tx, ticket, lambda row: {"why": without(row["why"], words), "data": without(row["data"], words)}, now, by)
    return count


def _rewrite(tx: Connection, ticket: int, change: Any, now: datetime, by: str) -> None:
    """Change the words of a history and join its chain anew; the last entry names the hash the chain ended with before."""
    rows = [
        dict(r._mapping) for r in tx.execute(select(HistoryRow).where(HistoryRow.ticket == ticket).order_by(HistoryRow.seq))
    ]
    before, previous = (rows[-1]["hash"] if rows else ""), ""
    changed = []
    for row in rows:
        new = row if row["what"] == ERASED else {**row, **change(row)}
        changed += [row["seq"]] if (new["why"], new["data"]) != (row["why"], row["data"]) else []
        hash_ = tickets.link_hash(previous, {k: new[k] for k in ("ticket", "seq", "at", "who", "what", "why", "data")})
        if hash_ != row["hash"]:
            tx.execute(
                update(HistoryRow).where(HistoryRow.id == row["id"]).values(why=new["why"], data=new["data"], hash=hash_)
            )
        previous = hash_
    if changed:
        ledger = tickets.Ledger(tx, now)
        ledger.history(ticket, by, ERASED, "", {"rows": changed, "hash_before": before})
        ledger.flush()


def overwrite(db: Database) -> None:
    """Let nothing of what was deleted stay in the database's files: log emptied, free pages gone."""
    if not db.sqlite:
        return
    with db.engine.connect() as raw:
        connection: Any = raw.connection.dbapi_connection
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


ERASURES = "erasures.json"


def remember_erasure(spool: Path, person: Person, now: datetime) -> None:
    """Add to the list that is gone through again after a restore. It stands beside the store, and names nobody."""
    path = spool / ERASURES
    entries = json.loads(path.read_text("utf-8")) if path.exists() else []
    salt = now.isoformat()
    entries.append({"at": salt, "marks": sorted(digest(mark, salt) for mark in person.marks)})
    _write_erasures(path, entries)


def adopt_erasures(spool: Path, other: Path) -> None:
    """Add what another list has to that of the spool, so that the next restore knows of it, too."""
    path = spool / ERASURES
    entries = json.loads(path.read_text("utf-8")) if path.exists() else []
    entries += [e for e in json.loads(other.read_text("utf-8")) if e not in entries]
    _write_erasures(path, entries)


def _write_erasures(path: Path, entries: list[dict[str, Any]]) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(entries, indent=1), "utf-8")
    temporary.chmod(0o600)
    temporary.replace(path)


def to_erase_again(tx: Connection, path: Path) -> list[Person]:
    """People who were erased once, by the list in ``path``, and stand in the store: a backup from before brought them back."""
    entries = json.loads(path.read_text("utf-8"))
    marks = {p for p in tx.scalars(select(TicketRow.requester_phone).distinct()) if p}
    marks |= {e for e in tx.scalars(select(TicketRow.requester_email).distinct()) if e}
    marks |= {e for e in tx.scalars(select(MessageRow.sender).distinct()) if e}
    again = [m for m in marks if any(digest(m, e["at"]) in e["marks"] for e in entries)]
    return [Person(emails=frozenset({m})) if "@" in m else Person(phones=frozenset({m})) for m in sorted(again)]


def touched(tx: Connection, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Whose data was taken in, changed or sent out in a span of time: tickets, fields, recipients (Art. 57)."""
    within = (TicketRow.updated_at >= since, TicketRow.created_at < until)
    wrote = select(MessageRow.ticket).where(MessageRow.received_at >= since, MessageRow.received_at < until)
    sent = select(LetterRow.ticket).where(LetterRow.sent_at >= since, LetterRow.sent_at < until, LetterRow.ticket.is_not(None))
    rows = tx.execute(
        select(TicketRow)
        .where(or_(TicketRow.id.in_(wrote), TicketRow.id.in_(sent), within[0] & within[1]))
        .order_by(TicketRow.id)
    ).all()
    found = []
    for r in rows:
        recipients = tx.execute(
            select(LetterRow.recipient)
            .where(LetterRow.ticket == r.id, LetterRow.sent_at >= since, LetterRow.sent_at < until)
            .distinct()
        )
        named = {
            "name": r.requester_name,
            "phone": r.requester_phone,
            "email": r.requester_email,
            "house": r.house,
            "text": r.text,
        }
        found.append(
            {
                "ticket": r.number, "phone": r.requester_phone, "email": r.requester_email, "name": r.requester_name,
                "fields": [k for k, v in named.items() if v and v != TOMBSTONE], "recipients": sorted(x for (x,) in recipients),
            }
        )  # fmt: skip
    return found + _guests(tx, since, until)


def _guests(tx: Connection, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Who wrote on the ticket of somebody else in that span."""
    query = select(TicketRow.number, MessageRow.sender, MessageRow.sender_name).where(
        TicketRow.id == MessageRow.ticket, MessageRow.received_at >= since, MessageRow.received_at < until, MessageRow.sender != "",
        MessageRow.sender != TicketRow.requester_email, or_(MessageRow.author.like("requester%"), MessageRow.author == "stranger"),
    )  # fmt: skip
    return [
        {"ticket": number, "phone": "", "email": email, "name": name, "fields": ["email", *(["name"] if name else []), "text"], "recipients": []}
        for number, email, name in tx.execute(query.distinct().order_by(TicketRow.number))
    ]  # fmt: skip


def past_retention(tx: Connection, before: datetime, originals_before: datetime) -> tuple[list[int], list[int]]:
    """Closed tickets whose personal data, and arrivals whose originals, have been kept long enough. Held ones are left out."""
    old = select(TicketRow.id, TicketRow.effects, TicketRow.updated_at, TicketRow.fields).where(
        TicketRow.status.in_(tickets.CLOSED), TicketRow.updated_at < max(before, originals_before)
    )
    rows = [r for r in tx.execute(old) if "legal_hold" not in r.effects]
    emptied = [r.id for r in rows if r.updated_at < before and ERASED not in r.fields]
    closed = [r.id for r in rows if r.updated_at < originals_before]
    arrivals = select(ArrivalTicket.arrival).where(ArrivalTicket.ticket.in_(closed))
    open_too = select(ArrivalTicket.arrival).where(ArrivalTicket.ticket.not_in(closed))
    of_no_ticket = (
        ArrivalRow.id.not_in(select(ArrivalTicket.arrival)), ArrivalRow.status.in_(("ignored", "discarded")),
        ArrivalRow.taken_at < originals_before,
    )  # fmt: skip
    ids = tx.scalars(
        select(ArrivalRow.id).where(
            or_(ArrivalRow.id.in_(arrivals) & ArrivalRow.id.not_in(open_too), and_(*of_no_ticket)), ArrivalRow.disposition != ERASED
        )
    )
    return emptied, list(ids)


def drop_originals(tx: Connection, arrivals: Iterable[int], spool: Path) -> list[Path]:
    """Forget originals whose time has come; their tickets stay."""
    return _drop_originals(tx, arrivals, spool)[1]


def rotate(db: Database) -> None:
    """A new key for tokens; letters signed with the one before still find their tickets."""
    with db.write() as tx:
        settings.rotate_token_keys(tx)
