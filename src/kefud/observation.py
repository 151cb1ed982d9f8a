"""Tells observers of committed changes, in order and at least once, in a child that may die. Can spoil nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kefud import log
from kefud.errors import KefudError
from kefud.store import settings, tickets
from kefud.store.database import Connection, Database
from kefud.supervision import Breaker
from kefud.workers import Failed, Worker, WorkerDied

BATCH = 50
MOST_TRIES = 3
LONGEST_REST = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(hours=1)
MOST_GAPS = 1000


@dataclass
class _Place:
    """How far an observer has heard. ``gaps`` are numbers passed over that a slower transaction may still commit."""

    after: int
    gaps: dict[int, str] = field(default_factory=dict)
    tries: int = 0

    def pass_by(self, id: int, now: datetime) -> None:
        for missing in range(max(self.after + 1, id - MOST_GAPS), id):
            self.gaps[missing] = now.isoformat()
        self.gaps.pop(id, None)
        self.after = max(self.after, id)
        self.gaps = {g: at for g, at in self.gaps.items() if now - datetime.fromisoformat(at) < FORGOTTEN_AFTER}


class Telling:
    """The stage of one plugin with observers. It hears of changes from the moment it is first enabled."""

    idle = 15.0

    def __init__(
        self,
        plugin: str,
        worker: Worker,
        db: Database,
        breaker: Breaker,
        *,
        clock: Callable[[], datetime],
        mine: Callable[[], bool] = lambda: True,
    ) -> None:
        self.name = f"observer {plugin}"
        self._plugin = plugin
        self._worker = worker
        self._db = db
        self._breaker = breaker
        self._clock = clock
        self._mine = mine
        self._rest_until: datetime | None = None
        self._rest = timedelta(seconds=5)

    def step(self) -> bool:
        """Tell a batch. True if there was one and all went well."""
        now = self._clock()
        if (self._rest_until and now < self._rest_until) or not self._mine() or self.name in self._breaker.off():
            return False
        with self._db.write() as tx:
            place = self._place(tx)
        with self._db.read() as tx:
            changes = tickets.changes(tx, place.after, list(place.gaps), BATCH)
            known = tickets.load(tx, {ticket for _, ticket, _ in changes})
        if not changes:
            return False
        told: list[int] = []
        fault = self._tell([(known[ticket], what) for _, ticket, what in changes], told)
        for id, *_ in changes[: len(told)]:
            place.pass_by(id, now)
        place.tries = 0 if told else place.tries
        if fault is not None:
            self._failed(place, fault, changes[len(told)][0], now)
        else:
            self._breaker.well(self.name)
            self._rest, self._rest_until = timedelta(seconds=5), None
        with self._db.write() as tx:
            self._keep(tx, place)
        return fault is None

    def _tell(self, changes: Sequence[tuple[Any, str]], told: list[int]) -> KefudError | None:
        def asked(name: str, arguments: tuple[Any, ...]) -> bool:
            told.append(arguments[0])
            return True

        try:
            self._worker.call("tell", list(changes), timeout=120, asked=asked)
        except KefudError as error:
            if isinstance(error, WorkerDied) and error.reason == "stopped":
                raise
            return error
        return None

    def _failed(self, place: _Place, fault: KefudError, id: int, now: datetime) -> None:
        """An observer that says "not now" hears the change again later; one that breaks over it three times does not."""
        self._rest_until = now + self._rest
        self._rest = min(LONGEST_REST, self._rest * 2)
        if not isinstance(fault, (Failed, WorkerDied)):
            log.warn("observer-waits", plugin=self._plugin, reason=fault)
            return
        place.tries += 1
        self._breaker.failed(self.name, str(fault))
        if place.tries >= MOST_TRIES:
            log.error("observer-missed", plugin=self._plugin, change=id, reason=fault)
            place.pass_by(id, now)
            place.tries = 0

    def _place(self, tx: Connection) -> _Place:
        kept = settings.setting(tx, self.name)
        if kept:
            said = json.loads(kept)
            return _Place(said["after"], {int(g): at for g, at in said["gaps"].items()}, said["tries"])
        place = _Place(tickets.last_change(tx))
        self._keep(tx, place)
        return place

    def _keep(self, tx: Connection, place: _Place) -> None:
        said = {"after": place.after, "gaps": place.gaps, "tries": place.tries}
        settings.keep_setting(tx, self.name, json.dumps(said))
