"""Receive: raw arrivals become durable rows before their source is told anything. Read: rows become tickets.

Each class here is one stage of the line; its `step` does one piece of work and says whether there was any.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from kefud import log
from kefud.desk.arrival import Arrival
from kefud.desk.reading import Reading, Unread
from kefud.errors import Busy, KefudError, SourceFailed, Stale
from kefud.failpoints import reached
from kefud.store import arrivals, blobs, settings
from kefud.store.database import Database

READ_BATCH = 25
LEASE = timedelta(minutes=10)
MOST_ATTEMPTS = 3


class Backlog:
    """Whether a backlog is being taken in just now: it is made durable first, for that takes seconds, and read afterwards.

    ``longest`` seconds are the most that reading waits; a source that has brought nothing for ``pause`` seconds holds up nobody.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, longest: float = 20.0, pause: float = 1.0) -> None:
        self._monotonic = monotonic
        self._longest = longest
        self._pause = pause
        self._taken: dict[str, tuple[float, float, int]] = {}

    def took(self, channel: str, count: int) -> None:
        """A channel has brought so many, and may bring more."""
        now = self._monotonic()
        first, _, before = self._taken.get(channel, (now, now, 0))
        self._taken[channel] = (first, now, before + count)

    def ended(self, channel: str) -> bool:
        """A channel has brought all it has. True if that was a backlog."""
        return self._taken.pop(channel, (0.0, 0.0, 0))[2] > READ_BATCH

    def goes_on(self) -> bool:
        now = self._monotonic()
        return any(
            count > READ_BATCH and now - first < self._longest and now - last < self._pause
            for first, last, count in list(self._taken.values())
        )


class Lane(Protocol):
    """A channel in its child process."""

    def fetch(self, asked: Callable[[str, tuple[Any, ...]], Any]) -> int: ...

    def wait(self, seconds: float) -> bool: ...

    def again_in(self) -> float: ...


