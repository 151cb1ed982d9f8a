"""Who is told in writing, what the notice says, and what it keeps to itself."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kefud.api import (
    Author,
    Corrected,
    Deadline,
    Document,
    Draw,
    Heard,
    Message,
    Moved,
    Notice,
    Notify,
    Opened,
    Requester,
    Site,
    Ticket,
    Write,
)
from kefud.config import load
from kefud.desk.triage import Outcome, deliberate
from kefud.desk.view import notice_view
from kefud.testing import rule_contract

from . import Notices
from .recipients import content as facts

TOML = """
[[party]]
id = "property_company"
name = "样例物业服务有限公司"
kind = "property_company"
addresses = ["wuye@property.example.com"]

[[party]]
id = "contractor-a"
name = "示例防水维修队"
kind = "contractor"

[[party]]
id = "contractor-b"
name = "样本装饰维修队"
kind = "contractor"

[[role]]
id = "cs_specialist"
"""
START = datetime.fromisoformat("2025-03-03T09:00:00+08:00")
END = datetime.fromisoformat("2025-03-06T17:00:00+08:00")

NOTICE = Document("notice", "客联〔2025〕002号", to="property_company", id=2)
OTHER = Document("notice", "客联〔2025〕001号", to="contractor-a", id=1)
FORM = Document("opinion_form", "客意〔2025〕001号", id=3)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "kefud.toml").write_text(TOML, "utf-8")
    return load(tmp_path / "kefud.toml").site


def opened(site: Site, **values: Any) -> Outcome:
    given = {"handler": "cs_specialist", "status": "triaged", "text": "来件内容", "department": "property_company"}
    ticket = Ticket(started_at=START, requester=Requester("何样板", "13800000201", "a@example.com"), **{**given, **values})
    return deliberate(ticket, Opened(START, Message("mail", START)), [Notices(site)])


def notices(outcome: Outcome) -> list[Notice]:
    return [d for d in outcome.decisions if isinstance(d, Notice)]


def forms(outcome: Outcome) -> list[str]:
    return [d.form for d in outcome.decisions if isinstance(d, Draw)]


def test_a_complaint_gets_its_form_and_a_notice_that_meets_the_eight_hours(site: Site) -> None:
    clocks = (Deadline("notice_property", START, START, "S1-5.7.1"), Deadline("resolve", START, END, "S3-3.3.3"))
    outcome = opened(site, kind="complaint", category="environment", deadlines=clocks)
    [notice] = notices(outcome)
    assert forms(outcome) == ["opinion_form"] and outcome.ticket.status == "assigned"
    assert (notice.clock, notice.limit_rule, notice.finish_by) == ("notice_property", "S1-5.7.1", END)
    assert notice.reply_by and notice.reply_by < END


def test_a_suggestion_gets_a_notice_but_no_form(site: Site) -> None:
    outcome = opened(site, kind="suggestion", category="facility")
    assert len(notices(outcome)) == 1 and not forms(outcome)


@pytest.mark.parametrize(
    ("values", "masked"),
    [
        ({"kind": "complaint", "category": "attitude"}, True),
        ({"kind": "repair", "category": "house_quality", "department": "contractor"}, False),
        ({"kind": "repair", "category": "house_quality", "department": "contractor", "masked": True}, True),
        ({"kind": "repair", "category": "facility", "text": "北侧路灯不亮"}, True),
        ({"kind": "repair", "category": "facility", "text": "家里水龙头漏水"}, False),
        ({"kind": "repair", "category": "facility", "urgency": "emergency"}, False),
        ({"kind": "suggestion", "category": "environment"}, True),
    ],
)
def test_the_contact_is_shown_only_to_those_who_need_it(site: Site, values: dict[str, Any], masked: bool) -> None:
    assert notices(opened(site, **values))[0].mask is masked


def test_insults_stay_out_of_the_notice(site: Site) -> None:
    rude = {"insults": True, "quoted_insults": ["混蛋"]}
    words = {"text": "你们这群混蛋,垃圾没人收", "summary": "垃圾未清运", "subject": "混蛋物业"}
    outcome = opened(site, kind="complaint", fields=rude, **words)
    [notice] = notices(outcome)
    assert notice.content == "垃圾未清运" and notice.subject == ""


def test_a_masked_notice_tells_the_facts_and_nothing_of_the_writer(site: Site) -> None:
    text = (
        "您好:\n我是5号楼1单元201的业主何样板,电话138-0000-0201。\n昨晚保安说话难听,还推了我一下。\n"
        "另外请不要把我的电话告诉当事保安。\n何样板"
    )
    [notice] = notices(opened(site, kind="complaint", category="attitude", text=text))
    assert notice.content == "昨晚保安说话难听,还推了我一下。"


def test_facts_in_the_sentence_with_the_name_are_kept(site: Site) -> None:
    [notice] = notices(opened(site, kind="complaint", category="environment", text="我是何样板,楼道垃圾三天没清。"))
    assert notice.content == "楼道垃圾三天没清。"


def test_the_contractor_chosen_gets_the_order(site: Site) -> None:
    chosen = {"contractor": "contractor-b"}
    outcome = opened(site, kind="repair", category="house_quality", department="contractor", fields=chosen)
    assert notices(outcome)[0].to == "contractor-b"


def test_an_order_for_a_vacant_house_asks_for_the_key_and_not_for_the_owner(site: Site) -> None:
    sent = {"origin": "property_company", "category": "vacant_house", "house": "3-2-501", "department": "contractor"}
    [notice] = notices(opened(site, kind="repair", text="巡查空置房,次卧窗框渗水", **sent))
    assert "约定时间" not in notice.request and "钥匙" in notice.request


def test_joint_departments_answer_before_we_must(site: Site) -> None:
    agreed = Deadline("reply", START, START.replace(hour=16), "S0-4.1.3", agreed=True)
    outcome = opened(site, kind="consultation", department="cs_center", joint=("clubhouse",), deadlines=(agreed,))
    [notice] = notices(outcome)
    assert (notice.to, notice.template, notice.reply_by) == ("clubhouse", "notices/joint", START.replace(hour=15))
    assert outcome.ticket.status == "assigned"


def test_emergencies_alarm_everybody_at_any_hour(site: Site) -> None:
    outcome = opened(site, kind="repair", urgency="emergency", important=True, fields={"emergency_plan": "water_leak"})
    alarm = next(d for d in outcome.decisions if isinstance(d, Notify))
    assert alarm.roles == ("duty_officer", "property_company", "cs_supervisor") and alarm.template == "reports/emergency"
    assert notices(outcome)[0].template == "notices/urgent-work-order" and outcome.ticket.has("report_up:cs_supervisor")


def test_a_ticket_that_becomes_an_emergency_alarms_once(site: Site) -> None:
    ticket = Ticket(kind="repair", urgency="emergency", status="assigned", department="property_company", text="水漫到楼道")
    heard = Heard(START, Message("mail", START), Author("requester"))
    outcome = deliberate(ticket, heard, [Notices(site)])
    assert [type(d) for d in outcome.decisions if isinstance(d, (Notify, Notice))] == [Notify, Notice]
    assert not deliberate(outcome.ticket, heard, [Notices(site)]).decisions


def test_serious_quality_goes_to_engineering_with_the_question_of_liability(site: Site) -> None:
    clock = Deadline("notice_engineering", START, START.replace(hour=10), "S1-5.6.1")
    values = {"kind": "complaint", "category": "house_quality", "effects": ("major_quality",), "department": "engineering"}
    [notice] = notices(opened(site, deadlines=(clock,), **values))
    assert notice.clock == "notice_engineering" and "责任单位" in notice.request


@pytest.mark.parametrize(
    ("told", "content"),
    [
        ("6-2-102 钱女样 13800000612 楼道灯坏了半个月没人修,物业太不负责任了", "楼道灯坏了半个月没人修,物业太不负责任了"),
        ("我是6号楼2单元102的业主钱女样(13800000612)投诉楼下餐馆油烟熏得没法开窗", "投诉楼下餐馆油烟熏得没法开窗"),
        ("楼道垃圾没人清,钱女样 13800000612", "楼道垃圾没人清"),
        ("钱女样投诉保安骂钱女样不讲理", "投诉保安骂不讲理"),
        ("电梯坏了请回１３８００００0612", ""),
        ("13800000612反映电梯坏了三天钱女样", "反映电梯坏了三天"),
    ],
)
def test_what_stands_beside_a_hidden_name_is_not_lost(told: str, content: str) -> None:
    ticket = Ticket(text=told, masked=True, requester=Requester("钱女样", "13800000612"))
    assert facts(ticket, True) == content


def test_praise_is_passed_on_without_a_notice(site: Site) -> None:
    outcome = opened(site, kind="praise", department="cs_center", fields={"praised": "property_company"})
    letter = next(d for d in outcome.decisions if isinstance(d, Write))
    assert not notices(outcome) and letter.template == "reports/praise-forward"
    assert outcome.ticket.has("praise_forward:property_company")


def test_the_adviser_of_the_house_is_told(tmp_path: Path) -> None:
    text = '[[house]]\nid = "3-2-501"\nadviser = "adviser"\n'
    (tmp_path / "kefud.toml").write_text(text, "utf-8")
    outcome = opened(load(tmp_path / "kefud.toml").site, house="3-2-501", department="cs_center")
    assert [d.to for d in outcome.decisions if isinstance(d, Write)] == ["adviser"]


def test_a_complaint_about_the_manager_is_not_reported_to_the_manager(site: Site) -> None:
    effects = ("conflict_of_interest", "report_up:cs_supervisor")
    values = {"kind": "complaint", "important": True, "department": "cs_center", "fields": {"accused": "cs_manager"}}
    assert opened(site, effects=effects, **values).ticket.notify == ("leader_in_charge",)


def test_matters_of_our_own_office_need_no_notice(site: Site) -> None:
    assert not opened(site, kind="consultation", department="cs_center").decisions


def test_a_new_round_links_the_old_form_and_tells_the_department_why(site: Site) -> None:
    fields = {"visit_reason": "第二天又不亮了", "noticed_rounds": [1]}
    old = Document("opinion_form", number="客诉2025-001")
    ticket = Ticket(kind="complaint", status="reopened", round=2, department="property_company", text="路灯不亮").changed(
        documents=(old,), fields=fields
    )
    outcome = deliberate(ticket, Moved(START, "visiting", "reopened"), [Notices(site)])
    form = next(d for d in outcome.decisions if isinstance(d, Draw))
    assert form.data["previous"] == "客诉2025-001"
    assert "第二天又不亮了" in notices(outcome)[0].content and outcome.ticket.status == "reopened"


def test_a_letter_to_an_authority_waits_for_the_manager(tmp_path: Path) -> None:
    (tmp_path / "kefud.toml").write_text('[[party]]\nid = "street"\nkind = "government"\n', "utf-8")
    outcome = opened(load(tmp_path / "kefud.toml").site, kind="complaint", department="street")
    assert notices(outcome)[0].sign == "cs_manager"


def test_the_rule_keeps_the_contract(site: Site) -> None:
    rule_contract(Notices(site))


def corrected(site: Site, was: Ticket, command: str = "classify", **now: Any) -> Outcome:
    order = Corrected(START, command, "cs_clerk", was)
    return deliberate(was.changed(**now), order, [Notices(site)])


def known(**values: Any) -> Ticket:
    given = {"handler": "cs_clerk", "status": "triaged", "text": "来件内容", "department": "cs_center"}
    return Ticket(started_at=START, **{**given, **values})


def test_a_correction_draws_what_is_missing_and_no_more(site: Site) -> None:
    outcome = corrected(site, known(kind="consultation"), kind="complaint", category="environment", department="property_company")
    assert forms(outcome) == ["opinion_form"] and [n.to for n in notices(outcome)] == ["property_company"]
    assert outcome.ticket.status == "assigned"
    told = known(status="in_progress", department="property_company", documents=(NOTICE, FORM), kind="complaint")
    assert not corrected(site, told, category="environment").decisions
    helped = corrected(site, told, joint=("finance",))
    assert [n.to for n in notices(helped)] == ["finance"] and helped.ticket.status == "in_progress"


@pytest.mark.parametrize("status", ["need_info", "reopened", "acknowledged", "in_progress"])
def test_who_takes_over_signs_anew(site: Site, status: str) -> None:
    was = known(status=status, kind="repair", department="contractor", fields={"contractor": "contractor-a"}, documents=(OTHER, NOTICE))
    outcome = corrected(site, was, department="property_company")
    assert outcome.ticket.status == "assigned" and [n.to for n in notices(outcome)] == ["property_company"]
    assert [d.to for d in outcome.decisions if isinstance(d, Write)] == ["contractor-a"]


@pytest.mark.parametrize("status", ["need_approval", "handled", "visiting"])
def test_a_correction_gives_out_no_work_where_none_is_to_be_done(site: Site, status: str) -> None:
    outcome = corrected(site, known(status=status, kind="repair"), kind="complaint", department="property_company")
    assert forms(outcome) == ["opinion_form"] and not notices(outcome) and outcome.ticket.status == status


def test_a_correction_to_emergency_alarms_once(site: Site) -> None:
    outcome = corrected(site, known(status="need_info"), urgency="emergency")
    assert outcome.ticket.status == "assigned" and [n.to for n in notices(outcome)] == ["property_company"]
    assert [d.roles for d in outcome.decisions if isinstance(d, Notify)] == [("duty_officer", "property_company", "cs_supervisor")]
    assert not notices(corrected(site, outcome.ticket, category="facility"))


SUBLET = (
    "你们好\n12号楼3单元我楼下1204那户,房东隔出八个小间按床位出租,大半夜还在走廊里充电瓶。物业知道的。\n"
    "千万千万不要让人家晓得是我讲的,我一个女的带着小孩住,怕。\n12-3-1304 何样板 13800000201"
)


def test_who_asks_for_secrecy_is_not_told_by_the_house(site: Site) -> None:
    outcome = opened(
        site, kind="complaint", category="safety", masked=True, house="12-3-1304", text=SUBLET,
    )  # fmt: skip
    [notice] = notices(outcome)
    seen = notice_view(outcome.ticket, notice, "客联〔2025〕001号", site={"name": "客服中心", "timezone": "Asia/Shanghai"}, at=START)
    told = f"{seen['content']}{seen['house_zh']}{seen['contact']}"
    assert "1204那户" in told and "充电瓶" in told and seen["hide_house"]
    assert not any(word in told for word in ("1304", "何样板", "13800000201", "女的", "我楼下", "晓得", "怕"))


def test_who_gets_a_repair_in_confidence_still_has_a_house(site: Site) -> None:
    outcome = opened(site, kind="repair", category="house_quality", department="contractor", masked=True, house="5-1-201")
    assert notice_view(outcome.ticket, notices(outcome)[0], "1", site={"name": "客服中心", "timezone": "Asia/Shanghai"}, at=START)["house_zh"]
