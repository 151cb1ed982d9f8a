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
from .word import told_on

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


# the customer's word on a matter on record

LAMP = "单元门口地灯不亮"


def says(decisions: list[Decision]) -> str:
    return next((d.says for d in decisions if isinstance(d, Merge)), "-")


@pytest.mark.parametrize(
    "text",
    [
        "业主来电 地灯已经自己亮了 前几天的报修取消", "业主来电,单元门口地灯好了,报修撤销", "门口地灯那个报修,自己弄好了,请销单。",
        "上礼拜五报的地灯不亮,我老公昨天自己弄好了,就别派人来了,这单子帮我销掉吧。谢谢哈。", "前几天的报修取消", "地灯亮了,不用来了",
    ],
)  # fmt: skip
def test_a_matter_taken_back_is_a_word_on_its_ticket(rule: Merging, text: str) -> None:
    decisions = judged(rule, new(text), (old(LAMP, days=30),))
    assert target(decisions) == "KF20250309-0001" and says(decisions) == "withdraw"
    assert not any(name.startswith("duplicate_of") for name in effects(decisions))


@pytest.mark.parametrize(
    "text",
    [
        "地灯好了,报修取消,另外门坏了请修", "地灯的报修取消了,一直没人来", "今天地灯不用来了,明天再来修", "厨房水槽通好了,报修取消",
        "地灯先不用来了,等我通知", "地灯不用修了,我去住建局投诉",
    ],
)  # fmt: skip
def test_what_may_be_a_withdrawal_is_for_a_person(rule: Merging, text: str) -> None:
    decisions = judged(rule, new(text), (old(LAMP),))
    assert target(decisions) and says(decisions) == "withdraw?"


@pytest.mark.parametrize(
    "text",
    ["地灯报修被取消了", "为什么取消我的报修", "别取消我的投诉,地灯不亮", "你们说地灯不用修", "要求取消停车费", "地灯还要不要处理"],
)
def test_nothing_is_taken_back_by_accident(rule: Merging, text: str) -> None:
    assert says(judged(rule, new(text), (old(LAMP),))) in ("", "-")


def test_of_several_open_matters_the_one_named_is_taken_back(rule: Merging) -> None:
    both = (old(LAMP), old("厨房水槽下水慢", number="KF20250308-0001", category="house_quality"))
    assert target(judged(rule, new("厨房水槽自己通好了,报修取消"), both)) == "KF20250308-0001"
    assert says(judged(rule, new("前几天的报修取消"), both)) == "withdraw?"


def test_a_withdrawal_without_a_ticket_orders_nothing(rule: Merging) -> None:
    [sorts] = [d for d in judged(rule, new("前几天的报修取消")) if isinstance(d, Classify)]
    assert (sorts.kind, sorts.category) == ("consultation", "general")


def test_an_emergency_is_taken_back_by_no_ordinary_ticket(rule: Merging) -> None:
    assert says(judged(rule, new("地灯着火了,报修取消", urgency="emergency"), (old(LAMP),))) in ("", "-")


CEILING = "卫生间吊顶滴水"


@pytest.mark.parametrize(
    "text",
    [
        "你们前几天派人弄过卫生间吊顶,当天是不滴了,这两天楼上一洗澡又开始嗒嗒嗒,跟没弄一样。", "上次修过的卫生间吊顶又滴水了,请重新处理",
        "业主称上回修过的卫生间吊顶还是老样子", "卫生间吊顶又滴水了",
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", ["visiting", "closed"])
def test_what_was_done_and_is_as_before_is_a_word_on_its_ticket(rule: Merging, text: str, status: str) -> None:
    decisions = judged(rule, new(text), (old(CEILING, days=19, status=status),))
    assert target(decisions) == "KF20250309-0001" and says(decisions) == "again"


def test_what_is_archived_is_followed_by_an_important_ticket_beside_it(rule: Merging) -> None:
    decisions = judged(rule, new("上次修过的卫生间吊顶又滴水了"), (old(CEILING, days=50, status="archived"),))
    assert not target(decisions) and any(isinstance(d, Relate) for d in decisions)
    assert any(isinstance(d, Classify) and d.important for d in decisions)


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("上次修过的厨房灯又不亮了", {}), ("卫生间吊顶滴水", {}), ("上次修过的卫生间吊顶又滴水了", {"house": "3-1-604"}),
        ("上次修过的阳台吊顶又滴水了", {}), ("上次修过的卫生间吊顶又滴水了", {"kind": "praise"}),
    ],
)  # fmt: skip
def test_another_matter_takes_nothing_up_again(rule: Merging, text: str, changes: dict[str, Any]) -> None:
    assert says(judged(rule, new(text, **changes), (old(CEILING, days=19, status="closed"),))) == "-"


def test_work_in_progress_is_not_begun_again(rule: Merging) -> None:
    assert says(judged(rule, new("上次修过的卫生间吊顶又滴水了"), (old(CEILING, status="in_progress"),))) == ""


