"""R06 at length: the store is away for longer than anybody waits for it, and longer than a lease. KEFUD_TORTURE=N restarts."""

from __future__ import annotations

import random
import signal
import subprocess
from collections.abc import Iterator

import psutil
import pytest
from hostile.station import environment, kefud
from hostile.test_away import Postgres, Started, goes_on_after, locked, postgres, started  # noqa: F401
from hostile.test_children import end, eventually
from torture.crash import count


def test_a_store_that_is_locked_for_longer_than_anybody_waits(started: Started) -> None:  # noqa: F811
    daemon = started()
    said = locked(daemon, 40)
    assert any("locked by another process" in line for line in said)
    daemon.ends_well(repeats=0)


def test_a_postgresql_that_is_restarted_again_and_again(postgres: Postgres, started: Started) -> None:  # noqa: F811
    """In order and as by a crash; a letter may go twice for each time, the one that was under way."""
    chance = random.Random(6)
    daemon = started(postgres.url)
    outages = [chance.choice((signal.SIGINT, signal.SIGQUIT)) for _ in range(max(2, count(200) // 20))]
    goes_on_after(daemon, postgres, outages, seconds=2)
    daemon.ends_well(repeats=len(outages))


@pytest.fixture
def other(started: Started) -> Iterator[list[psutil.Popen]]:  # noqa: F811
    made: list[psutil.Popen] = []
    yield made
    for process in made:
        end(process)


def test_where_the_database_was_away_no_host_is_taken_for_dead(
    postgres: Postgres, started: Started, other: list[psutil.Popen]  # noqa: F811
) -> None:
    """Away for longer than a lease: both hosts carry on with what they had in hand."""
    daemon = started(postgres.url)
    eventually(lambda: " ready " in daemon.said(), 60)
    other.append(psutil.Popen(kefud(daemon.office.path, "run"), env=environment(), stderr=subprocess.DEVNULL))
    goes_on_after(daemon, postgres, [signal.SIGINT], seconds=55)
    assert "took-over" not in daemon.said()
    other[0].terminate()
    assert other[0].wait(40) == 0
    daemon.ends_well(repeats=2)
