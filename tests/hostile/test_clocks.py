"""R20–R22: the clock jumps back, forward, by years, and shakes. Nothing stands still, nothing is told twice."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

from hostile.station import Station, station
from line.office import MONDAY, mail

RUDE = "西门保安态度恶劣,骂人,我要投诉,请给我一个说法。"


def opened(office: Station, count: int = 2) -> None:
    for n in range(count):
        office.put(
            mail(f"{n + 1}号楼1单元101业主,电话1380000{n:04d}。{RUDE}", sender=f"a{n}@mail.example.com", name=f"业主{n}")
        )
    office.work()
    assert len(office.tickets) == count


def each_once(office: Station) -> None:
    """No step of the ladder, no chaser, no letter under a key was written twice."""
    keys = Counter((x["ticket"], x["key"]) for x in office.letters if x["key"])
    assert max(keys.values(), default=1) == 1
    chasers = Counter(
        (x["ticket"], x["template"], x["recipient"], x["created_at"].date())
        for x in office.letters
        if x["template"].startswith("reports/")
    )
    assert not chasers or max(chasers.values()) <= 4


def jumps(office: Station, jump: timedelta) -> None:
    opened(office)
    office.now += jump
    for _ in range(3):
        office.work()
    office.put(mail(f"9号楼1单元101业主。{RUDE}", sender="new@mail.example.com", name="新业主"))
    office.work()
    assert len(office.tickets) == 3 and office.delivered("new@mail.example.com"), "no stall"
    office.now = MONDAY + timedelta(days=2)
    for _ in range(4):
        office.work()
        office.pass_time(hours=3)
    assert any(x["key"] for x in office.letters), "somebody was reminded"
    each_once(office)


def shakes(office: Station, every: int) -> None:
    """Around the instant at which a department must have answered."""
    chance = random.Random(1)
    opened(office)
    start: datetime = MONDAY + timedelta(hours=4, minutes=30)
    for minute in range(0, 60, every):
        office.now = start + timedelta(minutes=minute, seconds=chance.uniform(-1, 1))
        office.work()
    each_once(office)


def test_after_a_jump_back_work_goes_on_and_each_escalation_happens_once(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        jumps(office, timedelta(hours=-2))


def test_many_late_deadlines_at_once_are_followed_in_small_groups(tmp_path: Path) -> None:
    with station(tmp_path, more="[limits]\ndue_per_tick = 3\n") as office:
        opened(office, 6)
        office.pass_time(days=4)
        before = len(office.letters)
        office.office.casework.wake()
        first = len(office.letters) - before
        assert office.office.casework.wake() is False, "not again within the minute"
        for _ in range(40):
            office.pass_time(minutes=2)
            office.office.casework.wake()
        assert len(office.letters) - before > first
        each_once(office)
