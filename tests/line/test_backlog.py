"""A backlog is made durable before it is read; no source that stalls or never ends holds up the rest."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from kefud.intake import Backlog, ReadingDesk
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
