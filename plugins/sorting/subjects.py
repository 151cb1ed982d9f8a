"""What stands as the subject (事由) of an order: the first words that say something, cut where a clause ends."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from kefud.api import fold

_OPENINGS = tomllib.loads((Path(__file__).parent / "subjects.toml").read_text("utf-8"))["openings"]
_OPENING = re.compile(rf"(?:{'|'.join(_OPENINGS)})[啊呀哈吧呢了]?(?:[,:;。!?、\s]+|$)")
_MARKS = " \t\n,，、:：;；。.!！“”\"「」『』"


def telling(text: str) -> str:
    """The text from the first clause that says something: 你好,反映一个情况,路灯坏了 begins with 路灯坏了."""
    folded, at = fold(text), 0
    while opening := _OPENING.match(folded, at):
        at = opening.end()
        at += len(folded[at:]) - len(folded[at:].lstrip(_MARKS))
    return text[at:].strip(_MARKS)


def shortened(text: str, most: int) -> str:
    """At most so many characters: whole clauses where half of them is left, else cut with a sign that it goes on."""
    if len(text) <= most:
        return text
    clauses = max(text.rfind(mark, 0, most + 1) for mark in ",，、")
    return text[:clauses] if clauses >= most // 2 else text[: most - 1] + "…"
