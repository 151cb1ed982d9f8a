"""When the service centre is open and when the offices work (S1-5.2): days, windows, holidays, make-up days.

Public holidays and make-up working weekends come from the built-in Chinese calendar; dates named in the configuration
add to it and override it. Every instant returned carries the calendar's time zone; every instant given must carry one.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, cached_property
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple, cast
from zoneinfo import ZoneInfo

import holidays

Kind = Literal["working", "weekend", "holiday", "makeup"]
Hours = tuple[tuple[int, int], ...]
"""Windows of a day in minutes after midnight, ascending and apart: ``((510, 720), (780, 1020))``."""
Span = tuple[datetime, datetime]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SERVICE_HOURS: Mapping[str, list[str]] = {"mon-fri": ["08:30-12:00", "13:00-17:00"], "sat-sun": ["09:00-17:00"]}

_ONE_DAY = timedelta(days=1)
_CACHED_DAYS = 20_000
_FIRST_YEAR_PROBED = 2024


class _Day(NamedTuple):
    kind: Kind
    windows: tuple[Span, ...]
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Calendar:
    """Service hours and office days of one place. Build it with :meth:`build`; it is hashable and can be pickled."""

    timezone: str
    week: tuple[Hours, ...]
    holiday_hours: Hours
    makeup_hours: Hours
    public_holidays: frozenset[date] = frozenset()
    makeup_working_days: frozenset[date] = frozenset()
    office_closing: time = time(17, 0)
    builtin: bool = True

    @classmethod
    def build(
        cls,
        timezone: str = "Asia/Shanghai",
        service_hours: Mapping[str, list[str]] = SERVICE_HOURS,
        holiday_hours: str | list[str] = "as sat-sun",
        makeup_hours: str | list[str] = "as mon-fri",
        public_holidays: Collection[date | str] = (),
        makeup_working_days: Collection[date | str] = (),
        builtin: bool = True,
        office_closing: time | str = "17:00",
    ) -> Calendar:
        """The calendar the configuration describes.

        ``service_hours`` maps days (``"mon-fri"``, ``"sat"``, ``"tue,thu"``) to windows (``"08:30-12:00"``); days left
        out are closed. ``holiday_hours`` and ``makeup_hours`` are ``"as sat-sun"``, ``"closed"`` or a list of windows.
        ``builtin=False`` forgets the built-in holidays and knows only the dates given. Raises ValueError, with one
        sentence for the administrator, for every malformed value.
        """
        _check_zone(timezone)
        week = _parse_week(service_hours)
        free = _parse_dates("public_holidays", public_holidays)
        makeup = _parse_dates("makeup_working_days", makeup_working_days)
        if both := sorted(free & makeup):
            raise ValueError(f"{both[0]} is listed both in public_holidays and in makeup_working_days.")
        return cls(
            timezone,
            week,
            _parse_special("holiday_hours", holiday_hours, week),
            _parse_special("makeup_hours", makeup_hours, week),
            free,
            makeup,
            _parse_closing(office_closing),
            builtin,
        )

    def windows(self, day: date) -> tuple[Span, ...]:
        """Opening and closing instants of the day's service windows in the calendar's zone, none if closed (S1-5.2)."""
        return self._day(day).windows

    def spans(self, day: date) -> tuple[Span, ...]:
        """The same windows in UTC, for arithmetic: differences of zoned times ignore a change of summer time."""
        return self._day(day).spans

    def kind_of(self, day: date) -> Kind:
        """Why the day has its hours: an ordinary weekday, a weekend, a public holiday or a make-up working day."""
        return self._day(day).kind

    def is_service_day(self, day: date) -> bool:
        """Whether the service centre opens at all on that day."""
        return bool(self._day(day).windows)

    def is_working_day(self, day: date) -> bool:
        """Whether the other departments work: Monday to Friday, minus public holidays, plus make-up working days."""
        return self._day(day).kind in ("working", "makeup")

    def is_open(self, instant: datetime) -> bool:
        """Whether the service centre is open; the instant of opening counts as open, that of closing does not."""
        moment = utc(instant)
        return any(start <= moment < end for start, end in self.spans(self.local(moment).date()))

    def next_opening(self, instant: datetime) -> datetime:
        """The instant itself while open, otherwise the beginning of the next window."""
        moment = utc(instant)
        for start, end in self.spans_from(moment):
            if moment < end:
                return self.local(max(start, moment))
        raise AssertionError("a calendar always opens again")

    def opening(self, day: date) -> datetime | None:
        """Beginning of the day's first window, None when closed."""
        windows = self.windows(day)
        return windows[0][0] if windows else None

    def closing(self, day: date) -> datetime | None:
        """End of the day's last window, None when closed."""
        windows = self.windows(day)
        return windows[-1][1] if windows else None

    def office_end(self, day: date) -> datetime:
        """The instant at which the offices close on that day, whether or not they work on it."""
        return self._instant(day, self.office_closing.hour * 60 + self.office_closing.minute)

    def next_service_day(self, day: date) -> date:
        """The first day after ``day`` on which the service centre opens."""
        day += _ONE_DAY
        while not self.is_service_day(day):
            day += _ONE_DAY
        return day

    def next_working_day(self, day: date) -> date:
        """The first day after ``day`` on which the offices work."""
        day += _ONE_DAY
        while not self.is_working_day(day):
            day += _ONE_DAY
        return day

    def horizon(self) -> date:
        """Last day of the last year whose make-up working days are known; later deadlines may still move by a day.

        The earliest date there is, where no make-up day is known at all.
        """
        years = [day.year for day in self.makeup_working_days]
        if self._china is not None:
            years.append(_last_announced_year(self._china))
        return date(max(years), 12, 31) if years else date.min

    def local(self, instant: datetime) -> datetime:
        """The same instant in the calendar's zone. Raises ValueError for an instant without a time zone."""
        if instant.tzinfo is None:
            raise ValueError("An instant needs a time zone.")
        return instant.astimezone(self.zone)

    def spans_from(self, instant: datetime) -> Iterator[Span]:
        """Every window in UTC from the day of ``instant`` on, for ever."""
        day = self.local(instant).date()
        while True:
            yield from self.spans(day)
            day += _ONE_DAY

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone itself."""
        return ZoneInfo(self.timezone)

    @cached_property
    def _china(self) -> holidays.HolidayBase | None:
        return _china_alone()() if self.builtin else None

    @cached_property
    def _days(self) -> dict[date, _Day]:
        return {}

    def _day(self, day: date) -> _Day:
        found = self._days.get(day)
        if found is None:
            if len(self._days) >= _CACHED_DAYS:
                self._days.clear()
            found = self._days[day] = self._make_day(day)
        return found

    def _make_day(self, day: date) -> _Day:
        kind = self._find_kind(day)
        hours = {"holiday": self.holiday_hours, "makeup": self.makeup_hours}.get(kind, self.week[day.weekday()])
        windows = tuple((self._instant(day, start), self._instant(day, end)) for start, end in hours)
        return _Day(kind, windows, tuple((utc(start), utc(end)) for start, end in windows))

    def _find_kind(self, day: date) -> Kind:
        weekend = day.weekday() >= 5
        if day in self.makeup_working_days:
            return "makeup"
        if day in self.public_holidays:
            return "holiday"
        if self._china is not None:
            if day in self._china:
                return "holiday"
            if weekend and self._china.is_working_day(day):
                return "makeup"
        return "weekend" if weekend else "working"

    def _instant(self, day: date, minutes: int) -> datetime:
        extra, minutes = divmod(minutes, 24 * 60)
        wall = datetime.combine(day, time(minutes // 60, minutes % 60), self.zone) + timedelta(days=extra)
        return utc(wall).astimezone(self.zone)

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def utc(instant: datetime) -> datetime:
    """The same instant in UTC. Raises ValueError for an instant without a time zone."""
    if instant.tzinfo is None:
        raise ValueError("An instant needs a time zone.")
    return instant.astimezone(UTC)


@cache
def _china_alone() -> type[holidays.HolidayBase]:
    """The calendar of China. Importing `holidays.countries` brings in all the world's: 9 MB and a fifth of a second per process."""
    package = "holidays.countries"
    if package not in sys.modules:
        sys.modules[package] = bare = ModuleType(package)
        bare.__path__ = [str(Path(holidays.__file__).parent / "countries")]
        try:
            return cast(type[holidays.HolidayBase], import_module(f"{package}.china").China)
        finally:
            del sys.modules[package]
    return cast(type[holidays.HolidayBase], import_module(f"{package}.china").China)


