"""What stands in the digests of the day and the week (S0-4.2.4, S0-4.2.5, S0-3.1, S0-5.2, S1-2.5, S1-4.1.4). Pure.

Each function makes plain data, from which letters, forms and tables are made; rows carry their masked wording with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from kefud.desk.cases import Case, Paper, decided_within
from kefud.desk.ticket import chinese
from kefud.desk.view import DEADLINE_NAMES, MEDIUM_NAMES, hides_house, without_personal
from kefud.reports import figures
from kefud.reports.reader import Desk, Row
from kefud.reports.schedule import Slot

WEEKDAYS = "一二三四五六日"
Data = dict[str, Any]


def labelled(counts: Mapping[str, int], names: Mapping[str, str] | None = None) -> dict[str, int]:
    """Counts under the words staff read."""
    known = names or {}
    return {known.get(k) or chinese(k): v for k, v in counts.items()}


def digest(cases: Sequence[Case], slot: Slot, desk: Desk) -> Data:
    """The daily digest: new, open, due today and tomorrow, overdue (S0-4.2.4a); the weekly one adds what is stuck."""
    start, end = slot.start, slot.end
    moved = figures.movement(cases, start, end)
    still = sorted((c for c in cases if c.open_at(end)), key=lambda c: c.number)
    received = [c for c in cases if start <= c.started < end]
    late = [(c, x[0]) for c in still if (x := c.overdue_at(end))]
    soon = _due_soon(still, end, desk)
    lists: dict[str, list[Row]] = {
        "overdue": [desk.due_row(c, d, end) for c, d in sorted(late, key=lambda p: (p[1].due, p[0].number))],
        "important": [desk.row(c, end) for c in still if c.ticket.important],
        "held": [desk.row(c, end, reason="函件暂缓发出,待审核放行") for c in cases if _holds_letter(c)],
        "due_soon": soon,
        "received": [desk.row(c, end) for c in sorted(received, key=lambda c: c.number)],
        "closed": [desk.row(c, end) for c in sorted(cases, key=lambda c: c.number) if c.ended_within(start, end)],
        "open": [desk.row(c, end, due=_next_due(c, end, desk)) for c in still],
    }
    return {
        "kind": slot.kind, "period": slot.period, "start": desk.text(start), "end": desk.text(end),
        "day": desk.text(end).split(" ")[0], "week": slot.period, "movement": moved,
        "channels": labelled(moved["received"]["by_channel"], MEDIUM_NAMES), "kinds": labelled(moved["received"]["by_kind"]),
        "counts": {
            "新收": moved["received"]["total"], "办结": moved["handled"]["total"], "未办结": moved["open"]["total"],
            "今明到期": len(soon), "逾期": len(late),
        },
        **lists,
        "numbers": sorted({r["number"] for rows in lists.values() for r in rows}),
    }  # fmt: skip


def _holds_letter(case: Case) -> bool:
    """Whether a letter waits for its signer; of an ended ticket, too: nobody else would remember it."""
    return any(letter.status == "held" for letter in case.ticket.letters)


def weekly(cases: Sequence[Case], slot: Slot, desk: Desk) -> Data:
    """The weekly digest: besides, what departments are stuck with, who was not satisfied, hot spots, indicators (S0-4.2.5a)."""
    start, end = slot.start, slot.end
    again = [c for c in cases if c.entered("reopened", start, end)]
    return {
        **digest(cases, slot, desk),
        "figures": {k["name"]: k["text"] for k in figures.indicators(cases, start, end, desk)},
        "stuck": [desk.row(c, end, reason=why) for c in cases if (why := stuck(c, end))],
        "reopened": [desk.row(c, end, reason=f"第{c.round_at(end)}轮") for c in again],
        "hotspots": _spots(cases, start, end, desk),
        "breaches": figures.breaches(cases, start, end, desk),
    }


def stuck(case: Case, at: datetime) -> str:
    """Why a department's part needs coordinating, "" where it does not (S0-4.2.2b)."""
    if not case.open_at(at):
        return ""
    if any(d.name == "acknowledge" for d in case.overdue_at(at)):
        return "责任部门未签收"
    if case.ticket.transfers >= 2:
        return f"已转办{case.ticket.transfers}次"
    return "已报物业经理协调" if case.ticket.has("report_up:property_manager") else ""


