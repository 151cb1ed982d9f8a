"""What proven people say is done and told back; what is unproven or may not be stays a remark."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kefud.api import (
    Address,
    AddTask,
    Attachment,
    Author,
    Call,
    Deadline,
    Delivered,
    Document,
    Draw,
    Heard,
    LetterRef,
    Message,
    Move,
    Notice,
    Ordered,
    Release,
    Remark,
    Reply,
    Requester,
    Site,
    Ticket,
    Write,
)
from kefud.config import load
from kefud.desk.ticket import Task
from kefud.desk.triage import Outcome, deliberate
from kefud.desk.view import notice_view
from kefud.testing import rule_contract

from . import Commands

TOML = """
[[party]]
id = "property_company"
name = "样例物业服务有限公司"
kind = "property_company"
addresses = ["wuye@property.example.com"]

[[party]]
id = "engineering"
name = "工程部"

[[party]]
id = "clubhouse"
name = "会所"

[[party]]
id = "contractor-a"
name = "示例防水维修队"
kind = "contractor"
"""
NOW = datetime.fromisoformat("2025-03-05T10:00:00+08:00")
DUE = datetime.fromisoformat("2025-03-06T17:00:00+08:00")
FORWARDED = """-----原始邮件-----
发件人: 小李 <li@property.example.com>
发送时间: 2025年3月5日 9:12
收件人: 物业 <wuye@property.example.com>
主题: 进展

