"""What tests/hostile tries in small, with everything there is. KEFUD_TORTURE=N scales floods and guesses."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pytest
from hostile import poison
from hostile.station import VOUCHING, station
from hostile.test_clocks import jumps, shakes
from hostile.test_loops import flood
from hostile.test_plugins import ZOO, suffers
from hostile.test_poison import seen_by_a_person, work_through
from hostile.test_trust import guess
from line.office import mail
from torture.crash import count


def test_thousands_of_mails_of_one_sender(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        flood(office, 50 * count(200))


def test_five_hundred_guesses_and_more(tmp_path: Path) -> None:
    with station(tmp_path, service=f'authserv_id = "{VOUCHING}"\nreply_tag = true') as office:
        guess(office, max(500, count(200)))


def test_all_poison_among_a_hundred_good_mails(tmp_path: Path) -> None:
    mails = list(poison.mails())
    with station(tmp_path) as office:
        work_through(office, mails, 100)
        assert office.arrivals["filed"] + office.arrivals["shelved"] >= len(mails)
        seen_by_a_person(office, sum(office.arrivals.values()))


def test_any_mixture_of_poison(tmp_path: Path) -> None:
    """Pieces of harmful mails, cut and joined and with bytes changed, seeded."""
    chance = random.Random(7)
    whole = [content for _, content in poison.mails() if len(content) < 200_000]
    with station(tmp_path) as office:
        for n in range(5 * count(200)):
            raw = bytearray(b"".join(chance.choice(whole)[: chance.randrange(1, 4000)] for _ in range(chance.randrange(1, 4))))
            for _ in range(chance.randrange(8)):
                raw[chance.randrange(len(raw))] = chance.randrange(256)
            office.put(b"X-Serial: %d\r\n" % n + bytes(raw))
        office.put(mail("厨房漏水。", sender="good@mail.example.com"))
        office.work()
        assert office.arrivals["received"] == 0
        assert office.delivered("good@mail.example.com")


@pytest.mark.parametrize("when", ["Arrived", "Opened", "Moved"])
@pytest.mark.parametrize("name", ZOO)
def test_every_bad_plugin_at_every_moment(tmp_path: Path, name: str, when: str) -> None:
    suffers(tmp_path, name, when)


@pytest.mark.parametrize(
    "jump", [timedelta(hours=-2), timedelta(days=1), timedelta(days=3650)], ids=["back", "a day", "ten years"]
)
def test_clocks_that_jump(tmp_path: Path, jump: timedelta) -> None:
    with station(tmp_path) as office:
        jumps(office, jump)


def test_a_clock_that_shakes_for_an_hour(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        shakes(office, 1)