JOINT = "8号楼地下水泵夜里嗡嗡响,床都跟着震,我们几家两个月没睡好觉,要求装减震。\n8-3-201 何样板\n8-3-301 魏占空\n8-3-401 吕例句\n2025年3月9日"


def test_a_letter_that_three_households_sign_is_a_group(rule: Merging) -> None:
    joint = new(JOINT.partition("\n")[0], kind="complaint", house="8-3-201", text=JOINT, origin="owner")
    decisions = judged(rule, joint)
    assert "group_complaint" in effects(decisions) and any(isinstance(d, Classify) and d.important for d in decisions)
    alone = joint.changed(text="8-3-201、8-3-301和8-3-401的人半夜都在吵,请处理一下,我已经三天没有睡好觉了,实在受不了。\n8-2-101 何样板")
    assert "group_complaint" not in effects(judged(rule, alone))


SLAB = "阳台地漏反水"


@pytest.mark.parametrize(
    "text",
    ["阳台地漏反水那张单子补充个情况:楼上一排水就往上冒泡,我拿塑料袋堵着", "补充一下情况,阳台地漏昨晚又拍了视频", "地漏的报修,我再补充几点:味道很冲"],
)
def test_what_adds_to_a_matter_on_record_goes_to_its_ticket(rule: Merging, text: str) -> None:
    decisions = judged(rule, new(text), (old(SLAB, days=15), old("书房木地板起鼓", number="KF20250301-0009", days=15)))
    assert target(decisions) == "KF20250309-0001" and says(decisions) == "more"


def test_what_adds_to_nothing_on_record_is_a_matter_of_its_own(rule: Merging) -> None:
    text = "车位的事补充一下情况,旁边那辆车还是压线"
    assert not target(judged(rule, new(text), (old(SLAB, days=15),)))
    assert not target(judged(rule, new("阳台地漏补充一下情况"), (old(SLAB, days=15, status="closed"),)))


@pytest.mark.parametrize(
    ("text", "status", "joins"),
    [
        ("门框已经固定好了,师傅挺细致,我这边没啥意见,可以结了", "visiting", True), ("门框固定好了,挺满意", "answered", True),
        ("门框已经固定好了,没意见", "in_progress", False), ("门框固定好了,但锁又卡了", "visiting", False),
        ("门框固定好了,没意见。另外厨房灯不亮", "visiting", False), ("门框固定好了吗", "visiting", False),
        ("吊灯装好了,挺满意", "visiting", False),
    ],
)  # fmt: skip
def test_who_tells_that_it_is_done_answers_the_visit(rule: Merging, text: str, status: str, joins: bool) -> None:
    decisions = judged(rule, new(text, category="house_quality"), (old("入户门门框松动", days=14, status=status),))
    assert (says(decisions) == "more") is joins


def test_floorboards_are_one_thing(rule: Merging) -> None:
    asked = new("书房地板说好上周来换,过了一个多礼拜连个人都没露面,要求另请别家来做", effects=("customer_chased",))
    assert target(judged(rule, asked, (old("书房木地板起鼓", days=18),))) == "KF20250309-0001"


IRONY = "祝贺贵公司拿下“最省电奖”！西门岗亭整夜黑灯，一个保安都看不到，谁都能进来逛一圈，这钱交得真值"


@pytest.mark.parametrize(
    "words",
    ["前天发邮件说的西门岗亭夜里没保安的事,有结果了吗", "上周日打电话反映的西门保安的问题怎么样了", "3月9号我给你们写信说过的西门岗亭那件事"],
)
def test_a_matter_named_by_the_day_it_was_told_is_the_same_however_it_was_told(rule: Merging, words: str) -> None:
    earlier = old(IRONY, 2, kind="complaint", category="safety")
    asked = new(words, kind="complaint", category="attitude")
    assert target(judged(rule, asked, (earlier,))) == earlier.number
    assert f"duplicate_of:{earlier.number}" in effects(judged(rule, asked, (earlier,)))
    assert not target(judged(rule, asked, (old(IRONY, 4, kind="complaint", category="safety"),)))


def test_a_day_alone_joins_nothing(rule: Merging) -> None:
    earlier = old("阳台推拉门滑轨断了", 2)
    assert not target(judged(rule, new("前天打电话说的楼下狗叫的事怎么样了", kind="complaint", category="environment"), (earlier,)))
    assert not target(judged(rule, new("前天开始西门岗亭没有人", category="safety"), (old(IRONY, 2, category="safety", house="9-9-901"),)))


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("上周五发邮件说的", "2025-03-07"), ("周一打电话报修的", "2025-03-10"), ("昨天说的", "2025-03-10"), ("2月28日投诉的", "2025-02-28"),
        ("28号反映过的", "2025-02-28"), ("12月30号写信说的", "2024-12-30"), ("上周五没人", ""), ("30号楼说的", ""), ("2月30日反映的", ""),
    ],
)  # fmt: skip
def test_the_day_a_matter_was_told(words: str, day: str) -> None:
    found = told_on(words, AT.date())
    assert (found.isoformat() if found else "") == day
