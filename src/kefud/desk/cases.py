"""What a report knows of a ticket: the ticket, when things happened to it, its papers and letters. Plain values only.

Every question is asked "as of" an instant, so that a report of April says the same in May as it said on the first of May.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kefud.desk.ticket import Deadline, Ticket

FINAL = ("closed", "archived", "declined", "merged", "withdrawn")
"""States of a ticket that is no longer open (RULES §6)."""

EVERY_CLOCK = "*"


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the history. ``visit`` is the answer of a return visit, ``ended`` the deadlines taken away by it."""

    at: datetime
    who: str
    what: str
    why: str = ""
    visit: str = ""
    ended: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """The state entered, "" for any other line."""
        return self.what.removeprefix("status:") if self.what.startswith("status:") else ""


@dataclass(frozen=True, slots=True)
class Paper:
    """A form of the ticket, with the time it was drawn."""

    form: str
    number: str
    to: str
    at: datetime
    void: str = ""
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """A letter of the ticket: to whom, which, when written and when accepted by the receiving server."""

    recipient: str
    template: str
    at: datetime
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A promise that was kept or broken: what S0-M2 counts. ``open`` is true for a breach nobody has made good yet."""

    number: str
    name: str
    rule: str
    due: datetime
    decided: datetime
    met: datetime | None
    kept: bool
    open: bool
    agreed: bool = False

    def late(self, now: datetime) -> timedelta:
        """How late, up to ``now`` while nothing came; nothing where the promise was kept."""
        return timedelta() if self.kept else (self.met or now) - self.due


@dataclass(frozen=True, slots=True)
class Case:
    """A ticket as reports see it. ``ticket`` is as it is now; times come from ``events``, oldest first."""

    ticket: Ticket
    events: tuple[Event, ...] = ()
    papers: tuple[Paper, ...] = ()
    letters: tuple[Written, ...] = ()

    @property
    def number(self) -> str:
        return self.ticket.number

    @property
    def started(self) -> datetime:
        """When the matter reached us: the start instant of every clock."""
        found = self.ticket.started_at or self.ticket.created_at
        assert found is not None
        return found

    def statuses(self) -> list[tuple[datetime, str]]:
        return [(e.at, e.status) for e in self.events if e.status]

    def status_at(self, at: datetime) -> str:
        """The state at ``at``; a ticket brought along from another system had its first state from the start."""
        steps = self._steps()
        if not steps:
            return self.ticket.status
        before = [status for when, status in steps if when < at]
        return before[-1] if before else "registered"

    def _steps(self) -> list[tuple[datetime, str]]:
        """The states entered; the first of a ticket brought along from another system counts from the start."""
        steps = self.statuses()
        if steps and self.events[0].what == "imported":
            return [(min(self.started, steps[0][0]), steps[0][1]), *steps[1:]]
        return steps

    def open_at(self, at: datetime) -> bool:
        return self.started < at and self.status_at(at) not in FINAL

    def entered(self, status: str, start: datetime, end: datetime) -> datetime | None:
        """When the state was first entered within [start, end)."""
        return next((when for when, name in self.statuses() if name == status and start <= when < end), None)

    def ended_within(self, start: datetime, end: datetime) -> datetime | None:
        """When the ticket came to its end within [start, end), None where it did not or was opened again."""
        if self.status_at(end) not in FINAL:
            return None
        last: datetime | None = None
        for when, status in self._steps():
            if when >= end:
                break
            if status not in FINAL:
                last = None
            elif last is None:
                last = when
        return last if last is not None and last >= start else None

    def opened_again_within(self, start: datetime, end: datetime) -> bool:
        """Whether the ticket had ended before ``start`` and went on within [start, end)."""
        over = self.started < start and self.status_at(start) in FINAL
        return over and any(start <= when < end and status not in FINAL for when, status in self._steps())

    def round_at(self, at: datetime) -> int:
        """Which round of work ran at ``at``."""
        return 1 + sum(status == "reopened" and when < at for when, status in self.statuses())

    def visits(self, start: datetime, end: datetime) -> list[Event]:
        """Answers of return visits within [start, end); one of a ticket without history counts at its last change."""
        found = [e for e in self.events if e.visit and start <= e.at < end]
        answer, changed = str(self.ticket.fields.get("visit") or ""), self.ticket.updated_at
        if not found and answer and changed and not any(e.visit for e in self.events) and start <= changed < end:
            return [Event(changed, "", "visit", visit=answer)]
        return found

    def notices(self) -> list[Paper]:
        return [p for p in self.papers if p.form == "notice"]

    def running_at(self, at: datetime) -> list[Deadline]:
        """Deadlines that ran at ``at``, met or dropped later or never."""
        return [
            d for d in self.ticket.deadlines
            if d.start < at and not (d.met and d.met < at) and not (d.dropped and self._dropped(d) < at)
        ]  # fmt: skip

    def overdue_at(self, at: datetime) -> list[Deadline]:
        """Deadlines that had passed unmet at ``at``, the oldest first."""
        return sorted((d for d in self.running_at(at) if d.due < at), key=lambda d: d.due)

    def broken_at(self, at: datetime) -> list[Deadline]:
        """Deadlines that had passed unmet at ``at``, also those that were met or dropped afterwards."""
        return [
            d for d in self.ticket.deadlines
            if d.start < at and d.due < at and not (d.met and d.met <= d.due) and not (d.dropped and self._dropped(d) <= d.due)
        ]  # fmt: skip

    def checks(self, as_of: datetime) -> Iterator[Check]:
        """Each promise that was kept or broken before ``as_of``. A second late is late (S3-5.2.3)."""
        for d in self.ticket.deadlines:
            ended = self._dropped(d) if d.dropped else None
            if ended is not None and ended <= d.due:
                continue
            kept = d.met is not None and d.met <= d.due
            decided = d.met if kept and d.met else d.due
            if decided < as_of:
                done = d.met if d.met and d.met < as_of else None
                still = not kept and done is None and (ended is None or ended >= as_of)
                yield Check(self.number, d.name, d.rule, d.due, decided, done, kept, still, d.agreed)

    def _dropped(self, d: Deadline) -> datetime:
        """When a dropped deadline was taken away; where the history does not say, when the ticket last changed."""
        for event in self.events:
            if event.at >= d.start and (d.name in event.ended or EVERY_CLOCK in event.ended):
                return event.at
        return self.ticket.updated_at or d.due


def decided_within(cases: Iterable[Case], start: datetime, end: datetime) -> list[tuple[Case, Check]]:
    """Every promise kept or broken within [start, end), by ticket number and time."""
    found = [(c, x) for c in cases for x in c.checks(end) if start <= x.decided < end]
    return sorted(found, key=lambda pair: (pair[1].decided, pair[1].number, pair[1].name))
