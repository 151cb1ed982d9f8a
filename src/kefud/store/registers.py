"""What reports ask of the store: cases of a span, calls, box openings, last contacts, and the reports made and signed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Text, and_, func, insert, or_, select, update

from kefud.desk.cases import EVERY_CLOCK, Case, Event, Paper, Written
from kefud.store import tickets
from kefud.store.tables import (
    ArrivalRow,
    ArrivalTicket,
    Blob,
    DeadlineRow,
    DocumentRow,
    HistoryRow,
    LetterRow,
    MessageRow,
    Report,
    TaskRow,
    TicketRow,
    word,
    words,
)  # fmt: skip
from kefud.store.tickets import CLOSED

CHUNK = 400
LATE_NEWS = timedelta(days=2)
CLOCKS_DIFFER = timedelta(days=1)
"""How far ahead of ours the clock of a telephone system may be: a call is told of after it, but for that."""


# Cases


def cases(tx: Connection, start: datetime, end: datetime) -> list[Case]:
    """Every ticket a report on [start, end) may count: begun, open, or changed in it. Ordered by number."""
    is_open = (DeadlineRow.met.is_(None), DeadlineRow.dropped == word(""))
    running = select(DeadlineRow.ticket).where(*is_open, DeadlineRow.due < end)
    touched = or_(
        TicketRow.started_at >= start, TicketRow.updated_at >= start, TicketRow.status.not_in(words(*CLOSED)),
        TicketRow.id.in_(running)
    )
    ids = list(tx.scalars(select(TicketRow.id).where(TicketRow.started_at < end, touched)))
    return sorted(of_ids(tx, ids), key=lambda c: c.number)


def begun(tx: Connection, start: datetime | None, end: datetime | None) -> list[int]:
    """Ids of the tickets that stand in the ledger of [start, end), in the order of their numbers."""
    query = select(TicketRow.id)
    if start is not None:
        query = query.where(TicketRow.started_at >= start)
    if end is not None:
        query = query.where(TicketRow.started_at < end)
    return list(tx.scalars(query.order_by(TicketRow.number)))


def due_between(tx: Connection, start: datetime, end: datetime) -> list[int]:
    """Ids of matters with a deadline due in [start, end), or a passed one of a ticket that is known only since ``start``.

    What reached us more than two days before it was known (an import, say) is no news.
    """
    fresh = select(TicketRow.id).where(TicketRow.started_at >= start - LATE_NEWS, TicketRow.created_at >= start)
    ids = set(tx.scalars(select(DeadlineRow.ticket).where(DeadlineRow.due >= start, DeadlineRow.due < end)))
    ids |= set(tx.scalars(select(DeadlineRow.ticket).where(DeadlineRow.due < start, DeadlineRow.ticket.in_(fresh))))
    return sorted(ids)


def numbered(tx: Connection, numbers: Sequence[str]) -> list[Case]:
    """The cases with these ticket numbers, in the order of the numbers."""
    ids = tickets.ids_of_numbers(tx, list(numbers))
    return sorted(of_ids(tx, list(ids.values())), key=lambda c: c.number)


def of_ids(tx: Connection, ids: Sequence[int], at_once: int = CHUNK) -> Iterator[Case]:
    """Cases by id in the order given; ``at_once`` are read together."""
    for begin in range(0, len(ids), at_once):
        part = ids[begin : begin + at_once]
        loaded = tickets.load(tx, part)
        events, papers, letters = _events(tx, part), _papers(tx, part), _letters(tx, part)
        for id in part:
            if id in loaded:
                yield Case(loaded[id], tuple(events[id]), tuple(papers[id]), tuple(letters[id]))


def _events(tx: Connection, ids: Sequence[int]) -> dict[int, list[Event]]:
    """The lines of the history that reports look at: states, answers of visits, deadlines taken away."""
    said = HistoryRow.data.cast(Text)
    telling = or_(
        HistoryRow.what.like("status:%"), HistoryRow.what == "imported", said.contains('"visit":'),
        and_(HistoryRow.what != "opened", or_(*(said.contains(f'"{x}"') for x in ("DropClock", "NewRound", "StartClock")))),
    )  # fmt: skip
    query = select(HistoryRow).where(HistoryRow.ticket.in_(ids), telling).order_by(HistoryRow.ticket, HistoryRow.seq)
    found: dict[int, list[Event]] = defaultdict(list)
    for row in tx.execute(query):
        found[row.ticket].append(_event(row))
    return found


def _event(row: Any) -> Event:
    visit, reason, ended = "", "", []
    for opinion in (row.data or {}).get("opinions", ()):
        for said in opinion.get("said", ()):
            kind, values = said.get("decision"), said.get("values") or {}
            if kind == "SetFields":
                visit = str(values.get("visit") or visit)
                reason = str(values.get("visit_reason") or reason)
            elif kind in ("DropClock", "StartClock") and row.what != "opened":
                ended.append(str(said.get("name") or ""))
            elif kind == "NewRound":
                ended.append(EVERY_CLOCK)
    return Event(row.at, row.who, row.what, reason if visit else row.why, visit, tuple(ended))


def _papers(tx: Connection, ids: Sequence[int]) -> dict[int, list[Paper]]:
    found: dict[int, list[Paper]] = defaultdict(list)
    for r in tx.execute(select(DocumentRow).where(DocumentRow.ticket.in_(ids)).order_by(DocumentRow.id)):
        found[r.ticket].append(Paper(r.form, r.number, r.party, r.created_at, r.void, r.data or {}))
    return found


def _letters(tx: Connection, ids: Sequence[int]) -> dict[int, list[Written]]:
    columns = (LetterRow.ticket, LetterRow.recipient, LetterRow.template, LetterRow.created_at, LetterRow.sent_at)
    found: dict[int, list[Written]] = defaultdict(list)
    written = select(*columns).where(LetterRow.ticket.in_(ids), LetterRow.status != word("superseded"))
    for r in tx.execute(written.order_by(LetterRow.id)):
        if r.ticket is not None:
            found[r.ticket].append(Written(r.recipient, r.template, r.created_at, r.sent_at))
    return found


def open_per_handler(tx: Connection) -> dict[str, int]:
    """Open tickets per handler (S3-3.2.3)."""
    query = select(TicketRow.handler, func.count()).where(TicketRow.status.not_in(words(*CLOSED))).group_by(TicketRow.handler)
    return {handler: count for handler, count in tx.execute(query) if handler}


def open_tasks(tx: Connection, numbers: Sequence[str]) -> dict[tuple[str, str], bool]:
    """For (ticket number, text of a task): whether the task is still open."""
    query = (
        select(TicketRow.number, TaskRow.text, TaskRow.done_at)
        .join(TicketRow, TicketRow.id == TaskRow.ticket)
        .where(TicketRow.number.in_(numbers))
    )
    return {(number, text): done is None for number, text, done in tx.execute(query)}


# Registers


def calls(tx: Connection, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Every call made in [start, end), oldest first, with what the telephone system told of it (S2-5.2)."""
    said, said_at = MessageRow.arrival, MessageRow.received_at
    within = ArrivalRow.id.in_(select(said).where(said_at >= start, said_at < end))
    of_no_ticket = and_(ArrivalRow.id.not_in(select(said)), ArrivalRow.received_at >= start - CLOCKS_DIFFER)
    rows = list(tx.execute(_arrived("call", or_(within, of_no_ticket))))
    data = _register_data(tx, "call_register", [r.ticket for r in rows if r.ticket])
    messages = _messages(tx, [r.id for r in rows])
    found, first = [], set()
    for r, told in _with_calls(tx, rows):
        known = told or (data.get(r.ticket, {}) if r.ticket and r.ticket not in first else {})
        first.add(r.ticket)
        text, at = messages.get(r.id, ("", r.received_at))
        at = datetime.fromisoformat(told["started_at"]) if told else at
        if start <= at < end:
            found.append({
                "ref": r.ref, "at": at, "subject": r.subject, "ticket": r.number, "data": known, "text": text,
                "phone": "" if told else r.requester_phone or "", "name": r.requester_name or "", "house": r.house or "",
                "agreed_at": (r.fields or {}).get("agreed_reply_at"), "outcome": r.reason,
            })  # fmt: skip
    return sorted(found, key=lambda call: call["at"])


