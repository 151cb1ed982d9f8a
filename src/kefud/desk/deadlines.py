"""When a matter is due (时限): terms, due instants, pauses, chasers, and the reading of times people agree on.

Counting follows S4-4.1.1 (minutes while open), S4-4.1.2 (clock), S1-5.7.3 (日: the first day is not counted) and
S1-5.6.3 (工作日: office days). All instants given carry a time zone; all instants returned are in the calendar's zone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal, cast

from kefud.desk.calendar import Calendar, utc
from kefud.desk.chinese import fold, number

Unit = Literal["clock_minutes", "clock_hours", "service_minutes", "service_hours", "calendar_days", "working_days"]

_LARGEST: dict[str, int] = {"minutes": 100_000, "hours": 10_000, "days": 3_660}
_TERM = re.compile(
    r"\s*(\d{1,6})\s+((?:clock|service)_(?:minute|hour)|(?:calendar|working)_day)s?"
    r"(?:\s+((?:from|after|unless|until|since)\b.*|\(.*\)))?\s*",
    re.ASCII | re.DOTALL,
)
_ONE_DAY = timedelta(days=1)
PROGRESS_LEAD = timedelta(minutes=30)
"""So long before its limit the regular word on progress leaves, for a second late is late (S3-2.3.2, S3-5.2.3)."""


@dataclass(frozen=True, slots=True)
class Term:
    """A length of time in one of the units of the service rules; ``note`` keeps the explanation behind it."""

    amount: int
    unit: Unit
    note: str = ""

    def __post_init__(self) -> None:
        largest = _LARGEST[self.unit.partition("_")[2]]
        if not 1 <= self.amount <= largest:
            raise ValueError(f"A term in {self.unit} must lie between 1 and {largest}, not {self.amount}.")

    def __str__(self) -> str:
        return f"{self.amount} {self.unit}"

    @property
    def in_service_time(self) -> bool:
        """Whether only the hours of the service calendar count."""
        return self.unit.startswith("service_")

    @property
    def in_days(self) -> bool:
        """Whether whole days count and the term ends at a closing time."""
        return self.unit.endswith("_days")

    @property
    def length(self) -> timedelta:
        """The counted time of a term in minutes or hours. Raises ValueError for a term in days."""
        if self.in_days:
            raise ValueError(f"A term of {self} has no fixed length.")
        return timedelta(minutes=self.amount) if self.unit.endswith("minutes") else timedelta(hours=self.amount)


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of time in a deadline's account: counted or not, and why (午休, 下班, 节假日 …)."""

    start: datetime
    end: datetime
    counted: bool
    why: str


@dataclass(frozen=True, slots=True)
class Pause:
    """A time in which a deadline does not run; ``end`` None means it goes on."""

    start: datetime
    end: datetime | None
    reason: str


def parse_term(text: str) -> Term:
    """The term a setting describes: ``"30 service_minutes"``, ``"3 working_days from transfer"``.

    An explanation in brackets, or one that begins with from, after, unless, until or since, is kept as the note.
    Raises ValueError with one sentence for anything else.
    """
    match = _TERM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a term; write '30 service_minutes', '8 clock_hours' or '3 working_days'.")
    amount, unit, note = match.groups()
    return Term(int(amount), cast(Unit, unit + "s"), (note or "").strip())


def due(start: datetime, term: Term, calendar: Calendar) -> datetime:
    """The instant at which a term that starts at ``start`` ends (S4-4.1.1, S4-4.1.2, S1-5.7.3, S1-5.6.3).

    Clock units run on. Service units count while the centre is open; a start while closed begins at the next opening.
    Calendar days leave the first day out and end at closing time, moved to the next open day when closed. Working days
    do the same with the office calendar and end when the offices close.
    """
    if term.in_days:
        return _end_of_days(start, term, term.amount, calendar)
    if term.in_service_time:
        return add_service_time(start, term.length, calendar)
    return calendar.local(utc(start) + term.length)


def add_service_time(start: datetime, amount: timedelta, calendar: Calendar) -> datetime:
    """The earliest instant at which ``amount`` of service time has passed since ``start``, always within a window."""
    moment, left = utc(start), amount
    for opening, closing in calendar.spans_from(moment):
        begin = max(opening, moment)
        if begin < closing:
            if left <= closing - begin:
                return calendar.local(begin + left)
            left -= closing - begin
    raise AssertionError("a calendar always opens again")


