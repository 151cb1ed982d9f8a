"""A result is told, its effect asked for, and only the customer's word closes the ticket."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kefud.api import (
    AddTask,
    Author,
    Besides,
    Call,
    Draw,
    Due,
    Heard,
    Message,
    Moved,
    Ordered,
    Reply,
    Requester,
    Site,
    Ticket,
    Write,
)
from kefud.config import load
from kefud.desk.triage import Outcome, deliberate
from kefud.testing import rule_contract

from . import Visits
from .verdict import only_thanks, reason, verdict

VISIT = datetime.fromisoformat("2025-03-12T15:05:00+08:00")
OWNER = Requester("魏占空", "13800000207", "wei@example.com")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "kefud.toml").write_text("", "utf-8")
    return load(tmp_path / "kefud.toml").site


def repair(**values: Any) -> Ticket:
    given = {"kind": "repair", "status": "visiting", "handler": "cs_specialist", "fields": {"answer": "已更换"}}
    return Ticket(**{**given, "requester": OWNER, **values})


def letters(outcome: Outcome) -> list[str]:
    return [d.template for d in outcome.decisions if isinstance(d, Reply)]


def mailed(site: Site, ticket: Ticket, text: str, verified: bool = True) -> Outcome:
    heard = Heard(VISIT, Message("mail", VISIT, text=text), Author("requester", verified=verified))
    return deliberate(ticket, heard, [Visits(site)])


def called(site: Site, ticket: Ticket, content: str, at: datetime = VISIT, status: Any = "answered") -> Outcome:
    call = Call("PBX-37", at, "out", status, callee="13800000207", agent="802", content=content)
    return deliberate(ticket, Heard(at, Message("call", at, call=call), Author("agent", "802", True)), [Visits(site)])


def test_an_unsatisfied_customer_on_the_phone_starts_the_second_round(site: Site) -> None:
    outcome = called(site, repair(), "回访KF20250306-0011路灯维修:不满意,第二天又不亮了")
    ticket = outcome.ticket
    assert (ticket.status, ticket.round, ticket.important) == ("reopened", 2, True)
    assert {"visit:unsatisfied", "reopened:round2", "report_up:cs_manager"} <= set(ticket.effects)
    assert [d.form for d in outcome.decisions if isinstance(d, Draw)] == ["visit_record"]
    assert ticket.fields["visit_reason"] == "第二天又不亮了"
    assert ticket.fields["round_started_at"] == VISIT.isoformat() and not letters(outcome)


@pytest.mark.parametrize("status", ["handled", "in_progress", "assigned"])
def test_an_unsatisfied_customer_who_was_called_too_early_is_heard(site: Site, status: str) -> None:
    outcome = called(site, repair(status=status), "回访:不满意,闭门器还是关不上")
    assert outcome.ticket.status == status and outcome.ticket.has("visit:unsatisfied")
    assert [d.form for d in outcome.decisions if isinstance(d, Draw)] == ["visit_record"]
    [told] = [d for d in outcome.decisions if isinstance(d, Write)]
    assert told.to == "handler" and "闭门器还是关不上" in told.data["text"]


@pytest.mark.parametrize("text", ["满意", "很满意,谢谢", "基本满意", "还行", "满意\n服务态度:好"])
def test_a_satisfied_customer_closes_the_ticket(site: Site, text: str) -> None:
    outcome = mailed(site, repair(), text)
    assert outcome.ticket.status == "closed" and outcome.ticket.has("visit:satisfied")


def test_an_imported_ticket_without_answer_closes_too(site: Site) -> None:
    assert called(site, repair(fields={}), "回访:业主表示已修好,很满意").ticket.status == "closed"


def test_an_unsatisfied_mail_is_answered_with_an_apology(site: Site) -> None:
    outcome = mailed(site, repair(status="closed"), "不满意,垃圾还在")
    assert outcome.ticket.status == "reopened" and letters(outcome) == ["replies/reopened"]


@pytest.mark.parametrize("round_, told", [(1, "cs_manager"), (2, "leader_in_charge"), (3, "leadership"), (7, "leadership")])
def test_each_round_tells_the_next_rung(site: Site, round_: int, told: str) -> None:
    assert mailed(site, repair(round=round_), "不满意").ticket.notify == (told,)


def test_an_unproven_mail_changes_nothing(site: Site) -> None:
    assert mailed(site, repair(), "不满意", verified=False).ticket.status == "visiting"


def test_words_without_a_verdict_go_to_the_handler(site: Site) -> None:
    assert mailed(site, repair(), "请问你们周末上班吗").ticket.status == "visiting"


def test_nobody_reached_on_three_days_closes_as_unreached(site: Site) -> None:
    ticket = repair()
    for day in (12, 12, 13):
        ticket = called(site, ticket, "", VISIT.replace(day=day), "missed").ticket
        assert ticket.status == "visiting"
    ticket = called(site, ticket, "", VISIT.replace(day=14), "missed").ticket
    assert ticket.status == "closed" and ticket.fields["visit"] == "unreached"
    assert not {"visit:satisfied", "visit:unsatisfied"} & set(ticket.effects)


def test_the_verified_result_is_told_and_the_visit_begins(site: Site) -> None:
    ticket = repair(status="verified", fields={"result": "已更换灯泡"})
    outcome = deliberate(ticket, Moved(VISIT, "handled", "verified"), [Visits(site)])
    assert outcome.ticket.status == "visiting" and letters(outcome) == ["replies/result"]


def test_who_has_no_address_is_called(site: Site) -> None:
    ticket = repair(status="verified", fields={"result": "已更换灯泡"}, requester=Requester("魏占空", "13800000207"))
    outcome = deliberate(ticket, Moved(VISIT, "handled", "verified"), [Visits(site)])
    assert outcome.ticket.status == "verified" and [d.kind for d in outcome.decisions if isinstance(d, AddTask)] == ["answer"]


def test_anonymous_matters_end_without_answer_or_visit(site: Site) -> None:
    ticket = repair(kind="complaint", status="verified", origin="anonymous", requester=Requester(anonymous=True), fields={})
    outcome = deliberate(ticket, Moved(VISIT, "handled", "verified"), [Visits(site)])
    assert outcome.ticket.status == "closed" and not letters(outcome)


def test_a_relayed_matter_is_answered_in_writing_to_the_property_company(site: Site) -> None:
    ticket = repair(status="verified", origin="property_company", fields={"result": "已修复"})
    outcome = deliberate(ticket, Moved(VISIT, "handled", "verified"), [Visits(site)])
    reply = next(d for d in outcome.decisions if isinstance(d, Reply))
    assert (reply.template, reply.meets) == ("replies/written-reply", "reply_to_property")


def test_no_timer_closes(site: Site) -> None:
    for step in ("50", "100", "+9"):
        assert deliberate(repair(), Due(VISIT, "visit", step), [Visits(site)]).ticket.status == "visiting"


def test_a_visit_can_be_entered_by_hand(site: Site) -> None:
    order = Ordered(VISIT, "visit", "cs_specialist", {"result": "基本满意", "text": "还算快"})
    outcome = deliberate(repair(), order, [Visits(site)])
    assert outcome.ticket.status == "closed" and outcome.ticket.fields["visit"] == "mostly"
    wrong = deliberate(repair(), Ordered(VISIT, "visit", "cs_specialist", {"result": "好"}), [Visits(site)])
    assert wrong.refused and wrong.ticket.status == "visiting"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("满意", "satisfied"),
        ("非常满意", "satisfied"),
        ("没有不满意的地方,挺好", "satisfied"),
        ("基本满意", "mostly"),
        ("基本满意,但希望以后别再发生。", "mostly"),
        ("师傅人不错,就是来得太晚了", "mostly"),
        ("满意,只是慢了点,等了有点久", "mostly"),
        ("回访楼道鞋柜一事 业主讲已清走 没得意见", "satisfied"),
        ("业主表示没意见,已清走", "satisfied"),
        ("还没来得及看,周末回去看了再说", None),
        ("我还没时间去检查", None),
        ("还没人来看过", "unsatisfied"),
        ("不是没意见", None),
        ("照样进水,窗还是关不上,请重新派人好好修", "unsatisfied"),
        ("结单了但窗户还是关不严,要求重修", "unsatisfied"),
        ("一般", "mostly"),
        ("不满意", "unsatisfied"),
        ("不太满意", "unsatisfied"),
        ("没修好", "unsatisfied"),
        ("第二天又不亮了", "unsatisfied"),
        ("基本满意,但是还是漏水", "unsatisfied"),
        ("問題還是存在,不滿意", "unsatisfied"),
        ("请问几点上班", None),
        ("满意度调查什么时候做?", None),
    ],
)
def test_verdicts(text: str, expected: str | None) -> None:
    assert verdict(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "谈不上满意。", "不算满意", "不十分满意", "不特别满意,墙角没补", "不是非常满意", "对处理结果不甚满意", "无法满意", "难以满意",
        "不能令人满意", "怎么可能满意", "这样的结果谁会满意", "什么时候才能让我满意?", "满意?你们根本没来人!", "满意个屁",
        "师傅态度很好,但是约好昨天来,到现在没人来过。", "态度不错,就是墙皮没补上。", "师傅态度很好,灯不亮",
        "赞成换一家施工队来修", "请问可以了解一下保修期吗", "修好了再给你们评满意", "修好了会给好评的", "等修好了我再说满意不满意",
        "要是再来一次我就满意了", "解决了吗", "基本满意,但慢了点",
    ],
)  # fmt: skip
def test_praise_that_is_denied_asked_or_taken_back_leaves_it_to_a_person(text: str) -> None:
    """Rule 28: only the customer's word closes a ticket, and this is none."""
    assert verdict(text) is None and not only_thanks(text)