def effect(cases: Sequence[Case], slot: Slot, desk: Desk) -> Data:
    """The weekly effect summary: counts, late answers, unanswered items (S0-3.1)."""
    start, end = slot.start, slot.end
    moved = figures.movement(cases, start, end)
    late = [(c, x) for c, x in decided_within(cases, start, end) if x.name in figures.ANSWERS and not x.kept]
    waiting = [(c, d) for c in cases for d in c.running_at(end) if d.name in figures.ANSWERS]
    return {
        "kind": slot.kind, "period": slot.period, "week": slot.period, "start": desk.text(start), "end": desk.text(end),
        "movement": moved, "kinds": labelled(moved["received"]["by_kind"]),
        "counts": {
            "受理": moved["received"]["total"], "办结": moved["handled"]["total"], "未办结": moved["open"]["total"],
            "答复逾期": len(late), "尚未答复": len(waiting),
        },
        "figures": {k["name"]: k["text"] for k in figures.indicators(cases, start, end, desk)},
        "late": [figures.miss(c, x, end, desk) for c, x in late],
        "unanswered": [desk.due_row(c, d, end) for c, d in sorted(waiting, key=lambda p: (p[1].due, p[0].number))],
        "numbers": [],
    }  # fmt: skip


def internal(cases: Sequence[Case], slot: Slot, desk: Desk, guidance: Sequence[Row] = (), tasks: Sequence[Row] = ()) -> Data:
    """The pack of the weekly internal meeting: last week's numbers, overdue, reopenings, guidance received (S1-4.1.4)."""
    start, end = slot.start, slot.end
    moved = figures.movement(cases, start, end)
    late = [desk.due_row(c, x[0], end) for c in cases if c.open_at(end) and (x := c.overdue_at(end))]
    return {
        "kind": slot.kind, "period": slot.period, "week": slot.period, "start": desk.text(start), "end": desk.text(end),
        "movement": moved, "channels": labelled(moved["received"]["by_channel"], MEDIUM_NAMES),
        "kinds": labelled(moved["received"]["by_kind"]),
        "counts": {
            "受理": moved["received"]["total"], "办结": moved["handled"]["total"], "未办结": moved["open"]["total"],
            "逾期": len(late), "重新处理": moved["reopened"],
        },
        "figures": {k["name"]: k["text"] for k in figures.indicators(cases, start, end, desk)},
        "overdue": sorted(late, key=lambda r: (-r["late_minutes"], r["number"])),
        "reopened": [desk.row(c, end, reason=f"第{c.round_at(end)}轮") for c in cases if c.entered("reopened", start, end)],
        "handlers": figures.by_handler(cases, start, end, desk),
        "guidance": list(guidance), "tasks": list(tasks), "numbers": [],
    }  # fmt: skip


def briefing(cases: Sequence[Case], slot: Slot, desk: Desk) -> Data:
    """The weekly briefing: new policies, notices of engineering, documents, hot topics (S1-2.5)."""
    start, end = slot.start, slot.end
    new = sorted((c for c in cases if start <= c.started < end), key=lambda c: c.number)
    return {
        "kind": slot.kind, "period": slot.period, "week": slot.period, "start": desk.text(start), "end": desk.text(end),
        "policies": [desk.row(c, end) for c in new if c.ticket.category == "sales_policy" or c.ticket.origin == "sales"],
        "engineering": [desk.row(c, end) for c in new if c.ticket.origin in ("engineering", "design")],
        "documents": [desk.row(c, end) for c in new if c.ticket.kind == "document"],
        "important": [desk.row(c, end) for c in new if c.ticket.important],
        "hotspots": _spots(cases, start, end, desk), "numbers": [],
    }  # fmt: skip