class Receiver:
    """One channel: brings in what is new, then waits until something may be new. Never waits for another channel."""

    def __init__(
        self,
        channel: str,
        lane: Lane,
        db: Database,
        spool: Path,
        *,
        clock: Callable[[], datetime],
        period: float,
        retry: float,
        wake: Callable[[], None],
        jitter: Callable[[], float] = random.random,
        mine: Callable[[], bool] = lambda: True,
        backlog: Backlog | None = None,
    ) -> None:
        self.name = f"channel {channel}"
        self.channel = channel
        self._lane = lane
        self._db = db
        self._blobs = spool / "blobs"
        self._clock = clock
        self._period = period
        self._retry = retry
        self._wake = wake
        self._jitter = jitter
        self._mine = mine
        self._backlog = backlog or Backlog()
        self._failures = 0
        self._refuses = False

    @property
    def failing(self) -> bool:
        return self._failures > 0

    def step(self) -> bool:
        """Bring in all that is new. Failures are counted and told; the pause after them grows (5 s → 5 min)."""
        if not self._mine():
            return False
        self._refuses = False
        try:
            count = self._lane.fetch(self._asked)
        except KefudError as error:
            if not getattr(error, "stopped", False):
                self._failed(error)
            return False
        finally:
            if self._backlog.ended(self.channel):
                self._wake()
        self._failures = 0
        with self._db.write() as tx:
            settings.keep_note(tx, self.channel, "last success", self._clock().isoformat(), self._clock())
            settings.keep_note(tx, self.channel, "failure", "", self._clock())
        if count:
            log.event("received", channel=self.channel, arrivals=count)
        return count > 0

    def rest(self, pause: Callable[[float], None]) -> None:
        """Wait for the next look: at the source where it can tell us, else by the clock."""
        if self._failures:
            longest = min(300.0, self._retry * 2 ** (self._failures - 1))
            pause(longest * (0.5 + self._jitter() / 2))
            return
        if not self._mine():
            pause(min(self._period, 5.0))
            return
        try:
            self._lane.wait(self._period)
        except KefudError as error:
            if not getattr(error, "stopped", False):
                self._failed(error)

    def empty(self, pause: Callable[[float], object], patience: float = 60.0) -> None:
        """Bring in until nothing is left, waiting up to ``patience`` seconds for files that are still being written."""
        while True:
            while self.step():
                pass
            soon = 0.0 if self._failures else self._lane.again_in()
            if not soon or patience <= 0:
                return
            pause(min(soon, patience))
            patience -= soon

    def _failed(self, error: KefudError) -> None:
        self._failures += 1
        page = isinstance(error, SourceFailed) and error.page
        tell = log.error if page or self._failures == 3 else log.warn
        tell("channel-failed", channel=self.channel, reason=error, failures=self._failures)
        try:
            with self._db.write() as tx:
                settings.keep_note(tx, self.channel, "failure", str(error)[:500], self._clock())
        except KefudError as also:
            log.error("store-failed", reason=also)

    def _asked(self, what: str, args: tuple[Any, ...]) -> Any:
        """What a channel may ask in the middle of its work."""
        if what == "now":
            return self._clock()
        if what == "take":
            return self._take(args[0])
        if what == "known":
            with self._db.read() as tx:
                return arrivals.known(tx, self.channel, args[0])
        if what == "originals":
            with self._db.read() as tx:
                return arrivals.originals(tx, self.channel, args[0], self._blobs)
        if what == "remember":
            with self._db.write() as tx:
                settings.keep_note(tx, self.channel, f"note {args[0]}"[:200], str(args[1]), self._clock())
            return True
        if what == "recall":
            with self._db.read() as tx:
                return settings.note(tx, self.channel, f"note {args[0]}"[:200])
        if what == "report":
            log.warn("channel-reports", channel=self.channel, problem=args[0])
            with self._db.write() as tx:
                settings.keep_note(tx, self.channel, "report", str(args[0])[:500], self._clock())
            return True
        return None

    def _take(self, batch: Sequence[Arrival]) -> bool:
        """Make a batch durable and committed. False, and nothing is acknowledged, where the store cannot take it.

        What comes behind it in the same look is refused as well: older arrivals are taken in first.
        """
        if self._refuses:
            return False
        try:
            stored = blobs.keep([a.content for a in batch], self._blobs)
            with self._db.write() as tx:
                arrivals.take(tx, self.channel, batch, stored, self._clock())
                reached("arrival.written")
            reached("arrival.committed")
        except (OSError, KefudError) as error:
            log.error("store-refuses", channel=self.channel, reason=error)
            self._refuses = True
            return False
        self._backlog.took(self.channel, len(batch))
        self._wake()
        return True


class Reads(Protocol):
    def read(self, batch: Sequence[arrivals.Waiting], at: datetime) -> list[Reading | Unread]: ...


_Batch = tuple[Sequence[arrivals.Waiting], Sequence[Reading | Unread]]


class Files(Protocol):
    def file(self, readings: Sequence[Reading | Unread]) -> None: ...