def service_time_between(start: datetime, end: datetime, calendar: Calendar) -> timedelta:
    """How long the service centre is open between two instants; nothing when ``end`` is not after ``start``."""
    moment, last = utc(start), utc(end)
    total = timedelta()
    for opening, closing in calendar.spans_from(moment):
        if opening >= last:
            return total
        total += max(min(closing, last) - max(opening, moment), timedelta())
    return total


def elapsed(start: datetime, now: datetime, term: Term, calendar: Calendar) -> timedelta:
    """How much of a term has run: service time for service units, plain time for all others; never negative."""
    if term.in_service_time:
        return service_time_between(start, now, calendar)
    return max(utc(now) - utc(start), timedelta())


def fraction_point(start: datetime, due: datetime, fraction: float, term: Term, calendar: Calendar) -> datetime:
    """The instant at which a fraction (0 to 1) of the time between ``start`` and ``due`` has run.

    Service units: a fraction of the service time between the two, so the point lies in a service window. All other
    units: a fraction of the plain time, whether open or not.
    """
    if fraction >= 1 or utc(due) <= utc(start):
        return calendar.local(due)
    whole = elapsed(start, due, term, calendar)
    if not term.in_service_time:
        return calendar.local(utc(start) + whole * fraction)
    return calendar.local(min(utc(add_service_time(start, whole * fraction, calendar)), utc(due)))


def next_step(start: datetime, due: datetime, term: Term, calendar: Calendar, done: int) -> tuple[str, datetime]:
    """The chaser (催办) that follows when ``done`` of them are behind us (S1-4.3.6).

    The steps are "50", "80" and "100" percent of the term, then "+1", "+2" … at the opening of each service day after
    the due instant. A due instant before the opening of its own day has its "+1" at that opening.
    """
    if done < 3:
        percent = (50, 80, 100)[max(done, 0)]
        return str(percent), fraction_point(start, due, percent / 100, term, calendar)
    day = calendar.local(due).date() - _ONE_DAY
    openings = done - 2
    while openings:
        day = calendar.next_service_day(day)
        opening = calendar.windows(day)[0][0]
        openings -= utc(opening) > utc(due)
    return f"+{done - 2}", opening


def due_with_pauses(
    start: datetime, term: Term, calendar: Calendar, pauses: Iterable[Pause], now: datetime
) -> datetime:
    """The due instant when some time does not count (need_info, an agreed wait).

    A pause without end lasts until ``now``; overlapping pauses count once. Clock and service units: the paused time is
    added, in service time for service units. Day units: every paused day moves the end by one. The day on which a pause
    begins counts as paused only if the pause also ends on it, so Monday 16:00 to Tuesday 9:00 is one day, not two. A
    pause on the day the term starts moves nothing, that day being free anyway. For working days only office days are
    counted as paused.
    """
    merged = _merge(pauses, utc(start), utc(now))
    if term.in_days:
        return _end_of_days_with_pauses(start, term, calendar, merged)
    end = due(start, term, calendar)
    for pause_start, pause_end in merged:
        if pause_start >= utc(end):
            break
        lost = elapsed(pause_start, pause_end, term, calendar)
        if term.in_service_time:
            end = add_service_time(end, lost, calendar) if lost else end
        else:
            end = calendar.local(utc(end) + lost)
    return end


def intervals(start: datetime, due: datetime, term: Term, calendar: Calendar) -> list[Interval]:
    """The account of a deadline: stretches from ``start`` to ``due`` without gaps, each counted or not, and why."""
    if utc(due) <= utc(start):
        return []
    if not (term.in_days or term.in_service_time):
        return [Interval(calendar.local(start), calendar.local(due), True, "连续计时")]
    pieces = _days_account(start, due, term, calendar) if term.in_days else _service_account(start, due, calendar)
    return _join(_clip(pieces, calendar.local(start), calendar.local(due)))


def _end_of_days(start: datetime, term: Term, days: int, calendar: Calendar) -> datetime:
    day = _nth_day(calendar.local(start).date(), term, days, calendar)
    if term.unit == "working_days":
        return calendar.office_end(day)
    closing = calendar.closing(day) or calendar.closing(calendar.next_service_day(day))
    assert closing is not None
    return closing


