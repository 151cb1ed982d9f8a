"""Each reader sees no more of a ticket than they need (S2-5.7, S3-4.3.1, P6)."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kefud.desk.decisions import Notice
from kefud.desk.ticket import ArrivalRef, Deadline, Document, LetterRef, Requester, Ticket
from kefud.desk.view import (
    form_data,
    house_text,
    masked_phone,
    notice_view,
    salutation,
    term_text,
    ticket_json,
    ticket_view,
    without_personal,
)  # fmt: skip

UTC = UTC
WIDE = "".join(chr(ord(digit) + 0xFEE0) for digit in "13800000201")
AT = datetime(2025, 3, 3, 1, 12, tzinfo=UTC)
SITE = {"name": "客户服务中心", "estate": "样例花园", "hotline": "0571-0000 0000", "timezone": "Asia/Shanghai"}
TICKET = Ticket(
    number="KF20250303-0001", kind="complaint", category="attitude", house="3-2-501", masked=True, status="assigned",
    subject="保安态度", text="我是钱样例,电话 138 0000 0201,住3号楼2单元501室,身份证330102199003077777。那个混蛋保安推我",
    summary=f"钱女士反映西门保安推搡,联系 {WIDE} 或 qian@example.com", department="property_company",
    handler="cs_specialist", requester=Requester("钱样例女士", "13800000201", "qian@example.com"), channel="mail",
    started_at=AT, created_at=AT, updated_at=AT, arrivals=(ArrivalRef(7, "mail", "INBOX/1/7", AT, "保安态度"),),
    deadlines=(Deadline("resolve", AT, AT + timedelta(days=3), "S3-3.3.3", "3 calendar_days"),),
    documents=(Document("notice", "客联〔2025〕001号"), Document("opinion_form", "意见〔2025〕001号"),
        Document("notice", "客联〔2025〕000号", void="错")),
    letters=(LetterRef(1, "requester", "replies/acknowledgement", "<a@example.com>", "sent"),),
    fields={"quoted_insults": ["混蛋"], "insults": True, "promised_at": "2025-03-06T17:00:00+08:00", "place": "西门",
    "done_by": "13800000201"},
)  # fmt: skip
SECRETS = (WIDE, "钱", "13800000201", "138 0000 0201", "qian@", "330102199003077777", "混蛋", "501")


def test_times_are_local_text_and_words_are_chinese() -> None:
    view = ticket_view(TICKET, "Asia/Shanghai")
    assert view["received_at"] == "2025年3月3日 09:12" and view["reply_by"] == "2025年3月6日 09:12"
    assert (view["kind_zh"], view["category_zh"], view["handler_zh"]) == ("投诉", "服务态度", "客服专员")
    assert view["house_zh"] == "3号楼2单元501室" and view["salutation"] == "钱女士"
    assert view["fields"]["promised_at"] == "2025年3月6日 17:00"
    assert view["deadlines"]["resolve"]["term_zh"] == "3日"


def test_an_agreed_time_is_the_one_the_owner_is_told() -> None:
    agreed = Deadline("resolve", AT, AT + timedelta(days=1), "S0-4.1.3", agreed=True)
    reply = Deadline("reply", AT, AT + timedelta(hours=5), "S0-4.3.3")
    assert ticket_view(TICKET.changed(deadlines=(reply, agreed)), "Asia/Shanghai")["reply_by"] == "2025年3月4日 09:12"


def test_a_masked_view_holds_nothing_that_tells_who_complained() -> None:
    text = json.dumps(dict(ticket_view(TICKET, "Asia/Shanghai", profile="masked")), ensure_ascii=False)
    for secret in SECRETS:
        assert secret not in text, secret
    assert "138****0201" in text


def test_a_department_that_must_go_there_learns_house_and_contact_but_no_papers() -> None:
    view = ticket_view(TICKET.changed(category="facility"), "Asia/Shanghai", profile="party")
    text = json.dumps(dict(view), ensure_ascii=False)
    assert view["contact"] == "钱样例女士 13800000201" and view["house"] == "3-2-501"
    assert "330102199003077777" not in text and "混蛋" not in text and "qian@example.com" not in view["requester"].values()


def test_a_masked_repair_keeps_its_house() -> None:
    leak = TICKET.changed(category="facility", kind="repair")
    assert ticket_view(leak, "Asia/Shanghai", profile="masked")["house"] == "3-2-501"
    assert ticket_view(leak.changed(kind="complaint"), "Asia/Shanghai", profile="masked")["house"] is None


def test_a_masked_notice_holds_nothing_personal_in_mail_or_form() -> None:
    order = Notice("property_company", subject=TICKET.summary, content=TICKET.text, mask=True, reply_by=AT)
    notice = notice_view(TICKET, order, "客联〔2025〕001号", site=SITE, at=AT)
    data = form_data("notice", TICKET, SITE, "Asia/Shanghai", {**notice, "at": AT}, profile="masked")
    text = json.dumps([notice, data], ensure_ascii=False)
    for secret in SECRETS:
        assert secret not in text, secret
    assert notice["reply_by"] == "2025年3月3日 09:12" and data["document_date"] == "2025-03-03"


def test_json_keeps_to_the_contract() -> None:
    shown = ticket_json(TICKET, [{"at": AT, "who": "program", "what": "opened", "why": ""}])
    assert (
        list(shown)
        == """number status round kind class category urgency important origin house subject summary department
        joint handler requester channel arrivals effects notify deadlines documents letters related created_at updated_at
        history""".split()
    )
    assert shown["class"] == "complaint" and shown["created_at"] == "2025-03-03T01:12:00+00:00"
    assert shown["deadlines"] == {"resolve": {"due": "2025-03-06T01:12:00+00:00", "met": None, "rule": "S3-3.3.3"}}
    assert [d["number"] for d in shown["documents"]] == ["客联〔2025〕001号", "意见〔2025〕001号"]
    assert shown["history"] == [{"at": "2025-03-03T01:12:00+00:00", "who": "program", "what": "opened", "why": None}]
    json.dumps(shown)


def test_json_of_an_empty_ticket_misses_no_key() -> None:
    shown = ticket_json(Ticket())
    assert shown["house"] is None and shown["deadlines"] == {} and shown["joint"] == [] and "history" not in shown
    assert shown["requester"] == {"name": None, "phone": None, "email": None, "anonymous": False}


@pytest.mark.parametrize(
    ("name", "spoken"),
    [
        ("钱女士", "钱女士"), ("钱样例女士", "钱女士"), ("欧阳样例先生", "欧阳先生"), ("王小姐", "王女士"), ("歐陽小姐",
        "歐陽女士"), ("李太太", "李女士"), ("Smith先生", "Smith先生"),
        ("钱样例", ""), ("", ""), ("女士", ""), ("<b>女士", ""), ("{{7*7}}先生", ""), ("一\r\n二女士",
        "一女士"), ("a" * 50 + "先生", ""),
    ],
)  # fmt: skip
def test_people_are_addressed_by_surname_and_title(name: str, spoken: str) -> None:
    assert salutation(name) == spoken


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("请联系钱女士", "请联系业主"), ("钱样例说漏水", "业主说漏水"), ("电话13800000201。",
        "电话138****0201。"), ("0571-88880000", "057****0000"),
        ("编号KF20250303-0001", "编号KF20250303-0001"), ("金额1234567.00元", "金额1234567.00元"), ("花钱买的", "花钱买的"),
    ],
)  # fmt: skip
def test_free_text_is_cleared_of_names_and_numbers(text: str, shown: str) -> None:
    assert without_personal(text, TICKET) == shown


def test_small_words() -> None:
    assert masked_phone("13800000201") == "138****0201" and masked_phone("8001") == "****" and masked_phone("") == ""
    assert house_text("1-3") == "1号楼3单元"
    assert house_text("3-501") == "3号楼501室" and house_text(None) == "" and house_text("会所") == "会所"
    assert (
        term_text("8 clock_hours") == "8小时"
        and term_text("30 service_minutes") == "30分钟（服务时间内）"
        and term_text("x") == "x"
    )


@pytest.mark.parametrize(
    "form",
    ["notice", "opinion_form", "visit_record", "approval_request", "extension_notice",
     "evidence_record", "retention_claim", "drawing_order", "thanks_letter", "call_register"],
)  # fmt: skip
def test_form_data_is_plain_and_takes_what_it_is_given(form: str) -> None:
    extra: dict[str, Any] = {"number": "X〔2025〕001号", "at": AT, "signatures": {"prepared": {"name": "何示例", "at": AT}}}
    data = form_data(form, TICKET, SITE, "Asia/Shanghai", extra)
    assert data["number"] == "X〔2025〕001号" and data["date"] == "2025年3月3日"
    assert data["signatures"]["prepared"]["at"] == "2025年3月3日 09:12"
    json.dumps(data)
    json.dumps(form_data(form, Ticket(), SITE, "Asia/Shanghai"))