门滑轮已经换好了"""
RESOLVE = Deadline("resolve", NOW.replace(day=3), DUE, "S3-3.3.3", "3 calendar_days")
NOTICE = Document("notice", "客联〔2025〕001号", to="property_company")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "kefud.toml").write_text(TOML, "utf-8")
    return load(tmp_path / "kefud.toml").site


def repair(**values: Any) -> Ticket:
    given = {"kind": "repair", "status": "assigned", "department": "property_company", "handler": "cs_specialist"}
    owner = Requester("魏占空", "13800000207", "wei@example.com")
    return Ticket(**{**given, "requester": owner, "deadlines": (RESOLVE,), "documents": (NOTICE,), **values})


def wrote(site: Site, ticket: Ticket, text: str, by: str = "property_company", **author: Any) -> Outcome:
    who = Author(**{"role": "party", "id": by, "verified": True, **author})
    message = Message("mail", NOW, text=text, sender=Address(email="wuye@property.example.com"), message_id="<m@x>")
    return deliberate(ticket, Heard(NOW, message, who), [Commands(site)])


def owner_wrote(site: Site, ticket: Ticket, text: str, verified: bool = True, believed: bool = True) -> Outcome:
    return wrote(site, ticket, text, by="", role="requester", verified=verified, believed=believed)


def ordered(site: Site, ticket: Ticket, command: str, by: str = "cs_specialist", **args: Any) -> Outcome:
    return deliberate(ticket, Ordered(NOW, command, by, args), [Commands(site)])


def transcript(outcome: Outcome) -> dict[str, Any]:
    return next((d.data for d in outcome.decisions if isinstance(d, Write) and d.template == "commands/transcript"), {})


def replies(outcome: Outcome) -> list[str]:
    return [d.template for d in outcome.decisions if isinstance(d, Reply)]


def tasks(outcome: Outcome) -> list[str]:
    return [d.kind for d in outcome.decisions if isinstance(d, AddTask)]


# parties


def test_a_department_signs_for_its_notice(site: Site) -> None:
    outcome = wrote(site, repair(), "收到")
    assert outcome.ticket.status == "acknowledged" and transcript(outcome)["refused"] == []


def test_a_finished_repair_waits_for_our_acceptance(site: Site) -> None:
    outcome = wrote(site, repair(), "已处理:更换灯泡两只,照明恢复。")
    assert outcome.ticket.status == "handled" and outcome.ticket.fields["done_by"] == "property_company"
    assert outcome.ticket.fields["result"] == "更换灯泡两只,照明恢复" and tasks(outcome) == ["verify"]


@pytest.mark.parametrize("mark", [":", "\uff1a"])
def test_the_owner_reads_the_result_without_the_mark_before_it(site: Site, mark: str) -> None:
    """As Chinese is typed: with marks of full width."""
    outcome = wrote(site, repair(), f"已处理{mark}更换灯泡两只\uff0c照明恢复。")
    assert outcome.ticket.fields["result"] == "更换灯泡两只\uff0c照明恢复"


def test_the_name_under_a_letter_is_no_part_of_the_result(site: Site) -> None:
    outcome = wrote(site, repair(), "已处理:更换灯泡两只,照明恢复。\n\n样例物业\n2025年3月5日")
    assert outcome.ticket.fields["result"] == "更换灯泡两只,照明恢复"


def test_done_without_a_word_of_what_was_done_is_refused(site: Site) -> None:
    outcome = wrote(site, repair(), "已处理")
    assert outcome.ticket.status == "in_progress" and "处理情况" in transcript(outcome)["refused"][0]


def test_a_repair_report_names_cost_and_warranty(site: Site) -> None:
    fields = wrote(site, repair(), "已处理:更换阀芯。\n费用:380元\n保修期:两年").ticket.fields
    assert (fields["result"], fields["cost"], fields["warranty"]) == ("更换阀芯", "380.00", "2027-03-05")


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("师傅上午去看了,是头发堵了地漏芯,已清理干净", "师傅上午去看了,是头发堵了地漏芯,已清理干净"),
        ("已经换好了,业主签字了", "已经换好了,业主签字了"),
        ("现场已关阀通风,疏散了住户,已更换软管", "现场已关阀通风,疏散了住户,已更换软管"),
        ("已处理:更换水管,现已恢复供水", "更换水管,现已恢复供水"),
        ("已处理。业主说窗户也坏了,要不要一起修?", None),
    ],
)
def test_the_result_is_what_they_wrote(site: Site, text: str, result: str | None) -> None:
    assert wrote(site, repair(), text).ticket.fields.get("result") == result


@pytest.mark.parametrize(
    "text",
    ["收到,这个不是我们的,应该找工程部", "收到,这户保修期已过,我们不修", "这个活我们干不了", "跟我们没关系", "收到,不归我们管"],
)
def test_a_refusal_in_plain_words_goes_to_the_property_manager(site: Site, text: str) -> None:
    assert wrote(site, repair(), text).ticket.has("report_up:property_manager")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("收到,业主电话打不通,请再给一个联系方式", True), ("已处理", True), ("转 不存在的部门", True), ("这个问题我们讨论一下再说", True),
        ("收到", False), ("收到,我们会尽快安排处理,谢谢!", False), ("已处理:更换水管", False),
    ],
)  # fmt: skip
def test_what_no_command_carries_is_read_by_the_handler(site: Site, text: str, read: bool) -> None:
    alerts = [d for d in wrote(site, repair(), text).decisions if isinstance(d, Write) and d.template == "reports/alert"]
    assert bool(alerts) is read and all(d.to == "handler" and text in d.data["text"] for d in alerts)


@pytest.mark.parametrize(
    ("quoted", "files", "read"),
    [
        ("", (Attachment("验收单.jpg", "image/jpeg", 1, "0" * 64, 1),), "验收单.jpg"),
        (FORWARDED, (), "门滑轮已经换好了"),
        ("", (), ""),
    ],
)
def test_a_mail_without_words_of_its_own_is_seen(site: Site, quoted: str, files: tuple[Attachment, ...], read: str) -> None:
    who = Author("party", "property_company", verified=True)
    message = Message("mail", NOW, text="", quoted=quoted, attachments=files, sender=Address(email="wuye@property.example.com"))
    outcome = deliberate(repair(), Heard(NOW, message, who), [Commands(site)])
    alerts = [d.data["text"] for d in outcome.decisions if isinstance(d, Write) and d.template == "reports/alert"]
    assert (len(alerts) == 1 and read in alerts[0]) if read else not alerts
    assert outcome.ticket.status == ("acknowledged" if read else "assigned")


def test_who_may_not_call_the_customer_is_not_asked_to_have_talked_to_him(site: Site) -> None:
    report = "已处理:垃圾已清运干净。调查:情况属实。原因:车辆故障。措施:已加派车辆。"
    told = {"kind": "complaint", "category": "environment", "origin": "owner"}
    hidden = wrote(site, repair(**told), report)
    assert not transcript(hidden)["refused"] and "complete" in tasks(hidden)
    assert transcript(wrote(site, repair(**told), "已处理:垃圾已清运干净。"))["refused"], "the rest is theirs to tell"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("材料没到货,申请延期到下周五", "材料没到货"), ("能否把完成时间顺延到5月14日?连日下雨没法打胶。", "连日下雨没法打胶"),
        ("申请延期到5月14日。因连日下雨", "连日下雨"),
    ],
)  # fmt: skip
def test_a_reason_may_stand_before_the_request_or_behind_it(site: Site, text: str, reason: str) -> None:
    assert wrote(site, repair(), text).ticket.fields["extension_reason"] == reason


@pytest.mark.parametrize("text", ["维修费用:500元,须业主承担", "已处理。费用:500元"])
def test_a_price_alone_is_no_result(site: Site, text: str) -> None:
    assert wrote(site, repair(), text).ticket.status in ("acknowledged", "in_progress")


def test_what_is_enclosed_goes_with_words_that_explain_it(site: Site) -> None:
    ticket = repair(status="in_progress")
    assert "处理结果" in ordered(site, ticket, "handle", enclosures=["验收单"]).refused[0]
    done = ordered(site, ticket, "handle", result="已更换", enclosures=["验收单", "发票"]).ticket
    assert done.fields["enclosures"] == ["验收单", "发票"]
    bare = ordered(site, done.changed(status="verified"), "reply", enclosures=["验收单"])
    assert bare.refused == ("答复没有内容",) and bare.ticket.status == "verified"


@pytest.mark.parametrize("given", [{"cost": "很贵"}, {"warranty": "很久"}, {"warranty": "2027-02-30"}])
def test_cost_and_warranty_are_entered_so_that_they_can_be_read(site: Site, given: dict[str, str]) -> None:
    assert "S1-4.2.7" in ordered(site, repair(status="in_progress"), "handle", result="已修", **given).refused[0]


def test_a_complaint_names_what_is_missing(site: Site) -> None:
    outcome = wrote(site, repair(kind="complaint"), "已处理:已批评当事人\n原因:情绪失控")
    assert outcome.ticket.status == "in_progress"
    assert "初步调查" in transcript(outcome)["refused"][0] and "与顾客沟通" in transcript(outcome)["refused"][0]
    assert outcome.ticket.fields["cause"] == "情绪失控"


def test_an_extension_is_asked_of_the_owner_and_moves_nothing(site: Site) -> None:
    outcome = wrote(site, repair(), "申请延期至3月8日17时 因 配件缺货")
    assert outcome.ticket.has("extension_requested:2025-03-08T17:00:00+08:00")
    assert outcome.ticket.has("customer_consent_required") and outcome.ticket.extension == "asked"
    assert replies(outcome) == ["replies/extension-consent"] and outcome.ticket.deadline("resolve") == RESOLVE



@pytest.mark.parametrize("words", ["外墙打胶预计要到3月8日才能完工,望批准顺延。因阴雨", "因配件最快3月8日才能到货,恳请顺延"])
def test_the_new_time_may_stand_before_the_request(site: Site, words: str) -> None:
    assert wrote(site, repair(), words).ticket.has("extension_requested:2025-03-08T17:00:00+08:00")


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("收到。因防水材料未到货,申请将完成时间延期到3月10日。", "2025-03-10T17:00:00+08:00"),
        ("由于连日下雨,我队申请延期3天", "2025-03-09T17:00:00+08:00"),
        ("恳请宽限两个工作日,因人手不足", "2025-03-10T17:00:00+08:00"),
        ("申请延期至3月8日17时,原因:配件缺货", "2025-03-08T17:00:00+08:00"),
    ],
)
def test_extensions_are_asked_in_many_words(site: Site, text: str, until: str) -> None:
    outcome = wrote(site, repair(), text)
    assert outcome.ticket.fields.get("extension_until") == until, transcript(outcome)
    assert outcome.ticket.fields["extension_reason"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("申请延期 因 缺货", "写明延期到何时"),
        ("申请延期至3月8日17时", "延期原因"),
        ("申请延期至3月6日12时 因 缺货", "不晚于原时限"),
    ],
)
def test_an_incomplete_extension_is_refused_with_the_reason(site: Site, text: str, reason: str) -> None:
    outcome = wrote(site, repair(), text)
    assert reason in transcript(outcome)["refused"][0] and outcome.ticket.extension == ""


def test_an_extension_after_the_deadline_is_refused(site: Site) -> None:
    late = Deadline("resolve", NOW.replace(day=1), NOW.replace(day=4), "S3-3.3.3")
    outcome = wrote(site, repair(deadlines=(late,)), "申请延期至3月8日17时 因 缺货")
    assert "逾期" in transcript(outcome)["refused"][0]


@pytest.mark.parametrize("text", ["申请延期至3月1日17时,因下雨", "申请延期至2月28日,因配件未到", "配件3月1日才能到货,恳请顺延"])
def test_a_day_that_has_passed_is_not_next_year(site: Site, text: str) -> None:
    """Rule 24: the owner is not asked to wait a year because of a slip of the pen."""
    outcome = wrote(site, repair(), text)
    assert transcript(outcome)["refused"] and outcome.ticket.extension == "" and not replies(outcome)


@pytest.mark.parametrize("until", ["3月1日17时", "2月28日"])
def test_a_day_that_has_passed_is_refused_as_an_order_too(site: Site, until: str) -> None:
    assert "不晚于原时限" in ordered(site, repair(), "extend", until=until, reason="下雨").refused[0]


@pytest.mark.parametrize(
    ("text", "until"),
    [("申请延期至1月5日17时,因下雨", "2026-01-05T17:00:00+08:00"), ("申请延期至2026年11月30日,因下雨", "2026-11-30T17:00:00+08:00")],
)
def test_in_december_january_is_next_year(site: Site, text: str, until: str) -> None:
    december = NOW.replace(month=12, day=24)
    running = replace(RESOLVE, start=december, due=december.replace(day=31))
    message = Message("mail", december, text=text, message_id="<m@x>")
    heard = Heard(december, message, Author("party", "property_company", verified=True))
    outcome = deliberate(repair(deadlines=(running,)), heard, [Commands(site)])
    assert outcome.ticket.fields["extension_until"] == until


def test_an_imported_ticket_may_know_only_what_was_promised(site: Site) -> None:
    ticket = repair(deadlines=(), fields={"promised_at": "2025-03-06T17:00:00+08:00"})
    outcome = wrote(site, ticket, "申请延期至3月8日17时 因 配件缺货")
    assert outcome.ticket.extension == "asked"
    assert owner_wrote(site, outcome.ticket, "同意").ticket.fields["promised_at"] == "2025-03-08T17:00:00+08:00"


def test_a_transfer_gets_a_notice_of_its_own(site: Site) -> None:
    outcome = wrote(site, repair(), "转 工程部 因 属主体结构")
    assert (outcome.ticket.department, outcome.ticket.transfers) == ("engineering", 1)
    assert [d.to for d in outcome.decisions if isinstance(d, Notice)] == ["engineering"]


def test_the_second_transfer_goes_to_the_property_manager(site: Site) -> None:
    outcome = wrote(site, repair(transfers=1), "转 工程部 因 属主体结构")
    assert outcome.ticket.department == "property_company" and outcome.ticket.notify == ("property_manager",)
    assert outcome.ticket.transfers == 2


def test_a_refusal_goes_to_the_property_manager(site: Site) -> None:
    outcome = wrote(site, repair(), "此事不属于我司职责,退回。")
    assert outcome.ticket.notify == ("property_manager",) and outcome.ticket.status == "acknowledged"


@pytest.mark.parametrize(
    ("text", "values", "status"),
    [
        ("退回 因 不属我方范围", {}, "acknowledged"),
        ("转 工程部 因 属主体结构", {"transfers": 1}, "acknowledged"),
        ("转 不存在的部门", {}, "acknowledged"),
        ("申请延期至3月20日17时,因配件未到", {"urgency": "emergency"}, "acknowledged"),
        ("退回 因 不属我方范围", {"urgency": "emergency"}, "assigned"),
        ("已到场关阀断电,正在抢修", {"urgency": "emergency"}, "in_progress"),
        ("收到,已到现场,正在解救", {"urgency": "emergency"}, "in_progress"),
        ("转 工程部 因 属主体结构", {}, "assigned"),
    ],
)
def test_whatever_the_department_answers_it_has_the_notice(site: Site, text: str, values: dict[str, Any], status: str) -> None:
    """S1-4.3.6: nobody is called unsigned who has answered; an emergency that is refused goes on being alarmed (S2-1.B4)."""
    assert wrote(site, repair(**values), text).ticket.status == status


def test_word_from_the_scene_by_another_does_not_sign_for_the_lead(site: Site) -> None:
    ticket = repair(urgency="emergency", department="engineering", joint=("property_company",))
    assert wrote(site, ticket, "已到场关阀断电,正在抢修").ticket.status == "assigned"


def test_the_last_contribution_lets_the_handler_answer(site: Site) -> None:
    ticket = repair(kind="consultation", department="cs_center", joint=("clubhouse",), handler="cs_clerk")
    outcome = wrote(site, ticket, "收到。意见:家庭卡可带三人,每月二百元。", by="clubhouse")
    assert outcome.ticket.fields["contributions"] == {"clubhouse": "家庭卡可带三人,每月二百元"}
    assert outcome.ticket.status == "handled" and tasks(outcome) == ["answer"]


def test_a_bare_sign_off_is_no_contribution(site: Site) -> None:
    ticket = repair(kind="consultation", department="cs_center", joint=("clubhouse",))
    assert not wrote(site, ticket, "收到", by="clubhouse").ticket.fields.get("contributions")


@pytest.mark.parametrize("text", ["已处理:我司已先行修补台阶,现已平整。", "收到,已拆下的瓷砖放在门岗,请新单位来取"])
def test_what_the_former_department_did_is_noted(site: Site, text: str) -> None:
    """S1-4.3.6: it was asked to tell what it had done; the status is the next one's."""
    outcome = wrote(site, repair(department="engineering", documents=(replace(NOTICE, void="改由工程部办理"),)), text)
    assert outcome.ticket.status == "assigned" and "result" not in outcome.ticket.fields
    (alert,) = letters(outcome, "reports/alert")
    assert alert.to == "handler" and text in alert.data["text"]
    assert any(isinstance(d, Remark) and text in d.text for d in outcome.decisions)
    answer = transcript(outcome)
    assert not answer["refused"] and "已改由工程部办理" in answer["steps"][0]["text"]


