"""Mailboxes. From is read strictly, for it decides who speaks (S03); the other lists as well as they go."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kefud.desk.message import Address
from kefud.mime.headers import Headers, clean_name, decode_words, raw_text
from kefud.mime.limits import Limits

_PLAIN = re.compile(r'(?:"([^"\\<>@]*)" {0,3}|([^"\\<>@,;:()\[\]]*))<([^<>@\s,;:()"\\\[\]]+@[^<>@\s,;:()"\\\[\]]+)>')
_ADDR = re.compile(r'[^<>@\s,;:()"\\\[\]]{1,64}@[^<>@\s,;:()"\\\[\]]{1,255}')
_ATEXT = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_TRICKS = re.compile("[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\uff20\ufe6b\uff1c\uff1e]")


@dataclass(frozen=True, slots=True)
class _Box:
    """One entry of a list as it stands: what is outside <> and comments, the comments, the address."""

    phrase: str
    comment: str
    spec: str
    odd: bool


def domain_of(text: str) -> str:
    """The A-label form of a domain in lower case, "" where it is none (RFC 1034, 5890)."""
    text = text.lower()
    if not text.isascii():
        try:
            encoded = text.encode("idna") if len(text) <= 253 else b""
            seen = encoded.decode("idna")
        except (UnicodeError, ValueError):
            return ""
        if seen != text:  # fullwidth letters and dots, ß, joiners: the mapping would make another's domain of them
            return ""
        text = encoded.decode("ascii")
    if len(text) > 253 or not all(_LABEL.fullmatch(label) for label in text.split(".")):
        return ""
    return text


def email_of(spec: str) -> str:
    """``local@domain`` in lower case with an A-label domain, "" where it is no plain addr-spec (RFC 5322 3.4.1)."""
    local, at, domain = spec.strip().rpartition("@")
    if not at or not _ATEXT.fullmatch(local) or local[0] == "." or local[-1] == "." or ".." in local:
        return ""
    domain = domain_of(domain)
    return f"{local.lower()}@{domain}" if domain else ""


def _split(text: str, limit: int) -> list[_Box]:
    """Cut a list at its commas, reading quotes, comments and angles in one pass."""
    boxes: list[_Box] = []
    phrase: list[str] = []
    comment: list[str] = []
    spec: list[str] = []
    quoted = angle = odd = False
    angles = depth = 0
    skip = False
    for char in text + ",":
        if skip:
            skip = False
            (comment if depth else spec if angle else phrase).append(char)
        elif char == "\\" and (quoted or depth):
            skip = True
        elif char == '"' and not depth:
            quoted = not quoted
            odd |= angle
        elif quoted:
            (spec if angle else phrase).append("\x00" if char == "@" else char)
        elif char == "(":
            depth += 1
        elif char == ")":
            odd |= depth == 0
            depth = max(depth - 1, 0)
        elif depth:
            comment.append(char)
        elif char == "<":
            angles += 1
            odd |= angles > 1
            angle = True
        elif char == ">":
            odd |= not angle
            angle = False
        elif char in ",;" and not angle:
            if phrase or spec or comment:
                boxes.append(_box(phrase, comment, spec, odd, angles))
            phrase, comment, spec, odd, angles = [], [], [], False, 0
            if len(boxes) >= limit:
                return boxes
        else:
            odd |= bool(angles) and not angle and not char.isspace()
            (spec if angle else phrase).append(char)
    if quoted or depth or angle:
        boxes.append(_box(phrase, comment, spec, True, angles))
    return boxes


def _box(phrase: list[str], comment: list[str], spec: list[str], odd: bool, angles: int) -> _Box:
    outside, inside = "".join(phrase).strip(), "".join(spec).strip()
    if not angles:
        outside, inside = "", outside
    aside = "".join(comment).strip()
    return _Box(outside, aside, inside, odd or "@" in outside or "@" in aside or "<" in aside)


def _name(text: str) -> str:
    return clean_name(decode_words(text.replace("\x00", "@"), 50))[:200]


def read_list(headers: Headers, field: str, limits: Limits) -> tuple[Address, ...]:
    """The mailboxes of every field of that name, at most ``limits.addresses``; unreadable ones are left out."""
    found: list[Address] = []
    for raw in headers.all(field):
        for address in parse_list(raw_text(raw), limits.addresses - len(found)):
            found.append(address)
    return tuple(found)


def parse_list(text: str, limit: int = 100) -> list[Address]:
    """Mailboxes of one list as well as they can be read."""
    text = text.strip()
    plain = _PLAIN.fullmatch(text)
    if plain:
        email = email_of(plain[3])
        return [Address(_name(plain[1] or plain[2] or ""), email)] if email and limit > 0 else []
    if _ADDR.fullmatch(text):
        email = email_of(text)
        return [Address("", email)] if email and limit > 0 else []
    found = []
    for box in _split(text, limit) if limit > 0 else []:
        email = email_of(box.spec)
        if email and not box.odd:
            found.append(Address(_name(box.phrase or box.comment), email))
    return found


def read_sender(headers: Headers) -> tuple[Address, bool]:
    """The author by From, and whether From is one strict mailbox without tricks.

    Where several mailboxes or a malformed one leave a doubt, ``email`` is "". A comment in From costs the identity.
    """
    values = headers.all("from")
    if not values:
        return Address(), False
    text = raw_text(values[0]).strip()
    plain = _PLAIN.fullmatch(text)
    boxes = [_Box(plain[1] or plain[2] or "", "", plain[3], False)] if plain else _split(text, 10)
    named = [box for box in boxes if "@" in box.spec or box.odd]
    box = (named or boxes or [_Box("", "", "", True)])[0]
    name = _name(box.phrase or box.comment)
    if len(values) > 1 or len(named) > 1 or box.odd:
        return Address(name or _name(box.spec if "@" not in box.spec else "")), False
    email = email_of(box.spec)
    if not email:
        return Address(name or _name(box.spec)), False
    strict = len(boxes) == 1 and "(" not in text.replace(box.phrase, "") and not box.comment
    syntax_ok = strict and not any(char in _outside_quotes(text) for char in "[]:;,")
    tricky = not (text.isascii() and name.isascii() and "=?" not in text) and _is_tricky(text, box.phrase)
    return Address(name, email), syntax_ok and not tricky


def _is_tricky(text: str, phrase: str) -> bool:
    return bool(_TRICKS.search(text) or _TRICKS.search(decode_words(phrase, 50)))


def _outside_quotes(text: str) -> str:
    return "".join(text.replace('\\"', "").split('"')[::2])


def first_email(text: str) -> str:
    """The first thing in ``text`` that is a mail address, "" without one."""
    for match in _ADDR.finditer(text):
        email = email_of(match[0].strip(".,'"))
        if email:
            return email
    return ""
