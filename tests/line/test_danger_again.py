"""A matter that was an emergency is taken up again: the old danger alarms nobody, a new one does (S1-5.4.2, S3-2.5.4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hostile.station import Station, station, vouched
from line.office import mail

HE, WUYE, CLERK = "heyangban@mail.example.com", "wuye@property.example.com", "cs-specialist@roles.example.com"
LIFT = "5号楼1单元电梯困人了!里面有老人,我是201何样板13800000201"
TAP = "我是5号楼1单元201的业主何样板,电话13800000201。厨房水龙头坏了,一直滴水,请派人来修。"


def says(office: Station, who: str, text: str) -> None:
    office.put(mail(text, sender=who, answers=office.delivered(who)[-1], headers=(vouched(who),), received=office.now))
    office.work()


def freed(office: Station) -> None:
    """Those in the lift are out, the lift was repaired, and we have looked at it."""
    office.put(mail(LIFT, sender=HE, subject="电梯困人", headers=(vouched(HE),), received=office.now))
    office.work()
    says(office, WUYE, "收到,人员已救出,老人身体无恙。")
    says(office, WUYE, "已处理:电梯维保更换门机皮带,试运行正常。原因:门机皮带断裂。")
    says(office, CLERK, "验收合格")
    office.pass_time(hours=4)


def after(office: Station, words: str) -> list[dict[str, Any]]:
    """The letters of the hour after the owner's words."""
    before = len(office.letters)
    says(office, HE, words)
    for _ in range(6):
        office.pass_time(minutes=10)
        office.work()
    return list(office.letters[before:])


@pytest.mark.parametrize("words", ["不满意,电梯门还是有异响", "不满意,下午电梯又停了一次"])
def test_the_old_danger_is_not_alarmed_again(tmp_path: Path, words: str) -> None:
    with station(tmp_path) as office:
        freed(office)
        new = after(office, words)
        [ticket] = office.tickets
        assert (ticket.round, ticket.urgency) == (2, "urgent")
        assert not [x for x in new if x["template"] == "reports/emergency"]
        [order] = [x for x in new if x["template"].startswith("notices/")]
        told = words.partition(",")[2]
        assert told in order["subject"] and "紧急事件" not in order["text"] and "应急预案" not in order["text"]
        assert order["text"].index(told) < order["text"].index("里面有老人")
        reports = [x for x in new if x["template"] == "reports/important"]
        assert len(reports) > 1 and all(told in x["text"] and "已救出" not in x["text"] for x in reports)


def test_a_new_danger_is_alarmed_until_somebody_signs(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        freed(office)
        new = after(office, "不满意,电梯又困人了,我爸被关在里面!")
        [ticket] = office.tickets
        assert (ticket.round, ticket.urgency) == (2, "emergency")
        alarms = [x for x in new if x["template"] == "reports/emergency"]
        assert {x["recipient"] for x in alarms} >= {"duty_officer", "property_company", "cs_supervisor"} and len(alarms) > 6
        assert all("我爸被关在里面" in x["text"] for x in alarms)


def test_a_danger_in_the_thread_of_what_is_closed_is_alarmed(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        office.put(mail(TAP, sender=HE, subject="报修", headers=(vouched(HE),), received=office.now))
        office.work()
        says(office, "contractor-a@repair-a.example.com", "已处理:更换水龙头,试水正常。")
        says(office, CLERK, "验收合格")
        says(office, HE, "满意")
        assert office.tickets[0].status == "closed"
        new = after(office, "厨房水管爆了,水漫到插座了,快来人!")
        told = {x["recipient"] for x in new if x["template"] == "reports/emergency" and "漫到插座" in x["text"]}
        assert told >= {"duty_officer", "property_company", "cs_supervisor"} and office.tickets[0].urgency == "emergency"
