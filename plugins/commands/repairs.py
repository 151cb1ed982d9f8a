"""What a repair leaves for the file of its house: what it cost, and until when it is under warranty (S1-4.2.7)."""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from kefud.api import Site, fold, number

FILED = ("cost", "warranty")
"""What a report names for the file only: alone it does not say that anything was done."""

_MONEY = re.compile(r"(?:人民币|[¥￥])?\s?(\d{1,9}(?:\.\d{1,2})?)\s?(?:元|块)?(?:整)?")
_TERM = re.compile(r"([0-9]{1,3}|[一二两三四五六七八九十]{1,3})\s?(年|个月)")
_DATE = re.compile(r"(?:至|到)?\s?(20\d\d)[-年/.](\d{1,2})[-月/.](\d{1,2})日?(?:止)?")


def filed(given: Mapping[str, Any], at: datetime, site: Site) -> dict[str, Any]:
    """Cost in yuan and the last day of warranty, as far as the words name them; else the words themselves stay."""
    cost, warranty = str(given.get("cost") or ""), str(given.get("warranty") or "")
    values: dict[str, Any] = {"cost": yuan(cost) or cost} if cost else {}
    if warranty:
        values["warranty"] = last_day(warranty, site.calendar.local(at).date()) or warranty
    return values


def unreadable(given: Mapping[str, Any], at: datetime, site: Site) -> str:
    """Why what a person enters for the file cannot be kept, "" if it can."""
    if given.get("cost") and not yuan(str(given["cost"])):
        return "费用请写金额,如 380 或 380.50"
    if given.get("warranty") and not last_day(str(given["warranty"]), site.calendar.local(at).date()):
        return "保修期请写截止日期或年限,如 2027-03-05、2年、6个月"
    return ""


def yuan(words: str) -> str:
    found = _MONEY.fullmatch(fold(words).replace(",", "").strip(" 。;"))
    return f"{float(found[1]):.2f}" if found else ""


def last_day(words: str, done: date) -> str:
    """The day a text names, or the end of the term it names, counted from the day the work was reported done; ISO or ""."""
    text = fold(words).strip(" ,。;")
    if named := _DATE.fullmatch(text):
        year, month, day = map(int, named.groups())
        known = 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]
        return date(year, month, day).isoformat() if known else ""
    term = _TERM.fullmatch(text)
    amount = number(term[1]) if term else None
    return _later(done, amount * (12 if term[2] == "年" else 1)).isoformat() if term and amount else ""


def _later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