def test_the_relaying_party_does_not_command_the_ticket_of_another(site: Site) -> None:
    ticket = repair(department="contractor", origin="property_company", documents=())
    outcome = wrote(site, ticket, "已处理:修好了")
    assert outcome.ticket.status == "assigned" and not transcript(outcome).get("steps")


def test_a_reopened_ticket_is_taken_up_by_signing(site: Site) -> None:
    assert wrote(site, repair(status="reopened", round=2), "收到").ticket.status == "acknowledged"


@pytest.mark.parametrize("text", ["收到", "已处理:修好了", "转 工程部", "退回 因 不清"])
def test_an_unproven_mail_is_a_remark_that_the_handler_hears_of(site: Site, text: str) -> None:
    for author in ({"verified": False}, {"role": "stranger", "verified": False}):
        outcome = wrote(site, repair(), text, **author)
        remark, told = outcome.decisions
        assert isinstance(remark, Remark) and isinstance(told, Write) and told.to == "handler"
        assert "未经证实" in told.data["text"] and outcome.ticket == repair()


def test_what_is_not_understood_is_kept_and_said(site: Site) -> None:
    outcome = wrote(site, repair(), "这个问题我们讨论一下再说")
    assert outcome.ticket.status == "acknowledged" and transcript(outcome)["ignored"] is True, "a letter signs for the notice"


# customers


def asked(site: Site) -> Ticket:
    return wrote(site, repair(), "申请延期至3月8日17时 因 配件缺货").ticket


def test_a_yes_moves_the_deadline(site: Site) -> None:
    after = owner_wrote(site, asked(site), "同意").ticket
    resolve = after.deadline("resolve")
    assert after.extension == "agreed" and resolve and resolve.due.isoformat() == "2025-03-08T17:00:00+08:00"
    assert after.fields["promised_at"] == "2025-03-08T17:00:00+08:00", "nobody is late for what was promised before (rule 24)"


def test_a_yes_after_the_old_time_leaves_it_broken_and_sets_a_new_one(site: Site) -> None:
    late = replace(RESOLVE, due=NOW - timedelta(hours=1))
    after = owner_wrote(site, asked(site).changed(deadlines=(late,)), "同意").ticket
    old, new = (d for d in after.deadlines if d.name == "resolve")
    assert old.due < NOW == old.met and new.open and new.due.isoformat() == "2025-03-08T17:00:00+08:00"


