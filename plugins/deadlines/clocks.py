"""Which promises a matter carries, by what it is (SERVICE_RULES §3). Pure: a ticket in, clocks out."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from kefud.api import Ticket

CUSTOMERS = ("owner", "anonymous", "owners_committee", "government")
"""Origins whose opinion of the property service is a customer's, and starts the eight hours (S1-5.7.1)."""

RELAYED = ("repair", "complaint", "suggestion")
FOR_SALES = ("personalisation", "house_quality", "design", "vacant_house", "handover")


@dataclass(frozen=True, slots=True)
class Clock:
    """A deadline to be started: its name, the [deadlines] key of its term, its rule, and the instant agreed, if any."""

    name: str
    key: str
    rule: str
    agreed: datetime | None = None


def wanted(ticket: Ticket) -> Iterator[Clock]:
    """The clocks a ticket of this kind, category, urgency and origin runs on from its start instant."""
    if ticket.has("inspection"):
        yield Clock("rectify", "rectify.inspection", "S1-5.7.2", instant(ticket, "rectify_by"))
        return
    if ticket.fields.get("number_hidden") and not ticket.text.strip():
        return  # nobody can call back a hidden number, and there is nothing else to promise
    if ticket.has("callback"):
        yield Clock("callback", "callback.missed_call", "S2-5.2")
        if not ticket.text.strip():
            return
    yield from _response(ticket)
    yield from _answer(ticket)
    yield from _passing_on(ticket)
    if approval_role(ticket):
        yield Clock("approval", "approval", "S0-4.2.3")
    yield from _result(ticket)


def by_standard(ticket: Ticket, clocks: Iterator[Clock], terms: Container[str]) -> Iterator[Clock]:
    """The clocks with the key of the standard that holds for the part of the category, else for the category (S2-3.2).

    ``resolve.complaint.greening`` and ``resolve.complaint.environment`` go before ``resolve.complaint``.
    """
    category, _, part = str(ticket.fields.get("subcategory") or "").partition("/")
    parts = (part, ticket.category) if part and category == ticket.category else (ticket.category,)
    for clock in clocks:
        key = next((own for name in parts if (own := f"{clock.key}.{name}") in terms), "")
        yield replace(clock, key=key) if key and not clock.agreed else clock


def resolve(ticket: Ticket) -> Clock | None:
    """The time to finish: as promised, else by kind and urgency; design and serious quality only from the plan."""
    promised = instant(ticket, "promised_at")
    if ticket.kind == "complaint":
        clock = Clock("resolve", "resolve.complaint", "S3-3.3.3", promised)
    elif ticket.kind == "repair":
        clock = Clock("resolve", f"resolve.repair.{ticket.urgency}", "S3-3.3.2", promised)
    else:
        return None
    only_by_plan = ticket.category == "design" or ticket.has("major_quality")
    return clock if promised or not only_by_plan else None


def progress(ticket: Ticket) -> Clock | None:
    """The progress message a customer with a running matter hears at least (S3-2.3.2); nobody can tell an anonymous one."""
    if ticket.origin in ("anonymous", "internal") or ticket.kind in ("praise", "liaison", "document"):
        return None
    if ticket.urgency == "normal":
        return Clock("progress", "progress.normal", "S3-2.3.2")
    return Clock("progress", "progress.urgent", "S4-3.5.2")


def approval_role(ticket: Ticket) -> str:
    """Who must decide before anything with content is said, "" where nobody (S0-4.2.3, S0-4.2.6)."""
    prefix = "approval_required:"
    return next((name.removeprefix(prefix) for name in ticket.effects if name.startswith(prefix)), "")


def instant(ticket: Ticket, field: str) -> datetime | None:
    """The instant a field holds, None where it holds none or something unreadable."""
    try:
        found = datetime.fromisoformat(str(ticket.fields.get(field) or ""))
    except ValueError:
        return None
    return found if found.tzinfo else None


def _response(ticket: Ticket) -> Iterator[Clock]:
    if ticket.origin != "anonymous":
        rule = "S4-4.1.1" if ticket.urgency == "normal" else "S4-4.1.2"
        yield Clock("first_response", f"first_response.{ticket.urgency}", rule)
    if ticket.urgency != "normal" and ticket.kind not in ("praise", "liaison", "document"):
        yield Clock("plan", f"plan.{ticket.urgency}", "S4-4.1.2")


def _answer(ticket: Ticket) -> Iterator[Clock]:
    if _writes_back_to_property(ticket):
        rule = "S1-5.7.3" if ticket.category == "vacant_house" else "S1-5.7.4"
        yield Clock("reply_to_property", "reply.property_company", rule)
    elif _writes_back_to_sales(ticket):
        yield Clock("reply_to_sales", "reply.sales", "S1-5.5.2")
    agreed = instant(ticket, "agreed_reply_at")
    if agreed:
        yield Clock("reply", "reply.consultation", "S0-4.1.3", agreed)
    elif ticket.kind == "consultation" and ticket.origin not in ("anonymous", "property_company", "sales"):
        yield Clock("reply", "reply.consultation", "S3-3.3.1")


def _passing_on(ticket: Ticket) -> Iterator[Clock]:
    opinion = ticket.kind in ("complaint", "suggestion")
    if opinion and ticket.department == "property_company" and ticket.origin in CUSTOMERS:
        yield Clock("notice_property", "notice.property", "S1-5.7.1")
    if ticket.has("major_quality"):
        yield Clock("notice_engineering", "notice.engineering_major", "S1-5.6.1")
    asked = ticket.kind not in ("consultation", "liaison", "document") and ticket.origin != "design"
    if ticket.category == "design" and ticket.department == "design" and asked:
        yield Clock("drawing", "design.drawing", "S1-5.6.3")


def _result(ticket: Ticket) -> Iterator[Clock]:
    for clock in (resolve(ticket), progress(ticket)):
        if clock:
            yield clock


def _writes_back_to_property(ticket: Ticket) -> bool:
    if ticket.has("written_reply_to:property_company"):
        return True
    numbered = any(name.startswith("incoming_notice_no:") for name in ticket.effects)
    house_matter = ticket.kind in RELAYED or ticket.category == "vacant_house"
    return ticket.origin == "property_company" and (numbered or house_matter)


def _writes_back_to_sales(ticket: Ticket) -> bool:
    handed_over = ticket.origin == "sales" and ticket.category in FOR_SALES
    return handed_over or ticket.has("written_reply_to:sales")
