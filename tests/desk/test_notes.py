"""What our agents noted of a call: what a department reads of it, and what no text of ours repeats (S0-4.3.2)."""

from __future__ import annotations

from datetime import datetime

import pytest

from kefud.desk.decisions import Notice
from kefud.desk.discretion import customers_words
from kefud.desk.ticket import Ticket
from kefud.desk.view import notice_view


@pytest.mark.parametrize(
    ("noted", "told"),
    [
        ("门厅灯不亮\n已登记", "门厅灯不亮"),
        ("门厅灯不亮\n登记", "门厅灯不亮"),
        ("门厅灯不亮\n已记录,安抚业主", "门厅灯不亮"),
        ("门厅灯不亮\n已登记,安排上门", "门厅灯不亮\n安排上门"),
        ("有人摔伤\n已拨120并通知值班", "有人摔伤\n已拨120并通知值班"),
        ("草坪没人浇水\n告知业主此事不归我们管", "草坪没人浇水"),
        ("草坪没人浇水 已答复没办法 让他等", "草坪没人浇水"),
        ("物业跟我说不归我们管,踢皮球", "物业跟我说不归我们管,踢皮球"),
        ("前台告诉我不行,必须本人去", "前台告诉我不行,必须本人去"),
        ("不知道阀门在哪里", "不知道阀门在哪里"),
    ],
)
def test_what_is_told_of_a_call(noted: str, told: str) -> None:
    assert customers_words(noted) == told


@pytest.mark.parametrize(("medium", "told"), [("call", "草坪没人浇水"), ("mail", "草坪没人浇水\n已登记")])
def test_a_notice_repeats_the_call_without_bare_notes(medium: str, told: str) -> None:
    at = datetime.fromisoformat("2025-03-03T09:00:00+08:00")
    notice = Notice("property_company", content="草坪没人浇水\n已登记")
    seen = notice_view(Ticket(medium=medium), notice, "1", site={"name": "客服中心", "timezone": "Asia/Shanghai"}, at=at)  # type: ignore[arg-type]
    assert seen["content"] == told
