"""What stands in the reports of the month and the year, and in the packs of meetings (S1-4.3.8, S1-5.7, S1-9.3). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kefud.desk.cases import Case, decided_within
from kefud.desk.ticket import chinese
from kefud.desk.view import MEDIUM_NAMES, house_text
from kefud.reports import figures
from kefud.reports.digests import Data, labelled
from kefud.reports.reader import Desk, Row, span_text
from kefud.reports.schedule import Slot

FALL = 5.0
"""Points of satisfaction lost over two months that ask for a task (S2-1.A6)."""


def monthly(
    cases: Sequence[Case], slot: Slot, desk: Desk, watch: Sequence[Row] = (), before: Sequence[float | None] = ()
) -> Data:
    """The monthly report. ``watch`` holds the checks of sign-offs and box openings, ``before`` the satisfaction of the last
    months, the latest first."""
    start, end = slot.start, slot.end
    moved = figures.movement(cases, start, end)
    kpis = figures.indicators(cases, start, end, desk)
    still = sorted((c for c in cases if c.open_at(end)), key=lambda c: c.number)
    satisfied = next(k for k in kpis if k["id"] == "satisfaction")
    analysis = figures.visit_analysis(cases, start, end, desk)
    data: Data = {
        "kind": slot.kind, "period": slot.period, "month": month_text(slot.period), "start": desk.text(start),
        "end": desk.text(end), "movement": moved,
        "channels": labelled(moved["received"]["by_channel"], MEDIUM_NAMES), "kinds": labelled(moved["received"]["by_kind"]),
        "counts": {
            "期初未办结": moved["open_before"], "受理": moved["received"]["total"], "办结后重新打开": moved["opened_again"],
            "办结": moved["handled"]["total"], "期末未办结": moved["open"]["total"], "期末逾期": moved["overdue"],
            "重新处理": moved["reopened"],
        },
        "kpis": kpis, "figures": {k["name"]: k["text"] for k in kpis}, "red": [k["name"] for k in kpis if k["red"]],
        "on_time": figures.on_time_by(cases, start, end), "misses": figures.misses(cases, start, end, desk),
        "breaches": merged_breaches(figures.breaches(cases, start, end, desk), watch),
        "causes": figures.causes(cases, start, end), "top": figures.top(cases, start, end),
        "hot_spots": figures.hot_spots(cases, start, end, desk.hot_spot), "repeats": figures.repeats(cases, start, end),
        "visits": analysis, "handlers": figures.by_handler(cases, start, end, desk),
        "departments": figures.by_department(cases, start, end),
        "department_names": {d: desk.name(d) for d in sorted({c.ticket.department or "cs_center" for c in cases})},
        "overdue": [desk.due_row(c, x[0], end) for c in still if (x := c.overdue_at(end))],
        "numbers": [],
    }  # fmt: skip
    data["improvements"] = improvements(data, satisfied, before, desk.target)
    return data


def improvements(data: Mapping[str, Any], satisfied: Row, before: Sequence[float | None], target: float) -> list[Row]:
    """What the figures ask to be done: satisfaction below its target or falling, one cause three times in a month."""
    found: list[Row] = []
    value = satisfied["percent"]
    if satisfied["red"]:
        found.append(
            {
                "id": "satisfaction",
                "text": f"满意率{satisfied['text']}低于目标{target:g}%，请分析原因并提出改进措施。",
                "rule": "S4-4.4.2",
            }
        )
    if value is not None and len(before) >= 2 and None not in before[:2]:
        last, first = before[0], before[1]
        assert last is not None and first is not None
        if first > last > value and first - value > FALL:
            text = f"满意率连续两个月下降({first:.1f}%→{last:.1f}%→{value:.1f}%),超过{FALL:g}个百分点，请提出改进措施。"
            found.append({"id": "trend", "text": text, "rule": "S2-1.A6"})
    for cause in data["causes"]:
        if cause["count"] >= 3:
            shown = _same_cause(cause["masked"]["name"], cause)
            found.append({**_same_cause(cause["name"], cause), "rule": "S2-6.B8", "masked": shown})
    return found


def _same_cause(name: str, cause: Row) -> Row:
    text = f"同一原因“{name}”当月{cause['count']}件({'、'.join(cause['numbers'][:6])}),请提出改进措施。"
    return {"id": f"cause:{name[:40]}", "text": text}


def merged_breaches(of_tickets: Sequence[Row], watch: Sequence[Row]) -> list[Row]:
    """Breaches of promises and of the watching itself, one row per rule."""
    found = {r["rule"]: dict(r) for r in of_tickets}
    for row in watch:
        if row["rule"] in found:
            have = found[row["rule"]]
            for key in ("checks", "breaches", "open"):
                have[key] += row[key]
            have["list"] = [*have["list"], *row["list"]]
        else:
            found[row["rule"]] = dict(row)
    return [found[rule] for rule in sorted(found)]


def visit_report(cases: Sequence[Case], slot: Slot, desk: Desk) -> Data:
    """The analysis of return visits for the company's leaders (S1-9.3b)."""
    return {
        "kind": slot.kind, "period": slot.period, "month": month_text(slot.period), "start": desk.text(slot.start),
        "end": desk.text(slot.end), **figures.visit_analysis(cases, slot.start, slot.end, desk), "numbers": [],
    }  # fmt: skip


