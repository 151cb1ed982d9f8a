"""Each step of each deadline happens once and to the right people; letters that come back are sent again."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kefud.api import (
    AddTask,
    Bounce,
    Deadline,
    Document,
    Due,
    Escalate,
    Reminded,
    Reply,
    Requester,
    Returned,
    Site,
    StartClock,
    Ticket,
    Write,
)
from kefud.config import load
from kefud.desk.ticket import Task
from kefud.desk.triage import Outcome, deliberate
from kefud.testing import rule_contract

from . import Escalation

TOML = """
[calendar]
builtin = false

[[party]]
id = "property_company"
name = "样例物业服务有限公司"
kind = "property_company"
addresses = ["wuye@property.example.com"]
fallback = "wuye-backup@property.example.com"
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "kefud.toml").write_text(TOML, "utf-8")
    return load(tmp_path / "kefud.toml").site


def when(text: str) -> datetime:
    return datetime.fromisoformat(f"2025-{text}:00+08:00")


def clock(name: str, start: str, end: str, term: str, steps: int = 0) -> Deadline:
    return Deadline(name, when(start), when(end), "S3-3.3.3", term, steps=steps, next_at=when(start))


def complaint(*clocks: Deadline, **values: Any) -> Ticket:
    given = {"kind": "complaint", "status": "assigned", "department": "property_company", "handler": "cs_specialist"}
    return Ticket(**{**given, "requester": Requester(email="a@example.com"), "deadlines": clocks, **values})


def due(site: Site, ticket: Ticket, name: str, at: str) -> Outcome:
    return deliberate(ticket, Due(when(at), name, ""), [Escalation(site)])


def sent(outcome: Outcome, template: str) -> list[str]:
    return [d.to for d in outcome.decisions if isinstance(d, Write) and d.template == template]


def resolve(steps: int = 0) -> Deadline:
    return clock("resolve", "03-03T09:00", "03-06T17:00", "3 calendar_days", steps)


def test_at_half_time_department_and_handler_are_chased(site: Site) -> None:
    outcome = due(site, complaint(resolve()), "resolve", "03-05T01:00")
    assert sent(outcome, "reports/chaser") == ["department", "handler"]
    reminded = next(d for d in outcome.decisions if isinstance(d, Reminded))
    assert reminded.steps == 1 and reminded.next_at == when("03-06T01:00")


def test_nothing_happens_twice_or_too_early(site: Site) -> None:
    outcome = due(site, complaint(resolve(steps=1)), "resolve", "03-05T02:00")
    assert [type(d) for d in outcome.decisions] == [Reminded]


def test_of_several_steps_missed_only_the_last_is_sent(site: Site) -> None:
    outcome = due(site, complaint(resolve()), "resolve", "03-10T12:00")
    assert {d.data["step"] for d in outcome.decisions if isinstance(d, Write) and d.template == "reports/chaser"} == {"+4"}
    deadline = outcome.ticket.deadline("resolve")
    assert deadline and (deadline.steps, deadline.next_at) == (7, when("03-11T08:30"))


def test_the_ladder_is_climbed_one_rung_at_a_time(site: Site) -> None:
    ticket, told = complaint(resolve(steps=2)), []
    for at in ("03-06T17:00", "03-07T08:30", "03-08T09:00", "03-09T09:00", "03-10T08:30"):
        outcome = due(site, ticket, "resolve", at)
        told += [d.to for d in outcome.decisions if isinstance(d, Escalate)]
        ticket = outcome.ticket
    assert told == ["cs_supervisor", "cs_manager", "leader_in_charge", "leadership"]


def test_the_ladder_is_the_one_frozen_with_the_ticket(site: Site) -> None:
    ticket = complaint(resolve(steps=2), fields={"ladder": ["leader_in_charge"]})
    outcome = due(site, ticket, "resolve", "03-06T17:00")
    assert [d.to for d in outcome.decisions if isinstance(d, Escalate)] == ["leader_in_charge"]


