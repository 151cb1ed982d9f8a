"""When a letter is tried again, soon where only its child ended, further apart where a server refused it; and bursts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kefud.config import load
from kefud.desk.dispatch import Dispatch, Sent
from kefud.errors import KefudError
from kefud.journal import Journal
from kefud.outbox import BATCH, GIVE_UP, INTERRUPTED, OFTEN, RETRY_MINUTES, Outbox
from kefud.store import letters, schema
from kefud.store.database import Database
from kefud.store.tickets import Ledger

NOW = datetime(2025, 3, 3, 1, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SOON, FAR = INTERRUPTED, [timedelta(minutes=n) for n in RETRY_MINUTES]
Asked = Callable[[str, tuple[Any, ...]], Any]


class Child:
    """A transport; ``deeds`` says letter by letter what happens: "ends" with the process, a code that a server gives.

    With a journal it notes what was accepted there, and tells of three letters at a time.
    """

    def __init__(self, journal: Journal | None = None) -> None:
        self.deeds: list[str | int] = []
        self.tried: list[int] = []
        self.calls = 0
        self.busy = False
        self._journal = journal

    def send(self, batch: Sequence[Dispatch], asked: Asked) -> int:
        self.calls += 1
        self.busy = True
        try:
            return self._noting(self._journal, list(batch), asked) if self._journal else self._committing(batch, asked)
        finally:
            self.busy = False

    def _noting(self, journal: Journal, waiting: list[Dispatch], asked: Asked) -> int:
        noted: list[Sent] = []
        with journal.opened() as pen:
            for dispatch in waiting:  # grows meanwhile
                self.tried.append(dispatch.id)
                if (self.deeds.pop(0) if self.deeds else 250) == "ends":
                    raise KefudError("the child ended")
                noted.append(Sent(dispatch.id, dispatch.epoch, True, 250, "250 so"))
                pen.note(noted[-1])
                if len(noted) == 3 or dispatch is waiting[-1]:
                    going, further = asked("result", (tuple(noted), True))
                    noted = []
                    waiting += further
                    if not going:
                        break
        return len(waiting)

    def _committing(self, batch: Sequence[Dispatch], asked: Asked) -> int:
        for dispatch in batch:
            self.tried.append(dispatch.id)
            deed = self.deeds.pop(0) if self.deeds else 250
            if deed == "ends":
                raise KefudError("the child ended")
            code = int(deed)
            answer = Sent(dispatch.id, dispatch.epoch, code < 300, code, f"{code} so", permanent=code >= 500)
            if not asked("result", ((answer,), False))[0]:
                break
        return len(batch)

    def finish(self) -> None:
        pass


class Way:
    """An outbox over a store with letters of no ticket, at a time the test owns."""

    def __init__(self, home: Path, count: int, journal: Journal | None = None) -> None:
        (home / "kefud.toml").write_text("", "utf-8")
        self.now = NOW
        self.child = Child(journal)
        self.stopping = False
        self.db = Database(f"sqlite:///{home}/kefud.db")
        schema.ensure(self.db)
        with self.db.write() as tx:
            ledger = Ledger(tx, NOW)
            for n in range(count):
                ledger.letter(_row(n))
            ledger.flush()
        site = load(home / "kefud.toml").site
        self.outbox = Outbox(
            "mail", ["mail"], self.child, self.db, site, home, clock=lambda: self.now, owner="me",
            stopping=lambda: self.stopping, wake=lambda: None, journal=journal,
        )  # fmt: skip

    @property
    def states(self) -> Counter[tuple[str, int]]:
        """How many letters there are of each status and number of attempts."""
        with self.db.read() as tx:
            return Counter((x["status"], x["attempts"]) for x in letters.listed(tx))

    def letter(self, id: int) -> dict[str, Any]:
        with self.db.read() as tx:
            return letters.listed(tx, id=id)[0]

    def distances(self, deeds: Sequence[str | int]) -> list[timedelta | None]:
        """How long after each of these attempts the first letter is due again."""
        found = []
        self.child.deeds = list(deeds)
        for _ in deeds:
            tried = len(self.child.tried)
            while len(self.child.tried) == tried:
                self.outbox.step()
                self.now += timedelta(seconds=1)
            self.now -= timedelta(seconds=1)
            again = self.letter(1)["next_attempt"]
            found.append(again - self.now if again else None)
            self.now = again or self.now
        return found


def _row(n: int) -> dict[str, Any]:
    return {
        "ticket": None, "recipient": "cs_clerk", "addresses": ["clerk@example.com"], "template": "reports/daily",
        "message_id": f"<{n}@example.com>", "in_reply_to": "", "references": [], "subject": "s", "text": "t", "html": "",
        "automatic": "auto-generated", "documents": [], "attachments": [], "transport": "mail", "status": "pending", "hold": "",
        "key": "", "meets": "", "priority": 5, "attempts": 0, "next_attempt": NOW, "owner": "", "epoch": 0, "last_answer": "",
        "created_at": NOW, "told": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("deeds", "distances"),
    [
        (["ends"] * (OFTEN + 2), [SOON] * OFTEN + FAR[OFTEN : OFTEN + 2]),
        ([451] * 8, [*FAR, FAR[-1], FAR[-1]]),
        ([451, "ends", "ends", "ends", 451], [FAR[0], SOON, SOON, FAR[3], FAR[4]]),
        (["ends", 550], [SOON, None]),
    ],
    ids=["its child ends", "refused for now", "both", "refused for good"],
)
def test_when_it_is_tried_again(tmp_path: Path, deeds: list[str | int], distances: list[timedelta | None]) -> None:
    way = Way(tmp_path, 1)
    assert way.distances(deeds) == distances
    assert way.letter(1)["attempts"] == len(deeds)


def test_those_behind_an_interrupted_letter_were_never_begun(tmp_path: Path) -> None:
    way = Way(tmp_path, 3)
    way.child.deeds = [250, "ends"]
    way.outbox.step()
    assert [way.letter(n)["status"] for n in (1, 2, 3)] == ["sent", "pending", "pending"]
    assert [way.letter(n)["attempts"] for n in (1, 2, 3)] == [1, 1, 0]
    way.now += INTERRUPTED
    while way.outbox.step():
        pass
    assert way.child.tried == [1, 2, 2, 3] and way.letter(2)["status"] == way.letter(3)["status"] == "sent"


def test_after_five_days_a_letter_is_given_up_even_if_only_its_child_ended(tmp_path: Path) -> None:
    way = Way(tmp_path, 1)
    for _ in range(40):
        way.child.deeds = ["ends"]
        way.outbox.step()
        letter = way.letter(1)
        if letter["status"] == "failed":
            break
        way.now = max(letter["next_attempt"], way.now + 5 * MINUTE)
    assert letter["status"] == "failed" and GIVE_UP < way.now - NOW < GIVE_UP + FAR[-1] + MINUTE


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "outbox" / "mail.sent")


def test_a_burst_is_one_call_and_its_letters_keep_their_order(tmp_path: Path, journal: Journal) -> None:
    """The child is given more while it has some left, and its journal is cleared when all is recorded."""
    way = Way(tmp_path, 4 * BATCH, journal)
    assert way.outbox.step() and way.child.calls == 1
    assert way.child.tried == list(range(1, 4 * BATCH + 1))
    assert way.states == {("sent", 1): 4 * BATCH} and journal.read()[0] == []


def test_a_child_that_ends_among_the_letters_it_was_given_later_costs_one_attempt(tmp_path: Path, journal: Journal) -> None:
    way = Way(tmp_path, 3 * BATCH, journal)
    way.child.deeds = [*[250] * (BATCH + 10), "ends"]
    way.outbox.step()
    assert way.states == {("sent", 1): BATCH + 10, ("pending", 1): 1, ("pending", 0): 2 * BATCH - 11}
    way.now += timedelta(minutes=1)
    while way.outbox.step():
        pass
    assert way.states == {("sent", 1): 3 * BATCH - 1, ("sent", 2): 1}
    assert Counter(way.child.tried) == Counter([*range(1, 3 * BATCH + 1), BATCH + 11])


def test_letters_given_later_go_back_when_kefud_stops(tmp_path: Path, journal: Journal) -> None:
    way = Way(tmp_path, 3 * BATCH, journal)

    class Stopping(Child):
        def _noting(self, journal: Journal, waiting: list[Dispatch], asked: Asked) -> int:
            def heard(what: str, args: tuple[Any, ...]) -> Any:
                way.stopping = len(self.tried) > BATCH
                return asked(what, args)

            return super()._noting(journal, waiting, heard)

    way.outbox._sends = way.child = Stopping(journal)
    way.outbox.step()
    went = len(way.child.tried)
    assert BATCH < went < 2 * BATCH and way.states == {("sent", 1): went, ("pending", 0): 3 * BATCH - went}


def test_a_store_that_is_away_when_more_would_be_given_ends_the_burst_and_loses_nothing(tmp_path: Path, journal: Journal) -> None:
    way = Way(tmp_path, 3 * BATCH, journal)
    store, away = way.outbox._db, KefudError("the store is away")

    class Away:
        def write(self) -> Any:
            if way.child.busy:
                raise away
            return store.write()

    way.outbox._db = Away()  # type: ignore[assignment]
    assert way.outbox.step()
    assert way.child.tried == list(range(1, BATCH + 1)) and way.states == {("sent", 1): BATCH, ("pending", 0): 2 * BATCH}
    way.outbox._db = store
    assert way.outbox.step()
    assert way.child.tried == list(range(1, 3 * BATCH + 1)) and way.states == {("sent", 1): 3 * BATCH}


class Slow(Child):
    """Takes so long for each letter; the time is the test's."""

    def __init__(self, way: Way, journal: Journal, seconds: float) -> None:
        super().__init__(journal)
        self._way = way
        self._seconds = seconds

    def _noting(self, journal: Journal, waiting: list[Dispatch], asked: Asked) -> int:
        def heard(what: str, args: tuple[Any, ...]) -> Any:
            self._way.now += timedelta(seconds=self._seconds * len(args[0]))
            return asked(what, args)

        return super()._noting(journal, waiting, heard)