@pytest.mark.parametrize(
    "text",
    [
        "修好了,不漏了,满意", "没有其他问题,满意", "没想到这么快,很满意", "不再漏水了,师傅很好", "可以了。谢谢", "还可以", "没问题",
        "业主表示已修好,很满意", "不但修好了,还打扫干净了,很满意", "不用再来了,已经修好了",
    ],
)  # fmt: skip
def test_words_that_only_look_contrary_do_no_harm(text: str) -> None:
    assert verdict(text) == "satisfied"


def test_doubtful_praise_closes_nothing_and_the_handler_hears_of_it(site: Site) -> None:
    outcome = mailed(site, repair(), "师傅态度很好,但是约好昨天来,到现在没人来过。谈不上满意。")
    assert outcome.ticket.status == "visiting" and not outcome.ticket.has("visit:satisfied")
    [told] = [d for d in outcome.decisions if isinstance(d, Write)]
    assert told.to == "handler" and "谈不上满意" in told.data["text"]


def test_verdicts_of_long_mails_cost_little() -> None:
    begun = time.process_time()
    for piece in ("满意,", "不满意不", "可以了", "没有问题", "但是满意"):
        verdict(piece * 50_000)
    assert time.process_time() - begun < 2


def test_the_reason_is_what_follows_the_word() -> None:
    assert reason("回访:不满意,第二天又不亮了") == "第二天又不亮了"
    assert reason("没修好") == "没修好"
    assert reason("您好,不满意:水还在漏") == "水还在漏"
    told = "你们说处理好了,我一看桶还是满的。我对结果不满意,请重新处理。"
    assert reason(told) == told