def _nth_day(day: date, term: Term, days: int, calendar: Calendar) -> date:
    if term.unit == "calendar_days":
        return day + days * _ONE_DAY
    for _ in range(days):
        day = calendar.next_working_day(day)
    return day


def _end_of_days_with_pauses(
    start: datetime, term: Term, calendar: Calendar, pauses: list[tuple[datetime, datetime]]
) -> datetime:
    first = calendar.local(start).date()
    paused = sorted({day for pause in pauses for day in _paused_days(*pause, calendar) if _counts(day, term, calendar)})
    days = term.amount
    for day in paused:
        if first < day <= _nth_day(first, term, days, calendar):
            days += 1
    return _end_of_days(start, term, days, calendar)


def _paused_days(start: datetime, end: datetime, calendar: Calendar) -> Iterator[date]:
    day, last = calendar.local(start).date(), calendar.local(end).date()
    if day == last:
        yield day
    while day < last:
        day += _ONE_DAY
        yield day


def _counts(day: date, term: Term, calendar: Calendar) -> bool:
    return term.unit == "calendar_days" or calendar.is_working_day(day)


def _merge(pauses: Iterable[Pause], start: datetime, now: datetime) -> list[tuple[datetime, datetime]]:
    merged: list[tuple[datetime, datetime]] = []
    for begin, end in sorted((utc(pause.start), utc(pause.end) if pause.end else now) for pause in pauses):
        begin = max(begin, start)
        if end <= begin:
            continue
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, end))
    return merged


def _service_account(start: datetime, due: datetime, calendar: Calendar) -> Iterator[Interval]:
    for day in _days_from(start, due, calendar):
        begin, midnight = _midnight(day, calendar), _midnight(day + _ONE_DAY, calendar)
        windows = calendar.windows(day)
        for place, (opening, closing) in enumerate(windows):
            yield Interval(begin, opening, False, "午休" if place else "下班")
            yield Interval(opening, closing, True, _OPEN[calendar.kind_of(day)])
            begin = closing
        yield Interval(begin, midnight, False, "下班" if windows else _CLOSED[calendar.kind_of(day)])


def _days_account(start: datetime, due: datetime, term: Term, calendar: Calendar) -> Iterator[Interval]:
    counted, word = 0, "日" if term.unit == "calendar_days" else "个工作日"
    ends_as_counted = utc(due) == utc(_end_of_days(start, term, term.amount, calendar))
    for day in _days_from(start, due, calendar):
        begin, midnight = _midnight(day, calendar), _midnight(day + _ONE_DAY, calendar)
        if begin <= calendar.local(start):
            yield Interval(begin, midnight, False, "当日不计")
        elif not _counts(day, term, calendar):
            yield Interval(begin, midnight, False, _CLOSED[calendar.kind_of(day)])
        elif ends_as_counted and counted == term.amount:
            yield Interval(begin, midnight, False, "顺延")
        else:
            counted += 1
            makeup = "(调休上班)" if calendar.kind_of(day) == "makeup" else ""
            yield Interval(begin, midnight, True, f"第{counted}{word}{makeup}")


_OPEN = {"working": "工作时间", "weekend": "周末值班", "holiday": "节假日值班", "makeup": "调休上班"}
_CLOSED = {"working": "休息日", "weekend": "周末", "holiday": "节假日", "makeup": "休息日"}


def _days_from(start: datetime, due: datetime, calendar: Calendar) -> Iterator[date]:
    day, last = calendar.local(start).date(), calendar.local(due).date()
    while day <= last:
        yield day
        day += _ONE_DAY


def _midnight(day: date, calendar: Calendar) -> datetime:
    return calendar.local(datetime.combine(day, time(), calendar.zone))


def _clip(pieces: Iterable[Interval], start: datetime, due: datetime) -> Iterator[Interval]:
    for piece in pieces:
        begin, end = max(piece.start, start, key=utc), min(piece.end, due, key=utc)
        if utc(begin) < utc(end):
            yield Interval(begin, end, piece.counted, piece.why)


