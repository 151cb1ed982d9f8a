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
