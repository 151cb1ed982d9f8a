"""What the staff say of a ticket by mail: acceptance, tasks done, orders of superiors, reports read."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from kefud.api import (
    Address,
    AddTask,
    Author,
    Deadline,
    DoneTask,
    Heard,
    LetterRef,
    Message,
    Site,
    Ticket,
)
from kefud.config import load
from kefud.desk.ticket import Task
from kefud.desk.triage import Outcome, deliberate

from . import Commands
from .test_commands import NOW, RESOLVE, letters, repair, tasks, transcript

TOML = """
[[party]]
id = "property_company"
name = "样例物业服务有限公司"
kind = "property_company"
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "kefud.toml").write_text(TOML, "utf-8")
    return load(tmp_path / "kefud.toml").site


def staff_wrote(site: Site, ticket: Ticket, text: str, by: str, answers: str = "") -> Outcome:
    message = Message(
        "mail", NOW, text=text, sender=Address(email=f"{by}@estate.example.com"), message_id="<s@x>",
        in_reply_to=(answers,) if answers else (),
    )  # fmt: skip
    return deliberate(ticket, Heard(NOW, message, Author("staff", by, verified=True)), [Commands(site)])


@pytest.mark.parametrize("text", ["收到 请工程部今日到场", "这是什么情况？", "请王经理跟进", "已安排法务准备材料，先稳住业主"])
def test_what_a_superior_says_becomes_the_handler_s_task(site: Site, text: str) -> None:
    outcome = staff_wrote(site, repair(status="assigned"), text, "property_manager")
    (letter,) = letters(outcome, "reports/task")
    assert tasks(outcome) == ["order"] and letter.to == "handler" and text.replace("收到 ", "") in letter.data["text"]
    assert outcome.ticket.status == "assigned" and "progress_note" not in outcome.ticket.fields


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("收到 由样例物业今日17时前先设围挡", "2025-03-05T17:00:00+08:00"),
        ("请客服专员今天电话告知业主进展", "2025-03-05T17:00:00+08:00"),
        ("请周五下班前书面答复，明天先电话告知业主", "2025-03-06T17:00:00+08:00"),
        ("今天9点前的记录请补齐", "2025-03-06T17:00:00+08:00"),
        ("3月1日的来件请尽快办理", "2025-03-06T17:00:00+08:00"),
        ("请核实每晚10点后的装修噪音", "2025-03-06T17:00:00+08:00"),
    ],
)
def test_an_order_is_due_when_it_says(site: Site, text: str, due: str) -> None:
    """S0-4.2.4; an order without a time to come is due by the next closing."""
    outcome = staff_wrote(site, repair(), text, "property_manager")
    assert [d.due.isoformat() for d in outcome.decisions if isinstance(d, AddTask) and d.due] == [due]


@pytest.mark.parametrize("text", ["收到", "阅。", "已阅，谢谢", "按规定办", "好的"])
def test_a_nod_gives_nobody_a_task_and_is_acknowledged(site: Site, text: str) -> None:
    outcome = staff_wrote(site, repair(), text, "property_manager")
    assert tasks(outcome) == [] and not letters(outcome, "reports/task")
    assert transcript(outcome).get("refused") == []


def test_a_question_in_answer_to_a_report_shows_that_it_was_read(site: Site) -> None:
    running = Deadline("important", NOW, NOW + timedelta(hours=1), "1h", "S0-4.2.4")
    sent = LetterRef(7, "property_manager", "reports/important", "<up@x>", "sent", "property_manager", "important:1")
    ticket = repair(deadlines=(RESOLVE, running), letters=(sent,))
    outcome = staff_wrote(site, ticket, "这是什么情况？", "property_manager", answers="<up@x>")
    stopped = outcome.ticket.deadline("important")
    assert stopped is not None and not stopped.open and tasks(outcome) == ["order"]


def test_an_answer_to_a_task_is_no_result_of_the_work(site: Site) -> None:
    sent = LetterRef(7, "cs_specialist", "reports/task", "<t@x>", "sent", "handler", "phone:sign_off:1")
    task = Task("phone", "cs_specialist", None, "请电话提醒")
    ticket = repair(letters=(sent,), tasks=(task,))
    outcome = staff_wrote(site, ticket, "已处理:已电话通知队长,对方答应下午去", "cs_specialist", answers="<t@x>")
    assert outcome.ticket.status == "assigned" and "result" not in outcome.ticket.fields
    assert [d.kind for d in outcome.decisions if isinstance(d, DoneTask)] == ["phone"]
    assert transcript(outcome)["steps"] == [{"ok": True, "command": "待办", "text": "已登记办完"}]


