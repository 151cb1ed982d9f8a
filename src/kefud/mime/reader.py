"""Mail bytes to a message: no network, no disk, and an answer for every input."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz
from typing import Any

from kefud.desk.message import Address, Attachment, Message
from kefud.errors import Unreadable
from kefud.large import Large
from kefud.mime.addresses import read_list, read_sender
from kefud.mime.automatic import why_automatic
from kefud.mime.body import Body, BodyReader, file_name, read_attachments
from kefud.mime.bounce import read_bounce
from kefud.mime.headers import Headers, Source, header_text, raw_text
from kefud.mime.limits import DEFAULT_LIMITS, Limits, Remarks
from kefud.mime.reply import split_reply
from kefud.mime.structure import Part, read_structure
from kefud.mime.trust import authentication_results

_PIECE = 1 << 18
_CANONICAL = ("from", "to", "cc", "date", "subject", "message-id")
_ID = re.compile(r"<[^<>\s]{1,500}>")
_BY = re.compile(r"\bby\s{1,5}\[?([A-Za-z0-9_.:-]{1,255})")
_FORWARDED = re.compile(r"(?:fwd?|转发|轉寄|轉發)\s?[:：]", re.I)
_ANSWER = re.compile(r"(?:re|aw|回复|答复|回覆|回信)\s?[:：]", re.I)
_STAMP = re.compile(
    r"(\d{1,2})\s+([A-Za-z]{3})\s+((?:19|20)\d\d)\s+(\d\d):(\d\d)(?::(\d\d))?\s+(?:([+-])(\d\d)(\d\d)|GMT|UTC?|Z)"
)
_MONTHS = {name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}


def read_mail(
    raw: Source,
    *,
    received_at: datetime,
    own_hosts: tuple[str, ...] = (),
    own: tuple[str, ...] = (),
    limits: Limits = DEFAULT_LIMITS,
) -> Message:
    """Read one mail. Every byte string gives a message, or :class:`kefud.errors.Unreadable` with the reason.

    ``received_at`` is used where our own server's Received line gives no believable time. ``own_hosts`` names the
    servers whose lines are believed; without it the topmost line is. ``own`` are our addresses: what comes through a list of
    that address, as groups of mail services are, is a person's mail all the same.
    """
    if len(raw) > limits.message:
        raise Unreadable(f"the message has {len(raw)} bytes, more than the {limits.message} allowed")
    if not raw or (not isinstance(raw, Large) and raw.isspace()):
        raise Unreadable("the message is empty")
    try:
        return _Reading(raw if isinstance(raw, Large) else bytes(raw), limits).message(received_at, own_hosts, own)
    except Exception as error:  # the last resort: one mail never stops the line
        raise Unreadable(f"the message could not be read: {type(error).__name__}") from error


def attachment_bytes(raw: Source, part: int, *, limits: Limits = DEFAULT_LIMITS) -> tuple[str, str, bytes]:
    """Name, media type and decoded bytes of leaf ``part`` of the raw original; Unreadable where there is no such leaf."""
    for leaf in read_structure(raw, limits, Remarks()).leaves():
        if leaf.index == part:
            return file_name(leaf), leaf.media_type, leaf.content()
    raise Unreadable(f"the message has no part {part}")


class _Reading:
    """One mail on the table."""

    def __init__(self, raw: Source, limits: Limits) -> None:
        self.limits = limits
        self.remarks = Remarks()
        self.root = read_structure(raw, limits, self.remarks)
        self.headers = self.root.headers

    def message(self, received_at: datetime, own_hosts: tuple[str, ...], own: tuple[str, ...] = ()) -> Message:
        headers = self.headers
        sender, identity = read_sender(headers)
        subject = self._subject()
        text, quoted = self._text(subject)
        attachments = read_attachments(self.root)
        bounce = read_bounce(self.root, headers, sender.email, subject, f"{text}\n{quoted}" if quoted else text)
        return Message(
            medium="mail",
            received_at=self._received(received_at, own_hosts),
            subject=subject,
            text=text,
            quoted=quoted,
            sender=sender,
            identity=identity,
            reply_to=self._addresses("reply-to"),
            to=self._addresses("to"),
            cc=self._addresses("cc"),
            sent_at=self._sent(),
            message_id=next(iter(_ids(headers, "message-id")), "") or _bare_id(headers),
            in_reply_to=_ids(headers, "in-reply-to"),
            references=_ids(headers, "references"),
            automatic=why_automatic(self.root, headers, sender.email, subject, text, own) or ("delivery-report" if bounce else ""),
            bounce=bounce,
            authentication=authentication_results(headers),
            attachments=attachments,
            digest=digest(self.root, attachments),
            remarks=tuple(self.remarks),
        )

    def _subject(self) -> str:
        subject = self.headers.text("subject", self.limits)
        if len(subject) > self.limits.subject:
            self.remarks.add("subject cut")
        return subject[: self.limits.subject]

    def _addresses(self, field: str) -> tuple[Address, ...]:
        found = read_list(self.headers, field, self.limits)
        if len(found) >= self.limits.addresses:
            self.remarks.add(f"more than {self.limits.addresses} addresses in {field}, cut")
        return found

    def _text(self, subject: str) -> tuple[str, str]:
        reader = BodyReader(self.limits, self.remarks)
        body = reader.read(self.root)
        text, quoted = _separate(body, subject, bool(self.headers.all("in-reply-to") or self.headers.all("references")))
        text = "\n\n".join(piece for piece in (text, *body.forwards) if piece)
        if not text:
            text = reader.from_attachments(self.root)
        return self._cut(text), self._cut(quoted)

    def _cut(self, text: str) -> str:
        if len(text) > self.limits.text:
            self.remarks.add("text cut")
        return text[: self.limits.text]

    def _sent(self) -> datetime | None:
        raw = self.headers.raw("date")
        sent = parse_date(raw_text(raw)) if raw else None
        if raw and sent is None:
            self.remarks.add("date not readable")
        return sent

    def _received(self, fallback: datetime, own_hosts: tuple[str, ...]) -> datetime:
        """The stamp of our own server's line; the fallback, with a remark, where there is none or it cannot be true."""
        lines = self.headers.all("received")
        hosts = {host.lower() for host in own_hosts}
        own = [line for line in lines if _by_host(line) in hosts] if hosts else lines
        if not own:
            self.remarks.add("no Received line of our server, time of fetching taken")
            return fallback
        stamp = parse_date(raw_text(own[0]).rpartition(";")[2])
        if stamp is None:
            self.remarks.add("time of receipt not readable, time of fetching taken")
            return fallback
        if stamp > fallback + timedelta(days=1):
            self.remarks.add("time of receipt lies in the future, time of fetching taken")
            return fallback
        return stamp