def _last_announced_year(china: holidays.HolidayBase) -> int:
    year = _FIRST_YEAR_PROBED
    while _is_announced(china, year + 1):
        year += 1
    return year


def _is_announced(china: holidays.HolidayBase, year: int) -> bool:
    date(year, 1, 1) in china  # noqa: B015 - asking for one day makes the library fill the whole year
    return any(day.year == year for day in china.weekend_workdays)


def _check_zone(timezone: str) -> None:
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError, TypeError):
        raise ValueError(f"timezone {timezone!r} is not a known time zone; write 'Asia/Shanghai'.") from None


def _parse_week(service_hours: Mapping[str, list[str]]) -> tuple[Hours, ...]:
    week: dict[int, Hours] = {}
    for days, windows in _items(service_hours):
        hours = _parse_hours(f"service_hours.{days}", windows)
        for day in _parse_days("service_hours", days):
            if day in week:
                raise ValueError(f"service_hours names {WEEKDAYS[day]} twice.")
            week[day] = hours
    if not any(week.values()):
        raise ValueError("service_hours must open the service centre on at least one day of the week.")
    return tuple(week.get(day, ()) for day in range(7))


def _items(service_hours: object) -> list[tuple[str, object]]:
    match service_hours:
        case Mapping():
            return list(service_hours.items())
        case _:
            raise ValueError("service_hours must map days such as 'mon-fri' to a list of windows.")


