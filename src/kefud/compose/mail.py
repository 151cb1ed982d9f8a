"""A draft becomes the bytes of a mail (RFC 5322): CRLF, seven bits, nothing a stranger wrote can become a header (S10).

Written by hand because EmailMessage takes several times as long; the tests read every kind of mail back with the standard
library's strict policy.
"""

from __future__ import annotations

import re
import unicodedata
from binascii import b2a_base64
from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime
from hashlib import sha256
from typing import Literal
from urllib.parse import quote

from kefud.compose.letters import Draft
from kefud.desk.message import Address, is_address
from kefud.errors import KefudError

Automatic = Literal["auto-replied", "auto-generated", ""]
File = tuple[str, str, bytes]

LONGEST_SUBJECT = 200
LONGEST_FILE_NAME = 120
MOST_REFERENCES = 20

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_TEXT_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]+")
_SURROGATES = re.compile("[\ud800-\udfff]")
_ID = re.compile(r"<[!-;=?-~]{1,250}>")
_NOT_IN_NAMES = ("Cc", "Cf", "Cs", "Zl", "Zp")
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,75}")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,60}/[a-z0-9][a-z0-9.+-]{0,80}")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_OURS = {"from", "to", "cc", "bcc", "subject", "date", "message-id", "in-reply-to", "references", "reply-to", "mime-version"}


class LetterFault(KefudError):
    """A letter cannot be put into a mail: a bad address, id or header name. Trying again does not help."""


def build_mail(
    draft: Draft,
    *,
    sender: Address,
    to: Sequence[Address],
    cc: Sequence[Address] = (),
    reply_to: str = "",
    message_id: str,
    date: datetime,
    in_reply_to: str = "",
    references: Sequence[str] = (),
    automatic: Automatic = "",
    files: Sequence[File] = (),
    headers: Sequence[tuple[str, str]] = (),
    printed: bool = False,
) -> bytes:
    """The mail, ready for a transport. Raises LetterFault for an address or id that must not go on the wire.

    Only a letter that is ``printed`` may go to somebody who has no address.
    """
    if not to and not printed:
        raise LetterFault("the letter has no recipient")
    if not _ID.fullmatch(message_id):
        raise LetterFault(f"{message_id!r} is no Message-ID")
    lines = [
        f"From: {_mailbox(sender)}",
        f"To: {_mailboxes(to) if to else 'undisclosed-recipients:;'}",
        *([f"Cc: {_mailboxes(cc)}"] if cc else []),
        f"Subject: {_words(_line(draft.subject)[:LONGEST_SUBJECT], 9)}",
        f"Date: {format_datetime(date)}",
        f"Message-ID: {message_id}",
        *_thread(in_reply_to, references),
        *([f"Reply-To: {_email(reply_to)}"] if reply_to else []),
        *([f"Auto-Submitted: {automatic}", "X-Auto-Response-Suppress: All"] if automatic else []),
        *(_header(name, value) for name, value in headers),
        "MIME-Version: 1.0",
    ]
    head = "\r\n".join(lines).encode("ascii")
    return head + b"\r\n" + _content(draft, files, message_id)


def _content(draft: Draft, files: Sequence[File], message_id: str) -> bytes:
    seed = sha256(message_id.encode("ascii")).hexdigest()
    text = _text_part(draft.text, "plain")
    if draft.html:
        text = _multipart("alternative", f"=_a{seed[:30]}", [text, _text_part(draft.html, "html")])
    if not files:
        return text
    return _multipart("mixed", f"=_m{seed[30:60]}", [text, *(_file_part(f) for f in files)])


def _multipart(kind: str, boundary: str, parts: Sequence[bytes]) -> bytes:
    fence = b"--" + boundary.encode("ascii")
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode("ascii")
    return head + b"".join(fence + b"\r\n" + part + b"\r\n" for part in parts) + fence + b"--\r\n"


