"""Tickets with all that hangs on them: loaded as frozen values, saved whole in the caller's transaction."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, delete, func, insert, or_, select, update

from kefud.desk.message import Message
from kefud.desk.occasions import Author
from kefud.desk.ticket import (
    ArrivalRef,
    Deadline,
    Document,
    LetterRef,
    Related,
    Requester,
    Task,
    Ticket,
)  # fmt: skip
from kefud.store.tables import (
    ArrivalRow,
    ArrivalTicket,
    DeadlineRow,
    DocumentRow,
    HistoryRow,
    LetterRow,
    MessageRow,
    TaskRow,
    TicketRow,
    table_of,
    word,
    words,
)  # fmt: skip

# Statements are built once: building one takes SQLAlchemy four times as long as running it (0.23 ms against 0.05 ms).
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_CHILDREN = (DeadlineRow, DocumentRow, LetterRow, TaskRow)
_INSERT = {
    table: insert(table_of(table))
    for table in (TicketRow, *_CHILDREN, MessageRow, HistoryRow, ArrivalTicket)
}  # fmt: skip
_UPDATE_SEEN = update(table_of(TicketRow)).where(
    TicketRow.id == bindparam("its_id"), TicketRow.updated_at == bindparam("seen_at")
)
_UPDATE = update(table_of(TicketRow)).where(TicketRow.id == bindparam("its_id"))
_DROP_DEADLINES = delete(DeadlineRow).where(DeadlineRow.ticket == bindparam("its_ticket"))
_UPDATE_DOCUMENT = update(table_of(DocumentRow)).where(DocumentRow.id == bindparam("its_id"))
_END_OF_HISTORY = (
    select(HistoryRow.seq, HistoryRow.hash)
    .where(HistoryRow.ticket == bindparam("ticket"))
    .order_by(HistoryRow.seq.desc())
    .limit(1)
)
_TICK = timedelta(microseconds=1)
CLOSED = ("closed", "archived", "declined", "merged", "withdrawn")


class Ledger:
    """Writes tickets in one transaction. Rows of children are gathered and written together by `flush`."""

    def __init__(self, tx: Connection, now: datetime) -> None:
        self.tx = tx
        self.now = now
        self._rows: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        self._chain: dict[int, tuple[int, str]] = {}

    def create(self, ticket: Ticket) -> Ticket:
        """Insert a ticket that has its number; returns it with its id."""
        values = {**_columns(ticket), "number": ticket.number, "created_at": self.now, "updated_at": self.now}
        id = self.tx.execute(_INSERT[TicketRow], values).inserted_primary_key[0]  # type: ignore[index]
        made = ticket.changed(id=id, created_at=self.now, updated_at=self.now)
        self._chain[id] = (0, "")
        self._children(made)
        return made

    def save(self, ticket: Ticket, before: Ticket, *, quietly: bool = False) -> Ticket | None:
        """Write back what changed since ``before`` was loaded; None where someone else changed the ticket since.

        ``quietly``: it is no news of the matter, whose terms of keeping count from the last.
        """
        seen = (before.updated_at or self.now) + _TICK
        values = {**_columns(ticket), "updated_at": seen if quietly else max(self.now, seen)}
        same = {"its_id": ticket.id, "seen_at": before.updated_at}
        if self.tx.execute(_UPDATE_SEEN, values | same).rowcount != 1:
            return None
        if ticket.deadlines != before.deadlines:
            self.tx.execute(_DROP_DEADLINES, {"its_ticket": ticket.id})
        self._children(ticket, before)
        return ticket.changed(updated_at=values["updated_at"])

    def restate(self, ticket: Ticket) -> Ticket:
        """Write the ticket's own columns once more within the same transaction."""
        self.tx.execute(_UPDATE, {**_columns(ticket), "its_id": ticket.id})
        return ticket

    def _children(self, ticket: Ticket, before: Ticket | None = None) -> None:
        if before is None or ticket.deadlines != before.deadlines:
            self._rows[DeadlineRow] += [{"ticket": ticket.id, **_deadline(d)} for d in ticket.deadlines]
        for document in ticket.documents:
            if before and document in before.documents:
                continue
            if document.id:
                changes = {"void": document.void, "path": document.path, "number": document.number}
                self.tx.execute(_UPDATE_DOCUMENT, {**changes, "its_id": document.id})
            else:
                self._rows[DocumentRow].append(
                    {
                        "ticket": ticket.id, "form": document.form, "number": document.number, "party": document.to,
                        "data": document.data, "path": document.path, "void": document.void, "created_at": self.now,
                    }
                )  # fmt: skip
        for task in ticket.tasks:
            if not (before and task in before.tasks):
                self.task(ticket.id, task)

    def tasks_done(self, ticket: int, kind: str, at: datetime) -> None:
        """Whatever of this kind a person had to do for the ticket is done."""
        open_ones = (TaskRow.ticket == ticket, TaskRow.kind == kind, TaskRow.done_at.is_(None))
        self.tx.execute(update(TaskRow).where(*open_ones).values(done_at=at))

    def task(self, ticket: int, task: Task) -> None:
        """Write a task, or that it is done."""
        if task.id:
            self.tx.execute(update(TaskRow).where(TaskRow.id == task.id).values(done_at=task.done_at))
        else:
            self._rows[TaskRow].append(
                {
                    "ticket": ticket, "kind": task.kind, "role": task.role, "text": task.text, "due": task.due,
                    "done_at": task.done_at, "key": "",
                }
            )  # fmt: skip

    def message(self, ticket: int, arrival: int, message: Message, author: Author) -> None:
        """Keep what was read from an arrival on its ticket."""
        self._rows[MessageRow].append(
            {
                "ticket": ticket, "arrival": arrival, "medium": message.medium, "sender": message.sender.email,
                "sender_name": message.sender.name, "author": f"{author.role}:{author.id}".rstrip(":"),
                "verified": author.verified, "subject": message.subject, "text": message.text, "quoted": message.quoted,
                "message_id": message.message_id[:500], "received_at": message.received_at,
                "attachments": [asdict(a) for a in message.attachments],
            }
        )  # fmt: skip

    def history(self, ticket: int, who: str, what: str, why: str = "", data: dict[str, Any] | None = None) -> None:
        """Append to the ticket's history; each row carries the hash of the one before it (I5)."""
        if ticket not in self._chain:
            last = self.tx.execute(_END_OF_HISTORY, {"ticket": ticket}).first()
            self._chain[ticket] = (last.seq, last.hash) if last else (0, "")
        seq, previous = self._chain[ticket]
        row = {
            "ticket": ticket, "seq": seq + 1, "at": self.now, "who": who[:80], "what": what[:80], "why": why, "data": data or {},
        }  # fmt: skip
        link = row["hash"] = link_hash(previous, row)
        self._chain[ticket] = (seq + 1, link)
        self._rows[HistoryRow].append(row)

    def letter(self, row: dict[str, Any]) -> None:
        """Put a letter into the outbox."""
        self._rows[LetterRow].append(row)

    def link(self, arrival: int, ticket: int) -> None:
        """This arrival belongs to that ticket."""
        pair = {"arrival": arrival, "ticket": ticket}
        if pair not in self._rows[ArrivalTicket]:
            self._rows[ArrivalTicket].append(pair)

    def flush(self) -> None:
        for table, rows in self._rows.items():
            if rows:
                self.tx.execute(_INSERT[table], rows)
        self._rows.clear()