@pytest.mark.parametrize(
    ("template", "key", "open_task", "told"),
    [
        ("reports/undelivered", "undelivered:<a@x>", "call", "已登记办完"),
        ("reports/alert", "chased:2025-03-05", "", "已记入备注"),
    ],
)
def test_what_is_answered_to_an_alert_is_no_result_either(site: Site, template: str, key: str, open_task: str, told: str) -> None:
    sent = LetterRef(7, "cs_specialist", template, "<u@x>", "sent", "handler", key)
    ticket = repair(letters=(sent,), tasks=(Task(open_task, "cs_specialist", None, "请电话联系"),) if open_task else ())
    outcome = staff_wrote(site, ticket, "已处理:已打电话给业主,邮箱写错了", "cs_specialist", answers="<u@x>")
    assert outcome.ticket.status == "assigned" and "result" not in outcome.ticket.fields
    assert transcript(outcome)["steps"][0]["text"].startswith(told)


def test_who_completes_a_department_s_report_may_accept_the_work(site: Site) -> None:
    sent = LetterRef(7, "cs_specialist", "reports/task", "<c@x>", "sent", "handler", "complete:1")
    known = {"result": "已换人值守", "done_by": "property_company", "inquiry": "属实", "cause": "新员工"}
    ticket = repair(kind="complaint", status="in_progress", fields=known, letters=(sent,))
    text = "已处理:已换人值守并向业主致歉\n措施:调岗并培训\n沟通:已电话致歉,业主接受"
    done = staff_wrote(site, ticket, text, "cs_specialist", answers="<c@x>")
    assert done.ticket.status == "handled" and done.ticket.fields["done_by"] == "property_company"
    assert letters(done, "reports/verify")
    assert staff_wrote(site, done.ticket, "验收合格", "cs_specialist").ticket.status == "verified"


def test_our_own_arranging_does_not_sign_for_the_department(site: Site) -> None:
    outcome = staff_wrote(site, repair(), "已安排维修人员明天上午上门", "cs_specialist")
    assert outcome.ticket.status == "assigned" and "明天上午上门" in outcome.ticket.fields["progress_note"]


@pytest.mark.parametrize("text", ["验收合格", "现场验收合格，灯都亮了", "经验收通过。", "合格", "已验收，合格"])
def test_the_handler_accepts_by_mail(site: Site, text: str) -> None:
    ticket = repair(status="handled", fields={"result": "已修", "done_by": "property_company"})
    outcome = staff_wrote(site, ticket, text, "cs_specialist")
    assert outcome.ticket.status == "verified" and outcome.ticket.fields["acceptance"]["by"] == "cs_specialist"
    assert transcript(outcome)["steps"][0]["command"] == "验收"


@pytest.mark.parametrize("text", ["验收不合格：仍在渗水", "不合格，仍在渗水", "未通过，仍在渗水"])
def test_the_handler_sends_work_back_by_mail(site: Site, text: str) -> None:
    ticket = repair(status="handled", fields={"result": "已修", "done_by": "property_company"})
    outcome = staff_wrote(site, ticket, text, "cs_specialist")
    assert outcome.ticket.status == "in_progress" and "仍在渗水" in letters(outcome, "reports/alert")[0].data["text"]


@pytest.mark.parametrize("text", ["不合格", "合格，但是墙上还有污渍", "请问什么时候验收", "已联系业主"])
def test_what_is_no_clear_acceptance_changes_nothing(site: Site, text: str) -> None:
    ticket = repair(status="handled", fields={"result": "已修", "done_by": "property_company"})
    assert staff_wrote(site, ticket, text, "cs_specialist").ticket.status == "handled"


def test_the_doer_does_not_accept_by_mail_either(site: Site) -> None:
    ticket = repair(status="handled", fields={"result": "已修", "done_by": "cs_specialist"})
    outcome = staff_wrote(site, ticket, "验收合格", "cs_specialist")
    assert outcome.ticket.status == "handled" and transcript(outcome)["refused"]
