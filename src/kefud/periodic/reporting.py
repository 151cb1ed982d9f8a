"""The store's tickets → the data of each report, of any kind and period; the same for the daemon and for `kefud report`."""

from __future__ import annotations

import calendar as months_of
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from kefud.api import House, Site
from kefud.desk.cases import Case
from kefud.reports import (
    Desk,
    Settings,
    Slot,
    digests,
    draw_sample,
    figures,
    read_settings,
    schedule,
    slot_of,
    span_of,
    summaries,
)
from kefud.reports.ledger import Checked
from kefud.store import registers
from kefud.store.database import Connection
from kefud.store.registers import Made

Data = dict[str, Any]
SIGNED = {"daily": ("S0-4.2.4a", "主管每日查阅台帐"), "weekly": ("S0-4.2.5a", "经理每周查阅并给出指导意见")}
AFTER_HANDOVER = timedelta(days=30)
VERDICTS = {"pass": "合格", "fail": "不合格", "": "待检查"}


def settings_of(site: Site, deadlines: Mapping[str, str] | None = None) -> Settings:
    """The settings of [plugin.reports]. Raises KefudError (78) naming a wrong key."""
    return read_settings(site.plugin_settings("reports"), deadlines)


def is_masked(site: Site, reader: str) -> bool:
    """Whether a role or party reads with names and numbers hidden: whoever is not of our own house (S2-5.7)."""
    role = site.role(reader)
    if role is not None and not role.address:
        return False
    party = site.party_of(role.address) if role else site.party(reader)
    return party is not None and not party.internal and party.kind not in ("department", "leadership")


