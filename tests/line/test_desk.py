"""What the office orders at the desk reaches departments, clocks and the customer, through the whole line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hostile.station import Station, station, vouched
from line.office import PARTIES, mail

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


@pytest.mark.parametrize(("hours", "kept"), [(1, False), (30, True)])
def test_the_next_department_has_its_whole_time_to_sign(tmp_path: Path, hours: int, kept: bool) -> None:
    """What the one before let lapse stays a breach of its own."""
    with station(tmp_path) as office:
        ticket = brought(office, TAP, "报修")
        before = {name: ticket.deadline(name) for name in ("sign_off", "acknowledge")}
        office.pass_time(hours=hours)
        after = order(office, ticket, "transfer", to="engineering", reason="管道在墙内")
        assert after.department == "engineering"
        for name, old in before.items():
            new = after.deadline(name)
            assert old and new and new.open and new.start >= old.start + timedelta(hours=hours), name
            [first] = [d for d in after.deadlines if d.name == name and d.start == old.start]
            assert bool(first.met and first.met > first.due) is kept, name


def test_whoever_belongs_to_those_complained_of_does_not_read_who_complains(tmp_path: Path) -> None:
    """A role of ours that somebody of the property company holds (RULES §9)."""
    held = PARTIES.replace('["wuye@property.example.com"]', '["wuye@property.example.com", "property-manager@roles.example.com"]')
    with station(tmp_path, parties=held) as office:
        ticket = brought(office, "我是5号楼1单元201的业主何样板,电话13800000201。我要投诉门口保安态度恶劣,还打人了,我受伤流血。")
        assert (ticket.category, ticket.urgency) == ("attitude", "emergency")
        for _ in range(6):
            office.pass_time(minutes=10)
            office.work()
        told = to(office, "property-manager@roles.example.com")
        assert told and not [x for x in told if "13800000201" in x["text"] or "何样板" in x["text"]]
        assert "13800000201" in to(office, "duty-officer@roles.example.com")[0]["text"]


@pytest.mark.parametrize("wrong", [{"kind": "抱怨"}, {"urgency": "火急"}, {"category": "垃圾"}, {"house": "楼上"}, {"joint": "后勤处"}])
def test_an_order_that_is_refused_changes_nothing(tmp_path: Path, wrong: dict[str, str]) -> None:
    """The contractor goes on, no clock is dropped, nobody is written to."""
    with station(tmp_path) as office:
        ticket, before = brought(office, TAP, "报修"), len(office.letters)
        moved = order(office, ticket, "transfer", to="engineering", reason="管道在墙内")
        before = len(office.letters)
        with pytest.raises(NotAllowed, match="没有|无法识别"):
            order(office, moved, "classify", reason="更正", **{"category": "facility", **wrong})
        after = office.ticket(ticket.number)
        assert written(office, before) == [] and after.deadlines == moved.deadlines and after.documents == moved.documents
        assert (after.category, after.department, after.kind) == (moved.category, "engineering", "repair")


def test_who_was_given_a_matter_by_a_person_keeps_it_whatever_else_is_corrected(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        ticket = order(office, brought(office, TAP, "报修"), "transfer", to="engineering", reason="管道在墙内")
        before = len(office.letters)
        ticket = order(office, ticket, "classify", urgency="urgent", reason="越漏越大")
        assert (ticket.urgency, ticket.department) == ("urgent", "engineering")
        assert not [x for x in written(office, before) if x[0] in ("engineering", "contractor-a", "property_company")]
        plan = ticket.deadline("plan")
        assert plan and plan.open
        named = order(office, ticket, "classify", department="property_company", reason="公共管道")
        assert named.department == "property_company"


def test_what_is_registered_beside_a_refusal_is_kept(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        ticket = order(office, brought(office, RUDE), "handle", by="cs_manager", result="已致歉", inquiry="调录音")
        assert ticket.status == "in_progress" and ticket.fields["inquiry"] == "调录音"


# two tickets that a person knows to be one matter

WIFE = "hetaitai@mail.example.com"
FLOOR = "5号楼1单元201,何太太13911110000。厨房柜下面潮湿发霉,地板都鼓起来了,请尽快安排检查。"
YARD = "contractor-a@repair-a.example.com"


def answered(office: Station, letter: dict[str, Any], sender: str, text: str) -> None:
    headers = (vouched(sender), ("In-Reply-To", letter["message_id"]))
    office.put(mail(text, sender=sender, subject=f"Re: {letter['subject']}", headers=headers, received=office.now))
    office.work()


def to(office: Station, address: str, since: int = 0) -> list[dict[str, Any]]:
    return [x for x in office.letters[since:] if x["addresses"] == [address]]


def tap_and_floor(office: Station) -> tuple[Ticket, Ticket]:
    """Two tickets of one house, an hour apart, from two people."""
    tap = brought(office, TAP, "报修")
    office.pass_time(hours=1)
    office.put(mail(FLOOR, sender=WIFE, subject="地板", headers=(vouched(WIFE),), received=office.now))
    office.work()
    return tap, office.tickets[-1]


def test_of_two_merged_tickets_one_goes_on_with_the_words_and_people_of_both(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        tap, floor = tap_and_floor(office)
        before = len(office.letters)
        assert order(office, floor, "merge", target=tap.number).status == "merged"
        one = office.ticket(tap.number)
        assert one.related == (floor.number,) and {a.id for a in one.arrivals} == {a.id for t in (tap, floor) for a in t.arrivals}
        [told] = to(office, WIFE, before)
        assert told["template"] == "replies/merged" and tap.number in told["text"] and "何样板" not in told["text"]
        [added] = to(office, YARD, before)
        assert "地板都鼓起来了" in added["text"] and "13911110000" not in added["text"]
        assert [t for t in one.tasks if WIFE in t.text and t.done_at is None], "its handler tells both of the result"
        answered(office, to(office, WIFE)[0], WIFE, "今天水已经流到客厅了,请改到下午来。")
        assert "水已经流到客厅" in to(office, YARD)[-1]["text"] and to(office, YARD)[-1]["ticket_number"] == tap.number
        answered(office, to(office, YARD)[1], YARD, "已处理,更换阀芯和地板。")
        assert office.ticket(tap.number).status == "handled" and office.ticket(floor.number).status == "merged"
        assert office.broken() == []


def test_what_was_first_keeps_its_time_whichever_is_merged_into_which(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        tap, floor = tap_and_floor(office)
        order(office, tap, "merge", target=floor.number)
        assert office.ticket(floor.number).started_at == tap.started_at < floor.started_at


def test_who_has_called_is_to_be_told_as_well(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        tap = brought(office, TAP, "报修")
        caller = Requester("何伯", "13900001111")
        given = [Classify(house="5-1-201", requester=caller, origin="owner", category="house_quality")]
        called = office.office.enter("客厅墙面有一道裂缝,请派人来看。", {"by": "receptionist"}, given)
        assert called.number != tap.number
        before = len(office.letters)
        order(office, called, "merge", target=tap.number)
        assert [t for t in office.ticket(tap.number).tasks if f"{called.number}的来件人13900001111" in t.text and t.done_at is None]
        assert [x["template"] for x in to(office, HE, before)] == [], "the other customer learns nothing of it"


def test_a_ticket_is_merged_only_into_one_that_is_worked_on(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        tap, floor = tap_and_floor(office)
        gas = brought(office, "5号楼1单元201厨房有很浓的煤气味,人头晕,快来人!电话13800000201", "急")
        assert gas.urgency == "emergency"
        for ticket, target, said in (
            (floor, "KF20990101-0001", "没有工单"), (floor, floor.number, "不能并入自身"), (floor, "", "请写明"), (gas, tap.number, "紧急事件"),
        ):  # fmt: skip
            with pytest.raises(NotAllowed, match=said):
                order(office, ticket, "merge", target=target)
        order(office, floor, "merge", target=tap.number)
        with pytest.raises(NotAllowed, match=f"已并入{tap.number}"):
            order(office, gas, "merge", target=floor.number)
        with pytest.raises(NotAllowed):
            order(office, floor, "merge", target=gas.number)


SUN = "sun@mail.example.com"
TANK = "5-1-{house} {name} {phone} 投诉:自来水有异味,水发黄,请处理。"


def test_a_merged_neighbour_is_told_too_and_may_be_unsatisfied(tmp_path: Path) -> None:
    """Of another house only on purpose; the matter ends when all have heard of the result (S0-3.2, S1-9.3)."""
    with station(tmp_path) as office:
        first = brought(office, TANK.format(house=201, name="何样板", phone="13800000201"), "水质")
        neighbour = TANK.format(house=401, name="孙楼", phone="13800000401")
        office.put(mail(neighbour, sender=SUN, name="孙楼", subject="水质", headers=(vouched(SUN),), received=office.now))
        office.work()
        second = office.tickets[-1]
        with pytest.raises(NotAllowed, match="另一户"):
            order(office, second, "merge", target=first.number)
        order(office, second, "merge", target=first.number, other_house=True)
        found = {"inquiry": "水箱锈蚀", "cause": "未按期清洗", "solution": "已清洗", "customer_talk": "已告知"}
        order(office, first, "handle", result="水箱已清洗消毒", done_by="property_company", **found)
        before = len(office.letters)
        order(office, first, "verify", by="cs_manager")
        assert [x for x in office.letters[before:] if x["template"] == "reports/task" and SUN in x["text"] and "水箱已清洗消毒" in x["text"]]
        answered(office, to(office, HE)[-1], HE, "满意")
        waiting = office.ticket(first.number)
        assert waiting.is_open and waiting.fields["visit"] == "satisfied"
        with pytest.raises(NotAllowed, match="并案来件人"):
            order(office, first, "close")
        answered(office, to(office, SUN)[-1], SUN, "我家水还是黄的!不满意")
        again = office.ticket(first.number)
        assert again.round == 2 and again.is_open and [x for x in to(office, HE) if x["template"] == "replies/reopened"] == []
        assert order(office, first, "done", task="inform").is_open


SECOND = """
[[party]]
id = "contractor-b"
name = "示例水电维修队"
kind = "contractor"
addresses = ["contractor-b@repair-b.example.com"]
"""


def test_the_firm_that_is_taken_off_stops_and_is_only_heard(tmp_path: Path) -> None:
    with station(tmp_path, parties=PARTIES + SECOND) as office:
        ticket, before = brought(office, TAP, "报修"), len(office.letters)
        ticket = order(office, ticket, "transfer", to="contractor-b", reason="属水电")
        assert written(office, before) == [("contractor-a", "reports/alert"), ("contractor-b", "notices/work-order")]
        stopped = to(office, YARD)[-1]
        assert "停止办理" in stopped["text"] and "作废" in stopped["text"]
        assert [bool(d.void) for d in ticket.documents if d.form == "notice"] == [True, False]
        before = len(office.letters)
        answered(office, stopped, YARD, "已处理:阀芯已更换。")
        ticket = office.ticket(ticket.number)
        assert ticket.status == "assigned" and not ticket.fields.get("contributions") and not ticket.fields.get("result")
        assert ("cs_specialist", "reports/alert") in written(office, before)


def test_who_coordinates_has_done_so(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        ticket = order(office, brought(office, TAP, "报修"), "transfer", to="engineering", reason="管道在墙内")
        ticket = order(office, ticket, "transfer", to="property_company", reason="公共管道")
        assert ticket.department == "engineering" and [t for t in ticket.tasks if t.kind == "coordinate" and t.done_at is None]
        ticket = order(office, ticket, "transfer", by="property_manager", to="property_company", reason="公共管道")
        assert ticket.department == "property_company" and not [t for t in ticket.tasks if t.kind == "coordinate" and t.done_at is None]


@pytest.mark.parametrize("words", ["同意", "验收合格", "已阅", "收到,请今天处理"])
def test_a_colleagues_word_on_nothing_we_know_goes_to_nobody_outside(tmp_path: Path, words: str) -> None:
    with station(tmp_path) as office:
        manager = "cs-manager@roles.example.com"
        office.put(mail(words, sender=manager, name="经理", headers=(vouched(manager),), received=office.now))
        office.work()
        [ticket] = office.tickets
        assert (ticket.kind, ticket.department, ticket.document("notice")) == ("liaison", "cs_center", None)
        [asked] = office.delivered(manager)
        assert "所指工单的编号" in asked.get_body(("plain",)).get_content()  # type: ignore[union-attr]


@pytest.mark.parametrize(("words", "phone"), [
    ("我的手机号换成13900000999,以后打这个,原号停用。", "13900000999"), ("新电话:13900000999", "13900000999"),
    ("找我老婆13900000998也行", "13800000201"), ("物业的电话换了,13900000998没人接。", "13800000201"),
    ("我电话换了人接,13900000998是师傅的。", "13800000201"), ("师傅的新电话是13900000998,打不通。", "13800000201"),
])  # fmt: skip
def test_who_has_another_number_now_is_called_there(tmp_path: Path, words: str, phone: str) -> None:
    with station(tmp_path) as office:
        he = "heyangban@mail.example.com"
        leak = "我是5号楼1单元201的业主何样板,电话13800000201。卫生间地漏堵了,请来疏通。"
        office.put(mail(leak, sender=he, headers=(vouched(he),), received=office.now))
        office.work()
        office.put(mail(words, sender=he, answers=office.delivered(he)[-1], headers=(vouched(he),), received=office.now))
        office.work()
        [ticket] = office.tickets
        assert ticket.requester.phone == phone


def test_what_is_added_to_a_secret_complaint_is_passed_on_by_a_person(tmp_path: Path) -> None:
    """New words may name the family, the house, the hour: to those who are complained of they would tell who it was (§9)."""
    with station(tmp_path) as office:
        he = "heyangban@mail.example.com"
        rude = "我是5号楼1单元201的业主何样板,电话13800000201。保安队长骂我,态度恶劣,我要投诉,请替我保密。"
        office.put(mail(rude, sender=he, headers=(vouched(he),), received=office.now))
        office.work()
        before = len(office.letters)
        words = "另外补充:当时我老婆李梅也在,她电话13811112222,我家住5-1-201。"
        office.put(mail(words, sender=he, answers=office.delivered(he)[-1], headers=(vouched(he),), received=office.now))
        office.work()
        told = {x["recipient"]: x["text"] for x in office.letters[before:]}
        assert "property_company" not in told and "李梅" in told["cs_specialist"] and "请隐去身份后转达" in told["cs_specialist"]
