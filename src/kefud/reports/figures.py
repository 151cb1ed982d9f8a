"""Counts, shares and indicators of a period (S1-4.3.8, S3-5.2, S4-6.1, S0-M2). Pure: cases in, plain numbers out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from kefud.desk.cases import Case, Check, decided_within
from kefud.desk.ticket import chinese
from kefud.desk.view import DEADLINE_NAMES, VISIT_ANSWERS, hides_house, house_text, without_personal
from kefud.reports.reader import Desk, Row, minutes, span_text

CLASSES = {"daily": "日常类", "complaint": "投诉类", "repair": "维修类"}
ANSWERS = ("reply", "reply_to_property", "reply_to_sales")
REPEAT_WITHIN = timedelta(days=30)
LONGEST_WORDS = 60
ASKING = ("replies/result", "replies/visit")
"""Letters that ask the customer for a word about the result: the survey by mail (S2-4.4)."""
CONTENT_RULES = {
    "outgoing_blocked": "S0-4.3.2", "forbidden_phrase_by_agent": "S0-4.3.2", "box_schedule_breach": "S1-5.4.3",
}  # fmt: skip
"""Effects that are breaches of a rule by themselves."""


def percent(part: int, whole: int) -> float | None:
    """A share in per cent with one decimal, None where there is nothing to share."""
    return round(100 * part / whole, 1) if whole else None


def share_text(part: int, whole: int) -> str:
    """ "95.0%(19/20)", "—(0件)" where there was nothing to count."""
    value = percent(part, whole)
    return f"{value:.1f}%({part}/{whole})" if value is not None else "—(0件)"


def breakdown(cases: Sequence[Case]) -> dict[str, Any]:
    """How many, by class, kind, category, channel, origin and department."""

    def count(value: Any) -> dict[str, int]:
        return dict(sorted(Counter(str(value(c.ticket)) for c in cases).items(), key=lambda x: (-x[1], x[0])))

    return {
        "total": len(cases), "by_class": count(lambda t: t.ticket_class), "by_kind": count(lambda t: t.kind),
        "by_category": count(lambda t: t.category), "by_channel": count(lambda t: t.medium),
        "by_origin": count(lambda t: t.origin), "by_department": count(lambda t: t.department or "cs_center"),
    }  # fmt: skip


def movement(cases: Sequence[Case], start: datetime, end: datetime) -> dict[str, Any]:
    """Received, handled and open: open before + received + opened again − ended = open at the end.

    ``opened_again`` had ended before the period. ``reopened`` counts rework: every return to work, also of what had not ended,
    as after a visit.
    """
    received = [c for c in cases if start <= c.started < end]
    ended = [c for c in cases if c.ended_within(start, end)]
    still = [c for c in cases if c.open_at(end)]
    return {
        "received": breakdown(received), "handled": breakdown(ended), "open": breakdown(still),
        "open_before": sum(c.open_at(start) for c in cases),
        "opened_again": sum(c.opened_again_within(start, end) for c in cases),
        "reopened": sum(1 for c in cases for at, status in c.statuses() if status == "reopened" and start <= at < end),
        "overdue": sum(bool(c.overdue_at(end)) for c in still),
    }  # fmt: skip


def indicators(cases: Sequence[Case], start: datetime, end: datetime, desk: Desk) -> list[Row]:
    """The KPIs of RULES §5, each with what it counts, so that any can be recounted by hand."""
    received = [c for c in cases if start <= c.started < end]
    decided = decided_within(cases, start, end)
    complaints = sum(c.ticket.kind == "complaint" for c in received)
    praise = sum(c.ticket.kind == "praise" for c in received)
    accepted, passed = acceptances(cases, start, end)
    ended = [c for c in cases if c.ended_within(start, end) and c.status_at(end) not in ("merged", "withdrawn")]
    complete = sum(not missing_records(c) for c in ended)
    answers = [x for _, x in decided if x.name in ANSWERS]
    finished = [x for _, x in decided if x.name == "resolve"]
    of_complaints = [x for c, x in decided if x.name == "resolve" and c.ticket.kind == "complaint"]
    agreed = [x for _, x in decided if x.agreed]
    satisfied, asked = satisfaction(cases, start, end)

    def kept(checks: Sequence[Check]) -> tuple[int, int]:
        return sum(x.kept for x in checks), len(checks)

    rows = [
        _indicator("complaint_rate", "投诉率", complaints, len(received), "投诉件数 ÷ 当期全部受理件数", "S3-5.2.1"),
        _indicator("praise_rate", "表扬率", praise, len(received), "表扬件数 ÷ 当期全部受理件数", "S3-5.2.1"),
        _indicator("first_acceptance", "一次验收合格率", passed, accepted, "首次验收即合格 ÷ 当期首次验收件数", "S3-5.2.2"),
        _indicator("completeness", "文档记录完整率", complete, len(ended), "必填记录齐全件数 ÷ 当期了结件数", "S4-6.1.3"),
        _indicator("timely_reply", "咨询答复及时率", *kept(answers), "按时答复 ÷ 当期应答复件数，迟一秒即为逾期", "S3-5.2.3"),
        _indicator("on_time_completion", "按时办结率", *kept(finished), "按时办结 ÷ 当期应办结件数", "S3-5.2.3"),
        _indicator("complaint_on_time", "投诉处理及时率", *kept(of_complaints), "按时办结投诉 ÷ 当期应办结投诉", "S4-6.1.3"),
        _indicator("agreed_kept", "约定时间兑现率", *kept(agreed), "按约定时间答复或办结 ÷ 当期约定件数", "S0-4.3.3", 100.0),
        _indicator(
            "satisfaction", "满意率", satisfied, asked, "满意和基本满意 ÷ 已表态回访数，未联系上不计", "S4-4.4.2", desk.target
        ),
    ]
    if desk.households:
        rows += [_per_hundred("complaints_per_100", "每百户投诉", complaints, desk.households),
                 _per_hundred("praise_per_100", "每百户表扬", praise, desk.households)]  # fmt: skip
    return rows


def _indicator(id: str, name: str, part: int, whole: int, definition: str, rule: str, target: float | None = None) -> Row:
    value = percent(part, whole)
    red = target is not None and value is not None and 100 * part < target * whole
    return {
        "id": id, "name": name, "part": part, "whole": whole, "percent": value, "text": share_text(part, whole),
        "target": target, "red": red, "definition": definition, "rule": rule,
    }  # fmt: skip


def _per_hundred(id: str, name: str, count: int, households: int) -> Row:
    value = round(100 * count / households, 2)
    return {
        "id": id, "name": name, "part": count, "whole": households, "percent": None, "text": f"{value:.2f}件", "target": None,
        "red": False, "definition": "件数 × 100 ÷ 户数", "rule": "S3-5.2.1",
    }  # fmt: skip


def acceptances(cases: Iterable[Case], start: datetime, end: datetime) -> tuple[int, int]:
    """First acceptances within the period: how many, and how many passed (S1-2.2, S3-5.2.2)."""
    results = [x for c in cases if (x := first_acceptance(c)) and start <= x[0] < end]
    return len(results), sum(passed for _, passed in results)


def first_acceptance(case: Case) -> tuple[datetime, bool] | None:
    """When the work was first judged, and whether it passed; joint consultations have nothing to accept."""
    steps = case.statuses()
    for index, (_, status) in enumerate(steps[:-1]):
        if status == "handled":
            at, after = steps[index + 1]
            if after in ("verified", "in_progress"):
                return at, after == "verified"
    return None


def satisfaction(cases: Iterable[Case], start: datetime, end: datetime) -> tuple[int, int]:
    """Satisfied answers and all answers of return visits; 基本满意 counts as satisfied, 未联系上 neither way (RULES §9)."""
    given = [e.visit for c in cases for e in c.visits(start, end) if e.visit in ("satisfied", "mostly", "unsatisfied")]
    return sum(v != "unsatisfied" for v in given), len(given)


def missing_records(case: Case) -> list[str]:
    """What the record of a finished matter lacks (S2-6.B2, S4-6.1.3)."""
    t, fields = case.ticket, case.ticket.fields
    reached = t.requester.name or t.requester.phone or t.requester.email or t.requester.anonymous or t.origin != "owner"
    wanted: list[tuple[str, Any]] = [
        ("内容", t.summary or t.text), ("来件人或联系方式", reached), ("经办人", t.handler),
        ("答复或不答复理由", fields.get("answer") or fields.get("no_answer_reason") or fields.get("decline_reason")),
        ("联系单号", all(p.number for p in case.notices())),
    ]  # fmt: skip
    if t.kind == "complaint":
        wanted += [("初步调查", fields.get("inquiry")), ("原因", fields.get("cause")), ("措施", fields.get("solution"))]
        wanted += [("顾客意见处理单", any(p.form == "opinion_form" and p.number for p in case.papers))]
        if t.origin != "anonymous":
            wanted += [("与顾客沟通", fields.get("customer_talk"))]
    if t.kind in ("complaint", "repair") and t.origin not in ("anonymous", "internal") and t.status != "declined":
        wanted += [("处理结果", fields.get("result")), ("回访", fields.get("visit"))]
    return [name for name, there in wanted if not there]


def misses(cases: Sequence[Case], start: datetime, end: datetime, desk: Desk) -> list[Row]:
    """Every agreed time that was not kept, by name and minutes late (S0-4.3.3)."""
    return [miss(c, x, end, desk) for c, x in decided_within(cases, start, end) if x.agreed and not x.kept]


def miss(case: Case, check: Check, end: datetime, desk: Desk) -> Row:
    late = check.late(end)
    return desk.row(
        case, end, due=desk.text(check.due), met=desk.text(check.met), late=span_text(late), late_minutes=minutes(late),
        reason=f"{DEADLINE_NAMES.get(check.name, check.name)} {check.rule}", rule=check.rule, open=check.open,
    )  # fmt: skip


def breaches(cases: Sequence[Case], start: datetime, end: datetime, desk: Desk) -> list[Row]:
    """Rule by rule: how often it was checked, broken, and still is; with each breach and both its times (S0-M2)."""
    found: dict[str, Row] = {}

    def of(rule: str) -> Row:
        return found.setdefault(rule, {"rule": rule, "checks": 0, "breaches": 0, "open": 0, "list": []})

    for case, check in decided_within(cases, start, end):
        row = of(check.rule)
        row["checks"] += 1
        if not check.kept:
            row["breaches"] += 1
            row["open"] += check.open
            row["list"].append(miss(case, check, end, desk))
    for case in cases:
        if start <= case.started < end:
            for rule, text in _content_breaches(case):
                row = of(rule)
                row["checks"] += 1
                row["breaches"] += 1
                row["list"].append(desk.row(case, end, reason=text, rule=rule, due="", met="", late_minutes=0, open=False))
    return [found[rule] for rule in sorted(found)]


def _content_breaches(case: Case) -> list[tuple[str, str]]:
    names = {
        "outgoing_blocked": "对外用语被拦下",
        "forbidden_phrase_by_agent": "电话记录中的禁用语",
        "box_schedule_breach": "意见箱未按时开箱",
    }
    found = [(CONTENT_RULES[e], names[e]) for e in case.ticket.effects if e in CONTENT_RULES]
    if case.ticket.transfers >= 2:
        found.append(("S0-4.3.2", f"转办{case.ticket.transfers}次"))
    return found


def on_time_by(cases: Sequence[Case], start: datetime, end: datetime) -> list[Row]:
    """Promises kept, by name of the deadline."""
    counted: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for _, check in decided_within(cases, start, end):
        counted[check.name][0] += check.kept
        counted[check.name][1] += 1
    return [
        {"name": DEADLINE_NAMES.get(n, n), "deadline": n, "kept": k, "of": of, "percent": percent(k, of)}
        for n, (k, of) in sorted(counted.items())
    ]  # fmt: skip


def causes(cases: Sequence[Case], start: datetime, end: datetime) -> list[Row]:
    """Causes of what ended in the period, the most frequent first (S2-6.B8)."""
    given = [(str(c.ticket.fields.get("cause") or "").strip(), c) for c in cases if c.ended_within(start, end)]
    return _ranked_words([(text, case) for text, case in given if text])


def top(cases: Sequence[Case], start: datetime, end: datetime) -> dict[str, list[Row]]:
    """The categories and buildings most complaints and repairs came from (S2-6.B8)."""
    matters = [c for c in cases if start <= c.started < end and c.ticket.kind in ("complaint", "repair", "suggestion")]
    buildings = [(f"{b}号楼", c.number) for c in matters if (b := building(c))]
    return {"categories": _ranked([(chinese(c.ticket.category), c.number) for c in matters]), "buildings": _ranked(buildings)}


def building(case: Case) -> str:
    return case.ticket.house.split("-")[0] if case.ticket.house and "-" in case.ticket.house else ""


def hot_spots(cases: Sequence[Case], start: datetime, end: datetime, least: int) -> list[Row]:
    """Places and buildings with ``least`` or more matters of one category in the period (S2-1.B5)."""
    places: list[tuple[str, str]] = []
    for case in cases:
        if not start <= case.started < end or case.ticket.kind not in ("complaint", "repair", "suggestion"):
            continue
        place = str(case.ticket.fields.get("place") or "").strip()[:30]
        where = place or (f"{b}号楼" if (b := building(case)) else "")
        if where:
            places.append((f"{where} · {chinese(case.ticket.category)}", case.number))
    return [row for row in _ranked(places, 1_000) if row["count"] >= least]


def repeats(cases: Sequence[Case], start: datetime, end: datetime) -> list[Row]:
    """The same house with the same kind of matter again within 30 days (S2-6.B8)."""
    by_house: dict[tuple[str, str], list[Case]] = defaultdict(list)
    for case in sorted(cases, key=lambda c: (c.started, c.number)):
        if case.ticket.house and case.started < end and case.ticket.kind in ("complaint", "repair"):
            by_house[(case.ticket.house, case.ticket.category)].append(case)
    found = []
    for (house, category), group in sorted(by_house.items()):
        again = [
            b for a, b in zip(group, group[1:], strict=False) if b.started >= start and b.started - a.started <= REPEAT_WITHIN
        ]
        if again:
            found.append({
                "house": house, "house_zh": house_text(house), "category": category, "category_zh": chinese(category),
                "count": len(again) + 1, "numbers": [c.number for c in group], "masked": {"house": "", "house_zh": ""},
            })  # fmt: skip
    return found


def visit_analysis(cases: Sequence[Case], start: datetime, end: datetime, desk: Desk) -> dict[str, Any]:
    """Answers of return visits by department, and the reasons of those who are not satisfied (S1-9.3)."""
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    reasons: list[tuple[str, Case]] = []
    unhappy: list[Row] = []
    asked_by_letter = [c for c in cases if any(w.template in ASKING and start <= w.at < end for w in c.letters)]
    sent, replied = len(asked_by_letter), sum(bool(c.visits(start, end)) for c in asked_by_letter)
    for case in cases:
        for event in case.visits(start, end):
            rows[case.ticket.department or "cs_center"][event.visit] += 1
            if event.visit == "unsatisfied":
                reason = str(event.why or case.ticket.fields.get("visit_reason") or "未说明").strip()
                reasons.append((reason, case))
                unhappy.append(desk.row(case, end, reason=reason[:LONGEST_WORDS]))
    total: Counter[str] = sum(rows.values(), Counter())
    satisfied, asked = satisfaction(cases, start, end)
    return {
        "answers": {VISIT_ANSWERS[k]: total[k] for k in VISIT_ANSWERS}, "satisfied": satisfied, "of": asked,
        "percent": percent(satisfied, asked), "sent": sent, "answered": replied, "response": share_text(replied, sent),
        "departments": [_by_department(d, rows[d], desk) for d in sorted(rows)],
        "reasons": _ranked_words(reasons), "unsatisfied": unhappy,
    }  # fmt: skip


def _by_department(department: str, answers: Mapping[str, int], desk: Desk) -> Row:
    good = answers.get("satisfied", 0) + answers.get("mostly", 0)
    asked = good + answers.get("unsatisfied", 0)
    return {
        "department": department, "department_zh": desk.name(department), **{k: answers.get(k, 0) for k in VISIT_ANSWERS},
        "percent": percent(good, asked), "text": share_text(good, asked),
    }  # fmt: skip


def by_handler(cases: Sequence[Case], start: datetime, end: datetime, desk: Desk) -> list[Row]:
    """Figures per handling role (S3-5.3); no ranking, no person."""
    rows = []
    for handler in sorted({c.ticket.handler or "" for c in cases} - {""}):
        mine = [c for c in cases if c.ticket.handler == handler]
        moved = movement(mine, start, end)
        checks = [x for _, x in decided_within(mine, start, end)]
        good, asked = satisfaction(mine, start, end)
        rows.append({
            "handler": handler, "handler_zh": desk.name(handler), "received": moved["received"]["total"],
            "handled": moved["handled"]["total"], "open": moved["open"]["total"], "overdue": moved["overdue"],
            "kept": sum(x.kept for x in checks), "checks": len(checks),
            "on_time": share_text(sum(x.kept for x in checks), len(checks)), "satisfaction": share_text(good, asked),
        })  # fmt: skip
    return rows


def by_department(cases: Sequence[Case], start: datetime, end: datetime) -> dict[str, Row]:
    """Promises kept and the mean time to the end of a matter, by leading department."""
    found: dict[str, Row] = {}
    for department in sorted({c.ticket.department or "cs_center" for c in cases}):
        mine = [c for c in cases if (c.ticket.department or "cs_center") == department]
        checks = [x for _, x in decided_within(mine, start, end)]
        kept = sum(x.kept for x in checks)
        spans = [at - c.started for c in mine if (at := c.ended_within(start, end)) and at > c.started]
        mean = sum(spans, timedelta()) / len(spans) if spans else None
        found[department] = {
            "late": len(checks) - kept,
            "on_time": share_text(kept, len(checks)),
            "mean": f"{mean.total_seconds() / 86_400:.1f}日" if mean is not None else "",
        }
    return found


def backlog(cases: Iterable[Case], at: datetime) -> dict[str, int]:
    """Open tickets per handler (S3-3.2.3)."""
    return dict(sorted(Counter(c.ticket.handler or "" for c in cases if c.open_at(at)).items()))


def _ranked(pairs: Sequence[tuple[str, str]], most: int = 10) -> list[Row]:
    grouped: dict[str, list[str]] = defaultdict(list)
    for name, number in pairs:
        grouped[name].append(number)
    ranked = sorted(grouped.items(), key=lambda x: (-len(x[1]), x[0]))[:most]
    return [{"name": name, "count": len(numbers), "numbers": sorted(numbers)} for name, numbers in ranked]


def _ranked_words(said: Sequence[tuple[str, Case]]) -> list[Row]:
    """The same of words that people wrote; who reads masked gets them without the persons they name (S2-5.7)."""
    hidden: dict[str, str] = {}
    for text, case in said:
        name = text[:LONGEST_WORDS]
        # Cut last: half a telephone number is not known for one.
        hidden[name] = _hidden(hidden.get(name, text), case)
    ranked = _ranked([(text[:LONGEST_WORDS], case.number) for text, case in said])
    return [{**row, "masked": {"name": hidden[row["name"]][:LONGEST_WORDS]}} for row in ranked]


def _hidden(text: str, case: Case) -> str:
    return without_personal(text, case.ticket, house=hides_house(case.ticket) or case.ticket.masked)
