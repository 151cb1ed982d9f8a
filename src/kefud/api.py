"""Everything a plugin may see: the hooks, what their objects must be able to do, and the words of the domain.

A plugin is a folder with an ``__init__.py`` that implements some of the hooks below. Hooks only collect objects at
start-up; the core then calls these one by one, in the order of the configuration, in child processes that may die.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from typing import Protocol, runtime_checkable

import pluggy

from kefud.config import (
    ChannelConfig,
    House,
    Knowledge,
    Party,
    Role,
    Secret,
    Site,
    TransportConfig,
    loopback,
    seconds,
    validated,
)  # fmt: skip
from kefud.desk.arrival import Arrival
from kefud.desk.calendar import Calendar
from kefud.desk.chinese import fold, number, sentences
from kefud.desk.deadlines import PROGRESS_LEAD, Term, due, find_when, next_step, ordered_until, parse_term, parse_when
from kefud.desk.decisions import (
    AddTask,
    Assign,
    Besides,
    Classify,
    Decision,
    Discard,
    DoneTask,
    Draw,
    DropClock,
    Effect,
    Escalate,
    Extension,
    Ignore,
    Join,
    Lock,
    Matter,
    Merge,
    Move,
    MoveClock,
    NewRound,
    Notice,
    Notify,
    Refuse,
    Relate,
    Release,
    Remark,
    Reminded,
    Reply,
    SetFields,
    Shelve,
    Split,
    StartClock,
    StopClock,
    VoidDocument,
    Write,
)  # fmt: skip
from kefud.desk.discretion import asks_for_confidence, contact_shown, without_traces
from kefud.desk.houses import HouseMention, find_houses, normalise_house, own_house
from kefud.desk.lint import objection
from kefud.desk.message import Address, Attachment, Bounce, Call, Message, Paper
from kefud.desk.occasions import (
    Arrived,
    Author,
    Corrected,
    Delivered,
    Due,
    Heard,
    Moved,
    Occasion,
    Opened,
    Ordered,
    Returned,
)  # fmt: skip
from kefud.desk.phones import find_phones, mask_personal, mask_phone, normalise_phone
from kefud.desk.signing import Signed, answered_letter, signed
from kefud.desk.states import refusal
from kefud.desk.ticket import (
    ORIGINS,
    VOCABULARY,
    Deadline,
    Document,
    LetterRef,
    Related,
    Requester,
    Ticket,
    chinese,
    word_meant,
)
from kefud.desk.triage import Rule
from kefud.desk.view import answer_deadline, as_instant, hides_house, local, without_personal
from kefud.dropfolder import DropFolder, Entry, Refused, Settling, Watch, natural, shown
from kefud.errors import DeliveryFailed, KefudError, SourceFailed, Unreadable
from kefud.large import INCOMING, LARGE, Large, Spilled
from kefud.mime import read_mail
from kefud.mime.forward import forwarded
from kefud.mime.header_only import header_only
from kefud.wire import Wire, tls_context

hookspec = pluggy.HookspecMarker("kefud")
hookimpl = pluggy.HookimplMarker("kefud")


@runtime_checkable
class Channel(Protocol):
    """A source of arrivals. Constructing one does no I/O.

    The core calls ``fetch`` and ``acknowledge`` in a child process of the channel's plugin, one thread per channel, and
    ``read`` in a reading process. ``fetch`` yields batches, oldest first; after each batch the core commits and then calls
    ``acknowledge`` with the references that are safe. Raise SourceFailed when the source does not answer.
    """

    id: str
    medium: str

    def fetch(self, ledger: Ledger, now: Callable[[], datetime]) -> Iterator[Sequence[Arrival]]:
        """Yield what is new, in batches of at most some 50 arrivals or 8 MiB."""
        ...

    def acknowledge(self, refs: Sequence[str]) -> None:
        """These arrivals are committed: the source may be told (flag, move, rename). May be repeated after a crash."""
        ...

    def read(self, content: bytes, arrival: Arrival, site: Site) -> Message:
        """The message in the raw bytes. Pure. Raise Unreadable with a reason for a person where there is none.

        A channel whose ``reads_large`` is true is given a `Large` in place of bytes for an original of 1 MiB and more.
        """
        ...

    def wait(self, seconds: float) -> bool:
        """Block until something may be new or ``seconds`` have passed; true if something may be new."""
        ...

    def close(self) -> None:
        """Let go of connections and files; the channel may be used again afterwards."""
        ...


class Ledger(Protocol):
    """The channel's view of what is already stored; answers come from the store and are the truth."""

    def known(self, refs: Sequence[str]) -> set[str]:
        """Those of ``refs`` that are stored."""
        ...

    def originals(self, refs: Sequence[str]) -> dict[str, Arrival]:
        """Those of ``refs`` that are stored, as they were taken in; empty content where it was erased since. Ask for few."""
        ...

    def remember(self, key: str, value: str) -> None:
        """Keep a small note of the channel across restarts (a UIDVALIDITY, a size seen). A hint, never the truth."""
        ...

    def recall(self, key: str) -> str:
        """The note kept under ``key``, "" if there is none."""
        ...

    def report(self, problem: str) -> None:
        """Tell the administrator something that needs no stop: a file that waits too long, a bad row."""
        ...