def _text_part(text: str, kind: str) -> bytes:
    text = _SURROGATES.sub("\ufffd", _TEXT_CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    body = (text if text.endswith("\n") else text + "\n").replace("\n", "\r\n").encode("utf-8")
    head = f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode("ascii")
    return head + _base64_lines(body)


def _file_part(file: File) -> bytes:
    name, media_type, content = file
    name = file_name(name)
    media_type = media_type if _MEDIA_TYPE.fullmatch(media_type) else "application/octet-stream"
    head = (
        f'Content-Type: {media_type};\r\n name="{_words(name, 7)}"\r\n'
        f"Content-Transfer-Encoding: base64\r\n"
        f"Content-Disposition: attachment;\r\n {_extended('filename', name)}\r\n\r\n"
    )
    return head.encode("ascii") + _base64_lines(content)


def file_name(name: str) -> str:
    """A name fit for a stranger's disk: no control or format characters, no path, a bounded length, the ending kept."""
    name = "".join(c for c in unicodedata.normalize("NFC", name) if unicodedata.category(c) not in _NOT_IN_NAMES)
    name = re.sub(r'[\\/:*?"<>|]+', "_", name).strip(" .") or "file"
    if len(name) <= LONGEST_FILE_NAME:
        return name
    stem, dot, ending = name.rpartition(".")
    return f"{stem[: LONGEST_FILE_NAME - len(ending) - 1]}.{ending}" if dot and len(ending) <= 10 else name[:LONGEST_FILE_NAME]


def _extended(parameter: str, value: str) -> str:
    """RFC 2231: one percent-encoded parameter, or several continued ones where it would make too long a line."""
    if value.isascii():
        return f'{parameter}="{value}"'
    encoded = quote(value, safe="", encoding="utf-8")
    if len(encoded) <= 150:
        return f"{parameter}*=utf-8''{encoded}"
    pieces = re.findall(r"(?:%..|[^%]){1,20}", encoded)
    first = f"{parameter}*0*=utf-8''{pieces[0]}"
    return ";\r\n ".join((first, *(f"{parameter}*{n}*={piece}" for n, piece in enumerate(pieces[1:], 1))))


def _base64_lines(content: bytes) -> bytes:
    encoded = b2a_base64(content, newline=False)
    return b"\r\n".join([encoded[i : i + 76] for i in range(0, len(encoded), 76)]) + b"\r\n"


def _line(text: str) -> str:
    """One line of text: control characters, line separators and lone surrogates gone (S10)."""
    return " ".join(_CONTROLS.sub(" ", text).split(" ")).strip()


def _words(text: str, used: int) -> str:
    """``text`` for a header: as it is where plain and short, else folded encoded words (RFC 2047), never a split character."""
    if text.isascii() and "=?" not in text and len(text) + used <= 76:
        return text
    words, piece, size = [], "", 0
    room = 45 - used
    for character in text:
        width = len(character.encode("utf-8"))
        if size + width > room and piece:
            words.append(piece)
            piece, size, room = "", 0, 45
        piece += character
        size += width
    words.append(piece)
    return "\r\n ".join(f"=?utf-8?B?{b2a_base64(w.encode('utf-8'), newline=False).decode('ascii')}?=" for w in words)


def _mailboxes(addresses: Sequence[Address]) -> str:
    return ",\r\n ".join(map(_mailbox, addresses))


def _mailbox(address: Address) -> str:
    email = _email(address.email)
    name = _line(address.name)[:100]
    if not name:
        return email
    if not name.isascii():
        return f"{_words(name, 10)} <{email}>"
    return f"{name} <{email}>" if _ATOMS.fullmatch(name) and "=?" not in name else f'"{_quoted(name)}" <{email}>'


def _quoted(text: str) -> str:
    return text.replace("=?", "= ?").replace("\\", "\\\\").replace('"', '\\"')


def _email(email: str) -> str:
    if not is_address(email):
        raise LetterFault(f"{email[:80]!r} is no mail address")
    return email


def _thread(in_reply_to: str, references: Sequence[str]) -> list[str]:
    known = [r for r in references if _ID.fullmatch(r)]
    if len(known) > MOST_REFERENCES:
        known = [known[0], *known[1 - MOST_REFERENCES :]]
    parent = [f"In-Reply-To: {in_reply_to}"] if _ID.fullmatch(in_reply_to) else []
    return [*parent, *(["References: " + "\r\n ".join(known)] if known else [])]


def _header(name: str, value: str) -> str:
    if not _HEADER_NAME.fullmatch(name) or name.lower() in _OURS or name.lower().startswith("content-"):
        raise LetterFault(f"{name[:80]!r} is no header that may be added")
    return f"{name}: {_words(_line(value), len(name) + 2)}"
