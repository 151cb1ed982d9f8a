"""A mail that answers several orders, taken apart: which words belong to which number (S1-4.3.6)."""

from __future__ import annotations

import re

NOTICE = re.compile(r"客联\s?[〔\[【(（]\s?(20[0-9]{2})\s?[〕\]】)）]\s?第?\s?([0-9]{1,6})\s?号")
"""The number of a notice as departments write it."""
_TICKET = r"(?<![0-9A-Za-z])KF(\d{8})[-－—]?(\d{4,6})(?!\d)"
_MARK = r"(?:[-*·•]|[(（]?(?:\d{1,2}|[一二三四五六七八九十]{1,2})[.、．)）])?"
_HEAD = re.compile(
    rf"(?:^|(?<=[\n;；。]))[ \t\u3000]*{_MARK}[ \t\u3000]*(?:关于|对于?|针对|就)?(?:贵(?:司|中心)|你(?:们|中心))?"
    rf"(?:工作)?(?:联系单|工单)?[《【\[(（]?(?:编?号)?[:：]?[ \t]?(?:{NOTICE.pattern}|{_TICKET})[》】\])）]?(?:工作)?(?:联系单|工单)?",
    re.MULTILINE | re.IGNORECASE,
)
_AND = re.compile(rf"[\s、,，和及与]{{0,3}}(?:{NOTICE.pattern}|{_TICKET})", re.IGNORECASE)
_EDGE = " \t\r\n\u3000:：,，;；。"


def notice_numbers(text: str) -> tuple[str, ...]:
    """The numbers of notices a text names, as they are printed, each once and in order."""
    return tuple(dict.fromkeys(_notice(m[1], m[2]) for m in NOTICE.finditer(text)))


def passages(text: str) -> tuple[str, tuple[tuple[tuple[str, ...], str], ...]]:
    """What stands before the first number, and for each line or sentence that begins with numbers these and its words.

    Numbers are those of tickets or notices, as printed. Numbers without words of their own have what stands before.
    """
    heads: list[tuple[int, tuple[str, ...], int]] = []
    for head in _HEAD.finditer(text):
        if heads and head.start() < heads[-1][2]:
            continue
        numbers, end = [_number(*head.groups())], head.end()
        while more := _AND.match(text, end):
            numbers.append(_number(*more.groups()))
            end = more.end()
        heads.append((head.start(), tuple(dict.fromkeys(numbers)), end))
    if not heads:
        return text.strip(), ()
    before = text[: heads[0][0]].strip(_EDGE)
    ends = [*(start for start, *_ in heads[1:]), len(text)]
    return before, tuple((named, text[end:until].strip(_EDGE) or before) for (_, named, end), until in zip(heads, ends, strict=True))


def _number(year: str | None, number: str | None, day: str | None, count: str | None) -> str:
    return _notice(year, number) if year and number else f"KF{day}-{count}"


def _notice(year: str, number: str) -> str:
    return f"客联〔{year}〕{int(number):03d}号"