def _with_calls(tx: Connection, rows: Sequence[Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Arrivals of calls, each with the call in its original; {} where that was erased."""
    for begin in range(0, len(rows), CHUNK):
        part = rows[begin : begin + CHUNK]
        query = select(Blob.sha, Blob.data).where(Blob.sha.in_({r.blob for r in part}))
        originals = {sha: data for sha, data in tx.execute(query)}
        for r in part:
            yield r, _call(originals.get(r.blob))


def _call(original: bytes | None) -> dict[str, Any]:
    try:
        call: dict[str, Any] = json.loads(original or b"")["call"]
        datetime.fromisoformat(call["started_at"])
    except (ValueError, KeyError, TypeError):
        return {}
    return call


def box_letters(tx: Connection, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Every paper out of a complaint box once, oldest first, with all its tickets and what the register says (S1-5.4.3)."""
    rows = list(tx.execute(_arrived("paper", and_(ArrivalRow.received_at >= start, ArrivalRow.received_at < end))))
    data = _register_data(tx, "box_register", [r.ticket for r in rows if r.ticket])
    papers: dict[int, list[Any]] = defaultdict(list)
    for r in rows:
        papers[r.id].append(r)
    found = []
    for parts in papers.values():
        first = parts[0]
        # A ticket's register speaks of the paper that opened it, not of those filed in it later.
        known = next((x for r in parts if (x := data.get(r.ticket)) and x.get("scan", r.ref) == r.ref), {})
        found.append({
            "ref": first.ref, "at": first.received_at, "channel": first.channel, "box": str(known.get("box") or ""),
            "ticket": "、".join(r.number for r in parts if r.number), "data": known,
            "signed": next((r.requester_name for r in parts if r.requester_name), ""), "remark": first.reason,
        })  # fmt: skip
    return found


def box_opened(tx: Connection, channel: str, start: datetime, end: datetime) -> bool:
    """Whether anything says that the box was opened in [start, end): a paper, or an entry that it was empty."""
    paper = select(ArrivalRow.id).where(
        ArrivalRow.channel == channel,
        or_(
            and_(ArrivalRow.received_at >= start, ArrivalRow.received_at < end),
            and_(ArrivalRow.taken_at >= start, ArrivalRow.taken_at < end),
        ),
    )
    entry = select(Report.id).where(
        Report.kind == "box",
        Report.period.startswith(f"{channel} ", autoescape=True),
        Report.signed_at >= start,
        Report.signed_at < end,
    )
    return tx.scalar(paper.limit(1)) is not None or tx.scalar(entry.limit(1)) is not None


def _arrived(medium: str, which: Any) -> Any:
    columns = (
        ArrivalRow.id, ArrivalRow.channel, ArrivalRow.ref, ArrivalRow.received_at, ArrivalRow.subject, ArrivalRow.reason,
        ArrivalRow.blob, TicketRow.id.label("ticket"), TicketRow.number, TicketRow.requester_phone, TicketRow.requester_name, TicketRow.house,
        TicketRow.fields,
    )  # fmt: skip
    return (
        select(*columns)
        .join(ArrivalTicket, ArrivalTicket.arrival == ArrivalRow.id, isouter=True)
        .join(TicketRow, TicketRow.id == ArrivalTicket.ticket, isouter=True)
        .where(ArrivalRow.medium == medium, which)
        .order_by(ArrivalRow.received_at, ArrivalRow.id)
    )


def _register_data(tx: Connection, form: str, ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """What the first entry of each ticket in a register says."""
    query = select(DocumentRow.ticket, DocumentRow.data).where(DocumentRow.form == form, DocumentRow.ticket.in_(set(ids)))
    found: dict[int, dict[str, Any]] = {}
    for ticket, data in tx.execute(query.order_by(DocumentRow.id)):
        found.setdefault(ticket, data or {})
    return found


def _messages(tx: Connection, arrivals: Sequence[int]) -> dict[int, tuple[str, datetime]]:
    """What was read from arrivals: the text, and when it reached us."""
    found: dict[int, tuple[str, datetime]] = {}
    columns = (MessageRow.arrival, MessageRow.text, MessageRow.received_at)
    for begin in range(0, len(arrivals), CHUNK):
        query = select(*columns).where(MessageRow.arrival.in_(arrivals[begin : begin + CHUNK]))
        found.update((r.arrival, (r.text, r.received_at)) for r in tx.execute(query))
    return found


def last_contacts(tx: Connection, before: datetime) -> dict[str, datetime]:
    """House → when we last heard from it, wrote to it or called on it (S4-2.1.1)."""
    house = TicketRow.house
    queries = [
        select(house, func.max(TicketRow.started_at)).where(house.is_not(None), TicketRow.started_at < before).group_by(house),
        select(house, func.max(LetterRow.sent_at))
        .join(LetterRow, LetterRow.ticket == TicketRow.id)
        .where(house.is_not(None), LetterRow.recipient == "requester", LetterRow.sent_at < before)
        .group_by(house),
        select(house, func.max(MessageRow.received_at))
        .join(MessageRow, MessageRow.ticket == TicketRow.id)
        .where(house.is_not(None), MessageRow.received_at < before)
        .group_by(house),
    ]
    found: dict[str, datetime] = {}
    for query in queries:
        for name, at in tx.execute(query):
            if name and at is not None and at > found.get(name, at.min.replace(tzinfo=at.tzinfo)):
                found[name] = at
    for row in listed(tx, ("contact",), signed_before=before):
        name = row.period.split(" ")[0]
        if row.signed_at and (name not in found or row.signed_at > found[name]):
            found[name] = row.signed_at
    return found


# Reports made and signed


@dataclass(frozen=True, slots=True)
class Made:
    """A report that was made, or a thing of that kind that was signed for."""

    id: int
    kind: str
    period: str
    made_at: datetime
    signed_by: str = ""
    signed_at: datetime | None = None
    text: str = ""
    data: dict[str, Any] = field(default_factory=dict)


def made(tx: Connection, kind: str, period: str) -> Made | None:
    """The report of that kind and period, None while there is none."""
    row = tx.execute(select(Report).where(Report.kind == kind, Report.period == period)).one_or_none()
    return _made(row) if row else None


def last_made(tx: Connection, kind: str, *, unsigned: bool = False) -> Made | None:
    """The newest report of a kind; with ``unsigned`` the newest nobody has signed."""
    query = select(Report).where(Report.kind == kind)
    if unsigned:
        query = query.where(Report.signed_at.is_(None))
    row = tx.execute(query.order_by(Report.made_at.desc(), Report.id.desc()).limit(1)).one_or_none()
    return _made(row) if row else None


def listed(
    tx: Connection,
    kinds: Sequence[str],
    *,
    since: datetime | None = None,
    before: datetime | None = None,
    signed_before: datetime | None = None,
    unsigned: bool = False,
) -> list[Made]:
    """Reports of these kinds made within [since, before), oldest first."""
    query = select(Report).where(Report.kind.in_(kinds))
    if since is not None:
        query = query.where(Report.made_at >= since)
    if before is not None:
        query = query.where(Report.made_at < before)
    if signed_before is not None:
        query = query.where(Report.signed_at < signed_before)
    if unsigned:
        query = query.where(Report.signed_at.is_(None))
    return [_made(r) for r in tx.execute(query.order_by(Report.made_at, Report.id))]


def never_signed(tx: Connection, kind: str, since: datetime) -> list[Made]:
    """Reports of a kind made since then that nobody signed, and that nobody was told of (no row "KIND-missing")."""
    told = select(Report.period).where(Report.kind == f"{kind}-missing")
    query = select(Report).where(
        Report.kind == kind, Report.made_at >= since, Report.signed_at.is_(None), Report.period.not_in(told)
    )
    return [_made(r) for r in tx.execute(query.order_by(Report.made_at))]


def keep(tx: Connection, kind: str, period: str, now: datetime, data: dict[str, Any], **signed: Any) -> int:
    """Write down that a report was made; one that is there already keeps its signature and gets the new data."""
    have = made(tx, kind, period)
    if have:
        tx.execute(update(Report).where(Report.id == have.id).values(made_at=now, data=data, **signed))
        return have.id
    values = {
        "kind": kind,
        "period": period,
        "made_at": now,
        "signed_by": "",
        "signed_at": None,
        "text": "",
        "data": data,
        **signed,
    }
    id = tx.execute(insert(Report).values(**values)).inserted_primary_key[0]  # type: ignore[index]
    return int(id)


def sign(tx: Connection, id: int, by: str, at: datetime, text: str, data: dict[str, Any]) -> None:
    """Put a signature under a report: who, when, and what was said."""
    tx.execute(update(Report).where(Report.id == id).values(signed_by=by, signed_at=at, text=text, data=data))


def _made(r: Any) -> Made:
    return Made(r.id, r.kind, r.period, r.made_at, r.signed_by, r.signed_at, r.text, r.data or {})
