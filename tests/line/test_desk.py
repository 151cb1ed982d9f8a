"""What the office orders at the desk reaches departments, clocks and the customer, through the whole line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hostile.station import Station, station, vouched
from line.office import mail

from kefud.desk.decisions import Classify
from kefud.desk.ticket import Requester, Ticket
from kefud.errors import NotAllowed

HE = "heyangban@mail.example.com"
TAP = "我是5号楼1单元201的业主何样板,电话13800000201。厨房水龙头坏了,一直滴水,请派人来修。"
REFUSE = "我是5号楼1单元201的业主何样板,电话13800000201。请问小区垃圾多久清运一次?"
RUDE = "我是5号楼1单元201的业主何样板,电话13800000201。我要投诉客服前台小赵态度恶劣,大声吼人。"


def brought(office: Station, text: str, subject: str = "来信") -> Ticket:
    """The ticket of a mail whose sender is proven."""
    office.put(mail(text, sender=HE, subject=subject, headers=(vouched(HE),), received=office.now))
    office.work()
    return office.tickets[-1]


def order(office: Station, ticket: Ticket, command: str, by: str = "cs_specialist", **args: Any) -> Ticket:
    office.office.casework.order(ticket.number, command, by, args)
    office.work()
    return office.ticket(ticket.number)


def written(office: Station, since: int) -> list[tuple[str, str]]:
    return [(x["recipient"], x["template"]) for x in office.letters[since:]]


def test_a_caller_who_brings_the_papers_is_served(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        caller = Requester("赵样", "13800000388")
        given = [Classify(house="6-1-401", requester=caller, origin="owner")]
        ticket = office.office.enter("请问怎么办理装修手续?", {"by": "receptionist"}, given)
        assert order(office, ticket, "need_info", missing=["装修图纸"]).status == "need_info"
        back = order(office, ticket, "got_info", text="图纸已送到前台")
        assert back.status == "triaged" and not [t for t in back.tasks if t.done_at is None]
        assert order(office, ticket, "reply", text="手续已齐,可到前台办理。", by="phone").status == "closed"


def test_a_question_that_is_a_complaint_gets_form_and_notice(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        ticket = order(office, brought(office, REFUSE), "classify", kind="complaint", category="environment", reason="实为投诉")
        assert (ticket.status, ticket.department) == ("assigned", "property_company")
        assert [(d.form, d.to) for d in ticket.documents if d.number] == [("opinion_form", ""), ("notice", "property_company")]
        kept = ticket.deadline("notice_property")
        assert kept and kept.met
        with pytest.raises(NotAllowed, match="办理"):
            order(office, ticket, "transfer", to="property_company", reason="请处理")


def test_a_repair_that_is_the_property_company_s_leaves_the_contractor(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        ticket, before = brought(office, TAP, "报修"), len(office.letters)
        assert [d.to for d in ticket.documents if d.form == "notice"] == ["contractor-a"]
        ticket = order(office, ticket, "classify", category="facility", reason="公共管道问题")
        assert written(office, before) == [("contractor-a", "reports/alert"), ("property_company", "notices/work-order")]
        assert (ticket.status, ticket.transfers) == ("assigned", 0)
        with pytest.raises(NotAllowed, match="办理"):
            order(office, ticket, "transfer", to="property_company", reason="公共管道")
        again = order(office, ticket, "classify", category="house_quality", reason="户内水管")
        assert (again.department, again.document("notice").to) == ("contractor", "contractor-a")  # type: ignore[union-attr]


def test_a_department_that_is_named_is_told(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        ticket = brought(office, RUDE)
        assert ticket.department == "cs_center" and not ticket.document("notice")
        ticket = order(office, ticket, "assign", by="cs_manager", department="engineering")
        assert ticket.status == "assigned" and written(office, -1) == [("engineering", "notices/work-order")]
        moved = order(office, ticket, "transfer", to="property_company", reason="属物业")
        assert (moved.department, moved.transfers) == ("property_company", 1)


def test_what_is_called_an_emergency_alarms_as_if_it_had_come_so(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        ticket, before = brought(office, TAP, "报修"), len(office.letters)
        ticket = order(office, ticket, "classify", urgency="emergency", reason="水管爆裂,水漫到电箱")
        alarmed = [(role, "reports/emergency") for role in ("duty_officer", "property_company", "cs_supervisor")]
        assert written(office, before) == [*alarmed, ("property_company", "notices/urgent-work-order")]
        assert ticket.important and ticket.status == "assigned"
        office.pass_time(minutes=6)
        office.work()
        assert written(office, before + 4)[:1] == [("duty_officer", "reports/emergency")]
        notice = office.delivered("wuye@property.example.com")[-2]
        wuye = "wuye@property.example.com"
        office.put(mail("收到,已派人到场。", sender=wuye, answers=notice, headers=(vouched(wuye),), received=office.now))
        office.work()
        assert office.ticket(ticket.number).status in ("acknowledged", "in_progress")
        assert all(d.met or d.dropped for d in office.ticket(ticket.number).deadlines if d.name == "acknowledge")


def test_a_complaint_is_worked_on_and_its_owner_visited(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        ticket = brought(office, RUDE)
        before = len(office.letters)
        ticket = order(office, ticket, "reply", by="cs_manager", text="您好,我们已了解情况,正在核实。")
        assert ticket.status == "triaged" and written(office, before) == [("requester", "replies/progress")]
        resolve = ticket.deadline("resolve")
        assert resolve and resolve.open
        with pytest.raises(NotAllowed, match="S3-2.5.3"):
            order(office, ticket, "close", reason="已了解")
        assert office.ticket(ticket.number).fields.get("no_answer_reason") is None
        found = {"inquiry": "调录音", "cause": "情绪失控", "solution": "培训", "customer_talk": "已当面致歉"}
        order(office, ticket, "handle", by="cs_manager", result="已致歉并培训", **found)
        ticket = order(office, ticket, "verify", by="cs_specialist")
        visit = ticket.deadline("visit")
        assert ticket.status == "visiting" and visit and visit.open
        office.pass_time(days=2)
        office.work()
        assert ("requester", "replies/visit") in written(office, before)


CLUB = """
[[knowledge]]
topic = "会所游泳池开放时间"
answer = "会所游泳池每日9:00至21:00开放。"
keywords = ["游泳池", "开放"]
verified_on = 2025-01-01
valid_until = 2026-12-31
"""


def test_a_question_about_the_club_ends_with_its_answer(tmp_path: Path) -> None:
    with station(tmp_path, more=CLUB) as office:
        ticket = brought(office, "请问会所游泳池开放时间?", "咨询")
        assert (ticket.status, ticket.joint) == ("closed", ("clubhouse",)) and not ticket.document("notice")
        before = len(office.letters)
        assert written(office, 0) == [("requester", "replies/answer")]
        office.pass_time(days=4)
        office.work()
        assert written(office, before) == []
