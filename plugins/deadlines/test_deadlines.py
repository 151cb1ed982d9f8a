"""The clocks of the twelve samples, and what starts, stops and drops them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kefud.api import Call, Corrected, Delivered, DropClock, Heard, Message, Moved, Opened, Ordered, Requester, Site, Ticket
from kefud.config import load
from kefud.desk.occasions import Author
from kefud.desk.triage import apply, deliberate
from kefud.testing import rule_contract

from . import Deadlines

TOML = """
[calendar]
builtin = false
public_holidays = [2025-04-04, 2025-04-05, 2025-04-06, 2025-05-01, 2025-05-02, 2025-05-03, 2025-05-04, 2025-05-05]
makeup_working_days = [2025-04-27]
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "kefud.toml").write_text(TOML, "utf-8")
    return load(tmp_path / "kefud.toml").site


def when(text: str) -> datetime:
    return datetime.fromisoformat(f"2025-{text}+08:00")


def matter(start: str, **values: Any) -> Ticket:
    owner = Requester("何样板", email="a@example.com")
    given = {"handler": "cs_clerk", "status": "triaged", "text": "来件内容", "requester": owner}
    return Ticket(started_at=when(start), **{**given, **values})


def opened(site: Site, ticket: Ticket, call: Call | None = None) -> Ticket:
    assert ticket.started_at
    message = Message("call" if call else "mail", ticket.started_at, call=call)
    return deliberate(ticket, Opened(ticket.started_at, message), [Deadlines(site)]).ticket


def dues(ticket: Ticket) -> dict[str, datetime]:
    return {d.name: d.due for d in ticket.deadlines if not d.dropped}


def answered_call(start: str) -> Call:
    return Call("A1", when(start), "in", "answered")


