"""Ordinary sentences that were once taken for a word of command, through the whole line: in doubt a person decides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile.station import Station, station, vouched
from line.office import mail

from kefud.desk.ticket import Ticket

OWNER = "weizhankong@mail.example.com"
FIRM = "contractor-a@repair-a.example.com"
BROKEN = "我是8号楼2单元1201的业主魏占空,电话13800000207。卫生间渗水,请派人来修。"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Station]:
    with station(tmp_path) as made:
        says(made, OWNER, BROKEN)
        yield made


def says(office: Station, sender: str, text: str, answers: int | None = None) -> Ticket:
    """Someone writes, answering one of our letters to them; the ticket afterwards."""
    letter = office.delivered(sender)[answers] if answers is not None else None
    office.put(mail(text, sender=sender, name="", answers=letter, headers=(vouched(sender),), received=office.now))
    office.work()
    return office.tickets[-1]


def orders(office: Station, command: str, **args: str) -> None:
    office.office.casework.order(office.tickets[-1].number, command, "cs_specialist", args, args.get("text", ""))
    office.work()


def waiting(ticket: Ticket) -> list[str]:
    return [task.kind for task in ticket.tasks if task.done_at is None]


def told_handler(office: Station) -> str:
    return office.letters[-1]["text"] if office.letters[-1]["recipient"] == "cs_specialist" else ""


def test_another_day_is_no_withdrawal(office: Station) -> None:
    ticket = says(office, OWNER, "明天上午家里没人,不用来,后天上午再来修。", answers=-1)
    assert ticket.status == "assigned" and "后天上午再来" in "".join(x["text"] for x in office.letters[-2:])


def test_praise_with_a_but_closes_nothing(office: Station) -> None:
    orders(office, "handle", text="已重做防水", done_by="contractor-a")
    orders(office, "verify")
    ticket = says(office, OWNER, "师傅态度很好,但是约好昨天来,到现在没人来过。谈不上满意。", answers=-1)
    assert ticket.status == "visiting" and not ticket.has("visit:satisfied")
    assert "谈不上满意" in told_handler(office)


@pytest.mark.parametrize("text", ["漏点一直没有找到,故障未排除。", "已完成现场勘查,待配件到货后维修。", "业主确认,周六上午上门维修。"])
def test_unfinished_work_is_not_verified(office: Station, text: str) -> None:
    ticket = says(office, FIRM, text, answers=-1)
    assert ticket.status in ("assigned", "in_progress") and "verify" not in waiting(ticket)


@pytest.mark.parametrize(("text", "state"), [("我同意延期。", "agreed"), ("好的,知道了,但是我不同意再拖。", "refused")])
def test_consent_is_read_both_ways(office: Station, text: str, state: str) -> None:
    orders(office, "extend", until="2025-03-14T17:00:00+08:00", reason="配件未到")
    assert says(office, OWNER, text, answers=-1).extension == state


def test_a_yes_to_the_first_request_is_none_to_the_second(office: Station) -> None:
    orders(office, "extend", until="2025-03-21T17:00:00+08:00", reason="配件未到")
    orders(office, "extend", until="2025-04-20T17:00:00+08:00", reason="换施工队")
    ticket = says(office, OWNER, "同意", answers=-2)
    assert ticket.extension == "asked" and "consent" in waiting(ticket)
    assert says(office, OWNER, "同意", answers=-1).extension == "agreed"


def test_a_demand_is_no_agreed_time(office: Station) -> None:
    ticket = says(office, "c@mail.example.com", "我是6号楼1单元301的业主钱样。厨房水管漏水,请你们保证今天下午5点前修好。")
    assert "promised_at" not in ticket.fields and not any(d.agreed for d in ticket.deadlines)
