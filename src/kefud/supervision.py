"""Asks the reading rooms, and knows what to do when one dies: blame the plugin at work, switch it off after repeated
failure, try it again later. The ticket is made in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from kefud import log
from kefud.desk.arrival import Arrival
from kefud.desk.decisions import Decision
from kefud.desk.occasions import Occasion
from kefud.desk.reading import Reading, Unread
from kefud.desk.ticket import Ticket
from kefud.desk.triage import Outcome
from kefud.store import settings
from kefud.store.arrivals import Waiting
from kefud.store.database import Database
from kefud.workers import WITH_ITS_NURSERY, Failed, Worker, WorkerDied

AT_ONCE = 5
MOST_FAILURES = 3
REST = timedelta(minutes=15)


class Breaker:
    """Which plugins are switched off, and the count of their failures."""

    def __init__(self, db: Database, clock: Callable[[], datetime]) -> None:
        self.db = db
        self.clock = clock
        self._off: dict[str, tuple[datetime, str]] = {}
        self._looked: datetime | None = None
        self._counted: set[str] = set()

    def off(self) -> tuple[str, ...]:
        """Names of the plugins that are switched off now."""
        now = self.clock()
        if self._looked is None or abs((now - self._looked).total_seconds()) > 5:
            with self.db.read() as tx:
                self._off = settings.plugins_off(tx, now)
            self._looked = now
        return tuple(name for name, (until, _) in self._off.items() if until > now)

    def failed(self, plugin: str, reason: str) -> None:
        """Count a failure; the third in a row switches the plugin off for a quarter of an hour."""
        now = self.clock()
        with self.db.write() as tx:
            off = settings.plugin_failed(tx, plugin, reason, now, most=MOST_FAILURES, rest=REST)
        self._counted.add(plugin)
        self._looked = None
        log.warn("plugin-failed", plugin=plugin, reason=reason)
        if off:
            log.error("plugin-switched-off", plugin=plugin, minutes=REST.total_seconds() / 60, reason=reason)

    def well(self, plugin: str) -> None:
        """The plugin worked: its count starts anew."""
        if plugin in self._counted:
            self._counted.discard(plugin)
            with self.db.write() as tx:
                settings.plugin_well(tx, plugin)


class Reader:
    """The reading room that turns arrivals into sorted messages."""

    def __init__(self, worker: Worker, breaker: Breaker, *, seconds: float) -> None:
        self.worker = worker
        self.breaker = breaker
        self.seconds = seconds

    def read(self, batch: Sequence[Waiting], at: datetime) -> list[Reading | Unread]:
        """Read a batch; an arrival that kills the child is read alone, and shelved if it does so again.

        A few at a time: the rules are asked in the same child, and who asks them does not wait for a whole batch.
        """
        if len(batch) > AT_ONCE:
            return [x for i in range(0, len(batch), AT_ONCE) for x in self.read(batch[i : i + AT_ONCE], at)]
        if not batch:
            return []
        try:
            return self._ask(batch, at)
        except (WorkerDied, Failed) as error:
            if isinstance(error, WorkerDied) and error.reason == "stopped":
                raise
            if len(batch) == 1:
                return [self._alone(batch[0], at, error)]
            log.warn("reader-died", reason=error, arrivals=len(batch))
            return [one for waiting in batch for one in self.read([waiting], at)]

    def _alone(self, waiting: Waiting, at: datetime, error: Exception) -> Reading | Unread:
        """The child died over this one: once more with the rule at work left out, then it is a person's."""
        rule = getattr(error, "doing", "")
        blamed = rule if rule and not rule.startswith("channel ") and not _from_outside(error) else ""
        if blamed:
            self.breaker.failed(blamed, str(error))
        if blamed or _from_outside(error):
            try:
                return self._ask([waiting], at, extra=(blamed,) if blamed else ())[0]
            except (WorkerDied, Failed) as again:
                error = again
        log.error("arrival-unreadable", arrival=waiting.id, reason=error)
        return Unread(waiting.id, f"reading it ended the reader: {error}")

    def _ask(self, batch: Sequence[Waiting], at: datetime, extra: Sequence[str] = ()) -> list[Reading | Unread]:
        items: list[tuple[int, str, Arrival, str, str]] = [
            (w.id, w.channel, w.arrival, w.path, w.transcript) for w in batch
        ]
        off = (*self.breaker.off(), *extra)
        found: list[Reading | Unread] = self.worker.call("read", items, at, off, timeout=self.seconds + 5 * len(batch))
        opinions = (o for x in found if isinstance(x, Reading) for matter in x.matters for o in matter.opinions)
        for rule, reason in {o.rule: o.error for o in opinions if o.error}.items():
            self.breaker.failed(rule, reason)
        return found


def _from_outside(error: Exception) -> bool:
    """Whether somebody else may have ended the child (kill -9, the kernel short of memory): then no rule is blamed at once."""
    return isinstance(error, WorkerDied) and error.reason in ("killed by SIGKILL", WITH_ITS_NURSERY, "replaced")


class Judge:
    """The reading room that asks the rules about tickets."""

    def __init__(self, worker: Worker, breaker: Breaker, *, seconds: float) -> None:
        self.worker = worker
        self.breaker = breaker
        self.seconds = seconds

    def judge(self, batch: Sequence[tuple[Ticket, Occasion, Sequence[Decision]]]) -> list[Outcome]:
        """Outcomes in the order of the batch; a rule that kills the child costs only its own opinion."""
        extra: list[str] = []
        forgiven = False
        while True:
            try:
                outcomes = self._ask(batch, extra)
                break
            except (WorkerDied, Failed) as error:
                if _from_outside(error) and not forgiven:
                    forgiven = True
                    continue
                rule = getattr(error, "doing", "")
                if not rule or rule in extra:
                    raise
                self.breaker.failed(rule, str(error))
                extra.append(rule)
        self._count(outcomes)
        return outcomes

    def _ask(
        self, batch: Sequence[tuple[Ticket, Occasion, Sequence[Decision]]], extra: Sequence[str]
    ) -> list[Outcome]:
        off = (*self.breaker.off(), *extra)
        found: list[Outcome] = self.worker.call("judge", list(batch), off, timeout=self.seconds)
        return found

    def _count(self, outcomes: Sequence[Outcome]) -> None:
        failed = {o.rule: o.error for outcome in outcomes for o in outcome.opinions if o.error}
        for rule, reason in failed.items():
            self.breaker.failed(rule, reason)
        for outcome in outcomes:
            for opinion in outcome.opinions:
                if opinion.rule not in failed:
                    self.breaker.well(opinion.rule)