def link_hash(previous: str, row: dict[str, Any]) -> str:
    """The hash of a history row: over the hash before it and everything the row says."""
    at = row["at"].timestamp()
    said = [row["ticket"], row["seq"], round(at * 1_000_000), row["who"], row["what"], row["why"], row["data"]]
    text = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(previous.encode() + text.encode()).hexdigest()


def _columns(ticket: Ticket) -> dict[str, Any]:
    r = ticket.requester
    return {
        "status": ticket.status, "round": ticket.round, "kind": ticket.kind, "category": ticket.category,
        "urgency": ticket.urgency, "important": ticket.important, "origin": ticket.origin, "house": ticket.house,
        "subject": ticket.subject, "summary": ticket.summary, "text": ticket.text, "department": ticket.department,
        "joint": list(ticket.joint), "handler": ticket.handler, "requester_name": r.name, "requester_phone": r.phone,
        "requester_email": r.email, "anonymous": r.anonymous, "masked": ticket.masked, "dispute": ticket.dispute,
        "channel": ticket.channel, "medium": ticket.medium, "started_at": ticket.started_at,
        "effects": list(ticket.effects), "notify": list(ticket.notify), "related": list(ticket.related),
        "locked": list(ticket.locked), "fields": ticket.fields, "transfers": ticket.transfers, "rung": ticket.rung,
        "extension": ticket.extension,
    }  # fmt: skip


