"""Ticket → the line a report shows of it, in two wordings: for our own people, and masked for outside parties (S2-5.7).

A row carries both: what a masked reader sees instead stands under ``masked``, and `for_reader` picks one of the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from kefud.desk.cases import Case
from kefud.desk.ticket import Deadline, chinese
from kefud.desk.view import DEADLINE_NAMES, hides_house, house_text, local, masked_phone, without_personal

SUMMARY = 120
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Desk:
    """What every figure needs beside the tickets: the office's zone, the names of parties and roles, the households."""

    zone: ZoneInfo
    names: Mapping[str, str] = field(default_factory=dict)
    contractors: tuple[str, ...] = ()
    households: int = 0
    target: float = 95.0
    hot_spot: int = 3
    near: timedelta = timedelta(hours=1)

    def name(self, id: str | None) -> str:
        return (self.names.get(id or "") or chinese(id or "")) if id else ""

    def text(self, at: datetime | None) -> str:
        return local(at, self.zone)

    def row(self, case: Case, at: datetime, /, **more: Any) -> Row:
        """The line of a ticket as it stood at ``at``."""
        t = case.ticket
        department = t.fields.get("contractor") if t.department == "contractor" else t.department
        words = t.summary or t.subject or t.text
        summary = _short(words)
        row: Row = {
            "number": t.number, "kind": t.kind, "kind_zh": chinese(t.kind), "category": t.category,
            "category_zh": chinese(t.category), "urgency": t.urgency, "urgency_zh": chinese(t.urgency),
            "important": t.important, "house": t.house or "", "house_zh": house_text(t.house), "summary": summary,
            "department": department or "cs_center", "department_zh": self.name(str(department or "cs_center")),
            "handler": t.handler or "", "handler_zh": self.name(t.handler), "status": case.status_at(at),
            "status_zh": chinese(case.status_at(at)), "received": self.text(case.started), "due": "", "late": "",
            "reason": "",
        }  # fmt: skip
        hidden = hides_house(t) or t.masked
        row["masked"] = {
            "summary": _short(without_personal(words, t, house=hidden)),
            **({"reason": without_personal(str(more["reason"]), t, house=hidden)} if more.get("reason") else {}),
            **({"house": "", "house_zh": ""} if hidden else {}),
        }
        return {**row, **more}

    def due_row(self, case: Case, deadline: Deadline, at: datetime) -> Row:
        """The line of a ticket for the sake of one deadline: its due time, and how late it is."""
        late = at - deadline.due
        return self.row(
            case, at, due=self.text(deadline.due), reason=f"{DEADLINE_NAMES.get(deadline.name, deadline.name)} {deadline.rule}",
            deadline=deadline.name, rule=deadline.rule, late=span_text(late) if late > timedelta() else "",
            late_minutes=minutes(late) if late > timedelta() else 0,
        )  # fmt: skip

    def person(self, case: Case) -> Row:
        """Name, phone and house of the requester for the registers, with what a masked reader gets."""
        r, t = case.ticket.requester, case.ticket
        name = "匿名" if r.anonymous else r.name
        shown: Row = {"name": name, "phone": r.phone, "house": house_text(t.house)}
        shown["masked"] = {
            "name": "匿名" if r.anonymous else "业主" if r.name else "", "phone": masked_phone(r.phone),
            **({"house": ""} if hides_house(t) or t.masked else {}),
        }  # fmt: skip
        return shown


def for_reader(value: Any, masked: bool) -> Any:
    """``value`` as one reader sees it: the overrides under "masked" applied or thrown away, all the way down."""
    if isinstance(value, Mapping):
        mine = {**value, **value["masked"]} if masked and isinstance(value.get("masked"), Mapping) else value
        return {k: for_reader(v, masked) for k, v in mine.items() if k != "masked"}
    if isinstance(value, (list, tuple)):
        return [for_reader(v, masked) for v in value]
    return value


def minutes(span: timedelta) -> int:
    """Whole minutes, begun ones counted: a second late is a minute late."""
    return max(0, -int(-span.total_seconds() // 60))


def span_text(span: timedelta) -> str:
    """ "2天3小时", "45分钟"."""
    total = minutes(span)
    days, rest = divmod(total, 24 * 60)
    hours, left = divmod(rest, 60)
    if days:
        return f"{days}天{f'{hours}小时' if hours else ''}"
    return f"{hours}小时{f'{left}分' if left else ''}" if hours else f"{left}分钟"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SUMMARY else f"{text[:SUMMARY]}…"
