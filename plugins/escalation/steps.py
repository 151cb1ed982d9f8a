"""Which reminder steps of a deadline are behind us, and when it wants attention next (S1-4.3.6). Pure.

Every step happens once, also after a restart, a long stop or a jump of the clock: of several that have passed only the last
counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from kefud.api import Calendar, Deadline, Term, next_step, parse_term

MOST_DAYS = 3_700
_BARE = Term(1, "clock_hours")


@dataclass(frozen=True, slots=True)
class Step:
    """The last step that has passed: its name ("" for none yet), how many are done with it, and when to look again."""

    name: str
    done: int
    next_at: datetime

    @property
    def late(self) -> int:
        """Service days after the due instant, 0 at the due instant itself, -1 before it."""
        return self.done - 3


def last_step(deadline: Deadline, at: datetime, calendar: Calendar) -> Step:
    """The last step of ``deadline`` that has passed at ``at``, steps already done left out."""
    term = parse_term(deadline.term) if deadline.term else _BARE
    if at < deadline.due:
        return _before_due(deadline, at, term, calendar)
    days, after = _openings(deadline.due, at, calendar)
    done = 3 + days
    if done <= deadline.steps:
        return Step("", deadline.steps, after)
    return Step(f"+{days}" if days else "100", done, after)


def _before_due(deadline: Deadline, at: datetime, term: Term, calendar: Calendar) -> Step:
    name, done = "", deadline.steps
    step, when = next_step(deadline.start, deadline.due, term, calendar, done)
    while when <= at and done < 2:
        name, done = step, done + 1
        step, when = next_step(deadline.start, deadline.due, term, calendar, done)
    return Step(name, done, when)


def _openings(due: datetime, at: datetime, calendar: Calendar) -> tuple[int, datetime]:
    """How many service days opened after ``due`` up to ``at``, and the opening that follows."""
    day, count = calendar.local(due).date(), 0
    for _ in range(MOST_DAYS):
        opening = calendar.opening(day)
        if opening is not None and opening > due:
            if opening > at:
                return count, opening
            count += 1
        day += timedelta(days=1)
    return count, at + timedelta(days=1)