def test_the_rule_keeps_the_contract(site: Site) -> None:
    rule_contract(Visits(site))


@pytest.mark.parametrize(("medium", "letter"), [("mail", ["replies/reopened"]), ("call", [])])
def test_what_was_understood_as_as_bad_as_before_takes_it_up_again(site: Site, medium: Any, letter: list[str]) -> None:
    call = Call("PBX-9", VISIT, "in", "answered", caller="13800000207", agent="802") if medium == "call" else None
    heard = Heard(
        VISIT, Message(medium, VISIT, text="这两天又开始嗒嗒嗒,跟没弄一样", call=call), Author("requester", verified=True), says="again"
    )
    outcome = deliberate(repair(status="closed"), heard, [Visits(site)])
    assert (outcome.ticket.status, outcome.ticket.round, letters(outcome)) == ("reopened", 2, letter)
    [record] = [d.data for d in outcome.decisions if isinstance(d, Draw)]
    assert record["way"] == {"mail": "邮件", "call": "电话"}[medium]


def test_a_remark_of_a_satisfied_customer_is_kept(site: Site) -> None:
    outcome = mailed(site, repair(), "师傅人不错,就是来得太晚了")
    [record] = [d.data for d in outcome.decisions if isinstance(d, Draw)]
    assert (record["satisfaction"], record["opinion"]) == ("基本满意", "就是来得太晚了") and outcome.ticket.status == "closed"


