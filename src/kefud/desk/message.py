"""What a person told us, whatever the way it came: one value for mail, call, letter and counter entry."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Medium = Literal["mail", "call", "paper", "entry"]

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_EMAIL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@[A-Za-z0-9](?:[A-Za-z0-9.-]{{0,252}}[A-Za-z0-9])?")


def is_address(email: str) -> bool:
    """Whether a letter can go there: a bare address in seven bits, with nothing beside it."""
    return len(email) <= 254 and _EMAIL.fullmatch(email) is not None and ".." not in email.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox. ``email`` is lower case with an A-label domain, "" where none could be read."""

    name: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message. The bytes stay in the raw original: ``part`` is its place among the leaf parts.

    ``name`` is text for people, normalised (NFC, no control or format characters, at most 200 characters), never a path.
    """

    name: str
    media_type: str
    size: int
    sha256: str
    part: int
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Bounce:
    """A delivery report. ``message_ids`` are the ids it quotes; whether one is ours is decided with its token (S04)."""

    message_ids: tuple[str, ...]
    recipients: tuple[str, ...]
    status: str = ""
    reason: str = ""
    permanent: bool = True
    return_addresses: tuple[str, ...] = ()
    """Whatever has the form of our return addresses in it, as in the lines of the servers that took it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One row of a telephone system's log. Durations in seconds; numbers normalised, "" where hidden."""

    call_id: str
    started_at: datetime
    direction: Literal["in", "out", "internal"]
    status: Literal["answered", "missed", "voicemail"]
    caller: str = ""
    callee: str = ""
    agent: str = ""
    ring_seconds: int | None = None
    talk_seconds: int | None = None
    content: str = ""
    result: str = ""
    customer: str = ""
    house: str = ""
    recording: str = ""
    satisfaction: str = ""


@dataclass(frozen=True, slots=True)
class Paper:
    """A letter from a complaint box. ``confidence`` is the mean score of the reading, 1.0 for a text layer or a person.

    ``registered``: ``opened_at`` was written down by a person and is the same for all letters of one opening; else it is the
    time of the scan.
    """

    box: str
    opened_at: datetime
    pages: int
    confidence: float = 1.0
    opener: str = ""
    witness: str = ""
    lock: str = ""
    registered: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """An arrival as read. All times carry an offset.

    ``received_at`` is the start instant of every clock (our own server's Received stamp, the call's start, the opening of
    the box, the entry at the counter). ``text`` is what the writer says now; what they quote stands in ``quoted`` and is
    never thrown away. ``automatic`` names why a mail counts as automatic (RFC 3834), "" for a person's. ``identity`` is
    false where From is missing, malformed or names several mailboxes (S03). ``authentication`` holds the
    Authentication-Results values above the first foreign Received line, topmost first. ``digest`` is the hash of the
    canonical content, equal for the same mail delivered twice.
    """

    medium: Medium
    received_at: datetime
    subject: str = ""
    text: str = ""
    quoted: str = ""
    sender: Address = Address()
    identity: bool = False
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    sent_at: datetime | None = None
    message_id: str = ""
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    automatic: str = ""
    bounce: Bounce | None = None
    authentication: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    call: Call | None = None
    paper: Paper | None = None
    digest: str = ""
    remarks: tuple[str, ...] = field(default=())
    """What the reader had to mend or cut, for the ticket's history ("charset gb2312 read as gb18030", "header cut")."""

    @property
    def mark(self) -> str:
        """What tells it from other messages, for the keys of letters and tasks."""
        return self.message_id or self.digest or self.received_at.isoformat()
