"""The stage that files what is settled: closed → archived, looked at once a day (S1-4.3.5c)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

from kefud.casework import Casework


class Filing:
    """Files closed tickets that have been quiet for so many days. ``step`` files a wave and says whether there may be more."""

    name = "filing"
    idle = 600.0

    def __init__(
        self, casework: Casework, days: int, *, clock: Callable[[], datetime], mine: Callable[[], bool] = lambda: True
    ) -> None:
        self._casework = casework
        self._days = timedelta(days=days)
        self._clock = clock
        self._mine = mine
        self._done: date | None = None
        self._last = 0

    def step(self) -> bool:
        now = self._clock()
        if self._done == now.date() or not self._mine():
            return False
        self._last = self._casework.file_away(now - self._days, self._last)
        if not self._last:
            self._done = now.date()
        return bool(self._last)
