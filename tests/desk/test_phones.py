"""Telephone numbers and the masking of personal data."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kefud.desk.phones import find_phones, mask_personal, mask_phone, normalise_phone


@pytest.mark.parametrize(
    "text",
    [
        "13800000201", "\t13800000201", '="13800000201"', '"138-0000-0201"', "'13800000201", "138 0000 0201",
        "1380000 0201", "+86 138-0000-0201", "+8613800000201", "0086-13800000201", "8613800000201",
        "１３８００００ ０２０１", "13800000201.0", "013800000201", "1.3800000201E+10", '"何样板" <13800000201>',
        "<sip:13800000201@pbx.example.com>", "138—0000—0201", "13800000201(何样板)", "电话:138-0000-0201",
        "“13800000201”", "138\u00a00000\u00a00201",
    ],
)  # fmt: skip
def test_a_mobile_has_one_form(text: str) -> None:
    assert normalise_phone(text) == "13800000201"


@pytest.mark.parametrize(
    "text",
    ["", "  ", "匿名", "unknown", "Anonymous", "ANONYMOUS", "未知", "私密号码", "未知 13800000201", "1.38E+10",
     "1.38e10", "无", "abc", "-", "12", "138000002011", "330106199001011234", "0"],
)  # fmt: skip
def test_hidden_damaged_and_other_values_are_empty(text: str) -> None:
    assert normalise_phone(text) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("021-55550101", "02155550101"),
        ("(021)5555-0101", "02155550101"),
        ("（０２１）５５５５０１０１", "02155550101"),
        ("+86 21 5555 0101", "02155550101"),
        ("0571-8888001", "05718888001"),
        ("400-820-8820", "4008208820"),
        ("800 820 1234", "8008201234"),
        ("80000000", "80000000"),
        ("12345", "12345"),
        ("95588", "95588"),
        ("110", "110"),
        ("802", "802"),
        ("021-55550101转801", "02155550101-801"),
        ("021-55550101 分机 801", "02155550101-801"),
        ("021-55550101-801", "02155550101-801"),
        ("021－5555－0101　转 801", "02155550101-801"),
        ("80000000转802", "80000000-802"),
        ("13800000201转5", "13800000201"),
        ("+852 9123 4567", "+85291234567"),
        ("0085291234567", "+85291234567"),
    ],
)
def test_other_numbers_have_their_form(text: str, expected: str) -> None:
    assert normalise_phone(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("我是何样板,电话138-0000-0201。", ("13800000201",)),
        ("2号楼2单元1002 吕例句 13800000202", ("13800000202",)),
        ("6号楼3单元808 138-0000-0208", ("13800000208",)),
        ("4-1-1102 严填充 电话 1380000 0209", ("13800000209",)),
        ("12栋1503 138-0000-0202", ("13800000202",)),
        ("13800000201/13900000202", ("13800000201", "13900000202")),
        ("13800000201 13900000202", ("13800000201", "13900000202")),
        ("138 000 00203,再说一次13800000203", ("13800000203",)),
        ("固话021-55550101转801,热线400-820-8820", ("02155550101-801", "4008208820")),
        ("电话80000000", ("80000000",)),
        ("手机：１３８０００００２０１", ("13800000201",)),
        ("tel13800000201", ("13800000201",)),
        ("+86-13800000201", ("13800000201",)),
    ],
)
def test_numbers_are_found_in_free_text(text: str, expected: tuple[str, ...]) -> None:
    assert find_phones(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "身份证330106199001011234", "订单号13800000201", "流水号:13800000201", "2025-03-11 10:00",
        "KF20250306-0011", "A20250310075033", "PBX-20250312-0037", "卡号6222021234567890123", "已打12345热线",
        "13800000201@139.example", "客联〔2025〕001号", "3-2-501", "总价13800000元", "80000000", "a13800000201",
        "138000002011",
    ],
)  # fmt: skip
def test_other_numbers_are_not_telephones(text: str) -> None:
    assert find_phones(text) == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("13800000001", "138****0001"),
        ("138-0000-0201", "138****0201"),
        ("+86 13800000201", "138****0201"),
        ("021-55550101", "021****0101"),
        ("0571-88880011", "0571****0011"),
        ("021-55550101转801", "021****0101-***"),
        ("4008208820", "400****8820"),
        ("80000000", "80****00"),
        ("12345", "12345"),
        ("", ""),
        ("匿名", "匿名"),
        ("1380000020", "**********"),
    ],
)
def test_a_masked_number_shows_its_ends(text: str, expected: str) -> None:
    assert mask_phone(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("何样板,电话138-0000-0201。", "何样板,电话138****0201。"),
        ("身份证330106199001011234", "身份证3301**********1234"),
        ("33010619900101123x", "3301**********123X"),
        ("身份证号:330106900101123", "身份证号:3301*******1123"),
        ("卡号6222021234567890123", "卡号6222***********0123"),
        ("6222 0212 3456 7890", "6222********7890"),
        ("固话021-55550101转801", "固话021****0101-***"),
        ("１３８０００００２０１", "138****0201"),
        ("订单号13800000201", "订单号138****0201"),
        ("13800000201@139.example", "138****0201@139.example"),
        ("1 3 8 0 0 0 0 0 2 0 1", "138****0201"),
        ("12栋1503 138-0000-0202", "12栋1503 138****0202"),
    ],
)
def test_personal_numbers_are_masked(text: str, expected: str) -> None:
    assert mask_personal(text) == expected


@pytest.mark.parametrize(
    "text",
    ["工单KF20250306-0011", "客联〔2025〕001号", "2025-03-11 10:00", "3号楼2单元501", "A20250310075033",
     "约定16:00前,300元", "第①條：請儘快　處理"],
)  # fmt: skip
def test_everything_else_stays_as_written(text: str) -> None:
    assert mask_personal(text) == text


@given(st.integers(10**9, 10**10 - 1), st.sampled_from(["", "-", " "]), st.text(alphabet="电话:,。户 a\n"))
def test_a_masked_text_holds_no_mobile(digits: int, gap: str, around: str) -> None:
    number = f"13{digits}"[:11]
    text = f"{around}{number[:3]}{gap}{number[3:7]}{gap}{number[7:]}{around}"
    masked = mask_personal(text)
    assert find_phones(masked) == ()
    assert "****" in masked and number not in masked.replace("-", "").replace(" ", "")


@given(st.text(alphabet="0123456789+-() 转电话eE.=\"'"))
def test_a_canonical_number_is_canonical(text: str) -> None:
    number = normalise_phone(text)
    assert normalise_phone(number) == number


@given(st.text(alphabet="0123456789- 号电话房,."))
def test_found_numbers_are_canonical(text: str) -> None:
    assert all(normalise_phone(number) == number for number in find_phones(text))


def test_a_long_text_is_searched_in_time() -> None:
    begin = time.perf_counter()
    for text in ("1 3 8" * 10_000, "13800000201" * 4000, "<" * 50_000, "-" * 50_000, "1 " * 20_000, "(0" * 20_000):
        find_phones(text)
        mask_personal(text)
        normalise_phone(text)
    assert time.perf_counter() - begin < 5
