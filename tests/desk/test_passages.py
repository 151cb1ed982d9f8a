"""Which words of a mail belong to which number."""

from __future__ import annotations

import pytest

from kefud.desk.passages import passages

A, B, KF = "客联〔2025〕001号", "客联〔2025〕002号", "KF20250303-0001"


@pytest.mark.parametrize(
    ("text", "before", "parts"),
    [
        (f"贵中心:\n1、{A}:已安排;\n2、{B}:申请延期", "贵中心", (((A,), "已安排"), ((B,), "申请延期"))),
        (f"1、{A}:已修好;2、{B}:明天去;3、{KF} 已处理", "", (((A,), "已修好"), ((B,), "明天去"), ((KF,), "已处理"))),
        (f"{A}、{B}均已处理完毕", "", (((A, B), "均已处理完毕"),)),
        (f"以下各单均已处理完毕:\n{A}\n{B}", "以下各单均已处理完毕", (((A, B), "以下各单均已处理完毕"),)),
        ("关于客联[2025]第2号联系单：配件已到", "", (((B,), "配件已到"),)),
        (f"已处理,参照{A}的做法更换了阀芯", f"已处理,参照{A}的做法更换了阀芯", ()),
        ("", "", ()),
    ],
)
def test_words_belong_to_the_number_they_follow(text: str, before: str, parts: tuple[object, ...]) -> None:
    assert passages(text) == (before, parts)