@pytest.mark.parametrize(
    ("text", "matter"),
    [
        ("满意。另外,楼道三楼的灯不亮了", "楼道三楼的灯不亮了"), ("满意。顺便问一下物业费什么时候交?", "问一下物业费什么时候交?"),
        ("满意,另外谢谢师傅", ""), ("很满意,另外希望以后继续保持", ""),
    ],
)  # fmt: skip
def test_another_matter_beside_the_verdict_is_a_ticket_of_its_own(site: Site, text: str, matter: str) -> None:
    for outcome in (mailed(site, repair(), text), called(site, repair(), f"回访:{text}")):
        assert outcome.ticket.status == "closed"
        assert [d.text for d in outcome.decisions if isinstance(d, Besides)] == ([matter] if matter else [])


def test_what_our_agent_tells_in_the_call_is_no_other_matter(site: Site) -> None:
    outcome = called(site, repair(), "回访:满意。另外告知业主门禁问题可来前台办理,请其带身份证")
    assert outcome.ticket.status == "closed" and not [d for d in outcome.decisions if isinstance(d, Besides)]


def test_what_is_unfinished_is_no_other_matter(site: Site) -> None:
    outcome = mailed(site, repair(), "满意。另外,墙面没补好")
    assert outcome.ticket.status != "closed" and not [d for d in outcome.decisions if isinstance(d, Besides)]


def office_wrote(site: Site, text: str, by: str = "sales", **values: Any) -> Outcome:
    given = {"kind": "liaison", "origin": by, "status": "closed", "effects": (f"written_reply_to:{by}",), "handler": "cs_clerk"}
    heard = Heard(VISIT, Message("mail", VISIT, text=text), Author("party", by, verified=True))
    return deliberate(repair(**{**given, **values}), heard, [Visits(site)])


@pytest.mark.parametrize(("by", "text"), [
    ("sales", "客户不接受这个答复,请重新研究,能不能做加固?"), ("property_company", "贵中心回复收悉。1102业主反映仍在渗水,请继续处理。"),
])  # fmt: skip
def test_an_office_that_does_not_accept_the_answer_starts_the_next_round(site: Site, by: str, text: str) -> None:
    outcome = office_wrote(site, text, by)
    assert (outcome.ticket.status, outcome.ticket.round, outcome.ticket.dispute) == ("reopened", 2, False)
    assert letters(outcome) == ["replies/reopened"]


@pytest.mark.parametrize("text", ["收到,谢谢。", "收悉,客户已接受,无异议。", "收悉,现已不再渗水。"])
def test_an_office_that_takes_note_starts_nothing(site: Site, text: str) -> None:
    assert office_wrote(site, text).ticket.status == "closed"


def test_who_wants_to_give_the_house_back_is_the_managers(site: Site) -> None:
    ticket = office_wrote(site, "客户不接受这个答复,要退房。").ticket
    assert (ticket.status, ticket.dispute, ticket.handler, ticket.joint) == ("reopened", True, "cs_manager", ("legal",))


def test_the_handler_reads_all_that_an_unproven_mail_says(site: Site) -> None:
    outcome = mailed(site, repair(), "满意。另外,楼道三楼的灯不亮了", verified=False)
    [told] = [d for d in outcome.decisions if isinstance(d, Write)]
    assert outcome.ticket.status == "visiting" and "灯不亮" in told.data["text"]
    assert not [d for d in outcome.decisions if isinstance(d, Besides)]