@pytest.mark.parametrize(("text", "verified"), [("不同意", True), ("再说吧", True), ("同意", False)])
def test_anything_but_a_proven_yes_leaves_it(site: Site, text: str, verified: bool) -> None:
    assert owner_wrote(site, asked(site), text, verified).ticket.deadline("resolve") == RESOLVE


def test_a_customer_may_withdraw(site: Site) -> None:
    after = owner_wrote(site, repair(), "已经好了,不用处理了,谢谢").ticket
    assert after.status == "withdrawn" and "不用处理" in after.fields["withdrawal"]


@pytest.mark.parametrize("values", [{"urgency": "emergency"}, {"category": "safety"}])
def test_safety_does_not_end_by_withdrawal(site: Site, values: dict[str, Any]) -> None:
    assert owner_wrote(site, repair(**values), "我要撤回报修").ticket.status == "assigned"


def asked_by(*ids: str) -> Ticket:
    """A ticket whose owner was asked for more time once for each id."""
    letters = tuple(LetterRef(n, "wei@example.com", "replies/extension-consent", id, "sent") for n, id in enumerate(ids))
    until = {"extension_until": "2025-03-14T17:00:00+08:00", "extension_of": "resolve"}
    return repair(extension="asked", fields=until, letters=letters)


@pytest.mark.parametrize(
    ("answered", "text", "extension"),
    [
        ("<b@x>", "同意", "agreed"), ("<b@x>", "我不同意延期", "refused"), ("<a@x>", "同意", "asked"), ("<a@x>", "不同意", "asked"),
        ("", "同意", "asked"), ("<b@x>", "同意延期至3月9日", "asked"), ("<b@x>", "同意延期至3月14日", "agreed"), ("<b@x>", "同意,但要赔偿", "asked"),
    ],
)  # fmt: skip
def test_a_yes_is_for_the_request_it_answers(site: Site, answered: str, text: str, extension: str) -> None:
    """Rule 24: a yes to the earlier day, or to another one, is no yes to the later; a person asks."""
    message = Message("mail", NOW, text=text, in_reply_to=(answered,) if answered else ())
    outcome = deliberate(asked_by("<a@x>", "<b@x>"), Heard(NOW, message, Author("requester", verified=True)), [Commands(site)])
    assert outcome.ticket.extension == extension
    assert tasks(outcome) == (["consent"] if extension == "asked" else [])


def test_what_may_be_a_withdrawal_is_asked_back_and_goes_on(site: Site) -> None:
    outcome = owner_wrote(site, repair(), "不用处理了,我去住建局投诉")
    assert outcome.ticket.status == "assigned" and tasks(outcome) == ["confirm"]


def test_impatience_reaches_handler_and_department(site: Site) -> None:
    outcome = owner_wrote(site, repair(), "都三天了,怎么还没人来修?", verified=False)
    assert outcome.ticket.has("customer_chased")
    assert [d.to for d in outcome.decisions if isinstance(d, Write)] == ["handler", "department"]


@pytest.mark.parametrize("text", ["都三天了,怎么还没人来修?", "另外北门的灯也坏了", "说好昨天修的没来,请另找别人修"])
def test_what_nobody_vouches_for_reaches_the_handler_and_nobody_else(site: Site, text: str) -> None:
    late = Deadline("resolve", NOW.replace(day=1), NOW.replace(day=4), "S3-3.3.2")
    ticket = repair(department="contractor", fields={"contractor": "contractor-a"}, deadlines=(late,))
    outcome = owner_wrote(site, ticket, text, verified=False, believed=False)
    assert {d.to for d in outcome.decisions if isinstance(d, Write)} == {"handler"}
    assert not [d for d in outcome.decisions if isinstance(d, (Notice, Draw, Move))]


def test_who_claims_to_be_the_owner_is_called_back(site: Site) -> None:
    outcome = wrote(site, repair(), "我要撤回报修", role="stranger", by="household", verified=False)
    assert [d.role for d in outcome.decisions if isinstance(d, AddTask)] == ["cs_supervisor"]
    assert outcome.ticket.status == repair().status


def test_thanks_disturb_nobody(site: Site) -> None:
    assert [type(d) for d in owner_wrote(site, repair(), "好的,谢谢!").decisions] == [Remark]


def test_new_demands_reach_the_department_without_personal_data(site: Site) -> None:
    outcome = owner_wrote(site, repair(), "另外北门的灯也坏了,我是魏占空,电话13800000207")
    told = next(d.data["text"] for d in outcome.decisions if isinstance(d, Write) and d.to == "department")
    assert "北门的灯" in told and "13800000207" not in told and "魏占空" not in told


def test_missing_papers_bring_the_ticket_back(site: Site) -> None:
    ticket = repair(status="need_info", fields={"need_info_from": "in_progress"}, documents=())
    assert owner_wrote(site, ticket, "房号是3-2-501").ticket.status == "in_progress"


def test_a_late_contractor_and_an_owner_who_wants_others(site: Site) -> None:
    late = Deadline("resolve", NOW.replace(day=1), NOW.replace(day=4), "S3-3.3.2")
    ticket = repair(department="contractor", fields={"contractor": "contractor-a"}, deadlines=(late,))
    outcome = owner_wrote(site, ticket, "说好昨天修的没来,请另找别人修")
    assert {"contractor_late", "owner_request_recorded"} <= set(outcome.ticket.effects)
    assert [d.form for d in outcome.decisions if isinstance(d, Draw)] == ["evidence_record", "retention_claim"]
    assert [d.to for d in outcome.decisions if isinstance(d, Notice)] == ["contractor-a"]
    assert not [d for d in owner_wrote(site, outcome.ticket, "请另找别人修").decisions if isinstance(d, Draw)]


def rang(site: Site, ticket: Ticket, content: str, caller: str = "13800000207") -> Outcome:
    call = Call("B1", NOW, "in", "answered", caller=caller, content=content, result="已记录")
    message = Message("call", NOW, text=f"{content}\n已记录", call=call)
    return deliberate(ticket, Heard(NOW, message, Author("agent", "803", verified=True)), [Commands(site)])


def test_who_calls_from_the_own_number_takes_the_matter_back(site: Site) -> None:
    mine = repair(requester=Requester("魏占空", "138 0000 0207"))
    outcome = rang(site, mine, "KF20250303-0001灯自己换好了,不用来了,要求撤销报修")
    assert outcome.ticket.status == "withdrawn" and "自己换好了" in str(outcome.ticket.fields["withdrawal"])
    assert rang(site, mine, "KF20250303-0001业主来电称不用修了,报修要撤销").ticket.status == "withdrawn"
    assert rang(site, mine, "KF20250303-0001灯修好了没有,催一下").ticket.status == "assigned"


def test_who_calls_from_another_number_is_called_back_first(site: Site) -> None:
    outcome = rang(site, repair(requester=Requester("魏占空", "13800000207")), "KF20250303-0001要求撤销报修", "13800000999")
    assert outcome.ticket.status == "assigned" and any("核实" in d.data["text"] for d in letters(outcome, "reports/alert"))