def _parse_days(key: str, text: str) -> list[int]:
    days: list[int] = []
    for part in str(text).lower().split(","):
        first, _, last = part.strip().partition("-")
        try:
            start, end = WEEKDAYS.index(first.strip()), WEEKDAYS.index((last or first).strip())
        except ValueError:
            raise ValueError(f"{key} has the unknown days {text!r}; write 'mon-fri', 'sat' or 'tue,thu'.") from None
        days += [(start + step) % 7 for step in range((end - start) % 7 + 1)]
    return days


def _parse_hours(key: str, windows: object) -> Hours:
    match windows:
        case list() | tuple():
            hours = tuple(_parse_window(key, window) for window in windows)
        case _:
            raise ValueError(f"{key} must be a list of windows such as ['08:30-12:00', '13:00-17:00'].")
    if any(later[0] < earlier[1] for earlier, later in pairwise(hours)):
        raise ValueError(f"{key} has windows that overlap or are not in the order of the day.")
    return hours


def _parse_window(key: str, text: object) -> tuple[int, int]:
    match = re.fullmatch(r"\s*(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})\s*", str(text), re.ASCII)
    if match is None:
        raise ValueError(f"{key} has the malformed window {text!r}; write '08:30-12:00'.")
    hour, minute, end_hour, end_minute = map(int, match.groups())
    start, end = hour * 60 + minute, end_hour * 60 + end_minute
    if minute > 59 or end_minute > 59 or end > 24 * 60:
        raise ValueError(f"{key} has the window {text!r} with a time that does not exist.")
    if end <= start:
        raise ValueError(f"{key} has the window {text!r} that ends before it begins; split it at midnight.")
    return start, end


def _parse_special(key: str, value: object, week: tuple[Hours, ...]) -> Hours:
    if not isinstance(value, str):
        return _parse_hours(key, value)
    if value.strip().lower() == "closed":
        return ()
    if not value.lower().startswith("as "):
        raise ValueError(f"{key} must be 'closed', 'as sat-sun' or a list of windows, not {value!r}.")
    found = {week[day] for day in _parse_days(key, value[3:])}
    if len(found) > 1:
        raise ValueError(f"{key} says {value!r}, but those days have different hours.")
    return found.pop()


def _parse_dates(key: str, values: object) -> frozenset[date]:
    match values:
        case list() | tuple() | set() | frozenset():
            return frozenset(_parse_date(key, value) for value in values)
        case _:
            raise ValueError(f"{key} must be a list of dates such as 2025-04-04.")


def _parse_date(key: str, value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{key} has {value!r}, which is not a date; write 2025-04-04.") from None


def _parse_closing(value: object) -> time:
    if isinstance(value, time) and value.tzinfo is None:
        return value
    try:
        hour, minute = map(int, str(value).split(":"))
        return time(hour, minute)
    except ValueError:
        raise ValueError(f"office_closing {value!r} is not a time of day; write '17:00'.") from None