class ReadingDesk:
    """Reads waiting arrivals, oldest first, and hands them to casework."""

    def __init__(
        self,
        name: str,
        channels: Sequence[str],
        reader: Reads,
        casework: Files,
        db: Database,
        spool: Path,
        *,
        clock: Callable[[], datetime],
        owner: str,
        wake: Callable[[], None],
        batch: int = READ_BATCH,
        backlog: Backlog | None = None,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self.name = name
        self._channels = channels
        self._reader = reader
        self._casework = casework
        self._db = db
        self._spool = spool
        self._clock = clock
        self._owner = owner
        self._wake = wake
        self._batch = batch
        self._backlog = backlog or Backlog()
        self._pause = pause or threading.Event().wait
        self._helper = ThreadPoolExecutor(1, f"{name} ahead")
        self._ahead: Future[_Batch | None] | None = None
        self._owed: list[int] = []

    def step(self) -> bool:
        """Claim a batch, read it, file it. True if there was one. While a full one is filed the next is read."""
        if self._backlog.goes_on():
            self._pause(0.1)
            return True
        ahead, self._ahead = self._ahead, None
        batch = ahead.result() if ahead else None
        batch = batch or self._next()
        if batch is None:
            return False
        if len(batch[0]) == self._batch:
            self._ahead = self._read_ahead()
        try:
            self._file(*batch)
        except Busy:
            self._give_back(batch[0])
            raise
        self._wake()
        return True

    def _read_ahead(self) -> Future[_Batch | None] | None:
        try:
            return self._helper.submit(self._next)
        except RuntimeError:  # no thread to be had: the next batch is read when this one is filed
            self._helper = ThreadPoolExecutor(1, f"{self.name} ahead")
            return None

    def end(self) -> None:
        """What was read but not filed waits again."""
        ahead, self._ahead = self._ahead, None
        if ahead:
            try:
                batch = ahead.result()
            except KefudError:
                return
            if batch:
                self._give_back(batch[0])

    def _next(self) -> _Batch | None:
        now = self._clock()
        if self._owed:
            self._give_back(())
        with self._db.write() as tx:
            waiting = arrivals.claim(
                tx, self._owner, now, lease=LEASE, most=self._batch, channels=self._channels, spool=self._spool
            )
        if not waiting:
            return None
        try:
            return waiting, self._reader.read(waiting, now)
        except KefudError:
            self._give_back(waiting)
            raise

    def _file(self, waiting: Sequence[arrivals.Waiting], readings: Sequence[Reading | Unread]) -> None:
        try:
            self._casework.file(readings)
        except Exception as error:
            if len(readings) == 1:
                if self._waits(waiting[0]):
                    self._poisonous(waiting[0], error)
                return
            for one, reading in zip(waiting, readings, strict=True):
                self._file_again(one, reading)

    def _file_again(self, one: arrivals.Waiting, reading: Reading | Unread) -> None:
        """After a batch failed: those of it that are not saved yet, one by one."""
        if self._waits(one):
            self._file([one], [reading])

    def _waits(self, one: arrivals.Waiting) -> bool:
        with self._db.read() as tx:
            return arrivals.still_waiting(tx, one.id)

    def _poisonous(self, waiting: arrivals.Waiting, error: Exception) -> None:
        """Put an arrival off; after three attempts it is a person's."""
        reason = f"{type(error).__name__}: {error}{where(error)}"
        busy = isinstance(error, Busy)
        patient = busy and not isinstance(error, Stale)  # what is stale for ever would never be filed
        if waiting.attempts + 1 >= MOST_ATTEMPTS and not patient:
            log.error("arrival-shelved", arrival=waiting.id, reason=reason)
            self._casework.file([Unread(waiting.id, f"filing failed {MOST_ATTEMPTS} times: {reason}")])
            return
        again = self._clock() + timedelta(seconds=5 if busy else 60 * (waiting.attempts + 1))
        with self._db.write() as tx:
            arrivals.put_off(tx, waiting.id, again, reason, blame=not patient)
        log.warn("arrival-put-off", arrival=waiting.id, until=again.isoformat(), reason=reason)

    def _give_back(self, waiting: Sequence[arrivals.Waiting]) -> None:
        """What was claimed waits again; where the store is away, as soon as it is back."""
        ids, self._owed = [*self._owed, *(w.id for w in waiting)], []
        try:
            with self._db.write() as tx:
                arrivals.give_back(tx, ids)
        except KefudError:
            self._owed += ids


def where(error: BaseException) -> str:
    """" (file:line)" of the innermost frame, for errors that should not happen."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    known = isinstance(error, KefudError) or trace is None
    return "" if known or trace is None else f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})"