def _join(pieces: Iterable[Interval]) -> list[Interval]:
    joined: list[Interval] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if last and (last.counted, last.why) == (piece.counted, piece.why):
            joined[-1] = Interval(last.start, piece.end, piece.counted, piece.why)
        else:
            joined.append(piece)
    return joined


# Reading times people agree on (S0-4.1.3): 约定今天16:00前, 下周一, 三日内, 4.24. Patterns see the folded text.

_NUMBER = r"(?:[0-9]{1,2}|[零〇一二两三四五六七八九十廿卅]{1,3})"
_WEEK = r"(?:周|星期|礼拜)"
_PERIOD = r"(?:凌晨|清晨|早上|早晨|早(?!一?点|日|就)|上午|中午|正午|下午|午后|傍晚|晚上|晚间|夜里|夜间|晚(?!一?点|期))"
_PART_ENDS = {"凌晨": 6, "早": 12, "上": 12, "清": 12, "中": 12, "正": 12, "傍": 19, "晚": 21, "夜": 21}
_NEAR = {"今": 0, "本": 0, "当": 0, "明": 1, "后": 2, "大": 3}

_PAST = re.compile(
    rf"昨[天日晚早]?|大?前[天日]|上{{1,2}}个?{_WEEK}[一二三四五六日天末]?|上个?月(?:底|初|{_NUMBER}[日号])?"
    rf"|去年(?:{_NUMBER}月)?(?:{_NUMBER}[日号])?|每个?(?:{_WEEK}[一二三四五六日天]?|[天日月年])"
)
_FULL_DATE = re.compile(
    rf"(?<![0-9-])([0-9]{{4}}|[零〇一二三四五六七八九]{{4}})\s{{0,2}}[-/.年]\s{{0,2}}({_NUMBER})\s{{0,2}}[-/.月]\s{{0,2}}({_NUMBER})(?![0-9])[日号]?"
)
_MONTH_DAY = re.compile(rf"(?<![0-9])({_NUMBER})\s{{0,2}}月\s{{0,2}}({_NUMBER})(?![0-9个天层楼])[日号]?")
_SHORT_DATE = re.compile(
    r"(?<![0-9./-])([0-9]{1,2})(?:/([0-9]{1,2})(?![0-9/.的以])"
    r"|\.([0-9]{2}(?![0-9.元块米平吨度万亿%升公厘毫倍折分寸版楼栋幢])|[0-9](?=前|之前|以前|上午|下午)))"
)
_NEAR_DAY = re.compile(r"今天|今日|今(?=[早晚])|本日|当[天日]|明天|明日|明(?=[早晚])|大后天|后[天日]")
_WEEKDAY = re.compile(rf"(本|这个?|下下个?|下个?)?{_WEEK}([一二三四五六日天末1-7])(?![个次])")
_WHOLE = re.compile(
    rf"(本|这个?|下下个?|下个?){_WEEK}(?:之内|以内|内)?|(本|这个?|下个?)?月[底末]|(本|这个?|下个?)月(?:之内|以内|内)|年[底末]"
)
_DAY_OF_MONTH = re.compile(
    rf"(?<![0-9月])([本下]个?月)?({_NUMBER})[日号](?=\s{{0,2}}(?:前|之前|以前|[上下中]午|早|晚|下班|{_NUMBER}[点时:]))"
)
_RELATIVE = re.compile(
    r"(?<![近第前0-9.])(?:([0-9]{1,3}|[零〇一二两三四五六七八九十廿卅百]{1,4})\s{0,2}(个半|个)?|(半)个?)\s{0,2}"
    r"(工作日|小时|钟头|分钟|天|日|周|星期|礼拜|(?<=个)月)\s{0,2}(?:之内|以内|内|之后|以后|后(?![天日]))"
)
_TIME = re.compile(
    rf"(?<![0-9.:])(?:({_PERIOD})\s{{0,2}})?(?:([0-9]{{1,2}}):([0-9]{{2}})(?::[0-9]{{2}})?(?![0-9:])"
    rf"|({_NUMBER})\s{{0,2}}(点钟?|时(?![间候段]))(半|[一三13]刻|整|{_NUMBER}分?(?!钟))?)"
)
_AFTER_DATE = re.compile(rf"(?:\s{{0,2}}\(\s{{0,2}}{_WEEK}[一二三四五六日天]\s{{0,2}}\))?[\s,、的t]{{0,3}}")
_PART = re.compile(rf"([上下]班)|({_PERIOD})")
_TO = re.compile(r"\s{0,2}[-~–—至到]+\s{0,2}")
_WORK = re.compile(r"[上下]班(?=前|之前|以前)")
_LIMIT = re.compile(r"之?前|以前|左右")
_AGREED_PART = re.compile(rf"(?:(?<=约)|(?<=约定)|(?<=约好)){_PERIOD}")
_AGREED_BEFORE = re.compile(r"(?:约定|约好|约|最迟|不[晚迟]于|延期?[至到]|改[至到为]|推迟[至到])[在于]?\s{0,2}$")
_BOUND_BEFORE = re.compile(r"[于在到至]\s{0,2}$")
_BOUND_AFTER = re.compile(r"\s{0,2}(?:之前|以前|前|回|答复|处理|办结|完成|上门|给)")

