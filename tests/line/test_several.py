"""One mail of a department that answers several orders: each ticket hears its own words, and no other owner's (S1-4.3.6, S2-5.7)."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest
from hostile.station import Station, station, vouched
from line.office import mail

from kefud.desk.ticket import Ticket

HE, LUO, WUYE = "heyangban@mail.example.com", "luolin@mail.example.com", "wuye@property.example.com"
LAMP = "我是5号楼1单元201的业主何样板,电话13800000201。5号楼单元门口的路灯不亮,请修。"
BIN = "我是5号楼1单元301的业主罗邻,电话13800000301。3号楼垃圾桶一周没有清运,臭得很,投诉保洁。"


def orders(office: Station) -> tuple[Ticket, Ticket, EmailMessage]:
    for words, sender in ((LAMP, HE), (BIN, LUO)):
        office.put(mail(words, sender=sender, headers=(vouched(sender),), received=office.now))
        office.work()
    one, other = office.tickets
    [first] = [m for m in office.delivered(WUYE) if number_of(one) in str(m["Subject"])]
    return one, other, first


def number_of(ticket: Ticket) -> str:
    notice = ticket.document("notice")
    assert notice is not None
    return notice.number


def answer(office: Station, words: str, letter: EmailMessage) -> None:
    office.put(mail(words, sender=WUYE, answers=letter, headers=(vouched(WUYE),), received=office.now))
    office.work()


def test_each_ticket_hears_its_own_words(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        one, other, letter = orders(office)
        answer(
            office,
            f"贵中心:\n现回复如下:\n1、{number_of(one)}:路灯电缆老化,已安排电工明天上午到场;\n"
            f"2、{number_of(other)}:已处理:垃圾桶已清运并冲洗。原因:清运车故障。调查:查监控属实。措施:增加一班。\n样例物业",
            letter,
        )
        one, other = office.tickets
        assert one.status == "in_progress" and "电缆" in one.fields["progress_note"] and "垃圾" not in str(one.fields)
        assert one.related == other.related == ()
        assert other.fields["cause"] == "清运车故障" and "路灯" not in str(other.fields)


def test_a_number_at_the_head_counts_more_than_the_thread(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        one, other, letter = orders(office)
        answer(office, f"{number_of(other)} 已安排人员今日下午清运", letter)
        one, other = office.tickets
        assert one.status == "assigned" and other.status == "in_progress"
        assert number_of(other) not in other.fields["progress_note"]


@pytest.mark.parametrize("number", ["客联〔2025〕077号", ""])
def test_a_number_that_is_not_theirs_is_for_a_person(tmp_path: Path, number: str) -> None:
    with station(tmp_path) as office:
        office.put(mail("3-2-501卫生间地漏堵了,请来疏通。何样板 13800000201", sender=HE, headers=(vouched(HE),), received=office.now))
        office.work()
        one, letter = orders_after_one(office)
        drain = next(t for t in office.tickets if t.department == "contractor")
        answer(office, f"{number or number_of(drain)} 已处理:已疏通", letter)
        for before in (one, drain):
            after = next(t for t in office.tickets if t.number == before.number)
            assert after.status == before.status and "result" not in after.fields
        [told] = [x for x in office.letters if x["template"] == "reports/alert" and x["recipient"] == one.handler]
        assert "已疏通" in told["text"] and ("请核实" in told["text"]) == bool(number)


def orders_after_one(office: Station) -> tuple[Ticket, EmailMessage]:
    office.put(mail(BIN, sender=LUO, headers=(vouched(LUO),), received=office.now))
    office.work()
    ticket = next(t for t in office.tickets if t.department == "property_company")
    [letter] = [m for m in office.delivered(WUYE) if number_of(ticket) in str(m["Subject"])]
    return ticket, letter
