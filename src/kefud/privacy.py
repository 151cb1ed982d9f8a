"""What we hold about one person: to hand out, to take away, to account for (PIPL Art. 45, 47, 57). Pure; the store does the work."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kefud.desk.phones import find_phones, mask_phone, normalise_phone

TOMBSTONE = "〔已删除〕"
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,255}")
_CARD = re.compile(r"(?<![0-9])(?:[1-9][0-9]{16}[0-9Xx]|[0-9]{16,19})(?![0-9])")


@dataclass(frozen=True, slots=True)
class Person:
    """Who is meant: telephone numbers and addresses identify, names only tell whose words to look at."""

    phones: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, given: str) -> Person:
        """A telephone number or a mail address as typed. ValueError for anything else: a name is no identity."""
        text = given.strip()
        if "@" in text:
            return cls(emails=frozenset({text.lower()}))
        phone = normalise_phone(text)
        if len(phone) < 7:
            raise ValueError(f'"{text}" is neither a telephone number nor a mail address')
        return cls(phones=frozenset({phone}))

    def joined(self, phones: Iterable[str], emails: Iterable[str], names: Iterable[str]) -> Person:
        """The same person with what else is known of him."""
        return Person(
            self.phones | {p for p in phones if p}, self.emails | {e.lower() for e in emails if e},
            self.names | {n for n in names if len(n) > 1},
        )  # fmt: skip

    @property
    def marks(self) -> tuple[str, ...]:
        """What identifies, the longest first."""
        return tuple(sorted(self.phones | self.emails, key=len, reverse=True))


def spelled(mark: str) -> re.Pattern[str]:
    """A telephone number or address however it is spaced."""
    body = r"[ \-–—.]{0,2}".join(map(re.escape, mark)) if mark.isdigit() else re.escape(mark)
    return re.compile(body, re.IGNORECASE)


def without(value: Any, words: Sequence[re.Pattern[str]]) -> Any:
    """``value`` (text, or JSON of texts) with every match of ``words`` replaced by the tombstone."""
    if isinstance(value, str):
        for word in words:
            value = word.sub(TOMBSTONE, value)
        return value
    if isinstance(value, Mapping):
        return {without(str(k), words): without(v, words) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [without(v, words) for v in value]
    return value


def for_the_eyes_of(person: Person, value: Any, others: Iterable[str] = ()) -> Any:
    """``value`` as ``person`` may see it: other people's numbers, addresses, cards and the names ``others`` masked."""
    if isinstance(value, str):
        return _masked(person, value, [n for n in others if len(n) > 1 and n not in person.names])
    if isinstance(value, Mapping):
        return {k: for_the_eyes_of(person, v, others) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [for_the_eyes_of(person, v, others) for v in value]
    return value


def _masked(person: Person, text: str, names: Sequence[str]) -> str:
    for phone in find_phones(text):
        if phone not in person.phones:
            text = spelled(phone).sub(mask_phone(phone), text) if phone.isdigit() else text.replace(phone, mask_phone(phone))
    text = _EMAIL.sub(lambda m: m[0] if m[0].lower() in person.emails else f"{m[0][0]}***@***", text)
    text = _CARD.sub(lambda m: f"{m[0][:4]}{'*' * (len(m[0]) - 8)}{m[0][-4:]}", text)
    for name in names:
        text = text.replace(name, name[0] + "*" * (len(name) - 1))
    return text


def digest(mark: str, salt: str) -> str:
    """What the list of erasures keeps of a number or address: enough to know it again, too little to read it."""
    return hashlib.scrypt(mark.encode(), salt=salt.encode(), n=2**12, r=8, p=1, dklen=16).hex()
