"""What stands in the cells of a telephone log: instants, durations, numbers, directions, states."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from kefud.api import fold, normalise_phone

from .columns import WORDS

DateOrder = Literal["ymd", "mdy", "dmy"]
Direction = Literal["in", "out", "internal"]
Status = Literal["answered", "missed", "voicemail", "skipped"]

_WRAPPED = re.compile(r"=\s*\"(.*)\"", re.DOTALL)
_WRAPPERS = ("=", "'", '"')
_CLOCK = (
    r"(?:(?P<half>上午|下午|凌晨|早上|中午|傍晚|晚上|am|pm)\s*)?(?P<hour>\d{1,2})[:时点](?P<minute>\d{1,2})"
    r"(?:[:分](?P<second>\d{1,2}))?(?:[.,](?P<fraction>\d{1,9}))?[分秒]?\s*(?P<noon>a\.?m\.?|p\.?m\.?)?"
    r"\s*(?P<zone>z|utc|[+-]\d{2}:?\d{2})?"
)
_WHEN = re.compile(
    r"(?:(?P<y>\d{4})[-/.年](?P<m>\d{1,2})[-/.月](?P<d>\d{1,2})日?|(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<c>\d{4}))"
    r"(?:\s*(?:\(?(?:星期|周)[一二三四五六日天]\)?)?[t,\s]*" + _CLOCK + ")?"
)
_LATE_HALVES = ("下午", "傍晚", "晚上", "pm", "p.m.", "p.m")
_EARLY_HALVES = ("上午", "凌晨", "早上", "am", "a.m.", "a.m")
_YEAR_LAST = re.compile(r"\s*(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?!\d)")
_USUAL = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_DURATION = re.compile(
    r"(?:(\d+)(?:小时|时|h|hours?))?(?:(\d+)(?:分钟?|m|mins?|minutes?))?(?:(\d+(?:\.\d+)?)(?:秒钟?|s|secs?|seconds?))?"
)
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?e\+?\d+")
_SERVICES = frozenset({"110", "112", "114", "119", "120", "122"})
_HIDDEN = re.compile(
    r"匿名|未知|私[人密]|隐藏|保密|无法显示|未显示|anonymous|unknown|private|withheld|unavailable|restricted|null|none"
)

_DIRECTIONS: dict[str, Direction] = {word: name for name, words in WORDS["directions"].items() for word in words}
_DIRECTION_CODES: dict[str, Direction] = {"0": "in", "1": "out", "2": "internal"}
_STATES: dict[str, Status] = {word: name for name, words in WORDS["states"].items() for word in words}


class Unclear(Exception):
    """A cell that cannot be read; the text says in Chinese why."""


def bare(cell: str) -> str:
    """The value of a cell without what exports wrap around it: blanks, tabs, ="…", a leading apostrophe, quotes."""
    text = cell.strip(" \t\r\n\u00a0\u3000\ufeff")
    if text[:1] not in _WRAPPERS:
        return text
    if wrapped := _WRAPPED.fullmatch(text):
        text = wrapped.group(1).strip()
    text = text.removeprefix("'").strip()
    return text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] == '"' else text


def started(text: str, order: DateOrder | None, zone: ZoneInfo) -> datetime:
    """The instant a cell names, in ``zone`` where it has no offset of its own. Raises Unclear."""
    written = fold(text).strip()
    if not written:
        raise Unclear("没有呼叫时间")
    try:
        if _USUAL.fullmatch(written):
            return datetime.fromisoformat(written).replace(tzinfo=zone)
        found = _stamp(written, zone) or _written(written, order, zone)
    except (ValueError, OverflowError, OSError):
        raise Unclear("呼叫时间不存在") from None
    if found is None:
        raise Unclear("看不懂呼叫时间")
    return found


def year_last(text: str) -> tuple[int, int, int] | None:
    """The three numbers of a date such as 03/05/2025, of which nobody can say which is the month."""
    match = _YEAR_LAST.match(fold(text))
    return (int(match.group(1)), int(match.group(2)), int(match.group(3))) if match else None


@lru_cache(maxsize=4096)
def seconds(text: str, unit: float = 1.0) -> int | None:
    """A duration: 81, 81秒, 00:01:21, 1:21, 1分21秒, 1h2m; None for an empty cell. Raises Unclear."""
    written = re.sub(r"\s", "", fold(text))
    if written in ("", "-", "--", "null", "none", "n/a"):
        return None
    if re.fullmatch(r"\d+(?:\.\d+)?", written):
        return round(float(written) * unit) if len(written) < 12 else _no_duration()
    if re.fullmatch(r"(?:\d+:)?\d{1,3}:\d{1,2}(?:\.\d+)?", written):
        parts = [float(part) for part in written.split(":")]
        return round(sum(part * scale for part, scale in zip(reversed(parts), (1, 60, 3600), strict=False)))
    if written.endswith(("ms", "毫秒")) and (number := re.match(r"\d{1,12}", written)):
        return round(int(number.group()) / 1000)
    if (match := _DURATION.fullmatch(written)) and any(match.groups()):
        hours, minutes, rest = (float(part or 0) for part in match.groups())
        return round(hours * 3600 + minutes * 60 + rest)
    return _no_duration()


@lru_cache(maxsize=4096)
def number(text: str) -> str:
    """A telephone number or extension in canonical form; "" where it is hidden, missing or damaged."""
    written = fold(text).strip()
    if not written or _HIDDEN.search(written):
        return ""
    found = normalise_phone(written)
    digits = re.sub(r"[\s()\-]", "", written)
    if not found and (prefixed := re.fullmatch(r"\d(1[3-9]\d{9})", digits)):
        return prefixed.group(1)
    if found or damaged(text):
        return found
    if re.fullmatch(r"[+*#\d]{1,20}", digits):
        return digits
    groups = re.findall(r"(?<!\d)\d{2,6}(?!\d)", written)
    return groups[0] if len(groups) == 1 else ""


def damaged(text: str) -> bool:
    """True for a number a spreadsheet has cut down to 1.38E+10."""
    if "+" not in text and "＋" not in text:
        return False
    written = fold(text).strip()
    return _SCIENTIFIC.fullmatch(written) is not None and not normalise_phone(written)


def direction(text: str, caller: str, callee: str, own: frozenset[str] = frozenset()) -> Direction:
    """In, out or internal: as the cell says, else as the two numbers show."""
    word = _word(text)
    return _direction_word(word) or _by_numbers(caller, callee, own) or _DIRECTION_CODES.get(word, "in")


def status(text: str, talk: int | None, application: str = "") -> tuple[Status, bool]:
    """The state of a call, and whether the word for it was known; unknown ones are judged by the talk time."""
    word = _word(text)
    known = _STATES.get(word) or _state_inside(word)
    if known in ("answered", None) and fold(application) in ("voicemail", "voicemailmain"):
        return "voicemail", True
    return (known, True) if known else ("answered" if talk else "missed", not word and talk is not None)


@lru_cache(maxsize=1024)
def _word(text: str) -> str:
    return re.sub(r"[\W_]+", "", fold(text))


@lru_cache(maxsize=1024)
def _direction_word(word: str) -> Direction | None:
    inside = [known for known in _DIRECTIONS if len(known) > 1 and known in word]
    return _DIRECTIONS.get(word) or _DIRECTIONS.get(max(inside, key=len, default=""))


@lru_cache(maxsize=1024)
def _state_inside(word: str) -> Status | None:
    if word.startswith(("未", "无", "没", "not", "un")):
        return "missed"
    return next((state for known, state in _STATES.items() if len(known) > 1 and known in word), None)


def extension(number: str) -> bool:
    """True for a number of at most four digits inside the house; 110 and the like are outside."""
    return re.fullmatch(r"[*#\d]{1,4}", number) is not None and number not in _SERVICES


def _no_duration() -> int:
    raise Unclear("看不懂时长")


def _by_numbers(caller: str, callee: str, own: frozenset[str]) -> Direction | None:
    if not caller or not callee:
        return None
    from_inside, to_inside = caller in own or extension(caller), callee in own or extension(callee)
    if from_inside:
        return "internal" if to_inside else "out"
    return "in" if to_inside else None


def _stamp(text: str, zone: ZoneInfo) -> datetime | None:
    """Epoch seconds or milliseconds, 20250305090500, or the serial day of a spreadsheet."""
    if re.fullmatch(r"(?:19|20)\d{12}", text):
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=zone)
    if re.fullmatch(r"\d{9,10}(?:\.\d+)?", text):
        return datetime.fromtimestamp(float(text), UTC).astimezone(zone)
    if re.fullmatch(r"\d{12,13}", text):
        return datetime.fromtimestamp(int(text) / 1000, UTC).astimezone(zone)
    if re.fullmatch(r"[3-6]\d{4}\.\d+", text):
        return datetime(1899, 12, 30, tzinfo=zone) + timedelta(seconds=round(float(text) * 86400))
    return None


def _written(text: str, order: DateOrder | None, zone: ZoneInfo) -> datetime | None:
    match = _WHEN.fullmatch(text)
    if match is None or match["hour"] is None:
        return None
    year, month, day = _day(match, order)
    hour = _hour(int(match["hour"]), match["half"] or match["noon"] or "")
    fraction = int((match["fraction"] or "0").ljust(6, "0")[:6])
    minute, second = int(match["minute"]), int(match["second"] or 0)
    offset = _offset(match["zone"]) or zone
    return datetime(year, month, day, hour, minute, second, fraction, offset).astimezone(zone)


def _day(match: re.Match[str], order: DateOrder | None) -> tuple[int, int, int]:
    if match["y"]:
        return int(match["y"]), int(match["m"]), int(match["d"])
    first, second, year = int(match["a"]), int(match["b"]), int(match["c"])
    if first > 12 or (order == "dmy" and second <= 12):
        return year, second, first
    if second <= 12 and order != "mdy":
        raise Unclear("日期里分不清月和日，请设置 date_order")
    return year, first, second


def _hour(hour: int, half: str) -> int:
    if half == "中午":
        return hour + 12 if hour < 10 else hour
    if half in _LATE_HALVES and hour < 12:
        return hour + 12
    return 0 if half in _EARLY_HALVES and hour == 12 else hour


def _offset(text: str | None) -> timezone | None:
    if not text:
        return None
    if text in ("z", "utc"):
        return UTC
    sign = -1 if text[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(text[1:3]), minutes=int(text[-2:])))
