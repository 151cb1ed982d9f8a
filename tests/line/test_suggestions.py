"""A suggestion has the term that its notice names: the department is chased, and who can move it is told (S1-4.3.6, S0-4.2.2)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile.station import Station, station, vouched
from line.office import mail

HE, WUYE = "heyangban@mail.example.com", "wuye@property.example.com"
IDEA = "我是5号楼1单元201的业主何样板,电话13800000201。建议东门增设一组垃圾分类箱。"


def suggested(office: Station, words: str = IDEA, sender: str = HE) -> None:
    office.put(mail(words, sender=sender, subject="建议", headers=(vouched(sender),), received=office.now))
    office.work()


def days(office: Station, count: int) -> list[tuple[str, str]]:
    before = len(office.letters)
    for _ in range(count * 6):
        office.pass_time(hours=4)
        office.work()
    return [(x["recipient"], x["template"]) for x in office.letters[before:]]


@pytest.mark.parametrize(("words", "sender"), [(IDEA, HE), ("建议儿童乐园铺软垫。匿名住户", "anon@mail.example.com")])
def test_a_department_that_does_not_answer_is_chased_and_reported(tmp_path: Path, words: str, sender: str) -> None:
    with station(tmp_path) as office:
        suggested(office, words, sender)
        [ticket] = office.tickets
        clock, notice = ticket.deadline("opinion"), ticket.document("notice")
        assert clock and clock.open and notice and f"{clock.due.astimezone(office.now.tzinfo):%H:%M}" in str(notice.data["reply_by"])
        told = days(office, 6)
        assert told.count(("property_company", "reports/chaser")) >= 3
        assert {("property_manager", "reports/escalation"), ("cs_manager", "reports/escalation")} & set(told)


def test_who_has_answered_is_chased_no_more(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        suggested(office)
        words = "不予采纳 因 现有照度符合标准"
        office.put(mail(words, sender=WUYE, answers=office.delivered(WUYE)[-1], headers=(vouched(WUYE),), received=office.now))
        office.work()
        clock = office.tickets[0].deadline("opinion")
        assert clock and clock.met
        assert ("property_company", "reports/chaser") not in days(office, 5)
