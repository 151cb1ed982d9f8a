"""Terms, due instants, pauses, chasers, and times read from Chinese text."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kefud.desk.calendar import Calendar
from kefud.desk.deadlines import (
    Pause,
    Term,
    due,
    due_with_pauses,
    elapsed,
    find_when,
    fraction_point,
    intervals,
    next_step,
    parse_term,
    parse_when,
    service_time_between,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
CALENDAR = Calendar.build(
    public_holidays=["2025-04-04", "2025-04-05", "2025-04-06", *(date(2025, 5, day) for day in range(1, 6))],
    makeup_working_days=["2025-04-27"],
)
PARIS = Calendar.build(timezone="Europe/Paris", holiday_hours="closed", builtin=False, public_holidays=["2025-05-01"])
CLOSED_ON_SUNDAYS = Calendar.build(
    service_hours={"mon-fri": ["08:30-12:00", "13:00-17:00"], "sat": ["09:00-17:00"]}, holiday_hours="closed"
)
UNITS = ["clock_minutes", "clock_hours", "service_minutes", "service_hours", "calendar_days", "working_days"]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


instants = st.timedeltas(timedelta(), timedelta(days=500)).map(lambda later: at("2025-01-01T00:00") + later)
terms = st.builds(Term, st.integers(1, 40), st.sampled_from(UNITS))
calendars = st.sampled_from([CALENDAR, PARIS, CLOSED_ON_SUNDAYS])


# Terms


@pytest.mark.parametrize("calendar", [CALENDAR, PARIS, CLOSED_ON_SUNDAYS])
@pytest.mark.parametrize("unit", UNITS)
def test_terms_run_over_the_end_of_32_bits_as_over_any_night(calendar: Calendar, unit: str) -> None:
    """2038-01-19T03:14:08Z lies in the night from Monday to Tuesday, as 2037-01-20T03:14:08Z does."""
    there, before = (datetime(year, 1, day, 16, 0, tzinfo=calendar.zone) for year, day in ((2038, 18), (2037, 19)))
    term = Term(2, unit)  # type: ignore[arg-type]
    assert due(there, term, calendar) - there == due(before, term, calendar) - before


@pytest.mark.parametrize(
    ("text", "amount", "unit", "note"),
    [
        ("30 service_minutes", 30, "service_minutes", ""),
        ("15 clock_minutes", 15, "clock_minutes", ""),
        ("8 clock_hours", 8, "clock_hours", ""),
        ("8 service_hours", 8, "service_hours", ""),
        ("1 calendar_day", 1, "calendar_days", ""),
        ("1 calendar_days (unless a time was agreed)", 1, "calendar_days", "(unless a time was agreed)"),
        ("3 working_days from transfer", 3, "working_days", "from transfer"),
        ("3 calendar_days after verification", 3, "calendar_days", "after verification"),
    ],
)
def test_a_term_is_read_with_its_explanation(text: str, amount: int, unit: str, note: str) -> None:
    term = parse_term(text)
    assert (term.amount, term.unit, term.note) == (amount, unit, note)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "30", "service_minutes", "30 minutes", "-3 working_days", "0 clock_hours", "1.5 clock_hours",
     "3 working_days 5 clock_hours", "99999 calendar_days", "8 clock_days", "Tue, Thu, Sat 10:00"],
)  # fmt: skip
def test_anything_else_is_no_term(text: str) -> None:
    with pytest.raises(ValueError, match="term"):
        parse_term(text)


# Due instants


@pytest.mark.parametrize(
    ("start", "term", "expected"),
    [
        # attitude complaint by mail, Monday morning
        ("2025-03-03T09:05:10", "30 service_minutes", "2025-03-03T09:35:10"),
        ("2025-03-03T09:05:10", "8 clock_hours", "2025-03-03T17:05:10"),
        ("2025-03-03T09:05:10", "3 calendar_days", "2025-03-06T17:00"),
        # consultation ten minutes before closing
        ("2025-03-04T16:50", "30 service_minutes", "2025-03-05T08:50"),
        ("2025-03-04T16:50", "4 service_hours", "2025-03-05T13:20"),
        ("2025-03-04T16:50", "1 calendar_days", "2025-03-05T17:00"),
        # relay of the property company: three days end on a Saturday
        ("2025-03-05T14:30", "30 service_minutes", "2025-03-05T15:00"),
        ("2025-03-05T14:30", "3 calendar_days", "2025-03-08T17:00"),
        ("2025-03-06T11:20", "30 service_minutes", "2025-03-06T11:50"),
        # design problem: Qingming lies inside the three working days
        ("2025-04-02T09:40", "30 service_minutes", "2025-04-02T10:10"),
        ("2025-04-02T09:40", "3 working_days from transfer", "2025-04-08T17:00"),
        # burst pipe before opening
        ("2025-03-10T07:50:33", "2 clock_hours", "2025-03-10T09:50:33"),
        # unsatisfied at the return visit, missed call before closing
        ("2025-03-12T15:05", "7 calendar_days", "2025-03-19T17:00"),
        ("2025-03-12T16:48", "30 service_minutes", "2025-03-13T08:48"),
        # complaint box
        ("2025-03-11T10:00", "30 service_minutes", "2025-03-11T10:30"),
        ("2025-03-11T10:00", "8 clock_hours", "2025-03-11T18:00"),
        ("2025-03-11T10:00", "3 calendar_days", "2025-03-14T17:00"),
        ("2025-03-13T10:00", "1 calendar_days", "2025-03-14T17:00"),
        ("2025-03-13T10:00", "15 clock_minutes", "2025-03-13T10:15"),
        ("2025-03-13T10:00", "4 clock_hours", "2025-03-13T14:00"),
        ("2025-03-13T10:00", "24 clock_hours", "2025-03-14T10:00"),
        # S4-4.1.1: across lunch; S4-4.1.2: leak on a Saturday night; S1-5.6.3: a make-up working Sunday
        ("2025-03-03T11:45", "30 service_minutes", "2025-03-03T13:15"),
        ("2025-03-08T22:40", "5 clock_minutes", "2025-03-08T22:45"),
        ("2025-03-08T22:40", "2 clock_hours", "2025-03-09T00:40"),
        ("2025-04-25T10:00", "3 working_days", "2025-04-29T17:00"),
        # edges of windows
        ("2025-03-03T08:30", "30 service_minutes", "2025-03-03T09:00"),
        ("2025-03-03T12:00", "30 service_minutes", "2025-03-03T13:30"),
        ("2025-03-03T17:00", "30 service_minutes", "2025-03-04T09:00"),
        ("2025-03-03T16:30", "30 service_minutes", "2025-03-03T17:00"),
        ("2025-03-07T16:50", "30 service_minutes", "2025-03-08T09:20"),
        ("2025-03-03T23:59", "1 calendar_days", "2025-03-04T17:00"),
    ],
)
def test_terms_end_when_the_service_rules_say(start: str, term: str, expected: str) -> None:
    assert due(at(start), parse_term(term), CALENDAR) == at(expected)


def test_a_closed_last_day_moves_to_the_next_open_one() -> None:
    assert due(at("2025-03-06T10:00"), Term(3, "calendar_days"), CLOSED_ON_SUNDAYS) == at("2025-03-10T17:00")


def test_working_days_end_at_the_office_closing_of_the_setting() -> None:
    calendar = Calendar.build(office_closing="17:30")
    assert due(at("2025-03-03T10:00"), Term(1, "working_days"), calendar) == at("2025-03-04T17:30")


def test_a_mail_stamped_in_another_zone_has_the_same_deadline() -> None:
    start = datetime(2025, 3, 4, 8, 50, tzinfo=UTC)
    result = due(start, Term(1, "calendar_days"), CALENDAR)
    assert (result, str(result.tzinfo)) == (at("2025-03-05T17:00"), "Asia/Shanghai")


def test_clock_hours_are_real_hours_when_clocks_change() -> None:
    start = datetime(2025, 3, 29, 20, 0, tzinfo=PARIS.zone)
    assert due(start, Term(8, "clock_hours"), PARIS) == datetime(2025, 3, 30, 5, 0, tzinfo=PARIS.zone)


def test_a_start_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        due(datetime(2025, 3, 4, 9, 0), Term(8, "clock_hours"), CALENDAR)  # noqa: DTZ001


@given(instants, terms, calendars)
def test_a_deadline_lies_after_its_start(start: datetime, term: Term, calendar: Calendar) -> None:
    assert due(start, term, calendar) > start


@given(instants, st.timedeltas(timedelta(), timedelta(days=5)), terms, calendars)
def test_who_comes_later_is_due_no_earlier(start: datetime, later: timedelta, term: Term, calendar: Calendar) -> None:
    assert due(start, term, calendar) <= due(start + later, term, calendar)


@given(instants, st.integers(1, 3000), calendars)
def test_service_time_ends_within_a_window_and_measures_back(start: datetime, minutes: int, calendar: Calendar) -> None:
    end = due(start, Term(minutes, "service_minutes"), calendar)
    assert any(opening < end <= closing for opening, closing in calendar.windows(end.date()))
    assert service_time_between(start, end, calendar) == timedelta(minutes=minutes)


@given(instants, st.timedeltas(timedelta(), timedelta(days=3)), st.timedeltas(timedelta(), timedelta(days=3)))
def test_service_time_adds_up(start: datetime, first: timedelta, second: timedelta) -> None:
    middle, end = start + first, start + first + second
    parts = service_time_between(start, middle, CALENDAR) + service_time_between(middle, end, CALENDAR)
    assert service_time_between(start, end, CALENDAR) == parts <= first + second


@given(instants, st.integers(1, 20), calendars)
def test_working_days_count_every_office_day_once(start: datetime, days: int, calendar: Calendar) -> None:
    first, last = calendar.local(start).date(), due(start, Term(days, "working_days"), calendar).date()
    between = [first + timedelta(days=step) for step in range(1, (last - first).days + 1)]
    assert sum(map(calendar.is_working_day, between)) == days
    assert calendar.is_working_day(last)


def test_an_addition_takes_next_to_no_time() -> None:
    term = Term(30, "service_minutes")
    due(at("2025-03-04T16:50"), term, CALENDAR)
    begin = time.perf_counter()
    for _ in range(1000):
        due(at("2025-03-04T16:50"), term, CALENDAR)
    assert time.perf_counter() - begin < 0.25


# Progress and chasers


def test_half_of_a_service_term_is_half_of_its_service_time() -> None:
    start, term = at("2025-03-04T16:50"), Term(4, "service_hours")
    end = due(start, term, CALENDAR)
    assert fraction_point(start, end, 0.5, term, CALENDAR) == at("2025-03-05T10:20")
    assert elapsed(start, at("2025-03-05T08:00"), term, CALENDAR) == timedelta(minutes=10)


def test_the_whole_of_a_service_term_is_its_end_even_when_agreed_after_closing() -> None:
    start, agreed = at("2025-03-05T10:00"), at("2025-03-05T20:00")
    assert fraction_point(start, agreed, 1, Term(30, "service_minutes"), CALENDAR) == agreed


def test_half_of_a_term_in_days_is_half_of_the_plain_time() -> None:
    start, term = at("2025-03-03T17:00"), Term(3, "calendar_days")
    end = due(start, term, CALENDAR)
    assert fraction_point(start, end, 0.5, term, CALENDAR) == at("2025-03-05T05:00")
    assert elapsed(start, at("2025-03-04T17:00"), term, CALENDAR) == timedelta(days=1)


def test_nothing_has_run_before_the_start() -> None:
    assert elapsed(at("2025-03-04T10:00"), at("2025-03-04T09:00"), Term(8, "clock_hours"), CALENDAR) == timedelta()


def test_chasers_come_at_half_four_fifths_the_end_and_every_service_day_after() -> None:
    start, term = at("2025-03-05T10:00"), Term(10, "clock_hours")
    steps = [next_step(start, due(start, term, CALENDAR), term, CALENDAR, done) for done in range(6)]
    assert steps == [
        ("50", at("2025-03-05T15:00")),
        ("80", at("2025-03-05T18:00")),
        ("100", at("2025-03-05T20:00")),
        ("+1", at("2025-03-06T08:30")),
        ("+2", at("2025-03-07T08:30")),
        ("+3", at("2025-03-08T09:00")),
    ]


def test_chasers_skip_days_on_which_the_centre_is_closed() -> None:
    start, term = at("2025-03-07T10:00"), Term(1, "calendar_days")
    assert next_step(start, at("2025-03-08T17:00"), term, CLOSED_ON_SUNDAYS, 3) == ("+1", at("2025-03-10T08:30"))


def test_a_deadline_in_the_night_is_chased_at_the_next_opening() -> None:
    start, term = at("2025-03-04T19:00"), Term(8, "clock_hours")
    assert next_step(start, at("2025-03-05T03:00"), term, CALENDAR, 3) == ("+1", at("2025-03-05T08:30"))


@given(instants, terms, calendars)
def test_chasers_never_go_back(start: datetime, term: Term, calendar: Calendar) -> None:
    end = due(start, term, calendar)
    moments = [next_step(start, end, term, calendar, done)[1] for done in range(8)]
    assert moments == sorted(moments)
    assert start <= moments[0] and moments[2] == end and len(set(moments[2:])) == 6


@given(instants, st.integers(1, 2000), st.floats(0, 1), calendars)
def test_points_of_a_service_term_lie_in_service_time(
    start: datetime, minutes: int, part: float, calendar: Calendar
) -> None:
    term = Term(minutes, "service_minutes")
    point = fraction_point(start, due(start, term, calendar), part, term, calendar)
    assert any(opening <= point <= closing for opening, closing in calendar.windows(point.date()))


# Pauses


def pause(start: str, end: str | None) -> Pause:
    return Pause(in_march(start), in_march(end) if end else None, "待补充")


def in_march(text: str) -> datetime:
    return at(f"2025-03-{text}")


NOW = at("2025-03-31T12:00")


@pytest.mark.parametrize(
    ("term", "pauses", "expected"),
    [
        ("8 clock_hours", [], "03T18:00"),
        ("8 clock_hours", [("03T11:00", "03T12:30")], "03T19:30"),
        ("8 clock_hours", [("03T19:00", "03T20:00")], "03T18:00"),
        ("8 clock_hours", [("03T11:00", "03T13:00"), ("03T12:00", "03T14:00")], "03T21:00"),
        ("8 clock_hours", [("03T17:00", "03T19:00"), ("03T19:30", "03T20:30")], "03T21:00"),
        ("4 service_hours", [("03T11:00", "03T14:00")], "03T17:00"),
        ("4 service_hours", [("03T14:30", "04T09:00")], "04T09:30"),
        ("4 service_hours", [("03T12:00", "03T13:00")], "03T15:00"),
        ("3 calendar_days", [("04T10:00", "04T11:00")], "07T17:00"),
        ("3 calendar_days", [("04T16:00", "05T09:00")], "07T17:00"),
        ("3 calendar_days", [("03T11:00", "05T09:00")], "08T17:00"),
        ("3 calendar_days", [("03T11:00", "03T15:00")], "06T17:00"),
        ("3 calendar_days", [("06T11:00", "07T10:00"), ("07T11:00", "08T10:00")], "06T17:00"),
        ("3 working_days", [("06T16:00", "10T09:00")], "06T17:00"),
        ("5 working_days", [("07T16:00", "10T09:00")], "11T17:00"),
        ("5 working_days", [("08T10:00", "09T10:00")], "10T17:00"),
        ("8 clock_hours", [("03T11:00", None)], "31T19:00"),
    ],
)
def test_paused_time_moves_the_end(term: str, pauses: list[tuple[str, str | None]], expected: str) -> None:
    held = [pause(*each) for each in pauses]
    assert due_with_pauses(in_march("03T10:00"), parse_term(term), CALENDAR, held, NOW) == in_march(expected)


spans = st.tuples(instants, st.timedeltas(timedelta(), timedelta(days=4)))


@given(instants, terms, st.lists(spans, max_size=4), calendars)
def test_a_pause_never_shortens_a_term(
    start: datetime, term: Term, held: list[tuple[datetime, timedelta]], calendar: Calendar
) -> None:
    pauses = [Pause(begin, begin + length, "") for begin, length in held]
    now = at("2027-01-01T00:00")
    moved = due_with_pauses(start, term, calendar, pauses, now)
    assert moved >= due(start, term, calendar) == due_with_pauses(start, term, calendar, [], now)
    assert moved == due_with_pauses(start, term, calendar, pauses[::-1] + pauses, now)


# The account


def account(start: str, term: str, calendar: Calendar = CALENDAR) -> list[tuple[str, str, bool, str]]:
    parsed = parse_term(term)
    found = intervals(at(start), due(at(start), parsed, calendar), parsed, calendar)
    return [(f"{each.start:%d %H:%M}", f"{each.end:%d %H:%M}", each.counted, each.why) for each in found]


def test_a_service_term_is_accounted_window_by_window() -> None:
    assert account("2025-03-04T16:50", "4 service_hours") == [
        ("04 16:50", "04 17:00", True, "工作时间"),
        ("04 17:00", "05 08:30", False, "下班"),
        ("05 08:30", "05 12:00", True, "工作时间"),
        ("05 12:00", "05 13:00", False, "午休"),
        ("05 13:00", "05 13:20", True, "工作时间"),
    ]


def test_makeup_and_holiday_hours_are_named() -> None:
    reasons = [why for *_, counted, why in account("2025-04-26T16:00", "2 service_hours") if counted]
    assert reasons == ["周末值班", "调休上班"]
    assert "节假日值班" in [why for *_, why in account("2025-05-01T16:00", "30 service_minutes")]


def test_a_holiday_inside_working_days_is_accounted() -> None:
    assert account("2025-04-02T09:40", "3 working_days") == [
        ("02 09:40", "03 00:00", False, "当日不计"),
        ("03 00:00", "04 00:00", True, "第1个工作日"),
        ("04 00:00", "07 00:00", False, "节假日"),
        ("07 00:00", "08 00:00", True, "第2个工作日"),
        ("08 00:00", "08 17:00", True, "第3个工作日"),
    ]


def test_a_makeup_day_is_named_in_the_account() -> None:
    whys = [why for *_, why in account("2025-04-25T10:00", "3 working_days")]
    assert whys == ["当日不计", "周末", "第1个工作日(调休上班)", "第2个工作日", "第3个工作日"]


def test_a_shift_from_a_closed_day_is_accounted() -> None:
    whys = [(why, counted) for *_, counted, why in account("2025-03-07T10:00", "2 calendar_days", CLOSED_ON_SUNDAYS)]
    assert whys == [("当日不计", False), ("第1日", True), ("第2日", True), ("顺延", False)]


def test_clock_time_is_one_stretch() -> None:
    assert account("2025-03-03T09:00", "8 clock_hours") == [("03 09:00", "03 17:00", True, "连续计时")]


@given(instants, terms, calendars)
def test_the_account_has_no_gaps_and_counts_the_term(start: datetime, term: Term, calendar: Calendar) -> None:
    end = due(start, term, calendar)
    account = intervals(start, end, term, calendar)
    assert (account[0].start, account[-1].end) == (start, end)
    assert all(one.end == other.start for one, other in pairwise(account))
    assert all(one.start.astimezone(UTC) < one.end.astimezone(UTC) for one in account)
    if not term.in_days:
        lengths = [one.end.astimezone(UTC) - one.start.astimezone(UTC) for one in account if one.counted]
        assert sum(lengths, timedelta()) == term.length
    else:
        assert sum(one.counted for one in account) == term.amount


# Times in Chinese text, read on Wednesday 5 March 2025, 10:00


TALK = at("2025-03-05T10:00")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今天16:00前", "2025-03-05T16:00"),
        ("需问会所,约定今天16:00前回电", "2025-03-05T16:00"),
        ("约定4月24日10:00前回复", "2025-04-24T10:00"),
        ("明天上午十点", "2025-03-06T10:00"),
        ("后天下午3点半", "2025-03-07T15:30"),
        ("本周五下班前", "2025-03-07T17:00"),
        ("下周一", "2025-03-10T17:00"),
        ("周二", "2025-03-11T17:00"),
        ("周三", "2025-03-05T17:00"),
        ("下下周三上午九点三十分", "2025-03-19T09:30"),
        ("3月8日前", "2025-03-08T17:00"),
        ("2月28日", "2026-02-28T17:00"),
        ("2月29日", "2028-02-29T17:00"),
        ("2025年3月8日17时", "2025-03-08T17:00"),
        ("二〇二五年三月八日", "2025-03-08T17:00"),
        ("2024年3月8日", "2024-03-08T17:00"),
        ("5月3号", "2025-05-03T17:00"),
        ("月底前", "2025-03-31T17:00"),
        ("下月底", "2025-04-30T17:00"),
        ("年底前", "2025-12-31T17:00"),
        ("本周内", "2025-03-09T17:00"),
        ("15日前", "2025-03-15T17:00"),
        ("2日前", "2025-04-02T17:00"),
        ("2025-03-08 17:00", "2025-03-08T17:00"),
        ("2025/3/8 9:30:00", "2025-03-08T09:30"),
        ("3/8", "2025-03-08T17:00"),
        ("4.24", "2025-04-24T17:00"),
        ("周五下午", "2025-03-07T17:00"),
        ("周五上午", "2025-03-07T12:00"),
        ("周五上班前", "2025-03-07T08:30"),
        ("三日内", "2025-03-08T17:00"),
        ("3个工作日内", "2025-03-10T17:00"),
        ("两周内", "2025-03-19T17:00"),
        ("一个月内", "2025-04-05T17:00"),
        ("24小时内", "2025-03-06T10:00"),
        ("半小时内", "2025-03-05T10:30"),
        ("一个半小时后", "2025-03-05T11:30"),
        ("十点半", "2025-03-05T10:30"),
        ("两点一刻", "2025-03-05T14:15"),
        ("9点前", "2025-03-06T09:00"),
        ("今晚8点", "2025-03-05T20:00"),
        ("今晚12点前", "2025-03-06T00:00"),
        ("中午12点", "2025-03-05T12:00"),
        ("凌晨两点", "2025-03-06T02:00"),
        ("今天03:00", "2025-03-05T03:00"),
        ("今天3点", "2025-03-05T15:00"),
        ("上午9:00-11:00上门", "2025-03-05T11:00"),
        ("3月22日(周六)下午2:00", "2025-03-22T14:00"),
        ("下班前回复", "2025-03-05T17:00"),
        ("约定下午回电", "2025-03-05T17:00"),
        ("週五下午三點", "2025-03-07T15:00"),
        ("後天上午９：３０", "2025-03-07T09:30"),
        ("２０２５年３月８日", "2025-03-08T17:00"),
    ],
)
def test_agreed_times_are_read(text: str, expected: str) -> None:
    assert parse_when(text, TALK, CALENDAR) == at(expected)


@pytest.mark.parametrize(
    "text",
    [
        "", "漏水了", "昨天晚上七点多我从西门进小区", "上周五下午三点", "三天都没人擦", "一点意见,有两点建议",
        "早一点来", "近三日内漏水三次", "每周五下午3点", "3号楼2单元501", "KF20250306-0011", "138-0000-0201",
        "客联〔2025〕001号", "300元", "12.50元", "2月30日", "13月5日", "25:61", "一半以上,1/2的住户", "9999周内",
        "0001年1月1日",
    ],
)  # fmt: skip
def test_what_is_no_time_is_not_read(text: str) -> None:
    assert parse_when(text, TALK, CALENDAR) is None


def test_the_agreed_time_wins_over_others() -> None:
    text = "业主反映3月20日起漏水,周五来过,约定明天下午3点上门,三日内回复。"
    assert parse_when(text, TALK, CALENDAR) == at("2025-03-06T15:00")


def test_a_limit_wins_over_a_mere_date() -> None:
    assert parse_when("3月20日的活动,请3月10日前答复", TALK, CALENDAR) == at("2025-03-10T17:00")


def test_every_time_is_found_with_its_place() -> None:
    text = "一、自2025年3月15日起执行;二、3月22日(周六)下午2:00在会所"
    found = find_when(text, TALK, CALENDAR)
    assert [(moment, text[slice(*span)]) for moment, span in found] == [
        (at("2025-03-15T17:00"), "2025年3月15日"),
        (at("2025-03-22T14:00"), "3月22日(周六)下午2:00"),
    ]


def test_the_date_under_a_letter_is_not_an_agreement() -> None:
    assert find_when("秋千断了,请尽快修。\n严填充\n三月十二日\n", TALK, CALENDAR) == []


def test_a_date_on_a_closed_day_means_the_next_open_one() -> None:
    assert parse_when("3月9日前", TALK, CLOSED_ON_SUNDAYS) == at("2025-03-10T17:00")


@given(st.text(alphabet="今明后天上下午周三五日月年点半:/.-0123456789 前内约定\n"), instants)
def test_reading_never_fails_and_places_are_in_order(text: str, now: datetime) -> None:
    ends = [place for _, span in find_when(text, now, CALENDAR) for place in span]
    assert ends == sorted(ends) and all(0 <= place <= len(text) for place in ends)


def test_a_long_letter_is_read_in_time() -> None:
    begin = time.perf_counter()
    for text in ("今天" * 5000, "1" + " " * 50_000, "10:00 " * 5000, "三" * 50_000):
        find_when(text, TALK, CALENDAR)
    assert time.perf_counter() - begin < 5
