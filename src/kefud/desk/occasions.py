"""What may happen to a ticket. Every occasion enters by one door: the rules are asked, their decisions applied and saved.

``at`` is always the present instant as the daemon's clock gave it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kefud.desk.message import Bounce, Message
from kefud.desk.ticket import Related, Ticket


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a message on an existing ticket, and whether that is proven (S02).

    ``role`` is "requester", "party", "staff", "agent" (our own phone log) or "stranger"; ``id`` the party or role id,
    "other" for one who brought the same matter of the same house again from an address the ticket does not know.
    ``verified``: may change the state. ``believed``: our mail server vouches for a sender on the roster, so that others may
    be told what was said; the state stays. A mail of anybody else is a note for our own people.
    ``keyed``: it bears a token of the ticket: its writer has a letter of ours.
    """

    role: str
    id: str = ""
    verified: bool = False
    why: str = ""
    believed: bool = False
    keyed: bool = False


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message was read and has no ticket yet: say what it is (Split, Classify) before similar tickets are looked up."""

    at: datetime
    message: Message
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """A new ticket is being made from ``message``.

    ``related`` are open or recent tickets of the same house, sender or matter (merge, S0-3.2); ``similar`` those of other
    households with the same category and building in the window (group complaint). ``part`` of ``parts`` counts the
    matters of one message from 1: the acknowledgement belongs to the last part alone, and names all of ``numbers``; ``kinds``
    are those of all its matters, as they were sorted.
    """

    at: datetime
    message: Message
    channel: str = ""
    related: tuple[Related, ...] = ()
    similar: tuple[Related, ...] = ()
    part: int = 1
    parts: int = 1
    may_answer: bool = True
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """A message belongs to an existing ticket.

    ``merged``: it brings the same matter again. ``says``: it names no number, and a rule has understood it as the customer's
    word on this ticket (see Merge).
    """

    at: datetime
    message: Message
    author: Author
    channel: str = ""
    merged: bool = False
    may_answer: bool = True
    says: str = ""


@dataclass(frozen=True, slots=True)
class Moved:
    """The state has just changed."""

    at: datetime
    came_from: str
    to: str
    by: str = "program"


@dataclass(frozen=True, slots=True)
class Due:
    """A deadline wants attention: ``step`` is "50", "80", "100", "+1", "+2" … service days late."""

    at: datetime
    name: str
    step: str


@dataclass(frozen=True, slots=True)
class Returned:
    """A letter came back, or could not be delivered for good."""

    at: datetime
    message_id: str
    template: str
    to: str
    address: str
    document: str
    bounce: Bounce


@dataclass(frozen=True, slots=True)
class Delivered:
    """A letter was accepted by the receiving server: dispatch is proven (RULES §9)."""

    at: datetime
    message_id: str
    template: str
    to: str
    document: str = ""
    meets: str = ""


@dataclass(frozen=True, slots=True)
class Ordered:
    """A person gives an order, by command or by a proven mail: "handle", "verify", "approve", "extend", "transfer" …"""

    at: datetime
    command: str
    by: str
    args: dict[str, Any] = field(default_factory=dict)
    text: str = ""


@dataclass(frozen=True, slots=True)
class Corrected:
    """An order has just changed what the ticket is, or who leads it. ``was`` is the ticket before the order."""

    at: datetime
    command: str
    by: str
    was: Ticket


Occasion = Arrived | Opened | Heard | Moved | Due | Returned | Delivered | Ordered | Corrected
