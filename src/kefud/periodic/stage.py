"""The stage that makes digests and reports at their times: each once per period, in one transaction with its letters.

A row of the table ``report`` says that a period is done; after a long silence only the last missed period is made. Nothing
that was due before this store first ran is made up for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from kefud import log
from kefud.api import Site
from kefud.periodic.post import XLSX, File, Form, Post
from kefud.periodic.reporting import Reporter
from kefud.reports import RHYTHM, Slot, digests, export, for_reader, latest, span_of
from kefud.reports.forms import FORMS, forms
from kefud.reports.sheets import tables, title
from kefud.store import letters, registers, settings
from kefud.store.database import Connection, Database
from kefud.store.registers import Made

Data = dict[str, Any]
PATIENCE = timedelta(minutes=10)
BOX_GRACE = timedelta(hours=2)
BACKWARDS = timedelta(hours=2)
"""How far a clock may go back before the mark of the breach feed goes back with it."""
TEMPLATES = {
    "daily": "reports/daily", "weekly": "reports/weekly", "effect": "reports/effect", "internal": "reports/internal",
    "briefing": "reports/briefing", "record": "reports/daily-record", "monthly": "reports/monthly",
    "visit-analysis": "reports/visit-analysis", "contractors": "reports/contractors", "meeting": "reports/meeting",
    "yearly": "reports/yearly", "spot-check": "reports/spot-check", "visits": "reports/visits",
}  # fmt: skip
WITH_TABLES = ("weekly", "monthly", "yearly", "visits", "contractors")
"""Reports that enclose a workbook."""
WITH_FORM = ("record", "monthly", "contractors", "meeting", "yearly")
ONE_WAITS = ("daily", "effect", "internal", "briefing")
"""Of those that say how things stand only the newest waits for a server that is away; records and tables all go out (R17)."""
UNDELIVERED = "reports/undelivered-report"
LOST_WITHIN = timedelta(days=14)
SINCE, FEED = "reports.since", "reports.feed"


class Periodic:
    """Makes what is due. ``step`` makes one round and says whether anything was made."""

    name = "reports"
    idle = 30.0

    def __init__(
        self,
        db: Database,
        site: Site,
        reporter: Reporter,
        post: Post,
        *,
        clock: Callable[[], datetime],
        wake: Callable[[], None] = lambda: None,
        mine: Callable[[], bool] = lambda: True,
    ) -> None:
        self.db = db
        self.site = site
        self.reporter = reporter
        self.post = post
        self.calendar = site.calendar
        self._clock = clock
        self._wake = wake
        self._mine = mine
        self._done: set[tuple[str, str]] = set()
        self._patience: dict[str, datetime] = {}
        self._since: datetime | None = None
        self._looked: datetime | None = None

    def step(self) -> bool:
        """Make all that is due and not yet made. A report that fails is tried again later and keeps no other waiting."""
        if not self._mine():
            return False
        now = self._clock()
        self.post.ready()
        since = self._begun(now)
        worked = False
        for kind in RHYTHM:
            if kind not in self.reporter.settings.off:
                worked |= self._patiently(kind, now, lambda kind=kind: self._periodic(kind, now, since))  # type: ignore[misc]
        for name, look in LOOKS.items():
            if name not in self.reporter.settings.off:
                worked |= self._patiently(name, now, lambda look=look: look(self, now, since))  # type: ignore[misc]
        if worked:
            self._wake()
        return worked

    def _patiently(self, name: str, now: datetime, make: Callable[[], bool]) -> bool:
        if name in self._patience and self._patience[name] - PATIENCE <= now < self._patience[name]:
            return False
        try:
            return make()
        except Exception as error:
            self._patience[name] = now + PATIENCE
            log.error("report-failed", report=name, reason=f"{type(error).__name__}: {error}")
            return False

    def _begun(self, now: datetime) -> datetime:
        """When this store first looked at its reports; earlier periods belong to nobody."""
        if self._since is None:
            with self.db.read() as tx:
                kept = settings.setting(tx, SINCE)
            if not kept:
                kept = now.isoformat()
                with self.db.write() as tx:
                    settings.keep_setting(tx, SINCE, kept)
                    settings.keep_setting(tx, FEED, kept)
            self._since = datetime.fromisoformat(kept)
        return self._since

    # Once per period

    def _periodic(self, kind: str, now: datetime, since: datetime) -> bool:
        slot = latest(kind, now, self.calendar, self.reporter.settings)
        if slot is None or slot.at < since or (kind, slot.period) in self._done:
            return False
        with self.db.read() as tx:
            have = registers.made(tx, kind, slot.period)
            if have and not have.data.get("early"):
                self._done.add((kind, slot.period))
                return False
            data = self.reporter.data(tx, slot, now)
        if kind in ("daily", "weekly"):
            data |= self.reporter.limit(kind, now)
        if have:
            data |= {k: have.data[k] for k in ("orders", "marked", "answers") if k in have.data}
        self._make(slot, data, now)
        self._done.add((kind, slot.period))
        return True

    def _make(self, slot: Slot, data: Data, now: datetime) -> None:
        """Write the report and its letters together, unless another daemon was faster."""
        with self.db.write() as tx:
            have = registers.made(tx, slot.kind, slot.period)
            if have and not have.data.get("early"):
                return
            registers.keep(tx, slot.kind, slot.period, now, data)
            told = self._letters(tx, slot, data, now)
        log.event("report", report=slot.kind, period=slot.period, to=", ".join(told) or "nobody")

    def _letters(self, tx: Connection, slot: Slot, data: Data, now: datetime) -> list[str]:
        if slot.kind == "knowledge":
            return self._knowledge(tx, data, now)
        held = slot.at + timedelta(days=self.reporter.settings.meeting_lead_days + 1)
        past = slot.kind == "meeting" and held < now
        if data.get("off") or past or (slot.kind == "spot-check" and not data["rows"]):
            return []
        told = []
        for role in self.reporter.settings.told(slot.kind):
            shown = for_reader(data, self.post.masked(role))
            key = f"report.{slot.kind}.{slot.period}"
            before = f"report.{slot.kind}." if slot.kind in ONE_WAITS else ""
            extra = {"files": self._files(slot, shown), "forms": self._forms(slot, shown), "instead": before}
            if self.post.write(tx, role, TEMPLATES[slot.kind], shown, now, key=key, **extra):  # type: ignore[arg-type]
                told.append(role)
        for task in data.get("improvements") or ():
            self._improvement(tx, slot, task, now)
        return told

    def _files(self, slot: Slot, data: Data) -> list[File]:
        if slot.kind not in WITH_TABLES:
            return []
        try:
            book = export.workbook(title(slot.kind, data), tables(slot.kind, data))
        except Exception as error:
            log.warn("no-workbook", report=slot.kind, reason=error)
            return [(f"{title(slot.kind, data)}.csv", "text/csv", export.comma_separated(tables(slot.kind, data)))]
        return [(f"{title(slot.kind, data)}.xlsx", XLSX, book)]

    def _forms(self, slot: Slot, data: Data) -> list[Form]:
        if slot.kind not in WITH_FORM or slot.kind not in FORMS:
            return []
        year = slot.period[:4]
        made = forms(slot.kind, data, self.post.site_view)
        names = [f"{title(slot.kind, data)}{f'-{n}' if len(made) > 1 else ''}" for n in range(1, len(made) + 1)]
        return [
            (form, f"reports/{year}/{name.replace('/', '-')}", filled) for name, (form, filled) in zip(names, made, strict=True)
        ]

    def _improvement(self, tx: Connection, slot: Slot, task: Mapping[str, Any], now: datetime) -> None:
        """What the figures ask to be improved stays open until somebody signs it (S4-4.4.2, S2-1.A6, S2-6.B8)."""
        period = f"{slot.period} {task['id']}"[:120]
        if registers.made(tx, "task", period):
            return
        registers.keep(tx, "task", period, now, {**task, "month": slot.period})
        for role in self.reporter.settings.told("improvement"):
            self.post.write(tx, role, "reports/improvement", {**task, "period": period}, now, key=f"task.{period}")

    def _knowledge(self, tx: Connection, data: Data, now: datetime) -> list[str]:
        """Remind the owner of each entry that ends soon, and once more when it has ended (S0-4.1.2)."""
        owners: dict[str, list[Mapping[str, Any]]] = {}
        for entry in data["entries"]:
            mark = hashlib.sha256(entry["topic"].encode()).hexdigest()[:16]
            period = f"{mark} {entry['until']} {entry['state']}"
            if registers.made(tx, "knowledge-due", period) is None:
                registers.keep(tx, "knowledge-due", period, now, dict(entry))
                owners.setdefault(entry["owner"], []).append(entry)
        return [
            owner for owner, entries in owners.items()
            if self.post.write(tx, owner, "reports/knowledge", {"entries": entries}, now, key=f"knowledge.{data['period']}")
        ]  # fmt: skip

    # Looked at in every round

    def _missing(self, now: datetime, since: datetime) -> bool:
        """A digest nobody signed in time goes one up, the next time the centre opens (S0-4.2.4a, S0-4.2.5a)."""
        with self.db.read() as tx:
            since = now - timedelta(days=31)
            late = [m for k in ("daily", "weekly") for m in registers.never_signed(tx, k, since) if self._is_late(m, now)]
        for m in late:
            kind = f"{m.kind}-missing"
            with self.db.write() as tx:
                current = registers.made(tx, m.kind, m.period)
                if current is None or current.signed_at or registers.made(tx, kind, m.period):
                    continue
                registers.keep(tx, kind, m.period, now, {"limit": m.data["limit"]})
                for role in self.reporter.settings.told(kind):
                    shown = {**for_reader(m.data, self.post.masked(role)), "digest": m.kind}
                    self.post.write(tx, role, "reports/sign-off-missing", shown, now, key=f"missing.{m.kind}.{m.period}")
            log.event("report", report=kind, period=m.period)
        return bool(late)

    def _is_late(self, m: Made, now: datetime) -> bool:
        limit = datetime.fromisoformat(m.data["limit"]) if m.data.get("limit") else None
        return limit is not None and self.calendar.next_opening(limit) <= now

    def _boxes(self, now: datetime, since: datetime) -> bool:
        """A complaint box that was not opened as planned: a reminder two hours later (S1-5.4.3)."""
        days, at = self.reporter.settings.box_opening
        day = self.calendar.local(now).date()
        planned = next(
            (p for n in range(8) if (p := self._planned(day - timedelta(days=n), days, at)) and p + BOX_GRACE <= now), None
        )
        if planned is None or planned < since:
            return False
        worked = False
        for channel in self.site.channels:
            if channel.plugin == "complaint_box" and channel.enabled:
                worked |= self._box(channel.id, str(channel.settings.get("box") or channel.id), planned, now)
        return worked

    def _planned(self, day: date, days: tuple[int, ...], at: Any) -> datetime | None:
        due = day.weekday() in days and self.calendar.is_service_day(day)
        return datetime.combine(day, at, self.calendar.zone) if due else None

    def _box(self, channel: str, box: str, planned: datetime, now: datetime) -> bool:
        period = f"{channel} {planned.date().isoformat()}"
        if ("box-due", period) in self._done:
            return False
        with self.db.read() as tx:
            have = registers.made(tx, "box-due", period)
        self._done.add(("box-due", period))
        if have:
            return False
        with self.db.write() as tx:
            if registers.made(tx, "box-due", period):
                return False
            _, start, end = span_of("day", planned.date(), self.calendar)
            opened = registers.box_opened(tx, channel, start, end)
            data = {
                "channel": channel,
                "box": box,
                "day": planned.date().isoformat(),
                "planned": self.reporter.desk.text(planned),
            }
            registers.keep(tx, "box-due", period, now, data)
            for role in () if opened else self.reporter.settings.told("box"):
                self.post.write(tx, role, "reports/box-reminder", data, now, key=f"box.{period}")
        return not opened

    def _feed(self, now: datetime, since: datetime) -> bool:
        """Tell the inspector of each breach when it happens, and of those that are near (S3-5.1.1)."""
        with self.db.read() as tx:
            kept = datetime.fromisoformat(settings.setting(tx, FEED) or since.isoformat())
            last = max(kept, self._looked or kept)
            ids = registers.due_between(tx, last, now) if last < now else []
            if ids:  # what is near is told with what is late
                ids = registers.due_between(tx, last, now + self.reporter.desk.near)
            data = digests.feed(registers.of_ids(tx, ids, at_once=50), last, now, self.reporter.desk)
        if last >= now and last - now < BACKWARDS:
            return False
        if data["fresh"] or not timedelta() <= now - kept < timedelta(hours=1):
            self._fed(kept, data, now)
        self._looked = now
        return bool(data["fresh"])

    def _fed(self, kept: datetime, data: Data, now: datetime) -> None:
        """Move the mark, and send what is new; where another daemon moved it first, nothing."""
        with self.db.write() as tx:
            if (settings.setting(tx, FEED) or kept.isoformat()) != kept.isoformat():
                return
            settings.keep_setting(tx, FEED, now.isoformat())
            if data["fresh"]:
                registers.keep(tx, "breaches", now.isoformat(), now, data)
                for role in self.reporter.settings.told("breaches"):
                    shown = for_reader(data, self.post.masked(role))
                    self.post.write(tx, role, "reports/breaches", shown, now, key=f"breaches.{now.isoformat()}")

    def _undelivered(self, now: datetime, since: datetime) -> bool:
        """A digest or report that came back is told to the manager; the manager's own to the leader in charge (S0-4.2.4a)."""
        with self.db.read() as tx:
            lost = letters.lost_reports(tx, now - LOST_WITHIN)
        told = False
        for letter in lost:
            with self.db.write() as tx:
                last = letter["template"] == UNDELIVERED and letter["recipient"] != "cs_manager"
                if last or registers.made(tx, "undelivered", str(letter["id"])):
                    continue
                data = {
                    "to_zh": self.reporter.desk.name(letter["recipient"]), "address": "、".join(letter["addresses"]),
                    "title": letter["subject"], "sent": self.reporter.desk.text(letter["created_at"]),
                    "reason": letter["last_answer"],
                }  # fmt: skip
                registers.keep(tx, "undelivered", str(letter["id"]), now, data)
                role = "leader_in_charge" if letter["recipient"] == "cs_manager" else "cs_manager"
                told |= self.post.write(tx, role, UNDELIVERED, data, now, key=f"undelivered.{letter['id']}")
        return told

    def _backlog(self, now: datetime, since: datetime) -> bool:
        """More open tickets with one handler than may be: said once a service day (S3-3.2.3)."""
        if not self.calendar.is_open(now):
            return False
        limit = self.reporter.settings.backlog
        with self.db.read() as tx:
            above = {h: n for h, n in registers.open_per_handler(tx).items() if n > limit}
        day = self.calendar.local(now).date().isoformat()
        new = {h: n for h, n in above.items() if ("backlog", f"{h} {day}") not in self._done}
        if not new:
            return False
        with self.db.write() as tx:
            new = {h: n for h, n in new.items() if registers.made(tx, "backlog", f"{h} {day}") is None}
            rows = [{"handler": h, "handler_zh": self.reporter.desk.name(h), "count": n} for h, n in sorted(new.items())]
            for row in rows:
                registers.keep(tx, "backlog", f"{row['handler']} {day}", now, {**row, "limit": limit})
            for role in self.reporter.settings.told("backlog") if rows else ():
                self.post.write(
                    tx, role, "reports/backlog", {"rows": rows, "limit": limit, "day": day}, now, key=f"backlog.{day}"
                )
        self._done |= {("backlog", f"{h} {day}") for h in above}
        return bool(rows)


LOOKS: dict[str, Callable[[Periodic, datetime, datetime], bool]] = {
    "missing": Periodic._missing, "box": Periodic._boxes, "breaches": Periodic._feed, "backlog": Periodic._backlog,
    "undelivered": Periodic._undelivered,
}  # fmt: skip
"""What is looked at time and again, beside the reports of a period."""