def test_letters_whose_lease_ran_out_in_a_burst_are_not_given_out_again(tmp_path: Path, journal: Journal) -> None:
    """The machine slept: they are still with the child."""
    way = Way(tmp_path, 2 * BATCH, journal)
    way.outbox._sends = way.child = Slow(way, journal, 70.0)
    while way.outbox.step():
        pass
    assert way.child.tried == list(range(1, 2 * BATCH + 1)) and way.states == {("sent", 1): 2 * BATCH}


def test_a_burst_ends_after_a_while_however_many_letters_wait(tmp_path: Path, journal: Journal) -> None:
    """Or the watchdog would take a slow server for a stage that is stuck."""
    way = Way(tmp_path, 5 * BATCH, journal)
    way.outbox._sends = way.child = Slow(way, journal, 1.0)
    began = way.now
    way.outbox.step()
    assert timedelta(seconds=60) <= way.now - began < timedelta(seconds=60 + 2 * BATCH)
    while way.outbox.step():
        pass
    assert way.states == {("sent", 1): 5 * BATCH}


def test_an_urgent_letter_does_not_wait_behind_more_than_a_slow_server_takes_in_a_while(tmp_path: Path, journal: Journal) -> None:
    way = Way(tmp_path, BATCH, journal)
    way.outbox._sends = way.child = Slow(way, journal, 0.5)
    way.outbox.step()
    assert way.outbox._most == BATCH


def test_a_letter_whose_enclosure_is_gone_holds_up_no_other(tmp_path: Path, journal: Journal) -> None:
    way = Way(tmp_path, 3, journal)
    with way.db.write() as tx:
        tx.exec_driver_sql("update letter set attachments = '[[\"blob\", \"00ff\", \"a.pdf\", \"application/pdf\"]]' where id = 2")
    way.outbox.step()
    assert way.child.tried == [1, 3]
    assert [way.letter(n)["status"] for n in (1, 2, 3)] == ["sent", "pending", "sent"]
    assert "00ff" in way.letter(2)["last_answer"] and way.letter(2)["next_attempt"] == way.now + MINUTE


def test_after_a_child_that_ended_late_in_a_burst_the_pause_counts_from_then(tmp_path: Path, journal: Journal) -> None:
    way = Way(tmp_path, BATCH, journal)
    way.outbox._sends = way.child = Slow(way, journal, 5.0)
    way.child.deeds = [*[250] * 12, "ends"]
    way.outbox.step()
    assert way.letter(13)["next_attempt"] == way.now + INTERRUPTED and not way.outbox.step()
