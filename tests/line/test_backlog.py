"""A backlog is made durable before it is read, oldest first; no source that stalls or never ends holds up the rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kefud.api import Arrival
from kefud.errors import KefudError
from kefud.intake import Backlog, ReadingDesk, Receiver
from kefud.store import schema
from kefud.store.blobs import INLINE
from kefud.store.database import Database


class Seconds:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_reading_waits_while_a_backlog_comes_in_and_not_longer() -> None:
    clock = Seconds()
    backlog = Backlog(clock)
    backlog.took("kefu", 20)
    assert not backlog.goes_on(), "a few mails are no backlog"
    backlog.took("kefu", 200)
    assert backlog.goes_on()
    clock.now += 1.5
    assert not backlog.goes_on(), "a source that has stalled holds up nobody"
    for _ in range(60):
        clock.now += 0.5
        backlog.took("kefu", 200)
    assert not backlog.goes_on(), "nor one that never ends"
    assert backlog.ended("kefu") and not backlog.ended("kefu")
    backlog.took("other", 100)
    backlog.took("kefu", 1)
    assert not backlog.ended("kefu") and backlog.goes_on()


def test_a_desk_claims_nothing_meanwhile(tmp_path: Path) -> None:
    clock, waited = Seconds(), []
    backlog = Backlog(clock)
    db = Database(f"sqlite:///{tmp_path / 'none' / 'kefud.db'}")
    desk = ReadingDesk(
        "reading", ["kefu"], None, None, db, tmp_path, clock=lambda: datetime.now(UTC), owner="me",  # type: ignore[arg-type]
        wake=lambda: None, backlog=backlog, pause=waited.append,
    )  # fmt: skip
    backlog.took("kefu", 100)
    assert desk.step() and desk.step() and waited == [0.1, 0.1]
    assert not (tmp_path / "none").exists(), "the store was not asked"


def test_behind_a_batch_that_the_store_refuses_none_is_taken_in_before_it(tmp_path: Path) -> None:
    """A channel may have the next one at the door already."""
    now = datetime(2025, 3, 3, 1, 0, tzinfo=UTC)
    answers: list[list[bool]] = []

    class Lane:
        def fetch(self, asked: Callable[[str, tuple[Any, ...]], Any]) -> int:
            batches = [[Arrival("1", now, b"a", "mail")], [Arrival("2", now, bytes(INLINE + 1), "mail")], [Arrival("3", now, b"c", "mail")]]
            answers.append([asked("take", (batch,)) for batch in batches])
            if not all(answers[-1]):
                raise KefudError("the store did not take the batch")
            return 3

    db = Database(f"sqlite:///{tmp_path}/kefud.db")
    schema.ensure(db)
    receiver = Receiver(
        "kefu", Lane(), db, tmp_path, clock=lambda: now, period=60.0, retry=5.0, wake=lambda: None  # type: ignore[arg-type]
    )
    (tmp_path / "blobs").write_bytes(b"no directory")
    assert not receiver.step()
    (tmp_path / "blobs").unlink()
    assert receiver.step()
    assert answers == [[True, False, False], [True, True, True]]
    with db.read() as tx:
        refs = [r.ref for r in tx.exec_driver_sql("select ref from arrival order by id")]
    assert refs == ["1", "2", "3"]
