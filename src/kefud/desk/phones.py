"""Telephone numbers as people and exchanges write them, and what must not be shown of them (S2-5.7, S3-4.3.1).

The canonical form holds digits only: mobiles ``13800000201``, landlines with area code ``02155550101``, an extension
behind a hyphen ``02155550101-801``, foreign numbers with a leading ``+``. Hidden, damaged and absent numbers are "".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from kefud.desk.chinese import fold

_HIDDEN = re.compile(r"匿名|未知|私密|隐藏|保密|未显示|anonymous|unknown|private|withheld|unavailable|restricted")
_FIELD = 200
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−﹣－", "-") | dict.fromkeys("\u00a0\u2002\u2003\u2009\u202f\t", " "))
_SCIENTIFIC = re.compile(r"([1-9])(?:\.([0-9]+))?e\+?([0-9]{1,2})")
_EXTENSION = re.compile(r"([+0-9.-]+)(?:转|分机|ext\.?|x|,|#)(?:分机)?:?([0-9]{1,6})#?")
_HYPHENED_EXTENSION = re.compile(
    r"(0[0-9]{2,3}-?[0-9]{3,4}-?[0-9]{4}|[48]00-?[0-9]{3}-?[0-9]{4}|[2-8][0-9]{6,7})-([0-9]{1,6})"
)
_PLAIN = re.compile(
    r"(?:\+?86|0086)?0?(?P<mobile>1[3-9][0-9]{9})"
    r"|(?:(?:\+|00)86)?(?P<landline>0(?:10|2[0-9])[2-8][0-9]{7}|0[3-9][0-9]{2}[2-8][0-9]{6,7})"
    r"|(?:\+|00)86(?P<bare>(?:10|2[0-9])[2-8][0-9]{7}|[3-9][0-9]{2}[2-8][0-9]{6,7})"
    r"|(?:(?:\+|00)?86)?(?P<free>[48]00[0-9]{7})"
    r"|(?:\+|00)(?P<foreign>[1-9][0-9]{6,14})"
    r"|(?P<local>[2-8][0-9]{6,7})"
    r"|(?P<short>[1-9][0-9]{2,5})"
)

_SEP = "[- ]?"
_MOBILE = (
    rf"1[3-9][0-9](?:[0-9]{{8}}|{_SEP}[0-9]{{4}}{_SEP}[0-9]{{4}}|[- ][0-9]{{3}}[- ][0-9]{{5}}|[0-9]{{2}} [0-9]{{6}}"
    r"|[0-9][- ][0-9]{3}[- ][0-9]{4}(?![- ]?[0-9]))"
)
_AREA = r"(?:\(0[0-9]{2,3}\) ?|0(?:10|2[0-9]|[3-9][0-9]{2})[- ]?)"
_EXT = r"(?: ?(?:转|分机|ext\.?) ?[0-9]{1,6}|-[0-9]{1,5}(?![0-9-]))?"
_PHONE = re.compile(
    rf"(?<![0-9])(?:(?:\+ ?86|0086|(?<![0-9])86)[- ]?)?{_MOBILE}(?![0-9])"
    rf"|(?<![0-9.-]){_AREA}[2-8][0-9]{{2,3}}[- ]?[0-9]{{4}}{_EXT}(?![0-9])"
    r"|(?<![0-9.-])[48]00(?:[- ]?[0-9]{3}[- ]?[0-9]{4}|[- ]?[0-9]{4}[- ]?[0-9]{3})(?![0-9])"
    rf"|(?<=电话)(?:号码)?[:是]? ?[2-8][0-9]{{3}}[- ]?[0-9]{{4}}{_EXT}(?![0-9-])"
)
_LOOSE_MOBILE = re.compile(r"(?<![0-9])1 ?-?[3-9] ?-?[0-9](?:[ -]?[0-9]){8}(?![0-9])")
_NOT_A_PHONE_BEFORE = re.compile(r"(?:[a-z][_-]?|(?:单|编|流水|账|帐|卡|运单|证|证件|合同|发票)号码?[:是]? ?)$")
_PHONE_LETTERS = re.compile(r"(?:tel|phone|mobile|mob|mp)[:.]? ?$")

_IDENTITY = re.compile(
    r"(?<![0-9a-z])[1-9][0-9]{5}[- ]?(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
    r"[- ]?[0-9]{3}[0-9x](?![0-9a-z])"
)
_OLD_IDENTITY = re.compile(r"(?<=身份证)((?:号码?)?[:是]? ?)([1-9][0-9]{14})(?![0-9])")
_BANK_CARD = re.compile(
    r"(?<![0-9a-z])[3-69][0-9]{3}(?:[0-9]{12,15}|(?: [0-9]{4}){3}(?: [0-9]{1,3})?|(?:-[0-9]{4}){3}(?:-[0-9]{1,3})?)"
    r"(?![0-9])"
)


def normalise_phone(text: str) -> str:
    """The number in canonical form, "" when hidden, missing, damaged or not a number at all.

    Takes what exports write: tabs, quotes, ``="…"``, ``+86``, ``0086``, full-width digits, ``13800000201.0``,
    extensions (``转801``), one number among words. ``1.38E+10`` has lost its digits and is "".
    """
    digits = fold(text[:_FIELD]).translate(_DASHES)
    if _HIDDEN.search(digits):
        return ""
    found = _normalise(digits)
    inner = "" if found else _only(match.group() for match in _PHONE.finditer(digits) if _is_phone(match))
    return found or _normalise(inner)


def find_phones(text: str) -> tuple[str, ...]:
    """Every telephone number in free text, canonical, each once, in order; never ids, order numbers, cards or dates.

    A landline without area code is only taken behind the word 电话; short service numbers (12345) never.
    """
    folded = fold(text).translate(_DASHES)
    numbers = (_normalise(match.group().lstrip("号码:是 ")) for match in _PHONE.finditer(folded) if _is_phone(match))
    return tuple(dict.fromkeys(number for number in numbers if number))


def mask_phone(text: str) -> str:
    """The number with its middle hidden: ``138****0001``, ``021****0101``.

    Short numbers (12345, extensions) stay; the digits of what cannot be read are all hidden.
    """
    number = normalise_phone(text)
    if not number:
        return re.sub(r"[0-9]", "*", fold(text)) if re.search(r"\d", text) else text
    main, _, extension = number.partition("-")
    if len(main) <= 6:
        return main
    tail = main[-4:] if len(main) >= 10 else main[-2:]
    area = re.match(r"0(?:10|2[0-9]|[3-9][0-9]{2})", main)
    head = area.group() if area else main[: 3 if len(main) >= 10 else 2]
    return _joined(f"{head}****{tail}", "*" * len(extension))


def mask_personal(text: str) -> str:
    """The text with telephone numbers, identity card numbers and bank cards masked, for outside notices and logs.

    Everything else stays as written. Rather masks an order number that looks like a telephone than lets one through.
    """
    for pattern, mask in _MASKS:
        text = _replace(pattern, mask, text)
    return text


def _normalise(digits: str) -> str:
    inside = re.search(r"<\s*(?:sip:|tel:)?([^<>@]*)[^<>]*>", digits)
    digits = _undo_spreadsheet(re.sub(r"[\s='\"“”‘’()\[\]]", "", inside.group(1) if inside else digits))
    extended = _EXTENSION.fullmatch(digits) or _HYPHENED_EXTENSION.fullmatch(digits)
    if extended is None:
        return _canonical(digits)
    main, extension = _canonical(extended.group(1)), extended.group(2)
    has_extensions = len(main) >= 7 and main[0] not in "+1"
    return _joined(main, extension) if has_extensions else main


def _only(found: Iterable[str]) -> str:
    numbers = list(found)
    return numbers[0] if len(numbers) == 1 else ""


def _undo_spreadsheet(text: str) -> str:
    scientific = _SCIENTIFIC.fullmatch(text)
    if scientific:
        first, rest, power = scientific.group(1), scientific.group(2) or "", int(scientific.group(3))
        return first + rest if len(rest) == power else ""
    return re.sub(r"^([0-9]+)\.0+$", r"\1", text)


def _canonical(text: str) -> str:
    match = _PLAIN.fullmatch(re.sub(r"[-. ]", "", text))
    if match is None or match.lastgroup is None:
        return ""
    return {"bare": "0", "foreign": "+"}.get(match.lastgroup, "") + match.group(match.lastgroup)


def _joined(number: str, extension: str) -> str:
    return f"{number}-{extension}" if number and extension else number


def _is_phone(match: re.Match[str]) -> bool:
    before = match.string[max(match.start() - 10, 0) : match.start()]
    if match.string[match.end() : match.end() + 1] == "@":
        return False
    return _NOT_A_PHONE_BEFORE.search(before) is None or _PHONE_LETTERS.search(before) is not None


def _replace(pattern: re.Pattern[str], mask: Callable[[re.Match[str]], str], text: str) -> str:
    pieces, done = [], 0
    for match in pattern.finditer(fold(text).translate(_DASHES)):
        pieces += [text[done : match.start()], mask(match)]
        done = match.end()
    return "".join([*pieces, text[done:]])


def _mask_found_phone(match: re.Match[str]) -> str:
    lead = re.match(r"[号码:是 ]*", match.group())
    start = lead.end() if lead else 0
    return match.group()[:start] + mask_phone(match.group()[start:])


def _mask_digits(match: re.Match[str]) -> str:
    digits = re.sub(r"[- ]", "", match.group())
    return digits[:4] + "*" * (len(digits) - 8) + digits[-4:].upper()


_MASKS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (_IDENTITY, _mask_digits),
    (_OLD_IDENTITY, lambda match: match.group(1) + match.group(2)[:4] + "*******" + match.group(2)[-4:]),
    (_BANK_CARD, _mask_digits),
    (_PHONE, _mask_found_phone),
    (_LOOSE_MOBILE, _mask_found_phone),
)
