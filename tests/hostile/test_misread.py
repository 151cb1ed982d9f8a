"""Ordinary sentences that were once taken for a word of command, through the whole line: in doubt a person decides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile.station import Station, body, station, vouched
from line.office import mail

from kefud.desk.ticket import Ticket

OWNER = "weizhankong@mail.example.com"
FIRM = "contractor-a@repair-a.example.com"
BOSS = "cs-manager@roles.example.com"
APPROVER = "pm-dept-manager@roles.example.com"
FORBIDDEN = "这个我们不知道,不归我们管,你去找财务。"
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


def to_owner(office: Station) -> str:
    return "\n".join(map(body, office.delivered(OWNER)))


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
    assert ticket.status in ("acknowledged", "in_progress") and "verify" not in waiting(ticket)


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


def test_the_managers_words_leave_in_place_of_the_held_ones(office: Station) -> None:
    """Rule 13, S0-4.3.2: the forbidden original never leaves, and the promise in the letter to the manager is kept."""
    orders(office, "reply", text=FORBIDDEN)
    says(office, BOSS, "同意 改为:师傅明日与您联系。", answers=-1)
    assert "师傅明日与您联系" in to_owner(office) and "不归我们管" not in to_owner(office)
    assert "改写：《进展告知》" in office.letters[-1]["text"] and "不归我们管" not in office.letters[-1]["text"]
    told = [x["in_reply_to"] for x in office.letters if x["recipient"] == "requester"]
    assert told[-1] == told[0], "it answers the owner's mail, not the manager's"


def test_the_managers_words_are_checked_like_any_others(office: Station) -> None:
    orders(office, "reply", text=FORBIDDEN)
    says(office, BOSS, "同意 改为:我们没办法。", answers=-1)
    assert "没办法" not in to_owner(office) and any("没办法" in body(m) for m in office.delivered(BOSS))


def test_the_managers_no_keeps_the_letter_back_and_the_handler_writes_anew(office: Station) -> None:
    orders(office, "reply", text=FORBIDDEN)
    ticket = says(office, BOSS, "不同意 因 用语不当,请重写", answers=-1)
    assert "rewrite" in waiting(ticket) and "用语不当" in "".join(t.text for t in ticket.tasks)
    assert not [x for x in office.letters if x["status"] == "held"] and "不归我们管" not in to_owner(office)


@pytest.mark.parametrize("text", ["同意,但先别发,我再看看", "同意吗?", "收到"])
def test_half_a_word_releases_nothing(office: Station, text: str) -> None:
    orders(office, "reply", text=FORBIDDEN)
    says(office, BOSS, text, answers=-1)
    assert "不归我们管" not in to_owner(office) and [x for x in office.letters if x["status"] == "held"]


def test_a_yes_is_for_the_letter_it_answers(office: Station) -> None:
    orders(office, "reply", text="请直接联系师傅13911112222,我们另行安排。")
    orders(office, "reply", text=FORBIDDEN)
    says(office, BOSS, "同意", answers=-2)
    assert "13911112222" in to_owner(office) and "不归我们管" not in to_owner(office)
    [other] = [m for m in office.delivered(BOSS) if "回执" in m["Subject"]]
    assert "《进展告知》已放行" in body(other)
    says(office, BOSS, "同意", answers=-1)  # answers the receipt, and no letter that is held
    assert "不归我们管" not in to_owner(office)


def test_what_an_approver_adds_stays_in_the_house(office: Station) -> None:
    says(office, OWNER, "我是8号楼2单元1201的业主魏占空,电话13800000207。请问房产证什么时候能办下来?")
    ticket = says(office, APPROVER, "同意。请小王先和开发商核实清楚再说,别把延期的事说漏了。", answers=-1)
    assert ticket.status == "triaged" and "answer" in waiting(ticket)
    assert "小王" not in to_owner(office)