_A_DAY = re.compile(r"[今明后天日号月周内/]|星期|礼拜")
_ORDERED_WITHIN = timedelta(days=120)

Found = tuple[datetime, tuple[int, int]]


def parse_when(text: str, now: datetime, calendar: Calendar) -> datetime | None:
    """The instant a text agrees on, None when it names none: 约定今天16:00前, 本周五下班前, 三日内 (S0-4.1.3).

    Among several times the one introduced by 约定, 最迟, 延至 … wins, then one followed by 前, 内, 回复 …, then the
    first. Past explicit dates are returned as they are; the caller decides what they are worth.
    """
    found = find_when(text, now, calendar)
    if not found:
        return None
    folded = fold(text)
    return max(found, key=lambda each: (_weight(folded, each[1]), -each[1][0]))[0]


def find_when(text: str, now: datetime, calendar: Calendar) -> list[Found]:
    """Every time the text names, in order, with its place in the text.

    A bare date means the closing time of that day, a closed day the next open one; 上午, 下午, 晚上 mean the end of
    that part of the day (12:00, closing, 21:00); of a range the end counts. A date without a year is the next one on or
    after ``now``, a bare time the next such time. Hours 1 to 6 without 上午 or a leading zero are afternoon hours.
    三日内 and 三天后 count as terms from ``now``. Not returned: times called past (昨天, 上周), repeated ones (每周五),
    and the date that ends a letter on a line of its own.
    """
    folded = fold(text)
    letter_date, found, done = _letter_date(folded), list[Found](), 0
    for match, read in _matches(folded):
        if match.start() < done:
            continue
        done = match.end()
        instant, done = read(match, _Now(now, calendar))
        if instant is not None and (match.start(), done) != letter_date:
            found.append((instant, (match.start(), done)))
    return found


def ordered_until(text: str, now: datetime, calendar: Calendar) -> datetime:
    """By when an order is to be carried out: the earliest day or limit it names that is to come (S0-4.2.4).

    Where it names none, the closing of the next service day. 每晚10点 is the hour of something else, and a date that would
    be months away is one that has passed.
    """
    folded = fold(text)
    named = [
        when
        for when, (start, end) in find_when(text, now, calendar)
        if utc(now) < utc(when) <= utc(now) + _ORDERED_WITHIN and (_A_DAY.search(folded[start:end]) or _BOUND_AFTER.match(folded, end))
    ]
    closing = calendar.closing(calendar.next_service_day(calendar.local(now).date()))
    assert closing is not None
    return min(named, key=utc, default=closing)


@dataclass(frozen=True, slots=True)
class _Now:
    instant: datetime
    calendar: Calendar

    @property
    def today(self) -> date:
        return self.calendar.local(self.instant).date()


_Reading = tuple[datetime | None, int]
_Reader = Callable[["re.Match[str]", _Now], _Reading]
_DayReader = Callable[["re.Match[str]", date], date | None]


def _matches(text: str) -> Iterator[tuple[re.Match[str], _Reader]]:
    found = [(match, read) for pattern, read in _READERS for match in pattern.finditer(text)]
    yield from sorted(found, key=lambda each: each[0].start())