def contractor_scores(cases: Sequence[Case], slot: Slot, desk: Desk, supervised: bool = True) -> Data:
    """A score sheet for each contractor: orders, on time, first acceptance, reopenings, evidence (S1-5.7.6)."""
    scores = [score(cases, firm, slot.start, slot.end, desk) for firm in desk.contractors] if supervised else []
    return {
        "kind": slot.kind, "period": slot.period, "month": month_text(slot.period), "start": desk.text(slot.start),
        "end": desk.text(slot.end), "scores": scores, "off": "" if supervised else COMMITTEE, "numbers": [],
    }  # fmt: skip


COMMITTEE = "业主委员会已成立，按设置不再出具对物业公司的监督考核(S1-2.6)。"


def score(cases: Sequence[Case], firm: str, start: datetime, end: datetime, desk: Desk) -> Row:
    """One contractor's month. An order is judged in the month in which it was done, or should have been."""
    theirs = [(c, p) for c in cases for p in c.notices() if p.to == firm and not p.void]
    issued = {c.number for c, p in theirs if start <= p.at < end}
    mine = {c.number: c for c, _ in theirs}
    judged = [(c, x) for c in mine.values() if (x := _delivered(c, end)) and start <= x[0] < end]
    accepted = [a for c in mine.values() if (a := figures.first_acceptance(c)) and start <= a[0] < end]
    papers = [(c, p) for c in mine.values() for p in c.papers if p.form == "evidence_record" and start <= p.at < end]
    kept, passed = sum(x[1] for _, x in judged), sum(ok for _, ok in accepted)
    return {
        "firm": firm, "firm_zh": desk.name(firm), "orders": len(issued), "due": len(judged), "on_time": kept,
        "on_time_percent": figures.percent(kept, len(judged)), "on_time_text": figures.share_text(kept, len(judged)),
        "accepted": len(accepted), "passed": passed, "passed_percent": figures.percent(passed, len(accepted)),
        "passed_text": figures.share_text(passed, len(accepted)),
        "reopened": sum(c.entered("reopened", start, end) is not None for c in mine.values()),
        "evidence": len(papers), "evidence_numbers": [p.number or c.number for c, p in papers],
        "late": [desk.row(c, end, reason="逾期", due=desk.text(due), done=desk.text(done), late=span_text((done or end) - due))
                 for c, (due, ok, done) in judged if not ok],
        "failed": [desk.row(c, end, reason="首次验收不合格") for c in mine.values()
                   if (a := figures.first_acceptance(c)) and start <= a[0] < end and not a[1]],
    }  # fmt: skip


def _delivered(case: Case, end: datetime) -> tuple[datetime, bool, datetime | None] | None:
    """When the work of an order was decided, whether it was on time (reported done within its term), when it was done."""
    done = next((at for at, status in case.statuses() if status == "handled" and at < end), None)
    term = next((d for d in case.ticket.deadlines if d.name == "resolve"), None)
    if term is None:
        return (done, True, done) if done else None
    if done and done <= term.due:
        return done, True, done
    return (term.due, False, done) if term.due < end else None


def meeting(cases: Sequence[Case], slot: Slot, desk: Desk, scores: Sequence[Row] = (), decisions: Sequence[Row] = ()) -> Data:
    """The pack of the monthly meeting with the property company: what is unanswered, late, repeated (S1-5.7.5)."""
    end = slot.end
    notices = [(c, p) for c in cases for p in c.notices() if p.to == "property_company" and not p.void and p.at < end]
    unanswered = [
        (c, p) for c, p in notices if c.open_at(end) and c.status_at(end) in ("assigned", "acknowledged", "in_progress")
    ]
    mine = {c.number: c for c, _ in notices}
    late = [(c, x[0]) for c in mine.values() if c.open_at(end) and (x := c.overdue_at(end))]
    return {
        "kind": slot.kind, "period": slot.period, "month": month_text(slot.period), "start": desk.text(slot.start),
        "end": desk.text(end),
        "counts": {"未回复联系单": len(unanswered), "逾期": len(late)},
        "notices": [desk.row(c, end, notice=p.number, at=desk.text(p.at)) for c, p in unanswered],
        "overdue": [desk.due_row(c, d, end) for c, d in late],
        "repeats": figures.repeats(cases, slot.start, end),
        "hot_spots": figures.hot_spots(cases, slot.start, end, desk.hot_spot),
        "vacant": [desk.row(c, end) for c in cases if c.ticket.category == "vacant_house"
                   and (c.open_at(end) or slot.start <= c.started < end)],
        "contractors": list(scores), "decisions": list(decisions), "numbers": [],
    }  # fmt: skip