def test_a_call_that_only_sounds_so_is_asked_back(site: Site) -> None:
    mine = repair(requester=Requester("魏占空", "13800000207"))
    outcome = rang(site, mine, "KF20250303-0001先不用来了,等我通知")
    assert outcome.ticket.status == "assigned" and "confirm" in {d.kind for d in outcome.decisions if isinstance(d, AddTask)}


def test_who_had_it_done_wants_nobody_sent_and_is_asked_whether_it_is_taken_back(site: Site) -> None:
    late = Deadline("resolve", NOW.replace(day=1), NOW.replace(day=4), "S3-3.3.2")
    ticket = repair(department="contractor", fields={"contractor": "contractor-a"}, deadlines=(late,))
    outcome = owner_wrote(site, ticket, "KF20250303-0001 等了这么多天,我自己找人换好了,你们不用来了,撤销吧。真是服了")
    assert not [d for d in outcome.decisions if isinstance(d, Notice)] and "owner_request_recorded" not in outcome.ticket.effects
    assert "confirm" in tasks(outcome)
    assert owner_wrote(site, ticket, "KF20250303-0001 我自己找人换好了,不用来了,撤销吧").ticket.status == "withdrawn"


def test_the_last_notice_says_until_when_and_how_urgent(site: Site) -> None:
    late = Deadline("resolve", NOW.replace(day=1), NOW.replace(day=4), "S3-3.3.2")
    ticket = repair(department="contractor", fields={"contractor": "contractor-a"}, deadlines=(late,), requester=Requester())
    outcome = owner_wrote(site, ticket, "说好昨天修的没来,请另找别人修")
    last = next(d for d in outcome.decisions if isinstance(d, Notice))
    said = notice_view(outcome.ticket, last, "1", site={"name": "客服中心", "timezone": "Asia/Shanghai"}, at=NOW)
    assert last.finish_by and last.finish_by > NOW and said["finish_by"]
    assert said["urgency_zh"] == "加急" and "预约" in said["contact"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("还没人来,催一下,另要求书面答复", True), ("催一下,并要求书面答复我", True), ("请给我一份书面说明", True), ("结果请用书面形式回复", True),
        ("书面答复已收到,谢谢", False), ("不用书面答复,打电话就行", False), ("还没人来,催一下", False),
    ],
)  # fmt: skip
def test_a_written_answer_wanted_later_is_wanted_like_one_wanted_at_first(site: Site, text: str, wanted: bool) -> None:
    known = Author("requester", why="同一户、同一事项")
    heard = Heard(NOW, Message("call", NOW, text=text), known, merged=True)
    for outcome in (deliberate(repair(), heard, [Commands(site)]), rang(site, repair(), f"KF20250303-0001{text}")):
        assert ("written_answer_requested" in outcome.ticket.effects) is wanted


# orders


def test_a_complaint_is_handled_when_everything_is_there(site: Site) -> None:
    done = {"result": "已致歉", "inquiry": "属实", "cause": "失控", "solution": "培训"}
    ticket = repair(kind="complaint", status="in_progress")
    outcome = ordered(site, ticket, "handle", **done)
    assert outcome.ticket.status == "in_progress" and "与顾客沟通" in outcome.refused[0]
    assert ordered(site, outcome.ticket, "handle", customer_talk="3月5日电话沟通,接受").ticket.status == "handled"


def test_the_doer_does_not_verify(site: Site) -> None:
    ticket = repair(status="handled", fields={"result": "已修", "done_by": "cs_specialist"})
    assert ordered(site, ticket, "verify").refused
    assert ordered(site, ticket, "verify", by="cs_clerk").ticket.status == "verified"


def letters(outcome: Outcome, template: str) -> list[Write]:
    return [d for d in outcome.decisions if isinstance(d, Write) and d.template == template]


def test_the_handler_is_asked_by_letter_to_accept_the_work(site: Site) -> None:
    (asked,) = letters(wrote(site, repair(), "已处理:更换灯泡两只,照明恢复。"), "reports/verify")
    assert (asked.to, asked.data["result"]) == ("handler", "更换灯泡两只,照明恢复")


def test_failed_acceptance_goes_back(site: Site) -> None:
    ticket = repair(status="handled", fields={"result": "已修", "done_by": "property_company"})
    outcome = ordered(site, ticket, "verify", passed=False, text="仍渗水")
    assert outcome.ticket.status == "in_progress"
    assert [d.to for d in outcome.decisions if isinstance(d, Write)] == ["department"]


def test_a_consultation_is_answered_and_the_letter_meets_the_promise(site: Site) -> None:
    ticket = repair(kind="consultation", status="triaged", department="cs_center")
    outcome = ordered(site, ticket, "reply", text="每周六开放。")
    reply = next(d for d in outcome.decisions if isinstance(d, Reply))
    assert outcome.ticket.status == "answered" and (reply.template, reply.meets) == ("replies/answer", "reply")


def test_no_answer_before_the_departments_have_spoken(site: Site) -> None:
    ticket = repair(kind="consultation", status="triaged", department="cs_center", joint=("engineering",))
    assert ordered(site, ticket, "reply", text="可以拆").refused


def test_nothing_is_written_where_it_may_not_be_answered_yet(site: Site) -> None:
    asked = repair(kind="consultation", status="triaged", department="cs_center", joint=("engineering",))
    unverified = repair(status="handled", fields={"result": "已修"})
    for ticket in (asked, unverified):
        outcome = ordered(site, ticket, "reply", text="可以")
        assert outcome.refused and not outcome.decisions


@pytest.mark.parametrize("kind", ["complaint", "repair"])
def test_words_before_the_work_are_progress(site: Site, kind: str) -> None:
    outcome = ordered(site, repair(kind=kind, status="triaged", department="cs_center"), "reply", text="我们已了解情况。")
    assert replies(outcome) == ["replies/progress"] and outcome.ticket.status == "triaged"


@pytest.mark.parametrize("status", ["triaged", "verified", "in_progress"])
def test_who_may_not_close_changes_nothing(site: Site, status: str) -> None:
    ticket = repair(kind="complaint", status=status, fields={"result": "已致歉"})
    outcome = ordered(site, ticket, "close", reason="已了解")
    assert outcome.refused and outcome.ticket == ticket


def test_leadership_ends_what_goes_on_for_ever(site: Site) -> None:
    ticket = repair(kind="complaint", status="verified", round=3, fields={"result": "已致歉", "answer": "已致歉"})
    assert ordered(site, ticket, "close", by="leadership", reason="诉求无依据,书面终结").ticket.status == "closed"
    assert ordered(site, ticket, "close", by="cs_manager", reason="诉求无依据").refused


def test_words_in_between_are_progress(site: Site) -> None:
    outcome = ordered(site, repair(status="in_progress"), "reply", text="配件已到,明日安装。")
    assert replies(outcome) == ["replies/progress"] and outcome.ticket.status == "in_progress"