def _dated(read_day: _DayReader) -> _Reader:
    def read(match: re.Match[str], now: _Now) -> _Reading:
        gap = _AFTER_DATE.match(match.string, match.end())
        after = gap.end() if gap else match.end()
        minutes, end = _read_time(match.string, after)
        day = read_day(match, now.today)
        if day is None:
            return None, end if minutes is not None else match.end()
        if minutes is not None:
            return _at(day, minutes, now.calendar), end
        part = _PART.match(match.string, after)
        return _end_of_part(day, part.group() if part else "", now.calendar), part.end() if part else match.end()

    return read


def _read_past(match: re.Match[str], today: date) -> date | None:
    return None


def _read_full_date(match: re.Match[str], today: date) -> date | None:
    return _date_or_none(*map(number, match.groups()))


def _read_month_day(match: re.Match[str], today: date) -> date | None:
    month, day = (number(group) for group in match.groups() if group)
    years = (_date_or_none(today.year + step, month, day) for step in range(9))
    return next((day for day in years if day and day >= today), None)


def _read_near_day(match: re.Match[str], today: date) -> date | None:
    return today + timedelta(days=_NEAR[match.group()[0]])


def _read_weekday(match: re.Match[str], today: date) -> date | None:
    which, name = match.groups()
    weekday = "一二三四五六日".find(name.replace("天", "日").replace("末", "日"))
    weekday = int(name) - 1 if name.isdigit() else weekday
    if not which:
        return today + timedelta(days=(weekday - today.weekday()) % 7)
    return today + timedelta(days=weekday - today.weekday() + 7 * which.count("下"))


def _read_whole(match: re.Match[str], today: date) -> date | None:
    text = match.group()
    later = text.count("下")
    if "年" in text:
        return date(today.year, 12, 31)
    if "月" in text:
        return _add_months(today.replace(day=1), later + 1) - _ONE_DAY
    return today + timedelta(days=6 - today.weekday() + 7 * later)


def _read_day_of_month(match: re.Match[str], today: date) -> date | None:
    which, day = match.groups()
    first = today.replace(day=1)
    if which:
        month = _add_months(first, which.count("下"))
        return _date_or_none(month.year, month.month, number(day))
    months = (_add_months(first, step) for step in range(3))
    days = (_date_or_none(month.year, month.month, number(day)) for month in months)
    return next((found for found in days if found and found >= today), None)


