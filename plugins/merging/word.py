"""The customer's word on a matter that is on record, without its number: taken back, added to, or done and how well."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from kefud.api import fold, number

LONGEST = 2_000
LONGEST_SURE = 200
"""Characters of a message that says nothing else; in a longer one much may stand beside it."""
_WORDS: dict[str, Any] = tomllib.loads((Path(__file__).parent / "words.toml").read_text("utf-8"))
_NOTE = re.compile(_WORDS["note"])
_CLAUSE = re.compile(r"[^,。;!\n ]+")
_BACK = {
    name: re.compile(words if isinstance(words, str) else "|".join(words)) for name, words in _WORDS["taken_back"].items()
}  # fmt: skip
_MORE = {name: re.compile("|".join(words)) for name, words in _WORDS["more"].items()}
_NUMERAL = "(?:[0-9]{1,2}|[一二三四五六七八九十]{1,3})"
_TOLD = re.compile(
    r"(?:(?P<week>上个?|这个?|本)?(?:周|星期|礼拜)(?P<weekday>[一二三四五六日天])|(?P<ago>大前|前|昨|今)[天日晚]"
    rf"|(?:(?P<month>{_NUMERAL})月)?(?P<day>{_NUMERAL})[日号])(?:早上|上午|中午|下午|晚上|夜里)?{_WORDS['told']['before']}{_WORDS['told']['said']}"
)
_WEEKDAYS = "一二三四五六日"
_AGO = {"今": 0, "昨": 1, "前": 2, "大前": 3}
_AGAIN = {name: re.compile("|".join(words)) for name, words in _WORDS["again"].items()}


@dataclass(frozen=True, slots=True)
class TakenBack:
    """``sure`` where nothing else may be meant. ``about``: the words that say which matter, "" where none do.

    ``outright``: it says so in as many words, and does not only keep us away.
    """

    sure: bool
    about: str
    outright: bool = True


def taken_back(text: str, name: str = "") -> TakenBack | None:
    """Whether a message takes a matter back; None where it does not sound so at all (S3-2.5.4).

    ``name`` is the customer's, who may sign with it.
    """
    words = fold(text[:LONGEST])
    words = words.replace(fold(name), " ") if name else words
    clauses = [_NOTE.sub("", clause) for clause in _CLAUSE.findall(words)]
    meant = {kind: [c for c in clauses if _BACK[kind].search(c)] for kind in ("outright", "stays_away", "settled")}
    outright, away = ([c for c in meant[kind] if not _BACK["not_so"].search(c)] for kind in ("outright", "stays_away"))
    if not outright and not away:
        return None
    sure = bool(outright or meant["settled"]) and len(words) <= LONGEST_SURE and not _BACK["in_doubt"].search(words)
    named = " ".join(c for c in clauses if not _BACK["polite"].search(c))
    for kind in ("outright", "stays_away", "settled"):
        named = " ".join(_BACK[kind].sub(" ", c) for c in named.split())
    return TakenBack(sure, " ".join(_BACK["filler"].sub(" ", named).split()), bool(outright))


def says_more(text: str) -> bool:
    """Whether a message says outright that it adds to a matter on record: 那张单子补充个情况."""
    return bool(_MORE["adds"].search(fold(text[:LONGEST])))


def tells_result(text: str) -> str:
    """What a message tells to be done, to the writer's content and nothing else: 门框固定好了,没啥意见; "" where it does not."""
    words = fold(text[:LONGEST])
    if len(words) > LONGEST_SURE or _BACK["in_doubt"].search(words) or _MORE["amiss"].search(words):
        return ""
    done = _MORE["done"].search(words)
    return words[: done.end()] if done and _MORE["content"].search(words) else ""


def again(text: str) -> bool | None:
    """True where a matter that was done is told to be as before, None where it is only told to be so again."""
    words = fold(text[:LONGEST])
    if not _AGAIN["as_before"].search(words):
        return False
    return True if _AGAIN["done"].search(words) else None


def told_on(text: str, today: date) -> date | None:
    """The day on which the writer says he brought the matter before: 上周五发邮件说的; None where he names none."""
    found = _TOLD.search(fold(text[:LONGEST]))
    if found is None:
        return None
    if found["ago"]:
        return today - timedelta(days=_AGO[found["ago"]])
    if found["weekday"]:
        return _weekday(_WEEKDAYS.index(found["weekday"].replace("天", "日")), found["week"] or "", today)
    return _day(number(found["month"]) if found["month"] else None, number(found["day"]) or 0, today)


def _weekday(weekday: int, week: str, today: date) -> date:
    """The day of that name in the week before, in this week, or the last one there was."""
    monday = today - timedelta(days=today.weekday())
    day = monday + timedelta(days=weekday - (7 if week.startswith("上") else 0))
    return day if day <= today else day - timedelta(days=7)


def _day(month: int | None, day: int, today: date) -> date | None:
    """The last such day there was."""
    last = today.replace(day=1) - timedelta(days=1)
    years = [(today.year, month), (today.year - 1, month)] if month else [(today.year, today.month), (last.year, last.month)]
    for year, which in years:
        try:
            found = date(year, which or 0, day)
        except ValueError:
            continue
        if found <= today:
            return found
    return None
