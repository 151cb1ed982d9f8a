"""House addresses in free text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kefud.desk.houses import find_houses, normalise_house, own_house

REGISTRY = {
    "5-1-201", "2-2-1002", "3-1-603", "7-2-404", "9-3-702", "1-3-905", "8-2-1201", "6-3-808", "4-1-1102",
    "12-2-1503", "3-2-501", "15-1-301", "15-2-301", "25-3-2025", "20-808",
}  # fmt: skip


def ids(text: str, registry: set[str] | None = None) -> list[str]:
    return [mention.id for mention in find_houses(text, registry)]


def own(text: str, registry: set[str] | None = None) -> str | None:
    found = own_house(text, registry)
    return found.id if found else None


@pytest.mark.parametrize(
    "text",
    [
        "3号楼2单元501", "三号楼二单元501室", "三號樓二單元501室", "3-2-501", "3栋2单元501房", "3幢2门501",
        "3#-2-501", "３－２－５０１", "3号楼二单元五零一", "三号楼二单元五〇一室",
        "三号楼2单元伍零壹", "三号楼贰单元501", "第3栋第2单元第501室", "3号楼二单501", "3号楼2门洞501",
        "3#2单元501", "3#楼2单元501",
        "3号楼2-501", "03-02-0501", "3号楼2单元5楼501室", "第3号楼2单元501", "3 号楼 2 单元 501 室", "3—2—501",
        "3 - 2 - 501", "3号2单元501室", "3楼2单元501", "3号楼，2单元，501", "3-2-501室", "三栋二单元五百零一室",
        "Building 3, Unit 2, Flat 501", "Block 3 Unit 2 Room 501", "Apt. 501, Unit 2, Building 3", "Tower No. 3, Entrance 2, Apartment 501",
    ],
)  # fmt: skip
def test_all_forms_of_a_house_are_one(text: str) -> None:
    assert ids(text) == ["3-2-501"]
    assert normalise_house(text) == "3-2-501"


@pytest.mark.parametrize(
    ("text", "house", "exact"),
    [
        ("A座2单元1203", "A-2-1203", True),
        ("b-1-302", "B-1-302", True),
        ("十二号楼三单元一二〇三", "12-3-1203", True),
        ("1号楼3单元9层", "1-3", False),
        ("8号楼", "8", False),
        ("B栋", "B", False),
        ("12栋1503", "12-1503", False),
        ("8号楼1201室", "8-1201", False),
    ],
)
def test_less_than_a_house_is_marked_as_inexact(text: str, house: str, exact: bool) -> None:
    (mention,) = find_houses(text)
    assert (mention.id, mention.exact) == (house, exact)


@pytest.mark.parametrize(
    "text",
    [
        "", "会所", "车库", "3号车库", "西门保安", "拨打3号线", "2025-03-11", "25-3-2025", "3-12", "12-3",
        "138-0000-0201", "0571-8888-001", "KF20250306-0011", "PBX-20250312-0037", "客联〔2025〕001号",
        "物联〔2025〕018号", "300元", "10-1500元", "8:30-12:00", "192.168.1.1", "330106199001011234",
        "3月8号楼下漏水", "13800000201", "2单元501", "1/2的住户", "A20250310075033", "2-1-100元", "三天内",
        "0-1-101",
    ],
)  # fmt: skip
def test_other_numbers_are_no_houses(text: str) -> None:
    assert ids(text) == []


@pytest.mark.parametrize("text", ["3号楼120平米", "3号楼 300元", "3号楼2025年3月", "3号楼13800000201", "3号楼10:30"])
def test_a_number_behind_a_building_is_not_always_a_room(text: str) -> None:
    assert ids(text) == ["3"]


@pytest.mark.parametrize(
    ("text", "expected", "exact"),
    [
        ("12栋1503漏水", "12-2-1503", True),
        ("12-1503漏水", "12-2-1503", True),
        ("3栋2501漏水", "3-2-501", True),
        ("20栋808漏水", "20-808", True),
        ("15栋301漏水", "15-301", False),
        ("12栋9999漏水", "12-9999", False),
        ("25-3-2025漏水", "25-3-2025", True),
    ],
)
def test_the_registry_completes_what_is_missing(text: str, expected: str, exact: bool) -> None:
    (mention,) = find_houses(text, REGISTRY)
    assert (mention.id, mention.exact) == (expected, exact)


def test_a_registry_may_be_a_mapping() -> None:
    assert find_houses("12栋1503", {"12-2-1503": {"owner": "某人"}})[0].id == "12-2-1503"


def test_a_mention_keeps_the_words_and_their_place() -> None:
    text = "業主住三號樓二單元501室，漏水"
    (mention,) = find_houses(text)
    assert mention.text == "三號樓二單元501室" == text[slice(*mention.span)]


def test_several_houses_come_in_the_order_of_the_text_the_own_one_first() -> None:
    assert ids("6号楼和7号楼之间,我家是6-3-808,找过5-1-201") == ["6-3-808", "6", "7", "5-1-201"]
    assert ids("6号楼和7号楼之间") == ["6", "7"]


@pytest.mark.parametrize(
    ("text", "house"),
    [
        ("您好:\n我是5号楼1单元201的业主何样板,电话138-0000-0201。\n昨天晚上七点多", "5-1-201"),
        ("这笔费用该不该业主出?\n2号楼2单元1002 吕例句 13800000202", "2-2-1002"),
        ("示范地产客户服务中心:\n3号楼1单元603业主施示稿(电话138-0000-0203)向我司反映:客厅北墙空鼓", "3-1-603"),
        ("工作联系单(物联〔2025〕018号):3-1-603客厅墙面空鼓", "3-1-603"),
        ("9号楼3单元702孔草图,电话13800000205。\n南阳台的空调外机位", "9-3-702"),
        ("建议在6号楼和7号楼之间增设一个投放点。\n6号楼3单元808 华某样 138-0000-0208\n2025年3月9日", "6-3-808"),
        ("客服中心:\n一、我想租一个地下车位。\n4-1-1102 严填充 电话 1380000 0209\n三月十二日", "4-1-1102"),
        ("投诉楼上3-2-601装修噪音,我家是3-2-501", "3-2-501"),
        ("楼上住户3-2-601漏水到我家3-2-501", "3-2-501"),
        ("房号:7-2-404", "7-2-404"),
        ("我住8号楼,楼下漏水", "8"),
        ("本人是三號樓二單元501室業主", "3-2-501"),
        ("3号楼2单元501客厅漏水", "3-2-501"),
        ("请到3号楼2单元501维修", "3-2-501"),
    ],
)
def test_the_writers_own_house_is_found(text: str, house: str) -> None:
    assert own(text) == own(text, REGISTRY) == house


@pytest.mark.parametrize(
    "text",
    [
        "投诉物业保洁:4号楼电梯里贴满小广告,地上有痰,三天都没人擦。\n住户",
        "1号楼3单元9层楼道水管爆了,水往电梯井里流,赶紧来人",
        "8号楼北侧路灯不亮",
        "8号楼有人乱扔烟头",
        "建议在6号楼和7号楼之间增设一个投放点",
        "3-2-601的业主装修扰民",
        "投诉楼上3-2-601半夜唱歌",
        "漏水了",
    ],
)
def test_a_place_is_not_the_writers_house(text: str) -> None:
    assert own(text) is own(text, REGISTRY) is None


@pytest.mark.parametrize("text", ["12-1503", " 12-1503 "])
def test_a_field_may_hold_a_room_without_unit(text: str) -> None:
    assert normalise_house(text) == "12-1503"


def test_a_field_with_a_building_and_a_house_gives_the_house() -> None:
    assert normalise_house("8号楼 8-2-1201") == "8-2-1201"


@pytest.mark.parametrize("text", ["", "无", "1-3", "3-12", "2025-03-11", "13800000201"])
def test_a_field_without_house_gives_none(text: str) -> None:
    assert normalise_house(text) is None


CHINESE = "零一二三四五六七八九"


@given(st.integers(1, 99), st.integers(1, 9), st.integers(1, 33), st.integers(1, 9), st.sampled_from(["", "室", "房"]))
def test_digits_and_characters_name_the_same_house(building: int, unit: int, floor: int, door: int, end: str) -> None:
    room = f"{floor}{door:02}"
    spoken = "".join(CHINESE[int(digit)] for digit in room)
    expected = f"{building}-{unit}-{room}"
    assert normalise_house(f"{building}号楼{unit}单元{room}{end}") == expected
    assert normalise_house(f"{building}幢{CHINESE[unit]}單元{spoken}{end}") == expected


@given(st.text(alphabet="0123456789-#号楼栋幢单元门室房层三五〇 年月日元:,a我是业主\n"))
def test_places_lie_in_the_text_and_ids_are_well_formed(text: str) -> None:
    for mention in find_houses(text, REGISTRY):
        assert text[slice(*mention.span)] == mention.text
        assert all(part.isalnum() and part != "0" for part in mention.id.split("-"))


def test_a_long_text_is_searched_in_time() -> None:
    begin = time.perf_counter()
    for text in ("3-2-501 " * 5000, "1-" * 20_000, "3号楼" + " " * 50_000, "三" * 50_000, "1" * 50_000):
        find_houses(text, REGISTRY)
    assert time.perf_counter() - begin < 5


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("12幢一单元十六零一室", "12-1-1601"),
        ("拾贰号楼一单元十六〇一", "12-1-1601"),
        ("房号:12/1/1601", "12-1-1601"),
        ("12.1.1601", "12-1-1601"),
        ("版本12.1.345", None),
        ("2025/3/12", None),
        ("3号楼单位201人", "3"),
    ],
)
def test_storeys_in_words_and_other_marks(text: str, id: str | None) -> None:
    found = find_houses(text, frozenset({"12-1-1601"}))
    assert (found[0].id if found else None) == id


@pytest.mark.parametrize(
    ("text", "house"),
    [
        ("地砖松了,请修。\n3号楼 何样板 3-1-1702\n2025年4月10日", "3-1-1702"), ("请修。\n1号楼 何样板 1-1-1203", "1-1-1203"),
        ("请修。\n1号楼3单元 老何", "1-3"), ("请修。\n3号楼 何样板\n楼上3-1-1802半夜吵", "3"),
    ],
)  # fmt: skip
def test_a_signature_that_names_building_and_house_gives_the_house(text: str, house: str) -> None:
    assert own(text) == house