def test_an_overdue_department_is_told_to_the_property_manager(site: Site) -> None:
    assert "property_manager" in sent(due(site, complaint(resolve(steps=2)), "resolve", "03-06T17:00"), "reports/escalation")


def test_joint_departments_that_are_silent_are_chased(site: Site) -> None:
    ticket = complaint(
        clock("reply", "03-10T10:15", "03-10T16:00", ""), kind="consultation", department="cs_center",
        joint=("clubhouse", "finance"), fields={"contributions": {"finance": "免费"}},
    )  # fmt: skip
    assert sent(due(site, ticket, "reply", "03-10T13:10"), "reports/chaser") == ["clubhouse", "handler"]


def test_a_silent_approver_is_passed_over(site: Site) -> None:
    approval = clock("approval", "03-04T16:50", "03-05T13:20", "4 service_hours", 2)
    ticket = complaint(approval, kind="consultation", status="need_approval", effects=("approval_required:pm_dept_manager",))
    outcome = due(site, ticket, "approval", "03-05T13:20")
    assert sent(outcome, "reports/approval-request") == ["director"]
    assert outcome.ticket.fields["approval_asked"] == ["pm_dept_manager", "director"]


def test_progress_is_told_and_set_again(site: Site) -> None:
    progress = clock("progress", "03-03T09:00", "03-05T17:00", "2 calendar_days")
    outcome = due(site, complaint(progress), "progress", "03-05T17:00")
    reply = next(d for d in outcome.decisions if isinstance(d, Reply))
    again = next(d for d in outcome.decisions if isinstance(d, StartClock))
    assert reply.template == "replies/progress" and reply.data["progress"] and again.due == when("03-07T17:00")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"kind": "consultation", "department": "cs_center", "status": "handled"}, "意见已齐,正在拟定答复"),
        ({"kind": "suggestion", "status": "handled"}, "意见已齐,正在拟定答复"),
        ({"kind": "suggestion", "status": "handled", "tasks": (Task("verify", "cs_clerk", None, "请验收"),)}, "正在验收"),
        ({"kind": "repair", "status": "handled"}, "正在验收"),
        ({"status": "acknowledged", "tasks": (Task("coordinate", "property_manager", None, "退回"),)}, "正在协调落实责任部门"),
        ({"status": "acknowledged"}, "责任部门已签收"),
    ],
)
def test_progress_says_how_the_matter_stands(site: Site, values: dict[str, Any], told: str) -> None:
    progress = clock("progress", "03-03T09:00", "03-05T17:00", "2 calendar_days")
    outcome = due(site, complaint(progress, **values), "progress", "03-05T17:00")
    assert [told in d.data["progress"] for d in outcome.decisions if isinstance(d, Reply)] == [True]


def test_progress_is_told_before_its_limit_and_not_twice(site: Site) -> None:
    progress = clock("progress", "03-03T09:00", "03-05T17:00", "2 calendar_days")
    told = due(site, complaint(progress), "progress", "03-05T16:30").ticket
    met = [d.met for d in told.deadlines if d.name == "progress" and d.met]
    assert met == [when("03-05T16:30")] and met[0] <= progress.due
    running = told.deadline("progress")
    assert running and running.next_at == when("03-07T16:30")
    assert not [d for d in due(site, complaint(progress), "progress", "03-05T16:29").decisions if isinstance(d, Reply)]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"progress_at": "2025-03-03T10:00:00+08:00", "progress_by": "property_company"}, "3月3日报告:已安排,明天上午到场"),
        ({"progress_at": "2025-03-03T10:00:00+08:00", "progress_by": "cs_manager"}, "3月3日告知:已安排,明天上午到场"),
        ({"progress_at": "2025-03-05T10:00:00+08:00", "progress_by": "property_company"}, "已安排,明天上午到场"),
        ({}, "责任部门正在处理,我们持续跟进。"),
    ],
)
def test_what_was_said_on_another_day_bears_its_day(site: Site, fields: dict[str, str], told: str) -> None:
    """S3-2.3.2: 明天 of the day before yesterday is not tomorrow."""
    progress = clock("progress", "03-03T09:00", "03-05T17:00", "2 calendar_days")
    ticket = complaint(progress, status="in_progress", fields={"progress_note": "已安排,明天上午到场", **fields})
    outcome = due(site, ticket, "progress", "03-05T17:00")
    assert [d.data["progress"] for d in outcome.decisions if isinstance(d, Reply)] == [told]