def _read_relative(match: re.Match[str], now: _Now) -> _Reading:
    digits, plus, half, unit = match.groups()
    amount = number(digits) if digits else 0
    halves = int(half is not None or plus == "个半")
    if amount is None or amount + halves == 0:
        return None, match.end()
    if unit == "月":
        month_later = _add_months(now.today, amount)
        return _end_of_part(month_later, "", now.calendar), match.end()
    minutes = {"小时": 60, "钟头": 60, "分钟": 1}.get(unit)
    if minutes is not None:
        length = timedelta(minutes=amount * minutes + halves * minutes // 2)
        return now.calendar.local(utc(now.instant) + length), match.end()
    days = amount * (7 if unit in ("周", "星期", "礼拜") else 1)
    if not 1 <= days <= _LARGEST["days"]:
        return None, match.end()
    term = Term(days, "working_days" if unit == "工作日" else "calendar_days")
    return due(now.instant, term, now.calendar), match.end()


def _read_bare_time(match: re.Match[str], now: _Now) -> _Reading:
    minutes, end = _read_time(match.string, match.start())
    if minutes is None or not _stands_alone(match):
        return None, match.end()
    instant = _at(now.today, minutes, now.calendar)
    if utc(instant) < utc(now.instant):
        instant = _at(now.today + _ONE_DAY, minutes, now.calendar)
    return instant, end


def _read_part_of_today(match: re.Match[str], now: _Now) -> _Reading:
    instant = _end_of_part(now.today, match.group(), now.calendar)
    if utc(instant) < utc(now.instant):
        instant = _end_of_part(now.calendar.next_service_day(now.today), match.group(), now.calendar)
    return instant, match.end()


_READERS: tuple[tuple[re.Pattern[str], _Reader], ...] = (
    (_PAST, _dated(_read_past)),
    (_RELATIVE, _read_relative),
    (_FULL_DATE, _dated(_read_full_date)),
    (_MONTH_DAY, _dated(_read_month_day)),
    (_SHORT_DATE, _dated(_read_month_day)),
    (_NEAR_DAY, _dated(_read_near_day)),
    (_WEEKDAY, _dated(_read_weekday)),
    (_WHOLE, _dated(_read_whole)),
    (_DAY_OF_MONTH, _dated(_read_day_of_month)),
    (_TIME, _read_bare_time),
    (_WORK, _read_part_of_today),
    (_AGREED_PART, _read_part_of_today),
)


def _read_time(text: str, start: int) -> tuple[int | None, int]:
    first = _TIME.match(text, start)
    if first is None:
        return None, start
    minutes = _minutes(first, first.group(1) or "")
    to = _TO.match(text, first.end())
    last = _TIME.match(text, to.end()) if to else None
    until = _minutes(last, last.group(1) or first.group(1) or "") if last else None
    if minutes is not None and last is not None and until is not None and until > minutes:
        return until, last.end()
    return minutes, first.end()


def _minutes(match: re.Match[str], period: str) -> int | None:
    digits = match.group(2) or match.group(4)
    hour, minute = number(digits), _minute_of(match)
    if hour is None or minute is None or hour > 24 or minute > 59:
        return None
    if not period:
        afternoon = 1 <= hour <= 6 and not digits.startswith("0")
    elif period[0] in "晚夜":
        hour += 24 if hour < 5 else 12 if hour == 12 else 0
        afternoon = hour < 12
    elif period[0] == "中" or period[0] == "正":
        afternoon = hour < 10
    else:
        hour = 0 if period == "凌晨" and hour == 12 else hour
        afternoon = period in ("下午", "午后", "傍晚") and hour < 12
    return (hour + 12 * afternoon) * 60 + minute


def _minute_of(match: re.Match[str]) -> int | None:
    if match.group(3):
        return int(match.group(3))
    rest = match.group(6) or ""
    if rest in ("", "整", "半"):
        return 30 if rest == "半" else 0
    if rest.endswith("刻"):
        return 15 if rest[0] in "一1" else 45
    return number(rest.removesuffix("分"))


def _stands_alone(match: re.Match[str]) -> bool:
    """Whether a time without a date is one: 一点意见 and 两点建议 are not."""
    period, hour, _, spoken, mark, rest = match.groups()
    if period or hour:
        return True
    if rest or mark == "点钟":
        return True
    return spoken != "一" and _LIMIT.match(match.string, match.end()) is not None


def _at(day: date, minutes: int, calendar: Calendar) -> datetime:
    day += timedelta(days=minutes // 1440)
    wall = datetime.combine(day, time(minutes % 1440 // 60, minutes % 60), calendar.zone)
    return calendar.local(utc(wall))


def _end_of_part(day: date, part: str, calendar: Calendar) -> datetime:
    hour = _PART_ENDS.get(part) or _PART_ENDS.get(part[:1]) if part not in ("上班", "下班") else None
    if hour is not None:
        return _at(day, hour * 60, calendar)
    day = day if calendar.is_service_day(day) else calendar.next_service_day(day)
    opening, closing = calendar.opening(day), calendar.closing(day)
    assert opening is not None and closing is not None
    return opening if part == "上班" else closing


def _date_or_none(year: int | None, month: int | None, day: int | None) -> date | None:
    try:
        return date(year, month or 0, day or 0) if year and 1970 <= year < 2200 else None
    except ValueError:
        return None


def _add_months(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    following = date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
    return date(year, month + 1, min(day.day, (following - _ONE_DAY).day))


def _letter_date(text: str) -> tuple[int, int] | None:
    """Where the last line lies, if there are others: a date that fills it is the date of the letter."""
    end = len(text.rstrip())
    line = text.rfind("\n", 0, end)
    if line < 0 or not text[:line].strip():
        return None
    return line + len(text[line:end]) - len(text[line:end].lstrip()), end


def _weight(text: str, span: tuple[int, int]) -> int:
    before, after = text[max(span[0] - 6, 0) : span[0]], text[span[1] : span[1] + 4]
    if _AGREED_BEFORE.search(before):
        return 3
    if _BOUND_AFTER.match(after) or text[span[1] - 1] == "内":
        return 2
    return 1 if _BOUND_BEFORE.search(before) and not after.startswith("起") else 0
