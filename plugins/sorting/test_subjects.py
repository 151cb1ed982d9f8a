"""The subject of an order says what it is about, and does not break off in the middle of a word."""

from __future__ import annotations

import pytest

from .subjects import shortened, telling


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("你好，我反映一下，北门岗有保安放推销的进来", "北门岗有保安放推销的进来"),
        ("反映一个情况，请保密", ""),
        ("顺便讲一下，16号楼10楼的感应灯坏了", "16号楼10楼的感应灯坏了"),
        ("你好，电梯里贴的通知我拍下来了，内容是：“明天停水”", "明天停水"),
        ("轉發群裏聊天，請看一下", ""),
        ("不好意思又来打扰。", ""),
        ("我是13-1-402的，姓顾。不好意思打扰，小房间墙角霉了", "小房间墙角霉了"),
        ("咨询车位租金", "咨询车位租金"),
        ("通知贴错楼了", "通知贴错楼了"),
        ("关于4月停水的问题", "关于4月停水的问题"),
        ("打听一下，房产证什么时候办", "房产证什么时候办"),
    ],
)
def test_it_begins_with_what_says_something(text: str, told: str) -> None:
    assert telling(text) == told


def test_it_ends_with_a_clause_or_says_that_it_goes_on() -> None:
    assert shortened("16号楼的感应灯坏了有一个多礼拜了，麻烦安排修一下", 24) == "16号楼的感应灯坏了有一个多礼拜了"
    assert shortened("灯坏了，" + "长" * 30, 20) == "灯坏了，" + "长" * 15 + "…"
    assert shortened("灯坏了", 20) == "灯坏了"