def test_who_has_not_signed_is_called_by_name(site: Site) -> None:
    """A joint notice that nobody signs for: the department that was asked, not our own centre (S0-4.2.2)."""
    silent = clock("acknowledge", "03-03T10:00", "03-03T15:00", "4 service_hours")
    question = complaint(silent, kind="consultation", department="cs_center", joint=("finance",))
    outcome = due(site, question, "acknowledge", "03-03T15:00")
    [told] = [d for d in outcome.decisions if isinstance(d, Write) and d.template == "reports/escalation"]
    assert "财务" in told.data["reason"] and "客户服务中心" not in told.data["reason"]


def test_who_cannot_be_written_to_is_called_with_progress(site: Site) -> None:
    progress = clock("progress", "03-03T09:00", "03-05T17:00", "2 calendar_days")
    outcome = due(site, complaint(progress, requester=Requester(phone="13800000201")), "progress", "03-05T17:00")
    assert [d.kind for d in outcome.decisions if isinstance(d, AddTask)] == ["progress"]


def test_each_joint_department_is_called_about_its_own_notice(site: Site) -> None:
    """Who has contributed is not called; the number is that of the notice the other got."""
    papers = (Document("notice", "客联〔2025〕001号", to="design"), Document("notice", "客联〔2025〕002号", to="engineering"))
    both = {"department": "cs_center", "kind": "consultation", "joint": ("design", "engineering"), "documents": papers}
    silent = clock("sign_off", "03-03T10:00", "03-03T12:00", "2 service_hours")
    for given, said in ({}, "客联〔2025〕001号、客联〔2025〕002号"), ({"engineering": "可行"}, "联系单客联〔2025〕001号发出"):
        ticket = complaint(silent, **both, fields={"contributions": given})  # type: ignore[arg-type]
        outcome = due(site, ticket, "sign_off", "03-03T12:00")
        assert [d.text for d in outcome.decisions if isinstance(d, AddTask) and said in d.text]


def test_a_notice_not_signed_for_becomes_a_phone_call_then_a_matter_for_the_property_manager(site: Site) -> None:
    silent = (
        clock("sign_off", "03-03T10:00", "03-03T12:00", "2 service_hours"),
        clock("acknowledge", "03-03T10:00", "03-03T15:00", "4 service_hours"),
    )
    called = due(site, complaint(*silent), "sign_off", "03-03T12:00")
    assert [d.kind for d in called.decisions if isinstance(d, AddTask)] == ["phone"]
    stuck = due(site, complaint(*silent), "acknowledge", "03-03T15:00")
    assert sent(stuck, "reports/escalation") == ["property_manager"]
    deadline = stuck.ticket.deadline("acknowledge")
    assert deadline and deadline.next_at is None


def test_an_emergency_is_alarmed_again_until_someone_signs(site: Site) -> None:
    alarm = clock("acknowledge", "03-03T22:00", "03-03T22:05", "5 clock_minutes")
    ticket = complaint(alarm, kind="repair", urgency="emergency")
    first = due(site, ticket, "acknowledge", "03-03T22:05")
    assert sent(first, "reports/emergency") == ["duty_officer", "property_company"]
    again = due(site, first.ticket, "acknowledge", "03-03T22:10")
    assert "property_manager" in sent(again, "reports/emergency")
    deadline = again.ticket.deadline("acknowledge")
    assert deadline and deadline.next_at == when("03-03T22:15")


