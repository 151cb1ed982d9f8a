"""Observers hear of every committed change, in order, over restarts and deaths, and cost nobody anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from estate import Estate

from kefud.store.tickets import Ledger
from kefud.testing import NOON, ticket
from kefud.wiring import Office

WRITES = """
from pathlib import Path
from kefud.api import DeliveryFailed, hookimpl

class Writes:
    name = "writes"
    def __init__(self, home): self.home = home
    def ticket_changed(self, ticket, change):
        {trouble}
        with (self.home / "heard").open("a") as file:
            file.write(f"{{ticket.number}} {{change}}\\n")

@hookimpl
def register_observers(site):
    return [Writes(Path(site.base))]
"""


ON = '[observers]\nenabled = ["mine"]\n'


def observed(home: Path, trouble: str = "pass", database: str = "", more: str = ON) -> Estate:
    estate = Estate(home, more, service=f'database = "{database}"')
    estate.plugin("mine", WRITES.format(trouble=trouble))
    estate.work()
    return estate


def put(estate: Estate, building: int) -> None:
    estate.put(f"{building}号楼1单元201厨房水龙头坏了,请派人来修。", sender=f"owner{building}@example.com")


def heard(home: Path) -> list[str]:
    file = home / "heard"
    return file.read_text().splitlines() if file.exists() else []


def test_every_change_is_heard_in_order_over_a_restart(tmp_path: Path) -> None:
    estate = observed(tmp_path)
    for building in (5, 6):
        put(estate, building)
        estate.work()
    assert heard(tmp_path) == estate.history
    assert any(line.endswith(" opened") for line in estate.history)


def test_what_happened_before_it_was_enabled_is_not_told(tmp_path: Path) -> None:
    estate = observed(tmp_path, more="")
    put(estate, 5)
    estate.work()
    estate.configure(ON)
    estate.work()
    assert estate.history and heard(tmp_path) == []


def test_an_observer_that_says_not_now_hears_it_later(tmp_path: Path) -> None:
    estate = observed(tmp_path, 'if not (self.home / "up").exists(): raise DeliveryFailed("nobody there")')
    put(estate, 5)
    for _ in range(5):
        estate.work(minutes=20)
    assert estate.history and heard(tmp_path) == []
    (tmp_path / "up").touch()
    estate.work(minutes=20)
    assert heard(tmp_path) == estate.history


@pytest.mark.parametrize("trouble", ['raise ValueError("odd")', "import os; os._exit(1)"])
def test_a_change_that_breaks_the_observer_three_times_is_passed_over(trouble: str, tmp_path: Path) -> None:
    estate = observed(tmp_path, f'if change == "opened":\n            {trouble}')
    put(estate, 5)
    for _ in range(4):
        estate.work(minutes=20)
    assert [line for line in estate.history if not line.endswith(" opened")] == heard(tmp_path)


@contextmanager
def transaction(office: Office) -> Iterator[Ledger]:
    with office.db.write() as tx:
        ledger = Ledger(tx, NOON)
        yield ledger
        ledger.flush()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_change_that_another_host_commits_late_is_heard(tmp_path: Path, database_url: str) -> None:
    """On PostgreSQL a smaller number may become visible after a larger one. SQLite has one writer at a time."""
    estate = observed(tmp_path, database=database_url)
    with estate.open() as office, estate.open() as other:
        with transaction(office) as ledger:
            one, two = (ledger.create(ticket(number=f"KF20260304-000{n}")) for n in (1, 2))
        with transaction(office) as slow:
            slow.history(one.id, "program", "slow")
            slow.flush()
            with transaction(other) as quick:
                quick.history(two.id, "program", "quick")
            other.run_once()
            assert heard(tmp_path) == ["KF20260304-0002 quick"]
        other.run_once()
    assert heard(tmp_path) == ["KF20260304-0002 quick", "KF20260304-0001 slow"]