def _deadline(d: Deadline) -> dict[str, Any]:
    return {
        "name": d.name, "round": d.round, "rule": d.rule, "term": d.term, "start": d.start, "due": d.due, "met": d.met,
        "dropped": d.dropped, "agreed": d.agreed, "steps": d.steps, "next_at": d.next_at,
        "pauses": [[a.isoformat(), b.isoformat() if b else None, why] for a, b, why in d.pauses],
    }  # fmt: skip


def load(tx: Connection, ids: Iterable[int], lock: bool = False) -> dict[int, Ticket]:
    """Tickets by id, whole. ``lock`` keeps other hosts from changing them until the transaction ends."""
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return {}
    rows = list(tx.execute(_TICKETS.with_for_update() if lock else _TICKETS, {"ids": wanted}))
    children = {table: _by_ticket(tx, table, wanted) for table in _CHILDREN}
    arrivals = _arrivals(tx, wanted)
    return {row.id: _ticket(row, children, arrivals) for row in rows}


def by_number(tx: Connection, number: str) -> Ticket | None:
    """The ticket with that number, None if there is none."""
    id = tx.scalar(select(TicketRow.id).where(TicketRow.number == number.strip().upper()))
    return load(tx, [id])[id] if id else None


def successor(tx: Connection, ticket: Ticket) -> Ticket:
    """The ticket that a person merged this one into, or that one, and so on; the ticket itself where it was not merged."""
    seen = {ticket.number}
    while ticket.status == "merged" and (number := str(ticket.fields.get("merged_into") or "")) not in seen:
        seen.add(number)
        further = by_number(tx, number)
        if further is None:
            break
        ticket = further
    return ticket


def of_arrivals(tx: Connection, arrivals: Sequence[int]) -> set[int]:
    """Ids of the tickets that came from one of these arrivals."""
    return set(tx.scalars(_OF_ARRIVALS, {"ids": list(arrivals)})) if arrivals else set()


_OF_ARRIVALS = select(ArrivalTicket.ticket).where(ArrivalTicket.arrival.in_(_IDS))


def ids_of_numbers(tx: Connection, numbers: Sequence[str]) -> dict[str, int]:
    if not numbers:
        return {}
    return {n: i for n, i in tx.execute(_IDS_OF_NUMBERS, {"numbers": list(numbers)})}