class Reporter:
    """Makes the data of reports for one site."""

    def __init__(self, site: Site, settings: Settings) -> None:
        self.site = site
        self.settings = settings
        self.calendar = site.calendar
        names = {p.id: p.name for p in site.parties if p.name} | {r.id: r.name for r in site.roles if r.name}
        self.desk = Desk(
            site.calendar.zone, names, tuple(p.id for p in site.parties if p.kind == "contractor"),
            sum(h.status not in ("vacant", "unsold") for h in site.houses.values()), settings.satisfaction_target,
            settings.hot_spot, timedelta(minutes=settings.near_minutes),
        )  # fmt: skip

    def data(self, tx: Connection, slot: Slot, now: datetime) -> Data:
        """The data of a report. What lies in the future is not counted."""
        slot = Slot(slot.kind, slot.period, slot.at, slot.start, min(slot.end, max(now, slot.start)))
        make = getattr(self, f"_{slot.kind.replace('-', '_')}")
        data: Data = make(tx, slot)
        return {**data, "date": self._day(slot.at).isoformat(), "made": self.desk.text(slot.at)}

    def _day(self, at: datetime) -> date:
        return self.calendar.local(at).date()

    # Day and week

    def _daily(self, tx: Connection, slot: Slot) -> Data:
        return {**digests.digest(self._cases(tx, slot), slot, self.desk), **self._limit(slot)}

    def _weekly(self, tx: Connection, slot: Slot) -> Data:
        return {**digests.weekly(self._cases(tx, slot), slot, self.desk), **self._limit(slot)}

    def _limit(self, slot: Slot) -> Data:
        return self.limit(slot.kind, slot.at)

    def limit(self, kind: str, made_at: datetime) -> Data:
        """Until when a digest made at ``made_at`` is to be signed."""
        until = schedule.sign_by(kind, made_at, self.calendar, self.settings)
        return {"sign_by": self.desk.text(until), "limit": until.isoformat()}

    def _effect(self, tx: Connection, slot: Slot) -> Data:
        return digests.effect(self._cases(tx, slot), slot, self.desk)

    def _internal(self, tx: Connection, slot: Slot) -> Data:
        guidance = [
            {"at": self.desk.text(m.signed_at), "by": self.desk.name(m.signed_by), "text": m.text}
            for m in registers.listed(tx, ("weekly", "daily"), since=slot.start - timedelta(days=7), before=slot.at)
            if m.signed_at and slot.start <= m.signed_at < slot.at and m.text
        ]
        return digests.internal(self._cases(tx, slot), slot, self.desk, guidance, self.tasks(tx, open_only=True)["rows"])

    def _briefing(self, tx: Connection, slot: Slot) -> Data:
        return digests.briefing(self._cases(tx, slot), slot, self.desk)

    def _record(self, tx: Connection, slot: Slot) -> Data:
        return digests.record(self._cases(tx, slot), slot, self.desk, self._on_duty())

    def _on_duty(self) -> list[str]:
        roles = [r for id in ("receptionist", "duty_officer") if (r := self.site.role(id))]
        return list(dict.fromkeys(r.person or self.desk.name(r.id) for r in roles))

    def _visits(self, tx: Connection, slot: Slot) -> Data:
        return self.visit_plan(tx, slot.end, slot.period)

    def visit_plan(self, tx: Connection, at: datetime, name: str) -> Data:
        """Houses to call on; those who want no contact are left out (S4-2.1.1)."""
        last = registers.last_contacts(tx, at)
        houses = [
            (h.id, h.adviser, self._contact(h, last.get(h.id), at))
            for h in self.site.houses.values()
            if h.id not in self.settings.opt_out and h.status not in ("vacant", "unsold", "opted_out")
        ]
        plan = summaries.visit_plan(houses, at, self.settings.contact_days, self.desk, name)
        return {**plan, "most": self.settings.visits_per_week}

    def _contact(self, house: House, last: datetime | None, at: datetime) -> datetime | None:
        """The last contact that counts: thirty days after the hand-over the house is called on anew (S4-3.4.2)."""
        if house.handed_over is None:
            return last
        wanted = house.handed_over + AFTER_HANDOVER
        due = wanted <= self._day(at) and (last is None or self._day(last) < wanted)
        return None if due else last or at

    # Month and year

    def _monthly(self, tx: Connection, slot: Slot) -> Data:
        before = [self._month_before(tx, slot, n) for n in (1, 2)]
        past = [next((k["percent"] for k in kpis if k["id"] == "satisfaction"), None) for kpis in before]
        data = summaries.monthly(self._cases(tx, slot), slot, self.desk, self.watch(tx, slot.start, slot.end), past)
        previous = {k["id"]: k["text"] for k in before[0]}
        for kpi in data["kpis"]:
            kpi["previous"] = previous.get(kpi["id"], "")
        return data

    def _month_before(self, tx: Connection, slot: Slot, count: int) -> list[dict[str, Any]]:
        """The indicators of an earlier month, as they were reported, else counted now."""
        name, start, end = span_of("month", schedule.months_before(self._day(slot.start), count), self.calendar)
        have = registers.made(tx, "monthly", name)
        if have and have.data.get("kpis"):
            return list(have.data["kpis"])
        return figures.indicators(registers.cases(tx, start, end), start, end, self.desk)

    def _visit_analysis(self, tx: Connection, slot: Slot) -> Data:
        return summaries.visit_report(self._cases(tx, slot), slot, self.desk)

    def _contractors(self, tx: Connection, slot: Slot) -> Data:
        supervised = self.settings.supervises(self._day(slot.end - timedelta(seconds=1)))
        return summaries.contractor_scores(self._cases(tx, slot), slot, self.desk, supervised)

    def _meeting(self, tx: Connection, slot: Slot) -> Data:
        cases = self._cases(tx, slot)
        scores = [summaries.score(cases, firm, slot.start, slot.end, self.desk) for firm in self.desk.contractors]
        data = summaries.meeting(cases, slot, self.desk, scores, self._decisions(tx, slot))
        day = self._day(slot.at) + timedelta(days=self.settings.meeting_lead_days)
        parties = [self.desk.name("property_company"), self.site.name]
        return {**data, "meeting_at": f"{day.year}年{day.month}月{day.day}日", "participants": parties}

    def _decisions(self, tx: Connection, slot: Slot) -> list[dict[str, Any]]:
        """What the last meeting decided, and what became of it."""
        last = [m for m in registers.listed(tx, ("meeting",), before=slot.at) if m.period != slot.period and m.signed_at]
        if not last:
            return []
        orders = dict(last[-1].data.get("orders") or {})
        tasks = registers.open_tasks(tx, list(orders))
        rows = [{"number": "", "text": line, "state": "已记录"} for line in last[-1].text.split("\n") if line]
        for number, text in orders.items():
            still = [is_open for (n, said), is_open in tasks.items() if n == number and said.endswith(text)]
            rows.append({"number": number, "text": text, "state": "未完成" if any(still) else "已完成" if still else "已下达"})
        return rows

    def _yearly(self, tx: Connection, slot: Slot) -> Data:
        year = int(slot.period)
        supervised = self.settings.supervises(self._day(slot.end))
        months = [self._month_of(tx, date(year, m, 1), slot.end) for m in range(1, 13)] if supervised else []
        return {**summaries.yearly(slot, months, self.desk, supervised), "party": self.desk.name("property_company")}

    def _month_of(self, tx: Connection, first: date, until: datetime) -> dict[str, Any]:
        name, start, end = span_of("month", first, self.calendar)
        end = min(end, until)
        cases = registers.cases(tx, start, end) if start < until else []
        missing = not any(start <= c.started < end for c in cases)
        figures_of = summaries.property_month(cases, start, end, self.desk)
        partial = f"(至{self._day(end).day}日)" if self._day(end).month == first.month and not missing else ""
        last = months_of.monthrange(first.year, first.month)[1]
        return {"month": f"{first.month}月{partial}", "name": name, "missing": missing, "days": last, **figures_of}

    def _spot_check(self, tx: Connection, slot: Slot) -> Data:
        cases = {c.number: c for c in self._cases(tx, slot)}
        closed = [
            n
            for n, c in cases.items()
            if c.ended_within(slot.start, slot.end) and c.status_at(slot.end) in ("closed", "archived")
        ]
        drawn = draw_sample(closed, self.settings.sample_rate, slot.period)
        rows = [self.desk.row(cases[n], slot.end) for n in drawn]
        return {
            "kind": slot.kind, "period": slot.period, "month": summaries.month_text(slot.period),
            "start": self.desk.text(slot.start),
            "end": self.desk.text(slot.end), "closed": len(closed), "rate": self.settings.sample_rate, "rows": rows,
            "verdicts": {}, "numbers": drawn,
        }  # fmt: skip

    def _knowledge(self, tx: Connection, slot: Slot) -> Data:
        return {"kind": slot.kind, "period": slot.period, "entries": self.stale_knowledge(self._day(slot.at)), "numbers": []}

    def stale_knowledge(self, day: date) -> list[dict[str, Any]]:
        """Entries that end soon, or have ended and answer nothing any more (S0-4.1.2)."""
        found = []
        for entry in self.site.knowledge:
            until = entry.valid_until
            if until and until <= day + timedelta(days=self.settings.knowledge_days):
                found.append({
                    "topic": entry.topic, "owner": entry.owner, "until": until.isoformat(),
                    "state": "expired" if until < day else "soon", "state_zh": "已过期" if until < day else "即将过期",
                })  # fmt: skip
        return sorted(found, key=lambda e: (e["until"], e["topic"]))

    def spot_check(self, have: Made) -> Data:
        """A drawn sample with the verdicts entered so far."""
        verdicts = have.data.get("verdicts") or {}
        rows = []
        for row in have.data.get("rows") or ():
            v = verdicts.get(row["number"]) or {}
            rows.append({
                **row, "verdict": v.get("verdict", ""), "verdict_zh": VERDICTS.get(v.get("verdict", ""), ""),
                "verdict_by": self.desk.name(v.get("by", "")), "verdict_at": v.get("at", ""), "verdict_text": v.get("text", ""),
            })  # fmt: skip
        return {**have.data, "rows": rows}

    # Any span

    def kpi(self, tx: Connection, name: str, start: datetime, end: datetime) -> Data:
        return summaries.kpi(registers.cases(tx, start, end), start, end, name, self.desk)

    def breaches(self, tx: Connection, name: str, start: datetime, end: datetime) -> Data:
        rows = self.watch(tx, start, end)
        return summaries.breach_report(registers.cases(tx, start, end), start, end, name, self.desk, rows)

    def tasks(self, tx: Connection, open_only: bool = False) -> Data:
        """Improvements the figures asked for, and how far they are."""
        rows = [
            {"period": m.data.get("month") or m.period, "id": m.period, "text": m.data.get("text", ""),
                "rule": m.data.get("rule", ""),
             "state": "已完成" if m.signed_at else "未完成", "answer": m.text}
            for m in registers.listed(tx, ("task",), unsigned=open_only)
        ]  # fmt: skip
        return {"kind": "tasks", "period": "", "rows": rows, "numbers": []}

    def watch(self, tx: Connection, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """Checks of the watching itself: digests signed in time, boxes opened as planned."""
        found = [self._sign_offs(tx, kind, start, end) for kind in SIGNED]
        found.append(self._boxes(tx, start, end))
        return [row for row in found if row["checks"]]

    def _sign_offs(self, tx: Connection, kind: str, start: datetime, end: datetime) -> dict[str, Any]:
        rule, text = SIGNED[kind]
        row: dict[str, Any] = {"rule": rule, "checks": 0, "breaches": 0, "open": 0, "list": []}
        for m in registers.listed(tx, (kind,), since=start - timedelta(days=14), before=end):
            limit = datetime.fromisoformat(m.data["limit"]) if m.data.get("limit") else None
            if limit is None or not start <= limit < end:
                continue
            row["checks"] += 1
            if m.signed_at is None or m.signed_at > limit:
                row["breaches"] += 1
                row["open"] += m.signed_at is None
                row["list"].append({
                    "rule": rule, "number": "", "summary": f"{text}:{m.period}", "department_zh": "",
                    "due": self.desk.text(limit),
                    "met": self.desk.text(m.signed_at), "reason": "逾期签阅" if m.signed_at else "未签阅",
                    "open": m.signed_at is None,
                    "late_minutes": int((m.signed_at - limit).total_seconds() // 60) if m.signed_at else None,
                })  # fmt: skip
        return row

    def _boxes(self, tx: Connection, start: datetime, end: datetime) -> dict[str, Any]:
        row: dict[str, Any] = {"rule": "S1-5.4.3", "checks": 0, "breaches": 0, "open": 0, "list": []}
        for m in registers.listed(tx, ("box-due",), since=start, before=end):
            row["checks"] += 1
            _, first, last = span_of("day", date.fromisoformat(m.data["day"]), self.calendar)
            if last <= end and not registers.box_opened(tx, m.data["channel"], first, last):
                row["breaches"] += 1
                row["list"].append({
                    "rule": "S1-5.4.3", "number": "", "summary": f"{m.data['box']}未按计划开箱", "department_zh": "", "met": "",
                    "due": m.data["planned"], "reason": "未按计划开箱", "late_minutes": None, "open": False,
                })  # fmt: skip
        return row

    def checked(self, tx: Connection, numbers: Sequence[str] | None = None) -> Checked:
        """What managers wrote when they signed a digest that listed a ticket: by number, for the ledger's last columns."""
        found: dict[str, list[dict[str, str]]] = {}
        wanted = set(numbers) if numbers is not None else None
        for m in registers.listed(tx, ("daily", "weekly")):
            if m.signed_at is None:
                continue
            orders = m.data.get("orders") or {}
            told = dict.fromkeys(m.data.get("numbers") or (), "") | orders
            for number, order in told.items():
                if wanted is None or number in wanted:
                    said = order or (m.text if m.kind == "weekly" else "") or "已阅"
                    found.setdefault(number, []).append({
                        "role": "supervisor" if m.kind == "daily" else "manager", "by": self.desk.name(m.signed_by),
                        "at": self.desk.text(m.signed_at), "text": said,
                    })  # fmt: skip
        return found

    def _cases(self, tx: Connection, slot: Slot) -> list[Case]:
        return registers.cases(tx, slot.start, slot.end)

    def slot(self, kind: str, day: date) -> Slot | None:
        return slot_of(kind, day, self.calendar, self.settings)