def test_adoption_is_thanked_once_and_refusal_explained(site: Site) -> None:
    idea = repair(kind="suggestion", status="in_progress", fields={})
    adopted = ordered(site, idea, "adopt", reason="已列入计划")
    assert replies(adopted) == ["replies/thanks"] and adopted.ticket.status == "answered"
    declined = ordered(site, idea, "decline", reason="场地不足")
    assert replies(declined) == ["replies/not-adopted"] and declined.ticket.fields["adoption"] == "declined"


def test_who_declines_a_suggestion_may_offer_something_else(site: Site) -> None:
    idea = repair(kind="suggestion", status="handled", fields={"result": "不采纳"})
    outcome = ordered(site, idea, "decline", reason="照度符合标准", alternative="偏暗处加装补光")
    (letter,) = [d for d in outcome.decisions if isinstance(d, Reply)]
    assert letter.data == {"reason": "照度符合标准", "alternative": "偏暗处加装补光"}
    assert "偏暗处加装补光" in outcome.ticket.fields["answer"]


def test_who_adopts_a_part_says_which_and_why_not_the_rest(site: Site) -> None:
    idea = repair(kind="suggestion", status="in_progress", department="property_company")
    assert "其余未采纳的理由" in ordered(site, idea, "adopt", partly=True, reason="快递柜受消防通道限制").refused[0]
    outcome = ordered(site, idea, "adopt", partly=True, plan="二季度铺软地垫", reason="快递柜受消防通道限制")
    assert "二季度铺软地垫" in outcome.ticket.fields["answer"] and "快递柜受消防通道限制" in outcome.ticket.fields["answer"]


def test_anonymous_ideas_are_thanked_on_the_board(site: Site) -> None:
    outcome = ordered(site, repair(kind="suggestion", origin="anonymous", status="in_progress"), "adopt", reason="好")
    assert not replies(outcome) and [d.data["public"] for d in outcome.decisions if isinstance(d, Draw)] == [True]


def test_who_has_no_address_is_told_by_telephone(site: Site) -> None:
    idea = repair(kind="suggestion", status="in_progress", requester=Requester("华某样", "13800000208"))
    outcome = ordered(site, idea, "adopt", reason="已列入计划")
    assert not replies(outcome) and tasks(outcome) == ["tell"]


@pytest.mark.parametrize(("letter", "gone"), [("", ["<1@x>", "<2@x>"]), ("2", ["<2@x>"]), ("9", [])])
def test_held_letters_are_released_one_by_one_or_all(site: Site, letter: str, gone: list[str]) -> None:
    held = tuple(LetterRef(n, "wei@example.com", "replies/progress", f"<{n}@x>", "held") for n in (1, 2))
    outcome = ordered(site, repair(letters=held), "release", by="cs_manager", **({"letter": letter} if letter else {}))
    assert [d.letter for d in outcome.decisions if isinstance(d, Release)] == gone and bool(outcome.refused) is not bool(gone)
    assert ordered(site, repair(letters=held), "release", by="cs_clerk").refused


def test_a_held_answer_that_comes_late_overwrites_none(site: Site) -> None:
    letter = Delivered(NOW, "<1@example.cn>", "replies/answer", "requester", meets="reply")
    fields = {"answer": "已电话答复", "held_answer": "原拟答复"}
    late = deliberate(repair(kind="consultation", status="closed", fields=fields), letter, [Commands(site)]).ticket
    assert (late.status, late.fields["answer"], late.fields["held_answer"]) == ("closed", "已电话答复", "")


def test_a_decline_needs_reason_alternative_and_signature(site: Site) -> None:
    ticket = repair(kind="consultation", status="triaged", documents=())
    assert ordered(site, ticket, "decline", reason="不在范围").refused
    outcome = ordered(site, ticket, "decline", reason="不在范围", alternative="请联系街道办")
    held = next(d for d in outcome.decisions if isinstance(d, Reply))
    assert outcome.ticket.status == "triaged" and "签发" in held.hold
    letter = Delivered(NOW, "<1@example.cn>", "replies/declined", "requester", meets="reply")
    gone = deliberate(outcome.ticket, letter, [Commands(site)])
    assert gone.ticket.status == "declined"
    signed = ordered(site, ticket, "decline", by="cs_manager", reason="不在范围", alternative="请联系街道办")
    assert next(d for d in signed.decisions if isinstance(d, Reply)).hold == ""


@pytest.mark.parametrize("status", ["assigned", "in_progress", "handled", "closed"])
def test_nothing_is_declined_that_was_given_out(site: Site, status: str) -> None:
    given = repair(kind="complaint", status=status)
    outcome = ordered(site, given, "decline", reason="不在范围", alternative="请联系街道办", by="cs_manager")
    assert "派单之前" in outcome.refused[0] and not replies(outcome) and "decline_reason" not in outcome.ticket.fields


def test_missing_papers_are_asked_for_once(site: Site) -> None:
    ticket = repair(status="in_progress", documents=())
    outcome = ordered(site, ticket, "need_info", missing=["房产证复印件", "身份证明"])
    assert outcome.ticket.status == "need_info" and replies(outcome) == ["replies/need-info"]
    back = outcome.ticket.changed(status="in_progress")
    assert "房产证复印件" in ordered(site, back, "need_info", missing=["房产证复印件"]).refused[0]


def waiting(**values: Any) -> Ticket:
    """A caller's question that waits for papers; the call that asks for them is still to be made."""
    clock = Deadline("reply", NOW.replace(day=4), DUE, "S3-3.3.1", "1 calendar_days")
    tell = Task("tell", "cs_clerk", None, "请电话请顾客一次补齐:图纸")
    return repair(**{
        "kind": "consultation", "status": "need_info", "department": "cs_center", "documents": (), "deadlines": (clock,),
        "requester": Requester("华某样", "13800000208"), "fields": {"need_info_from": "triaged", "missing": ["图纸"]},
        "tasks": (tell,), **values,
    })  # fmt: skip


def test_what_came_over_the_counter_ends_the_waiting(site: Site) -> None:
    assert ordered(site, waiting(), "got_info").refused and ordered(site, repair(), "got_info", text="图纸").refused
    outcome = ordered(site, waiting(), "got_info", text="图纸已送到前台")
    assert outcome.ticket.status == "triaged" and outcome.ticket.fields["info_received"] == "图纸已送到前台"
    assert outcome.ticket.fields["missing"] == [] and all(t.done_at for t in outcome.ticket.tasks)


@pytest.mark.parametrize(
    ("command", "args", "state"),
    [
        ("reply", {"text": "可到前台办理。", "by": "phone"}, "answered"),
        ("handle", {"result": "已办理"}, "handled"),
        ("respond", {"text": "顾客来电补充"}, "triaged"),
        ("transfer", {"to": "engineering", "reason": "图纸须核对"}, "assigned"),
        ("assign", {"department": "cs_center"}, "triaged"),
    ],
)
def test_who_goes_on_waits_no_longer(site: Site, command: str, args: dict[str, str], state: str) -> None:
    assert ordered(site, waiting(), command, **args).ticket.status == state