@dataclass(frozen=True, slots=True)
class Parcel:
    """A letter ready to go: envelope and bytes (RFC 5322, CRLF), and what a printer needs.

    ``papers`` are the printable files of the letter: name, media type, bytes.
    """

    id: int
    sender: str
    recipients: tuple[str, ...]
    message: bytes
    message_id: str
    subject: str = ""
    ticket: str = ""
    papers: tuple[tuple[str, str, bytes], ...] = ()


@runtime_checkable
class Transport(Protocol):
    """A way out for letters. Runs in a child process; never loops or retries: the outbox decides.

    ``send`` returns the receiving side's answer ("250 2.0.0 Ok: queued as 4B1C"), or raises DeliveryFailed.
    ``finish`` ends a burst (closes the connection). Two attributes that one may have are callables or None at each ``send``,
    to be called while an answer is waited for: ``announced`` once the receiving side has heard that a letter comes, before
    anything of it leaves (the last one is noted on disk then); ``meanwhile`` once it has the letter (the next is built then).
    """

    id: str

    def send(self, parcel: Parcel) -> str: ...

    def finish(self) -> None: ...


@runtime_checkable
class Observer(Protocol):
    """Hears of changes after they are committed, and can spoil nothing."""

    name: str

    def ticket_changed(self, ticket: Ticket, change: str) -> None: ...


@hookspec
def register_channels(site: Site) -> list[Channel]:  # type: ignore[empty-body]
    """Channels of this plugin: one for each [[channel]] in ``site.channels_of(plugin)``."""


@hookspec
def register_rules(site: Site) -> list[Rule]:  # type: ignore[empty-body]
    """Rules of this plugin, asked in the order of [rules] order."""


@hookspec
def register_transports(site: Site) -> list[Transport]:  # type: ignore[empty-body]
    """Transports of this plugin: one for each [[transport]] in ``site.transports_of(plugin)``."""


@hookspec
def register_observers(site: Site) -> list[Observer]:  # type: ignore[empty-body]
    """Observers of this plugin."""


__all__ = [
    "Address", "AddTask", "answer_deadline", "answered_letter", "Arrival", "Arrived", "as_instant",
    "asks_for_confidence", "Assign", "Attachment", "Author",
    "Besides", "Bounce", "Calendar", "Call", "Channel", "ChannelConfig", "chinese", "Classify", "contact_shown", "Corrected", "Deadline", "Decision",
    "Delivered", "DeliveryFailed",
    "Discard", "Document", "DoneTask", "Draw", "DropClock", "DropFolder", "Due", "due", "Effect", "EmailMessage", "Entry", "Escalate",
    "Extension", "find_houses", "find_phones", "find_when", "fold", "forwarded", "header_only", "Heard", "hides_house", "hookimpl",
    "INCOMING", "LARGE", "Large", "Spilled",
    "hookspec", "House", "HouseMention", "Ignore", "Join", "KefudError", "Knowledge", "Ledger", "LetterRef", "local", "Lock", "loopback",
    "mask_personal", "mask_phone", "Matter", "Merge", "Message", "Move", "MoveClock", "Moved", "natural", "NewRound",
    "next_step", "normalise_house", "normalise_phone", "Notice", "Notify", "number", "objection", "Observer", "Occasion", "Opened",
    "Ordered", "ordered_until", "ORIGINS", "own_house", "Paper", "Parcel", "parse_term", "parse_when", "Party", "PROGRESS_LEAD", "read_mail",
    "refusal", "Refuse",
    "Refused", "register_channels", "register_observers", "register_rules", "register_transports", "Relate", "Related",
    "Release", "Remark", "Reminded", "Reply", "Requester", "Returned", "Role", "Rule", "seconds", "Secret", "sentences",
    "SetFields", "Settling", "Shelve", "shown", "Signed", "signed", "Site", "SourceFailed", "Split", "StartClock", "StopClock", "Term", "Ticket",
    "tls_context", "Transport", "TransportConfig", "Unreadable", "validated", "VOCABULARY", "VoidDocument", "Watch", "Wire",
    "without_personal", "without_traces", "word_meant", "Write",
]  # fmt: skip
