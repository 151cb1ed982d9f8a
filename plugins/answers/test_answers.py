"""A verified entry answers a single plain question, and nothing else."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kefud.api import Author, Call, Heard, Message, Opened, Reply, Requester, Site, Ticket
from kefud.config import load
from kefud.desk.triage import Outcome, deliberate
from kefud.testing import rule_contract

from . import Answers

TOML = """
[[knowledge]]
topic = "客服中心工作时间"
answer = "周一至周五 8:30–12:00、13:00–17:00;周六、周日 9:00–17:00"
verified_on = 2025-03-01
valid_until = 2025-12-31

[[knowledge]]
topic = "老带新政策"
answer = "成功推荐一位新客户签约,老业主获赠六个月物业费。"
verified_on = 2025-03-06
valid_from = 2025-03-15
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "kefud.toml").write_text(TOML, "utf-8")
    return load(tmp_path / "kefud.toml").site


def asked(site: Site, text: str, *, day: str = "2025-03-05", call: Call | None = None, **values: Any) -> Outcome:
    start = datetime.fromisoformat(f"{day}T10:00:00+08:00")
    given = {"handler": "cs_clerk", "status": "triaged", "requester": Requester(email="a@example.com")}
    ticket = Ticket(started_at=start, text=text, **{**given, **values})
    message = Message("call" if call else "mail", start, text=text, call=call)
    return deliberate(ticket, Opened(start, message), [Answers(site)])


@pytest.mark.parametrize(
    "text",
    [
        "请问客服中心工作时间是什么?",
        "您好,请问你们客服几点上班?",
        "咨询客服中心的营业时间",
        "請問客服中心上班時間？謝謝",
        "请问你们周末上不上班,几点到几点?",
        "想了解一下贵中心节假日的工作时间",
        "客服中心几点下班",
        "我是3号楼的业主。请问客服周末上班吗?",
        "请问你们客服中心周六周日上班吗?几点到几点有人?我平时加班,只有周末有空过去。",
    ],
)
def test_a_question_the_archive_covers_is_answered_at_once(site: Site, text: str) -> None:
    outcome = asked(site, text)
    assert outcome.ticket.status == "closed" and outcome.ticket.has("instant_answer")
    reply = next(d for d in outcome.decisions if isinstance(d, Reply))
    assert reply.template == "replies/answer" and reply.meets == "reply"


@pytest.mark.parametrize(
    "text",
    [
        "请问客服中心工作时间?另外物业费怎么交?",
        "请问客服中心几点上班?物业费怎么交?",
        "请问会所工作时间是什么?",
        "物业中心工作时间是几点?",
        "请问你们物业几点上班?",
        "请问客服中心和会所的工作时间?",
        "请问物业费在哪里交?",
        "请问客服中心工作时间以及装修押金怎么退",
    ],
)
def test_other_or_further_questions_wait_for_a_person(site: Site, text: str) -> None:
    assert not asked(site, text).decisions


def test_a_policy_is_not_used_before_its_day(site: Site) -> None:
    assert not asked(site, "请问老带新政策是什么?", day="2025-03-14").decisions
    assert asked(site, "请问老带新政策是什么?", day="2025-03-15").ticket.status == "closed"


def test_an_expired_entry_is_not_used(site: Site) -> None:
    assert not asked(site, "请问客服中心工作时间是什么?", day="2026-01-01").decisions


def test_complaints_and_matters_for_approval_are_never_answered_from_the_archive(site: Site) -> None:
    question = "请问客服中心工作时间是什么?"
    assert not asked(site, question, kind="complaint").decisions
    assert not asked(site, question, effects=("approval_required:pm_dept_manager",)).decisions
    assert not asked(site, question, joint=("leasing",)).decisions


def test_what_the_agent_told_the_caller_is_an_instant_answer(site: Site) -> None:
    at = datetime.fromisoformat("2025-03-05T10:00:00+08:00")
    told = Call("A1", at, "in", "answered", content="咨询物业费标准", result="已当场答复每平方米2元")
    later = Call("A2", at, "in", "answered", content="咨询物业费标准", result="已告知稍后回电")
    assert asked(site, "咨询物业费标准", call=told, requester=Requester(phone="1")).ticket.has("instant_answer")
    assert not asked(site, "咨询物业费标准", call=later, requester=Requester(phone="1")).decisions


@pytest.mark.parametrize(("note", "state"), [("已回拨,业主咨询停车,已解答", "closed"), ("已回拨,待核实", "triaged")])
def test_a_caller_who_was_missed_may_be_answered_when_called_back(site: Site, note: str, state: str) -> None:
    at = datetime.fromisoformat("2025-03-05T10:00:00+08:00")
    missed = Ticket(status="triaged", kind="consultation", handler="cs_clerk", effects=("callback",), deadlines=())
    back = Message("call", at, call=Call("A3", at, "out", "answered", content=note))
    outcome = deliberate(missed, Heard(at, back, Author("agent", "8001", True)), [Answers(site)])
    assert outcome.ticket.status == state


def test_the_rule_keeps_the_contract(site: Site) -> None:
    rule_contract(Answers(site))


@pytest.mark.parametrize(
    "question", ["请问游泳池几点开门?", "小区泳池什么时候开放", "游泳馆的开放时间是几点到几点?", "想问一下泳池营业到几点"]
)
def test_hours_of_the_club_are_told_from_a_verified_entry(tmp_path: Path, question: str) -> None:
    file = tmp_path / "club.toml"
    entry = '[[knowledge]]\ntopic = "游泳池开放时间"\nanswer = "14:00-21:00"\nverified_on = 2025-03-01\n'
    file.write_text(entry, "utf-8")
    outcome = asked(load(file).site, question, joint=("clubhouse",))
    assert outcome.ticket.has("instant_answer") and outcome.ticket.status == "closed" and not outcome.refused


@pytest.mark.parametrize(("joint", "state"), [(("finance",), "closed"), (("finance", "clubhouse"), "closed"), (("finance", "leasing"), "triaged")])
def test_an_entry_answers_for_its_own_department_only(tmp_path: Path, joint: tuple[str, ...], state: str) -> None:
    file = tmp_path / "fees.toml"
    file.write_text('[[knowledge]]\ntopic = "物业费缴纳地点"\nanswer = "前台"\ndepartment = "finance"\nverified_on = 2025-03-01\n', "utf-8")
    assert asked(load(file).site, "请问物业费缴纳地点?", joint=joint).ticket.status == state