def _by_ticket(tx: Connection, table: Any, ids: Sequence[int]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for row in tx.execute(_OF_TICKETS[table], {"ids": ids}):
        found[row.ticket].append(row)
    return found


_LETTER_COLUMNS = (
    LetterRow.id, LetterRow.ticket, LetterRow.recipient, LetterRow.addresses, LetterRow.template, LetterRow.message_id,
    LetterRow.status, LetterRow.key, LetterRow.meets, LetterRow.hold,
)  # fmt: skip
_TICKETS = select(TicketRow).where(TicketRow.id.in_(_IDS))
_OF_TICKETS = {
    table: select(*(_LETTER_COLUMNS if table is LetterRow else [table])).where(table.ticket.in_(_IDS)).order_by(table.id)
    for table in _CHILDREN
}  # fmt: skip
_IDS_OF_NUMBERS = select(TicketRow.number, TicketRow.id).where(TicketRow.number.in_(bindparam("numbers", expanding=True)))
_ARRIVALS = (
    select(
        ArrivalTicket.ticket, ArrivalRow.id, ArrivalRow.channel, ArrivalRow.ref, ArrivalRow.received_at, ArrivalRow.subject,
        ArrivalRow.medium,
    )
    .join(ArrivalRow, ArrivalRow.id == ArrivalTicket.arrival)
    .where(ArrivalTicket.ticket.in_(_IDS))
    .order_by(ArrivalRow.id)
)  # fmt: skip


def _arrivals(tx: Connection, ids: Sequence[int]) -> dict[int, list[ArrivalRef]]:
    found: dict[int, list[ArrivalRef]] = defaultdict(list)
    for r in tx.execute(_ARRIVALS, {"ids": ids}):
        found[r.ticket].append(ArrivalRef(r.id, r.channel, r.ref, r.received_at, r.subject, r.medium))
    return found


def _ticket(r: Any, children: dict[Any, dict[int, list[Any]]], arrivals: dict[int, list[ArrivalRef]]) -> Ticket:
    return Ticket(
        number=r.number, status=r.status, round=r.round, kind=r.kind, category=r.category, urgency=r.urgency,
        important=r.important, origin=r.origin, house=r.house, subject=r.subject, summary=r.summary, text=r.text,
        department=r.department, joint=tuple(r.joint), handler=r.handler,
        requester=Requester(r.requester_name, r.requester_phone, r.requester_email, r.anonymous), masked=r.masked,
        dispute=r.dispute, channel=r.channel, medium=r.medium, started_at=r.started_at, created_at=r.created_at,
        updated_at=r.updated_at, arrivals=tuple(arrivals.get(r.id, ())), effects=tuple(r.effects), notify=tuple(r.notify),
        deadlines=tuple(_read_deadline(d) for d in children[DeadlineRow].get(r.id, ())),
        documents=tuple(
            Document(d.form, d.number, d.path, d.party, d.data, d.void, d.id) for d in children[DocumentRow].get(r.id, ())
        ),
        letters=tuple(
            LetterRef(x.id, ", ".join(x.addresses), x.template, x.message_id, x.status, x.recipient, x.key, x.meets, x.hold)
            for x in children[LetterRow].get(r.id, ())
        ),
        tasks=tuple(Task(t.kind, t.role, t.due, t.text, t.id, t.done_at) for t in children[TaskRow].get(r.id, ())),
        related=tuple(r.related), fields=dict(r.fields), locked=tuple(r.locked), transfers=r.transfers, rung=r.rung,
        extension=r.extension, id=r.id,
    )  # fmt: skip


def _read_deadline(d: Any) -> Deadline:
    pauses = tuple(
        (datetime.fromisoformat(a), datetime.fromisoformat(b) if b else None, why) for a, b, why in (d.pauses or ())
    )
    return Deadline(
        d.name, d.start, d.due, d.rule, d.term, d.met, d.dropped, d.agreed, d.round, d.steps, d.next_at, pauses
    )


_RELATED = (
    TicketRow.number, TicketRow.status, TicketRow.kind, TicketRow.category, TicketRow.house, TicketRow.started_at,
    TicketRow.summary, TicketRow.requester_phone, TicketRow.requester_email, TicketRow.department, TicketRow.round,
    TicketRow.urgency,
)  # fmt: skip


_SINCE = (TicketRow.started_at >= bindparam("since"), TicketRow.status != "merged")
_RELATED_BY = {
    column.key: select(*_RELATED)
    .where(column == bindparam("same"), *_SINCE)
    .order_by(TicketRow.started_at.desc())
    .limit(bindparam("most"))
    for column in (TicketRow.house, TicketRow.requester_phone, TicketRow.requester_email, TicketRow.category)
}
# Said aloud, so that SQLite sees that the partial indexes ("house is not null", "… <> ''") serve.
_RELATED_BY["house"] = _RELATED_BY["house"].where(TicketRow.house.is_not(None))
for _key, _column in (("requester_phone", TicketRow.requester_phone), ("requester_email", TicketRow.requester_email)):
    _RELATED_BY[_key] = _RELATED_BY[_key].where(_column != word(""))


def _related(tx: Connection, by: str, same: str, since: datetime, most: int) -> tuple[Related, ...]:
    return tuple(Related(*row) for row in tx.execute(_RELATED_BY[by], {"same": same, "since": since, "most": most}))


def of_household(
    tx: Connection, *, house: str | None, phone: str, email: str, since: datetime, most: int = 20
) -> tuple[Related, ...]:
    """Tickets of the same house, phone or address since ``since``, newest first."""
    found: dict[str, Related] = {}
    for by, same in (("house", house), ("requester_phone", phone), ("requester_email", email)):
        if same:
            for related in _related(tx, by, same, since, most):
                found.setdefault(related.number, related)
    return tuple(sorted(found.values(), key=lambda r: r.started_at, reverse=True)[:most])


def of_category(tx: Connection, *, category: str, since: datetime, most: int = 60) -> tuple[Related, ...]:
    """Recent tickets of the same category, newest first: candidates for a group complaint."""
    return _related(tx, "category", category, since, most)


_SOME_MESSAGE_IDS: BindParameter[Any] = bindparam("message_ids", expanding=True)
_RECEIVED = select(MessageRow.ticket, MessageRow.message_id).where(
    MessageRow.message_id.in_(_SOME_MESSAGE_IDS), MessageRow.message_id != word("")
)
_WRITTEN = select(LetterRow.ticket, LetterRow.id, LetterRow.message_id).where(LetterRow.message_id.in_(_SOME_MESSAGE_IDS))


def by_message_ids(tx: Connection, message_ids: Sequence[str]) -> dict[int, tuple[int, str]]:
    """Tickets that know one of these Message-IDs: {ticket id: (letter id or 0, message id)}.

    A letter of ours counts before a message we received.
    """
    if not message_ids:
        return {}
    found: dict[int, tuple[int, str]] = {}
    wanted = {"message_ids": list(message_ids)}
    for ticket, message_id in tx.execute(_RECEIVED, wanted):
        found[ticket] = (0, message_id)
    for owner, letter, message_id in tx.execute(_WRITTEN, wanted):
        if owner is not None:
            found[owner] = (letter, message_id)
    return found


def senders(tx: Connection, ticket: int) -> set[str]:
    """Addresses that wrote on this ticket as its requester."""
    return {s for s in tx.scalars(_SENDERS, {"ticket": ticket}) if s}


_SENDERS = select(MessageRow.sender).where(
    MessageRow.ticket == bindparam("ticket"), MessageRow.author.in_(("requester", ""))
)
_LAST_MESSAGE = (
    select(MessageRow.message_id, MessageRow.subject)
    .where(MessageRow.ticket == bindparam("ticket"), MessageRow.medium == "mail", MessageRow.author == "requester")
    .order_by(MessageRow.id.desc())
    .limit(1)
)


def last_message(tx: Connection, ticket: int) -> tuple[str, str]:
    """Message-ID and subject of the last mail the requester sent, ("", "") if there was none."""
    row = tx.execute(_LAST_MESSAGE, {"ticket": ticket}).one_or_none()
    return (row.message_id, row.subject) if row else ("", "")


def due_deadlines(tx: Connection, now: datetime, most: int) -> list[tuple[int, int, str, datetime, int, datetime]]:
    """Deadlines that want attention: (id, ticket, name, due, steps, next_at), the longest waiting first."""
    query = (
        select(DeadlineRow.id, DeadlineRow.ticket, DeadlineRow.name, DeadlineRow.due, DeadlineRow.steps, DeadlineRow.next_at)
        .where(DeadlineRow.next_at.is_not(None), DeadlineRow.next_at <= now)
        .order_by(DeadlineRow.next_at)
        .limit(most)
    )
    return [(r.id, r.ticket, r.name, r.due, r.steps, r.next_at) for r in tx.execute(query) if r.next_at]


def settled_before(tx: Connection, before: datetime, after: int, most: int) -> list[int]:
    """Ids beyond ``after`` of closed tickets on which nothing has happened since ``before``."""
    query = select(TicketRow.id).where(
        TicketRow.status == word("closed"), TicketRow.updated_at < before, TicketRow.id > after
    )
    return list(tx.scalars(query.order_by(TicketRow.id).limit(most)))


def next_look(tx: Connection) -> datetime | None:
    """When the next deadline wants attention."""
    return tx.scalar(select(func.min(DeadlineRow.next_at)).where(DeadlineRow.next_at.is_not(None)))


def late_count(tx: Connection, now: datetime) -> int:
    """How many deadlines want attention by now."""
    query = select(func.count()).select_from(DeadlineRow)
    return tx.scalar(query.where(DeadlineRow.next_at.is_not(None), DeadlineRow.next_at <= now)) or 0


def claim_deadlines(tx: Connection, ids: Sequence[int], now: datetime, until: datetime) -> set[int]:
    """Put deadlines off that still want attention; returns which. Somebody else has looked after the others."""
    wanting = select(DeadlineRow.id).where(DeadlineRow.id.in_(ids), DeadlineRow.next_at <= now).with_for_update()
    mine = set(tx.scalars(wanting))
    put_off_deadlines(tx, mine, until)
    return mine


def put_off_deadlines(tx: Connection, ids: Collection[int], until: datetime | None) -> None:
    if ids:
        tx.execute(update(DeadlineRow).where(DeadlineRow.id.in_(ids)).values(next_at=until))


def search(
    tx: Connection,
    *,
    status: str | None = None,
    due_before: datetime | None = None,
    text: str = "",
    most: int = 100,
    offset: int = 0,
) -> list[int]:
    """Ids of tickets, newest first. ``status`` may be "open"; ``text`` is looked for literally."""
    query = select(TicketRow.id)
    if status == "open":
        query = query.where(TicketRow.status.not_in(words(*CLOSED)))
    elif status:
        query = query.where(TicketRow.status == status)
    if due_before:
        late = select(DeadlineRow.ticket).where(
            DeadlineRow.met.is_(None), DeadlineRow.dropped == word(""), DeadlineRow.due <= due_before
        )
        query = query.where(TicketRow.id.in_(late))
    if text:
        columns = (
            TicketRow.number, TicketRow.subject, TicketRow.summary, TicketRow.text, TicketRow.house,
            TicketRow.requester_name, TicketRow.requester_phone, TicketRow.requester_email,
        )  # fmt: skip
        query = query.where(or_(*(c.contains(text, autoescape=True) for c in columns)))
    return list(tx.scalars(query.order_by(TicketRow.id.desc()).limit(most).offset(offset)))


def history_of(tx: Connection, ticket: int) -> list[dict[str, Any]]:
    """The whole history of a ticket, oldest first: at, who, what, why, data."""
    query = select(HistoryRow).where(HistoryRow.ticket == ticket).order_by(HistoryRow.seq)
    return [{"at": r.at, "who": r.who, "what": r.what, "why": r.why, "data": r.data} for r in tx.execute(query)]


def changes(tx: Connection, after: int, also: Sequence[int], most: int) -> list[tuple[int, int, str]]:
    """History rows numbered beyond ``after`` or among ``also``, in order: (number, ticket, what)."""
    wanted = (HistoryRow.id > after) | HistoryRow.id.in_(also) if also else HistoryRow.id > after
    query = select(HistoryRow.id, HistoryRow.ticket, HistoryRow.what).where(wanted).order_by(HistoryRow.id).limit(most)
    return [(id, ticket, what) for id, ticket, what in tx.execute(query)]


def last_change(tx: Connection) -> int:
    """The number of the newest history row, 0 if there is none."""
    return tx.scalar(select(func.max(HistoryRow.id))) or 0


def messages_of(tx: Connection, ticket: int) -> list[dict[str, Any]]:
    """Messages of a ticket, oldest first."""
    query = select(MessageRow).where(MessageRow.ticket == ticket).order_by(MessageRow.id)
    return [dict(r._mapping) for r in tx.execute(query)]


def open_counts(tx: Connection, now: datetime) -> dict[str, int]:
    """Open tickets, open deadlines and overdue ones, without touching closed tickets."""
    is_open = DeadlineRow.met.is_(None) & (DeadlineRow.dropped == word(""))
    return {
        "open": tx.scalar(select(func.count()).select_from(TicketRow).where(TicketRow.status.not_in(words(*CLOSED)))) or 0,
        "deadlines": tx.scalar(select(func.count()).select_from(DeadlineRow).where(is_open)) or 0,
        "overdue": tx.scalar(select(func.count()).select_from(DeadlineRow).where(is_open, DeadlineRow.due < now)) or 0,
    }


def tickets_of_sender(tx: Connection, email: str, since: datetime) -> int:
    """Tickets opened by an address since ``since`` (flood, S05)."""
    return tx.scalar(_OF_SENDER, {"email": email, "since": since}) or 0


_OF_SENDER = (
    select(func.count())
    .select_from(TicketRow)
    .where(
        TicketRow.requester_email == bindparam("email"), TicketRow.requester_email != word(""),
        TicketRow.created_at >= bindparam("since"),
    )
)  # fmt: skip

