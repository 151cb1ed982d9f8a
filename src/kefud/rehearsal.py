"""What if: other rules on stored arrivals, or time passing while nobody acts. Nothing is touched, nothing is sent.

Both ask the same rules through the same door as the daemon, on values alone.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from kefud.casework import step_of
from kefud.desk import decisions as d
from kefud.desk.occasions import Delivered, Due, Occasion, Opened
from kefud.desk.reading import Reading, Sorted, Unread
from kefud.desk.ticket import Ticket
from kefud.desk.triage import Outcome
from kefud.store.arrivals import Waiting

COMPARED = (
    "kind", "category", "urgency", "important", "origin", "house", "department", "handler", "joint", "status", "masked", "dispute",
)  # fmt: skip
MOST_STEPS = 500


class Room(Protocol):
    """A reading room with one configuration's rules."""

    def read(self, batch: Sequence[Waiting], at: datetime) -> list[Reading | Unread]: ...

    def judge(self, batch: Sequence[tuple[Ticket, Occasion, Sequence[d.Decision]]]) -> list[Outcome]: ...


@dataclass(frozen=True, slots=True)
class Difference:
    """One arrival that would have been treated otherwise: {what: (before, after)}."""

    arrival: int
    tickets: tuple[str, ...]
    subject: str
    changes: dict[str, tuple[Any, Any]]


def rehearse(
    stored: Iterable[tuple[Waiting, tuple[str, ...]]], old: Room, new: Room, at: Callable[[Waiting], datetime]
) -> Iterator[Difference]:
    """Run stored arrivals through two rooms and tell where they differ. Relations between tickets are left out."""
    for waiting, numbers in stored:
        before, after = (_tickets(room, waiting, at(waiting)) for room in (old, new))
        changes = _changes(before, after)
        if changes:
            subject = next((t.subject for t in (*after, *before)), "")
            yield Difference(waiting.id, numbers, subject, changes)


def _tickets(room: Room, waiting: Waiting, at: datetime) -> list[Ticket]:
    [reading] = room.read([waiting], at)
    if isinstance(reading, Unread):
        return []
    cases: list[tuple[Ticket, Occasion, Sequence[d.Decision]]] = []
    for part, matter in enumerate(reading.matters, 1):
        occasion = Opened(at, matter.message, reading.channel, part=part, parts=len(reading.matters), may_answer=True)
        cases.append((matter.ticket, occasion, _standing(matter)))
    return [outcome.ticket for outcome in room.judge(cases)]


def _standing(matter: Sorted) -> tuple[d.Decision, ...]:
    return tuple(x for x in matter.decisions if isinstance(x, (d.Shelve, d.Ignore)))


def _changes(before: Sequence[Ticket], after: Sequence[Ticket]) -> dict[str, tuple[Any, Any]]:
    if len(before) != len(after):
        return {"tickets": (len(before), len(after))}
    found: dict[str, tuple[Any, Any]] = {}
    for index, (b, a) in enumerate(zip(before, after, strict=True), 1):
        label = f"{index}." if len(before) > 1 else ""
        for name in COMPARED:
            if getattr(b, name) != getattr(a, name):
                found[label + name] = (getattr(b, name), getattr(a, name))
        dues = {x.name: x.due for x in b.deadlines}, {x.name: x.due for x in a.deadlines}
        for name in sorted({*dues[0], *dues[1]}):
            if dues[0].get(name) != dues[1].get(name):
                found[f"{label}deadline {name}"] = (dues[0].get(name), dues[1].get(name))
    return found


@dataclass(frozen=True, slots=True)
class Foreseen:
    """Something the daemon would do at ``at`` if nobody acted: "letter", "task", "escalation" or "state"."""

    at: datetime
    ticket: str
    what: str
    to: str
    text: str
    rule: str


def simulate(tickets: Iterable[Ticket], room: Room, now: datetime, until: datetime) -> list[Foreseen]:
    """What would be sent and escalated for ``tickets`` until ``until`` if nobody acted; each ticket is followed by itself."""
    found: list[Foreseen] = []
    for ticket in tickets:
        found += _follow(ticket, room, now, until)
    return sorted(found, key=lambda f: (f.at, f.ticket))


def _follow(ticket: Ticket, room: Room, now: datetime, until: datetime) -> Iterator[Foreseen]:
    serial = itertools.count()
    used = {x.key for x in ticket.letters if x.key}
    queue: list[tuple[datetime, int, str]] = []

    def plan(t: Ticket) -> None:
        queue[:] = [(max(x.next_at, now), next(serial), x.name) for x in t.deadlines if x.open and x.next_at]
        heapq.heapify(queue)

    plan(ticket)
    for _ in range(MOST_STEPS):
        if not queue or not ticket.is_open:
            return
        at, _, name = heapq.heappop(queue)
        if at > until:
            return
        deadline = ticket.deadline(name)
        if deadline is None or not deadline.open:
            continue
        occasion = Due(at, name, step_of(deadline.steps, deadline.start, deadline.due, at))
        [outcome] = room.judge([(ticket, occasion, ())])
        yield from _seen(outcome, ticket, at, used)
        ticket = _delivered(_moved_on(outcome.ticket, name, at), outcome, room, at)
        plan(ticket)


def _moved_on(ticket: Ticket, name: str, at: datetime) -> Ticket:
    """A deadline that no rule moved on looks again a day later, so that following it comes to an end."""
    changed = tuple(
        replace(x, next_at=at + timedelta(days=1)) if x.name == name and x.open and x.next_at and x.next_at <= at else x
        for x in ticket.deadlines
    )
    return ticket.changed(deadlines=changed)


def _delivered(ticket: Ticket, outcome: Outcome, room: Room, at: datetime) -> Ticket:
    """Letters that keep a promise are taken as delivered at once."""
    for decision in outcome.decisions:
        meets = getattr(decision, "meets", "") or getattr(decision, "clock", "")
        if meets:
            to = getattr(decision, "to", "requester")
            news = Delivered(at, "", decision.template, to, meets=meets)  # type: ignore[attr-defined]
            ticket = room.judge([(ticket, news, ())])[0].ticket
    return ticket


def _seen(outcome: Outcome, before: Ticket, at: datetime, used: set[str]) -> Iterator[Foreseen]:
    for x in outcome.decisions:
        key = getattr(x, "key", "")
        if key and key in used:
            continue
        used.add(key)
        if isinstance(x, d.Write):
            yield Foreseen(at, before.number, "letter", x.to, x.template, x.rule)
        elif isinstance(x, d.Reply):
            yield Foreseen(at, before.number, "letter", "requester", x.template, x.rule)
        elif isinstance(x, d.Notice):
            yield Foreseen(at, before.number, "letter", x.to, x.template, x.rule)
        elif isinstance(x, d.Notify):
            yield from (Foreseen(at, before.number, "letter", r, x.template, x.rule) for r in x.roles)
        elif isinstance(x, d.AddTask):
            yield Foreseen(at, before.number, "task", x.role, x.text, x.rule)
        elif isinstance(x, d.Escalate):
            yield Foreseen(at, before.number, "escalation", x.to, x.why, x.rule)
        elif isinstance(x, d.Move):
            yield Foreseen(at, before.number, "state", x.to, x.why, x.rule)
