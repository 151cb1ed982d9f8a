"""From a mail's bytes on a real IMAP server to a work order at a real SMTP server, on both databases."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from email.parser import BytesParser
from email.policy import SMTP
from pathlib import Path

import pypdfium2
import pytest
from line.office import Line, line, mail
from servers.dovecot import Dovecot
from sqlalchemy import select

from kefud.store.tables import MessageRow

LEAK = "5号楼1单元201何样板,电话13800000201。厨房水龙头坏了,一直滴水,请派人来修。"
RUDE = "我是5号楼1单元201的业主何样板。西门保安态度恶劣,骂人,我要投诉,请给我一个说法。"


@pytest.fixture
def office(tmp_path: Path, database_url: str, imap_server: Dovecot) -> Iterator[Line]:
    with line(tmp_path, database_url, imap_server) as made:
        yield made
        assert made.broken() == []


def test_a_complaint_becomes_a_ticket_a_work_order_and_an_acknowledgement(office: Line) -> None:
    office.put(mail(RUDE, subject="投诉保安"))
    assert not any(office.work().values())

    [ticket] = office.tickets
    assert (ticket.number, ticket.status, ticket.kind, ticket.category) == ("KF20250303-0001", "assigned", "complaint", "attitude")
    assert (ticket.house, ticket.department, ticket.handler) == ("5-1-201", "property_company", "cs_specialist")

    [order] = office.delivered("wuye@property.example.com")
    assert "客联〔2025〕001号" in order["Subject"]
    assert order["Auto-Submitted"] == "auto-generated"
    [pdf] = [a for a in order.iter_attachments() if a.get_content_type() == "application/pdf"]
    text = pypdfium2.PdfDocument(pdf.get_content())[0].get_textpage().get_text_range()
    assert "客联〔2025〕001号" in text
    assert "13800000201" not in text

    [answer] = office.delivered("heyangban@mail.example.com")
    body = answer.get_body().get_content()
    assert ticket.number in body and "道歉" in body and "2025年3月6日 17:00" in body
    assert answer["Auto-Submitted"] == "auto-replied"


def test_the_mail_is_moved_only_after_it_is_stored(office: Line) -> None:
    office.put(mail(LEAK))
    office.work()
    assert office.mailbox.files() == []
    assert len(office.mailbox.files("done")) == 1


def test_a_large_mail_becomes_a_ticket_and_its_original_stays_whole(office: Line, tmp_path: Path) -> None:
    photo = random.Random(3).randbytes(2_600_000)
    raw = BytesParser(policy=SMTP).parsebytes(mail(LEAK))
    raw.add_attachment(photo, maintype="image", subtype="jpeg", filename="现场.jpg")
    office.put(raw.as_bytes())
    office.put(mail(RUDE, sender="he2@mail.example.com"))
    office.work()
    assert len(office.tickets) == 2
    spool = Path(office.loaded.spool)
    assert list((spool / "incoming").iterdir()) == []
    [original] = [p for p in (spool / "blobs").rglob("*") if p.is_file()]
    assert original.read_bytes() == raw.as_bytes() and hashlib.sha256(raw.as_bytes()).hexdigest() == original.name
    with office.office.db.read() as tx:
        [kept] = filter(None, tx.scalars(select(MessageRow.attachments)))
    assert [(f["name"], f["sha256"]) for f in kept] == [("现场.jpg", hashlib.sha256(photo).hexdigest())]


def test_the_same_mail_delivered_twice_is_one_ticket(office: Line) -> None:
    twice = mail(LEAK, message_id="<a@mail.example.com>")
    for received in (twice, twice, twice.replace(b"from mx.example.com", b"from other.example.com")):
        office.put(received)
    office.work()
    assert len(office.tickets) == 1
    assert len(office.delivered("heyangban@mail.example.com")) == 1


def test_the_same_message_id_with_other_words_is_another_message(office: Line) -> None:
    office.put(mail(LEAK, message_id="<a@mail.example.com>"))
    office.put(mail("8号楼2单元1201魏占空 电话13800000207 客厅墙面空鼓,请维修。", sender="wei@mail.example.com", message_id="<a@mail.example.com>"))
    office.work()
    assert len(office.tickets) == 2


def test_an_answer_to_our_letter_joins_its_ticket(office: Line) -> None:
    office.put(mail(LEAK))
    office.work()
    [acknowledgement] = office.delivered("heyangban@mail.example.com")
    office.put(mail("补充一下,周末家里都有人。", answers=acknowledgement))
    office.work()
    [ticket] = office.tickets
    assert len(ticket.arrivals) == 2


def test_a_stranger_who_knows_the_number_gets_a_ticket_of_his_own(office: Line) -> None:
    office.put(mail(LEAK))
    office.work()
    office.put(mail("请告诉我KF20250303-0001办得怎么样了", subject="Re: [KF20250303-0001]", sender="stranger@other.example.com", name="路人"))
    office.work()
    assert len(office.tickets) == 2
    for letter in office.delivered("stranger@other.example.com"):
        assert "水龙头" not in letter.as_string() and "201" not in letter.get_body().get_content().replace("2025", "")


def test_a_department_signs_by_answering_the_work_order(office: Line) -> None:
    office.put(mail(RUDE))
    office.work()
    [order] = office.delivered("wuye@property.example.com")
    office.put(mail("收到\n\n样例物业", sender="wuye@property.example.com", name="样例物业", answers=order))
    office.work()
    assert office.tickets[0].status == "acknowledged"
    assert any("收到" in m.get_body().get_content() for m in office.delivered("wuye@property.example.com")[1:])


def test_a_forged_department_changes_nothing(tmp_path: Path, database_url: str, imap_server: Dovecot) -> None:
    """S02: without authenticated mail the answer is kept as a note, whatever From and In-Reply-To say."""
    with line(tmp_path, database_url, imap_server, service='authserv_id = "mx.estate.example.com"') as office:
        office.put(mail(RUDE))
        office.work()
        [order] = office.delivered("wuye@property.example.com")
        office.put(mail("收到", sender="wuye@property.example.com", name="样例物业", answers=order))
        office.work()
        [ticket] = office.tickets
        assert ticket.status == "assigned"
        assert len(ticket.arrivals) == 2
        assert len(office.delivered("wuye@property.example.com")) == 1


def test_two_matters_in_one_mail_are_two_tickets_with_one_acknowledgement(office: Line) -> None:
    office.put(
        mail("您好:\n一、5号楼大堂的路灯坏了好几天,请维修。\n二、想租一个地下车位,请问怎么办手续?\n5-1-201 何样板 13800000201")
    )
    office.work()
    assert len(office.tickets) == 2
    [answer] = office.delivered("heyangban@mail.example.com")
    assert all(t.number in answer.get_body().get_content() for t in office.tickets)


@pytest.mark.parametrize(
    "headers",
    [
        (("Auto-Submitted", "auto-replied"),),
        (("Precedence", "bulk"),),
        (("List-Id", "<news.example.com>"),),
        (("Return-Path", "<>"),),
    ],
)
def test_automatic_mail_is_never_answered(office: Line, headers: tuple[tuple[str, str], ...]) -> None:
    office.put(mail("我在休假,三天后回复。", headers=headers))
    office.work()
    assert office.letters == []


def test_a_letter_waits_while_the_server_is_away_and_goes_out_once(tmp_path: Path, database_url: str, imap_server: Dovecot) -> None:
    with line(tmp_path, database_url, imap_server) as office:
        port = office.smtp.port
        office.smtp.__exit__(None, None, None)
        office.put(mail(LEAK))
        assert office.work()["letters"] > 0
        from servers.scripted_smtp import ScriptedSmtp

        with ScriptedSmtp(port=port) as back:
            office.smtp = back
            office.pass_time(minutes=20)
            office.work()
            assert len(office.delivered("heyangban@mail.example.com")) == 1
        assert office.broken() == []


def test_a_letter_refused_for_good_reaches_a_person(tmp_path: Path, database_url: str, imap_server: Dovecot) -> None:
    from servers.scripted_smtp import ScriptedSmtp

    smtp = ScriptedSmtp(refuse={"wuye@property.example.com": "550 5.1.1 no such user"})
    with line(tmp_path, database_url, imap_server, smtp=smtp) as office:
        office.put(mail(RUDE))
        office.work()
        order = next(x for x in office.letters if x["template"].startswith("notices/"))
        assert (order["status"], order["last_code"]) == ("failed", 550)
        assert any(e.startswith("notice_undelivered:") for e in office.tickets[0].effects)
        assert office.delivered("wuye-backup@property.example.com")


def test_a_mail_that_nobody_can_read_does_not_hold_up_the_others(office: Line) -> None:
    office.put(b"\x00\xff" * 2000)
    office.put(b"Subject: " + b"=?utf-8?q?a?= " * 3000 + b"\r\n\r\n" + b"x" * 10)
    office.put(mail(LEAK))
    office.work()
    assert any(t.house == "5-1-201" for t in office.tickets)
    with office.office.db.read() as tx:
        from kefud.store import arrivals

        counts = arrivals.counts(tx)
    assert counts.get("received", 0) == 0 and sum(counts.values()) == 3


def test_a_letter_to_nobody_waits_and_says_what_is_missing(office: Line) -> None:
    office.put(mail("请问物业费的收费标准是多少?5-1-201 何样板 13800000201"))
    office.work()
    waiting = [x for x in office.letters if x["recipient"] == "finance"]
    assert waiting and all(x["status"] == "held" and "没有登记邮箱" in x["hold"] for x in waiting)