def test_an_important_matter_climbs_every_half_hour(site: Site) -> None:
    ticket = complaint(clock("important", "03-03T22:00", "03-03T22:30", "30 clock_minutes"), notify=("cs_supervisor",))
    told: list[str] = []
    for at in ("03-03T22:30", "03-03T23:00", "03-03T23:30", "03-04T00:00"):
        outcome = due(site, ticket, "important", at)
        told += sent(outcome, "reports/important")
        ticket = outcome.ticket
    assert told == ["cs_manager", "leader_in_charge", "leadership"]
    deadline = ticket.deadline("important")
    assert deadline and deadline.next_at is None


def bounced(template: str, to: str, address: str, document: str = "") -> Returned:
    bounce = Bounce(("<1@x>",), (address,), "5.1.1", "no such user")
    return Returned(when("03-03T15:46"), "<1@x>", template, to, address, document, bounce)


def test_a_bounced_notice_goes_to_the_other_address_under_its_number(site: Site) -> None:
    notice = Document("notice", "客联〔2025〕001号", to="property_company", data={"number": "客联〔2025〕001号"})
    clocks = clock("notice_property", "03-03T10:12", "03-03T18:12", "8 clock_hours")
    ticket = complaint(clocks, documents=(notice,))
    back = bounced("notices/work-order", "property_company", "wuye@property.example.com", notice.number)
    outcome = deliberate(ticket, back, [Escalation(site)])
    assert {"notice_undelivered:客联〔2025〕001号", "resend_to:wuye-backup@property.example.com"} <= set(outcome.ticket.effects)
    resent = next(d for d in outcome.decisions if isinstance(d, Write) and d.template == "notices/work-order")
    assert resent.to == "wuye-backup@property.example.com" and resent.data["notice"]["number"] == notice.number
    assert sent(outcome, "reports/undelivered") == ["handler", "cs_supervisor"]
    assert outcome.ticket.deadline("notice_property") == clocks


def test_a_notice_refused_everywhere_is_delivered_by_hand(site: Site) -> None:
    back = bounced("notices/work-order", "property_company", "wuye-backup@property.example.com", "客联〔2025〕001号")
    outcome = deliberate(complaint(), back, [Escalation(site)])
    assert [d.kind for d in outcome.decisions if isinstance(d, AddTask)] == ["deliver"]


def test_a_bounced_acknowledgement_becomes_a_call(site: Site) -> None:
    back = bounced("replies/acknowledgement", "requester", "a@example.com")
    outcome = deliberate(complaint(), back, [Escalation(site)])
    [call] = [d for d in outcome.decisions if isinstance(d, AddTask)]
    assert call.kind == "call" and "不算已告知" in call.text
    assert call.due and back.at < call.due < back.at + timedelta(days=1), "as soon as a first answer"


def test_a_report_about_a_bounce_that_bounces_starts_no_chain(site: Site) -> None:
    back = bounced("reports/undelivered", "cs_supervisor", "x@example.com")
    first = deliberate(complaint(), back, [Escalation(site)])
    assert not [d for d in first.decisions if isinstance(d, Write)]
    assert not [d for d in deliberate(first.ticket, back, [Escalation(site)]).decisions if isinstance(d, AddTask)]


def test_closed_tickets_are_left_in_peace(site: Site) -> None:
    outcome = due(site, complaint(resolve(), status="withdrawn"), "resolve", "03-07T12:00")
    assert [type(d) for d in outcome.decisions] == [Reminded]


def test_ten_years_late_is_still_one_reminder(site: Site) -> None:
    ticket = complaint(resolve())
    at = when("03-07T12:00").replace(year=2035)
    outcome = deliberate(ticket, Due(at, "resolve", "100"), [Escalation(site)])
    assert len(sent(outcome, "reports/chaser")) == 2


def test_the_rule_keeps_the_contract(site: Site) -> None:
    rule_contract(Escalation(site))
