"""One acknowledgement to those who can be answered, none to anybody else."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from kefud.api import Address, AddTask, Author, Deadline, Heard, Message, Opened, Reply, Requester, Ticket
from kefud.desk.triage import deliberate
from kefud.testing import rule_contract

from . import Acknowledge

START = datetime.fromisoformat("2025-03-03T09:00:00+08:00")
RESOLVE = Deadline("resolve", START, START.replace(hour=17), "S3-3.3.3")
SENDER = Address("何样板", "a@example.com")


def replies(ticket: Ticket, message: Message | None = None, **occasion: Any) -> list[Reply]:
    message = message or Message("mail", START, sender=SENDER)
    outcome = deliberate(ticket, Opened(START, message, **occasion), [Acknowledge()])
    return [d for d in outcome.decisions if isinstance(d, Reply)]


def complaint(**values: Any) -> Ticket:
    given = {"kind": "complaint", "handler": "cs_specialist", "status": "triaged", "deadlines": (RESOLVE,)}
    person = Requester("何样板", "13800000201", SENDER.email)
    return Ticket(**{**given, "requester": person, **values})


def test_a_complaint_is_acknowledged_with_an_apology_and_counts_as_response() -> None:
    [reply] = replies(complaint())
    assert (reply.template, reply.meets) == ("replies/acknowledgement-complaint", "first_response")


def test_without_handler_or_time_it_is_no_response() -> None:
    assert replies(complaint(deadlines=()))[0].meets == ""
    assert replies(complaint(handler=None))[0].meets == ""


def test_only_the_last_part_is_acknowledged() -> None:
    assert not replies(complaint(), part=1, parts=2)
    assert len(replies(complaint(), part=2, parts=2)) == 1


@pytest.mark.parametrize("kinds", [("complaint", "repair"), ("repair", "complaint", "repair")])
def test_a_complaint_among_several_matters_gets_its_apology(kinds: tuple[str, ...]) -> None:
    """Wherever in the mail it stands."""
    [reply] = replies(complaint(kind="repair"), part=len(kinds), parts=len(kinds), kinds=kinds)
    assert reply.template == "replies/acknowledgement-complaint"


def test_everything_missing_is_asked_for_at_once() -> None:
    assert replies(complaint(fields={"missing": ["房号", "发生时间"]}))[0].data["missing"] == ["房号", "发生时间"]


def test_rude_words_get_the_calm_letter() -> None:
    assert replies(complaint(fields={"insults": True}))[0].template == "replies/calm"


@pytest.mark.parametrize("origin", ["property_company", "sales", "government"])
def test_offices_get_a_short_letter(origin: str) -> None:
    assert replies(complaint(kind="liaison", origin=origin))[0].template == "replies/acknowledgement-letter"


@pytest.mark.parametrize(
    ("ticket", "message", "may_answer"),
    [
        (complaint(origin="anonymous"), None, True),
        (complaint(), None, False),
        (complaint(), Message("mail", START, sender=SENDER, automatic="auto-replied"), True),
        (complaint(), Message("paper", START), True),
        (complaint(requester=Requester("何样板")), Message("mail", START), True),
        (complaint(effects=("approval_required:pm_dept_manager",)), None, True),
        (complaint(kind="consultation", effects=("instant_answer",)), None, True),
    ],
)
def test_no_acknowledgement_where_none_may_or_need_be(ticket: Ticket, message: Message | None, may_answer: bool) -> None:
    assert not replies(ticket, message, may_answer=may_answer)


def test_who_cannot_be_written_to_is_called() -> None:
    clock = Deadline("first_response", START, START.replace(hour=10), "S4-4.1.1")
    ticket = complaint(deadlines=(clock,), requester=Requester("何样板", "13800000201"))
    [task] = deliberate(ticket, Opened(START, Message("paper", START)), [Acknowledge()]).decisions
    assert isinstance(task, AddTask) and (task.kind, task.due) == ("respond", clock.due)


def test_a_merged_message_is_told_where_it_went() -> None:
    heard = Heard(START, Message("mail", START, sender=SENDER), Author("requester"), merged=True)
    [reply] = deliberate(complaint(), heard, [Acknowledge()]).decisions
    assert isinstance(reply, Reply) and reply.template == "replies/merged"


def test_the_rule_keeps_the_contract() -> None:
    rule_contract(Acknowledge())
