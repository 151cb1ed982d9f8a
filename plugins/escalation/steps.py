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
    """The last step that has passed: its name ("" for none yet), how many are done with it, when to look again, when it passed."""

    name: str
    done: int
    next_at: datetime
    passed_at: datetime | None = None

    @property
    def late(self) -> int:
        """Service days after the due instant, 0 at the due instant itself, -1 before it."""
        return self.done - 3


def last_step(deadline: Deadline, at: datetime, calendar: Calendar) -> Step:
    """The last step of ``deadline`` that has passed at ``at``, steps already done left out."""
    term = parse_term(deadline.term) if deadline.term else _BARE
    if at < deadline.due:
        return _before_due(deadline, at, term, calendar)
    days, opened, after = _openings(deadline.due, at, calendar)
    done = 3 + days
    if done <= deadline.steps:
        return Step("", deadline.steps, after)
    return Step(f"+{days}" if days else "100", done, after, opened)


def _before_due(deadline: Deadline, at: datetime, term: Term, calendar: Calendar) -> Step:
    name, done, passed_at = "", deadline.steps, None
    step, when = next_step(deadline.start, deadline.due, term, calendar, done)
    while when <= at and done < 2:
        name, done, passed_at = step, done + 1, when
        step, when = next_step(deadline.start, deadline.due, term, calendar, done)
    return Step(name, done, when, passed_at)


def _openings(due: datetime, at: datetime, calendar: Calendar) -> tuple[int, datetime, datetime]:
    """How many service days opened after ``due`` up to ``at``, the last of these openings or ``due``, and the one that follows."""
    day, count, last = calendar.local(due).date(), 0, due
    for _ in range(MOST_DAYS):
        opening = calendar.opening(day)
        if opening is not None and opening > due:
            if opening > at:
                return count, last, opening
            count, last = count + 1, opening
        day += timedelta(days=1)
    return count, last, at + timedelta(days=1)
