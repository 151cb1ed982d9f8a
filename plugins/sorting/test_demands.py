"""What customers ask for is read from their words, and nothing they did not ask."""

from __future__ import annotations

import pytest

from .demands import demand_of


@pytest.mark.parametrize(
    ("text", "demand"),
    [
        ("楼道三天没人打扫。请尽快安排清扫，并向我们说明情况。", "请尽快安排清扫，并向我们说明情况"),
        ("西门保安骂人，我要求当面道歉！", "我要求当面道歉"),
        ("水管漏了。希望贵公司尽快派人维修；能否今天下午来？", "希望贵公司尽快派人维修；能否今天下午来"),
        ("你们应该赔偿我的损失，否则我去投诉。", "你们应该赔偿我的损失，否则我去投诉"),
        ("来电人要求三日内答复，另外建议增设路灯", "来电人要求三日内答复，另外建议增设路灯"),
        ("建議在東門增設快遞櫃。", "建議在東門增設快遞櫃"),
        ("请问物业费怎么收？", ""),
        ("保安要求我出示证件，态度很差。", ""),
        ("垃圾成堆，我要投诉物业。", ""),
        ("请查收附件。我已经请假三天了。", ""),
        ("请马上来人，电话13800000201", "请马上来人"),
    ],
)
def test_the_clauses_that_ask(text: str, demand: str) -> None:
    assert demand_of(text) == demand


def test_rude_words_leave_with_their_clause() -> None:
    assert demand_of("请你们这帮废物赶紧滚，请把垃圾清走。", ["废物"]) == "请把垃圾清走"


def test_long_letters_give_what_fits() -> None:
    assert len(demand_of("请尽快修好门。" * 3 + "。".join(f"请把第{n}盏路灯修好并加装护栏" for n in range(40)))) <= 220
