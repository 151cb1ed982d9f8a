"""When each report is due and what time it covers, by the service calendar (RULES §3). Pure: a calendar and an instant in.

A slot has a period ("2025-04-24", "2025-W17", "2025-04", "2025"), the instant it is due at, and the span it reports on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from kefud.desk.calendar import Calendar
from kefud.reports.settings import Settings

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Slot:
    """One report to be made: due ``at``, about [start, end)."""

    kind: str
    period: str
    at: datetime
    start: datetime
    end: datetime


RHYTHM: dict[str, str] = {
    "daily": "day", "record": "day", "knowledge": "day", "weekly": "week", "effect": "week", "internal": "week",
    "briefing": "week", "visits": "week", "monthly": "month", "visit-analysis": "month", "contractors": "month",
    "spot-check": "month", "meeting": "month", "yearly": "year",
}  # fmt: skip
"""What is made once per period."""


def slot_of(kind: str, day: date, calendar: Calendar, settings: Settings) -> Slot | None:
    """The slot of ``kind`` whose period holds ``day``; None where there is none (a closed day)."""
    return _MAKERS[kind](kind, day, calendar, settings)


def latest(kind: str, now: datetime, calendar: Calendar, settings: Settings) -> Slot | None:
    """The last slot of ``kind`` that is due at ``now``: of several that were missed only the last is made."""
    day = calendar.local(now).date()
    for _ in range(40):
        slot = slot_of(kind, day, calendar, settings)
        if slot and slot.at <= now:
            return slot
        day = _before(RHYTHM[kind], day)
    return None


def sign_by(kind: str, made_at: datetime, calendar: Calendar, settings: Settings) -> datetime:
    """Until when a digest made at ``made_at`` is to be signed: closing time (S0-4.2.4a), or Sunday 17:00 (S0-4.2.5a).

    One that comes late, after that time, is to be signed by the closing of the next service day.
    """
    day = calendar.local(made_at).date()
    if kind == "weekly":
        weekday, at = settings.weekly_sign_by
        limit = _at(calendar, _monday(day) + timedelta(days=weekday), at)
        if made_at < limit:
            return limit
    closing = calendar.closing(day)
    if kind != "weekly" and closing and made_at < closing:
        return closing
    later = calendar.closing(calendar.next_service_day(day))
    assert later is not None
    return later


def parse_period(text: str) -> tuple[str, date]:
    """Rhythm and a day of a period as people write it: 2025-04-24, 2025-W17, 2025-04, 2025. Raises ValueError."""
    try:
        if len(text) == 4:
            return "year", date(int(text), 1, 1)
        if "W" in text.upper():
            year, _, week = text.upper().partition("-W")
            return "week", date.fromisocalendar(int(year), int(week), 1)
        if len(text) == 7:
            return "month", date(int(text[:4]), int(text[5:]), 1)
        return "day", date.fromisoformat(text)
    except ValueError:
        raise ValueError(f'"{text}" is no period; write 2025-04-24, 2025-W17, 2025-04 or 2025') from None


def span_of(rhythm: str, day: date, calendar: Calendar) -> tuple[str, datetime, datetime]:
    """Name, beginning and end of the calendar period of ``day``, midnight to midnight."""
    first, last = {
        "day": (day, day + _ONE_DAY),
        "week": (_monday(day), _monday(day) + timedelta(days=7)),
        "month": (day.replace(day=1), _next_month(day)),
        "year": (date(day.year, 1, 1), date(day.year + 1, 1, 1)),
    }[rhythm]
    return name_of(rhythm, day), _at(calendar, first, time()), _at(calendar, last, time())


def name_of(rhythm: str, day: date) -> str:
    """ "2025-04-24", "2025-W17", "2025-04" or "2025"."""
    week = day.isocalendar()
    return {
        "day": day.isoformat(), "week": f"{week.year}-W{week.week:02}", "month": f"{day:%Y-%m}", "year": str(day.year),
    }[rhythm]  # fmt: skip


def months_before(day: date, count: int) -> date:
    """The first day of the month ``count`` months before that of ``day``."""
    index = day.year * 12 + day.month - 1 - count
    return date(index // 12, index % 12 + 1, 1)


def box_day(day: date, settings: Settings) -> bool:
    """Whether the complaint boxes are to be opened on that day (Tue, Thu, Sat)."""
    return day.weekday() in settings.box_opening[0]


def _daily(kind: str, day: date, calendar: Calendar, settings: Settings) -> Slot | None:
    at = _digest_at(day, calendar, settings)
    before = _digest_at(_service_day_before(day, calendar), calendar, settings)
    return Slot(kind, day.isoformat(), at, before, at) if at and before else None


def _digest_at(day: date, calendar: Calendar, settings: Settings) -> datetime | None:
    closing = calendar.closing(day)
    return min(_at(calendar, day, settings.daily_at), closing) if closing else None


def _record(kind: str, day: date, calendar: Calendar, settings: Settings) -> Slot | None:
    at, before = calendar.closing(day), calendar.closing(_service_day_before(day, calendar))
    return Slot(kind, day.isoformat(), at, before, at) if at and before else None


def _opening(kind: str, day: date, calendar: Calendar, settings: Settings) -> Slot | None:
    at = calendar.opening(day)
    return Slot(kind, day.isoformat(), at, at - _ONE_DAY, at) if at else None


def _digest_week(kind: str, day: date, calendar: Calendar, settings: Settings) -> Slot:
    weekday, at = settings.weekly_at
    due = _open_day(calendar, _monday(day) + timedelta(days=weekday), at)
    before = _open_day(calendar, _monday(day) + timedelta(days=weekday - 7), at)
    return Slot(kind, name_of("week", day), due, before, due)


def _past_week(kind: str, day: date, calendar: Calendar, settings: Settings) -> Slot:
    name, start, end = span_of("week", day, calendar)
    weekday, at = settings.internal_at
    return Slot(kind, name, _open_day(calendar, _monday(day) + timedelta(days=7 + weekday), at), start, end)


def _past_month(kind: str, day: date, calendar: Calendar, settings: Settings) -> Slot:
    name, start, end = span_of("month", day, calendar)
    return Slot(kind, name, _open_day(calendar, _next_month(day), settings.monthly_at), start, end)


def _meeting(kind: str, day: date, calendar: Calendar, settings: Settings) -> Slot:
    def at(month: date) -> datetime:
        held = month.replace(day=min(settings.meeting_day, (_next_month(month) - _ONE_DAY).day))
        wanted = held - timedelta(days=settings.meeting_lead_days)
        while not calendar.is_service_day(wanted):
            wanted -= _ONE_DAY
        return calendar.windows(wanted)[0][0]

    return Slot(kind, name_of("month", day), at(day.replace(day=1)), at(months_before(day, 1)), at(day.replace(day=1)))


def _yearly(kind: str, day: date, calendar: Calendar, settings: Settings) -> Slot:
    month, number = settings.yearly_on
    at = _open_day(calendar, date(day.year, month, number), settings.monthly_at)
    return Slot(kind, str(day.year), at, _at(calendar, date(day.year, 1, 1), time()), at)


_MAKERS: dict[str, Callable[[str, date, Calendar, Settings], Slot | None]] = {
    "daily": _daily, "record": _record, "knowledge": _opening, "weekly": _digest_week, "effect": _digest_week,
    "internal": _past_week, "briefing": _past_week, "visits": _past_week, "monthly": _past_month,
    "visit-analysis": _past_month, "contractors": _past_month, "spot-check": _past_month, "meeting": _meeting,
    "yearly": _yearly,
}  # fmt: skip


def _before(rhythm: str, day: date) -> date:
    if rhythm == "month":
        return months_before(day, 1)
    if rhythm == "year":
        return date(day.year - 1, 1, 1)
    return day - timedelta(days=7 if rhythm == "week" else 1)


def _service_day_before(day: date, calendar: Calendar) -> date:
    day -= _ONE_DAY
    while not calendar.is_service_day(day):
        day -= _ONE_DAY
    return day


def _open_day(calendar: Calendar, day: date, at: time) -> datetime:
    """``at`` on ``day``, or on the next service day where the centre is closed; never before it opens."""
    if not calendar.is_service_day(day):
        day = calendar.next_service_day(day)
    return max(_at(calendar, day, at), calendar.windows(day)[0][0])


def _at(calendar: Calendar, day: date, at: time) -> datetime:
    return datetime.combine(day, at, calendar.zone)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _next_month(day: date) -> date:
    return months_before(day, -1)