def _separate(body: Body, subject: str, answers: bool) -> tuple[str, str]:
    """New words and quotation. A forwarded mail is passed on to be read, so all of it is text."""
    own = "\n\n".join(text for text in body.own if text)
    marked = "\n\n".join(text for text in body.quoted if text)
    if _FORWARDED.match(subject) or not own:
        return "\n\n".join(text for text in (own, marked) if text), ""
    new, quoted = split_reply(own, answers=answers or bool(_ANSWER.match(subject)))
    return new, "\n\n".join(text for text in (quoted, marked) if text)


def _by_host(line: bytes) -> str:
    match = _BY.search(raw_text(line))
    return match[1].lower().rstrip(".") if match else ""


def _ids(headers: Headers, name: str) -> tuple[str, ...]:
    """Message ids with their brackets; of a long list the first and the last 99."""
    found = [item for raw in headers.all(name) for item in _ID.findall(header_text(raw))]
    unique = list(dict.fromkeys(found))
    return tuple(unique if len(unique) <= 100 else unique[:1] + unique[-99:])


def _bare_id(headers: Headers) -> str:
    """An id whose brackets were forgotten."""
    words = header_text(headers.raw("message-id")).split()
    bare = words[0].strip("<>") if words else ""
    return f"<{bare}>" if "@" in bare and "<" not in bare and ">" not in bare and len(bare) <= 500 else ""


def parse_date(text: str) -> datetime | None:
    """An RFC 5322 date with its offset, None where it is none or lies outside 1990-2200. Without a zone it is UTC."""
    match = _STAMP.search(text[:200])
    try:
        if match:
            return _from_match(match)
        found = parsedate_tz(text.partition("(")[0][:100])
        if not found or not 1990 <= found[0] <= 2200:
            return None
        return datetime(*found[:6], tzinfo=timezone(timedelta(seconds=found[9] or 0)))
    except Exception:  # parsedate_tz meets hostile text
        return None


def _from_match(match: re.Match[str]) -> datetime | None:
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = match.groups()
    if month.lower() not in _MONTHS or not 1990 <= int(year) <= 2099:
        return None
    zone = UTC
    if sign:
        offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
        zone = timezone(-offset if sign == "-" else offset)
    clock = (int(hour), int(minute), min(int(second or 0), 59))
    return datetime(int(year), _MONTHS[month.lower()], int(day), *clock, tzinfo=zone)


def digest(root: Part, attachments: tuple[Attachment, ...] = ()) -> str:
    """SHA-256 of what stays the same when one mail reaches two mailboxes: six header fields and the body.

    Folding, line ends and trailing blank lines do not count. A base64 attachment counts by the hash it already has.
    """
    sha = hashlib.sha256()
    for name in _CANONICAL:
        for value in root.headers.all(name):
            sha.update(name.encode("ascii") + b":" + b" ".join(value.split()) + b"\n")
    known = {item.part: item.sha256.encode("ascii") for item in attachments if item.size > 4096 and root.whole}
    position = root.start
    for leaf in root.leaves() if known else ():
        if leaf.index in known and leaf.source is root.source and leaf.is_base64:
            _hash(sha, root.source, position, leaf.start)
            sha.update(known[leaf.index])
            position = leaf.end
    _hash(sha, root.source, position, _end_of_text(root.source, position, root.end))
    return sha.hexdigest()


def _end_of_text(source: Source, start: int, end: int) -> int:
    """Where the blanks and empty lines at the end begin."""
    while end > start:
        below = max(start, end - _PIECE)
        kept = len(source[below:end].rstrip(b" \t\r\n"))
        if kept:
            return below + kept
        end = below
    return start


def _hash(sha: Any, source: Source, start: int, end: int) -> None:
    """Without carriage returns, a piece at a time."""
    for position in range(start, end, _PIECE):
        piece = source[position : min(position + _PIECE, end)]
        sha.update(piece.translate(None, b"\r") if b"\r" in piece else piece)
