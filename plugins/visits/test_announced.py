"""Who announces a visit is expected: name, house, purpose and what is open are told beforehand, and nothing of anyone's looks."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from kefud.api import AddTask, Message, Opened, Related, Requester, Site, Ticket, Write
from kefud.desk.triage import Outcome, deliberate
from kefud.testing import site as site_of

from . import Visits
from .announced import announced

AT = datetime.fromisoformat("2025-03-11T10:00:00+08:00")
OPEN = Related("KF20250305-0002", "in_progress", "repair", "facility", "3-1-201", AT, "楼道灯不亮")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return site_of(tmp_path)


def opened(site: Site, text: str, **values: str) -> Outcome:
    owner = Requester("何样板", "13800000201", "owner@example.com")
    known = {"house": "3-1-201", "handler": "cs_specialist", "summary": "面谈漏水赔偿", **values}
    ticket = Ticket(status="triaged", kind="complaint", requester=owner, fields={"demand": "请给出书面答复"}, **known)
    related = (OPEN, replace(OPEN, number="KF20250301-0001", status="closed"))
    return deliberate(ticket, Opened(AT, Message("mail", AT, text=text), related=related), [Visits(site)])


def test_an_appointment_for_tomorrow_gives_a_brief_with_what_is_open(site: Site) -> None:
    outcome = opened(site, "漏水的事一直没结果,我明天上午10点到你们中心当面谈,请给出书面答复。")
    [task] = [d for d in outcome.decisions if isinstance(d, AddTask)]
    assert task.role == "cs_specialist" and task.due == datetime.fromisoformat("2025-03-12T10:00:00+08:00")
    [told] = [str(d.data["text"]) for d in outcome.decisions if isinstance(d, Write)]
    for known in ("2025年3月12日 10:00", "何样板", "3-1-201", "面谈漏水赔偿", "请给出书面答复", "KF20250305-0002"):
        assert known in told
    assert "KF20250301-0001" not in told and "13800000201" not in told
    assert set(outcome.ticket.fields) == {"demand", "visitor_at"}


@pytest.mark.parametrize(
    "text",
    [
        "业主来电,预约后天下午3点来客服中心办理。",
        "我们定于3月14日上午9点前往贵公司商谈。",
        "我明天下午2點到貴中心面談。",
        "本人打算周五上午去物业前台取材料。",
        "我今天下午去你们客服中心面谈。",
        "我今天上午要去你们客服中心面谈。",
        "我今天11点去你们客服中心面谈。",
    ],
)
def test_the_visit_is_read(site: Site, text: str) -> None:
    assert announced(text, AT, site) is not None


@pytest.mark.parametrize(
    "text",
    [
        "我昨天上午10点到你们中心反映过,没人理。",
        "我要求你们明天上午来我家面谈。",
        "请师傅明天上午9点来我家修水管。",
        "我希望物业明天到前台来解释。",
        "我去过贵中心三次了,明天必须给我答复。",
        "我想到你们中心反映问题。",
        "我今天上午去物业前台问装修的事,没人搭理我。",
        "我今天到你们客服中心办手续,等了一个钟头。",
    ],
)
def test_other_times_and_ways_are_no_visit(site: Site, text: str) -> None:
    assert announced(text, AT, site) is None


def test_the_anonymous_are_not_expected(site: Site) -> None:
    assert not opened(site, "我明天上午10点到你们中心面谈。", origin="anonymous").decisions


def test_long_letters_cost_little(site: Site) -> None:
    began = time.process_time()
    for text in ("我明天上午" * 20_000, "我到" * 50_000, "我明天到你们中心" * 10_000):
        announced(text, AT, site)
    assert time.process_time() - began < 2.0
