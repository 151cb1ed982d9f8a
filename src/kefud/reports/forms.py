"""The data of a report → what its printed form wants (templates/forms). Pure; reports without a form are printed as tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kefud.desk.ticket import chinese
from kefud.reports.figures import percent
from kefud.reports.sheets import tables, title
from kefud.reports.table import plain

Data = Mapping[str, Any]
FORMS: dict[str, str] = {
    "record": "daily_record", "monthly": "monthly_report", "contractors": "contractor_score", "meeting": "meeting_pack",
    "yearly": "yearly_appraisal", "ledger": "front_desk_ledger", "calls": "call_register", "box": "box_register",
}  # fmt: skip
"""Reports with a form of their own (RULES §7); the others are printed as ``report_tables``."""

WEIGHTS = (("on_time", "按期完成", 50), ("passed", "一次验收合格", 30), ("reopened", "不返工", 20))
YEAR_WEIGHTS = (("on_time", "按期办理", 40), ("passed", "一次验收合格", 20), ("satisfaction", "业主满意", 40))
GRADES = ((90, "优良"), (80, "良好"), (60, "合格"), (0, "不合格"))


def forms(kind: str, data: Data, site: Mapping[str, Any], prepared: str = "") -> list[tuple[str, dict[str, Any]]]:
    """The forms a report is printed as: name and data each. A score sheet is one per contractor."""
    common = {
        "site": dict(site), "document_date": str(data.get("date") or ""), "date": str(data.get("day") or ""), "printed": "",
        "number": "", "pending": False, "signatures": _signatures(data, prepared),
    }  # fmt: skip
    make = _FORMS.get(kind)
    if make is None or data.get("off"):
        return [("report_tables", {**common, **_as_tables(kind, data)})]
    return [(FORMS[kind], {**common, **filled}) for filled in make(data)]


def _signatures(data: Data, prepared: str) -> dict[str, Any]:
    made = {"name": prepared or "系统编制", "at": str(data.get("made") or data.get("end") or "")}
    return {"prepared": made, **({"reviewed": dict(data["reviewed"])} if data.get("reviewed") else {})}


def _as_tables(kind: str, data: Data) -> dict[str, Any]:
    return {
        "title": title(kind, data), "period": f"{data.get('start', '')} — {data.get('end', '')}".strip(" —"),
        "tables": [
            {"title": t.title, "columns": list(t.columns),
                "rows": [["" if plain(c) is None else str(plain(c)) for c in r] for r in t.rows]}
            for t in tables(kind, data)
        ],
    }  # fmt: skip


def _record(data: Data) -> list[dict[str, Any]]:
    visits = data["visits"]
    return [{
        "day": data["day"], "weekday": data["weekday"], "on_duty": data["duty"], "channels": data["channels"],
        "kinds": data["kinds"], "closed": data["counts"]["办结"], "overdue_count": data["counts"]["逾期"],
        "open": [_line(r, reason=r["reason"]) for r in data["open"]],
        "overdue": [_line(r, due=f"{r['due']} 逾{r['late']}") for r in data["overdue"]],
        "important": [_line(r, reported_to=r["reason"]) for r in data["important"]],
        "transfers": [{"notice": r["notice"], "department": r["department_zh"],
            "ticket": r["number"]} for r in data["transfers"]],
        "visits": visits["count"], "satisfied": visits["satisfied"],
        "documents": [{"number": r["number"], "title": r["title"]} for r in data["documents"]], "rounds": [],
        "handover": [{"ticket": r["number"], "text": f"{r['summary']}({r['reason']} {r['due']})"} for r in data["handover"]],
        "instruction": data.get("instruction", ""), "date": "",
    }]  # fmt: skip


def _line(row: Data, **more: Any) -> dict[str, Any]:
    return {
        "ticket": row["number"], "summary": row["summary"], "department": row["department_zh"], "due": row["due"],
        "status": row["status_zh"], **more,
    }  # fmt: skip


def _monthly(data: Data) -> list[dict[str, Any]]:
    moved, counts = data["movement"], data["counts"]
    again = moved.get("opened_again")
    text = (
        f"期初未办结{counts['期初未办结']}件，本月受理{counts['受理']}件，{f'办结后重新打开{again}件，' if again else ''}"
        f"办结{counts['办结']}件，重新处理{counts['重新处理']}件，期末未办结{counts['期末未办结']}件,"
        f"其中逾期{counts['期末逾期']}件。"
    )
    shown = ("rule", "checks", "breaches", "open")
    broken = [{"name": _what(r), **{k: str(r[k]) for k in shown}} for r in data["breaches"] if r["breaches"]]
    return [{
        "number": data["month"], "month": data["month"], "text": text, "breaches": broken,
        "figures": [_figure(k) for k in data["kpis"]], "channels": data["channels"], "kinds": data["kinds"],
        "categories": {chinese(k): v for k, v in moved["received"]["by_category"].items()},
        "departments": _departments(data), "missed": [_line(r, late=r["late"]) for r in data["misses"]],
        "hotspots": [f"{r['name']}:{r['count']}件" for r in data["hot_spots"]]
        + [f"{r['house_zh'] or '同一住户'} {r['category_zh']}30日内{r['count']}次" for r in data["repeats"]],
        "improvement": "\n".join(r["text"] for r in data["improvements"]) or "无", "date": "",
    }]  # fmt: skip


def _what(breach: Data) -> str:
    """What the promise was that a rule asks for, as its first breach says."""
    said = str(breach["list"][0].get("reason") or "") if breach["list"] else ""
    return said.replace(str(breach["rule"]), "").strip()


def _figure(kpi: Data) -> dict[str, Any]:
    target = kpi["target"]
    remark = "" if target is None or kpi["percent"] is None else "未达标" if kpi["red"] else "达标"
    return {
        "name": kpi["name"], "value": kpi["text"], "previous": kpi.get("previous", ""), "remark": remark,
        "target": f"≥{target:g}%" if target is not None and target < 100 else "100%" if target else "",
    }  # fmt: skip


def _departments(data: Data) -> list[dict[str, Any]]:
    moved = data["movement"]
    happy = {r["department"]: r["text"] for r in data["visits"]["departments"]}
    names = dict.fromkeys([*moved["received"]["by_department"], *moved["handled"]["by_department"]])
    return [
        {
            "name": data["department_names"].get(d) or chinese(d), "received": moved["received"]["by_department"].get(d, 0),
            "closed": moved["handled"]["by_department"].get(d, 0), "late": data["departments"].get(d, {}).get("late", 0),
            "mean": data["departments"].get(d, {}).get("mean", ""),
            "on_time": data["departments"].get(d, {}).get("on_time", ""),
            "satisfied": happy.get(d, ""),
        }
        for d in names
    ]  # fmt: skip


def _contractors(data: Data) -> list[dict[str, Any]]:
    return [_score_sheet(s, data) for s in data["scores"]] or [_score_sheet(_NOBODY, data)]


_NOBODY: dict[str, Any] = {
    "firm_zh": "无施工维保单位", "orders": 0, "due": 0, "on_time": 0, "on_time_percent": None, "on_time_text": "",
    "accepted": 0,
    "passed": 0, "passed_percent": None, "passed_text": "", "reopened": 0, "evidence": 0, "evidence_numbers": [], "late": [],
    "failed": [],
}  # fmt: skip


def _score_sheet(s: Data, data: Data) -> dict[str, Any]:
    again = percent(max(0, s["due"] - s["reopened"]), s["due"])
    actual = {"on_time": s["on_time_percent"], "passed": s["passed_percent"], "reopened": again}
    basis = {"on_time": s["on_time_text"], "passed": s["passed_text"], "reopened": f"重新处理{s['reopened']}件"}
    items, total = _scored(WEIGHTS, actual, basis)
    problems = [f"{r['number']} {r['summary']}({r['reason']})" for r in (*s["late"], *s["failed"])]
    return {
        "number": data["month"], "contractor": s["firm_zh"], "month": data["month"], "orders": s["orders"],
        "closed": s["on_time"],
        "late": s["due"] - s["on_time"], "redone": s["reopened"], "items": items, "total": total, "grade": _grade(total),
        "problems": "\n".join(problems[:20]) or "无", "orders_text": "", "confirmation": "",
        "late_rows": [{"ticket": r["number"], "summary": r["summary"], "due": r["due"], "done": r["done"], "late": r["late"]}
                      for r in s["late"]],
        "date": "",
    }  # fmt: skip


def _scored(
    weights: Sequence[tuple[str, str, int]], actual: Mapping[str, float | None], basis: Mapping[str, str]
) -> tuple[list[dict[str, Any]], str]:
    """Points per item, and in all out of a hundred; an item nothing was counted for is left out of the sum."""
    items, points, possible = [], 0.0, 0
    for key, name, weight in weights:
        value = actual[key]
        if value is not None:
            points, possible = points + value * weight / 100, possible + weight
        items.append({
            "item": name, "weight": weight, "actual": "—" if value is None else f"{value:.1f}%",
            "score": "—" if value is None else f"{value * weight / 100:.1f}", "basis": basis[key],
        })  # fmt: skip
    return items, f"{100 * points / possible:.1f}" if possible else "—"


def _grade(total: str) -> str:
    return "—" if total == "—" else next(name for least, name in GRADES if float(total) >= least)


def _meeting(data: Data) -> list[dict[str, Any]]:
    def section(name: str, rows: Sequence[Data], text: str = "") -> dict[str, Any]:
        return {"title": name, "text": text or ("" if rows else "无"), "rows": [_line(r) for r in rows]}

    scores = [
        f"{s['firm_zh']}：派单{s['orders']}件，按时率{s['on_time_text']}，一次合格率{s['passed_text']}"
        for s in data["contractors"]
    ]
    decided = [f"{r['number']} {r['text']}({r['state']})".strip() for r in data["decisions"]]
    repeated = [f"{r['house_zh']} {r['category_zh']} {r['count']}次({'、'.join(r['numbers'])})" for r in data["repeats"]]
    repeated += [f"{r['name']} {r['count']}件" for r in data["hot_spots"]]
    return [{
        "number": data["month"], "meeting_at": data.get("meeting_at", ""), "place": data.get("place", ""),
        "participants": data.get("participants", []),
        "sections": [
            section("上次例会决定落实情况", [], "\n".join(decided) or "无"), section("未回复的工作联系单", data["notices"]),
            section("逾期事项", data["overdue"]), section("重复及集中问题", [], "\n".join(repeated) or "无"),
            section("空置房", data["vacant"]), section("施工维保单位情况", [], "\n".join(scores) or "无"),
        ],
        "decisions": [], "date": "",
    }]  # fmt: skip


def _yearly(data: Data) -> list[dict[str, Any]]:
    whole = data["total"]
    actual = {
        "on_time": percent(whole["on_time"], whole["checks"]),
        "passed": percent(whole["passed"], whole["accepted"]),
        "satisfaction": percent(whole["satisfied"], whole["asked"]),
    }
    basis = {"on_time": whole["on_time_text"], "passed": whole["passed_text"], "satisfaction": whole["satisfaction_text"]}
    items, total = _scored(YEAR_WEIGHTS, actual, basis)
    missing = f"{'、'.join(data['missing'])}无数据。" if data["missing"] else ""
    return [{
        "number": data["year"], "party": data.get("party", ""), "year": data["year"],
        "months": [_year_month(m) for m in data["months"]], "items": items, "total": total, "grade": _grade(total),
        "merits": f"全年表扬{whole['praise']}件。", "advice": "",
        "problems": f"全年投诉{whole['complaints']}件，重复问题{whole['repeats']}处，重新处理{whole['reopened']}件。{missing}",
        "date": "",
    }]  # fmt: skip


def _year_month(m: Data) -> dict[str, Any]:
    if m["missing"]:
        return {
            "month": m["month"],
            "received": "缺",
            "complaints": 0,
            "late": "缺",
            "on_time": "缺",
            "satisfied": "缺",
            "score": "缺",
        }
    actual = {
        "on_time": m["on_time_percent"],
        "passed": percent(m["passed"], m["accepted"]),
        "satisfaction": percent(m["satisfied"], m["asked"]),
    }
    _, total = _scored(YEAR_WEIGHTS, actual, {"on_time": "", "passed": "", "satisfaction": ""})
    return {
        "month": m["month"], "received": m["complaints"] + m["suggestions"] + m["praise"], "complaints": m["complaints"],
        "late": m["checks"] - m["on_time"], "on_time": m["on_time_text"], "satisfied": m["satisfaction_text"], "score": total,
    }  # fmt: skip


def _ledger(data: Data) -> list[dict[str, Any]]:
    last = data.get("checks") or {}
    return [{
        "number": data["period"], "rows": data["rows"], "supervisor": last.get("supervisor", {}),
        "manager": last.get("manager", {}),
        "orders": last.get("orders", ""), "guidance": last.get("guidance", ""), "date": "",
    }]  # fmt: skip


def _calls(data: Data) -> list[dict[str, Any]]:
    return [{"number": data["period"], "rows": data["rows"], "date": ""}]


def _boxes(data: Data) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], list[Data]] = {}
    for row in data["rows"]:
        groups.setdefault((row["box"], row["opened_at"]), []).append(row)
    return [{
        "box": box, "opened_at": at, "planned_at": rows[0]["planned_at"], "opener": rows[0]["opener"],
        "witness": rows[0]["witness"],
        "lock": rows[0]["lock"], "count": rows[0]["count"], "remark": rows[0]["remark"], "date": "",
        "rows": [r for r in rows if r["serial"] is not None],
    } for (box, at), rows in groups.items()] or [{"box": "", "count": 0, "rows": [], "date": ""}]  # fmt: skip


_FORMS: dict[str, Callable[[Data], list[dict[str, Any]]]] = {
    "record": _record, "monthly": _monthly, "contractors": _contractors, "meeting": _meeting, "yearly": _yearly,
    "ledger": _ledger, "calls": _calls, "box": _boxes,
}  # fmt: skip
