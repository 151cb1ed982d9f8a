"""When the same matter comes again, and when many bring it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from kefud.api import Classify, Decision, Effect, Merge, Message, Opened, Relate, Related, Requester, Site, Ticket
from kefud.testing import rule_contract
from kefud.testing import site as site_of

from . import register_rules
from .likeness import likeness, pairs
from .rule import Merging

AT = datetime.fromisoformat("2025-03-11T10:00:00+08:00")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return site_of(tmp_path_factory.mktemp("merging"))


@pytest.fixture(scope="module")
def rule(site: Site) -> Merging:
    return Merging(site, {})


def new(summary: str = "3号楼前的路灯不亮,请派人维修", **changes: Any) -> Ticket:
    whole: dict[str, Any] = {"kind": "repair", "category": "facility", "house": "3-1-603", "started_at": AT, **changes}
    return Ticket(summary=summary, **whole)


def old(summary: str = "3号楼前面路灯坏了不亮", days: float = 2, **changes: Any) -> Related:
    whole: dict[str, Any] = {"number": "KF20250309-0001", "status": "assigned", "kind": "repair", "category": "facility"}
    whole = {**whole, "house": "3-1-603", **changes}
    return Related(started_at=AT - timedelta(days=days), summary=summary, **whole)


def judged(
    rule: Merging, ticket: Ticket, related: tuple[Related, ...] = (), similar: tuple[Related, ...] = ()
) -> list[Decision]:
    message = Message("mail", AT, text=ticket.summary)
    similar = similar or (related if ticket.origin == "anonymous" else ())
    return list(rule.judge(ticket, Opened(AT, message, related=related, similar=similar)))


def target(decisions: list[Decision]) -> str:
    return next((d.target for d in decisions if isinstance(d, Merge)), "")


def effects(decisions: list[Decision]) -> set[str]:
    return {name for d in decisions if isinstance(d, Effect) for name in d.names}


def test_the_same_matter_of_the_same_house_joins_its_ticket(rule: Merging) -> None:
    decisions = judged(rule, new(), (old(),))
    assert target(decisions) == "KF20250309-0001"
    assert "duplicate_of:KF20250309-0001" in effects(decisions)


@pytest.mark.parametrize(
    "other",
    [
        old(days=8),
        old(house="3-1-604"),
        old(summary="地下车库道闸抬不起来"),
        old(status="closed"),
        old(kind="praise"),
        old(house=None),
    ],
    ids=["too long ago", "another house", "another matter", "closed", "praise", "unknown house"],
)
def test_another_matter_stays_its_own(rule: Merging, other: Related) -> None:
    assert not target(judged(rule, new(), (other,)))


def test_the_window_ends_at_closing_time_of_its_last_day(rule: Merging) -> None:
    assert target(judged(rule, new(), (old(days=7),)))


def test_the_same_telephone_is_enough_where_no_house_is_known(rule: Merging) -> None:
    ticket = new(house=None, requester=Requester(phone="13900004203"))
    assert target(judged(rule, ticket, (old(house=None, phone="13900004203"),)))


def test_a_stranger_never_gets_into_the_ticket_of_another_house(rule: Merging) -> None:
    ticket = new(house="9-9-901", requester=Requester(phone="13900004203", email="a@example.com"))
    assert not target(judged(rule, ticket, (old(phone="13900004203", email="a@example.com"),)))


def test_of_several_the_most_alike_is_taken(rule: Merging) -> None:
    others = (old(summary="路灯照明时间太短", number="KF20250309-0002"), old())
    assert target(judged(rule, new(), others)) == "KF20250309-0001"


def test_a_chasing_letter_without_details_joins_the_only_open_matter(rule: Merging) -> None:
    ticket = new("上次反映的事怎么还没处理", kind="consultation", category="general", effects=("customer_chased",))
    decisions = judged(rule, ticket, (old(),))
    assert target(decisions) and "customer_chased" in effects(decisions)
    two = (old(), old(summary="电梯异响", number="KF20250309-0002"))
    assert not target(judged(rule, ticket, two))


def test_an_emergency_is_not_hidden_in_an_ordinary_ticket(rule: Merging) -> None:
    ticket = new("水管爆裂漏水往插座流", urgency="emergency")
    drip = old(summary="水管漏水往外流", category="facility")
    assert not target(judged(rule, ticket, (drip,)))
    assert any(isinstance(d, Relate) for d in judged(rule, ticket, (drip,)))
    assert target(judged(rule, ticket, (old(summary="水管爆裂漏水往插座流", urgency="emergency"),)))


def test_a_closed_matter_is_linked_only(rule: Merging) -> None:
    decisions = judged(rule, new(), (old(status="closed"),))
    assert [d.numbers for d in decisions if isinstance(d, Relate)] == [("KF20250309-0001",)]


def test_anonymous_letters_join_by_place_and_words(rule: Merging) -> None:
    text = "4号楼电梯里贴满小广告,地上有痰没人擦"
    letter = new(text, kind="complaint", category="environment", house=None, origin="anonymous")
    first = old("4号楼电梯里贴满小广告,地上有痰三天没人擦", kind="complaint", category="environment", house=None)
    elsewhere = old("9号楼电梯里贴满小广告,地上有痰三天没人擦", kind="complaint", category="environment", house=None)
    assert target(judged(rule, letter, (first,)))
    assert not target(judged(rule, letter, (elsewhere,)))
    named = old(text, kind="complaint", category="environment", house="4-1-201")
    assert not target(judged(rule, letter, (named,)))


def neighbours(*houses: str, summary: str = "楼下广场舞音响太吵") -> tuple[Related, ...]:
    return tuple(
        old(summary, kind="complaint", category="environment", house=house, number=f"KF20250310-000{n}")
        for n, house in enumerate(houses, 1)
    )


def test_three_households_with_one_matter_are_a_group(rule: Merging) -> None:
    ticket = new("广场舞音响太吵,晚上没法睡", kind="complaint", category="environment")
    decisions = judged(rule, ticket, (), neighbours("3-1-701", "3-2-301"))
    assert {"group_complaint", "report_up:cs_supervisor"} <= effects(decisions)
    assert any(isinstance(d, Classify) and d.important for d in decisions)
    assert any(isinstance(d, Relate) and len(d.numbers) == 2 for d in decisions)


def test_the_whole_estate_may_be_a_group_when_the_words_agree(rule: Merging) -> None:
    ticket = new("整个小区停水一天没有通知", kind="complaint", category="facility")
    told = tuple(
        old("小区停水一天也没有通知业主", kind="complaint", house=house, number=f"KF20250310-000{n}")
        for n, house in enumerate(("7-1-101", "9-1-201"), 1)
    )
    assert "group_complaint" in effects(judged(rule, ticket, (), told))
    assert not judged(rule, new("道闸坏了", kind="complaint"), (), told)


def test_two_households_or_one_that_writes_often_are_none(rule: Merging) -> None:
    ticket = new("广场舞音响太吵,晚上没法睡", kind="complaint", category="environment")
    assert not judged(rule, ticket, (), neighbours("3-1-701"))
    assert not judged(rule, ticket, (), neighbours("3-1-701", "3-1-701", "3-1-603"))
    assert not judged(rule, ticket, (), neighbours("3-1-701", "3-2-301", summary="垃圾桶破损"))


def test_likeness_of_words() -> None:
    same = likeness(pairs("厨房水管漏水"), pairs("厨房的水管又漏水了,请尽快修"))
    other = likeness(pairs("厨房水管漏水"), pairs("楼道灯不亮"))
    assert same > 0.4 > other == 0.0
    assert likeness(pairs("電梯壞了"), pairs("电梯坏了")) == 1.0


def test_contract(site: Site) -> None:
    (rule,) = register_rules(site)
    rule_contract(rule)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("地下二层车库坡道积水,车过去打滑", "B2坡道那一滩水还在,骑车差点摔跤"),
        ("楼道感应灯全灭了", "晚上回家声控灯一个都不亮,请来看看灯"),
        ("卫生间顶上漏水", "厕所天花板往下滴水,卫生间没法用"),
    ],
)
def test_one_trouble_in_other_words_joins_its_ticket(rule: Merging, first: str, second: str) -> None:
    assert target(judged(rule, new(second), (old(first),))) == "KF20250309-0001"


def test_who_waits_longer_than_the_term_is_heard_on_the_open_ticket(rule: Merging) -> None:
    asked = new("3号楼路灯说好上周修,到现在没人来", effects=("customer_chased",))
    decisions = judged(rule, asked, (old(days=20),))
    assert target(decisions) == "KF20250309-0001" and "duplicate_of:KF20250309-0001" not in effects(decisions)
    assert not target(judged(rule, asked, (old(days=20, status="closed"),)))
    assert not target(judged(rule, asked, (old("卧室窗户关不上", days=20),)))
    assert not target(judged(rule, new("3号楼路灯又不亮了"), (old(days=20),)))


def told_by_two(words: tuple[str, ...]) -> tuple[Related, Related]:
    first = old(words[0], house="4-2-1501", number="KF20250309-0001")
    return first, old(words[1], house="2-1-1203", number="KF20250309-0002")


@pytest.mark.parametrize(
    "words",
    [
        ("晚上水压太低,热水器打不着火", "淋浴出水小得可怜,请检查水泵", "高层连澡都洗不了,加压泵是不是坏了"),
        ("夜里广场舞音响太吵", "跳舞的喇叭震天响,孩子没法睡", "音响开到十点,老人心脏受不了"),
    ],
)
def test_the_estates_trouble_from_three_buildings_is_a_groups(rule: Merging, words: tuple[str, str, str]) -> None:
    known = told_by_two(words)
    assert "group_complaint" in effects(judged(rule, new(words[2], house="7-3-1701"), similar=known))


def test_lifts_of_three_buildings_are_three_troubles(rule: Merging) -> None:
    words = ("电梯按键失灵", "电梯里灯不亮", "轿厢风扇不转")
    known = told_by_two(words)
    assert "group_complaint" not in effects(judged(rule, new(words[2], house="7-3-1701"), similar=known))


def test_two_rooms_are_two_leaks(rule: Merging) -> None:
    assert not target(judged(rule, new("厨房水槽下面漏水了"), (old("主卧吊顶漏水"),)))
