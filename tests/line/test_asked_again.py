"""The answer to a question leaves another, or is said to be wrong: a question with a clock, and the owner hears so (S0-4.3.3)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile.station import Station, station, vouched
from line.office import mail

HE = "heyangban@mail.example.com"
REFUSE = "我是5号楼1单元201的业主何样板,电话13800000201。请问装修垃圾堆在哪里?"


def answered(office: Station) -> None:
    office.put(mail(REFUSE, sender=HE, subject="咨询", headers=(vouched(HE),), received=office.now))
    office.work()
    told = {"text": "您好,装修垃圾请袋装后堆放在西门临时堆放点,每日18点前清运。"}
    office.office.casework.order(office.tickets[0].number, "reply", "cs_clerk", told)
    office.work()
    assert office.tickets[0].status == "closed"
    office.pass_time(hours=3)


def says(office: Station, text: str, *, proven: bool = True) -> int:
    before = len(office.letters)
    headers = (vouched(HE),) if proven else ()
    office.put(mail(text, sender=HE, answers=office.delivered(HE)[-1], headers=headers, received=office.now))
    office.work()
    return before


@pytest.mark.parametrize("words", ["西门堆放点早拆了,你们瞎答!", "那到底几月份?", "周末也清运吗", "你们说的不对,西门没有堆放点。"])
def test_what_is_asked_again_has_a_clock_and_an_acknowledgement(tmp_path: Path, words: str) -> None:
    with station(tmp_path) as office:
        answered(office)
        before = says(office, words)
        old, new = office.tickets
        assert old.number in new.related and new.house == old.house and new.is_open
        assert any(d.open and d.name in ("reply", "resolve") for d in new.deadlines)
        [told] = [x for x in office.letters[before:] if x["recipient"] == "requester"]
        assert new.number in told["text"] and told["template"].startswith("replies/acknowledgement")


def test_what_we_know_is_not_asked_for_and_what_needs_approval_still_does(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        deed = "我是5号楼1单元201的业主何样板,电话13800000201。请问房产证什么时候能办?"
        office.put(mail(deed, sender=HE, subject="房产证", headers=(vouched(HE),), received=office.now))
        office.work()
        boss = "pm-dept-manager@roles.example.com"
        words = "同意 改为:房产证预计二季度开始办理,届时书面通知。"
        office.put(mail(words, sender=boss, answers=office.delivered(boss)[-1], headers=(vouched(boss),), received=office.now))
        office.work()
        assert office.tickets[0].status == "closed"
        before = says(office, "那到底几月份?")
        [told] = [x for x in office.letters[before:] if x["recipient"] == "requester"]
        assert "补齐" not in told["text"] and office.tickets[1].fields["missing"] == []
        assert (office.tickets[1].status, office.tickets[1].category) == ("need_approval", "certificate")


@pytest.mark.parametrize("words", ["谢谢,知道了。", "好的", "收到,辛苦了"])
def test_thanks_ask_nothing(tmp_path: Path, words: str) -> None:
    with station(tmp_path) as office:
        answered(office)
        says(office, words)
        assert len(office.tickets) == 1
