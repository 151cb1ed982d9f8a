"""Nothing with content leaves before the approver's word, and then exactly that word."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kefud.api import (
    Address,
    AddTask,
    Author,
    Draw,
    Heard,
    Message,
    Opened,
    Ordered,
    Reply,
    Requester,
    Site,
    Ticket,
    Write,
    signed,
)
from kefud.config import load
from kefud.desk.triage import Outcome, deliberate
from kefud.testing import rule_contract

from . import Approvals

START = datetime.fromisoformat("2025-03-04T16:50:00+08:00")
ROLES = '[[role]]\nid = "pm_dept_manager"\naddress = "pm@estate.example.com"\n'


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "kefud.toml").write_text(ROLES, "utf-8")
    return load(tmp_path / "kefud.toml").site


def question(**values: Any) -> Ticket:
    given = {"status": "triaged", "handler": "cs_clerk", "effects": ("approval_required:pm_dept_manager",)}
    return Ticket(**{**given, "category": "utility_fee", "requester": Requester(email="a@example.com"), **values})


def opened(site: Site, ticket: Ticket, **occasion: Any) -> Outcome:
    return deliberate(ticket, Opened(START, Message("mail", START), **occasion), [Approvals(site)])


def waiting(site: Site) -> Ticket:
    return opened(site, question()).ticket


def answered_by(site: Site, ticket: Ticket, text: str, verified: bool = True) -> Outcome:
    message = Message("mail", START, text=text, sender=Address(email="pm@estate.example.com"))
    heard = Heard(START, message, Author("staff", "pm_dept_manager", verified))
    return deliberate(ticket, heard, [Approvals(site)])


def replies(outcome: Outcome) -> list[Reply]:
    return [d for d in outcome.decisions if isinstance(d, Reply)]


def test_the_approver_is_asked_and_the_customer_held(site: Site) -> None:
    outcome = opened(site, question())
    assert outcome.ticket.status == "need_approval" and outcome.ticket.has("holding_reply_without_content")
    assert [d.form for d in outcome.decisions if isinstance(d, Draw)] == ["approval_request"]
    assert [d.to for d in outcome.decisions if isinstance(d, Write)] == ["pm_dept_manager"]
    assert [(r.template, r.meets) for r in replies(outcome)] == [("replies/holding", "first_response")]


def test_of_several_matters_the_common_acknowledgement_holds(site: Site) -> None:
    assert not replies(opened(site, question(), part=1, parts=2))


def test_exactly_the_approved_text_leaves(site: Site) -> None:
    outcome = answered_by(site, waiting(site), "王主任:您好\n同意 改为:管线费由运营商承担,业主无需缴纳。\n谢谢")
    assert replies(outcome)[0].data["answer"] == "管线费由运营商承担,业主无需缴纳。"
    assert outcome.ticket.status == "closed" and outcome.ticket.fields["approved_text"] == outcome.ticket.fields["answer"]


def test_a_refusal_goes_back_to_the_handler(site: Site) -> None:
    outcome = answered_by(site, waiting(site), "不同意 因 依据不足")
    assert outcome.ticket.status == "triaged" and not replies(outcome)
    assert [d.role for d in outcome.decisions if isinstance(d, AddTask)] == ["cs_clerk"]


@pytest.mark.parametrize("text", ["收到", "我看看再说", "原则上没意见"])
def test_words_that_are_neither_yes_nor_no_decide_nothing(site: Site, text: str) -> None:
    assert answered_by(site, waiting(site), text).ticket.status == "need_approval"


@pytest.mark.parametrize(
    ("mail", "told", "left"),
    [
        ("同意 答复如下:由运营商承担", "已按批准文本答复", False),
        ("同意。请小王先核实清楚", "不发给顾客", True),
        ("同意", "由经办人拟定答复", True),
        ("不同意", "退回客服内勤", True),
        ("我看看再说", "未见“同意”", True),
        ("暂缓答复，等董事会定了再说", "未见“同意”", True),
        ("没意见，按此办理", "由经办人拟定答复", True),
        ("按此办理", "由经办人拟定答复", True),
        ("照此答复。", "由经办人拟定答复", True),
        ("可以发出吗？", "未见“同意”", True),
    ],
)
def test_the_approver_is_told_what_was_understood_and_the_handler_what_is_left(
    site: Site, mail: str, told: str, left: bool
) -> None:
    written = [d for d in answered_by(site, waiting(site), mail).decisions if isinstance(d, Write)]
    (transcript,) = [d for d in written if d.to != "handler"]
    more = [d for d in written if d.to == "handler"]
    assert (transcript.to, transcript.template) == ("pm@estate.example.com", "commands/transcript")
    template = "reports/alert" if "未见" in told else "reports/task"
    assert [(d.to, d.template) for d in more] == ([("handler", template)] if left else [])
    assert told in str(transcript.data["steps"]) + str(transcript.data["refused"])


def test_an_unproven_mail_decides_nothing(site: Site) -> None:
    assert not answered_by(site, waiting(site), "同意", verified=False).decisions


def test_only_those_who_were_asked_may_approve(site: Site) -> None:
    order = Ordered(START, "approve", "cs_clerk", {"text": "可以"})
    outcome = deliberate(waiting(site), order, [Approvals(site)])
    assert outcome.ticket.status == "need_approval" and "物管部经理" in outcome.refused[0]
    order = Ordered(START, "approve", "pm_dept_manager", {"text": "由运营商承担"})
    assert deliberate(waiting(site), order, [Approvals(site)]).ticket.fields["answer"] == "由运营商承担"


def test_an_approved_event_becomes_a_task_for_the_property_manager(site: Site) -> None:
    event = question(kind="document", category="activity", effects=("approval_required:leadership",))
    asked = opened(site, event).ticket
    outcome = deliberate(asked, Ordered(START, "approve", "leadership"), [Approvals(site)])
    assert "property_manager" in [d.role for d in outcome.decisions if isinstance(d, AddTask)]


@pytest.mark.parametrize(
    ("mail", "approved", "text"),
    [
        ("同意", True, ""),
        ("同意 按拟答复办理", True, ""),
        ("同意,请按以下口径答复业主:由运营商承担。", True, "由运营商承担。"),
        ("不同意", False, ""),
        ("您好!\n批准。\n改为:费用由我司承担", True, "费用由我司承担"),
        ("同意,但改为:由运营商承担", True, "由运营商承担"),
        ("同意。请小王先核实清楚,别把延期的事说漏了。", True, ""),
        ("批准。\n费用由我司承担", True, ""),
        ("不同意 因 依据不足", False, "依据不足"),
        ("我不同意,理由:依据不足", False, "依据不足"),
        ("同意不了", False, ""),
    ],
)
def test_verdicts_are_read_from_the_first_words(mail: str, approved: bool, text: str) -> None:
    said = signed(mail)
    assert said is not None and (said.approved, said.text) == (approved, text)


@pytest.mark.parametrize("mail", ["同意吗?", "同意?", "同意的话我再回复", "是否同意", "等财务同意", "同意 改为:", "原则上同意"])
def test_a_question_or_half_a_word_decides_nothing(mail: str) -> None:
    assert signed(mail) is None


@pytest.mark.parametrize(
    "mail",
    [
        "同意，请按以下意见办理：先核实情况，别跟业主说。", "同意，请按如下要求落实：先让施工方报价", "同意，需总监签字。",
        "同意，须经财务审核后发出。",
        "批准需报总部。", "同意书已收到，我明天看", "同意，以下内容：\n好的",
    ],
)
def test_a_yes_on_a_condition_or_that_is_none_lets_nothing_leave(mail: str) -> None:
    said = signed(mail)
    assert said is not None and said.waits and not said.text


@pytest.mark.parametrize(
    "mail", ["同意", "同意放行", "同意，请尽快发出", "同意按上述答复发出", "同意该答复", "同意。李经理", "同意，请安排王师傅上门"]
)
def test_a_plain_yes_lets_it_leave(mail: str) -> None:
    said = signed(mail)
    assert said is not None and said.approved and not said.waits


REMARK = "请小王先和开发商核实清楚再说,别把延期的事说漏了"


@pytest.mark.parametrize("proposed", ["", "证件由登记部门核发。"])
def test_what_an_approver_adds_is_for_us(site: Site, proposed: str) -> None:
    """S0-4.2.3: only what is marked as the answer leaves; who asks for something first is heeded first."""
    ticket = waiting(site)
    outcome = answered_by(site, ticket.changed(fields={**ticket.fields, "proposed_answer": proposed}), f"同意。{REMARK}。")
    assert outcome.ticket.status == "triaged" and not replies(outcome)
    [task] = [d for d in outcome.decisions if isinstance(d, AddTask)]
    assert task.role == "cs_clerk" and REMARK in task.text and proposed in task.text


def test_a_harmless_remark_holds_up_no_answer_and_stays_in_the_house(site: Site) -> None:
    ticket = waiting(site)
    outcome = answered_by(site, ticket.changed(fields={**ticket.fields, "proposed_answer": "由登记部门核发。"}), "同意。小王办得好")
    assert [r.data["answer"] for r in replies(outcome)] == ["由登记部门核发。"]
    assert ["小王办得好" in d.data["text"] for d in outcome.decisions if isinstance(d, Write) and d.to == "handler"] == [True]


def test_the_rule_keeps_the_contract(site: Site) -> None:
    rule_contract(Approvals(site))
