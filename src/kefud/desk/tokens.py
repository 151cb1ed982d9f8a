"""Keyed tokens that bind a mail to a ticket: in the Message-ID of every letter, in the reply address and
in the address it comes back to.

HMAC-SHA256 cut to 80 bits, base32, compared in constant time; the newest key signs, older ones still verify (S01).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

TOKEN_BITS = 80
_MESSAGE_ID = re.compile(r"<kefud\.t(0|[1-9]\d{0,14})\.([0-9a-z]{6,20})\.([a-z2-7]{16})@[^<>@\s]{1,255}>")
_ANYWHERE = re.compile(r"kefud\.t\d{1,15}\.[0-9a-z]{6,20}\.[a-z2-7]{16}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}")
_ADDRESS = re.compile(r"\+t(0|[1-9]\d{0,14})\.([a-z2-7]{16})@")
_RETURN_ADDRESS = re.compile(r"\+r([1-9]\d{0,14})\.([a-z2-7]{16})@")
_RETURN = "return address"  # no Message-ID has a nonce like this


@dataclass(frozen=True, slots=True)
class Token:
    """A token that verified: the ticket it belongs to, and the Message-ID it came in ("" from a reply address)."""

    ticket: int
    message_id: str = ""


def mac(key: bytes, ticket: int, nonce: str) -> str:
    """The 80-bit code for a ticket and a nonce."""
    digest = hmac.new(key, f"kefud:{ticket}:{nonce}".encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[: TOKEN_BITS // 8]).decode().lower()


def message_id(key: bytes, ticket: int, nonce: str, domain: str) -> str:
    """The Message-ID of a letter, with angle brackets. ``nonce`` is lower-case letters and digits, unique per letter."""
    return f"<kefud.t{ticket}.{nonce}.{mac(key, ticket, nonce)}@{domain}>"


def reply_address(key: bytes, ticket: int, address: str) -> str:
    """``address`` with a keyed tag: kefu+t12.abcdefghijklmnop@example.com."""
    local, _, domain = address.rpartition("@")
    return f"{local}+t{ticket}.{mac(key, ticket, 'reply')}@{domain}"


def return_address(key: bytes, letter: int, address: str) -> str:
    """The envelope sender of one letter, where it comes back to (VERP): kefu+r34.abcdefghijklmnop@example.com."""
    local, _, domain = address.rpartition("@")
    return f"{local}+r{letter}.{mac(key, letter, _RETURN)}@{domain}"


def returned(keys: Sequence[bytes], addresses: Iterable[str]) -> tuple[int, ...]:
    """The letters whose return address is among ``addresses``: only their receivers' servers were told it (S04)."""
    matches = [m for text in addresses if (m := _RETURN_ADDRESS.search(text))]
    return tuple(dict.fromkeys(int(m[1]) for m in matches if _matches(keys, int(m[1]), _RETURN, m[2])))


def verified(keys: Sequence[bytes], message_ids: Iterable[str], addresses: Iterable[str] = ()) -> tuple[Token, ...]:
    """The tokens among Message-IDs and addresses that one of ``keys`` made. Anything else counts for nothing."""
    found: list[Token] = []
    for text in message_ids:
        if (m := _MESSAGE_ID.fullmatch(text.strip())) and _matches(keys, int(m[1]), m[2], m[3]):
            found.append(Token(int(m[1]), text.strip()))
    for text in addresses:
        if (m := _ADDRESS.search(text)) and _matches(keys, int(m[1]), "reply", m[2]):
            found.append(Token(int(m[1])))
    return tuple(dict.fromkeys(found))


def found_in(text: str) -> tuple[str, ...]:
    """Whatever in a text has the form of our Message-IDs, with angle brackets. Nothing is said of whether one is genuine."""
    return tuple(dict.fromkeys(f"<{match[0]}>" for match in _ANYWHERE.finditer(text)))


def return_addresses_in(text: str) -> tuple[str, ...]:
    """Whatever in a text has the form of our return addresses, from the tag to the @. Nothing is said of whether one is genuine."""
    return tuple(dict.fromkeys(match[0] for match in _RETURN_ADDRESS.finditer(text)))[:20]


def nonce(message_id: str) -> str:
    """The nonce in a Message-ID of ours, "" where it has none."""
    match = _MESSAGE_ID.fullmatch(message_id)
    return match[2] if match else ""


def _matches(keys: Sequence[bytes], ticket: int, nonce: str, given: str) -> bool:
    return any([hmac.compare_digest(mac(key, ticket, nonce), given) for key in keys])
