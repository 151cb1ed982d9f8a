"""What a rule may decide. A decision says what should be; nothing here sends, saves or looks at a clock.

Every decision carries the ``rule`` it follows (a rule number such as "S1-5.7.1") and ``why``, a sentence for `kefud explain`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kefud.desk.ticket import Requester


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Base of all decisions."""

    rule: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Matter:
    """One of several matters in a message: its own words and a short subject."""

    text: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Split(Decision):
    """The message holds several matters: one ticket each, one acknowledgement for all."""

    matters: tuple[Matter, ...]


@dataclass(frozen=True, slots=True)
class Classify(Decision):
    """Set what the ticket is. None leaves a field as it is; a field a person locked stays, unless a person decides anew."""

    kind: str | None = None
    category: str | None = None
    urgency: str | None = None
    important: bool | None = None
    origin: str | None = None
    house: str | None = None
    requester: Requester | None = None
    subject: str | None = None
    summary: str | None = None
    masked: bool | None = None
    dispute: bool | None = None
    decided: bool = False


@dataclass(frozen=True, slots=True)
class Assign(Decision):
    """Lead department and handler (经办人). The department leads; register and owner stay with cs_center (S0-3.2).

    What a person locked stays, unless a person has ``decided`` anew; what was ``decided`` is locked.
    """

    department: str | None = None
    handler: str | None = None
    transfer: bool = False
    decided: bool = False


@dataclass(frozen=True, slots=True)
class Join(Decision):
    """These departments contribute (协同), we answer (S0-4.2.2)."""

    departments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Effect(Decision):
    """Mark the ticket with effects of RULES §8; ``remove`` takes some off."""

    names: tuple[str, ...]
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SetFields(Decision):
    """Fill fields that forms ask for (cause, solution, customer_talk, result …)."""

    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StartClock(Decision):
    """A deadline begins. A clock of the same name that still runs is replaced, unless it was agreed with the owner."""

    name: str
    start: datetime
    due: datetime
    term: str = ""
    agreed: bool = False
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StopClock(Decision):
    """The promise behind the deadline was met at ``at``."""

    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class DropClock(Decision):
    """The deadline has no object any more; ``why`` is kept."""

    name: str


@dataclass(frozen=True, slots=True)
class MoveClock(Decision):
    """An open deadline gets a new due instant (extension agreed, calendar changed, pause ended)."""

    name: str
    due: datetime
    next_at: datetime | None = None
    agreed: bool = False


@dataclass(frozen=True, slots=True)
class Reminded(Decision):
    """A reminder step of a deadline was carried out; look again at ``next_at``."""

    name: str
    steps: int
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Draw(Decision):
    """The ticket gets this form or stands in this register (RULES §7). ``data`` holds what the form knows beyond the ticket."""

    form: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VoidDocument(Decision):
    """A numbered document is void; its number stays with the reason (S1-4.3.6)."""

    form: str
    number: str


@dataclass(frozen=True, slots=True)
class Notice(Decision):
    """A numbered 工作联系单 to a party: drawn, printed, and sent by mail.

    ``mask`` leaves name and phone out (RULES §9). ``address`` overrides the party's own ("fallback" for its second one).
    ``clock`` names the deadline that its proven dispatch meets ("notice_property").
    """

    to: str
    subject: str = ""
    request: str = ""
    content: str = ""
    finish_by: datetime | None = None
    reply_by: datetime | None = None
    limit_rule: str = ""
    mask: bool = True
    copy_to: tuple[str, ...] = ()
    template: str = "notices/work-order"
    clock: str = ""
    sign: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Reply(Decision):
    """A letter to the requester. ``hold`` keeps it back until a person releases it, and says why.

    ``to_writer``: to the sender of the message at hand, who is somebody else and is told nothing of the ticket but its number.
    """

    template: str
    data: dict[str, Any] = field(default_factory=dict)
    hold: str = ""
    meets: str = ""
    to_writer: bool = False


@dataclass(frozen=True, slots=True)
class Write(Decision):
    """A letter to a role, a party or "handler": report, chaser, approval request, task.

    ``key`` makes it unique for the ticket: the same key is never written twice (each step once). ``instead`` is how the keys
    of letters begin that this one says anew: those that still wait for the same receiver are not sent any more.
    """

    to: str
    template: str
    data: dict[str, Any] = field(default_factory=dict)
    key: str = ""
    hold: str = ""
    documents: tuple[str, ...] = ()
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Notify(Decision):
    """These roles or parties must be told at once; each gets a report letter."""

    roles: tuple[str, ...]
    template: str = "reports/important"
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AddTask(Decision):
    """A person has to do something. ``key`` keeps it from being added twice."""

    kind: str
    role: str
    text: str
    due: datetime | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class DoneTask(Decision):
    """A person's task is done."""

    kind: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Move(Decision):
    """Change the state; the state machine (RULES §6) may refuse."""

    to: str
    by: str = "program"


@dataclass(frozen=True, slots=True)
class Merge(Decision):
    """The arrival is the same matter as an open ticket: it is appended there (S0-3.2).

    ``says``: it is no repetition but the customer's word on that ticket: "withdraw", "withdraw?" where a person is to ask
    whether that is meant, "again" where what was done is as bad as before, "more" where it adds to it or tells how it went.
    """

    target: str
    says: str = ""


@dataclass(frozen=True, slots=True)
class Besides(Decision):
    """Words of a message on a ticket tell of another matter: a ticket of its own for the same people (S0-4.1.4)."""

    text: str


@dataclass(frozen=True, slots=True)
class Relate(Decision):
    """Link tickets that have to do with each other."""

    numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Remark(Decision):
    """A line for the history (ledger column 备注)."""

    text: str


@dataclass(frozen=True, slots=True)
class Lock(Decision):
    """A person decided these fields; no rule changes them again (S1-4.3.5)."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Escalate(Decision):
    """Go one rung up the ladder that was frozen when the ticket started."""

    to: str
    rung: int


@dataclass(frozen=True, slots=True)
class Extension(Decision):
    """Mark where an asked extension stands: "asked", "agreed" or "refused" (S3-2.3.3)."""

    state: str


@dataclass(frozen=True, slots=True)
class NewRound(Decision):
    """The customer is not satisfied: round + 1 (S3-2.5.4)."""


@dataclass(frozen=True, slots=True)
class Release(Decision):
    """Letters that were held for a signature or by the language check may go (RULES §9).

    ``letter`` is the Message-ID of the one that is meant, "" for all of the ticket.
    """

    letter: str = ""


@dataclass(frozen=True, slots=True)
class Discard(Decision):
    """The held letter with this Message-ID is not sent; ``why`` stays with it."""

    letter: str


@dataclass(frozen=True, slots=True)
class Ignore(Decision):
    """The arrival needs no ticket (automatic mail, a bounce that was dealt with)."""


@dataclass(frozen=True, slots=True)
class Shelve(Decision):
    """The arrival waits on the shelf for a person; ``why`` says what for."""


@dataclass(frozen=True, slots=True)
class Refuse(Decision):
    """An order or request is not carried out; ``reason`` is told to whoever gave it, in Chinese for staff."""

    reason: str
