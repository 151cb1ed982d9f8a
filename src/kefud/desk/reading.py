"""What an arrival turned out to be once it was read and sorted."""

from __future__ import annotations

from dataclasses import dataclass

from kefud.desk.decisions import Decision
from kefud.desk.message import Message
from kefud.desk.ticket import Ticket
from kefud.desk.triage import Opinion


@dataclass(frozen=True, slots=True)
class Unread:
    """An arrival that did not become a message: it waits on the shelf, with the reason.

    ``preview`` is a picture of a scan's first page (PNG) for the person who is asked to read it.
    """

    id: int
    reason: str
    transcribe: bool = False
    draft: str = ""
    confidence: float | None = None
    preview: bytes = b""


@dataclass(frozen=True, slots=True)
class Sorted:
    """One matter of a message, as the rules sorted it: a ticket without number."""

    ticket: Ticket
    message: Message
    decisions: tuple[Decision, ...]
    opinions: tuple[Opinion, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What an arrival turned out to be: the message, and its matters.

    ``authenticated``: our own mail server vouches for the sender; ``suspect``: it says that the
    sender is forged, or another service sent this to confirm a registration; then nothing is answered.
    """

    id: int
    channel: str
    message: Message
    matters: tuple[Sorted, ...] = ()
    authenticated: bool = False
    suspect: bool = False