def record(cases: Sequence[Case], slot: Slot, desk: Desk, duty: Sequence[str] = ()) -> Data:
    """The daily record of the service group; an empty day still has one, and says 无 (S0-5.2)."""
    start, end = slot.start, slot.end
    moved = figures.movement(cases, start, end)
    new = sorted((c for c in cases if start <= c.started < end), key=lambda c: c.number)
    still = sorted((c for c in cases if c.open_at(end)), key=lambda c: c.number)
    good, asked = figures.satisfaction(cases, start, end)
    visits = [e for c in cases for e in c.visits(start, end)]
    late = [desk.due_row(c, x[0], end) for c in still if (x := c.overdue_at(end))]
    soon = _due_soon(still, end, desk)
    local = end.astimezone(desk.zone)
    return {
        "kind": slot.kind, "period": slot.period, "start": desk.text(start), "end": desk.text(end),
        "day": desk.text(end).split(" ")[0], "weekday": f"星期{WEEKDAYS[local.weekday()]}", "duty": list(duty),
        "movement": moved, "channels": labelled(moved["received"]["by_channel"], MEDIUM_NAMES),
        "kinds": labelled(moved["received"]["by_kind"]),
        "counts": {"受理": len(new), "办结": moved["handled"]["total"], "未办结": len(still), "逾期": len(late)},
        "received": [desk.row(c, end) for c in new],
        "closed": [desk.row(c, end) for c in sorted(cases, key=lambda c: c.number) if c.ended_within(start, end)],
        "open": [desk.row(c, end, due=_next_due(c, end, desk), reason=waiting_for(c, end, desk)) for c in still],
        "overdue": late,
        "important": [desk.row(c, end, reason="已报" + "、".join(map(desk.name, c.ticket.notify)) if c.ticket.notify else "")
                      for c in new if c.ticket.important],
        "transfers": [{"number": c.number, "notice": p.number, "department_zh": desk.name(p.to), "at": desk.text(p.at)}
                      for c in cases for p in c.notices() if start <= p.at < end],
        "visits": {"count": len(visits), "satisfied": good, "of": asked,
                   "unreached": sum(e.visit == "unreached" for e in visits)},
        "documents": [_document(c, p) for c in cases for p in c.papers if p.form == "doc_in_register" and start <= p.at < end],
        "handover": [r for r in soon if r["urgency"] != "normal" or r["important"]] or soon[:20],
        "numbers": [],
    }  # fmt: skip


def _document(case: Case, paper: Paper) -> Row:
    """A letter that came in, by its number and title."""
    title = str(paper.data.get("title") or case.ticket.subject)
    return {
        "number": paper.number or str(paper.data.get("number") or ""), "ticket": case.number, "title": title,
        "masked": {"title": without_personal(title, case.ticket, house=hides_house(case.ticket))},
    }  # fmt: skip


def waiting_for(case: Case, at: datetime, desk: Desk) -> str:
    """Why a matter is still open."""
    status = case.status_at(at)
    if status in ("assigned", "acknowledged", "in_progress"):
        department = case.ticket.fields.get("contractor") or case.ticket.department or "cs_center"
        return f"{desk.name(str(department))}{chinese(status)}"
    return chinese(status)


def feed(cases: Iterable[Case], start: datetime, end: datetime, desk: Desk) -> Data:
    """Breaches since the last look, and what will be one within the hour (S3-5.1.1).

    A matter that reached us late is counted when we knew of it. A promise that was kept too late was broken all the same.
    """
    fresh: list[Row] = []
    near: list[Row] = []
    for case in cases:
        known = case.ticket.created_at or case.started
        for deadline in case.broken_at(end):
            if start <= max(deadline.due, known) < end:
                fresh.append(desk.due_row(case, deadline, end))
        for deadline in case.running_at(end):
            if end <= deadline.due < end + desk.near:
                near.append(desk.due_row(case, deadline, end))
    for rows in (fresh, near):
        rows.sort(key=lambda row: str(row["number"]))
    return {"kind": "breaches", "start": desk.text(start), "end": desk.text(end), "fresh": fresh, "near": near, "numbers": []}


def _spots(cases: Sequence[Case], start: datetime, end: datetime, desk: Desk) -> list[str]:
    return [
        f"{r['name']}:{r['count']}件({'、'.join(r['numbers'][:6])})"
        for r in figures.hot_spots(cases, start, end, desk.hot_spot)
    ]


def _due_soon(cases: Sequence[Case], at: datetime, desk: Desk) -> list[Row]:
    """Each open ticket whose next deadline is today or tomorrow, by due time."""
    today = at.astimezone(desk.zone).date()
    found = []
    for case in cases:
        ahead = [
            d for d in case.running_at(at) if d.due >= at and d.due.astimezone(desk.zone).date() <= today + timedelta(days=1)
        ]
        if ahead:
            found.append((min(ahead, key=lambda d: d.due), case))
    return [desk.due_row(c, d, at) for d, c in sorted(found, key=lambda p: (p[0].due, p[1].number))]


def _next_due(case: Case, at: datetime, desk: Desk) -> str:
    running = case.running_at(at)
    if not running:
        return ""
    first = min(running, key=lambda d: d.due)
    return f"{desk.text(first.due)} {DEADLINE_NAMES.get(first.name, first.name)}"
