"""R01–R06 in small: the daemon dies at a step, the disk or the database refuses. Nothing is lost, nothing doubled. More: tests/torture."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile.station import Station, station
from line.office import mail
from servers.scripted_smtp import ScriptedSmtp
from torture.crash import RUDE, Crashes

from kefud import failpoints

LEAK = "厨房水龙头坏了,一直滴水,请派人来修。"


@pytest.fixture
def crashes(tmp_path: Path) -> Iterator[Crashes]:
    with ScriptedSmtp() as smtp:
        office = Station(tmp_path, smtp=smtp)
        yield Crashes(office)
        office.office.db.close()


def test_nothing_is_lost_or_doubled_by_a_death_in_the_middle(crashes: Crashes) -> None:
    for step in ("ticket.written", "letter.sent", "letter.noted", "letter.heard"):
        crashes.write(RUDE, large=True)
        crashes.write()
        assert crashes.die_at(step), step
    crashes.settle()
    crashes.check(repeats=1)


def test_without_being_asked_a_failpoint_is_nothing() -> None:
    assert failpoints.reached is failpoints._nothing
    assert len(set(failpoints.STEPS)) == 19


def test_a_store_that_is_locked_for_five_seconds_is_waited_for(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        office.put(mail(LEAK, sender="a@mail.example.com"))
        office.office.db.reachable()
        other = sqlite3.connect(tmp_path / "kefud.db", isolation_level=None, check_same_thread=False)
        other.execute("BEGIN EXCLUSIVE")
        release = threading.Timer(5, lambda: other.execute("COMMIT"))
        release.start()
        office.work()
        release.join()
        other.close()
        assert len(office.tickets) == 1 and office.delivered("a@mail.example.com")


def test_a_store_that_stays_locked_is_said_so_and_nothing_is_acknowledged(tmp_path: Path) -> None:
    with station(tmp_path, busy=0.2) as office:
        office.put(mail(LEAK, sender="a@mail.example.com"))
        office.office.db.reachable()
        other = sqlite3.connect(tmp_path / "kefud.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        from kefud.errors import Busy

        with pytest.raises(Busy, match="locked"):
            office.work()
        assert list((tmp_path / "mail" / "new").iterdir()), "still new to the next look"
        other.execute("COMMIT")
        other.close()
        office.work()
        assert len(office.tickets) == 1 and office.delivered("a@mail.example.com")


def test_a_full_disk_stops_fetching_before_the_source_is_told(tmp_path: Path) -> None:
    """ENOSPC while the original is written: the mail stays new, and comes in when there is space again."""
    with station(tmp_path) as office:
        blobs = Path(office.loaded.spool) / "blobs"
        blobs.mkdir(parents=True)
        from torture.crash import with_attachment

        office.put(with_attachment(mail(LEAK, sender="a@mail.example.com"), 1))
        full = os.open  # the file system's answer, for originals only

        def no_space(path: object, flags: int, *more: object, **named: object) -> int:
            if str(path).startswith(str(blobs)) and flags & os.O_CREAT:
                raise OSError(28, "No space left on device", str(path))
            return full(path, flags, *more, **named)  # type: ignore[arg-type]

        os.open = no_space  # type: ignore[assignment]
        try:
            left = office.work()
        finally:
            os.open = full
        assert left["channels"] == 1 and len(office.tickets) == 0
        assert list((tmp_path / "mail" / "new").iterdir()), "not acknowledged"
        office.work()
        assert len(office.tickets) == 1 and office.delivered("a@mail.example.com")
