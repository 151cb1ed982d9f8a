"""A mailbox that was away for days: what comes in late keeps its terms, and nobody is promised or blamed for what had passed (S3-2.3.2)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hostile.station import Station, station
from line.office import mail

REPAIR = "我是5号楼1单元201的业主何样板,电话13800000201。卫生间地漏堵了,水下得慢,请来疏通。"
COMPLAINT = "我是5号楼1单元201何样板,我要投诉物业保安态度恶劣,骂人。"
DEED = "请问什么时候可以办房产证?我是8号楼2单元1201魏占空。"


def after_nine_days(office: Station, words: str, sender: str = "heyangban@mail.example.com") -> None:
    office.put(mail(words, sender=sender, received=office.now - timedelta(days=9)))
    for _ in range(3):
        office.work()


def test_the_customer_is_answered_once_with_an_excuse_and_no_time_that_has_passed(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        after_nine_days(office, REPAIR)
        [told] = [x for x in office.letters if x["recipient"] == "requester"]
        assert told["template"] == "replies/acknowledgement"
        assert "应于 2025年3月1日 17:00 前答复您，现已超过，我们向您诚恳道歉" in told["text"]
        assert "至迟于 2025年3月5日 17:00 前告知您进展" in told["text"]
        [ticket] = office.tickets
        resolve = ticket.deadline("resolve")
        assert resolve and resolve.due < office.now, "the breach stays in the books"
        office.pass_time(days=2, hours=8)
        office.work()
        assert [x["template"] for x in office.letters if x["recipient"] == "requester"][1:] == ["replies/progress"]


def test_several_late_matters_are_not_promised_for_the_past_either(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        after_nine_days(office, f"{REPAIR}\n另外,{COMPLAINT}")
        assert len(office.tickets) == 2
        [told] = [x for x in office.letters if x["recipient"] == "requester"]
        assert told["text"].count("前答复，现已超过") == 2


@pytest.mark.parametrize("words", [REPAIR, COMPLAINT])
def test_who_is_asked_too_late_is_told_so_and_not_chased_for_it(tmp_path: Path, words: str) -> None:
    with station(tmp_path) as office:
        after_nine_days(office, words)
        [order] = [x for x in office.letters if x["template"] == "notices/work-order"]
        assert "此时限已过，请立即办理" in order["text"]
        chased = [x["recipient"] for x in office.letters if x["template"] == "reports/chaser"]
        assert chased == ["cs_specialist"], "the handler alone"
        [report] = [x for x in office.letters if x["template"] == "reports/escalation"]
        assert report["recipient"] == "cs_supervisor" and "收到来件时" in report["text"]
        office.pass_time(days=1)
        office.work()
        late = [x["recipient"] for x in office.letters if x["template"] == "reports/chaser"]
        assert len(late) > 2 and set(late) - {"cs_specialist"}, "from the next service day on as always"


def test_who_is_to_approve_has_not_been_late_before_being_asked(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        after_nine_days(office, DEED)
        asked = [x for x in office.letters if x["recipient"] in ("pm_dept_manager", "director", "leadership")]
        assert [x["template"] for x in asked] == ["reports/approval-request"]
        assert "届时未批复" not in asked[0]["text"]