def test_an_order_that_is_refused_leaves_the_ticket_waiting(site: Site) -> None:
    for command, args in (("reply", {}), ("handle", {}), ("transfer", {"to": "外星部"}), ("assign", {"handler": "cs_clerk"})):
        assert ordered(site, waiting(), command, **args).ticket.status == "need_info"


def test_asking_twice_does_not_forget_where_the_work_stood(site: Site) -> None:
    asked = ordered(site, repair(status="in_progress", documents=()), "need_info", missing=["图纸"]).ticket
    again = ordered(site, asked, "need_info", missing=["收据"]).ticket
    assert ordered(site, again, "got_info", text="都收到了").ticket.status == "in_progress"


@pytest.mark.parametrize(("agreed", "kept"), [(False, False), (True, True)])
def test_a_word_in_between_is_no_answer_unless_it_came_as_agreed(site: Site, agreed: bool, kept: bool) -> None:
    clock = Deadline("reply", NOW.replace(day=4), DUE, "S0-4.1.3", agreed=agreed)
    ticket = repair(status="in_progress", requester=Requester("华某样", "13800000208"), deadlines=(clock,))
    running = ordered(site, ticket, "reply", text="配件已到", by="phone").ticket.deadline("reply")
    assert running and (running.met is not None) is kept


def test_a_correction_stays(site: Site) -> None:
    outcome = ordered(site, repair(), "classify", by="cs_clerk", kind="complaint", category="facility")
    assert outcome.ticket.kind == "complaint" and {"kind", "category"} <= set(outcome.ticket.locked)
    assert ordered(site, repair(urgency="urgent"), "classify", urgency="normal").refused


def test_a_person_may_correct_what_a_person_decided(site: Site) -> None:
    once = ordered(site, repair(), "classify", kind="complaint").ticket
    assert ordered(site, once, "classify", kind="repair").ticket.kind == "repair"
    named = ordered(site, repair(documents=()), "assign", department="engineering", handler="cs_clerk").ticket
    again = ordered(site, named, "assign", department="contractor-a", handler="cs_specialist").ticket
    assert (again.department, again.fields["contractor"], again.handler) == ("contractor", "contractor-a", "cs_specialist")


def test_an_emergency_is_important(site: Site) -> None:
    assert ordered(site, repair(), "classify", urgency="emergency").ticket.important


def test_a_department_without_notice_may_be_given_one(site: Site) -> None:
    for command, args in (("transfer", {"to": "property_company"}), ("assign", {"department": "property_company"})):
        outcome = ordered(site, repair(status="triaged", documents=(), transfers=1), command, **args)
        assert [d.to for d in outcome.decisions if isinstance(d, Notice)] == ["property_company"]
        assert (outcome.ticket.status, outcome.ticket.transfers) == ("assigned", 1)
        assert ordered(site, repair(), "transfer", to="property_company").refused


@pytest.mark.parametrize("command", ["assign", "classify"])
def test_a_department_that_does_not_exist_leads_nothing(site: Site, command: str) -> None:
    outcome = ordered(site, repair(), command, department="外星部")
    assert outcome.refused and outcome.ticket == repair()


@pytest.mark.parametrize(
    ("by", "told"),
    [("cs_clerk", "cs_supervisor"), ("property_supervisor", "pm_dept_manager"), ("property_manager", "leadership")],
)
def test_an_important_matter_found_in_the_ledger_is_reported_once(site: Site, by: str, told: str) -> None:
    outcome = ordered(site, repair(), "classify", by=by, important=True)
    assert outcome.ticket.notify == (told,)
    assert ordered(site, outcome.ticket, "classify", by=by, important=True).ticket.notify == (told,)


def test_an_unknown_class_is_refused(site: Site) -> None:
    assert ordered(site, repair(), "classify", kind="nonsense").refused


@pytest.mark.parametrize(
    ("text", "reasonable"),
    [("已完成:设计不合理属实,修改图纸见附件", True), ("已处理:经核,诉求不合理,符合设计规范", False), ("已处理:详见附件", None)],
)
def test_design_draws_or_gives_its_reasons(site: Site, text: str, reasonable: bool | None) -> None:
    clock = Deadline("drawing", NOW.replace(day=3), NOW.replace(day=7), "S1-5.6.3", "3 working_days")
    ticket = repair(kind="complaint", category="design", department="design", status="acknowledged", deadlines=(clock,))
    outcome = wrote(site, ticket, text, by="design")
    drawing = outcome.ticket.deadline("drawing")
    assert drawing and drawing.met == NOW and outcome.ticket.fields.get("design_reasonable") is reasonable
    assert ("drawing_order" in [d.form for d in outcome.decisions if isinstance(d, Draw)]) is (reasonable is True)


def test_a_plan_is_told_and_promises(site: Site) -> None:
    outcome = ordered(site, repair(), "plan", text="明日到场更换", promised_at="3月7日17时")
    assert outcome.ticket.fields["promised_at"] == "2025-03-07T17:00:00+08:00"
    assert [(d.template, d.meets) for d in outcome.decisions if isinstance(d, Reply)] == [("replies/progress", "plan")]


def test_an_unknown_department_is_refused(site: Site) -> None:
    assert ordered(site, repair(), "transfer", to="外星部", reason="x").refused


def test_the_property_manager_may_pass_it_on_after_coordinating(site: Site) -> None:
    outcome = ordered(site, repair(transfers=2), "transfer", by="property_manager", to="engineering", reason="经协调")
    assert outcome.ticket.department == "engineering"


def test_every_order_without_arguments_is_answered_in_words(site: Site) -> None:
    commands = ("assign", "note", "reply", "transfer", "extend", "handle", "plan", "need_info", "classify", "merge", "decline")
    for command in commands:
        assert ordered(site, repair(), command).refused, command


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("漏点一直没有找到,故障未排除。", "acknowledged"),
        ("已完成现场勘查,待配件到货后维修。", "in_progress"),
        ("业主确认,周六上午上门维修。", "acknowledged"),
        ("原因:主管道开裂\n措施:待配件到货后更换", "in_progress"),
    ],
)
def test_what_is_not_done_is_not_accepted(site: Site, text: str, status: str) -> None:
    """Rule 27: nobody is asked to verify work that the department says is still to be done."""
    outcome = wrote(site, repair(status="acknowledged"), text)
    assert outcome.ticket.status == status and not tasks(outcome) and "result" not in outcome.ticket.fields


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("责任单位:示例防水维修队。已到现场勘查,方案三日内出。", "liable_unit", "示例防水维修队"),
        ("责任单位:示例防水维修队", "liable_unit", "示例防水维修队"),
        ("原因:业主私自改管,非施工质量问题", "cause", "业主私自改管,非施工质量问题"),
        ("调查:现场查看为楼上渗漏,需开楼上地面查验", "inquiry", "现场查看为楼上渗漏,需开楼上地面查验"),
        ("措施:拟更换管道,材料已订", "solution", "拟更换管道,材料已订"),
        ("沟通:已与业主约周五上午", "customer_talk", "已与业主约周五上午"),
    ],
)
def test_a_finding_alone_is_kept_and_is_no_result(site: Site, text: str, field: str, value: str) -> None:
    """Rules 20 and 27: who is liable, why, and what is planned is not yet done; the handler reads it."""
    outcome = wrote(site, repair(), text)
    assert outcome.ticket.status == "in_progress" and not tasks(outcome)
    assert outcome.ticket.fields[field] == value and not {"result", "done_by", "progress_note"} & {*outcome.ticket.fields}
    assert text in letters(outcome, "reports/alert")[0].data["text"]
    assert [step["command"] for step in transcript(outcome)["steps"]] == ["处理中"]


