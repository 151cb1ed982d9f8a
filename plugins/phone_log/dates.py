"""Whether 03/05/2025 is March or May: decided over the whole file, not row by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from .table import Header, Record
from .values import DateOrder, bare, year_last

PEEK = 20


def decide_order(table: Iterable[Record], header: Header, now: datetime, before: str) -> tuple[DateOrder, str]:
    """The order of day and month, and a doubt for the administrator, "" if there is none.

    A number above 12 decides; else the order in which no call lies in the future; else what was decided ``before``.
    """
    dates = set(_dates(table, header))
    if not dates:
        return "ymd", ""
    day_first, month_first = any(a > 12 for a, _, _ in dates), any(b > 12 for _, b, _ in dates)
    if day_first and month_first:
        return "ymd", "日期有的月在前、有的日在前；分不清的行退回，请设置 date_order"
    if day_first or month_first:
        return ("dmy" if day_first else "mdy"), ""
    tomorrow = now.date() + timedelta(days=1)
    past = {order: all(_day(d, order) <= tomorrow for d in dates) for order in ("mdy", "dmy")}
    if past["mdy"] != past["dmy"]:
        return ("mdy" if past["mdy"] else "dmy"), ""
    if before in ("mdy", "dmy"):
        return ("dmy" if before == "dmy" else "mdy"), ""
    return "mdy", "分不清日期里哪个是月，按月/日/年读；请设置 date_order"


def _dates(table: Iterable[Record], header: Header) -> Iterator[tuple[int, int, int]]:
    """The dates with the year last; looks no further where the first rows have none."""
    places = [header.columns.places[c] for c in ("date", "started_at") if c in header.columns.places]
    looked = 0
    found = False
    for record in table:
        if record.line <= header.line or (looked >= PEEK and not found):
            if looked >= PEEK:
                return
            continue
        looked += 1
        for place in places:
            if place < len(record.cells) and (numbers := year_last(bare(record.cells[place]))):
                found = True
                yield numbers


def _day(numbers: tuple[int, int, int], order: str) -> date:
    first, second, year = numbers
    try:
        return date(year, first, second) if order == "mdy" else date(year, second, first)
    except ValueError:
        return date.max
