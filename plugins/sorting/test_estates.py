"""A matter of another estate is told by its place; who merely mentions one, or lives there and writes about ours, is heard as ever."""

from __future__ import annotations

import pytest

from kefud.api import Address
from kefud.testing import site as site_of

from .estates import Estates
from .rule import Sorting
from .test_sorting import TOML, effects, judged, mail, one

OURS = Estates(("样例花园", "样例新苑一期", "桂香雅苑"))


@pytest.fixture(scope="module")
def rule(tmp_path_factory: pytest.TempPathFactory) -> Sorting:
    toml = TOML.replace("[service]\n", '[service]\nestate = "样例花园"\n')
    return Sorting(site_of(tmp_path_factory.mktemp("estates"), toml), {"estates": ["桂香雅苑"]})


@pytest.mark.parametrize(
    ("text", "estate"),
    [
        ("我是翠湖花园5号楼1单元201的业主,楼道灯不亮,请修。", "翠湖花园"),
        ("您好,我住在翠湖花园二期5栋,垃圾没人清。", "翠湖花园"),
        ("我们是金沙小区的业主,电梯老坏。", "金沙小区"),
        ("金沙小区7号楼的电梯又坏了,请派人修。", "金沙小区"),
        ("姓名:某某\n地址:望江家园3-2-501\n水管漏水", "望江家园"),
        ("我是翠湖花園5號樓業主,請來修燈。", "翠湖花園"),
    ],
)
def test_the_place_names_another_estate(text: str, estate: str) -> None:
    assert OURS.elsewhere(text)[0] == estate


@pytest.mark.parametrize(
    "text",
    [
        "我是样例花园5号楼业主,楼道灯不亮。",
        "我是样例小区5号楼业主,楼道灯不亮。",
        "我是桂香雅苑5号楼业主,楼道灯不亮。",
        "5号楼1单元楼道灯不亮,翠湖花园3号楼的物业都比你们好。",
        "隔壁翠湖花园3号楼半夜施工,吵得睡不着。",
        "翠湖花园3号楼对面的路口没有路灯。",
        "我住翠湖花园3号楼旁边,就是你们小区。",
        "中心花园3号楼那侧的草枯死了。",
        "屋顶花园漏水,请修。",
        "我们小区3号楼电梯坏了。",
        "我是业主,小区3号楼电梯坏了。",
        "我朋友住在翠湖花园3号楼,他们有快递柜,建议我们也装。",
        "我是翠湖花园3号楼的业主,想买你们的房子,请问还有房吗?",
        "从翠湖花园到小区的班车什么时候开?",
        "翠湖花园的保安很有礼貌,请向他们学习。",
        "北区花园5号楼前的树倒了。",
    ],
)
def test_who_mentions_one_is_heard_as_ever(text: str) -> None:
    assert OURS.elsewhere(text) == ("", "")


def test_without_a_name_of_ours_every_matter_is_ours() -> None:
    assert Estates(("", "园")).elsewhere("我是翠湖花园5号楼业主,灯坏了。") == ("", "")


def test_a_house_of_ours_only_says_so_when_it_lives_there() -> None:
    assert OURS.elsewhere("金沙小区7号楼的广场舞太吵。", known=True) == ("", "")
    assert OURS.elsewhere("我住金沙小区7号楼,电梯坏了。", known=True)[0] == "金沙小区"


def test_it_is_marked_and_takes_no_house_and_no_name_of_ours(rule: Sorting) -> None:
    told, marks, noted = one(rule, mail("我是翠湖花园5号楼1单元201的业主,楼道灯不亮,请修。"))
    assert told.kind == "repair" and told.house is None
    assert told.requester and not told.requester.name and not told.requester.phone
    assert "outside_scope" in marks and noted["outside_estate"] == "翠湖花园"


def test_our_owners_are_not_marked(rule: Sorting) -> None:
    told, marks, _ = one(rule, mail("我是5-1-201的温示范,金沙小区3号楼的车堵在我们东门,请处理。"))
    assert told.house == "5-1-201" and "outside_scope" not in marks


def test_each_part_of_a_letter_is_marked(rule: Sorting) -> None:
    text = "我是翠湖花园5号楼1单元201的业主。楼道灯坏了请修。另外,我想咨询一下车位租金是多少?"
    found = judged(rule, mail(text))
    assert len(found) == 2 and all("outside_scope" in effects(part) for part in found)


def test_praise_for_other_staff_goes_to_nobody_of_ours(rule: Sorting) -> None:
    told, marks, noted = one(rule, mail("我是翠湖花园5号楼的业主,保安小王帮我抬轮椅,特此表扬。"))
    assert told.kind == "praise" and "praised" not in noted and not any(m.startswith("praise_forward") for m in marks)


def test_letters_of_offices_are_not_asked_where_they_lie(rule: Sorting) -> None:
    sender = Address("物业", "wuye@property.example.com")
    assert "outside_scope" not in one(rule, mail("金沙小区7号楼墙面空鼓,请处理。", sender=sender))[1]