def property_month(cases: Sequence[Case], start: datetime, end: datetime, desk: Desk) -> Row:
    """What one month says about the property company (S1-4.2.6, S1-5.7.2)."""
    about = [
        c for c in cases if c.ticket.department == "property_company" or any(p.to == "property_company" for p in c.notices())
    ]
    received = [c for c in about if start <= c.started < end]
    notices = [p for c in about for p in c.notices() if p.to == "property_company" and not p.void and start <= p.at < end]
    finished = [x for _, x in decided_within(about, start, end) if x.name in ("resolve", "acknowledge", "sign_off")]
    accepted, passed = figures.acceptances(about, start, end)
    good, asked = figures.satisfaction(about, start, end)
    praise = sum(1 for c in cases if c.ticket.kind == "praise" and start <= c.started < end
                 and c.ticket.fields.get("praised", "property_company") == "property_company")  # fmt: skip
    kept = sum(x.kept for x in finished)
    return {
        "complaints": sum(c.ticket.kind == "complaint" for c in received),
        "suggestions": sum(c.ticket.kind == "suggestion" for c in received), "praise": praise, "notices": len(notices),
        "checks": len(finished), "on_time": kept, "on_time_text": figures.share_text(kept, len(finished)),
        "on_time_percent": figures.percent(kept, len(finished)),
        "accepted": accepted, "passed": passed, "passed_text": figures.share_text(passed, accepted),
        "satisfied": good, "asked": asked, "satisfaction_text": figures.share_text(good, asked),
        "repeats": len(figures.repeats(about, start, end)),
        "reopened": sum(c.entered("reopened", start, end) is not None for c in about),
    }  # fmt: skip


def yearly(slot: Slot, months: Sequence[Row], desk: Desk, supervised: bool = True) -> Data:
    """The year-end appraisal of the property company: twelve months, missing ones marked (S1-5.7.2c)."""
    there = [m for m in months if not m["missing"]]

    def total(key: str) -> int:
        return sum(int(m[key]) for m in there)

    sums = ("complaints", "suggestions", "praise", "notices", "reopened", "repeats", "checks", "on_time", "asked", "satisfied",
            "accepted", "passed")  # fmt: skip
    whole: Row = {key: total(key) for key in sums}
    whole["on_time_text"] = figures.share_text(whole["on_time"], whole["checks"])
    whole["satisfaction_text"] = figures.share_text(whole["satisfied"], whole["asked"])
    whole["passed_text"] = figures.share_text(whole["passed"], whole["accepted"])
    return {
        "kind": slot.kind, "period": slot.period, "year": f"{slot.period}年", "start": desk.text(slot.start),
        "end": desk.text(slot.end), "months": list(months) if supervised else [], "total": whole,
        "missing": [m["month"] for m in months if m["missing"]], "off": "" if supervised else COMMITTEE, "numbers": [],
    }  # fmt: skip


def month_text(period: str) -> str:
    """ "2025-04" → 2025年4月; other periods stay as they are."""
    year, _, month = period.partition("-")
    return f"{year}年{int(month)}月" if month.isdigit() else period


def kpi(cases: Sequence[Case], start: datetime, end: datetime, name: str, desk: Desk) -> Data:
    """The indicators alone, for the whole office and per handler (S2-4.5, S3-5.3)."""
    return {
        "kind": "kpi", "period": name, "start": desk.text(start), "end": desk.text(end),
        "kpis": figures.indicators(cases, start, end, desk), "handlers": figures.by_handler(cases, start, end, desk),
        "on_time": figures.on_time_by(cases, start, end), "misses": figures.misses(cases, start, end, desk), "numbers": [],
    }  # fmt: skip


def breach_report(cases: Sequence[Case], start: datetime, end: datetime, name: str, desk: Desk, watch: Sequence[Row]) -> Data:
    """Rule by rule: checks, breaches, open ones (S0-M2)."""
    rows = merged_breaches(figures.breaches(cases, start, end, desk), watch)
    return {
        "kind": "breaches",
        "period": name,
        "start": desk.text(start),
        "end": desk.text(end),
        "breaches": rows,
        "numbers": [],
    }


def visit_plan(houses: Sequence[tuple[str, str, datetime | None]], at: datetime, days: int, desk: Desk, name: str) -> Data:
    """Houses nobody was in touch with for ``days``, the longest first; (house, adviser, last contact) each (S1-4.2.5)."""
    due = [(h, adviser, last) for h, adviser, last in houses if last is None or (at - last).days >= days]
    due.sort(key=lambda x: (x[2] or datetime.min.replace(tzinfo=at.tzinfo), x[0]))
    rows = [
        {"house": h, "house_zh": house_text(h), "adviser": adviser,
            "adviser_zh": desk.name(adviser) or chinese("cs_specialist"),
         "last": desk.text(last) if last else "无记录", "days": (at - last).days if last else None}
        for h, adviser, last in due
    ]  # fmt: skip
    return {"kind": "visits", "period": name, "end": desk.text(at), "days": days, "houses": rows, "numbers": []}
