"""The service calendar: when the centre is open and when the offices work."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kefud.desk.calendar import Calendar

SHANGHAI = ZoneInfo("Asia/Shanghai")
CALENDAR = Calendar.build(
    public_holidays=["2025-04-04", "2025-04-05", "2025-04-06", *(date(2025, 5, day) for day in range(1, 6))],
    makeup_working_days=[date(2025, 4, 27)],
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def hours(calendar: Calendar, day: date) -> list[str]:
    return [f"{start:%H:%M}-{end:%H:%M}" for start, end in calendar.windows(day)]


@pytest.mark.parametrize(
    ("day", "kind", "expected"),
    [
        (date(2025, 3, 3), "working", ["08:30-12:00", "13:00-17:00"]),
        (date(2025, 3, 8), "weekend", ["09:00-17:00"]),
        (date(2025, 4, 4), "holiday", ["09:00-17:00"]),
        (date(2025, 4, 27), "makeup", ["08:30-12:00", "13:00-17:00"]),
    ],
)
def test_each_kind_of_day_has_its_hours(day: date, kind: str, expected: list[str]) -> None:
    assert (CALENDAR.kind_of(day), hours(CALENDAR, day)) == (kind, expected)


def test_holidays_and_makeup_days_are_known_without_being_listed() -> None:
    calendar = Calendar.build()
    assert calendar.kind_of(date(2025, 10, 1)) == "holiday"
    assert calendar.kind_of(date(2025, 9, 28)) == "makeup"
    assert calendar.is_working_day(date(2025, 9, 28))


def test_every_day_is_what_the_library_says_though_only_china_is_loaded() -> None:
    known = subprocess.run([sys.executable, "-c", _KINDS], capture_output=True, text=True, check=True).stdout.split()
    china, one_day = holidays.country_holidays("CN"), timedelta(days=1)
    assert int(known.pop(0)) < 60, "the calendars of other countries are not loaded"
    day = date(2015, 1, 1)
    for kind in known:
        expected = "holiday" if day in china else "working" if day.weekday() < 5 else "makeup" if china.is_working_day(day) else "weekend"
        assert kind == expected, day
        day += one_day
    assert day > date(2028, 1, 1)


_KINDS = """
import sys
from datetime import date, timedelta
from kefud.desk.calendar import Calendar
calendar = Calendar.build()
kinds = [calendar.kind_of(date(2015, 1, 1) + timedelta(days=n)) for n in range(4800)]
print(len([name for name in sys.modules if name.startswith("holidays")]), *kinds)
"""


def test_without_the_builtin_calendar_only_listed_days_are_special() -> None:
    calendar = Calendar.build(builtin=False, public_holidays=["2025-10-02"])
    assert calendar.kind_of(date(2025, 10, 1)) == "working"
    assert calendar.kind_of(date(2025, 10, 2)) == "holiday"


def test_listed_days_override_the_builtin_calendar() -> None:
    calendar = Calendar.build(public_holidays=["2025-09-28"], makeup_working_days=["2025-10-01"])
    assert calendar.kind_of(date(2025, 9, 28)) == "holiday"
    assert calendar.is_working_day(date(2025, 10, 1))
    assert hours(calendar, date(2025, 10, 1)) == ["08:30-12:00", "13:00-17:00"]


def test_office_week_differs_from_service_week() -> None:
    assert CALENDAR.is_service_day(date(2025, 4, 5))
    assert not CALENDAR.is_working_day(date(2025, 4, 5))
    assert CALENDAR.next_service_day(date(2025, 4, 3)) == date(2025, 4, 4)
    assert CALENDAR.next_working_day(date(2025, 4, 3)) == date(2025, 4, 7)


@pytest.mark.parametrize(
    ("moment", "is_open", "opens"),
    [
        ("2025-03-03T08:29:59", False, "2025-03-03T08:30"),
        ("2025-03-03T08:30", True, "2025-03-03T08:30"),
        ("2025-03-03T12:00", False, "2025-03-03T13:00"),
        ("2025-03-03T16:59:59", True, "2025-03-03T16:59:59"),
        ("2025-03-03T17:00", False, "2025-03-04T08:30"),
        ("2025-03-07T20:00", False, "2025-03-08T09:00"),
    ],
)
def test_opening_counts_as_open_and_closing_does_not(moment: str, is_open: bool, opens: str) -> None:
    assert CALENDAR.is_open(at(moment)) is is_open
    assert CALENDAR.next_opening(at(moment)) == at(opens)


def test_an_instant_of_another_zone_is_understood() -> None:
    assert CALENDAR.is_open(datetime(2025, 3, 4, 8, 50, tzinfo=UTC))
    assert CALENDAR.next_opening(datetime(2025, 3, 4, 9, 0, tzinfo=UTC)) == at("2025-03-05T08:30")


def test_an_instant_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        CALENDAR.is_open(datetime(2025, 3, 4, 9, 0))  # noqa: DTZ001


def test_closing_is_the_last_end_of_the_day_and_none_when_closed() -> None:
    calendar = Calendar.build(holiday_hours="closed")
    assert calendar.closing(date(2025, 3, 3)) == at("2025-03-03T17:00")
    assert calendar.closing(date(2025, 10, 1)) is None
    assert not calendar.is_service_day(date(2025, 10, 1))


def test_days_left_out_are_closed() -> None:
    calendar = Calendar.build(service_hours={"tue,thu": ["10:00-11:00"]}, holiday_hours="as tue", makeup_hours="as thu")
    assert [day for day in range(3, 10) if calendar.is_service_day(date(2025, 3, day))] == [4, 6]


def test_special_hours_may_be_a_list() -> None:
    calendar = Calendar.build(holiday_hours=["10:00-12:00"], makeup_hours=["07:00-24:00"])
    assert hours(calendar, date(2025, 10, 1)) == ["10:00-12:00"]
    assert calendar.closing(date(2025, 9, 28)) == at("2025-09-29T00:00")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"timezone": "Asia/Nowhere"}, "not a known time zone"),
        ({"timezone": "../etc/passwd"}, "not a known time zone"),
        ({"service_hours": ["09:00-17:00"]}, "must map days"),
        ({"service_hours": {"mon-fry": ["09:00-17:00"]}}, "unknown days 'mon-fry'"),
        ({"service_hours": {"mon-fri": "09:00-17:00"}}, "must be a list of windows"),
        ({"service_hours": {"mon-fri": ["9-17"]}}, "malformed window '9-17'"),
        ({"service_hours": {"mon-fri": ["09:00-25:00"]}}, "a time that does not exist"),
        ({"service_hours": {"mon-fri": ["09:75-17:00"]}}, "a time that does not exist"),
        ({"service_hours": {"mon-fri": ["17:00-09:00"]}}, "ends before it begins"),
        ({"service_hours": {"mon-fri": ["09:00-12:00", "11:00-17:00"]}}, "overlap"),
        ({"service_hours": {"mon-fri": ["13:00-17:00", "08:30-12:00"]}}, "order of the day"),
        ({"service_hours": {"mon-fri": ["09:00-17:00"], "fri": ["09:00-12:00"]}}, "names fri twice"),
        ({"service_hours": {"mon-fri": []}}, "at least one day"),
        ({"holiday_hours": "sometimes"}, "holiday_hours must be"),
        ({"holiday_hours": "as fri-sat"}, "different hours"),
        ({"makeup_hours": 7}, "makeup_hours must be a list"),
        ({"public_holidays": ["2025-02-30"]}, "not a date"),
        ({"public_holidays": "2025-02-03"}, "must be a list of dates"),
        ({"makeup_working_days": [datetime(2025, 4, 27, tzinfo=UTC)]}, "not a date"),
        ({"public_holidays": ["2025-04-27"], "makeup_working_days": ["2025-04-27"]}, "listed both"),
        ({"office_closing": "late"}, "not a time of day"),
    ],
)
def test_a_malformed_setting_is_named_in_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Calendar.build(**settings)


def test_horizon_is_the_last_year_with_known_makeup_days() -> None:
    builtin = Calendar.build().horizon()
    later = date(builtin.year + 1, 1, 31)
    assert builtin >= date(2025, 12, 31)
    assert Calendar.build(makeup_working_days=[later]).horizon() == date(later.year, 12, 31)
    assert Calendar.build(builtin=False).horizon() == date.min


@given(st.dates(date(1990, 1, 1), date(9990, 1, 1)))
def test_no_year_is_too_far(day: date) -> None:
    assert CALENDAR.kind_of(day) in ("working", "weekend", "holiday", "makeup")
    assert CALENDAR.next_working_day(day) > day


@given(st.timedeltas(timedelta(), timedelta(days=1000)))
def test_the_next_opening_is_open_and_not_past(later: timedelta) -> None:
    moment = at("2025-01-01T00:00") + later
    opening = CALENDAR.next_opening(moment)
    assert opening >= moment
    assert CALENDAR.is_open(opening)
    assert (opening == moment) is CALENDAR.is_open(moment)


def test_windows_follow_summer_time() -> None:
    paris = Calendar.build(timezone="Europe/Paris", builtin=False)
    winter, summer = paris.spans(date(2025, 3, 29))[0], paris.spans(date(2025, 3, 30))[0]
    assert winter[0] == datetime(2025, 3, 29, 8, 0, tzinfo=UTC)
    assert summer[0] == datetime(2025, 3, 30, 7, 0, tzinfo=UTC)


def test_a_window_across_the_change_of_clocks_has_its_real_length() -> None:
    hours = {"mon-sun": ["00:00-06:00"]}
    night = Calendar.build(timezone="Europe/Paris", service_hours=hours, builtin=False)
    lengths = [end - start for day in (29, 30, 31) for start, end in night.spans(date(2025, 3, day))]
    assert lengths == [timedelta(hours=6), timedelta(hours=5), timedelta(hours=6)]


def test_equal_calendars_are_one_key_and_survive_pickling() -> None:
    first, second = Calendar.build(public_holidays=["2025-04-04"]), Calendar.build(public_holidays=["2025-04-04"])
    first.windows(date(2025, 4, 4))
    copy = pickle.loads(pickle.dumps(first))
    assert first == second == copy
    assert len({first, second, copy}) == 1
    assert copy.windows(date(2025, 4, 4)) == first.windows(date(2025, 4, 4))


def test_a_day_is_looked_up_fast_once_it_is_known() -> None:
    CALENDAR.windows(date(2025, 3, 3))
    begin = time.perf_counter()
    for _ in range(1000):
        CALENDAR.windows(date(2025, 3, 3))
    assert time.perf_counter() - begin < 0.05
