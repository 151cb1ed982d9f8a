"""A visit to our office that was announced: whoever receives it knows beforehand who comes from where, for what, and what is open.

Nothing of a person's looks is asked for or kept (S1-7.2). Pure; words lie in announced.toml.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from kefud.api import AddTask, Decision, Opened, Related, SetFields, Site, Ticket, Write, chinese, find_when, fold, local

_WORDS: dict[str, Any] = tomllib.loads((Path(__file__).parent / "announced.toml").read_text("utf-8"))
_COMES, _NOT, _GOES, _PLACE = ("|".join(_WORDS[key]) for key in ("comes", "not_between", "goes", "place"))
_VISIT = re.compile(rf"(?:{_COMES})(?P<time>(?:(?!{_NOT})[^。!?;\n]){{1,24}}?)(?:{_GOES})(?:{_PLACE})")
_WILL = re.compile("|".join(_WORDS["will"]))
_WITHIN = timedelta(days=60)
_ENDED = ("closed", "archived", "declined", "withdrawn", "merged")
_LOOKED_AT, _MOST = 5, 10


def brief(ticket: Ticket, occasion: Opened, site: Site) -> Iterator[Decision]:
    """The task to receive the visitor, and the brief for it, where the message announces a visit."""
    when = announced(occasion.message.text, occasion.message.received_at, site)
    if when is None or ticket.origin == "anonymous":
        return
    handler, at = ticket.handler or "cs_clerk", local(when, site.calendar.zone)
    yield SetFields({"visitor_at": when.isoformat()}, rule="S1-7.2", why=f"来件预告{at}来访")
    text = _told(ticket, at, [r for r in occasion.related if r.status not in _ENDED])
    yield AddTask("visitor", handler, f"请接待预约来访:{at},来访前请阅来访简报", due=when, key="visitor", rule="S1-7.2")
    yield Write("handler", "reports/alert", {"text": text}, key="visitor", rule="S1-7.2", why="预约来访,事先了解来访人和事由")


def announced(text: str, at: datetime, site: Site) -> datetime | None:
    """When the writer will come to us, None where no visit is announced."""
    folded = fold(text[:4000])
    for match in list(_VISIT.finditer(folded))[:_LOOKED_AT]:
        for when, _ in find_when(match["time"], at, site.calendar):
            if at < when <= at + _WITHIN and not _was_today(match[0], when, at, site):
                return when
    return None


def _was_today(words: str, when: datetime, at: datetime, site: Site) -> bool:
    """Whether a part of today that has begun is named without a word that it is still to come: the writer was there."""
    now = site.calendar.local(at)
    begins = next((hour for part, hour in _WORDS["begins"].items() if part in words), 0)
    return site.calendar.local(when).date() == now.date() and now.hour >= begins and not _WILL.search(words)


def _told(ticket: Ticket, at: str, others: list[Related]) -> str:
    """Name, house, purpose, expectation and what is open, in this order."""
    lines = [
        f"来访简报:{at}",
        f"来访人:{ticket.requester.name or '未留姓名'}",
        f"房号:{ticket.house or '未说明'}",
        f"事由:{ticket.summary or ticket.subject}",
        f"期望:{ticket.fields.get('demand') or '未说明'}",
    ]
    lines += [f"在办:{r.number}({chinese(r.category)},{chinese(r.status)}){r.summary[:60]}" for r in others[:_MOST]]
    return ";".join(lines if others else [*lines, "在办:无其他工单"])
