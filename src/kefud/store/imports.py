"""Tickets of another system or an earlier time: numbers and Message-IDs kept, nothing is sent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from kefud.desk.calendar import Calendar
from kefud.desk.deadlines import Term, due
from kefud.desk.ticket import CLASS_OF_KIND, Deadline, Document, Requester, Task, Ticket
from kefud.errors import Usage
from kefud.store import numbers, tickets
from kefud.store.tickets import Ledger

_NUMBER = re.compile(r"KF(\d{8})-(\d{4,6})")
UNDER_WORK = ("registered", "triaged", "need_info", "need_approval", "assigned", "acknowledged", "in_progress", "reopened")
_HANDLERS = {"complaint": "cs_specialist", "repair": "cs_specialist"}


class Facts(Protocol):
    """What is asked of the site."""

    @property
    def calendar(self) -> Calendar: ...

    @property
    def parties(self) -> Sequence[Any]: ...

    def party(self, id: str) -> Any: ...

    def term(self, name: str) -> Term: ...


def take_in(
    tx: Connection, items: Sequence[Mapping[str, Any]], now: datetime, timezone: str, site: Facts | None = None
) -> list[str]:
    """Store tickets given as mappings; returns their numbers. One that is there already stays as it is.

    With ``site``, departments and firms may be given by name or address, and open tickets get the deadlines of their kind.
    Raises Usage naming the item where a number is missing or malformed.
    """
    made = []
    ledger = Ledger(tx, now)
    for index, item in enumerate(items):
        number = str(item.get("number") or item.get("no") or "")
        match = _NUMBER.fullmatch(number)
        if not match:
            raise Usage(f'item {index}: "{number}" is no ticket number like KF20250303-0001')
        if tickets.ids_of_numbers(tx, [number]):
            continue
        ticket = _ticket(item, number, match[1], now, ZoneInfo(timezone))
        ticket = ledger.create(_at_site(ticket, site) if site else ticket)
        ledger.history(ticket.id, "import", "imported", "", {})
        ledger.history(ticket.id, "import", f"status:{ticket.status}", "", {})
        _letters(ledger, ticket, item, now)
        numbers.at_least(tx, f"ticket.{match[1]}", int(match[2]))
        for document in ticket.documents:
            numbers.brought(tx, document.form, document.number)
        made.append(number)
        ledger.flush()
    return made


def _ticket(item: Mapping[str, Any], number: str, day: str, now: datetime, zone: ZoneInfo) -> Ticket:
    started = _instant(item.get("received") or item.get("started_at") or item.get("created_at"), zone)
    started = started or datetime.strptime(day, "%Y%m%d").replace(hour=9, tzinfo=zone)
    kind = str(item.get("kind") or "consultation")
    given = item.get("requester")
    requester = given if isinstance(given, Mapping) else {}
    fields = dict(item.get("fields") or {})
    if isinstance(given, str):
        requester = {"name": given}
    promised = _instant(item.get("promised"), zone)
    email = str(requester.get("email") or item.get("email") or "").lower()
    if email:
        fields.setdefault("reply_to", email)
    for key in ("contractor", "accused", "plan", "result", "answer"):
        if item.get(key):
            fields.setdefault(key, item[key])
    for key in ("unit", "firm", "notice_to"):
        if item.get(key):
            fields.setdefault("contractor", item[key])
    if promised:
        fields["promised_at"] = promised.isoformat()
    return Ticket(
        number=number, status=str(item.get("status") or "in_progress"), round=int(item.get("round") or 1), kind=kind,
        category=str(item.get("category") or "general"), urgency=str(item.get("urgency") or "normal"),
        important=bool(item.get("important")), origin=str(item.get("origin") or "owner"), house=item.get("house"),
        subject=str(item.get("subject") or item.get("summary") or ""), summary=str(item.get("summary") or ""),
        text=str(item.get("text") or item.get("summary") or ""), department=str(item.get("department") or "cs_center"),
        joint=tuple(item.get("joint") or ()),
        handler=str(item.get("handler") or _HANDLERS.get(CLASS_OF_KIND.get(kind, ""), "cs_clerk")),
        requester=Requester(
            str(requester.get("name") or ""), str(requester.get("phone") or item.get("phone") or ""), email,
            bool(requester.get("anonymous")),
        ),
        channel=str(item.get("channel") or "import"), medium=str(item.get("medium") or "entry"), started_at=started,
        effects=tuple(item.get("effects") or ()), notify=tuple(item.get("notify") or ()),
        deadlines=_deadlines(item, started, promised, kind), documents=_documents(item), fields=fields,
        tasks=(Task("follow_up", "cs_specialist", None, "接手导入的工单,核对时限和进展"),),
    )  # fmt: skip


def _at_site(ticket: Ticket, site: Facts) -> Ticket:
    """The ticket with its parties by id and the deadlines an open matter of its kind runs on."""
    fields = dict(ticket.fields)
    department = ticket.department or "cs_center"
    leads = _party(site, department)
    firm = _party(site, str(fields.pop("contractor", "")))
    if leads is not None and leads.kind == "contractor":
        department, firm = "contractor", firm or leads
    elif leads is not None:
        department = leads.id
    firms = [p for p in site.parties if p.kind == "contractor"]
    if department == "contractor" and firm is None and len(firms) == 1:
        firm = firms[0]  # of several it is the one that answers its notice
    if firm is not None:
        fields["contractor"] = firm.id
    documents = tuple(replace(x, to=department) if x.form == "notice" else x for x in ticket.documents)
    ticket = ticket.changed(department=department, fields=fields, documents=documents)
    have = {x.name for x in ticket.deadlines}
    return ticket.changed(deadlines=(*ticket.deadlines, *(x for x in _usual(ticket, site) if x.name not in have)))


def _usual(ticket: Ticket, site: Facts) -> Iterator[Deadline]:
    """What a matter still being worked on is due by, counted from its start (RULES §3)."""
    start = ticket.started_at
    if start is None or ticket.status not in UNDER_WORK:
        return
    promised = any(x.name in ("resolve", "reply") for x in ticket.deadlines)
    terms: list[tuple[str, str, str]] = []
    if ticket.kind == "repair":
        terms.append(("resolve", f"resolve.repair.{ticket.urgency}", "S3-3.3.2"))
    elif ticket.kind == "complaint" and ticket.category != "design" and not ticket.has("major_quality"):
        terms.append(("resolve", "resolve.complaint", "S3-3.3.3"))
    elif ticket.kind == "consultation":
        terms.append(("reply", "reply.consultation", "S3-3.3.1"))
    if promised:
        terms = []
    if ticket.kind in ("complaint", "suggestion") and ticket.department == "property_company":
        terms.append(("notice_property", "notice.property", "S1-5.7.1"))
    sent = bool(ticket.document("notice"))
    for name, key, rule in terms:
        term = site.term(key)
        end = due(start, term, site.calendar)
        met = start if name == "notice_property" and sent else None
        yield Deadline(name, start, end, rule, term=str(term), met=met, next_at=None if met else end)


def _party(site: Facts, word: str) -> Any:
    """The party of that id, name or address."""
    return next((p for p in site.parties if word and word in (p.id, p.name, *p.addresses)), None)


def _deadlines(item: Mapping[str, Any], started: datetime, promised: datetime | None, kind: str) -> tuple[Deadline, ...]:
    found = []
    for name, value in (item.get("deadlines") or {}).items():
        due = value.get("due") if isinstance(value, Mapping) else value
        if due:
            rule = str(value.get("rule") or "import") if isinstance(value, Mapping) else "import"
            at = datetime.fromisoformat(str(due))
            found.append(Deadline(name, started, at, rule, next_at=at))
    if promised and not any(d.name in ("resolve", "reply") for d in found):
        name = "resolve" if kind in ("complaint", "repair") else "reply"
        found.append(Deadline(name, started, promised, "S3-3.3.3", agreed=True, next_at=promised))
    return tuple(found)


def _documents(item: Mapping[str, Any]) -> tuple[Document, ...]:
    found = [Document("front_desk_ledger")]
    if item.get("notice"):
        found.append(Document("notice", str(item["notice"]), to=str(item.get("department") or "")))
    for document in item.get("documents") or ():
        if isinstance(document, Mapping) and document.get("form") not in ("front_desk_ledger", "notice"):
            found.append(Document(str(document["form"]), str(document.get("number") or "")))
    return tuple(found)


def _letters(ledger: Ledger, ticket: Ticket, item: Mapping[str, Any], now: datetime) -> None:
    """Message-IDs that went out before: an answer to one of them finds the ticket."""
    known = [(v, k) for k, v in item.items() if k.endswith("message_id") and isinstance(v, str) and v]
    known += [(x["message_id"], "letter") for x in item.get("letters") or () if isinstance(x, Mapping) and x.get("message_id")]
    for message_id, key in known:
        notice = key.startswith("notice")
        sent = _instant(item.get("sent") or item.get("notice_sent"), UTC) or ticket.started_at or now
        ledger.letter(
            {
                "ticket": ticket.id, "recipient": (ticket.department or "cs_center") if notice else "requester",
                "template": "notices/work-order" if notice else "replies/imported", "subject": ticket.subject,
                "addresses": [a for a in [str(item.get("notice_to") or "")] if a], "message_id": _bracketed(message_id),
                "in_reply_to": "", "references": [], "text": "", "html": "", "automatic": "auto-generated",
                "documents": [["notice", str(item["notice"])]] if notice and item.get("notice") else [], "attachments": [],
                "transport": "mail", "status": "sent", "hold": "", "key": "", "meets": "", "priority": 5, "attempts": 1,
                "next_attempt": None, "owner": "import", "epoch": 1, "last_answer": "imported", "created_at": now,
                "sent_at": sent, "told": True,
            }
        )  # fmt: skip


def _bracketed(message_id: str) -> str:
    text = message_id.strip()
    return text if text.startswith("<") else f"<{text}>"


def _instant(value: Any, zone: Any) -> datetime | None:
    if not value:
        return None
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=zone)