def test_a_finding_beside_the_sign_off_is_kept_too(site: Site) -> None:
    outcome = wrote(site, repair(), "收到。责任单位:示例防水维修队。方案三日内出。")
    assert outcome.ticket.status == "acknowledged" and outcome.ticket.fields["liable_unit"] == "示例防水维修队"
    assert "方案三日内出" in letters(outcome, "reports/alert")[0].data["text"]
    assert "cause" not in wrote(site, repair(), "收到。申请延期至3月8日17时,原因:配件缺货").ticket.fields


def test_a_report_with_its_result_is_a_result(site: Site) -> None:
    outcome = wrote(site, repair(), "原因:垫圈老化\n措施:更换垫圈\n处理结果:试水无渗漏")
    assert outcome.ticket.status == "handled" and outcome.ticket.fields["result"] == "试水无渗漏"


def test_what_a_complaint_lacked_may_follow_its_result(site: Site) -> None:
    reported = wrote(site, repair(kind="complaint"), "已处理:楼道已清扫").ticket
    outcome = wrote(site, reported, "调查:属实\n原因:保洁员请假\n措施:安排替班\n沟通:业主认可")
    assert outcome.ticket.status == "handled" and "楼道已清扫" in outcome.ticket.fields["result"]


def test_what_the_department_says_in_other_words_is_read_by_the_handler(site: Site) -> None:
    outcome = wrote(site, repair(status="acknowledged"), "漏点一直没有找到,故障未排除。")
    assert any(d.to == "handler" and "没有找到" in d.data["text"] for d in outcome.decisions if isinstance(d, Write) and "text" in d.data)


def test_the_rule_keeps_the_contract(site: Site) -> None:
    rule_contract(Commands(site))


@pytest.mark.parametrize(("text", "told"), [("我在休假,3月10日返岗,急事请联系王主管", True), ("您的邮件已送达", False)])
def test_the_handler_hears_that_the_department_is_away(site: Site, text: str, told: bool) -> None:
    message = Message("mail", NOW, text=text, automatic="auto-replied", message_id="<v@x>")
    outcome = deliberate(repair(), Heard(NOW, message, Author("stranger", "property_company")), [Commands(site)])
    assert [d.template for d in outcome.decisions if isinstance(d, Write)] == ["reports/alert"] * told
    assert outcome.ticket.status == "assigned"


def test_who_asks_for_more_time_has_the_notice(site: Site) -> None:
    outcome = wrote(site, repair(), "申请延期至3月20日17时，因配件未到")
    assert outcome.ticket.status == "acknowledged" and outcome.ticket.extension == "asked"


def test_who_brought_the_matter_gets_no_receipt_of_orders(site: Site) -> None:
    brought = repair(requester=Requester("样例物业", "", "wuye@property.example.com"), department="engineering", origin="property_company")
    assert transcript(wrote(site, brought, "请问办到什么程度了，请尽快书面回复")) == {}


@pytest.mark.parametrize(
    "text",
    ["正在处理，这个业主老是投诉，是个刺头，别理他太多", "已安排人员上门，先拖几天", "已安排，先稳住业主别找媒体", "已安排上门，这不关我们的事"],
)
def test_what_is_meant_for_us_is_not_told_to_the_owner(site: Site, text: str) -> None:
    outcome = wrote(site, repair(), text)
    assert "progress_note" not in outcome.ticket.fields and outcome.ticket.status == "in_progress"
    assert text[-6:] in letters(outcome, "reports/alert")[0].data["text"]


def test_it_is_known_when_progress_was_told(site: Site) -> None:
    fields = wrote(site, repair(), "已安排，明天上午到场检修").ticket.fields
    assert (fields["progress_at"], fields["progress_by"]) == (NOW.isoformat(), "property_company")
    fields = ordered(site, repair(), "reply", text="师傅明天上午到场").ticket.fields
    assert (fields["progress_at"], fields["progress_by"]) == (NOW.isoformat(), "cs_specialist")


def test_an_arrangement_is_told_to_the_owner(site: Site) -> None:
    assert wrote(site, repair(), "已安排，明天上午到场检修").ticket.fields["progress_note"] == "已安排，明天上午到场检修"
def understood(site: Site, ticket: Ticket, says: str, text: str, *, verified: bool = True, medium: Any = "mail") -> Outcome:
    """A message without number that was understood as the customer's word on the ticket."""
    heard = Heard(NOW, Message(medium, NOW, text=text), Author("requester", verified=verified), says=says)
    return deliberate(ticket, heard, [Commands(site)])


def test_what_was_understood_as_a_withdrawal_is_one(site: Site) -> None:
    words = "业主来电 地灯已经自己亮了 前几天的报修取消"
    after = understood(site, repair(), "withdraw", words, medium="call").ticket
    assert (after.status, after.fields["withdrawal"]) == ("withdrawn", words)
    unproven = understood(site, repair(), "withdraw", words, verified=False)
    assert unproven.ticket.status == "assigned"
    assert [d.to for d in unproven.decisions if isinstance(d, Write)] == ["handler"]
    doubtful = understood(site, repair(), "withdraw?", "灯好了,报修取消,另外门也坏了")
    assert doubtful.ticket.status == "assigned" and tasks(doubtful) == ["confirm"]


def test_the_owner_learns_that_a_safety_matter_goes_on(site: Site) -> None:
    told = [d.template for d in owner_wrote(site, repair(category="safety"), "我要撤回投诉").decisions if isinstance(d, Reply)]
    assert told == ["replies/stays-open"]
    unproven = owner_wrote(site, repair(category="safety"), "我要撤回投诉", verified=False)
    assert not [d for d in unproven.decisions if isinstance(d, Reply)]


@pytest.mark.parametrize(
    "words",
    [
        "投诉撤回,谢谢。", "算了,投诉撤回吧。", "投诉撤销,谢谢你们。", "算了,不投诉了。", "今天已经打扫干净了,投诉撤回,谢谢。",
        "算了,现在不吵了,投诉撤回吧,谢谢。",
    ],
)  # fmt: skip
def test_a_plain_withdrawal_is_carried_out_and_confirmed(site: Site, words: str) -> None:
    outcome = owner_wrote(site, repair(), words)
    assert outcome.ticket.status == "withdrawn"
    assert [d.template for d in outcome.decisions if isinstance(d, Reply)] == ["replies/withdrawn"]


@pytest.mark.parametrize("words", ["投诉取消了?", "算了,我自己去法院告你们。", "谁让你们把投诉撤销的"])
def test_what_is_no_withdrawal_of_the_writers_ends_nothing(site: Site, words: str) -> None:
    assert owner_wrote(site, repair(), words).ticket.status == "assigned"
