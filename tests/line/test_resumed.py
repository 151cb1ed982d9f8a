"""Who withdrew a matter and changes their mind is heard: clocks, order and acknowledgement anew (RULES §4.1, §4.4)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile.station import Station, station, vouched
from line.office import mail

HE = "heyangban@mail.example.com"
STAIRS = "我是5号楼1单元201的业主何样板,电话13800000201。楼道三天没人打扫,我要投诉物业保洁。"
FEE = "我是5号楼1单元201的业主何样板,电话13800000201。请问装修垃圾堆在哪里?"


def says(office: Station, text: str, *, proven: bool = True) -> int:
    before = len(office.letters)
    headers = (vouched(HE),) if proven else ()
    office.put(mail(text, sender=HE, answers=office.delivered(HE)[-1], headers=headers, received=office.now))
    office.work()
    return before


def withdrawn(office: Station, words: str) -> None:
    office.put(mail(words, sender=HE, headers=(vouched(HE),), received=office.now))
    office.work()
    says(office, "我要撤回。" if words == FEE else "我要撤回投诉。")
    assert office.tickets[0].status == "withdrawn"
    office.pass_time(hours=24)


@pytest.mark.parametrize("words", ["不撤了,还是没人扫,请继续处理!", "我改主意了,还是要投诉。", "楼道还是那么脏,请恢复处理"])
def test_the_matter_goes_on(tmp_path: Path, words: str) -> None:
    with station(tmp_path) as office:
        withdrawn(office, STAIRS)
        before = says(office, words)
        [ticket] = office.tickets
        assert ticket.status == "reopened" and not ticket.important
        assert all((clock := ticket.deadline(name)) and clock.round == ticket.round for name in ("resolve", "progress"))
        new = {x["recipient"]: x for x in office.letters[before:]}
        assert new["requester"]["template"] == "replies/resumed" and ticket.number in new["requester"]["text"]
        order = new["property_company"]
        assert order["template"] == "notices/work-order" and words[:6] in order["text"]
        assert "继续办理" in order["text"] and "不满意" not in order["text"]
        assert not {"cs_manager", "cs_supervisor"} & new.keys()


@pytest.mark.parametrize("words", ["好的,谢谢。", "不用继续处理了", "说了要撤的"])
def test_other_words_leave_it_withdrawn(tmp_path: Path, words: str) -> None:
    with station(tmp_path) as office:
        withdrawn(office, STAIRS)
        says(office, words)
        assert office.tickets[0].status == "withdrawn"


def test_a_stranger_takes_nothing_up(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        withdrawn(office, STAIRS)
        before = len(office.letters)
        office.put(mail("还是要投诉", sender="x@mail.example.com", subject=office.tickets[0].number, received=office.now))
        office.work()
        assert office.tickets[0].status == "withdrawn" and not [x for x in office.letters[before:] if x["recipient"] == "property_company"]


def test_a_question_is_taken_up_by_our_own_clerk(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        withdrawn(office, FEE)
        says(office, "我改主意了,还是请处理一下。")
        [ticket] = office.tickets
        clock = ticket.deadline("reply")
        assert ticket.status == "reopened" and clock and clock.open and any(t.kind == "rework" for t in ticket.tasks)
