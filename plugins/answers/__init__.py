"""Search the archive first: a verified, valid entry answers a single question at once (S0-4.2.1, S3-2.1.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kefud.api import (
    Decision,
    Effect,
    Heard,
    Knowledge,
    Move,
    Occasion,
    Opened,
    Reply,
    Rule,
    SetFields,
    Site,
    Ticket,
    hookimpl,
)  # fmt: skip

from .match import Archive, told_on_the_phone

OPEN = {"clubhouse"}
"""Departments whose hours and customs the office tells from its own verified entries (S0-4.1.2, S0-4.2.1)."""


class Answers:
    """Answer a consultation at once where a verified entry covers its only question."""

    name = "answers"

    def __init__(self, site: Site) -> None:
        self.site = site
        settings = site.plugin_settings("answers")
        self.archive = Archive(site.knowledge, settings.get("threshold", 0.8), settings.get("rest", 8))

    def judge(self, ticket: Ticket, occasion: Occasion) -> Iterable[Decision]:
        if isinstance(occasion, Heard):
            yield from _told_when_called_back(ticket, occasion)
            return
        if not isinstance(occasion, Opened) or not _answerable(ticket):
            return
        call = occasion.message.call
        if call:
            if told_on_the_phone(call.result) and not ticket.has("forbidden_phrase_by_agent") and not ticket.joint:
                yield from _settled(ticket, call.result, "来电当场答复")
        elif occasion.may_answer and occasion.message.medium == "mail" and ticket.reply_address:
            entry = self._entry(ticket, occasion)
            if entry:
                yield from _answered(ticket, entry)

    def _entry(self, ticket: Ticket, occasion: Opened) -> Knowledge | None:
        day = self.site.calendar.local(ticket.started_at or occasion.message.received_at).date()
        found = self.archive.find(ticket.subject, ticket.text, day)
        return found if found and set(ticket.joint) <= _spoken_for(found) else None


def _told_when_called_back(ticket: Ticket, occasion: Heard) -> Iterator[Decision]:
    """The caller was missed, called back, and told the answer there and then (S2-5.2, S3-2.1.3)."""
    call = occasion.message.call
    asked = ticket.kind == "consultation" and ticket.status == "triaged" and ticket.has("callback") and not ticket.joint
    if not asked or not call or call.direction != "out" or call.status != "answered":
        return
    noted = "。".join(filter(None, (call.content, call.result)))
    if told_on_the_phone(noted) and not ticket.has("forbidden_phrase_by_agent"):
        yield from _settled(ticket, noted, "回拨时当场答复")


def _answerable(ticket: Ticket) -> bool:
    asked = ticket.kind == "consultation" and ticket.status == "triaged"
    reserved = any(name.startswith("approval_required:") for name in ticket.effects)
    waiting = ticket.has("callback") or bool(ticket.fields.get("agreed_reply_at"))
    return asked and not (reserved or waiting or ticket.dispute or ticket.important or ticket.urgency != "normal")


def _answered(ticket: Ticket, entry: Knowledge) -> Iterator[Decision]:
    why = f"知识库条目“{entry.topic}”已核实,在有效期内"
    yield SetFields({"knowledge_topic": entry.topic}, rule="S0-4.1.2", why=why)
    if ticket.joint:
        given = {**(ticket.fields.get("contributions") or {}), **dict.fromkeys(ticket.joint, entry.answer)}
        yield SetFields({"contributions": given}, rule="S0-4.2.2", why=why)
    data = {"answer": entry.answer, "source": entry.source, "topic": entry.topic}
    yield Reply("replies/answer", data, meets="reply", rule="S0-4.2.1", why=why)
    yield from _settled(ticket, entry.answer, why)


def _spoken_for(entry: Knowledge) -> set[str]:
    """Departments whose contribution the entry is."""
    return OPEN | {entry.department}


def _settled(ticket: Ticket, answer: str, why: str) -> Iterator[Decision]:
    yield SetFields({"answer": answer}, rule="S0-1.0", why=why)
    yield Effect(("instant_answer",), rule="S0-4.2.1", why=why)
    yield Move("answered", rule="S0-4.2.1", why=why)
    yield Move("closed", rule="S0-1.0", why="咨询已答复")


SETTINGS = ("threshold", "rest")
"""Keys of [plugin.answers]."""


@hookimpl
def register_rules(site: Site) -> list[Rule]:
    return [Answers(site)]
