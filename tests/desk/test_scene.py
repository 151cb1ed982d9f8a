"""Where something happens, read from the words, and how alarms and orders say it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from kefud.compose import Composer
from kefud.compose.letters import sample_context
from kefud.desk.scene import scene
from kefud.desk.ticket import Requester, Ticket
from kefud.desk.view import is_elsewhere, place_of, ticket_view

TEMPLATES = Path(__file__).parents[2] / "templates"
AT = datetime.fromisoformat("2025-05-02T13:05:00+08:00")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("小广场上有个孩子摔下来不动了", "小广场"),
        ("地下车库两帮人打起来了 16号楼负一层 有人流血", "16号楼 地下车库、负一层"),
        ("东门口外卖车撞了人", "东门口"),
        ("电梯卡住了,里面有人", "3号楼2单元 电梯"),
        ("隔壁502冒烟", "3号楼2单元 隔壁502"),
        ("8号楼1单元1203着火了", "8号楼1单元1203"),
        ("厨房有煤气味", ""),
        ("样例花园客服中心,燃气灶打不着火", ""),
        ("3号楼2单元一楼楼道电瓶车冒烟,3号楼的人快来", "3号楼2单元一楼 一楼楼道"),
        ("广场舞太吵", ""),
        ("主卧窗户对着中心广场,漏风", ""),
        ("门打不开,3-2-501", ""),
    ],
)
def test_the_words_name_a_place_outside_the_flat(text: str, place: str) -> None:
    assert scene(text, "3-2-501") == place


def alarm(told: str, **changes: object) -> Ticket:
    whole = {
        "text": told,
        "number": "KF20250502-0001",
        "kind": "repair",
        "category": "safety",
        "urgency": "emergency",
        "house": "3-2-501",
    }
    return Ticket(**{**whole, "summary": told, "medium": "call", "requester": Requester("钱样例"), "started_at": AT, **changes})  # type: ignore[arg-type]


def written(ticket: Ticket, template: str = "reports/emergency") -> tuple[str, str]:
    context = {**sample_context(), "ticket": ticket_view(ticket, "Asia/Shanghai"), "data": {}}
    draft = Composer([TEMPLATES]).write(template, context)
    return draft.subject, draft.text


def test_an_alarm_leads_to_where_it_happens_and_not_to_the_callers_flat() -> None:
    subject, text = written(alarm("小广场上有个孩子摔下来不动了"))
    assert subject.endswith("小广场")
    assert text.index("发生地点：小广场") < text.index("住3号楼2单元501室（不是发生地点）")
    assert "房    号" not in text


def test_an_alarm_from_the_flat_itself_leads_to_the_flat() -> None:
    subject, text = written(alarm("厨房有煤气味,从楼道也闻得到"))
    assert "3号楼2单元501室" in text and "不是发生地点" not in text
    subject, text = written(alarm("有煤气味"))
    assert subject.endswith("3号楼2单元501室") and "发生地点：3号楼2单元501室" in text


def test_our_agents_note_names_no_place() -> None:
    ticket = alarm("有人晕倒了", text="有人晕倒了\n已通知东门岗亭")
    assert place_of(ticket) == "" and not is_elsewhere(ticket)


def test_who_complains_is_not_told_apart_by_a_place() -> None:
    assert place_of(alarm("楼道里堆满杂物", kind="complaint", urgency="normal")) == ""
