"""Folding for comparison, numerals, sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kefud.desk.chinese import fold, number, sentences


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("電梯困人", "电梯困人"),
        ("三號樓", "三号楼"),
        ("漏水嚴重", "漏水严重"),
        ("請儘快派人維修", "请尽快派人维修"),
        ("投訴", "投诉"),
        ("服務態度", "服务态度"),
        ("垃圾", "垃圾"),
        ("綠化", "绿化"),
        ("週一後內個裡裏點鐘禮拜時間", "周一后内个里里点钟礼拜时间"),
        ("保安態度惡劣,業主要求賠償", "保安态度恶劣,业主要求赔偿"),
        ("牆面滲水、發霉,陽臺護欄鬆動", "墙面渗水、发霉,阳台护栏松动"),
        ("著名的乾隆", "著名的干隆"),
        ("ＫＦ２０２５－１：ＡＢＣ\u3000（急）", "kf2025-1:abc (急)"),
    ],
)
def test_writing_is_folded_to_one_form(written: str, folded: str) -> None:
    assert fold(written) == folded


@pytest.mark.parametrize("text", ["电梯困人", "著名", "里面", "三号楼二单元", "①", "İ", "㎡", "\ud800", "😀"])
def test_folding_keeps_the_length(text: str) -> None:
    assert len(fold(text)) == len(text)


@given(st.text())
def test_every_place_stays_where_it_was(text: str) -> None:
    assert len(fold(text)) == len(text)


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_simplified_text_is_left_alone() -> None:
    text = "客服中心:客厅北墙空鼓约一平方米,敲击有空响,要求开发商维修。"
    assert fold(text) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("三十二", 32),
        ("一千零五", 1005),
        ("五〇一", 501),
        ("五零一", 501),
        ("一二〇三", 1203),
        ("两", 2),
        ("兩百", 200),
        ("廿", 20),
        ("廿三", 23),
        ("卅", 30),
        ("十", 10),
        ("十二", 12),
        ("一百二", 120),
        ("一百二十", 120),
        ("一百零二", 102),
        ("三千零五十", 3050),
        ("一万二", 12000),
        ("二十五万三千", 253000),
        ("壹拾贰", 12),
        ("3百", 300),
        ("３２", 32),
        ("007", 7),
        ("", None),
        ("三点", None),
        ("没有", None),
        ("-3", None),
    ],
)
def test_numerals_are_read(text: str, value: int | None) -> None:
    assert number(text) == value


@given(st.integers(0, 99_999))
def test_spelled_numbers_come_back(value: int) -> None:
    assert number(spell(value)) == value


def spell(value: int) -> str:
    text, zero = "", False
    for power, unit in ((10_000, "万"), (1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, value = divmod(value, power)
        text += ("零" if zero and digit else "") + ("零一二三四五六七八九"[digit] + unit if digit else "")
        zero = bool(text) and not digit
    return text or "零"


def test_a_text_falls_into_sentences() -> None:
    assert sentences("电梯坏了。什么时候修?“快点!”\n4-1-1102 严填充\n\n") == [
        "电梯坏了。",
        "什么时候修?",
        "“快点!”",
        "4-1-1102 严填充",
    ]


def test_a_decimal_point_ends_no_sentence() -> None:
    assert sentences("面积3.5平方米;请核实") == ["面积3.5平方米;", "请核实"]


@given(st.text(alphabet="水漏。!?\n 1a"))
def test_sentences_lose_only_blanks(text: str) -> None:
    kept = "".join(sentences(text))
    assert sum(map(kept.count, "水漏1a")) == sum(map(text.count, "水漏1a"))