SAMPLES: list[tuple[str, Ticket, dict[str, str]]] = [
    ("E01", matter("03-03T09:05:10", kind="complaint", category="attitude", department="property_company"),
     {"first_response": "03-03T09:35:10", "notice_property": "03-03T17:05:10", "resolve": "03-06T17:00:00"}),
    ("E02", matter("03-04T16:50:00", category="utility_fee", effects=("approval_required:pm_dept_manager",)),
     {"first_response": "03-05T08:50:00", "approval": "03-05T13:20:00", "reply": "03-05T17:00:00"}),
    ("E03", matter("03-05T14:30:00", kind="repair", category="house_quality", origin="property_company",
                   department="contractor"),
     {"first_response": "03-05T15:00:00", "reply_to_property": "03-08T17:00:00"}),
    ("E04", matter("03-06T11:20:00", kind="liaison", category="sales_policy", origin="sales"),
     {"first_response": "03-06T11:50:00"}),
    ("E05", matter("04-02T09:40:00", kind="complaint", category="design", department="design", joint=("engineering",)),
     {"first_response": "04-02T10:10:00", "drawing": "04-08T17:00:00"}),
    ("C01", matter("03-10T07:50:33", kind="repair", category="facility", urgency="emergency", department="property_company"),
     {"plan": "03-10T09:50:33", "resolve": "03-11T07:50:33"}),
    ("C02", matter("03-10T10:15:00", joint=("clubhouse",), fields={"agreed_reply_at": "2025-03-10T16:00:00+08:00"}),
     {"reply": "03-10T16:00:00"}),
    ("C04", matter("03-12T16:48:00", effects=("callback",), text=""), {"callback": "03-13T08:48:00"}),
    ("L01", matter("03-11T10:00:00", kind="suggestion", category="environment", department="property_company"),
     {"first_response": "03-11T10:30:00", "notice_property": "03-11T18:00:00"}),
    ("L02", matter("03-11T10:00:00", kind="complaint", category="environment", department="property_company",
                   origin="anonymous"),
     {"notice_property": "03-11T18:00:00", "resolve": "03-14T17:00:00"}),
    ("L03a", matter("03-13T10:00:00", category="leasing", joint=("leasing",)),
     {"first_response": "03-13T10:30:00", "reply": "03-14T17:00:00"}),
    ("L03b", matter("03-13T10:00:00", kind="repair", category="facility", urgency="urgent", department="property_company"),
     {"first_response": "03-13T10:15:00", "plan": "03-13T14:00:00", "resolve": "03-14T10:00:00"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "ticket", "expected"), SAMPLES, ids=[s[0] for s in SAMPLES])
def test_samples_are_due_when_the_rules_say(site: Site, name: str, ticket: Ticket, expected: dict[str, str]) -> None:
    found = dues(opened(site, ticket))
    assert {key: found.get(key) for key in expected} == {key: when(value) for key, value in expected.items()}


@pytest.mark.parametrize(
    ("sample", "absent"),
    [("E02", "notice_property"), ("E03", "notice_property"), ("E04", "reply_to_sales"), ("E05", "resolve"),
     ("C04", "reply"), ("L02", "first_response"), ("L03b", "notice_property")],
)  # fmt: skip
def test_clocks_that_do_not_belong_are_not_opened(site: Site, sample: str, absent: str) -> None:
    ticket = next(t for name, t, _ in SAMPLES if name == sample)
    assert absent not in dues(opened(site, ticket))


def test_an_answered_call_is_a_response_at_once(site: Site) -> None:
    ticket = opened(site, SAMPLES[5][1], answered_call("03-10T07:50:33"))
    response = ticket.deadline("first_response")
    assert response and response.met == when("03-10T07:50:33") and ticket.has("first_response_met")


def test_a_delivered_acknowledgement_is_a_response(site: Site) -> None:
    ticket = opened(site, SAMPLES[0][1])
    sent = Delivered(when("03-03T09:06:00"), "<1@x>", "replies/acknowledgement", "requester", meets="first_response")
    response = deliberate(ticket, sent, [Deadlines(site)]).ticket.deadline("first_response")
    assert response and response.met == sent.at


def test_calling_back_meets_the_callback(site: Site) -> None:
    ticket = opened(site, SAMPLES[7][1])
    call = Call("B1", when("03-13T08:40:00"), "out", "answered")
    heard = Heard(when("03-13T09:00:00"), Message("call", when("03-13T08:40:00"), call=call), Author("agent", verified=True))
    callback = deliberate(ticket, heard, [Deadlines(site)]).ticket.deadline("callback")
    assert callback and callback.met == when("03-13T08:40:00")


def test_verified_repairs_are_visited_within_three_days(site: Site) -> None:
    ticket = opened(site, SAMPLES[2][1]).changed(status="verified")
    moved = Moved(when("03-10T11:00:00"), "handled", "verified")
    assert dues(deliberate(ticket, moved, [Deadlines(site)]).ticket)["visit"] == when("03-13T17:00:00")


@pytest.mark.parametrize(("verified", "asked"), [("03-10T16:00:00", "03-12T08:30:00"), ("03-10T08:00:00", "03-12T08:30:00")])
def test_nobody_is_visited_at_night(site: Site, verified: str, asked: str) -> None:
    """Half of the term ends at any hour; the customer is asked when the office is open."""
    ticket = opened(site, SAMPLES[2][1]).changed(status="verified")
    visit = deliberate(ticket, Moved(when(verified), "handled", "verified"), [Deadlines(site)]).ticket.deadline("visit")
    assert visit and visit.next_at == when(asked)


@pytest.mark.parametrize("to", ["answered", "visiting"])
def test_a_visit_is_due_however_the_ticket_came_to_it(site: Site, to: str) -> None:
    ticket = opened(site, SAMPLES[2][1]).changed(status=to)
    after = deliberate(ticket, Moved(when("03-10T11:00:00"), "verified", to), [Deadlines(site)]).ticket
    assert dues(after)["visit"] == when("03-13T17:00:00")
    later = deliberate(after, Moved(when("03-11T11:00:00"), "answered", to), [Deadlines(site)]).ticket
    assert dues(later)["visit"] == when("03-13T17:00:00")


def test_what_becomes_an_emergency_must_be_signed_for_and_known(site: Site) -> None:
    was = opened(site, SAMPLES[2][1])
    now = was.changed(urgency="emergency", deadlines=())
    after = deliberate(now, Corrected(when("03-10T11:00:00"), "classify", "cs_clerk", was), [Deadlines(site)]).ticket
    assert dues(after)["acknowledge"] == when("03-10T11:05:00") and "important" in dues(after)


def test_a_new_round_counts_from_the_visit_call(site: Site) -> None:
    fields = {"round_started_at": "2025-03-12T15:05:00+08:00", "round_medium": "call"}
    ticket = matter("03-06T09:00:00", kind="repair", category="facility", status="reopened", round=2, fields=fields)
    after = deliberate(ticket, Moved(when("03-12T15:30:00"), "visiting", "reopened"), [Deadlines(site)]).ticket
    assert dues(after)["resolve"] == when("03-19T17:00:00")
    assert "first_response" not in dues(after)


def test_a_promise_is_the_time_to_finish_and_wins(site: Site) -> None:
    ticket = matter("03-03T09:00:00", kind="complaint", fields={"promised_at": "2025-03-04T12:00:00+08:00"})
    resolve = opened(site, ticket).deadline("resolve")
    assert resolve and resolve.agreed and resolve.due == when("03-04T12:00:00")


def test_design_matters_finish_when_the_plan_promises(site: Site) -> None:
    ticket = opened(site, SAMPLES[4][1])
    order = Ordered(when("04-08T10:00:00"), "plan", "cs_specialist", {"promised_at": "2025-05-20T17:00:00+08:00"})
    assert dues(deliberate(ticket, order, [Deadlines(site)]).ticket)["resolve"] == when("05-20T17:00:00")


def test_serious_quality_reaches_engineering_within_the_hour(site: Site) -> None:
    ticket = matter("03-08T22:40:00", kind="complaint", category="house_quality", effects=("major_quality",))
    found = dues(opened(site, ticket))
    assert found["notice_engineering"] == when("03-08T23:40:00") and "resolve" not in found


def test_personal_wishes_from_sales_are_answered_to_sales(site: Site) -> None:
    ticket = matter("03-05T09:00:00", kind="liaison", category="personalisation", origin="sales")
    assert dues(opened(site, ticket))["reply_to_sales"] == when("03-08T17:00:00")


def test_a_corrected_class_keeps_the_start(site: Site) -> None:
    ticket = opened(site, matter("03-03T09:00:00"))
    order = Ordered(when("03-03T15:00:00"), "classify", "cs_clerk", {"kind": "complaint", "department": "property_company"})
    outcome = deliberate(ticket, order, [Deadlines(site)])
    assert dues(outcome.ticket)["notice_property"] == when("03-03T17:00:00")
    assert [d.name for d in outcome.decisions if isinstance(d, DropClock)] == ["reply"]


def test_while_the_kind_is_in_doubt_the_earlier_deadline_applies(site: Site) -> None:
    ticket = matter("03-03T09:00:00", kind="repair", fields={"possible_kinds": ["complaint"]})
    assert dues(opened(site, ticket))["resolve"] == when("03-06T17:00:00")


def test_a_notice_that_left_waits_for_the_signature(site: Site) -> None:
    ticket = matter("03-03T09:00:00", kind="complaint", status="assigned")
    left = Delivered(when("03-03T10:00:00"), "<1@x>", "notices/work-order", "property_company")
    found = dues(deliberate(ticket, left, [Deadlines(site)]).ticket)
    assert (found["sign_off"], found["acknowledge"]) == (when("03-03T12:00:00"), when("03-03T15:00:00"))


def test_an_emergency_wants_a_signature_within_minutes(site: Site) -> None:
    assert dues(opened(site, SAMPLES[5][1]))["acknowledge"] == when("03-10T07:55:33")


def test_nothing_runs_on_after_withdrawal(site: Site) -> None:
    ticket = opened(site, SAMPLES[0][1]).changed(status="withdrawn")
    after = deliberate(ticket, Moved(when("03-03T10:00:00"), "assigned", "withdrawn"), [Deadlines(site)]).ticket
    assert not [d for d in after.deadlines if d.open]


def test_the_first_chaser_wakes_at_half_time(site: Site) -> None:
    ticket = opened(site, SAMPLES[0][1])
    notice = ticket.deadline("notice_property")
    assert notice and notice.next_at == when("03-03T13:05:10")


def test_every_decision_can_be_applied(site: Site) -> None:
    ticket = SAMPLES[8][1]
    assert ticket.started_at
    for decision in Deadlines(site).judge(ticket, Opened(ticket.started_at, Message("paper", ticket.started_at))):
        ticket = apply(ticket, decision, when("03-11T10:00:00"))
    assert len(ticket.deadlines) == 3


def test_the_rule_keeps_the_contract(site: Site) -> None:
    rule_contract(Deadlines(site))


def test_a_caller_who_was_called_back_gets_an_answer_in_a_day(site: Site) -> None:
    """What was asked is known now, and nothing else runs (S3-3.3.1)."""
    ticket = matter("03-12T16:48:00", effects=("callback",), text="")
    missed = Opened(when("03-12T16:50:00"), Message("call", when("03-12T16:48:00")))
    opened = deliberate(ticket.changed(status="triaged"), missed, [Deadlines(site)])
    call = Call("C05", when("03-13T08:40:00"), "out", "answered", content="业主咨询停车收费,待核实")
    heard = Heard(when("03-13T08:45:00"), Message("call", when("03-13T08:40:00"), call=call), Author("agent", "8001", True))
    reply = deliberate(opened.ticket, heard, [Deadlines(site)]).ticket.deadline("reply")
    assert reply and reply.due == when("03-14T17:00:00")


def with_standards(folder: Path) -> Site:
    own = '"resolve.complaint.greening" = "14 calendar_days"\n"resolve.complaint.environment" = "2 calendar_days"\n'
    (folder / "kefud.toml").write_text(f"{TOML}\n[deadlines]\n{own}", "utf-8")
    return load(folder / "kefud.toml").site


@pytest.mark.parametrize(
    ("category", "part", "end"),
    [
        ("environment", "environment/greening", "03-17T17:00:00"),
        ("environment", "environment/cleaning", "03-05T17:00:00"),
        ("environment", "", "03-05T17:00:00"),
        ("facility", "facility/lift", "03-06T17:00:00"),
        ("facility", "environment/greening", "03-06T17:00:00"),
    ],
)
def test_a_part_of_a_category_has_terms_of_its_own(tmp_path: Path, category: str, part: str, end: str) -> None:
    ticket = matter("03-03T09:00:00", kind="complaint", category=category, fields={"subcategory": part})
    assert dues(opened(with_standards(tmp_path), ticket))["resolve"] == when(end)


def test_a_corrected_category_takes_the_terms_of_its_standard(tmp_path: Path) -> None:
    site = with_standards(tmp_path)
    ticket = opened(site, matter("03-03T09:00:00", kind="complaint", category="facility"))
    order = Ordered(when("03-03T10:00:00"), "classify", "cs_clerk", {"category": "environment"})
    assert dues(deliberate(ticket, order, [Deadlines(site)]).ticket)["resolve"] == when("03-05T17:00:00")
